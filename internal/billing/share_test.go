package billing

import (
	"context"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// Each plan gives all that it includes for its own part of a period; a change of
// quantity gives nothing twice.
func TestWhatIsIncludedIsOfEachPlan(t *testing.T) {
	const included = `currency: EUR
taxes:
  - {id: vat, rate: "0"}
meters:
  - {id: calls, event_type: call, value: n}
plans:
  - {id: a, version: 1, period: {unit: month}, charges: [{id: seats, type: recurring, model: unit, price: "0.00"}, {id: calls, type: usage, meter: calls, included: "100", price: "0.10"}]}
  - {id: b, version: 1, period: {unit: month}, charges: [{id: calls, type: usage, meter: calls, included: "100", price: "0.10"}]}
`
	for name, tt := range map[string]struct {
		change ChangeOrder
		want   int64
	}{"another plan": {ChangeOrder{Type: PlanChange, Plan: "b@1"}, 0}, "another quantity": {ChangeOrder{Type: PlanChange, Quantity: "2"}, 1000}} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.New(t)
			var events []metering.Event
			for n, at := range []string{"2026-03-10", "2026-03-20"} {
				events = append(events, metering.Event{Line: n + 1, Source: "app", ID: at, Type: "call", At: day(t, at), RecordedAt: day(t, at), Data: metering.Data{"n": "100"}})
			}
			s := New(d, func(context.Context, Asked) (Facts, error) { return Facts{Events: events}, nil }, nil)
			apply(t, s, included, noon)
			customer(t, d, s)
			a := subscribe(t, s, Order{Tenant: "acme", Plan: "a@1", From: "2026-03-01"}, day(t, "2026-02-20"))
			tt.change.When, tt.change.By = "2026-03-16", "test"
			if _, _, err := s.ChangeSubscription(t.Context(), a.ID, tt.change, day(t, "2026-03-15")); err != nil {
				t.Fatal(err)
			}
			var sum int64
			for _, i := range runAt(t, s, day(t, "2026-04-10")).Issued {
				sum += i.Total
			}
			if sum != tt.want {
				t.Errorf("billed %d, want %d", sum, tt.want)
			}
		})
	}
}
