package billing

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// owing is a house whose tenant acme has of 36.00 EUR open, and the
// time by then.
func owing(t *testing.T, d *db.DB) (*Service, time.Time) {
	t.Helper()
	s := house(t, d, nil)
	subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	at := day(t, "2026-05-10")
	if done := runAt(t, s, at); len(done.Issued) != 3 || done.Issued[0].Due != 3600 {
		t.Fatalf("%+v", done.Issued)
	}
	return s, at
}

func eur(minor int64) money.Amount { return money.New(minor, "EUR") }

func pay(t *testing.T, s *Service, at time.Time, o PaymentOrder) Booking {
	t.Helper()
	o.By = "test"
	b, err := s.RecordPayment(t.Context(), o, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stateOfAll is how it stands with every invoice: its state and what is open.
func stateOfAll(t *testing.T, s *Service) string {
	t.Helper()
	list, _, err := s.Invoices(t.Context(), IssuedFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := len(list) - 1; i >= 0; i-- {
		all = append(all, fmt.Sprintf("%s %s %d", list[i].Ref(), list[i].State, list[i].Open))
	}
	return strings.Join(all, ", ")
}

func settledText(list []Settlement) string {
	var all []string
	for _, x := range list {
		all = append(all, fmt.Sprintf("%s %s %d", x.Number, x.Kind, x.Amount))
	}
	return strings.Join(all, ", ")
}

func stands(t *testing.T, s *Service, want string) {
	t.Helper()
	if diff := cmp.Diff(want, stateOfAll(t, s)); diff != "" {
		t.Errorf("invoices stand otherwise: %s", diff)
	}
}

func balance(t *testing.T, d *db.DB, account journal.Account) (sum int64) {
	t.Helper()
	all, err := journal.Balances(t.Context(), d.Read(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.Account == account {
			sum += b.Amount.Minor
		}
	}
	return sum
}

func TestPaymentsSettleInvoices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		// A dry run shows what would be settled, and leaves everything as it is.
		order := PaymentOrder{Tenant: "acme", Amount: eur(5000), Fee: 50, At: "2026-05-08", Payer: "Acme", Key: "bank-1"}
		order.DryRun = true
		dry := pay(t, s, at, order)
		if settledText(dry.Settled) != "R-1 payment 3600, R-2 payment 1400" || dry.Done || dry.Credit != 0 {
			t.Errorf("a dry run: %+v", dry)
		}
		stands(t, s, "R-1 issued 3600, R-2 issued 3600, R-3 issued 3600")
		order.DryRun, order.Expect = false, "another"
		if _, err := s.RecordPayment(t.Context(), order, at); !errors.Is(err, fault.Conflict) {
			t.Errorf("other than expected: %v", err)
		}
		order.Expect = dry.Fingerprint
		first := pay(t, s, at, order)
		stands(t, s, "R-1 paid 0, R-2 partially_paid 2200, R-3 issued 3600")
		for account, want := range map[journal.Account]int64{journal.CashClearing: 4950, journal.Fees: 50, journal.Receivable: 5800} {
			if got := balance(t, d, account); got != want {
				t.Errorf("%s is %d, want %d", account, got, want)
			}
		}
		// The same line of the bank again is the same payment; another with its reference is none.
		order.Expect = ""
		if again := pay(t, s, at.Add(time.Hour), order); !again.Again || again.ID != first.ID || settledText(again.Settled) != settledText(first.Settled) {
			t.Errorf("booked again: %+v", again)
		}
		order.Amount = eur(5001)
		if _, err := s.RecordPayment(t.Context(), order, at); !errors.Is(err, fault.Conflict) {
			t.Errorf("another of the same reference: %v", err)
		}
		// A reference names the invoice, and whose it is; what is too much becomes credit.
		second := pay(t, s, at, PaymentOrder{Amount: eur(4000), Reference: "Rechnung r 3 vom Mai"})
		if settledText(second.Settled) != "R-3 payment 3600" || second.Credit != 400 || second.Slug != "acme" {
			t.Errorf("by reference: %+v", second)
		}
		stands(t, s, "R-1 paid 0, R-2 partially_paid 2200, R-3 paid 0")
		// The credit pays R-2 by hand.
		used, err := s.ApplyCredit(t.Context(), CreditOrder{Tenant: "acme", Amount: 300, By: "test"}, at)
		if err != nil || settledText(used.Settled) != "R-2 credit 300" || used.Left != 100 {
			t.Errorf("credit by hand: %+v, %v", used, err)
		}
		// And what is left of it the next invoice, in its own transaction.
		next := runAt(t, s, day(t, "2026-06-02"))
		if len(next.Issued) != 1 || next.Issued[0].State != InvoicePartlyPaid || next.Issued[0].Open != 3500 {
			t.Errorf("the next invoice: %+v", next.Issued)
		}
		sound(t, s, 4)
		// The bank takes the second payment back. Its credit was spent: that is open again.
		reverse := ReverseOrder{Payment: second.ID, Fee: 300, Reason: "no cover", By: "test"}
		reverse.DryRun = true
		shown, err := s.ReversePayment(t.Context(), reverse, day(t, "2026-06-03"))
		if want := "R-3 payment -3600, R-4 credit -100, R-2 credit -300"; err != nil || settledText(shown.Reopened) != want {
			t.Errorf("a reversal would reopen %s, %v", settledText(shown.Reopened), err)
		}
		reverse.DryRun, reverse.Expect = false, shown.Fingerprint
		back, err := s.ReversePayment(t.Context(), reverse, day(t, "2026-06-03"))
		if err != nil || !back.Done || back.Reversed == nil {
			t.Errorf("a reversal: %+v, %v", back, err)
		}
		stands(t, s, "R-1 paid 0, R-2 partially_paid 2200, R-3 issued 3600, R-4 issued 3600")
		if again, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: second.ID, Reason: "no cover", By: "test"}, day(t, "2026-06-04")); err != nil || !again.Again {
			t.Errorf("reversed again: %+v, %v", again, err)
		}
		if cash, fees := balance(t, d, journal.CashClearing), balance(t, d, journal.Fees); cash != 4950-300 || fees != 350 {
			t.Errorf("cash %d and fees %d", cash, fees)
		}
		sound(t, s, 4)
		list, next2, err := s.Payments(t.Context(), PaymentFilter{Tenant: "acme", Limit: 1})
		if err != nil || len(list) != 1 || list[0].ID != second.ID || list[0].Reversed == nil || next2 == "" {
			t.Errorf("the first page: %+v, %v", list, err)
		}
		if list, _, err = s.Payments(t.Context(), PaymentFilter{Invoice: "R-2"}); err != nil || len(list) != 1 || list[0].ID != first.ID {
			t.Errorf("payments of R-2: %+v, %v", list, err)
		}
		for _, statement := range []string{`UPDATE billing_payments SET amount = 1`, `DELETE FROM billing_payments`, `UPDATE billing_settlements SET amount = 1`,
			`DELETE FROM billing_settlements`, `UPDATE billing_reversals SET fee = 0`, `DELETE FROM billing_reversals`,
			`INSERT INTO billing_settlements SELECT 'x', invoice_id, kind, source, 2201, entry_id, at, actor FROM billing_settlements WHERE amount = 1400`,
			`INSERT INTO billing_settlements SELECT 'x', invoice_id, kind, source, -1401, entry_id, at, actor FROM billing_settlements WHERE amount = 1400`} {
			if err := d.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), statement); return err }); err == nil {
				t.Errorf("the database took %q", statement)
			}
		}
	})
}

