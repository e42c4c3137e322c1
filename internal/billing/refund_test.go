package billing

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

func TestRefunds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		pay(t, s, noon, PaymentOrder{Tenant: "acme", Amount: eur(3000), Key: "in"})
		o := RefundOrder{Tenant: "acme", Amount: eur(2000), Reason: "paid twice", Key: "out", By: "test", Rehearsal: Rehearsal{DryRun: true}}
		dry, err := s.RefundCredit(ctx, o, noon)
		if err != nil || dry.Done || dry.Left != 1000 || balance(t, d, journal.AccountCredit) != -3000 {
			t.Fatalf("a dry run: %+v, %v", dry, err)
		}
		o.Rehearsal = Rehearsal{Expect: dry.Fingerprint}
		done, err := s.RefundCredit(ctx, o, noon)
		if err != nil || !done.Done || balance(t, d, journal.AccountCredit) != -1000 || balance(t, d, journal.CashClearing) != 1000 {
			t.Fatalf("a refund: %+v, %v", done, err)
		}
		o.Expect = ""
		if again, err := s.RefundCredit(ctx, o, noon); err != nil || !again.Again || again.ID != done.ID || balance(t, d, journal.CashClearing) != 1000 {
			t.Errorf("again: %+v, %v", again, err)
		}
		for name, x := range map[string]RefundOrder{
			"another of its key": {Tenant: "acme", Amount: eur(1), Reason: "x", Key: "out"},
			"more than there is": {Tenant: "acme", Amount: eur(1001), Reason: "x"},
			"another currency":   {Tenant: "acme", Amount: money.New(1, "USD"), Reason: "x"},
		} {
			if _, err := s.RefundCredit(ctx, x, noon); !errors.Is(err, fault.Conflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, x := range map[string]RefundOrder{
			"nothing": {Tenant: "acme", Amount: eur(0), Reason: "x"}, "no reason": {Tenant: "acme", Amount: eur(1)}, "to come": {Tenant: "acme", Amount: eur(1), Reason: "x", At: "2099-01-01"},
		} {
			if _, err := s.RefundCredit(ctx, x, noon); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// What was paid back cannot be taken back by the bank as well.
		if _, err := s.ReversePayment(ctx, ReverseOrder{Payment: "in", Reason: "no cover"}, noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("a reversal: %v", err)
		}
		st, err := s.Statement(ctx, StatementOrder{Tenant: "acme"})
		if err != nil || st.Accounts[0].Closing != -1000 || st.Accounts[0].Lines[1].Kind != "refund" || st.Accounts[0].Lines[1].Text != "refund: paid twice" {
			t.Errorf("the statement: %+v, %v", st, err)
		}
		if list, err := s.Refunds(ctx, "acme"); err != nil || len(list) != 1 || list[0].Slug != "acme" || list[0].Amount != eur(2000) {
			t.Errorf("refunds: %+v, %v", list, err)
		}
		sound(t, s, 0)
		err = d.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE billing_refunds SET amount = 1`)
			return err
		})
		if err == nil {
			t.Error("a refund was changed")
		}
	})
}
