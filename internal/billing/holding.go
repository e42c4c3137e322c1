package billing

import (
	"context"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A Holding is an item of a subscription that has a version of a plan, or is to have it.
type Holding struct {
	ItemState
	Subscription SubscriptionID
	Slug         string
	Zone         string    // of the subscription's dates
	From         time.Time // zero: it has it; else from then on
	Until        time.Time // from then on it has another, or none; zero: nothing is known to come
	Next         string    // the plan that it has then; empty: none, or nothing to come
}

// Holdings are who has the plans of a currency's catalog at an instant, and who is to
// have them, by what is known now: by plan, in the order of the subscriptions.
func (s *Service) Holdings(ctx context.Context, c money.Currency, at time.Time) (map[string][]Holding, error) {
	all, err := s.Subscriptions(ctx, "")
	if err != nil {
		return nil, err
	}
	holdings := make(map[string][]Holding)
	for _, a := range all {
		if a.Currency != c {
			continue
		}
		for _, h := range a.holdings(at) {
			holdings[h.Plan] = append(holdings[h.Plan], h)
		}
	}
	return holdings, nil
}

// holdings are those of an agreement.
func (a *Agreement) holdings(at time.Time) (all []Holding) {
	stand := at
	last := make(map[string]int) // by item
	look := func(instant time.Time) {
		in := make(map[string]bool)
		for _, x := range a.Items(instant) {
			in[x.Item] = true
			n, held := last[x.Item]
			if held && all[n].Until.IsZero() {
				if all[n].Plan == x.Plan && all[n].Quantity.Equal(x.Quantity) {
					continue
				}
				all[n].Until, all[n].Next = instant, x.Plan
			}
			h := Holding{ItemState: x, Subscription: a.ID, Slug: a.Slug, Zone: a.Zone}
			if instant.After(at) {
				h.From = instant
			}
			last[x.Item] = len(all)
			all = append(all, h)
		}
		for item, n := range last {
			if !in[item] && all[n].Until.IsZero() {
				all[n].Until = instant
			}
		}
	}
	for {
		look(stand)
		next := time.Time{}
		for _, c := range a.Changes {
			if c.Type != SuspensionChange && c.EffectiveAt.After(stand) && (next.IsZero() || c.EffectiveAt.Before(next)) {
				next = c.EffectiveAt
			}
		}
		if next.IsZero() {
			return all
		}
		stand = next
	}
}
