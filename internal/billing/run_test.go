package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

func subscribe(t *testing.T, s *Service, o Order, at time.Time) Agreement {
	t.Helper()
	o.Taxes, o.By = []string{"vat"}, "test"
	a, _, err := s.Subscribe(t.Context(), o, at)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func runAt(t *testing.T, s *Service, at time.Time) Run {
	t.Helper()
	done, err := s.RunBilling(t.Context(), RunOrder{By: "test"}, at)
	if err != nil || len(done.Failed) > 0 {
		t.Fatalf("%+v, %v", done.Failed, err)
	}
	return done
}

// sound fails where the service finds anything wrong with what was issued.
func sound(t *testing.T, s *Service, documents int64) {
	t.Helper()
	checks, err := s.VerifyBilling(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if len(c.Wrong) > 0 {
			t.Errorf("%s: %v", c.Name, c.Wrong)
		}
	}
	if checks[0].Count != documents {
		t.Errorf("%d documents, want %d", checks[0].Count, documents)
	}
}

func TestABillingRun(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		if got := runAt(t, s, day(t, "2026-02-25")); len(got.Issued) != 0 {
			t.Fatalf("issued before it is due: %+v", got)
		}
		at := noon
		dry, err := s.RunBilling(ctx, RunOrder{DryRun: true}, at)
		if err != nil || len(dry.Issued) != 1 || dry.Issued[0].Total != 3600 || dry.Issued[0].Number != 0 {
			t.Fatalf("a dry run: %+v, %v", dry, err)
		}
		if _, err := s.RunBilling(ctx, RunOrder{Expect: "another"}, at); !errors.Is(err, fault.Conflict) {
			t.Errorf("other than expected: %v", err)
		}
		done, err := s.RunBilling(ctx, RunOrder{Expect: dry.Fingerprint, By: "test"}, at)
		if err != nil || len(done.Issued) != 1 || done.Issued[0].Ref() != "R-1" || done.Issued[0].State != InvoiceIssued {
			t.Fatalf("a run: %+v, %v", done, err)
		}
		if want := day(t, "2026-03-15").Add(12 * time.Hour); !done.Issued[0].DueAt.Equal(want) {
			t.Errorf("due at %s, want %s", done.Issued[0].DueAt, want)
		}
		if again := runAt(t, s, at); len(again.Issued) != 0 {
			t.Errorf("a second run issued %+v", again.Issued)
		}
		balances, err := journal.Balances(ctx, d.Read(), string(a.Tenant))
		want := []journal.Balance{
			{Account: journal.Receivable, Tenant: string(a.Tenant), Amount: money.New(3600, "EUR")},
			{Account: journal.Revenue, Tenant: string(a.Tenant), Amount: money.New(-3000, "EUR")},
			{Account: journal.TaxPayable, Tenant: string(a.Tenant), Amount: money.New(-600, "EUR")},
		}
		if diff := cmp.Diff(want, balances); err != nil || diff != "" {
			t.Errorf("the journal: %v, %s", err, diff)
		}

		// A downgrade that is told afterwards for an earlier day changes no invoice: what is
		// given back becomes credit, which pays the next.
		if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: CancelChange, When: "2026-03-16", By: "test"}, at.AddDate(0, 0, 20)); err != nil {
			t.Fatal(err)
		}
		back := runAt(t, s, at.AddDate(0, 0, 21))
		if len(back.Issued) != 1 || back.Issued[0].Total >= 0 || back.Issued[0].State != InvoicePaid {
			t.Errorf("a cancellation in the past: %+v", back.Issued)
		}
		kept, err := s.Invoice(ctx, "R-1")
		if kept.Open != max(0, 3600+back.Issued[0].Total) {
			t.Errorf("what was given back pays R-1, of which %d is open", kept.Open)
		}
		kept.Open, kept.State = done.Issued[0].Open, done.Issued[0].State
		if diff := cmp.Diff(done.Issued[0], kept, cmp.AllowUnexported(Issued{})); err != nil || diff != "" {
			t.Errorf("R-1 read back: %v, %s", err, diff)
		}
		list, next, err := s.Invoices(ctx, IssuedFilter{Tenant: "acme", Limit: 1})
		if err != nil || len(list) != 1 || list[0].Ref() != "R-2" || next == "" {
			t.Fatalf("the first page: %+v, %q, %v", list, next, err)
		}
		if list, next, err = s.Invoices(ctx, IssuedFilter{Limit: 1, Cursor: next}); err != nil || len(list) != 1 || list[0].Ref() != "R-1" || next != "" {
			t.Errorf("the second page: %+v, %q, %v", list, next, err)
		}
		sound(t, s, 2)
		// A clock that is behind what was billed makes no document that should have been
		// issued before.
		if _, _, err := s.ChangeSubscription(ctx, a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "basic@1", By: "test"}, day(t, "2026-03-01")); err != nil {
			t.Fatal(err)
		}
		if got := runAt(t, s, at.AddDate(0, 0, 22)); len(got.Issued) != 1 {
			t.Errorf("an item that was added by a late clock: %d documents", len(got.Issued))
		}
		sound(t, s, 3)
		for _, statement := range []string{`UPDATE billing_invoices SET total = 1`, `DELETE FROM billing_invoices`, `UPDATE billing_states SET state = 'paid'`, `DELETE FROM billing_states`} {
			if err := d.Write(ctx, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, statement); return err }); err == nil {
				t.Errorf("the database took %q", statement)
			}
		}
	})
}

