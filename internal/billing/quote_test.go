package billing

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const quotedPlans = `currency: EUR
taxes: [{id: vat, rate: "20"}]
meters:
  - {id: calls, event_type: call, aggregate: sum}
  - {id: volumes, event_type: volume}
plans:
  - {id: seat, version: 1, period: {unit: month}, charges: [{id: fee, type: recurring, price: "9.00"}]}
  - id: hosting
    version: 1
    period: {unit: month}
    charges:
      - {id: fee, type: recurring, price: "5.00"}
      - {id: calls, type: usage, meter: calls, price: "0.10"}
      - {id: servers, type: resource, model: cost_plus, markup: "1.5"}
  - id: disks
    version: 1
    period: {unit: month}
    charges: [{id: disks, type: resource, meter: volumes, price: "2.00"}]
`

// A quote is what the next full period comes to with resources as they are, and as they
// would be: by cost, by number, with what has no price or is not the tenant's named.
func TestQuote(t *testing.T) {
	facts := func(_ context.Context, asked Asked) (Facts, error) {
		life := func(urn, monthly string) metering.Lifetime {
			return metering.Lifetime{URN: urn, Kind: "droplet", Size: "s-" + monthly, From: day(t, "2026-02-01"), PriceMonthly: exact.Must(monthly)}
		}
		if asked.Nobody {
			return Facts{Lifetimes: []metering.Lifetime{life("do:droplet:9", "4")}}, nil
		}
		wrong := life("do:droplet:1", "99")
		wrong.ReplacedAt = day(t, "2026-02-02")
		return Facts{Lifetimes: []metering.Lifetime{wrong, life("do:droplet:1", "6"), life("do:droplet:2", "12")}}, nil
	}
	price := func(text string) *exact.Number { return new(exact.Must(text)) }
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := New(d, facts, nil), t.Context()
		apply(t, s, quotedPlans, noon)
		setRate(t, s, Rate{Pair: "USD/EUR", From: "2026-01-01", Rate: exact.Must("0.5")}, noon)
		acme := customer(t, d, s)
		other, err := tenant.New(d).Add(ctx, tenant.Entry{Slug: "other"}, noon)
		if err != nil {
			t.Fatal(err)
		}
		quote := func(of tenant.ID, at time.Time, changes ...ResourceChange) Quote {
			t.Helper()
			rows := rowsOf(t, d)
			q, err := s.Quote(ctx, of, changes, at)
			if err != nil {
				t.Fatal(err)
			}
			if rowsOf(t, d) != rows {
				t.Error("a quote wrote something")
			}
			return q
		}
		grow := ResourceChange{Event: ResourceChanged, Key: "droplet.db", URN: "do:droplet:2", Kind: "droplet", Size: "s-24", Monthly: price("12")}
		if got := quote(other.ID, noon, grow).Nothing; got != "Nothing changes on an invoice: the tenant has no subscription." {
			t.Errorf("without a subscription: %q", got)
		}
		subscribe(t, s, Order{Tenant: "acme", Plan: "seat@1", From: "2026-02-01"}, day(t, "2026-01-20"))
		if got := quote(acme.Tenant, noon, grow).Nothing; got != "Nothing changes on an invoice: no plan of the tenant charges for resources." {
			t.Errorf("with a fee alone: %q", got)
		}
		hosting := subscribe(t, s, Order{Tenant: "acme", Plan: "hosting@1", From: "2026-02-01"}, day(t, "2026-01-20"))
		disks := subscribe(t, s, Order{Tenant: "acme", Plan: "disks@1", From: "2026-02-10", AnchorDay: 10}, day(t, "2026-01-20"))
		april := period.Period{From: day(t, "2026-03-31").Add(22 * time.Hour), To: day(t, "2026-04-30").Add(22 * time.Hour)}
		fromTenth := period.Period{From: day(t, "2026-03-09").Add(23 * time.Hour), To: day(t, "2026-04-09").Add(22 * time.Hour)}
		got := quote(acme.Tenant, noon,
			ResourceChange{Event: ResourceGone, Key: "droplet.web", URN: "do:droplet:1", Kind: "droplet", Monthly: price("-6")},
			grow,
			ResourceChange{Event: ResourceMade, Key: "volume.data", Kind: "volume", Size: "100 GiB", Monthly: price("10")},
			ResourceChange{Event: ResourceMade, Key: "volume.new", Kind: "volume"},
			ResourceChange{Event: ResourceMade, Key: "droplet.scratch", Kind: "droplet", Monthly: price("50")}, // as a drill does
			ResourceChange{Event: ResourceGone, Key: "droplet.scratch", Kind: "droplet"},
			ResourceChange{Event: ResourceTaken, Key: "droplet.old", URN: "do:droplet:9", Kind: "droplet", Monthly: price("0")},
			ResourceChange{Event: ResourceGone, Key: "droplet.lost", URN: "do:droplet:77", Kind: "droplet", Monthly: price("-6")},
			ResourceChange{Event: ResourceGone, Key: "firewall.web", URN: "do:firewall:7", Kind: "firewall", Monthly: price("0")},
		)
		// By cost 5.00 + (6 + 12) / 2 · 1.5, and then 5.00 + (24 + 10 + 4) / 2 · 1.5; by number two volumes of 2.00.
		want := Quote{
			Periods: []QuotedPeriod{
				{Subscription: hosting.ID, Plans: []string{"hosting@1"}, Currency: "EUR", Zone: "Europe/Berlin", Period: april, Before: 1850, After: 3350},
				{Subscription: disks.ID, Plans: []string{"disks@1"}, Currency: "EUR", Zone: "Europe/Berlin", Period: fromTenth, Before: 0, After: 400},
			},
			Notes: []string{
				"Dollars count at the rate of USD/EUR from 2026-01-01, 0.5: there may be another by then.",
				"Nobody knows what these cost, which no charge by cost counts: volume.new.",
				"The inventory does not know these as the tenant's yet, and what becomes of them is in neither sum: droplet.lost.",
				"What hosting@1 will meter in that time is not known yet, and in neither sum.",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, sub := range []SubscriptionID{hosting.ID, disks.ID} {
			if _, _, err := s.ChangeSubscription(ctx, sub, ChangeOrder{Type: CancelChange, When: "period_end", By: "test"}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if got := quote(acme.Tenant, noon, grow); len(got.Periods) > 0 || got.Nothing != "Nothing changes on an invoice: what charges for resources ends before its next full period." {
			t.Errorf("of service that ends: %+v", got)
		}
	})
}
