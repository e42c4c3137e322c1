package billing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

func credit(t *testing.T, s *Service, at time.Time, o NoteOrder) Note {
	t.Helper()
	o.Reason, o.By = "outage", "test"
	n, err := s.CreditInvoice(t.Context(), o, at)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCreditNotesByHand(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		order := NoteOrder{Invoice: "R-1", Amount: 1201}
		order.DryRun = true
		dry := credit(t, s, at, order)
		if dry.Number != 0 || dry.Done || dry.Total != 1201 || settledText(dry.Settled) != "R-1 credit_note 1201" {
			t.Errorf("a dry run: %+v", dry)
		}
		order.DryRun, order.Expect = false, dry.Fingerprint
		part := credit(t, s, at, order)
		if part.Ref() != part.Series+"1" || !strings.Contains(string(part.Document), `"tax_total":200`) || !strings.Contains(string(part.Document), `"invoice":"R-1"`) {
			t.Errorf("a part: %s %s", part.Ref(), part.Document)
		}
		stands(t, s, "R-1 partially_paid 2399, R-2 issued 3600, R-3 issued 3600, "+part.Ref()+" issued 0")
		// More than is still charged is refused, and so is what was never charged.
		for name, o := range map[string]NoteOrder{
			"more than is left": {Invoice: "R-1", Amount: 2400, Reason: "x"}, "no such line": {Invoice: "R-1", Line: 2, Reason: "x"},
			"no reason": {Invoice: "R-1", Full: true}, "nothing": {Invoice: "R-1", Reason: "x"}, "both": {Invoice: "R-1", Full: true, Line: 1, Reason: "x"},
			"a credit note": {Invoice: part.Ref(), Full: true, Reason: "x"}, "more of a line": {Invoice: "R-1", Line: 1, Amount: 2400, Reason: "x"},
		} {
			if n, err := s.CreditInvoice(t.Context(), o, at); err == nil || fault.KindOf(err) == fault.Internal {
				t.Errorf("%s: %+v, %v", name, n, err)
			}
		}
		// What is left is closed exactly: both notes together are the invoice, tax and all.
		rest := credit(t, s, at, NoteOrder{Invoice: "R-1", Full: true})
		if rest.Total != 2399 || rest.Of.State != InvoiceVoid || !strings.Contains(string(rest.Document), `"tax_total":400`) {
			t.Errorf("the rest: %d, %s, %s", rest.Total, rest.Of.State, rest.Document)
		}
		// A credit note of a paid invoice is credit of the account.
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Invoices: []string{"R-2"}})
		paid := credit(t, s, at, NoteOrder{Invoice: "R-2", Line: 1, Amount: 600})
		if paid.Credit != 600 || len(paid.Settled) != 0 || paid.Of.State != InvoicePaid {
			t.Errorf("of a paid invoice: %+v", paid)
		}
		if got := balance(t, d, journal.AccountCredit); got != -600 {
			t.Errorf("credit of the account is %d", -got)
		}
		if got := balance(t, d, journal.TaxPayable); got != -(3*600 - 600 - 100) {
			t.Errorf("tax payable is %d", got)
		}
		// And what is written off is bad debt, of which nothing is credited.
		if w, err := s.WriteOffInvoice(t.Context(), WriteOffOrder{Invoice: "R-3", Reason: "insolvent", By: "test"}, at); err != nil || w.Amount != 3600 || w.Of.State != InvoiceUncollectible {
			t.Errorf("written off: %+v, %v", w, err)
		}
		if _, err := s.CreditInvoice(t.Context(), NoteOrder{Invoice: "R-3", Full: true, Reason: "x"}, at); !errors.Is(err, fault.Conflict) {
			t.Errorf("credited after it was written off: %v", err)
		}
		if _, err := s.WriteOffInvoice(t.Context(), WriteOffOrder{Invoice: "R-3", Reason: "again", By: "test"}, at); !errors.Is(err, fault.Conflict) {
			t.Errorf("written off again: %v", err)
		}
		if got := balance(t, d, journal.BadDebt); got != 3600 {
			t.Errorf("bad debt is %d", got)
		}
		sound(t, s, 6)
	})
}

