package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

func bankText(b BankImport) string {
	var all []string
	for _, l := range b.Lines {
		text := fmt.Sprintf("%d %s", l.Line, l.Match)
		if l.Payment != nil {
			text += fmt.Sprintf(" %s: %s, %d credit", l.Payment.Slug, settledText(l.Payment.Settled), l.Payment.Credit)
		}
		if l.Why != "" && l.Match != MatchDuplicate {
			text += " (" + l.Why + ")"
		}
		if len(l.Candidates) > 0 {
			text += " " + strings.Join(l.Candidates, ",")
		}
		for _, p := range l.Problems {
			text += fmt.Sprintf(" [%s: %s]", p.Column, p.Why)
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

// statement is as a German bank writes it: columns, decimals and dates of its own.
const bankStatement = "Buchungstag;Betrag;Verwendungszweck;Auftraggeber;Referenz;Saldo\n" +
	"05.05.2026;36,00;Rechnung r 1;Acme;S-1;1\n" + // exact
	"05.05.2026;30,00;R-2 danke;Acme;S-2;1\n" + // too little
	"06.05.2026;-1.500,00;Miete;Landlord;S-3;1\n" +
	"06.05.2026;36,00;danke;zeta ltd;S-4;1\n" + // by name and amount
	"06.05.2026;36,00;danke;Somebody;S-5;1\n" + // could be of three by then
	"07.05.2026;1.234,56;was auch immer;Somebody;S-6;1\n" +
	"05.05.2026;36,00;Rechnung r 1;Acme;S-1;1\n" // again

func bankFile() BankFile {
	return BankFile{CSV: bankStatement, Currency: "EUR", Comma: true, Dates: "DD.MM.YYYY", By: "test",
		Columns: map[string]string{"date": "Buchungstag", "amount": "Betrag", "reference": "Verwendungszweck", "payer": "Auftraggeber", "bank_ref": "Referenz"}}
}

// owingTwo is a house in which acme has open, and zeta one of.
func owingTwo(t *testing.T, d *db.DB) (*Service, time.Time) {
	t.Helper()
	s, at := owing(t, d)
	if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "zeta", Name: "Zeta Ltd"}, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutCustomer(t.Context(), "zeta", Profile{Issuer: "main", Currency: "EUR"}, "test", noon); err != nil {
		t.Fatal(err)
	}
	subscribe(t, s, Order{Tenant: "zeta", Plan: "basic@1", From: "2026-05-01"}, at)
	if done := runAt(t, s, at.Add(time.Hour)); len(done.Issued) != 1 || done.Issued[0].Ref() != "R-4" {
		t.Fatalf("%+v", done.Issued)
	}
	return s, at.Add(time.Hour)
}

func TestImportPayments(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owingTwo(t, d)
		ctx := t.Context()
		f := bankFile()
		f.DryRun = true
		dry, err := s.ImportPayments(ctx, f, at)
		if err != nil {
			t.Fatal(err)
		}
		want := `2 exact acme: R-1 payment 3600, 0 credit
3 differs acme: R-2 payment 3000, 0 credit (6.00 EUR too little)
4 outgoing (not money that came in)
5 exact zeta: R-4 payment 3600, 0 credit
6 ambiguous (it names no invoice; these have this amount open) R-3
7 unmatched (it names no invoice, and none has this amount open)
8 duplicate`
		if diff := cmp.Diff(want, bankText(dry)); diff != "" || dry.Done {
			t.Errorf("what would be booked (-want +got):\n%s", diff)
		}
		stands(t, s, "R-1 issued 3600, R-2 issued 3600, R-3 issued 3600, R-4 issued 3600")
		f.DryRun, f.Expect = false, "another"
		if _, err := s.ImportPayments(ctx, f, at); err == nil {
			t.Error("other than was looked at was booked")
		}
		f.Expect = dry.Fingerprint
		done, err := s.ImportPayments(ctx, f, at)
		if err != nil || !done.Done {
			t.Fatalf("%+v, %v", done, err)
		}
		stands(t, s, "R-1 paid 0, R-2 partially_paid 600, R-3 issued 3600, R-4 paid 0")
		// What is not certain is booked by hand, by the bank's reference; then the whole again.
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Invoices: []string{"R-3"}, Key: "S-5"})
		f.Expect = ""
		again, err := s.ImportPayments(ctx, f, at)
		if err != nil || again.Count(MatchDuplicate) != 5 || again.Count(MatchNone) != 1 {
			t.Errorf("again: %s, %v", bankText(again), err)
		}
		list, _, err := s.Payments(ctx, PaymentFilter{})
		if err != nil || len(list) != 4 {
			t.Errorf("%d payments, %v", len(list), err)
		}
		sound(t, s, 4)
	})
}

