package billing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// whoseCosts are the facts of acme, which has a droplet that grows, and of nobody, who
// has one of no known price beside one that lived for half a month.
func whoseCosts(t *testing.T) FactSource {
	return func(_ context.Context, asked Asked) (Facts, error) {
		life := func(urn, monthly, from, to string) metering.Lifetime {
			l := metering.Lifetime{URN: urn, Kind: "droplet", Size: "s-" + monthly, From: day(t, from), Unpriced: monthly == ""}
			if to != "" {
				l.To = day(t, to)
			}
			if monthly != "" {
				l.PriceMonthly, _ = exact.ParseDecimal(monthly)
			}
			return l
		}
		switch {
		case asked.Nobody:
			return Facts{Lifetimes: []metering.Lifetime{life("do:droplet:8", "", "2026-03-01", ""), life("do:droplet:9", "6.72", "2026-02-10", "2026-03-15")}}, nil
		case asked.Lives:
			wrong := life("do:droplet:1", "99.00", "2026-02-01", "2026-03-15")
			wrong.ReplacedAt = day(t, "2026-03-02")
			return Facts{Lifetimes: []metering.Lifetime{wrong, life("do:droplet:1", "6.72", "2026-02-01", "2026-03-15"), life("do:droplet:1", "13.44", "2026-03-15", "")}}, nil
		}
		return Facts{}, nil
	}
}

