package app

import (
	"context"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// quote is billing's answer to what a plan of provisioning changes on invoices.
func (a *App) quote(ctx context.Context, of tenant.ID, changes []provisioning.Change, at time.Time) (q provisioning.Quote, err error) {
	found, err := a.bills.Quote(ctx, of, billable(changes), at)
	if err != nil {
		return q, err
	}
	q.Nothing, q.Notes = found.Nothing, found.Notes
	for _, p := range found.Periods {
		zone, err := period.Zone(p.Zone)
		if err != nil {
			return q, err
		}
		q.Periods = append(q.Periods, provisioning.QuotedPeriod{
			Subscription: string(p.Subscription), Plans: p.Plans, Currency: p.Currency, Before: p.Before, After: p.After,
			From: p.Period.From.In(zone).Format(time.DateOnly), To: p.Period.To.In(zone).Format(time.DateOnly),
		})
	}
	return q, nil
}

// billable are the changes of what lifetimes are kept of. What a plan lets go stays whose
// it is.
func billable(changes []provisioning.Change) (all []billing.ResourceChange) {
	events := map[string]billing.ResourceEvent{
		"create": billing.ResourceMade, "destroy": billing.ResourceGone, "change": billing.ResourceChanged, "adopt": billing.ResourceTaken,
	}
	for _, c := range changes {
		event, ok := events[c.Action]
		if k := inventory.KindNamed(c.Kind); !ok || c.Stays || k == nil || k.Sold || k.Link {
			continue
		}
		one := billing.ResourceChange{Event: event, Key: c.Key, URN: c.URN, Kind: c.Kind, Size: c.Size}
		if c.Monthly != nil {
			one.Monthly = new(exact.Whole(*c.Monthly).Shift(-6))
		}
		all = append(all, one)
	}
	return all
}