// Runs beside each other, and runs that are cut off, issue each document once, with
// numbers that have no gap.
func TestBillingRunsBesideEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		s.together = 1
		for i := range 4 {
			slug := fmt.Sprintf("t-%d", i)
			if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: slug}, noon); err != nil {
				t.Fatal(err)
			}
			if _, err := s.PutCustomer(t.Context(), slug, Profile{Issuer: "main", Currency: "EUR"}, "test", noon); err != nil {
				t.Fatal(err)
			}
			subscribe(t, s, Order{Tenant: slug, Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
		}
		at := day(t, "2026-05-10") // March, April and May of four tenants
		// A run that is cut off after some documents.
		cut, stop := context.WithCancel(t.Context())
		go func() {
			for {
				if list, _, err := s.Invoices(t.Context(), IssuedFilter{}); err != nil || len(list) >= 2 {
					stop()
					return
				}
			}
		}()
		if _, err := s.RunBilling(cut, RunOrder{By: "test"}, at); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		stop()
		var wait sync.WaitGroup
		for n := range 8 {
			wait.Go(func() {
				other := New(d, nil, nil) // of another process, with a clock of its own
				other.together = 1 + n%3
				done, err := other.RunBilling(t.Context(), RunOrder{UpTo: at.Add(-Settle), By: "test"}, at.Add(time.Duration(n*7%8)*time.Second))
				if err != nil || len(done.Failed) > 0 || len(done.Issued) != 0 && len(done.Issued)%3 != 0 {
					t.Errorf("%d documents, %+v, %v", len(done.Issued), done.Failed, err)
				}
			})
		}
		wait.Wait()
		sound(t, s, 12)
		list, _, err := s.Invoices(t.Context(), IssuedFilter{})
		if err != nil {
			t.Fatal(err)
		}
		of := make(map[string]int)
		for _, i := range list {
			of[fmt.Sprint(i.Slug, i.From, i.Purpose)]++
		}
		for period, n := range of {
			if n != 1 {
				t.Errorf("%s: %d invoices", period, n)
			}
		}
	})
}

