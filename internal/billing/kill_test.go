package billing

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const killedPlans = `currency: EUR
taxes:
  - {id: vat, rate: "20"}
meters:
  - {id: calls, event_type: api.call, aggregate: sum, value: n}
plans:
  - id: basic
    version: 1
    period: {unit: month}
    proration: {unit: day, credit: note}
    charges:
      - {id: fee, type: recurring, price: "30.00"}
      - {id: calls, type: usage, meter: calls, model: unit, price: "0.10"}
  - id: pro
    version: 1
    period: {unit: month}
    charges:
      - {id: fee, type: recurring, price: "60.00"}
`

// shown is what was issued as its customers see it, by customer and time: which
// number a document has depends on the order in which processes came to it.
func shown(t *testing.T, s *Service) (all []string) {
	t.Helper()
	list, _, err := s.Invoices(t.Context(), IssuedFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		all = append(all, fmt.Sprintf("%s %s %s %d %s %s", i.Slug, i.IssueAt.Format(time.DateOnly), i.Purpose, i.Total, i.State, i.Document))
	}
	slices.Sort(all)
	return all
}

// A billing run is killed before and after every statement, and taken up by the next
// one: it issues what one that lives does, to the byte, numbers have no gap and the
// journal adds up; and a third issues nothing. Among what is issued are fees in
// advance, usage in arrears, an upgrade with its credit note, and credit that pays.
func TestABillingRunIsKilledAtEveryStatement(t *testing.T) {
	used := func(_ context.Context, a Asked) (f Facts, err error) {
		at := time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC)
		if a.Until.After(at) {
			f.Events = append(f.Events, metering.Event{Line: 1, Source: "app", ID: "1", Type: "api.call", At: at, RecordedAt: at, Data: metering.Data{"n": "700"}})
		}
		return f, nil
	}
	at := time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC)
	var want []string
	killing := dbtest.Killing{
		Prepare: func(t *testing.T, d *db.DB) {
			s := New(d, used, nil)
			apply(t, s, killedPlans, noon)
			customer(t, d, s)
			if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "globex"}, noon); err != nil {
				t.Fatal(err)
			}
			if _, err := s.PutCustomer(t.Context(), "globex", Profile{Issuer: "main", Currency: "EUR"}, "test", noon); err != nil {
				t.Fatal(err)
			}
			a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
			if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: PlanChange, Plan: "pro@1", When: "2026-03-20", By: "test"}, day(t, "2026-03-20")); err != nil {
				t.Fatal(err)
			}
			subscribe(t, s, Order{Tenant: "globex", Plan: "pro@1", From: "2026-04-01"}, day(t, "2026-03-20"))
		},
		Do: func(t *testing.T, d *db.DB) error {
			s := New(d, used, nil)
			s.together = 1 // each subscription is a transaction
			_, err := s.RunBilling(t.Context(), RunOrder{By: "test"}, at)
			return err
		},
		Check: func(t *testing.T, d *db.DB, where string) {
			s := New(d, used, nil)
			left := shown(t, s)
			sound(t, s, int64(len(left)))
			next := runAt(t, s, at)
			all := shown(t, s)
			if len(left)+len(next.Issued) != len(all) {
				t.Errorf("killed %s with %d documents, %d were issued then and %d are there", where, len(left), len(next.Issued), len(all))
			}
			if want == nil {
				want = all
			}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Errorf("killed %s, and taken up, other documents are there (-want +got):\n%s", where, diff)
			}
			sound(t, s, int64(len(want)))
			if third := runAt(t, s, at); len(third.Issued) > 0 {
				t.Errorf("killed %s, and taken up, a third run issued %+v", where, third.Issued)
			}
		},
	}
	points := killing.Every(t, db.SQLite, 1)
	t.Logf("killed at %d points on SQLite, on the way to %d documents", points, len(want))
	if len(want) != 6 || points < 60 {
		t.Errorf("%d points on the way to %d documents:\n%s", points, len(want), want)
	}
	t.Run("postgres", func(t *testing.T) { t.Logf("killed at %d points on PostgreSQL", killing.Every(t, db.Postgres, 13)) })
}

// What bills gave back as service ended is released to the account, and pays what is
// open, once: the run is killed before and after every statement, and the next one ends
// with the same states, the same credit and nothing more to release.
func TestReleasesAreKilledAtEveryStatement(t *testing.T) {
	at := time.Date(2026, 5, 11, 0, 0, 0, 0, time.UTC)
	end := func(t *testing.T, d *db.DB) string {
		s := New(d, nil, nil)
		var rows int
		if err := d.Read().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM billing_releases`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s; %d released, credit of subscriptions %d, of accounts %d", stateOfAll(t, s), rows, -balance(t, d, journal.CustomerCredit), -balance(t, d, journal.AccountCredit))
	}
	// Nothing that was served is left, and so all that was paid is credit.
	const want = "R-1 paid 0, R-2 paid 0, R-3 paid 0, R-4 paid 0, R-5 paid 0, R-6 paid 0; 2 released, credit of subscriptions 0, of accounts 3600"
	killing := dbtest.Killing{
		Prepare: func(t *testing.T, d *db.DB) {
			s, at := owing(t, d)
			pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Invoices: []string{"R-3"}})
			subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-04-10"}, at)
			subscriptions, err := s.Subscriptions(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			runAt(t, s, at.Add(time.Hour))
			for _, a := range subscriptions {
				o := ChangeOrder{Type: CancelChange, When: a.StartedAt.Format(time.RFC3339), By: "test"}
				if _, _, err := s.ChangeSubscription(t.Context(), a.ID, o, at.Add(2*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		},
		Do: func(t *testing.T, d *db.DB) error {
			s := New(d, nil, nil)
			_, err := s.RunBilling(t.Context(), RunOrder{By: "test"}, at)
			return err
		},
		Check: func(t *testing.T, d *db.DB, where string) {
			s := New(d, nil, nil)
			left := shown(t, s)
			sound(t, s, int64(len(left)))
			for range 2 { // taken up, and nothing is left for a third
				runAt(t, s, at)
				if got := end(t, d); got != want {
					t.Errorf("killed %s, and taken up:\n%s, want\n%s", where, got, want)
				}
			}
			sound(t, s, int64(len(shown(t, s))))
		},
	}
	stride := 1
	if testing.Short() {
		stride = 7
	}
	t.Logf("killed at %d points on SQLite", killing.Every(t, db.SQLite, stride))
	t.Run("postgres", func(t *testing.T) { t.Logf("killed at %d points on PostgreSQL", killing.Every(t, db.Postgres, 37)) })
}
