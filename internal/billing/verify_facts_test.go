package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// tamper does to a database what its triggers would not let anybody do.
func tamper(t *testing.T, d *db.DB, trigger, table string, statements ...string) {
	t.Helper()
	q, _ := d.SQLDB()
	if trigger != "" && d.Engine() == db.Postgres {
		statements = append([]string{"DROP TRIGGER " + trigger + " ON " + table}, statements...)
	} else if trigger != "" {
		statements = append([]string{"DROP TRIGGER " + trigger}, statements...)
	}
	for _, statement := range statements {
		if _, err := q.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// found are the names of the checks that find something.
func found(t *testing.T, s *Service) (names []string) {
	t.Helper()
	checks, err := s.VerifyBilling(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if len(c.Wrong) > 0 {
			names = append(names, c.Name)
		}
	}
	return names
}

// rewrite is a statement that changes the document of an invoice.
func rewrite(d *db.DB, number, old, new string) string {
	text := `REPLACE(CAST(document AS TEXT), '` + old + `', '` + new + `')`
	if d.Engine() == db.Postgres {
		text = `CAST(` + text + ` AS JSON)`
	}
	return `UPDATE billing_invoices SET document = ` + text + ` WHERE series = 'R-' AND number = ` + number
}

// another is an empty database of the same engine.
func another(t *testing.T, d *db.DB) *db.DB {
	if d.Engine() == db.Postgres {
		return dbtest.NewPostgres(t)
	}
	return dbtest.New(t)
}

func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	const invoices = "billing_invoices"
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		life := func(from, to int, of string) string {
			return fmt.Sprintf(`INSERT INTO usage_lifetimes (urn, began_at, ended_at, began_seq, began_by, ended_by, account, kind, size, status, tenant_id)
				VALUES ('do:droplet:2', %d, NULLIF(%d, 0), 1, 'lists', 'lists', 'main', 'droplet', 's', 'active', %s)`, from, to, cmp.Or(of, "NULL"))
		}
		for _, tt := range []struct {
			check, trigger, table string
			statements            []string
		}{
			{check: "each event counts once", statements: []string{
				`INSERT INTO usage_events (tenant_id, source, id, hash, type, at, recorded_at, counts, data) VALUES ('t', 'app', '1', 'h', 'call', 1, 1, TRUE, '{}')`,
				`ALTER TABLE usage_events RENAME TO usage_events_once`,
				`CREATE TABLE usage_events AS SELECT * FROM usage_events_once UNION ALL SELECT * FROM usage_events_once`}},
			{check: "no service is billed twice", trigger: "billing_invoices_stay", table: invoices,
				statements: []string{rewrite(d, "2", "2026-03-31T22:00:00.000000Z", "2026-03-30T22:00:00.000000Z")}},
			{check: "billing runs go on from what was issued", statements: []string{`UPDATE billing_marks SET billed_to = 0`}},
			{check: "no resource is two tenants' at once", statements: []string{life(1, 5, "'ten_2'"), life(4, 8, "'ten_1'")}},
			{check: "no resource is two tenants' at once", statements: []string{life(1, 0, ""), life(4, 8, "'ten_1'")}},
			{check: "lives of resources have no gap", statements: []string{life(1, 5, ""), life(5, 8, "'ten_1'"), life(9, 0, "'ten_1'")}},
			{check: "numbers have no gap", statements: []string{`UPDATE billing_series SET last = last + 1`}},
			{check: "documents are as they were issued", statements: []string{`UPDATE billing_series SET last_hash = ''`}},
			{check: "credit is used in its order", trigger: "billing_invoices_stay", table: invoices, statements: []string{rewrite(d, "2", `"credit_applied":0`, `"credit_applied":1`)}},
			{check: "each line says what it came of", trigger: "billing_invoices_stay", table: invoices, statements: []string{rewrite(d, "1", `"amount":3000`, `"amount":3001`)}},
		} {
			t.Run(tt.check, func(t *testing.T) {
				d := another(t, d)
				s := house(t, d, nil)
				a := subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-02-20"))
				runAt(t, s, day(t, "2026-04-05"))
				if _, _, err := s.ChangeSubscription(t.Context(), a.ID, ChangeOrder{Type: PlanChange, Plan: "pro@1", When: "2026-04-16", By: "test"}, day(t, "2026-04-10")); err != nil {
					t.Fatal(err)
				}
				runAt(t, s, day(t, "2026-04-20"))
				sound(t, s, 3)
				tamper(t, d, tt.trigger, tt.table, tt.statements...)
				if got := found(t, s); !slices.Contains(got, tt.check) {
					t.Errorf("found only: %s", strings.Join(got, "; "))
				}
			})
		}
	})
}

