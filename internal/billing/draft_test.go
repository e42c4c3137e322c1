package billing

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// Fees in advance are issued at once; what is due in arrears can be looked at during
// its grace, follows late usage, and is issued only as it was drafted.
func TestBillingOnTheClock(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var events []metering.Event
		s := New(d, func(_ context.Context, a Asked) (f Facts, err error) {
			f.Events = slices.DeleteFunc(slices.Clone(events), func(e metering.Event) bool { return e.RecordedAt.After(a.Until) })
			return f, nil
		}, nil)
		apply(t, s, strings.Replace(plans, `"19"`, `"20"`, 1), noon)
		customer(t, d, s)
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		use := func(id, n string, recorded time.Time) {
			events = append(events, metering.Event{Line: len(events) + 1, Source: "app", ID: id, Type: "api.call", At: day(t, "2026-03-12"), RecordedAt: recorded, Data: metering.Data{"n": metering.Value(n)}})
		}
		due := func(order DueOrder, at time.Time) (issued, drafted int64) {
			t.Helper()
			order.By = "test"
			p, err := s.BillDue(t.Context(), order, at)
			if err != nil || len(p.Failed) > 0 || p.Done != 1 || p.Subscriptions != 1 {
				t.Fatalf("%+v, %v", p, err)
			}
			return p.Issued, p.Drafted
		}
		draft := func() (totals []int64) {
			t.Helper()
			list, err := s.Drafts(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				if i.Slug != "acme" || i.State != InvoiceDraft || i.Number != 0 {
					t.Errorf("a draft: %+v", i)
				}
				totals = append(totals, i.Total)
			}
			return totals
		}
		use("1", "700", day(t, "2026-03-12"))
		at := day(t, "2026-04-01").Add(-2 * time.Hour) // Berlin's midnight
		grace := at.Add(48 * time.Hour)
		if issued, drafted := due(DueOrder{DraftOnly: true}, at.Add(time.Hour)); issued != 0 || drafted != 3 || !slices.Equal(draft(), []int64{3600, 3600, 8400}) {
			t.Fatalf("where people issue: %d, %d, %v", issued, drafted, draft())
		}
		if issued, drafted := due(DueOrder{}, at.Add(2*time.Hour)); issued != 2 || drafted != 0 || !slices.Equal(draft(), []int64{8400}) {
			t.Fatalf("fees in advance: %d, %d, %v", issued, drafted, draft())
		}
		if issued, drafted := due(DueOrder{}, at.Add(3*time.Hour)); issued != 0 || drafted != 0 {
			t.Errorf("nothing is new: %d, %d", issued, drafted)
		}
		use("2", "10", at.Add(24*time.Hour)) // late, within the grace
		if issued, drafted := due(DueOrder{}, at.Add(25*time.Hour)); issued != 0 || drafted != 1 || !slices.Equal(draft(), []int64{8520}) {
			t.Errorf("late usage: %d, %d, %v", issued, drafted, draft())
		}
		use("3", "10", grace.Add(-time.Minute)) // after the last look at the draft
		if issued, drafted := due(DueOrder{}, grace.Add(time.Hour)); issued != 0 || drafted != 1 || !slices.Equal(draft(), []int64{8640}) {
			t.Errorf("another than was drafted: %d, %d, %v", issued, drafted, draft())
		}
		if issued, _ := due(DueOrder{}, grace.Add(2*time.Hour)); issued != 1 || len(draft()) != 0 {
			t.Errorf("as it was drafted: %d, %v", issued, draft())
		}
		sound(t, s, 3)
		runs, err := s.BillingRuns(t.Context(), 10)
		if err != nil || len(runs) != 5 || runs[0].Issued != 1 || runs[0].EndedAt.IsZero() {
			t.Errorf("the runs that came to something: %+v, %v", runs, err)
		}
		// What a person issues is a draft no longer.
		due(DueOrder{DraftOnly: true}, day(t, "2026-05-01"))
		if len(draft()) == 0 {
			t.Fatal("nothing waits for a person")
		}
		runAt(t, s, day(t, "2026-05-10"))
		if left := draft(); len(left) != 0 {
			t.Errorf("issued, and still drafts: %v", left)
		}
	})
}
