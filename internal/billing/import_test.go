package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/journal"
)

// bring imports a file as it was shown, or shows what is refused.
func bring(t *testing.T, s *Service, kind ImportKind, csv string, at time.Time) Import {
	t.Helper()
	o := ImportOrder{Kind: kind, CSV: csv, By: "test", Rehearsal: Rehearsal{DryRun: true}}
	dry, err := s.Import(t.Context(), o, at)
	if err != nil {
		t.Fatal(err)
	}
	if dry.Done {
		t.Fatalf("a dry run was done: %+v", dry)
	}
	if dry.Fingerprint == "" { // lines are refused
		return dry
	}
	o.Rehearsal = Rehearsal{Expect: dry.Fingerprint}
	done, err := s.Import(t.Context(), o, at)
	if err != nil || !done.Done {
		t.Fatalf("%+v, %v", done, err)
	}
	return done
}

// linesOf is what became of lines, with what is wrong.
func linesOf(i Import) string {
	var all []string
	for _, l := range i.Lines {
		text := fmt.Sprintf("%d %s %s", l.Line, l.Name, l.Action)
		if l.What != "" {
			text += " " + l.What
		}
		if l.Amount.Minor != 0 {
			text += fmt.Sprintf(" %d", l.Amount.Minor)
		}
		for _, p := range l.Problems {
			text += fmt.Sprintf(" [%s: %s]", p.Column, p.Why)
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

func became(t *testing.T, i Import, want string) {
	t.Helper()
	if diff := cmp.Diff(want, linesOf(i)); diff != "" {
		t.Errorf("the lines became something else (-want +got):\n%s", diff)
	}
}

const arrivals = `slug;name;issuer;currency;zone;legal_name;line1;city;country;tax_ids;taxes;terms_days
acme;Acme;main;EUR;Europe/Berlin;Acme GmbH;Hauptstr. 2;Berlin;DE;eu_vat:DE136695976;vat;14
zeta;=cmd();main;eur;UTC;;;;;;;
`

func TestImportCustomers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		became(t, bring(t, s, ImportCustomers, arrivals, noon), "2 acme changed legal name, address, tax ids, taxes\n3 zeta added tenant and customer")
		acme, err := s.Customer(t.Context(), "acme")
		if err != nil || acme.LegalName != "Acme GmbH" || acme.TermsDays != 14 || !cmp.Equal(acme.TaxesAt(noon), []string{"vat"}) || acme.Address.City != "Berlin" {
			t.Errorf("acme: %+v, %v", acme, err)
		}
		zeta, err := s.Customer(t.Context(), "zeta")
		if err != nil || zeta.LegalName != "=cmd()" || zeta.Currency != "EUR" {
			t.Errorf("zeta: %+v, %v", zeta, err)
		}
		// The same file changes nothing; a file with fewer columns leaves the others.
		became(t, bring(t, s, ImportCustomers, arrivals, noon.Add(time.Hour)), "2 acme unchanged\n3 zeta unchanged")
		became(t, bring(t, s, ImportCustomers, "slug,terms_days\nacme,30\n", noon), "2 acme changed terms")
		if acme, err = s.Customer(t.Context(), "acme"); err != nil || acme.TermsDays != 30 || acme.LegalName != "Acme GmbH" || len(acme.Address.Lines) != 1 {
			t.Errorf("acme: %+v, %v", acme, err)
		}
	})
}

func TestAnImportRefusesAllThatIsWrongAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		file := "slug,issuer,currency,zone,country,tax_ids,terms_days,taxes\n" +
			"fine,main,EUR,UTC,DE,,14,vat\n" +
			"Bad Slug,main,EUX,Mars/Base,Germany,DE1,soon,\n" +
			"other,nobody,EUR,,,,,\n" +
			"fine,main,EUR,,,,,\n" +
			"more,main,EUR,,,,,nosuch,x\n"
		got := bring(t, s, ImportCustomers, file, noon)
		for _, want := range []string{"3 Bad Slug refused [slug:", "[currency:", "[zone:", "[country:", "[tax_ids:", "[terms_days:", "4 other refused [issuer:", "5 fine refused [slug: The slug stands twice",
			"6 more refused [: The line has 9 fields, and the heading 8.]"} {
			if !strings.Contains(linesOf(got), want) {
				t.Errorf("%q is not told:\n%s", want, linesOf(got))
			}
		}
		if _, err := s.Customer(t.Context(), "fine"); err == nil {
			t.Error("a file with refused lines was imported in part")
		}
		// An apply without a look is refused as a whole too.
		done, err := s.Import(t.Context(), ImportOrder{Kind: ImportCustomers, CSV: file, By: "test"}, noon)
		if err != nil || done.Done || done.Count(ImportRefused) != 4 {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

func TestImportSubscriptions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		const file = "key,tenant,plan,from,quantity,anchor_day,taxes\nold-1,acme,basic@1,2026-03-01,,,vat\nold-2,acme,pro@1,2026-03-10,2,10,\n"
		at := day(t, "2026-02-20")
		done := bring(t, s, ImportSubscriptions, file, at)
		// The first bills: March and April in advance with tax, and two months of two licences without.
		became(t, done, "2 old-1 added acme basic@1 from 2026-02-28T23:00:00Z 7200\n3 old-2 added acme pro@1 from 2026-03-09T23:00:00Z 24000")
		all, err := s.Subscriptions(ctx, "acme")
		if err != nil || len(all) != 2 || all[1].AnchorDay != 10 || string(all[0].ID) != done.Lines[0].Subject {
			t.Fatalf("%+v, %v", all, err)
		}
		// The same lines again, in whatever order of columns, are those that were imported.
		again := bring(t, s, ImportSubscriptions, "plan,key,tenant,from,taxes\nbasic@1,old-1,acme,2026-03-01,vat\n", at.Add(time.Hour))
		became(t, again, "2 old-1 unchanged imported before")
		if all, err = s.Subscriptions(ctx, ""); err != nil || len(all) != 2 {
			t.Errorf("%d subscriptions, %v", len(all), err)
		}
		refused := bring(t, s, ImportSubscriptions, "key,tenant,plan,from,quantity,anchor_day,coupons\nold-1,acme,pro@1,2026-03-01,,,\nnew,nobody,basic@1,2026-03-01,,,\n"+
			"new,acme,basic@9,2026-03-01,,,\nx,acme,basic@1,soon,none,40,\ny,acme,basic@1,2026-03-01,,,GIFT\n,,,,,,\nz,acme,,,,,\n", at)
		for _, want := range []string{"2 old-1 refused [key: It was imported before", "3 new refused [tenant:", "4 new refused [key: The key stands twice: line 3",
			"5 x refused [anchor_day:", "[from:", "[quantity:", "6 y refused [coupons:", "8 z refused [plan: It is empty.] [from: It is empty.]"} {
			if !strings.Contains(linesOf(refused), want) {
				t.Errorf("%q is not told:\n%s", want, linesOf(refused))
			}
		}
		if run := runAt(t, s, day(t, "2026-03-12")); len(run.Issued) != 2 {
			t.Errorf("%d documents", len(run.Issued))
		}
		sound(t, s, 2)
	})
}

