package billing

import (
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/journal"
)

const broughtAlong = "key,tenant,amount,currency,date\na,acme,50.00,EUR,2026-02-01\n"

// What is owed is what the journal has as owed, after each thing that moves it: opening
// balances, payments in part, credit notes, what is written off, and payments that the
// bank takes back from invoices that were closed since.
func TestReceivables(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		owed := func(what string, open, invoices, carried int64) {
			t.Helper()
			list, err := s.Receivables(t.Context(), at.AddDate(1, 0, 0), at)
			if err != nil || len(list) != 1 {
				t.Fatalf("%s: %+v, %v", what, list, err)
			}
			r := list[0]
			if r.Open != open || r.OpenInvoices != invoices || r.Overdue != open || r.OverdueInvoices != invoices || r.Carried != carried {
				t.Errorf("%s: %+v", what, r)
			}
			if owed, brought := balance(t, d, journal.Receivable), balance(t, d, journal.Carried); owed != open || brought != carried {
				t.Errorf("%s: by the journal %d are owed, and %d of what was brought", what, owed, brought)
			}
		}
		owed("three invoices", 3*3600, 3, 0)
		bring(t, s, ImportBalances, broughtAlong, at)
		owed("an opening balance", 3*3600, 3, 5000)
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(2000)})
		owed("a part of it is paid", 3*3600, 3, 3000)
		first := pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(1000), Invoices: []string{"R-1"}})
		owed("a part of an invoice is paid", 2600+2*3600, 3, 3000)
		credit(t, s, at, NoteOrder{Invoice: "R-1", Amount: 600})
		owed("a part of it is credited", 2000+2*3600, 3, 3000)
		if _, err := s.WriteOffInvoice(t.Context(), WriteOffOrder{Invoice: "R-1", Reason: "insolvent", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		owed("the rest is written off", 2*3600, 2, 3000)
		if _, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: first.ID, Reason: "no cover", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		owed("the bank took the part back", 1000+2*3600, 3, 3000)
		second := pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Invoices: []string{"R-2"}})
		credit(t, s, at, NoteOrder{Invoice: "R-2", Full: true})
		if _, err := s.RefundCredit(t.Context(), RefundOrder{Tenant: "acme", Amount: eur(3000), Reason: "asked for", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		owed("an invoice is paid, and void", 1000+3600, 2, 3000)
		if _, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: second.ID, Reason: "no cover", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		owed("and the bank took its payment back", 1000+3000+3600, 3, 3000)
		if list, err := s.Receivables(t.Context(), at, at); err != nil || list[0].Issued != 3*3600-600-3600 || list[0].Documents != 5 {
			t.Errorf("issued: %+v, %v", list, err)
		}
	})
}

// What somebody owes who has no invoice yet is owed too.
func TestReceivablesWithoutAnInvoice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		bring(t, s, ImportBalances, broughtAlong, noon)
		if list, err := s.Receivables(t.Context(), noon, noon); err != nil || len(list) != 1 || list[0].Carried != 5000 || list[0].Currency != "EUR" || list[0].Documents != 0 {
			t.Errorf("owed: %+v, %v", list, err)
		}
	})
}
