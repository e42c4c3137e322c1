package billing

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

const meteredPlan = `currency: EUR
meters: [{id: calls, event_type: call, aggregate: sum}]
taxes: [{id: vat, rate: "20"}]
plans:
  - {id: basic, version: 1, period: {unit: month}, charges: [{id: calls, type: usage, meter: calls, price: "0.10"},
     {id: servers, type: resource, model: cost_plus, markup: "1.5"}]}
`

// What a line rests on are the events and the lifetimes that count in it, and no
// others: not those of another month, of another resource, or that became known later.
func TestExplainNamesWhatCounts(t *testing.T) {
	event := func(id, at, known string) metering.Event {
		return metering.Event{Source: "gw", ID: id, Type: "call", At: day(t, at), RecordedAt: day(t, known), Data: metering.Data{"value": "10"}}
	}
	life := func(urn, from, to string) metering.Life {
		return metering.Life{
			Lifetime: metering.Lifetime{URN: urn, Kind: "droplet", Size: "s-1", PriceMonthly: exact.Must("12"), From: day(t, from), To: day(t, to), RecordedAt: day(t, from)},
			Began:    metering.Evidence{Earliest: day(t, from), By: "document"},
		}
	}
	lives := []metering.Life{life("do:droplet:1", "2026-02-10", "2026-02-20"), life("do:droplet:1", "2026-02-20", "2026-03-20"), life("do:droplet:2", "2026-03-02", "2026-03-20")}
	facts := func(_ context.Context, a Asked) (f Facts, err error) {
		f.Events = []metering.Event{event("before", "2026-01-31", "2026-01-31"), event("a", "2026-02-11", "2026-02-11"), event("b", "2026-02-12", "2026-02-13"),
			event("late", "2026-02-14", "2026-03-20")}
		f.Events = slices.DeleteFunc(f.Events, func(e metering.Event) bool { return e.RecordedAt.After(a.Until) })
		for _, l := range lives {
			f.Lifetimes = append(f.Lifetimes, l.Lifetime)
		}
		if a.Evidence {
			f.Lives = lives
		}
		return f, nil
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := New(d, facts, nil)
		apply(t, s, meteredPlan, noon)
		customer(t, d, s)
		setRate(t, s, Rate{Pair: "USD/EUR", From: "2026-01-01", Rate: exact.Whole(1)}, noon)
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-02-01"}, day(t, "2026-01-20"))
		issued := runAt(t, s, day(t, "2026-03-10")).Issued
		if len(issued) != 1 {
			t.Fatalf("issued %+v", issued)
		}
		i, lines, err := s.Explain(t.Context(), issued[0].Ref(), 0)
		if err != nil || i.ID != issued[0].ID || len(lines) != 2 {
			t.Fatalf("%+v, %v", lines, err)
		}
		var events, urns []string
		for _, e := range lines[0].Events {
			events = append(events, e.ID)
		}
		for _, l := range lines[1].Lives {
			urns = append(urns, l.URN+" "+l.From.Format("01-02"))
		}
		if !slices.Equal(events, []string{"a", "b"}) || lines[0].Others != 0 || len(lines[0].Lives) != 0 || lines[0].Explain.Rule != "rounding" {
			t.Errorf("the first line rests on %v and %d others", events, lines[0].Others)
		}
		if !slices.Equal(urns, []string{"do:droplet:1 02-10", "do:droplet:1 02-20"}) || lines[1].Lives[0].Began.By != "document" {
			t.Errorf("the second line rests on %v", urns)
		}
		if _, one, err := s.Explain(t.Context(), "R-1", 2); err != nil || len(one) != 1 || one[0].Number != 2 || len(one[0].Lives) != 2 {
			t.Errorf("one line: %+v, %v", one, err)
		}
		for _, bad := range []int{-1, 3} {
			if _, _, err := s.Explain(t.Context(), "R-1", bad); !errors.Is(err, fault.NotFound) {
				t.Errorf("line %d: %v", bad, err)
			}
		}
		// The zone of the document's dates is kept with it.
		if _, p, err := i.Read(); err != nil || p.Customer.Zone != "Europe/Berlin" {
			t.Errorf("the zone is %q, %v", p.Customer.Zone, err)
		}
	})
}
