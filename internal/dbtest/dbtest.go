// Package dbtest gives tests a real database: a fresh, migrated one per test, on
// SQLite or on both engines.
//
// ARCADIA_TEST_POSTGRES names the PostgreSQL server (an account that may create
// databases). Without it each test binary starts a throw-away server, which ends
// with the binary however that ends. Where there is no PostgreSQL a test skips,
// unless ARCADIA_TEST_REQUIRE_POSTGRES or CI is set: then it fails.
package dbtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/schema"
)

// New returns a fresh migrated SQLite database in a file of its own, closed when
// the test ends. Inside a synctest bubble it belongs to the bubble.
func New(t testing.TB) *db.DB {
	t.Helper()
	return open(t, SQLite(t))
}

// Each runs fn as two subtests, "sqlite" and "postgres", each with a fresh
// migrated database.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, New(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, open(t, Postgres(t))) })
}

// Bench is Each of a benchmark.
func Bench(b *testing.B, fn func(b *testing.B, d *db.DB)) {
	b.Run("sqlite", func(b *testing.B) { fn(b, New(b)) })
	b.Run("postgres", func(b *testing.B) { fn(b, open(b, Postgres(b))) })
}

// SQLite returns the URL of a fresh migrated SQLite database, for tests that
// open it themselves.
func SQLite(t testing.TB) string {
	t.Helper()
	content, err := sqliteTemplate()
	if err != nil {
		t.Fatalf("migrate a SQLite database: %v", err)
	}
	return write(t, content)
}

// write returns the URL of a SQLite database whose file has this content.
func write(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "arcadia.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + path
}

// Save returns what is in a SQLite database, for [Restore].
func Save(t testing.TB, d *db.DB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "saved.db")
	q, _ := d.SQLDB()
	if _, err := q.ExecContext(t.Context(), `VACUUM INTO $1`, path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Restore is [New] with what [Save] has returned.
func Restore(t testing.TB, content []byte) *db.DB {
	t.Helper()
	return open(t, write(t, content))
}

// sqliteTemplate is the file of a migrated database, made once per test binary:
// writing it out again is many times faster than migrating.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "arcadia-dbtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if err := migrate(context.Background(), "sqlite://"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // Close has folded the log into it
})

func migrate(ctx context.Context, url string) error {
	d, err := db.Open(ctx, url, db.Options{})
	if err != nil {
		return err
	}
	if _, err := schema.Migrate(ctx, d); err != nil {
		d.Close()
		return err
	}
	return d.Close()
}

func open(t testing.TB, url string) *db.DB {
	t.Helper()
	// Small pools: many tests share one PostgreSQL.
	d, err := db.Open(t.Context(), url, db.Options{ReadConns: 4, WriteConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return d
}

// NewPostgres is [New] on PostgreSQL.
func NewPostgres(t testing.TB) *db.DB {
	t.Helper()
	return open(t, Postgres(t))
}
