package provisioning

import (
	"context"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Quote is what a plan changes on its tenant's invoices, as it looked when the plan was
// made. It is no part of what makes a plan stale: usage and payments go on.
type Quote struct {
	Periods []QuotedPeriod `json:"periods,omitempty"`
	Nothing string         `json:"nothing,omitempty"` // without any: why, a sentence
	Notes   []string       `json:"notes,omitempty"`   // what is in no sum, in sentences
}

// A QuotedPeriod is what a subscription's next full billing period comes to without the
// plan, and with it.
type QuotedPeriod struct {
	Subscription string         `json:"subscription"`
	Plans        []string       `json:"plans"` // of the catalog, id@version, that charge for resources
	Currency     money.Currency `json:"currency"`
	From         string         `json:"from"` // days in the tenant's zone, To the first one after it
	To           string         `json:"to"`
	Before       int64          `json:"before"` // minor units, net of tax
	After        int64          `json:"after"`
}

// A Quoter works out what changes of a tenant's resources change on its invoices.
type Quoter func(ctx context.Context, of tenant.ID, changes []Change, at time.Time) (Quote, error)

// quoted is the quote of a plan; nil where nobody can be asked, or the plan is about no
// tenant. That it cannot be worked out keeps nobody from making a backup: the plan says so.
func (s *Service) quoted(ctx context.Context, p Plan, at time.Time) *Quote {
	if s.steps.set.Quote == nil || p.Tenant == "" {
		return nil
	}
	q, err := s.steps.set.Quote(ctx, p.Tenant, p.Changes, at)
	if err != nil {
		s.steps.log.WarnContext(ctx, "a plan has no quote", "plan", p.ID, "tenant", p.Tenant, "err", err)
		return &Quote{Nothing: "What changes on the tenant's invoice is not known: " + fault.Message(err)}
	}
	return &q
}
