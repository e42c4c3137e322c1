package billing

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// lineText is what a document's lines are: kind, days and amount.
func lineText(t *testing.T, i Issued) string {
	t.Helper()
	var d Invoice
	if err := json.Unmarshal(i.Document, &d); err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range d.Lines {
		all = append(all, strings.Join([]string{string(l.Kind), l.Service.From.In(berlin).Format("01-02"), l.Service.To.In(berlin).Format("01-02"), l.Exact.Round(2).String()}, " "))
	}
	return strings.Join(all, ", ")
}

func TestSuspensions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		runAt(t, s, noon)
		order := func(o ChangeOrder, entered string) error {
			o.By = "test"
			_, _, err := s.ChangeSubscription(ctx, a.ID, o, day(t, entered).Add(12*time.Hour))
			return err
		}
		if err := order(ChangeOrder{Type: SuspendOrder, When: "2026-03-11", Reason: "abuse"}, "2026-03-11"); err != nil {
			t.Fatal(err)
		}
		// March's fee goes back from the 11th on, and April's is not charged at its beginning.
		got := runAt(t, s, day(t, "2026-04-05"))
		if len(got.Issued) != 1 || lineText(t, got.Issued[0]) != "reversal 03-11 04-01 -20.32" {
			t.Fatalf("while it is suspended: %+v", got.Issued)
		}
		for name, tt := range map[string]struct {
			order ChangeOrder
			want  error
		}{
			"suspended twice":       {ChangeOrder{Type: SuspendOrder, When: "2026-04-02"}, fault.Conflict},
			"before it began":       {ChangeOrder{Type: SuspendOrder, When: "2026-02-02", Until: "2026-02-03"}, fault.Invalid},
			"ends first":            {ChangeOrder{Type: SuspendOrder, When: "2026-03-09", Until: "2026-03-08"}, fault.Invalid},
			"an item":               {ChangeOrder{Type: SuspendOrder, Item: "main"}, fault.Invalid},
			"at the period's end":   {ChangeOrder{Type: SuspendOrder, When: "period_end"}, fault.Invalid},
			"nothing to resume":     {ChangeOrder{Type: ResumeOrder, When: "2026-03-10"}, fault.Conflict},
			"a resume with an end":  {ChangeOrder{Type: ResumeOrder, Until: "2026-04-10"}, fault.Invalid},
			"a change with an end":  {ChangeOrder{Type: PlanChange, Quantity: "2", Until: "2026-04-10"}, fault.Invalid},
			"a cancel with an end":  {ChangeOrder{Type: CancelChange, Until: "2026-04-10"}, fault.Invalid},
			"a reason with control": {ChangeOrder{Type: SuspendOrder, When: "2026-03-05", Until: "2026-03-06", Reason: "\x00"}, fault.Invalid},
		} {
			if err := order(tt.order, "2026-04-05"); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		// It is resumed on the 16th, and told four days later.
		if err := order(ChangeOrder{Type: ResumeOrder, When: "2026-04-16"}, "2026-04-20"); err != nil {
			t.Fatal(err)
		}
		got = runAt(t, s, day(t, "2026-04-21"))
		if len(got.Issued) != 1 || lineText(t, got.Issued[0]) != "charge 04-16 05-01 15" || got.Issued[0].Due != 0 {
			t.Fatalf("resumed: %+v", got.Issued)
		}
		// One that is over, and an end that is known before it comes.
		if err := order(ChangeOrder{Type: SuspendOrder, When: "2026-04-18", Until: "2026-04-20"}, "2026-04-22"); err != nil {
			t.Fatal(err)
		}
		if err := order(ChangeOrder{Type: SuspendOrder, When: "2026-04-27", Until: "2026-05-11"}, "2026-04-23"); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, i := range runAt(t, s, day(t, "2026-05-15")).Issued {
			texts = append(texts, string(i.Purpose)+": "+lineText(t, i))
		}
		want := "arrears: reversal 04-18 04-20 -2, reversal 04-27 05-01 -4 | advance: charge 05-11 06-01 20.32"
		if got := strings.Join(texts, " | "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		kept, err := s.Agreement(ctx, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if list := kept.Suspensions(); len(list) != 3 || !list[0].To.Equal(day(t, "2026-04-16").Add(-2*time.Hour)) || len(kept.Items(noon)) != 1 {
			t.Errorf("suspensions: %+v", list)
		}
		sound(t, s, 5)
	})
}

// A plan can say that suspended time costs what any other does.
func TestSuspendedTimeIsChargedWhereThePlanSaysSo(t *testing.T) {
	d := dbtest.New(t)
	s := New(d, nil, nil)
	apply(t, s, strings.ReplaceAll(twoPlans, "proration: {unit: day}", "proration: {unit: day}\n    suspended: charged"), noon)
	customer(t, d, s)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: SuspendOrder, When: "2026-03-11", By: "test"}, day(t, "2026-03-11")); err != nil {
		t.Fatal(err)
	}
	if got := runAt(t, s, day(t, "2026-04-05")); len(got.Issued) != 2 || got.Issued[1].Total != 3600 {
		t.Errorf("%+v", got.Issued)
	}
}
