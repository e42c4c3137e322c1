package billing

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

const hosting = `currency: EUR
taxes:
  - {id: vat, rate: "20"}
plans:
  - id: hosting
    version: 1
    period: {unit: month}
    charges:
      - {id: servers, type: resource, model: cost_plus, markup: "1.5"}
`

// What becomes known of resources after their month was billed is on the next invoice,
// and no document that was issued comes out differently.
func TestResourcesThatBecomeKnownLate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		lives := []metering.Lifetime{{
			URN: "do:droplet:1", Kind: "droplet", Size: "s", PriceMonthly: exact.Whole(20), From: day(t, "2026-03-01"), RecordedAt: day(t, "2026-03-01"),
		}}
		s := New(d, func(_ context.Context, a Asked) (f Facts, err error) {
			if a.Nobody {
				return f, nil
			}
			f.Lifetimes = slices.DeleteFunc(slices.Clone(lives), func(l metering.Lifetime) bool { return l.RecordedAt.After(a.Until) })
			return f, nil
		}, nil)
		apply(t, s, hosting, noon)
		customer(t, d, s)
		setRate(t, s, Rate{Pair: "USD/EUR", From: "2026-01-01", Rate: exact.Whole(1)}, noon)
		subscribe(t, s, Order{Tenant: "acme", Plan: "hosting@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		totals := func(at string) (all []int64) {
			for _, i := range runAt(t, s, day(t, at)).Issued {
				all = append(all, i.Total)
			}
			return all
		}
		if got := totals("2026-04-05"); !slices.Equal(got, []int64{3600}) {
			t.Fatalf("March: %v", got)
		}
		// It went on the 17th of March, which is seen in April; another is acme's since the
		// middle of March, as is decided in April; and one has no price.
		lives[0].ReplacedAt = day(t, "2026-04-10")
		gone := lives[0]
		gone.To, gone.RecordedAt, gone.ReplacedAt = day(t, "2026-03-15"), gone.ReplacedAt, time.Time{}
		late := metering.Lifetime{URN: "do:droplet:2", Kind: "droplet", Size: "s", PriceMonthly: exact.Whole(4), From: day(t, "2026-03-18"), To: day(t, "2026-03-25"), RecordedAt: day(t, "2026-04-11")}
		odd := metering.Lifetime{URN: "do:droplet:3", Kind: "droplet", Size: "new", Unpriced: true, From: day(t, "2026-04-01"), RecordedAt: day(t, "2026-04-01")}
		lives = append(lives, gone, late, odd)
		// 14 of 28 days of 20.00 go back, 7 of 28 days of 4.00 are added, each times 1.5 and with tax.
		if got := totals("2026-05-05"); !slices.Equal(got, []int64{-1800 + 180}) {
			t.Errorf("April: %v", got)
		}
		sound(t, s, 2)
		again, err := s.RunBilling(t.Context(), RunOrder{DryRun: true}, day(t, "2026-05-06"))
		want := []string{"Nobody knows what do:droplet:3 costs: the charge servers leaves it out."}
		var got []string
		for _, w := range again.Warnings {
			got = append(got, w.What)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %q", err, got)
		}
	})
}

func TestWarnings(t *testing.T) {
	catalog, err := ReadCatalog("c", []byte(strings.Replace(hosting, "taxes:", "meters:\n  - {id: calls, event_type: call, value: n}\ntaxes:", 1)+
		"      - {id: calls, type: usage, meter: calls, price: \"1\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := ReadSubscription("s", []byte("{tenant: acme, phases: [{plan: hosting@1, from: 2026-03-01}, {plan: null, from: 2026-04-01, recorded_at: 2026-03-20}]}"), catalog)
	if err != nil {
		t.Fatal(err)
	}
	lives := []metering.Lifetime{
		{URN: "do:droplet:3", Kind: "droplet", Unpriced: true, From: day(t, "2026-03-05")},
		{URN: "do:droplet:4", Kind: "droplet", Unpriced: true, From: day(t, "2026-04-05")}, // after the service
	}
	event := func(at string) metering.Event {
		return metering.Event{Source: "s", ID: at, Line: len(at), Type: "call", At: day(t, at), RecordedAt: day(t, at), Data: metering.Data{"n": "1"}}
	}
	out, err := Preview(catalog, sub, Facts{Lifetimes: lives, Events: []metering.Event{event("2026-02-02"), event("2026-03-03"), event("2026-04-02")}}, day(t, "2026-05-01"))
	want := []string{
		"Nobody knows what do:droplet:3 costs: the charge servers leaves it out.",
		"1 usage event from 2026-04-02T00:00:00Z to 2026-04-02T00:00:00Z cost nothing: nothing was in service then.",
	}
	if err != nil || !slices.Equal(out.Warnings, want) {
		t.Errorf("%v, %q", err, out.Warnings)
	}
}

// What one subscription of a tenant leaves out another may bill; what none is about is a
// warning of the run and of the checks, and no fault.
func TestResourcesThatNoChargeIsAbout(t *testing.T) {
	d := dbtest.New(t)
	lives := []metering.Lifetime{
		{URN: "do:droplet:1", Kind: "droplet", PriceMonthly: exact.Whole(4), From: day(t, "2026-03-01")},
		{URN: "do:volume:2", Kind: "volume", PriceMonthly: exact.Whole(4), From: day(t, "2026-03-01")},
		{URN: "do:volume:3", Kind: "volume", PriceMonthly: exact.Whole(4), From: day(t, "2026-01-01"), To: day(t, "2026-02-01")}, // before its service
	}
	s := New(d, func(context.Context, Asked) (Facts, error) { return Facts{Lifetimes: lives}, nil }, nil)
	kinds := "meters:\n  - {id: droplets, event_type: droplet}\n  - {id: volumes, event_type: volume}\ntaxes:"
	second := strings.NewReplacer("id: hosting", "id: storage", "id: servers", "id: volumes", "meter: droplets", "meter: volumes")
	first := strings.Replace(hosting, "model: cost_plus", "meter: droplets", 1)
	first = strings.Replace(first, `markup: "1.5"`, `price: "5"`, 1)
	_, plan, _ := strings.Cut(first, "plans:\n")
	apply(t, s, strings.Replace(first, "taxes:", kinds, 1)+second.Replace(plan), noon)
	customer(t, d, s)
	subscribe(t, s, Order{Tenant: "acme", Plan: "hosting@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	run := runAt(t, s, day(t, "2026-04-05"))
	want := []Warning{{Tenant: "acme", What: "No charge of its plans is about do:volume:2."}}
	if len(run.Issued) != 1 || !slices.Equal(run.Warnings, want) {
		t.Errorf("%d issued, %+v", len(run.Issued), run.Warnings)
	}
	checks, err := s.VerifyBilling(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last := checks[len(checks)-1]; !slices.Equal(last.Warnings, want) || len(last.Wrong) > 0 {
		t.Errorf("verify: %+v", last)
	}
	subscribe(t, s, Order{Tenant: "acme", Plan: "storage@1", From: "2026-04-01"}, day(t, "2026-04-01"))
	if run := runAt(t, s, day(t, "2026-04-06")); len(run.Warnings) > 0 {
		t.Errorf("another subscription is about them: %+v", run.Warnings)
	}
}
