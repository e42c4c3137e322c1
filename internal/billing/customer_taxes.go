package billing

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A TaxChange is which taxes a customer has from an instant on.
type TaxChange struct {
	From time.Time `json:"from"`
	IDs  []string  `json:"ids"` // of the catalog
}

// TaxesAt are the taxes of a customer at an instant.
func (c *Customer) TaxesAt(at time.Time) []string {
	taxes := c.Taxes
	for _, x := range c.TaxChanges {
		if !x.From.After(at) {
			taxes = x.IDs
		}
	}
	return taxes
}

// dateTaxes has the taxes that a customer is given hold from their day on, after those
// that it had, and answers that day. In another currency it had none: nothing of it is
// billed yet.
func (c *Customer) dateTaxes(before Customer) (from time.Time, err error) {
	given := c.Taxes
	if from = c.ChangedAt; c.TaxesFrom != "" {
		zone, err := period.Zone(c.Zone)
		if err != nil {
			return from, err
		}
		if from, err = metering.ParseTime(c.TaxesFrom, zone); err != nil {
			return from, inColumn("taxes", fault.New(fault.Invalid, "From when the taxes hold: %v.", err))
		}
	}
	dated := c.TaxesFrom != ""
	c.TaxesFrom, c.TaxChanges = "", []TaxChange{}
	fresh := before.Tenant == "" || before.Currency != c.Currency
	if fresh && !dated {
		return from, nil
	}
	if c.Taxes = []string{}; !fresh {
		c.Taxes, c.TaxChanges = before.Taxes, before.TaxChanges
	}
	if slices.Equal(c.TaxesAt(from), given) {
		return from, nil
	}
	c.TaxChanges = slices.DeleteFunc(slices.Clone(c.TaxChanges), func(x TaxChange) bool { return x.From.Equal(from) })
	c.TaxChanges = append(c.TaxChanges, TaxChange{from, given})
	slices.SortFunc(c.TaxChanges, func(x, y TaxChange) int { return x.From.Compare(y.From) })
	return from, nil
}

// retax gives the subscriptions that had a customer's taxes on a day, and not others of
// their own, those that it has from that day on.
func retax(ctx context.Context, tx *sql.Tx, before, c Customer, from time.Time) error {
	was, is := before.TaxesAt(from), c.TaxesAt(from)
	if slices.Equal(was, is) {
		return nil
	}
	agreements, err := listAgreements(ctx, tx, agreementFilter{tenant: c.Tenant})
	if err != nil {
		return err
	}
	for _, a := range agreements {
		if !slices.Equal(a.TaxesAt(from), was) {
			continue
		}
		offered, err := offerIn(ctx, tx, a.Currency)
		if err != nil {
			return err
		}
		if err := offered.amend(ctx, tx, &a, c.amendment(TaxChange{from, is}, c.ChangedAt, c.ChangedBy), false); err != nil {
			return err
		}
	}
	return nil
}

// amendment is what a change of the customer's taxes changes in a subscription.
func (c *Customer) amendment(x TaxChange, at time.Time, by string) Amendment {
	return Amendment{Type: TaxesAmendment, IDs: x.IDs, EffectiveAt: x.From, RecordedAt: at, EnteredAt: at, Actor: by, Reason: "the customer's taxes changed"}
}

// taxesTo gives a new agreement the taxes that the customer has as it begins, and those
// that it has from some day after that on.
func (c *Customer) taxesTo(a *Agreement) {
	a.Taxes = c.TaxesAt(a.StartedAt)
	for _, x := range c.TaxChanges {
		if x.From.After(a.StartedAt) {
			m := c.amendment(x, a.CreatedAt, a.CreatedBy)
			m.Seq = int64(len(a.Amendments) + 1)
			a.Amendments = append(a.Amendments, m)
		}
	}
}
