package billing

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// Twenty per cent more for basic: who has it is shown, who has not is not, and nothing
// is changed.
func TestWhatIf(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		for _, slug := range []string{"globex", "initech"} {
			if _, err := tenant.New(d).Add(ctx, tenant.Entry{Slug: slug}, noon); err != nil {
				t.Fatal(err)
			}
			if _, err := s.PutCustomer(ctx, slug, Profile{Issuer: "main", Currency: "EUR", Zone: "Europe/Berlin"}, "test", noon); err != nil {
				t.Fatal(err)
			}
		}
		begun := day(t, "2026-02-20")
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01", Quantity: "1"}, begun)
		subscribe(t, s, Order{Tenant: "globex", Plan: "basic@1", From: "2026-04-16"}, begun)
		subscribe(t, s, Order{Tenant: "globex", Plan: "pro@1", From: "2026-03-01"}, begun)
		subscribe(t, s, Order{Tenant: "initech", Plan: "pro@1", From: "2026-03-01"}, begun)
		now := day(t, "2026-05-20")
		runAt(t, s, now)
		before := rowsOf(t, d)

		dearer := twoPlans + `  - id: basic
    version: 2
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, price: "36.00"}
`
		got, err := s.WhatIf(ctx, WhatIfOrder{Name: "next.yaml", Document: []byte(dearer), From: "2026-04", To: "2026-05"}, now)
		want := WhatIf{
			Currency: "EUR", Plans: []string{"basic@2"}, Failed: []RunFailure{},
			Tenants: []Difference{{Of: "acme", Before: 6000, After: 7200, Subscriptions: 1}, {Of: "globex", Before: 4500, After: 5400, Subscriptions: 1}},
			Months:  []Difference{{Of: "2026-04", Before: 4500, After: 5400}, {Of: "2026-05", Before: 6000, After: 7200}},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if one, err := s.WhatIf(ctx, WhatIfOrder{Document: []byte(dearer), From: "2026-04", To: "2026-04", Tenant: "globex", InsteadOf: "basic@1"}, now); err != nil ||
			len(one.Tenants) != 1 || one.Tenants[0].After != 1800 {
			t.Errorf("one tenant: %+v, %v", one, err)
		}
		if after := rowsOf(t, d); after != before {
			t.Errorf("%d rows became %d", before, after)
		}
		for name, o := range map[string]WhatIfOrder{
			"nothing new":       {Document: []byte(twoPlans), From: "2026-04", To: "2026-04"},
			"a used plan":       {Document: []byte(strings.Replace(dearer, `"30.00"`, `"31.00"`, 1)), From: "2026-04", To: "2026-04"},
			"two new versions":  {Document: []byte(dearer + strings.Replace(dearer[len(twoPlans):], "version: 2", "version: 3", 1)), From: "2026-04", To: "2026-04"},
			"no catalog":        {Document: []byte("plans: []"), From: "2026-04", To: "2026-04"},
			"a month to come":   {Document: []byte(dearer), From: "2026-04", To: "2026-06"},
			"no month":          {Document: []byte(dearer), From: "April", To: "2026-04"},
			"ends first":        {Document: []byte(dearer), From: "2026-04", To: "2026-03"},
			"another plan's id": {Document: []byte(dearer), From: "2026-04", To: "2026-04", InsteadOf: "pro@1"},
		} {
			if _, err := s.WhatIf(ctx, o, now); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// rowsOf counts what billing keeps.
func rowsOf(t *testing.T, d *db.DB) (n int64) {
	t.Helper()
	for _, table := range []string{"billing_catalog", "billing_subscriptions", "billing_changes", "billing_invoices", "billing_states", "journal_entries", "billing_series"} {
		var rows int64
		if err := d.Read().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		n += rows
	}
	return n
}
