package billing

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const twoPlans = `currency: EUR
taxes:
  - {id: vat, rate: "20"}
plans:
  - id: basic
    version: 1
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, price: "30.00"}
  - id: pro
    version: 1
    period: {unit: month}
    proration: {unit: day}
    charges:
      - {id: fee, type: recurring, model: unit, price: "60.00"}
`

// house is a service with a catalog, an issuer and the customer acme in Berlin.
func house(t *testing.T, d *db.DB, facts FactSource) *Service {
	t.Helper()
	s := New(d, facts, nil)
	apply(t, s, twoPlans, noon)
	customer(t, d, s)
	return s
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// dues are the amounts due of documents.
func dues(invoices []Invoice) (all []int64) {
	for _, i := range invoices {
		all = append(all, i.Total)
	}
	return all
}

func TestSubscriptions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		order := Order{Tenant: "acme", Plan: "basic@1", From: "2026-02-01", Taxes: []string{"vat"}, DryRun: true, By: "test"}
		_, due, err := s.Subscribe(ctx, order, noon)
		// February began a month ago: its fee and March's are due at once, April's later.
		if err != nil || !cmp.Equal(dues(due), []int64{7200, 3600}) {
			t.Fatalf("a dry run: %v, %v", dues(due), err)
		}
		if all, err := s.Subscriptions(ctx, ""); err != nil || len(all) != 0 {
			t.Errorf("a dry run left %v, %v", all, err)
		}
		order.DryRun = false
		a, again, err := s.Subscribe(ctx, order, noon)
		if err != nil || cmp.Diff(dues(due), dues(again)) != "" {
			t.Fatalf("Subscribe: %v, %v", dues(again), err)
		}
		kept, err := s.Agreement(ctx, a.ID)
		if diff := cmp.Diff(a, kept, cmpopts.EquateComparable()); err != nil || diff != "" {
			t.Errorf("read back: %v, %s", err, diff)
		}

		// An upgrade in the middle of March gives back 16 of 31 days and bills them anew.
		at := noon.AddDate(0, 0, 15)
		upgrade := ChangeOrder{Type: PlanChange, Plan: "pro@1", When: "2026-03-16", DryRun: true, By: "test"}
		preview, due, err := s.ChangeSubscription(ctx, a.ID, upgrade, at)
		if err != nil || len(preview.Changes) != 2 {
			t.Fatalf("a preview: %+v, %v", preview, err)
		}
		var found bool
		for _, i := range due {
			found = found || i.Subtotal == 3097-1548 && i.Lines[0].Kind == ReversalLine
		}
		if !found {
			t.Errorf("a preview of the upgrade: %v", dues(due))
		}
		if kept, _ := s.Agreement(ctx, a.ID); len(kept.Changes) != 1 {
			t.Error("a preview was kept")
		}
		upgrade.DryRun = false
		if a, _, err = s.ChangeSubscription(ctx, a.ID, upgrade, at); err != nil || a.Items(at)[0].Plan != "pro@1" || a.Slug != "acme" {
			t.Fatalf("the upgrade: %+v, %v", a, err)
		}
		if a, _, err = s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: PlanChange, Quantity: "2.5", By: "test"}, at.Add(time.Hour)); err != nil ||
			a.Items(at.Add(time.Hour))[0].Quantity.String() != "2.5" || a.Items(at.Add(time.Hour))[0].Plan != "pro@1" {
			t.Errorf("a quantity: %+v, %v", a, err)
		}
		if a, _, err = s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "basic@1", By: "test"}, at.Add(2*time.Hour)); err != nil ||
			len(a.Items(at.Add(2*time.Hour))) != 2 {
			t.Errorf("an item: %+v, %v", a, err)
		}
		a, _, err = s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: CancelChange, When: "period_end", By: "test"}, at.Add(3*time.Hour))
		end := day(t, "2026-04-01").Add(-2 * time.Hour) // Berlin's midnight, in summer
		if err != nil || len(a.Items(end.Add(-time.Microsecond))) != 2 || len(a.Items(end)) != 0 {
			t.Errorf("cancelled at the period's end: %+v, %v", a.Changes, err)
		}
		for name, o := range map[string]ChangeOrder{
			"no plan":        {Type: PlanChange, Plan: "nosuch@1", Supersede: true},
			"no quantity":    {Type: PlanChange, Quantity: "0"},
			"no time":        {Type: PlanChange, Quantity: "2", When: "tomorrow", Supersede: true},
			"nothing":        {Type: PlanChange},
			"no such change": {Type: "upgrade"},
		} {
			if _, _, err := s.ChangeSubscription(ctx, a.ID, o, at); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: PlanChange, Quantity: "2", When: "2026-13-01"}, at); err == nil || !strings.HasPrefix(fault.Message(err), `"2026-13-01" is no time`) {
			t.Errorf("no month 13: %v", err)
		}
		if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "pro@1"}, at.Add(4*time.Hour)); !errors.Is(err, fault.Conflict) {
			t.Errorf("an item twice: %v", err)
		}
		// What is subscribed to is withdrawn, not removed, and nobody gets it anew.
		basic, _, _ := strings.Cut(twoPlans, "  - id: pro")
		if done := apply(t, s, basic, noon); !done.Done || done.Count(EntryWithdrawn) != 1 {
			t.Errorf("%s", actions(done))
		}
		if _, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "pro@1"}, noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("a withdrawn plan anew: %v", err)
		}
		if _, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", Reason: "a\x00b"}, noon); !errors.Is(err, fault.Invalid) {
			t.Errorf("a reason that cannot be shown: %v", err)
		}
		if _, err := s.PutCustomer(ctx, "acme", Profile{Issuer: "main", Currency: "USD"}, "test", noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("another currency beside subscriptions: %v", err)
		}
	})
}