// Usage in arrears waits for the grace; what comes after the issue is an adjustment
// on the next invoice. Facts that change behind the back of what was issued stop the
// billing of their subscription, and of no other.
func TestFactsThatChange(t *testing.T) {
	d := dbtest.New(t)
	var facts Facts
	s := New(d, func(_ context.Context, a Asked) (f Facts, err error) {
		for _, e := range facts.Events {
			if !e.RecordedAt.After(a.Until) {
				f.Events = append(f.Events, e)
			}
		}
		return f, nil
	}, nil)
	apply(t, s, strings.Replace(plans, `"19"`, `"20"`, 1), noon)
	customer(t, d, s)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	event := func(id, n, at, recorded string) metering.Event {
		return metering.Event{Line: len(facts.Events) + 1, Source: "app", ID: id, Type: "api.call", At: day(t, at), RecordedAt: day(t, recorded), Data: metering.Data{"n": metering.Value(n)}}
	}
	facts.Events = append(facts.Events, event("1", "700", "2026-03-12", "2026-03-12"))
	if got := runAt(t, s, day(t, "2026-04-02")); len(got.Issued) != 2 { // the fees of March and April
		t.Fatalf("before the grace is over: %+v", got.Issued)
	}
	got := runAt(t, s, day(t, "2026-04-05"))
	if len(got.Issued) != 1 || got.Issued[0].Purpose != Arrears || got.Issued[0].Total != 8400 {
		t.Fatalf("700 calls: %+v", got.Issued)
	}
	facts.Events = append(facts.Events, event("2", "10", "2026-03-20", "2026-04-06")) // late
	late := runAt(t, s, day(t, "2026-05-05"))
	if n := len(late.Issued); n != 2 || late.Issued[n-1].Total != 120 || !strings.Contains(string(late.Issued[n-1].Document), "adjustment") {
		t.Fatalf("a late event: %+v", late.Issued)
	}
	sound(t, s, 5)
	facts.Events[0].CorrectedAt = day(t, "2026-05-10") // voided, long after its invoice
	voided := runAt(t, s, day(t, "2026-06-05"))
	if n := len(voided.Issued); n != 2 || voided.Issued[n-1].Total != -8400 {
		t.Fatalf("a voided event: %+v", voided.Issued)
	}
	sound(t, s, 7)

	facts.Events[0].Data = metering.Data{"n": "9"} // nobody may do so
	again, err := s.RunBilling(t.Context(), RunOrder{By: "test"}, day(t, "2026-07-01"))
	if err != nil || len(again.Issued) != 0 || len(again.Failed) != 1 || again.Failed[0].Subscription != a.ID || !strings.Contains(again.Failed[0].Why, "R-3 comes out differently") {
		t.Errorf("facts that changed: %+v, %v", again, err)
	}
	checks, err := s.VerifyBilling(t.Context())
	if last := checks[len(checks)-2]; err != nil || len(last.Wrong) != 1 {
		t.Errorf("verify finds %+v, %v", last, err)
	}
}

// What changes a subscription between the rating of its bill and the issue of it refuses
// the issue: the document would be another, and no later run could go on from it.
func TestABillThatWasChangedWhileItWasWorkedOutIsNotIssued(t *testing.T) {
	var change func()
	s := New(dbtest.New(t), func(context.Context, Asked) (Facts, error) {
		if do := change; do != nil {
			change = nil // it asks for facts too
			do()
		}
		return Facts{}, nil
	}, nil)
	apply(t, s, strings.Replace(plans, `"19"`, `"20"`, 1), noon)
	customer(t, s.db, s)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	now := day(t, "2026-03-02")
	change = func() {
		if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "basic@1", When: "2026-03-01", By: "test"}, now); err != nil {
			t.Error(err)
		}
	}
	got, err := s.RunBilling(t.Context(), RunOrder{By: "test"}, now)
	if err != nil || change != nil || len(got.Issued) != 0 || len(got.Failed) != 1 || !strings.Contains(got.Failed[0].Why, "changed while it was billed") {
		t.Errorf("%+v, %v", got, err)
	}
	again := runAt(t, s, now.Add(time.Minute))
	var total int64
	for _, i := range again.Issued {
		total += i.Total
	}
	if len(again.Failed) != 0 || total != 2*3600 {
		t.Errorf("run again: %+v come to %d", again.Issued, total)
	}
	sound(t, s, int64(len(again.Issued)))
}

func TestPostings(t *testing.T) {
	for _, tt := range []struct {
		name       string
		purpose    Purpose
		total, due int64
		tax        int64
		want       map[journal.Account]int64
	}{
		{"credit pays a part", Arrears, 120, 100, 20, map[journal.Account]int64{journal.Receivable: 100, journal.CustomerCredit: 20, journal.Revenue: -100, journal.TaxPayable: -20}},
		{"more is given back than charged", Advance, -120, 0, -20, map[journal.Account]int64{journal.CustomerCredit: -120, journal.Revenue: 100, journal.TaxPayable: 20}},
		{"a credit note", Credit, 120, 0, 20, map[journal.Account]int64{journal.CustomerCredit: -120, journal.Revenue: 100, journal.TaxPayable: 20}},
		{"nothing", Arrears, 0, 0, 0, map[journal.Account]int64{}},
	} {
		i := Issued{Purpose: tt.purpose, Total: tt.total, Due: tt.due, Currency: "EUR"}
		got, sum := map[journal.Account]int64{}, int64(0)
		for _, p := range i.postings(tt.tax) {
			got[p.Account] = p.Amount.Minor
			sum += p.Amount.Minor
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || sum != 0 {
			t.Errorf("%s: off by %d: %s", tt.name, sum, diff)
		}
	}
}