func TestPaymentsThatAreRefused(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Key: "k"})
	for name, o := range map[string]PaymentOrder{
		"nothing":            {Tenant: "acme", Amount: eur(0)},
		"less than nothing":  {Tenant: "acme", Amount: eur(-1)},
		"too much":           {Tenant: "acme", Amount: eur(maxMinor + 1)},
		"another currency":   {Tenant: "acme", Amount: money.New(1, "USD")},
		"no currency":        {Tenant: "acme", Amount: money.New(1, "EURO")},
		"a fee beyond it":    {Tenant: "acme", Amount: eur(5), Fee: 6},
		"nobody's":           {Amount: eur(5), Reference: "thanks, R-99"},
		"no such tenant":     {Tenant: "nosuch", Amount: eur(5)},
		"a day to come":      {Tenant: "acme", Amount: eur(5), At: "2026-05-11"},
		"no day":             {Tenant: "acme", Amount: eur(5), At: "yesterday"},
		"a paid invoice":     {Tenant: "acme", Amount: eur(5), Invoices: []string{"R-1"}},
		"no such invoice":    {Tenant: "acme", Amount: eur(5), Invoices: []string{"R-9"}},
		"an invoice twice":   {Tenant: "acme", Amount: eur(5), Invoices: []string{"R-2", "R-2"}},
		"a control in a key": {Tenant: "acme", Amount: eur(5), Key: "a\x00b"},
	} {
		if b, err := s.RecordPayment(t.Context(), o, at); err == nil {
			t.Errorf("%s: %+v", name, b)
		} else if kind := fault.KindOf(err); kind == fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.ApplyCredit(t.Context(), CreditOrder{Tenant: "acme"}, at); !errors.Is(err, fault.Conflict) {
		t.Errorf("credit that there is not: %v", err)
	}
	if _, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: "k"}, at); !errors.Is(err, fault.Invalid) {
		t.Errorf("a reversal without a reason: %v", err)
	}
	if _, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: "k", Reason: "x", At: "2026-05-09"}, at); !errors.Is(err, fault.Invalid) {
		t.Errorf("a reversal before the payment: %v", err)
	}
	stands(t, s, "R-1 paid 0, R-2 issued 3600, R-3 issued 3600")
	sound(t, s, 3)
}