// What is to come is not undone in silence: neither by a change now, nor by one that is
// told afterwards.
func TestAChangeDoesNotUndoALaterOne(t *testing.T) {
	d := dbtest.New(t)
	s := house(t, d, nil)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	at := day(t, "2026-03-10")
	change := func(o ChangeOrder) (err error) {
		o.By, at = "test", at.Add(time.Hour)
		a, _, err = s.ChangeSubscription(t.Context(), a.ID, o, at)
		return err
	}
	if err := change(ChangeOrder{Type: CancelChange, When: "period_end"}); err != nil {
		t.Fatal(err)
	}
	more := ChangeOrder{Type: PlanChange, Quantity: "3"}
	if err := change(more); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "its cancellation on 2026-03-31T22:00:00Z") {
		t.Errorf("beside a cancellation: %v", err)
	}
	if kept, err := s.Agreement(t.Context(), a.ID); err != nil || len(kept.Changes) != 2 {
		t.Errorf("what was refused was kept: %+v, %v", kept.Changes, err)
	}
	more.Supersede = true
	if err := change(more); err != nil || len(a.Items(day(t, "2026-04-02"))) != 1 {
		t.Errorf("in its place: %+v, %v", a.Changes, err)
	}
	// What is undone already stands against nothing, and what ends service undoes all.
	if err := change(ChangeOrder{Type: PlanChange, Quantity: "4"}); err != nil {
		t.Errorf("after it was undone: %v", err)
	}
	if err := change(ChangeOrder{Type: PlanChange, Plan: "basic@1", Quantity: "1", When: "period_end"}); err != nil {
		t.Fatal(err)
	}
	if err := change(ChangeOrder{Type: PlanChange, Quantity: "5", When: "2026-03-02"}); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "3 of pro@1") {
		t.Errorf("told afterwards: %v", err)
	}
	if err := change(ChangeOrder{Type: CancelChange, When: "now"}); err != nil || len(a.Items(day(t, "2026-04-02"))) != 0 {
		t.Errorf("cancelled: %+v, %v", a.Changes, err)
	}
}

func TestNothingChangesBeforeASubscriptionBegins(t *testing.T) {
	d := dbtest.New(t)
	s := house(t, d, nil)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	for name, o := range map[string]ChangeOrder{
		"a plan":         {Type: PlanChange, Plan: "pro@1", When: "2026-02-28", Supersede: true},
		"an item":        {Type: AddChange, Item: "extra", Plan: "pro@1", When: "2026-02-01"},
		"a cancellation": {Type: CancelChange, When: "2026-02-28"},
	} {
		if _, _, err := s.ChangeSubscription(t.Context(), a.ID, o, noon); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "begins only at 2026-02-28T23:00:00Z") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: CancelChange, When: "2026-03-01", By: "test"}, noon); err != nil {
		t.Errorf("as it begins: %v", err)
	}
}

