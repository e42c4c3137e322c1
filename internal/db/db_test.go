package db_test

import (
	"database/sql"
	"testing"

	"go.uber.org/goleak"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newID() string { return id.New("row") }

// exec runs one statement in a Write.
func exec(t testing.TB, d *db.DB, query string, args ...any) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), query, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
