package db_test

import (
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// Each spender reads what is left and writes a spending when there is enough:
// a write skew, which only a serializable transaction rules out.
func TestWriteSpendsABalanceOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const balance, spenders, attempts = 100, 16, 12
		exec(t, d, `CREATE TABLE spendings (id TEXT PRIMARY KEY, amount BIGINT NOT NULL)`)

		var spent atomic.Int64
		var wg sync.WaitGroup
		for range spenders {
			wg.Go(func() {
				for range attempts {
					spends := false
					err := d.Write(t.Context(), func(tx *sql.Tx) error {
						var sum int64
						err := tx.QueryRowContext(t.Context(), `SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM spendings`).Scan(&sum)
						if spends = sum < balance; err != nil || !spends {
							return err
						}
						_, err = tx.ExecContext(t.Context(), `INSERT INTO spendings (id, amount) VALUES ($1, $2)`, newID(), 1)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					if spends {
						spent.Add(1)
					}
				}
			})
		}
		wg.Wait()
		var sum int64
		if err := d.Read().QueryRowContext(t.Context(), `SELECT CAST(SUM(amount) AS BIGINT) FROM spendings`).Scan(&sum); err != nil {
			t.Fatal(err)
		}
		if sum != balance || spent.Load() != balance {
			t.Errorf("%d spenders spent %d and were told %d, of a balance of %d", spenders, sum, spent.Load(), balance)
		}
	})
}