// A tenant leaves when nothing goes on being billed: what ends by itself may.
func TestATenantIsBilledOn(t *testing.T) {
	d := dbtest.New(t)
	s := house(t, d, nil)
	if err := s.CheckClose(t.Context(), "acme"); err != nil {
		t.Errorf("without a subscription: %v", err)
	}
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	if err := s.CheckClose(t.Context(), "acme"); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), string(a.ID)+" (basic@1)") {
		t.Errorf("before it begins: %v", err)
	}
	if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: CancelChange, When: "period_end", By: "test"}, noon); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckClose(t.Context(), "acme"); err != nil {
		t.Errorf("cancelled for the period's end: %v", err)
	}
}

// Who has left agrees to nothing that would be billed on; what ends sooner still can.
func TestNobodySubscribesATenantThatHasLeft(t *testing.T) {
	d := dbtest.New(t)
	s, ctx := house(t, d, nil), t.Context()
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: CancelChange, When: "period_end", By: "test"}, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.New(d).Close(ctx, "acme", noon); err != nil {
		t.Fatal(err)
	}
	_, _, again := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", By: "test"}, noon)
	_, _, item := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "basic@1", By: "test"}, noon)
	_, _, more := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: PlanChange, Quantity: "2", Supersede: true, By: "test"}, noon)
	for name, err := range map[string]error{"subscribes": again, "adds an item": item, "goes on": more} {
		if !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "closed") {
			t.Errorf("it %s: %v", name, err)
		}
	}
	lines := bring(t, s, ImportSubscriptions, "key,tenant,plan,from\nold,acme,basic@1,2026-03-01\n", noon)
	if !strings.Contains(linesOf(lines), "2 old refused [tenant: Tenant acme is closed") {
		t.Errorf("imported: %s", linesOf(lines))
	}
	if all, err := s.Subscriptions(ctx, "acme"); err != nil || len(all) != 1 {
		t.Errorf("%d subscriptions, %v", len(all), err)
	}
	if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: CancelChange, When: "2026-03-10", By: "test"}, noon); err != nil {
		t.Errorf("it ends sooner: %v", err)
	}
}

// A coupon that was withdrawn stays with who has it, and nobody gets it anew: not with a
// subscription, not with an import, not afterwards.
func TestAWithdrawnCouponIsNotGivenAnew(t *testing.T) {
	d := dbtest.New(t)
	s, ctx := house(t, d, nil), t.Context()
	apply(t, s, taxed, noon)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01", Coupons: []string{"half"}}, noon)
	before, after, _ := strings.Cut(taxed, "coupons:")
	_, after, _ = strings.Cut(after, "plans:")
	if done := apply(t, s, before+"plans:"+after, noon); !strings.Contains(actions(done), "half withdrawn") {
		t.Fatal(actions(done))
	}
	other := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, noon)
	_, _, anew := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", Coupons: []string{"half"}, By: "test"}, noon)
	_, _, joins := s.ChangeSubscription(ctx, other.ID, ChangeOrder{Type: CouponAmendment, Coupon: "half", By: "test"}, noon)
	for name, err := range map[string]error{"a subscription": anew, "one that there is": joins} {
		if !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "withdrawn") {
			t.Errorf("%s gets it: %v", name, err)
		}
	}
	lines := bring(t, s, ImportSubscriptions, "key,tenant,plan,from,coupons\nold,acme,basic@1,2026-03-01,half\n", noon)
	if !strings.Contains(linesOf(lines), "2 old refused [coupons: The coupon half was withdrawn") {
		t.Errorf("imported: %s", linesOf(lines))
	}
	// Who has it keeps it, also when something of it changes.
	if _, due, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "basic@1", By: "test"}, noon.Add(time.Hour)); err != nil || len(due) == 0 || len(due[0].Discounts) != 1 {
		t.Errorf("who has it: %+v, %v", due, err)
	}
}