// What was credited by hand is not given back again when service ends in the past, and
// bills come out again as they were.
func TestWhatIsCreditedIsNotGivenBackTwice(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	credit(t, s, at, NoteOrder{Invoice: "R-2", Full: true})            // April
	credit(t, s, at, NoteOrder{Invoice: "R-3", Line: 1, Amount: 1800}) // half of May
	list, err := s.Subscriptions(t.Context(), "acme")
	if err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	if _, _, err := s.ChangeSubscription(t.Context(), list[0].ID, ChangeOrder{Type: CancelChange, When: "2026-04-01", By: "test"}, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	done := runAt(t, s, at.Add(2*time.Hour))
	var back int64
	for _, i := range done.Issued {
		back += i.Total
	}
	if back != -1800 { // of April and May, 72.00, 54.00 were credited
		t.Errorf("given back: %d, want -1800", back)
	}
	checks, err := s.VerifyBilling(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sound(t, s, checks[0].Count)
}

// What bills gave back is not credited by hand once more, of a line or of all, and
// the check finds where it was.
func TestWhatBillsGaveBackIsNotCreditedAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		list, err := s.Subscriptions(t.Context(), "acme")
		if err != nil || len(list) != 1 {
			t.Fatal(err)
		}
		if _, _, err := s.ChangeSubscription(t.Context(), list[0].ID, ChangeOrder{Type: CancelChange, When: "2026-04-11", By: "test"}, at.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		at = at.Add(2 * time.Hour)
		if done := runAt(t, s, at); len(done.Issued) == 0 {
			t.Fatal("nothing was given back")
		}
		for _, o := range []NoteOrder{{Invoice: "R-2", Amount: 1201}, {Invoice: "R-2", Line: 1, Amount: 1201}, {Invoice: "R-3", Full: true}, {Invoice: "R-3", Line: 1}} {
			o.Reason = "x"
			if n, err := s.CreditInvoice(t.Context(), o, at); !errors.Is(err, fault.Conflict) {
				t.Errorf("%+v credits %d, %v", o, n.Total, err)
			}
		}
		// A third of April was used: that is still charged, with its tax.
		if n := credit(t, s, at, NoteOrder{Invoice: "R-2", Full: true}); n.Total != 1200 || !strings.Contains(string(n.Document), `"tax_total":200`) {
			t.Errorf("credited: %d, %s", n.Total, n.Document)
		}
		checks, err := s.VerifyBilling(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sound(t, s, checks[0].Count)
	})
}

// A credit note is from who issued the invoice, also where somebody else bills the
// customer by now.
func TestACreditNoteIsOfTheInvoicesIssuer(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	c, err := s.Customer(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Issuers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutIssuer(t.Context(), Issuer{ID: "other", LegalName: "Other SAS", Series: "O-"}, "test", at); err != nil {
		t.Fatal(err)
	}
	c.Issuer = "other"
	if _, err := s.PutCustomer(t.Context(), "acme", c.Profile, "test", at); err != nil {
		t.Fatal(err)
	}
	n := credit(t, s, at, NoteOrder{Invoice: "R-1", Amount: 100})
	_, p, err := n.Read()
	if err != nil || n.Series != before[0].CreditSeries || p.Issuer.LegalName != before[0].LegalName {
		t.Errorf("%s is from %q, %v", n.Ref(), p.Issuer.LegalName, err)
	}
	moved := before[0]
	moved.Series, moved.CreditSeries = "N-", ""
	if _, err := s.PutIssuer(t.Context(), moved, "test", at); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreditInvoice(t.Context(), NoteOrder{Invoice: "R-1", Amount: 100, Reason: "x"}, at); !errors.Is(err, fault.Conflict) {
		t.Errorf("of a series that nobody has: %v", err)
	}
}

// Of a line no more is credited than it charges, though others of its invoice charge more.
func TestALineBoundsItsCreditNotes(t *testing.T) {
	d := dbtest.New(t)
	s := house(t, d, nil)
	a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: AddChange, Item: "extra", Plan: "pro@1", When: "2026-03-01", By: "test"}, day(t, "2026-02-21")); err != nil {
		t.Fatal(err)
	}
	at := day(t, "2026-03-05")
	if done := runAt(t, s, at); len(done.Issued) != 1 || done.Issued[0].Total != 3600+7200 {
		t.Fatalf("%+v", done.Issued)
	}
	credit(t, s, at, NoteOrder{Invoice: "R-1", Line: 1, Amount: 600})
	if n, err := s.CreditInvoice(t.Context(), NoteOrder{Invoice: "R-1", Line: 1, Amount: 3001, Reason: "x"}, at); !errors.Is(err, fault.Conflict) {
		t.Errorf("more than is left of a line: %d, %v", n.Total, err)
	}
	if n := credit(t, s, at, NoteOrder{Invoice: "R-1", Line: 1, Amount: 3000}); n.Total != 3000 {
		t.Errorf("the rest of it: %d", n.Total)
	}
	if _, err := s.CreditInvoice(t.Context(), NoteOrder{Invoice: "R-1", Line: 1, Reason: "x"}, at); !errors.Is(err, fault.Conflict) {
		t.Errorf("nothing is left of it: %v", err)
	}
}