func TestNumbersInReferences(t *testing.T) {
	series := []string{"R-", "2026/", "RE", "CR-", "-"}
	for text, want := range map[string]string{
		"R-12":                                  "R-12",
		"Inv. r 12, with thanks":                "R-12",
		"R12":                                   "R-12",
		"R-1 and R-2, R-1":                      "R-1 R-2",
		"R-1,R-2":                               "R-1 R-2",
		"CR-4":                                  "CR-4",
		"RE7 R7":                                "RE7 R-7",
		"2026/14":                               "2026/14",
		"2026 14":                               "2026/14",
		"202614":                                "",
		"XR-12 R-012 R- R-12345678901234567890": "",
		"":                                      "",
		"12 - 3":                                "",
		"ſR-1 ß R-2":                            "R-2",
	} {
		var got []string
		for _, n := range namedIn(text, series) {
			got = append(got, fmt.Sprint(n.series, n.number))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q names %q, want %q", text, got, want)
		}
	}
}

// Writers that book the same line of a bank beside each other book it once.
func TestOneLineOfABankIsBookedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		var wait sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wait.Go(func() {
				b, err := s.RecordPayment(t.Context(), PaymentOrder{Tenant: "acme", Amount: eur(5000), Key: "line 7", By: "test"}, at)
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
				ids[i] = b.ID
			})
		}
		wait.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("two payments of one line: %v", ids)
			}
		}
		if list, _, err := s.Payments(t.Context(), PaymentFilter{}); err != nil || len(list) != 1 {
			t.Errorf("%d payments, %v", len(list), err)
		}
		stands(t, s, "R-1 paid 0, R-2 partially_paid 2200, R-3 issued 3600")
		// Different lines beside each other settle no invoice twice.
		for i := range 8 {
			wait.Go(func() {
				if _, err := s.RecordPayment(t.Context(), PaymentOrder{Tenant: "acme", Amount: eur(1000), Key: fmt.Sprint("other ", i), By: "test"}, at); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		stands(t, s, "R-1 paid 0, R-2 paid 0, R-3 paid 0")
		if credit := -balance(t, d, journal.AccountCredit); credit != 5000+8000-3*3600 {
			t.Errorf("credit is %d", credit)
		}
		sound(t, s, 3)
	})
}

// Whatever comes in and is taken back, in whatever order: the journal adds up, tenants
// owe what their invoices have open, and no credit is spent twice.
func TestMoneyAddsUp(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	var payments []string
	for step := range 150 {
		random := rand.New(rand.NewPCG(7, uint64(step)))
		at = at.Add(time.Duration(random.IntN(4*24)) * time.Hour)
		var err error
		what := random.IntN(13)
		invoice := fmt.Sprintf("R-%d", 1+random.IntN(12))
		switch {
		case what < 4:
			o := PaymentOrder{Tenant: "acme", Amount: eur(1 + random.Int64N(8000)), By: "test"}
			o.Fee = random.Int64N(min(100, o.Amount.Minor))
			if random.IntN(3) == 0 {
				o.Reference = fmt.Sprintf("R-%d", 1+random.IntN(12))
			}
			var b Booking
			if b, err = s.RecordPayment(t.Context(), o, at); err == nil {
				payments = append(payments, b.ID)
			}
		case what < 6 && len(payments) > 0:
			_, err = s.ReversePayment(t.Context(), ReverseOrder{Payment: payments[random.IntN(len(payments))], Reason: "no cover", Fee: random.Int64N(400), By: "test"}, at)
		case what < 8:
			_, err = s.ApplyCredit(t.Context(), CreditOrder{Tenant: "acme", Amount: random.Int64N(3000), By: "test"}, at)
		case what < 10:
			o := NoteOrder{Invoice: invoice, Full: what == 8, Reason: "outage", By: "test"}
			if !o.Full {
				o.Amount = 1 + random.Int64N(1500)
			}
			_, err = s.CreditInvoice(t.Context(), o, at)
		case what < 11 && step%4 == 0:
			_, err = s.WriteOffInvoice(t.Context(), WriteOffOrder{Invoice: invoice, Reason: "insolvent", By: "test"}, at)
		default:
			runAt(t, s, at)
		}
		if err != nil && !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.NotFound) {
			t.Fatalf("step %d: %v", step, err)
		}
		list, _, err := s.Invoices(t.Context(), IssuedFilter{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var open int64
		for _, i := range list {
			open += i.Open
		}
		if owed, credit := balance(t, d, journal.Receivable), balance(t, d, journal.AccountCredit); owed != open || credit > 0 {
			t.Fatalf("step %d: owed %d, open %d, credit %d", step, owed, open, -credit)
		}
	}
	checks, err := s.VerifyBilling(t.Context())
	if err != nil || checks[0].Count < 5 {
		t.Fatalf("%+v, %v", checks, err)
	}
	sound(t, s, checks[0].Count)
}

// A payment settles invoices of its own currency alone.
func TestAPaymentInAnotherCurrencySettlesNothing(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	_, err := s.RecordPayment(t.Context(), PaymentOrder{Tenant: "acme", Amount: money.New(3600, "USD"), Invoices: []string{"R-1"}, By: "test"}, at)
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "R-1 is in EUR, the payment in USD") {
		t.Errorf("in dollars: %v", err)
	}
	if list, _, err := s.Payments(t.Context(), PaymentFilter{}); err != nil || len(list) != 0 {
		t.Errorf("booked: %+v, %v", list, err)
	}
}
