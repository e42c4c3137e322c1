package billing

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// Where no charge counts a quantity several cost what one does: that is refused before
// somebody believes otherwise.
func TestAQuantityThatNothingCountsIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		refused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "counts a quantity") {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", Quantity: "3", By: "test"}, noon)
		refused("three of a flat fee", err)
		a := subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", Quantity: "3"}, noon)
		_, _, err = s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: PlanChange, Plan: "basic@1", By: "test"}, noon.Add(time.Hour))
		refused("a change that keeps the quantity", err)
		if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: PlanChange, Plan: "basic@1", Quantity: "1", By: "test"}, noon.Add(time.Hour)); err != nil {
			t.Errorf("one of it: %v", err)
		}
		subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", Quantity: "2"}, noon)
		m, err := s.Migrate(ctx, MigrationOrder{From: "pro@1", To: "basic@1", By: "test"}, noon.Add(2*time.Hour))
		if err != nil || len(m.Items) != 1 || !strings.Contains(m.Items[0].Left, "counts a quantity") {
			t.Errorf("a migration: %+v, %v", m.Items, err)
		}
	})
}

// A fee in the place of one that was as much comes to nothing: no invoice says so, and
// what is given back later is of what was billed.
func TestNoInvoiceForNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, credited := range map[string]bool{"given back by bills": false, "given back by hand": true} {
			t.Run(name, func(t *testing.T) {
				d := d
				if credited {
					d = dbtest.New(t)
				}
				s, ctx := house(t, d, nil), t.Context()
				apply(t, s, twoPlans+`  - id: same
    version: 1
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, price: "30.00"}
  - id: free
    version: 1
    period: {unit: month}
    charges:
      - {id: fee, type: recurring, price: "0.00"}
`, noon)
				subscribe(t, s, Order{Tenant: "acme", Plan: "free@1", From: "2026-03-01"}, day(t, "2026-02-20"))
				a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-04-01"}, day(t, "2026-02-20"))
				at := day(t, "2026-04-10")
				if done := runAt(t, s, at); len(done.Issued) != 1 || done.Issued[0].Ref() != "R-1" {
					t.Fatalf("%+v", done.Issued)
				}
				change := func(o ChangeOrder) {
					t.Helper()
					o.By, at = "test", at.Add(time.Hour)
					_, due, err := s.ChangeSubscription(ctx, a.ID, o, at)
					if err != nil {
						t.Fatal(err)
					}
					for _, i := range due {
						if i.isNothing() {
							t.Errorf("an invoice of nothing is said to come: %+v", i.IssueAt)
						}
					}
				}
				change(ChangeOrder{Type: PlanChange, Plan: "same@1", When: "2026-04-11"})
				at = day(t, "2026-04-12")
				if done := runAt(t, s, at); len(done.Issued) != 0 {
					t.Fatalf("an invoice of nothing: %+v", done.Issued)
				}
				want := int64(-1200)
				if credited {
					if n := credit(t, s, at, NoteOrder{Invoice: "R-1", Full: true}); n.Total != 3600 {
						t.Fatalf("credited by hand: %d", n.Total)
					}
					want = 0
				}
				change(ChangeOrder{Type: CancelChange, When: "2026-04-21"})
				at = day(t, "2026-04-22")
				var back int64
				for _, i := range runAt(t, s, at).Issued {
					back += i.Total
				}
				if back != want {
					t.Errorf("given back: %d, want %d", back, want)
				}
				if !credited { // two thirds of R-1 are still charged
					if _, err := s.CreditInvoice(ctx, NoteOrder{Rehearsal: Rehearsal{DryRun: true}, Invoice: "R-1", Amount: 2401, Reason: "x"}, at); !errors.Is(err, fault.Conflict) {
						t.Errorf("more than is still charged: %v", err)
					}
				}
				sound(t, s, 2)
				if _, err := s.CloseMonth(ctx, CloseOrder{Month: "2026-04", By: "test"}, day(t, "2026-05-02")); err != nil {
					t.Error(err)
				}
			})
		}
	})
}
