package billing

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/journal"
)

// What bills give back as service ends pays what is open, and the rest can be paid back:
// no bill comes that would count it in.
func TestCreditOfASubscriptionThatEnded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Invoices: []string{"R-3"}})
		list, err := s.Subscriptions(t.Context(), "acme")
		if err != nil || len(list) != 1 {
			t.Fatal(err)
		}
		sub := list[0].ID
		change := func(o ChangeOrder, at time.Time) {
			t.Helper()
			o.By = "test"
			if _, _, err := s.ChangeSubscription(t.Context(), sub, o, at); err != nil {
				t.Fatal(err)
			}
		}
		change(ChangeOrder{Type: CancelChange, When: "2026-03-01"}, at.Add(time.Hour))
		// A run in which it still goes on, and one that only looks, release nothing.
		if _, err := s.RunBilling(t.Context(), RunOrder{DryRun: true}, at.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := balance(t, d, journal.AccountCredit); got != 0 {
			t.Errorf("a dry run released %d", -got)
		}
		runAt(t, s, at.Add(2*time.Hour)) // gives back 3 x 36.00, of which 36.00 were paid
		stands(t, s, "R-1 paid 0, R-2 paid 0, R-3 paid 0, R-4 paid 0")
		if subs, account := balance(t, d, journal.CustomerCredit), balance(t, d, journal.AccountCredit); subs != 0 || account != -3600 {
			t.Errorf("credit of subscriptions %d, of the account %d", -subs, -account)
		}
		runAt(t, s, at.Add(3*time.Hour)) // once is enough
		o := RefundOrder{Tenant: "acme", Amount: eur(600), Reason: "cancelled", By: "test"}
		if r, err := s.RefundCredit(t.Context(), o, at.Add(3*time.Hour)); err != nil || r.Left != 3000 {
			t.Errorf("paid back: %+v, %v", r, err)
		}
		// Where it goes on after all its bills do not count in what was released: the account pays.
		change(ChangeOrder{Type: AddChange, Plan: "basic@1", When: "2026-05-12"}, day(t, "2026-05-12"))
		done := runAt(t, s, day(t, "2026-05-13"))
		if len(done.Issued) != 1 || done.Issued[0].Due != done.Issued[0].Total || done.Issued[0].State != InvoicePaid || done.Issued[0].Total <= 0 {
			t.Fatalf("it goes on: %+v", done.Issued)
		}
		if got := balance(t, d, journal.AccountCredit); got != done.Issued[0].Total-3000 {
			t.Errorf("credit of the account is %d", -got)
		}
		sound(t, s, 5)
	})
}