func TestMoreGivenBackThanChargedIsFound(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	list, err := s.Subscriptions(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ChangeSubscription(t.Context(), list[0].ID, ChangeOrder{Type: CancelChange, When: "2026-04-11", By: "test"}, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	runAt(t, s, at.Add(2*time.Hour))
	issued, err := listIssued(t.Context(), d.Read(), IssuedFilter{Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	april := issued[slices.IndexFunc(issued, func(i Issued) bool { return i.Ref() == "R-2" })]
	for over, want := range map[int64]int{0: 0, 1: 1} {
		note := []credited{{Line: 1, Gross: 1200 + over, Tax: 200}} // a third of April was used
		catalog, err := s.StoredCatalog(t.Context(), "EUR")
		if err != nil {
			t.Fatal(err)
		}
		taken, err := takenBack(issued)
		if err != nil {
			t.Fatal(err)
		}
		r, err := remains(&april, catalog, [][]credited{note}, taken[april.ID])
		if err != nil || len(r.over) != want {
			t.Errorf("%d too much: %+v, %v", over, r, err)
		}
	}
}

// A bank says on which day it had a payment and not when: on the day of the invoice it
// comes after it, however early the day's beginning is.
func TestAPaymentOnTheDayOfItsInvoiceComesAfterIt(t *testing.T) {
	s := house(t, dbtest.New(t), nil)
	issued := day(t, "2026-03-01").Add(15 * time.Hour)
	subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: issued.Format(time.RFC3339)}, issued.Add(-time.Hour))
	if done := runAt(t, s, issued.Add(time.Hour)); len(done.Issued) != 1 {
		t.Fatalf("%+v", done.Issued)
	}
	p := pay(t, s, issued.Add(2*time.Hour), PaymentOrder{Tenant: "acme", Amount: eur(1000), At: "2026-03-01"})
	if p.PaidAt.After(issued) {
		t.Fatalf("paid at %v", p.PaidAt)
	}
	st, err := s.Statement(t.Context(), StatementOrder{Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	lines := st.Accounts[0].Lines
	if len(lines) != 2 || lines[0].Kind != "invoice" || lines[1].Kind != "payment" || lines[1].Balance != lines[0].Balance-1000 {
		t.Errorf("%+v", lines)
	}
	// What begins within the day has what was before it as its opening.
	part, err := s.Statement(t.Context(), StatementOrder{Tenant: "acme", From: "2026-03-01T12:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	if a := part.Accounts[0]; a.Opening != -1000 || len(a.Lines) != 1 || a.Lines[0].Balance != a.Closing || a.Closing != st.Accounts[0].Closing {
		t.Errorf("a part: %+v", a)
	}
}

func TestAStatementOfAccount(t *testing.T) {
	d := dbtest.New(t)
	s, at := owing(t, d)
	p := pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(5000), At: "2026-05-08"})
	credit(t, s, at, NoteOrder{Invoice: "R-3", Full: true})
	if _, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: p.ID, Reason: "no cover", By: "test"}, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	whole, err := s.Statement(t.Context(), StatementOrder{Tenant: "acme"})
	if err != nil || len(whole.Accounts) != 1 {
		t.Fatalf("%+v, %v", whole, err)
	}
	a := whole.Accounts[0]
	var kinds []string
	var sum int64
	for _, l := range a.Lines {
		kinds = append(kinds, l.Kind)
		if sum += l.Amount; l.Balance != sum {
			t.Errorf("the balance after %s is %d, want %d", l.Text, l.Balance, sum)
		}
	}
	if got := strings.Join(kinds, " "); got != "invoice invoice invoice payment invoice reversal" || a.Opening != 0 || a.Closing != 7200 {
		t.Errorf("%s, from %d to %d", got, a.Opening, a.Closing)
	}
	// A part of it begins where the part before it ends; the last day is included.
	april, err := s.Statement(t.Context(), StatementOrder{Tenant: "acme", From: "2026-04-01", To: "2026-05-08"})
	if a := april.Accounts[0]; err != nil || a.Opening != 3600 || a.Closing != 5800 || len(a.Lines) != 3 {
		t.Errorf("a part: %+v, %v", a, err)
	}
	for _, o := range []StatementOrder{{Tenant: "nosuch"}, {Tenant: "acme", From: "x"}, {Tenant: "acme", From: "2026-05-01", To: "2026-04-01"}} {
		if _, err := s.Statement(t.Context(), o); err == nil || fault.KindOf(err) == fault.Internal {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// The parts of a line add up to it, its tax too, however they are rounded.
func TestPartsOfALineCloseIt(t *testing.T) {
	for _, tt := range []struct {
		gross, tax int64
		parts      []int64
	}{{3, 1, []int64{1, 1, 1}}, {100, 17, []int64{33, 33, 34}}, {119, 19, []int64{119}}, {5, 0, []int64{2, 3}}} {
		whole := credited{Line: 1, Gross: tt.gross, Tax: tt.tax}
		left := whole
		for _, gross := range tt.parts {
			part := partOf(whole, left, gross)
			if part.Tax < 0 || part.Tax > part.Gross {
				t.Errorf("%d of %d with tax %d has the tax %d", gross, tt.gross, tt.tax, part.Tax)
			}
			left.Gross, left.Tax = left.Gross-part.Gross, left.Tax-part.Tax
		}
		if left.Gross != 0 || left.Tax != 0 {
			t.Errorf("%v of %d with tax %d leave %+v", tt.parts, tt.gross, tt.tax, left)
		}
	}
}

// Usage that was credited by hand and turns out to be less is not given back once more.
func TestUsageThatIsCreditedIsNotGivenBackTwice(t *testing.T) {
	d := dbtest.New(t)
	event := metering.Event{Line: 1, Source: "app", ID: "1", Type: "api.call", At: day(t, "2026-03-12"), RecordedAt: day(t, "2026-03-12"), Data: metering.Data{"n": metering.Value("700")}}
	s := New(d, func(context.Context, Asked) (Facts, error) { return Facts{Events: []metering.Event{event}}, nil }, nil)
	apply(t, s, strings.Replace(plans, `"19"`, `"20"`, 1), noon)
	customer(t, d, s)
	subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
	at := day(t, "2026-04-05")
	issued := runAt(t, s, at).Issued
	usage := issued[len(issued)-1]
	if usage.Purpose != Arrears || usage.Total != 8400 {
		t.Fatalf("%+v", usage)
	}
	credit(t, s, at, NoteOrder{Invoice: usage.Ref(), Amount: 6000})
	event.CorrectedAt = day(t, "2026-04-10") // voided: all of it would go back
	var back int64
	for _, i := range runAt(t, s, day(t, "2026-05-10")).Issued {
		if i.Purpose == Arrears {
			back += i.Total
		}
	}
	if back != -2400 {
		t.Errorf("given back: %d, want -2400", back)
	}
	checks, err := s.VerifyBilling(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sound(t, s, checks[0].Count)
}
