package billing

import (
	"context"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// An Asked says whose facts a bill needs, and which.
type Asked struct {
	Tenant tenant.ID
	Nobody bool      // in place of a tenant: what belongs to none
	Types  []string  // of usage events
	Until  time.Time // what happens, or becomes known, later is left out
	Lives  bool      // lifetimes of resources too

	Evidence bool // with the lifetimes, what shows when they began and ended
}

// A FactSource answers what a tenant used. Events are those that count, with when
// each became known.
type FactSource func(ctx context.Context, a Asked) (Facts, error)

// factsOf reads what the subscription's plans are about.
func (s *Service) factsOf(ctx context.Context, a *Agreement, c *Catalog, until time.Time) (Facts, error) {
	return s.ask(ctx, a, c, Asked{Tenant: a.Tenant, Until: until})
}

// ask adds to what is asked what the subscription's plans are about, and reads it.
func (s *Service) ask(ctx context.Context, a *Agreement, c *Catalog, asked Asked) (Facts, error) {
	seen := make(map[string]bool)
	for _, change := range a.Changes {
		p, ok := c.Plan(change.Plan)
		if !ok {
			continue
		}
		for _, ch := range p.Charges {
			switch {
			case ch.Type == Resource:
				asked.Lives = true
			case ch.Meter != nil && !seen[ch.Meter.EventType]:
				seen[ch.Meter.EventType] = true
				asked.Types = append(asked.Types, ch.Meter.EventType)
			}
		}
	}
	if s.facts == nil || len(asked.Types) == 0 && !asked.Lives {
		return Facts{}, nil
	}
	return s.facts(ctx, asked)
}
