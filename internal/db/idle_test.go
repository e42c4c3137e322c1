package db_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// A process that stood still for too long has lost its transaction, and does it again.
func TestWriteBeginsAgainWhereItStoodStill(t *testing.T) {
	url := dbtest.Postgres(t)
	d, err := db.Open(t.Context(), url, db.Options{IdleInTx: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	attempts := 0
	err = d.Write(t.Context(), func(tx *sql.Tx) error {
		if err := insert(t.Context(), tx, "a"); err != nil {
			return err
		}
		var pid int
		if err := tx.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		if attempts++; attempts == 1 {
			eventually(t, "PostgreSQL ends the transaction", func() bool {
				var sessions int
				err := d.Read().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE pid = $1`, pid).Scan(&sessions)
				return err == nil && sessions == 0
			})
		}
		return insert(t.Context(), tx, "b")
	})
	if got := ids(t, d); err != nil || got != "a b" || attempts < 2 {
		t.Errorf("after %d attempts there are %q, %v", attempts, got, err)
	}
}
