package billing

import (
	"context"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/period"
)

// upcoming are the documents that are due after those that were issued, up to the end
// of the period of the latest change and its grace.
func (s *Service) upcoming(ctx context.Context, a *Agreement, at time.Time) ([]Invoice, error) {
	catalog, err := s.StoredCatalog(ctx, a.Currency)
	if err != nil {
		return nil, err
	}
	return s.upcomingOf(ctx, catalog, a, at)
}

func (s *Service) upcomingOf(ctx context.Context, catalog *Catalog, a *Agreement, at time.Time) ([]Invoice, error) {
	sub, err := a.subscription(catalog)
	if err != nil {
		return nil, err
	}
	until := at
	for _, item := range sub.items() {
		for _, r := range sub.stretches(item, forever) {
			last := a.Changes[len(a.Changes)-1]
			if effective := period.Later(last.EffectiveAt, last.UntilAt); !r.from.After(effective) && effective.Before(r.to) || r.to.Equal(effective) {
				until = period.Later(until, r.schedule.Begin(r.schedule.Index(period.Later(effective, at))+1).Add(r.plan.Grace))
			}
		}
	}
	return s.dueBy(ctx, catalog, a, until)
}

// dueBy are the documents of a subscription that are due by an instant and were not
// issued, by what is known now.
func (s *Service) dueBy(ctx context.Context, catalog *Catalog, a *Agreement, until time.Time) ([]Invoice, error) {
	issued, err := listIssued(ctx, s.db.Read(), IssuedFilter{subscriptions: []SubscriptionID{a.ID}, Limit: -1})
	if err != nil {
		return nil, err
	}
	sub, err := a.subscription(catalog)
	if err != nil {
		return nil, err
	}
	if sub.credited, err = creditedBy(issued); err != nil {
		return nil, err
	}
	released, err := listReleases(ctx, s.db.Read(), a.ID)
	if err != nil {
		return nil, err
	}
	sub.released = released[a.ID]
	until = period.Later(until, sub.Start())
	facts, err := s.factsOf(ctx, a, catalog, until)
	if err != nil {
		return nil, err
	}
	out, err := Preview(catalog, sub, facts, until)
	if err != nil {
		return nil, err
	}
	billed, err := billedTo(ctx, s.db.Read(), a.ID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out.documents(), func(i Invoice) bool { return !i.IssueAt.After(billed[a.ID]) || i.isNothing() }), nil
}