// Money that is off is found, by each check whatever the others find.
func TestVerifyFindsMoneyThatIsOff(t *testing.T) {
	d := dbtest.New(t)
	const first = `(SELECT id FROM billing_invoices WHERE series = 'R-' AND number = 1)`
	posted := func(amount, account, key string) string {
		return `UPDATE journal_postings SET amount = amount + ` + amount + ` WHERE account = '` + account + `' AND entry_id IN (SELECT id FROM journal_entries WHERE key LIKE '` + key + `/%')`
	}
	for _, tt := range []struct {
		check, trigger, table string
		statements            []string
	}{
		{"lines, taxes and totals add up", "billing_invoices_stay", "billing_invoices", []string{rewrite(d, "1", `"subtotal":3000`, `"subtotal":3001`)}},
		{"lines, taxes and totals add up", "billing_invoices_stay", "billing_invoices", []string{rewrite(d, "1", `"tax_total":600`, `"tax_total":601`)}},
		{"lines, taxes and totals add up", "billing_invoices_stay", "billing_invoices", []string{`UPDATE billing_invoices SET due = due + 1`}},
		{"documents are in the journal", "journal_postings_stay", "journal_postings", []string{posted("1", "revenue", "invoice"), posted("-1", "tax_payable", "invoice")}},
		{"entries of the journal add up to nothing", "journal_postings_stay", "journal_postings", []string{posted("1", "revenue", "payment"), posted("1", "fees", "payment")}},
		{"entries of the journal add up to nothing", "", "", []string{`INSERT INTO journal_entries (id, key, at, entered_at, actor, description) VALUES ('x', 'x', 1, 1, 'x', 'x')`}},
		{"what tenants owe is what their invoices have open", "journal_postings_stay", "journal_postings", []string{posted("1", "receivable", "invoice")}},
		{"credit of subscriptions is what their documents leave", "journal_postings_stay", "journal_postings",
			[]string{`UPDATE journal_postings SET account = 'customer_credit' WHERE account = 'account_credit' AND entry_id IN (SELECT id FROM journal_entries WHERE key LIKE 'refund/%')`}},
		{"payments, refunds and what settles invoices are in the journal", "billing_payments_stay", "billing_payments", []string{`UPDATE billing_payments SET amount = amount + 1`}},
		{"payments, refunds and what settles invoices are in the journal", "billing_settlements_stay", "billing_settlements",
			[]string{`UPDATE billing_settlements SET amount = amount - 1 WHERE kind = 'credit_note'`}},
		{"payments, refunds and what settles invoices are in the journal", "billing_refunds_stay", "billing_refunds", []string{`UPDATE billing_refunds SET amount = amount + 1`}},
		{"payments, refunds and what settles invoices are in the journal", "billing_reversals_stay", "billing_reversals", []string{`UPDATE billing_reversals SET fee = fee + 1`}},
		{"no more is given back than was charged", "billing_credit_notes_stay", "billing_credit_notes", []string{`UPDATE billing_credit_notes SET total = total + 3600`}},
		{"states of invoices follow from what settled them", "", "",
			[]string{`INSERT INTO billing_states (invoice_id, seq, state, at, actor, reason) VALUES (` + first + `, 99, 'uncollectible', 1, 'x', 'x')`}},
		{"opening balances are in the journal, and paid once", "", "",
			[]string{`INSERT INTO billing_imports (kind, key, hash, subject, imported_at, imported_by) VALUES ('balances', 'x', 'x', 'x', 1, 'x')`}},
		{"opening balances are in the journal, and paid once", "journal_postings_stay", "journal_postings", []string{posted("-99999", "carried_forward", "opening")}},
	} {
		t.Run(tt.check, func(t *testing.T) {
			d := dbtest.New(t)
			s, at := owing(t, d)
			bring(t, s, ImportBalances, "key,tenant,amount,currency,date\nb-1,acme,10.00,EUR,2026-02-01\n", at)
			pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(1000 + 3600), Fee: 10, Key: "one"})
			pay(t, s, at, PaymentOrder{Amount: eur(3600 + 500), Invoices: []string{"R-2"}, Key: "two"})
			credit(t, s, at, NoteOrder{Invoice: "R-3", Amount: 1200})
			if _, err := s.RefundCredit(t.Context(), RefundOrder{Tenant: "acme", Amount: eur(300), Reason: "asked for", By: "test"}, at); err != nil {
				t.Fatal(err)
			}
			if _, err := s.ReversePayment(t.Context(), ReverseOrder{Payment: "one", Fee: 300, Reason: "no cover", By: "test"}, at); err != nil {
				t.Fatal(err)
			}
			sound(t, s, 4)
			tamper(t, d, tt.trigger, tt.table, tt.statements...)
			if got := found(t, s); !slices.Contains(got, tt.check) {
				t.Errorf("found only: %s", strings.Join(got, "; "))
			}
		})
	}
}