func TestABanksFileIsRefusedWhole(t *testing.T) {
	d := dbtest.New(t)
	s, at := owingTwo(t, d)
	f := BankFile{By: "test", CSV: "date,amount,currency,reference,tenant\n2026-05-05,36.00,EUR,R-1,\n5.5.2026,\"36,00\",EUR,R-1,\n2026-05-05,1,XXX,R-1,\n2026-05-05,36.00,EUR,R-1,zeta\n"}
	got, err := s.ImportPayments(t.Context(), f, at)
	if err != nil || got.Done || got.Fingerprint != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, want := range []string{"3 refused [amount: ", "[date: ", "4 refused [currency: "} {
		if !strings.Contains(bankText(got), want) {
			t.Errorf("%q is not told:\n%s", want, bankText(got))
		}
	}
	f.CSV = "date,amount,currency,reference,tenant\n2026-05-05,36.00,EUR,R-1,\n2026-05-05,36.00,EUR,R-2,zeta\n"
	if got, err = s.ImportPayments(t.Context(), f, at); err != nil || got.Done || got.Lines[1].Match != MatchRefused {
		t.Errorf("%s, %v", bankText(got), err)
	}
	stands(t, s, "R-1 issued 3600, R-2 issued 3600, R-3 issued 3600, R-4 issued 3600")
	// Without a bank's reference a line is known by all that it says; two of a kind are two.
	f.CSV = "date,amount,currency,reference\n2026-05-05,10.00,EUR,R-1\n2026-05-05,10.00,EUR,R-1\n"
	for want := range 2 {
		if got, err = s.ImportPayments(t.Context(), f, at); err != nil || got.Count(MatchDuplicate) != 2*want {
			t.Errorf("%s, %v", bankText(got), err)
		}
	}
	stands(t, s, "R-1 partially_paid 1600, R-2 issued 3600, R-3 issued 3600, R-4 issued 3600")
}

func TestAmountsOfBanks(t *testing.T) {
	for _, tt := range []struct {
		text  string
		comma bool
		want  string
	}{
		{"1,234.56", false, "1234.56"}, {"1.234,56", true, "1234.56"}, {"1 234,56", true, "1234.56"}, {"1'234.50", false, "1234.50"}, {"+5", false, "5.00"}, {"5.00-", false, "-5.00"},
		{"\u22125,00", true, "-5.00"}, {"36,00", false, ""}, {"36.00", true, ""}, {"1,23,456", false, ""}, {"--5", false, ""}, {"5-5", false, ""}, {"", false, ""}, {"1e3", false, ""},
		{"1.2.3", false, ""}, {"0.001", false, ""}, {"١", false, ""},
	} {
		got, err := BankFile{Comma: tt.comma}.amount(tt.text, "EUR")
		if (err != nil) != (tt.want == "") || err == nil && got.Decimal() != tt.want {
			t.Errorf("amount(%q, comma %v) = %s, %v, want %q", tt.text, tt.comma, got.Decimal(), err, tt.want)
		}
	}
}

func FuzzBankFile(f *testing.F) {
	f.Add(bankStatement, true)
	f.Add("date,amount,currency,bank_ref\n05.05.2026,\"1,000.00\",EUR,a\n", false)
	f.Fuzz(func(t *testing.T, text string, comma bool) {
		file := bankFile()
		if file.CSV, file.Comma = text, comma; !comma {
			file.Columns = nil
		}
		form := bankForm
		form.named = file.Columns
		sheet, err := readSheet(text, form)
		if err != nil {
			return
		}
		orders, lines, err := file.read(sheet, "02.01.2006")
		if err != nil {
			t.Fatal(err)
		}
		keys := make(map[string]int64)
		for n, l := range lines {
			switch {
			case l.Match == MatchRefused:
				if len(l.Problems) == 0 {
					t.Fatalf("line %d is refused, and not why", l.Line)
				}
			case l.Match == "":
				if o := orders[n]; o.Amount.Minor <= 0 || o.Key == "" || o.At == "" {
					t.Fatalf("line %d would be booked as %+v", l.Line, o)
				}
				if was, twice := keys[l.Key]; twice && strings.HasPrefix(l.Key, "line/") && was == l.Amount.Minor && !sheet.rows[n].has("bank_ref") {
					t.Fatalf("two lines have the key %s", l.Key)
				}
				keys[l.Key] = l.Amount.Minor
			}
			if a, err := money.Parse(l.Amount.Decimal(), l.Amount.Currency); l.Amount.Currency != "" && (err != nil || a != l.Amount) {
				t.Fatalf("line %d: %v is not read back", l.Line, l.Amount)
			}
		}
	})
}
