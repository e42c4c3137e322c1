package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// Who has a plan has it until what is to come for it, who is to have one has it from
// then on, and who had one has it no more.
func TestWhoHasWhichPlan(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", From: "2026-05-01"}, day(t, "2026-02-20"))
		if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: PlanChange, Plan: "pro@1", When: "period_end", By: "test"}, day(t, "2026-03-10")); err != nil {
			t.Fatal(err)
		}
		date := func(at time.Time) string {
			if at.IsZero() {
				return "–"
			}
			return period.DayIn(at, a.Zone)[5:]
		}
		for at, want := range map[string][2]string{
			"2026-02-25": {"1 from 03-01 until 04-01 pro@1", "1 from 04-01 until – ; 1 from 05-01 until – "},
			"2026-03-10": {"1 from – until 04-01 pro@1", "1 from 04-01 until – ; 1 from 05-01 until – "},
			"2026-06-01": {"", "1 from – until – ; 1 from – until – "},
		} {
			holdings, err := s.Holdings(ctx, "EUR", day(t, at))
			if err != nil {
				t.Fatal(err)
			}
			for n, plan := range []string{"basic@1", "pro@1"} {
				var all []string
				for _, h := range holdings[plan] {
					all = append(all, fmt.Sprintf("%s from %s until %s %s", h.Quantity, date(h.From), date(h.Until), h.Next))
				}
				if got := strings.Join(all, "; "); got != want[n] {
					t.Errorf("%s at %s: %q, want %q", plan, at, got, want[n])
				}
			}
		}
		if other, err := s.Holdings(ctx, "USD", noon); err != nil || len(other) > 0 {
			t.Errorf("in another currency: %+v, %v", other, err)
		}
	})
}
