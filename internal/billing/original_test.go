package billing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// originals are the invoices that each document names, by line.
func originals(t *testing.T, issued []Issued) string {
	t.Helper()
	var all []string
	for _, i := range issued {
		_, p, err := i.Read()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Originals {
			all = append(all, fmt.Sprintf("line %d of %s %s", o.Line, i.Ref(), o.Invoice))
		}
	}
	return strings.Join(all, ", ")
}

// What a bill takes back it names the invoice of, in a line and in a credit note, where that
// was issued before and where both are issued at once; test documents name test ones.
func TestWhatIsTakenBackNamesItsInvoice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := New(d, nil, nil)
		apply(t, s, killedPlans, noon)
		customer(t, d, s)
		change := func(a Agreement, plan string) {
			t.Helper()
			if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: PlanChange, Plan: plan, When: "2026-03-20", By: "test"}, day(t, "2026-03-20")); err != nil {
				t.Fatal(err)
			}
		}
		byLine := subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		byNote := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		if got := originals(t, runAt(t, s, day(t, "2026-03-02")).Issued); got != "" {
			t.Errorf("what charges names %s", got)
		}
		change(byLine, "basic@1")
		change(byNote, "pro@1")
		at := day(t, "2026-03-21")
		run, err := s.RunBilling(t.Context(), RunOrder{Test: true, By: "test"}, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := originals(t, run.Issued), "line 1 of TEST-R-1 R-1, line 1 of TEST-CR-1 R-2"; got != want {
			t.Errorf("in test mode %s, want %s", got, want)
		}
		if got, want := originals(t, runAt(t, s, at).Issued), "line 1 of R-3 R-1, line 1 of CR-1 R-2"; got != want {
			t.Errorf("named are %s, want %s", got, want)
		}
		// Another is billed for the first time when it was changed already.
		change(subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", From: "2026-03-10"}, day(t, "2026-03-05")), "basic@1")
		at = day(t, "2026-03-22")
		if run, err = s.RunBilling(t.Context(), RunOrder{Test: true, By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		if got, want := originals(t, run.Issued), "line 1 of TEST-R-2 TEST-R-1"; got != want {
			t.Errorf("at once, in test mode, %s, want %s", got, want)
		}
		if got, want := originals(t, runAt(t, s, at).Issued), "line 1 of R-6 R-5"; got != want {
			t.Errorf("at once %s, want %s", got, want)
		}
		list, _, err := s.Invoices(t.Context(), IssuedFilter{})
		if err != nil {
			t.Fatal(err)
		}
		sound(t, s, int64(len(list)))
	})
}