func TestImportBalances(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		ctx := t.Context()
		const file = "key,tenant,amount,currency,date,note\nb-1,acme,120.00,EUR,2026-02-01,old invoices\nb-2,acme,-20,EUR,2026-02-01,\nb-3,acme,0,EUR,2026-02-01,\n"
		done := bring(t, s, ImportBalances, file, at)
		became(t, done, "2 b-1 added acme owes 120.00 EUR 12000\n3 b-2 added acme has 20.00 EUR to its credit -2000\n4 b-3 unchanged acme owed nothing")
		became(t, bring(t, s, ImportBalances, file, at.Add(time.Hour)), "2 b-1 unchanged imported before\n3 b-2 unchanged imported before\n4 b-3 unchanged acme owed nothing")
		st, err := s.Statement(ctx, StatementOrder{Tenant: "acme"})
		if err != nil || len(st.Accounts) != 1 || st.Accounts[0].Closing != 3*3600+10000 || st.Accounts[0].Lines[0].Kind != "opening" ||
			st.Accounts[0].Lines[0].Text != "opening balance: old invoices" {
			t.Fatalf("the statement: %+v, %v", st, err)
		}
		// What was brought along is paid first; what an invoice is named for goes there, and the rest to it.
		if b := pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(5000), Key: "one"}); b.Carried != 5000 || len(b.Settled) != 0 || b.Credit != 0 {
			t.Errorf("a payment of what is oldest: %+v", b)
		}
		second := pay(t, s, at, PaymentOrder{Reference: "R-2", Amount: eur(4000), Key: "two"})
		if second.Carried != 400 || settledText(second.Settled) != "R-2 payment 3600" {
			t.Errorf("a payment for R-2: %+v", second)
		}
		if u, err := s.ApplyCredit(ctx, CreditOrder{Tenant: "acme", By: "test"}, at); err != nil || u.Carried != 2000 || u.Left != 0 {
			t.Errorf("credit: %+v, %v", u, err)
		}
		if got := balance(t, d, journal.Carried); got != 12000-5000-400-2000 {
			t.Errorf("%d are carried", got)
		}
		if p, err := s.Payment(ctx, "two"); err != nil || p.Carried != 400 || p.Credit != 0 {
			t.Errorf("read back: %+v, %v", p, err)
		}
		third := pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(4600 + 2*3600 + 500), Key: "three"})
		if third.Carried != 4600 || third.Credit != 500 {
			t.Errorf("all of it: %+v", third)
		}
		stands(t, s, "R-1 paid 0, R-2 paid 0, R-3 paid 0")
		if _, err := s.ReversePayment(ctx, ReverseOrder{Payment: "three", Reason: "no cover", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		if got := balance(t, d, journal.Carried); got != 4600 {
			t.Errorf("%d are carried after a reversal", got)
		}
		sound(t, s, 3)
		refused := bring(t, s, ImportBalances, "key,tenant,amount,currency,date\nb-1,acme,1,EUR,2026-02-01\nb-4,acme,1.005,EUR,2099-01-01\nb-5,acme,1,USD,2026-02-01\nb-6,nobody,1,EUR,2026-02-01\n", at)
		for _, want := range []string{"2 b-1 refused [key:", "3 b-4 refused [amount:", "[date:", "4 b-5 refused [currency:", "5 b-6 refused [tenant:"} {
			if !strings.Contains(linesOf(refused), want) {
				t.Errorf("%q is not told:\n%s", want, linesOf(refused))
			}
		}
	})
}

// TestReversalTakesBackWhatCreditPaid shows that credit which paid a balance that was
// brought along can be taken back with the payment that it came of.
func TestReversalTakesBackWhatCreditPaid(t *testing.T) {
	d := dbtest.New(t)
	s, ctx := house(t, d, nil), t.Context()
	pay(t, s, noon, PaymentOrder{Tenant: "acme", Amount: eur(3000), Key: "early"})
	bring(t, s, ImportBalances, "key,tenant,amount,currency,date\nb,acme,25,EUR,2026-02-01\n", noon)
	if u, err := s.ApplyCredit(ctx, CreditOrder{Tenant: "acme", By: "test"}, noon); err != nil || u.Carried != 2500 || u.Left != 500 {
		t.Fatalf("%+v, %v", u, err)
	}
	if _, err := s.ReversePayment(ctx, ReverseOrder{Payment: "early", Reason: "no cover", By: "test"}, noon); err != nil {
		t.Fatal(err)
	}
	if carried, credit := balance(t, d, journal.Carried), balance(t, d, journal.AccountCredit); carried != 2500 || credit != 0 {
		t.Errorf("%d are carried, %d are credit", carried, credit)
	}
	sound(t, s, 0)
}

func FuzzSheet(f *testing.F) {
	f.Add(arrivals)
	f.Add("key,tenant,plan,from\n\"a\nb\",x,y,z\n,,,\n")
	f.Add("\ufeffslug\tname\na\tb\tc\n")
	f.Fuzz(func(t *testing.T, text string) {
		for kind, form := range forms {
			s, err := readSheet(text, form)
			if err != nil {
				continue
			}
			line := 1
			for _, r := range s.rows {
				if r.Line <= line {
					t.Fatalf("%s: line %d follows line %d", kind, r.Line, line)
				}
				line = r.Line
				for _, name := range form.required {
					if r.text(name) == "" && len(r.Problems) == 0 {
						t.Fatalf("%s: line %d lacks %s, and nothing is said", kind, line, name)
					}
				}
				if again, err := readSheet(strings.Join(s.heading, ",")+"\n", form); err == nil && len(again.rows) != 0 {
					t.Fatal("a heading alone has rows")
				}
				_ = r.content()
			}
		}
	})
}
