package billing

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const taxed = `currency: EUR
taxes:
  - {id: local, rate: "5"}
  - {id: vat, rate: "20"}
  - {id: vat, rate: "25", from: "2026-05-16"}
coupons:
  - {id: half, percent: "50", duration: forever}
plans:
  - id: basic
    version: 1
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, price: "30.00"}
      - {id: late, type: recurring, when: arrears, price: "10.00"}
`

// taxesOf are the taxes of what was issued, by its purpose and the day of its issue.
func taxesOf(issued []Issued) (all []string) {
	for _, i := range issued {
		var rates []string
		text := string(i.Document)
		for _, r := range []string{"20", "25"} {
			if strings.Contains(text, `"rate":"`+r+`"`) {
				rates = append(rates, r)
			}
		}
		all = append(all, string(i.Purpose)+" "+i.IssueAt.Format("01-02")+" "+strings.Join(rates, "+"))
	}
	return all
}

// A customer's taxes hold from when they are said: for what has its tax point from then
// on, and for no more.
func TestTaxesChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := New(d, nil, nil), t.Context()
		apply(t, s, taxed, noon)
		c := customer(t, d, s)
		c.Zone, c.Taxes = "UTC", []string{"vat"}
		put := func(at time.Time, taxes ...string) {
			t.Helper()
			c.Taxes = taxes
			if _, err := s.PutCustomer(ctx, "acme", c.Profile, "test", at); err != nil {
				t.Fatal(err)
			}
		}
		put(noon, "vat")
		follows, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", From: "2026-04-01", By: "test"}, noon)
		if err != nil {
			t.Fatal(err)
		}
		own, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", From: "2026-04-01", Taxes: []string{"local"}, By: "test"}, noon)
		if err != nil {
			t.Fatal(err)
		}
		runAt(t, s, day(t, "2026-04-10"))
		// From 1 May on acme is exempt, and from 6 June taxed again.
		put(day(t, "2026-05-01"))
		runAt(t, s, day(t, "2026-05-05"))
		put(day(t, "2026-06-06"), "vat")
		runAt(t, s, day(t, "2026-07-05"))
		issued, err := listIssued(ctx, d.Read(), IssuedFilter{subscriptions: []SubscriptionID{follows.ID}, Limit: -1})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(issued)
		got := strings.Join(taxesOf(issued), ", ")
		// April's arrears have their tax point in April though they are issued in May.
		if want := "advance 04-01 20, advance 05-01 , arrears 05-03 20, advance 06-01 , arrears 06-03 , advance 07-01 25, arrears 07-03 25"; got != want {
			t.Errorf("taxes:\n%s, want\n%s", got, want)
		}
		if a, err := s.Agreement(ctx, own.ID); err != nil || len(a.Amendments) != 0 {
			t.Errorf("taxes of its own: %+v, %v", a.Amendments, err)
		}
		sound(t, s, int64(2*len(issued)))
	})
}

// A rate that changes in the middle of a period: what was billed in advance keeps the
// old one, and gives it back by it; what is billed from then on has the new one.
func TestARateChangesInTheMiddleOfAPeriod(t *testing.T) {
	d := dbtest.New(t)
	s := New(d, nil, nil)
	apply(t, s, taxed, noon)
	customer(t, d, s)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-05-01"}, noon)
	runAt(t, s, day(t, "2026-05-10"))
	if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: CancelChange, When: "2026-05-22", By: "test"}, day(t, "2026-05-18")); err != nil {
		t.Fatal(err)
	}
	done := runAt(t, s, day(t, "2026-05-26"))
	got := strings.Join(taxesOf(done.Issued), ", ")
	if want := "advance 05-21 20, arrears 05-23 25"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	sound(t, s, 3)
}

// A coupon joins a subscription, and leaves it, on the documents that are issued from
// then on; what is given back of a line takes its discount with it after that too.
func TestACouponJoinsAndLeaves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := New(d, nil, nil), t.Context()
		apply(t, s, taxed, noon)
		customer(t, d, s)
		a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		at := day(t, "2026-03-10")
		runAt(t, s, at)
		change := func(o ChangeOrder) (Agreement, []Invoice, error) {
			o.By, at = "test", at.Add(time.Hour)
			return s.ChangeSubscription(ctx, a.ID, o, at)
		}
		for name, o := range map[string]ChangeOrder{
			"no coupon": {Type: CouponAmendment}, "no such coupon": {Type: CouponAmendment, Coupon: "nosuch"}, "with a plan": {Type: CouponAmendment, Coupon: "half", Plan: "basic@1"},
			"in the past": {Type: CouponAmendment, Coupon: "half", When: "2026-03-02"}, "beside a change": {Type: PlanChange, Quantity: "1", Coupon: "half"},
		} {
			if _, _, err := change(o); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := change(ChangeOrder{Type: NoCouponAmendment, Coupon: "half"}); !errors.Is(err, fault.Conflict) {
			t.Errorf("one that it has not leaves: %v", err)
		}
		_, due, err := change(ChangeOrder{Type: CouponAmendment, Coupon: "half", DryRun: true})
		if err != nil || len(due) == 0 || len(due[0].Discounts) != 1 || due[0].Discounts[0].Amount != 1500 {
			t.Errorf("a preview: %+v, %v", due, err)
		}
		if kept, err := s.Agreement(ctx, a.ID); err != nil || len(kept.Amendments) != 0 {
			t.Errorf("a preview was kept: %+v, %v", kept.Amendments, err)
		}
		if now, _, err := change(ChangeOrder{Type: CouponAmendment, Coupon: "half"}); err != nil || !slices.Equal(now.CouponsAt(at), []string{"half"}) {
			t.Fatalf("it joins: %+v, %v", now.Amendments, err)
		}
		if _, _, err := change(ChangeOrder{Type: CouponAmendment, Coupon: "half"}); !errors.Is(err, fault.Conflict) {
			t.Errorf("it joins again: %v", err)
		}
		done := runAt(t, s, day(t, "2026-04-05")) // April in advance 18.00, March's arrears 6.00
		var sum int64
		for _, i := range done.Issued {
			sum += i.Total
		}
		if sum != 1800+600 {
			t.Errorf("with it: %d", sum)
		}
		at = day(t, "2026-04-10")
		if _, _, err := change(ChangeOrder{Type: NoCouponAmendment, Coupon: "half"}); err != nil {
			t.Fatal(err)
		}
		// A third of April is given back at half its price, and charged arrears have none.
		if _, _, err := change(ChangeOrder{Type: CancelChange, When: "2026-04-21"}); err != nil {
			t.Fatal(err)
		}
		got := make(map[Purpose]int64)
		for _, i := range runAt(t, s, day(t, "2026-04-26")).Issued {
			got[i.Purpose] += i.Total
		}
		if got[Advance] != -600 || got[Arrears] != 800 {
			t.Errorf("after it left: %v", got)
		}
		sound(t, s, 5)
	})
}
