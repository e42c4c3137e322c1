package journal_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func posting(a journal.Account, minor int64, c money.Currency) journal.Posting {
	return journal.Posting{Account: a, Tenant: "ten_1", Amount: money.New(minor, c)}
}

func post(t *testing.T, d *db.DB, key string, postings ...journal.Posting) error {
	t.Helper()
	return d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := journal.PostTx(t.Context(), tx, journal.Entry{Key: key, At: noon, EnteredAt: noon, Actor: "test", Postings: postings})
		return err
	})
}

func TestEntriesAddUpToNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		invoice := []journal.Posting{posting(journal.Receivable, 119, "EUR"), posting(journal.Revenue, -100, "EUR"), posting(journal.TaxPayable, -19, "EUR"),
			posting(journal.CustomerCredit, 0, "EUR")}
		if err := post(t, d, "invoice/1", invoice...); err != nil {
			t.Fatal(err)
		}
		if err := post(t, d, "invoice/1", invoice...); !errors.Is(err, fault.Conflict) {
			t.Errorf("the same cause twice: %v", err)
		}
		for name, postings := range map[string][]journal.Posting{
			"a cent off":           {posting(journal.Receivable, 119, "EUR"), posting(journal.Revenue, -118, "EUR")},
			"across currencies":    {posting(journal.Receivable, 119, "EUR"), posting(journal.Revenue, -119, "USD")},
			"nothing":              {},
			"only zero":            {posting(journal.Receivable, 0, "EUR")},
			"an account of no one": {posting("till", 1, "EUR"), posting(journal.Revenue, -1, "EUR")},
		} {
			if err := post(t, d, name, postings...); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		balances, err := journal.Balances(ctx, d.Read(), "ten_1")
		want := []journal.Balance{{journal.Receivable, "ten_1", money.New(119, "EUR")}, {journal.Revenue, "ten_1", money.New(-100, "EUR")}, {journal.TaxPayable, "ten_1", money.New(-19, "EUR")}}
		if diff := cmp.Diff(want, balances); err != nil || diff != "" {
			t.Errorf("balances: %v, %s", err, diff)
		}
		e, err := journal.Find(ctx, d.Read(), "invoice/1")
		if err != nil || len(e.Postings) != 3 {
			t.Errorf("Find = %+v, %v", e, err)
		}

		// The database itself refuses what the program would not do.
		for name, statements := range map[string][]string{
			"an entry that is off": {`INSERT INTO journal_entries (id, key, at, entered_at, actor, description) VALUES ('x', 'x', 1, 1, '', '')`,
				`INSERT INTO journal_postings (entry_id, line, account, tenant_id, currency, amount) VALUES ('x', 1, 'revenue', '', 'EUR', -1)`,
				`INSERT INTO journal_seals (entry_id) VALUES ('x')`},
			"an entry without postings": {`INSERT INTO journal_entries (id, key, at, entered_at, actor, description) VALUES ('y', 'y', 1, 1, '', '')`,
				`INSERT INTO journal_seals (entry_id) VALUES ('y')`},
			"a posting more":        {`INSERT INTO journal_postings (entry_id, line, account, tenant_id, currency, amount) VALUES ('` + e.ID + `', 9, 'revenue', '', 'EUR', -1)`},
			"another amount":        {`UPDATE journal_postings SET amount = amount + 1`},
			"another day":           {`UPDATE journal_entries SET at = 0`},
			"a posting less":        {`DELETE FROM journal_postings`},
			"an entry that is gone": {`DELETE FROM journal_entries`},
			"a seal that is gone":   {`DELETE FROM journal_seals`},
		} {
			err := d.Write(ctx, func(tx *sql.Tx) error {
				for _, statement := range statements {
					if _, err := tx.ExecContext(ctx, statement); err != nil {
						return err
					}
				}
				return nil
			})
			if err == nil {
				t.Errorf("the database took %s", name)
			}
		}
		if n, wrong, err := journal.Verify(ctx, d.Read()); n != 1 || len(wrong) != 0 || err != nil {
			t.Errorf("Verify = %d, %v, %v", n, wrong, err)
		}
	})
}