// An item that two plans bill at once is found, and one that goes from plan to plan is not.
func TestServiceBilledByTwoPlansIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		one, other []int64
		both       bool
	}{"side by side": {[]int64{0, 10}, []int64{10, 20}, false}, "at once": {[]int64{0, 10, 20, 30}, []int64{12, 15, 29, 40}, true}} {
		if _, both := meet(tt.one, tt.other); both != tt.both {
			t.Errorf("%s: %v", name, both)
		}
	}
	b := billedService{{"main", "a@1", "fee"}: {0: 1, 10: 0, 5: 0, 20: -1}, {"main", "b@1", "fee"}: {15: 1, 30: -1}}
	if got := b.twice(); len(got) != 1 || !strings.Contains(got[0], "main is billed by a@1 and b@1") {
		t.Errorf("found %v", got)
	}
	b[[3]string{"main", "a@1", "fee"}] = map[int64]int{0: 1, 15: -1, 20: 0} // taken back from 15 on
	if got := b.twice(); len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

// Lives that follow each other are whole, whoever's they are and whether they have ended.
func TestWholeLivesAreNotTorn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		for _, one := range []string{"'a', 1, 5, NULL", "'a', 5, 8, 'ten_1'", "'a', 8, NULL, 'ten_2'", "'b', 3, 4, NULL"} {
			tamper(t, d, "", "", `INSERT INTO usage_lifetimes (urn, began_at, ended_at, tenant_id, began_seq, began_by, ended_by, account, kind, size, status)
				VALUES (`+one+`, 1, 'lists', 'lists', 'main', 'droplet', 's', 'active')`)
		}
		if n, gaps, twice, err := s.meters.Torn(t.Context()); err != nil || n != 2 || len(gaps)+len(twice) != 0 {
			t.Errorf("%d lives, torn are %v and %v, %v", n, gaps, twice, err)
		}
	})
}

// Credit of an account that pays parts of two invoices at once is found, also where sums and
// states are as they would be of it.
func TestCreditOutOfOrderIsFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600 + 4600), Invoices: []string{"R-1"}})
		if _, err := s.ApplyCredit(t.Context(), CreditOrder{Tenant: "acme", By: "test"}, at); err != nil {
			t.Fatal(err)
		}
		stands(t, s, "R-1 paid 0, R-2 paid 0, R-3 partially_paid 2600")
		sound(t, s, 3)
		number := func(n int) string {
			return fmt.Sprintf(`(SELECT id FROM billing_invoices WHERE series = 'R-' AND number = %d)`, n)
		}
		tamper(t, d, "billing_settlements_stay", "billing_settlements",
			`UPDATE billing_settlements SET amount = amount - 500 WHERE kind = 'credit' AND invoice_id = `+number(2),
			`UPDATE billing_settlements SET amount = amount + 500 WHERE kind = 'credit' AND invoice_id = `+number(3),
			`INSERT INTO billing_states (invoice_id, seq, state, at, actor, reason) SELECT invoice_id, MAX(seq) + 1, 'partially_paid', MAX(at), 'x', 'x' FROM billing_states WHERE invoice_id = `+number(2)+` GROUP BY invoice_id`)
		if got := found(t, s); len(got) != 1 || got[0] != "credit is used in its order" {
			t.Errorf("found: %v", got)
		}
	})
}