// A month's revenue is what was served in it, whenever it was invoiced, and no month's
// close leaves anything in the accrued account.
func TestCloseMonth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, whoseCosts(t)), t.Context()
		const arrears = `currency: EUR
plans:
  - id: late
    version: 1
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, when: arrears, price: "31.00"}
`
		apply(t, s, twoPlans+arrears[len("currency: EUR\nplans:\n"):], noon)
		// Berlin pays 30.00 on the 16th for a month to come, and 31.00 on the 11th for one that is over.
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-16", AnchorDay: 16}, noon)
		subscribe(t, s, Order{Tenant: "acme", Plan: "late@1", From: "2026-03-11", AnchorDay: 11}, noon)
		// What begins later is no part of March, and is on a bill before March is closed.
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-04-19"}, noon)
		for _, at := range []string{"2026-03-16", "2026-04-18"} {
			runAt(t, s, day(t, at).Add(12*time.Hour))
		}
		for month, want := range map[string]error{"March": fault.Invalid, "2026-04": fault.Invalid} {
			if _, err := s.CloseMonth(ctx, CloseOrder{Month: month, By: "test"}, day(t, "2026-05-01").Add(11*time.Hour)); !errors.Is(err, want) {
				t.Errorf("%s: %v", month, err)
			}
		}
		eur := func(minor int64) []money.Amount { return []money.Amount{money.New(minor, "EUR")} }
		usd := func(minor int64) money.Amount { return money.New(minor, "USD") }
		noFingerprint := cmpopts.IgnoreFields(Close{}, "Fingerprint")
		before := rowsOf(t, d)
		now := day(t, "2026-04-20")
		march, err := s.CloseMonth(ctx, CloseOrder{Rehearsal: Rehearsal{DryRun: true}, Month: "2026-03", By: "test"}, now)
		acme, _ := s.Customer(ctx, "acme")
		// Of 30.00, 15 days of 31 are of April; of 31.00, 21 days of 31 are served. A droplet of
		// 6.72 costs a cent an hour: 336 hours, and 2 cents an hour for the other 408, 336 of them before the cap.
		want := Close{
			Month: "2026-03", Unpriced: []string{"do:droplet:8"}, Failed: []RunFailure{},
			Tenants: []Closed{{acme.Tenant, "acme", eur(2100 - 1452), usd(336 + 816)}, {"", "", []money.Amount{}, usd(336)}},
		}
		if diff := cmp.Diff(want, march, noFingerprint); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		if after := rowsOf(t, d); after != before {
			t.Errorf("a dry run wrote: %d rows became %d", before, after)
		}
		fingerprint := march.Fingerprint
		if _, err := s.CloseMonth(ctx, CloseOrder{Rehearsal: Rehearsal{Expect: "another"}, Month: "2026-03", By: "test"}, now); !errors.Is(err, fault.Conflict) {
			t.Errorf("otherwise than looked at: %v", err)
		}
		want.ClosedAt, want.ClosedBy = now, "test"
		for _, at := range []time.Time{now, now.AddDate(0, 1, 0)} { // the second time changes nothing
			march, err := s.CloseMonth(ctx, CloseOrder{Rehearsal: Rehearsal{Expect: fingerprint}, Month: "2026-03", By: "test"}, at)
			if diff := cmp.Diff(want, march, noFingerprint); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		}
		april := CloseOrder{Month: "2026-04", By: "test"}
		if c, err := s.CloseMonth(ctx, april, day(t, "2026-05-10")); err != nil || len(c.Failed) != 1 || !c.ClosedAt.IsZero() {
			t.Errorf("with a document that was due and is not issued: %+v, %v", c, err)
		}
		runAt(t, s, day(t, "2026-05-01").Add(-12*time.Hour))
		if c, err := s.CloseMonth(ctx, april, day(t, "2026-05-20")); err != nil || c.ClosedAt.IsZero() {
			t.Fatal(c, err)
		}
		got, err := s.Margins(ctx, "2026-03", "2026-05", "acme", day(t, "2026-05-20"))
		if err != nil {
			t.Fatal(err)
		}
		// April: 15 of 31 days of the first month and 15 of 30 of the second; all of 10 + 21 days, and 20 of the
		// next 30; 12 of 30 days of what begins late.
		months := []Margin{
			{Month: "2026-03", Tenant: acme.Tenant, Slug: "acme", Revenue: eur(1548 + 2100), Cost: []money.Amount{usd(1152)}, BadDebt: []money.Amount{}, Closed: true},
			{Month: "2026-04", Tenant: acme.Tenant, Slug: "acme", Revenue: eur(1452 + 1500 + 1000 + 2067 + 1200), Cost: []money.Amount{usd(1344)}, BadDebt: []money.Amount{}, Closed: true},
			{Month: "2026-05", Tenant: acme.Tenant, Slug: "acme", Revenue: eur(1500 - 2067), Cost: []money.Amount{}, BadDebt: []money.Amount{}},
		}
		for n := range months[:2] { // a missing rate is told, and is no zero
			months[n].NoRate = got[n].NoRate
			if left := got[n].Left(); !strings.Contains(got[n].NoRate, "arcadia fx set USD/EUR") || len(left) != 2 || left[1] != usd(-months[n].Cost[0].Minor) {
				t.Errorf("without a rate: %v, %q", left, got[n].NoRate)
			}
		}
		if diff := cmp.Diff(months, got); diff != "" {
			t.Error(diff)
		}
		for day, rate := range map[string]string{"2026-03-31": "0.5", "2026-04-01": "0.9"} {
			if _, err := s.SetRate(ctx, Rate{Pair: "USD/EUR", From: day, Rate: exact.Must(rate), SetBy: "test"}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if got, err = s.Margins(ctx, "2026-03", "2026-04", "acme", day(t, "2026-05-20")); err != nil {
			t.Fatal(err)
		}
		for n, want := range []int64{3648 - 576, 7219 - 1210} { // 11.52 · 0.5; 13.44 · 0.9 is 12.096
			if left := got[n].Left(); len(left) != 1 || left[0] != eur(want)[0] || got[n].NoRate != "" {
				t.Errorf("with a rate %s left %v, want %d cents", got[n].Month, left, want)
			}
		}
		late := bring(t, s, ImportBalances, "key,tenant,amount,currency,date\nb-1,acme,1,EUR,2026-04-30\n", day(t, "2026-05-20"))
		if text := linesOf(late); !strings.Contains(text, "[date: 2026-04 is closed") {
			t.Errorf("a balance of a month that is closed: %s", text)
		}
		if done := bring(t, s, ImportBalances, "key,tenant,amount,currency,date\nb-1,acme,1,EUR,2026-05-01\n", day(t, "2026-05-20")); !strings.Contains(linesOf(done), "added") {
			t.Errorf("a balance of a month that is open: %s", linesOf(done))
		}
		balances, err := journal.Balances(ctx, d.Read(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range balances {
			if b.Account == journal.Accrued {
				t.Errorf("%s is left in the accrued account", b.Amount)
			}
		}
		sound(t, s, 4)
	})
}
