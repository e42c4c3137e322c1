package billing

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

func migrationText(m Migration) string {
	var all []string
	for _, x := range m.Items {
		text := fmt.Sprintf("%s %s", x.Slug, x.Item)
		if x.Left == "" {
			text += fmt.Sprintf(" %s %d to %d", x.EffectiveAt.Format("01-02 15:04"), x.Before, x.After)
		} else {
			text += " left: " + x.Left
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

func TestMigration(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		apply(t, s, strings.Replace(twoPlans, "  - id: pro", `  - id: basic
    version: 2
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, price: "36.00"}
  - id: pro`, 1), noon)
		for _, slug := range []string{"beta", "gamma", "delta"} {
			if _, err := tenant.New(d).Add(ctx, tenant.Entry{Slug: slug}, noon); err != nil {
				t.Fatal(err)
			}
			if _, err := s.PutCustomer(ctx, slug, Profile{Issuer: "main", Currency: "EUR"}, "test", noon); err != nil {
				t.Fatal(err)
			}
		}
		start := day(t, "2026-02-20")
		acme := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, start)
		subscribe(t, s, Order{Tenant: "beta", Plan: "basic@1", From: "2026-03-01"}, start)
		gamma := subscribe(t, s, Order{Tenant: "gamma", Plan: "basic@1", From: "2026-03-01"}, start)
		subscribe(t, s, Order{Tenant: "delta", Plan: "pro@1", From: "2026-03-01"}, start)
		at := day(t, "2026-03-10")
		runAt(t, s, at)
		if _, _, err := s.ChangeSubscription(ctx, gamma.ID, ChangeOrder{Type: CancelChange, When: "period_end", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		order := MigrationOrder{From: "basic@1", To: "basic@2", By: "test", Reason: "new prices", Rehearsal: Rehearsal{DryRun: true}}
		order.Except = []string{"beta"}
		dry, err := s.Migrate(ctx, order, at)
		if err != nil {
			t.Fatal(err)
		}
		// April's fee with tax, by either plan; in Berlin April begins at 22:00 UTC.
		want := "acme main 03-31 22:00 3600 to 4320\nbeta main left: excepted\ngamma main left: it has a change to come, on 2026-04-01"
		if diff := cmp.Diff(want, migrationText(dry)); diff != "" {
			t.Errorf("what would be (-want +got):\n%s", diff)
		}
		if len(dry.Totals) != 1 || dry.Totals[0].Before != 3600 || dry.Totals[0].After != 4320 || dry.Totals[0].Items != 1 {
			t.Errorf("totals: %+v", dry.Totals)
		}
		if a, err := s.Agreement(ctx, acme.ID); err != nil || len(a.Changes) != 1 {
			t.Errorf("a dry run changed %+v, %v", a.Changes, err)
		}
		// A plan that somebody looked at and that is another by now is not applied.
		order.DryRun, order.Expect, order.Except = false, dry.Fingerprint, nil
		if _, err := s.Migrate(ctx, order, at); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "2 of 3 get basic@2, 86.40 EUR in place of 72.00 EUR") {
			t.Errorf("a stale plan: %v", err)
		}
		if a, err := s.Agreement(ctx, acme.ID); err != nil || len(a.Changes) != 1 {
			t.Errorf("a stale plan changed %+v, %v", a.Changes, err)
		}
		order.Except = []string{"beta"}
		if done, err := s.Migrate(ctx, order, at.Add(time.Hour)); err != nil || !done.Done {
			t.Fatalf("%+v, %v", done, err)
		}
		// Done again it finds nobody; the next invoices are as they were shown.
		order.Expect = ""
		again, err := s.Migrate(ctx, order, at.Add(2*time.Hour))
		if err != nil || len(again.Totals) != 0 {
			t.Errorf("again: %s, %v", migrationText(again), err)
		}
		for _, i := range runAt(t, s, day(t, "2026-04-02")).Issued {
			if want := map[string]int64{"acme": 4320, "beta": 3600, "delta": 7200}[i.Slug]; i.Total != want {
				t.Errorf("%s is billed %d, want %d", i.Slug, i.Total, want)
			}
		}
		sound(t, s, 4+3)

		// In the middle of a period: what is given back and what is charged anew, together.
		order.From, order.To, order.Except, order.Tenants, order.When = "basic@1", "pro@1", nil, []string{"beta"}, "2026-04-16"
		middle, err := s.Migrate(ctx, order, day(t, "2026-04-03"))
		if err != nil || migrationText(middle) != "beta main 04-16 00:00 0 to 1800" {
			t.Errorf("in the middle: %s, %v", migrationText(middle), err)
		}
		for name, o := range map[string]MigrationOrder{
			"one plan":     {From: "basic@1", To: "basic@1"},
			"no such plan": {From: "basic@1", To: "basic@9"},
			"now":          {From: "basic@2", To: "pro@1", When: "now"},
			"the past":     {From: "basic@2", To: "pro@1", When: "2026-04-01"},
			"nobody":       {From: "basic@2", To: "pro@1", Tenants: []string{"nobody"}},
			"no time":      {From: "basic@2", To: "pro@1", When: "soon"},
		} {
			if _, err := s.Migrate(ctx, o, day(t, "2026-04-03")); fault.KindOf(err) == fault.Internal || err == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
