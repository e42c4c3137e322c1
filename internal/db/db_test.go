package db_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
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

// ids are the ids of table rows, in order.
func ids(t testing.TB, d *db.DB) string {
	t.Helper()
	rows, err := d.Read().QueryContext(context.WithoutCancel(t.Context()), `SELECT id FROM rows_written ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// withRows is a database with an empty table of ids.
func withRows(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
		fn(t, d)
	})
}

func insert(ctx context.Context, q db.Queryer, id string) error {
	_, err := q.ExecContext(ctx, `INSERT INTO rows_written (id) VALUES ($1)`, id)
	return err
}

// eventually polls until done, and fails the test after ten seconds.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("ten seconds passed and not yet: %s", what)
		}
	}
}

func TestReadCannotWrite(t *testing.T) {
	withRows(t, func(t *testing.T, d *db.DB) {
		if err := insert(t.Context(), d.Read(), "a"); err == nil {
			t.Error("the read pool inserted a row")
		}
		if got := ids(t, d); got != "" {
			t.Errorf("rows are %q", got)
		}
	})
}

func TestConstraintsAreToldApart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `CREATE TABLE parents (id TEXT PRIMARY KEY, email TEXT UNIQUE, age BIGINT CHECK (age >= 0))`)
		exec(t, d, `CREATE TABLE children (id TEXT PRIMARY KEY, parent_id TEXT NOT NULL REFERENCES parents (id))`)
		exec(t, d, `CREATE UNIQUE INDEX children_of ON children (parent_id)`)
		exec(t, d, `INSERT INTO parents (id, email) VALUES ('p', 'p@example.com'), ('q', NULL)`)
		exec(t, d, `INSERT INTO children (id, parent_id) VALUES ('c', 'p')`)

		for _, tt := range []struct {
			name, query               string
			unique, foreignKey, check bool
		}{
			{"a primary key twice", `INSERT INTO parents (id) VALUES ('p')`, true, false, false},
			{"a unique column twice", `INSERT INTO parents (id, email) VALUES ('r', 'p@example.com')`, true, false, false},
			{"a unique index twice", `INSERT INTO children (id, parent_id) VALUES ('d', 'p')`, true, false, false},
			{"a child of nobody", `INSERT INTO children (id, parent_id) VALUES ('d', 'nobody')`, false, true, false},
			{"a parent taken from a child", `DELETE FROM parents WHERE id = 'p'`, false, true, false},
			{"a check", `INSERT INTO parents (id, age) VALUES ('r', -1)`, false, false, true},
			{"not null", `INSERT INTO children (id) VALUES ('d')`, false, false, false},
			{"no such table", `INSERT INTO nowhere (id) VALUES ('d')`, false, false, false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				err := d.Write(t.Context(), func(tx *sql.Tx) error {
					_, err := tx.ExecContext(t.Context(), tt.query)
					return err
				})
				if err == nil {
					t.Fatal("the statement succeeded")
				}
				if u, f, c := db.IsUnique(err), db.IsForeignKey(err), db.IsCheck(err); u != tt.unique || f != tt.foreignKey || c != tt.check {
					t.Errorf("%v\nunique, foreign key, check = %t, %t, %t, want %t, %t, %t", err, u, f, c, tt.unique, tt.foreignKey, tt.check)
				}
			})
		}
	})
}

func TestNowIsTheDatabasesClock(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			before := time.Now()
			first, err := d.Now(t.Context(), tx)
			if err != nil {
				return err
			}
			if off := first.Sub(before); off < -time.Second || off > 10*time.Second {
				t.Errorf("the database says %v when it is %v", first, before)
			}
			if first.Location() != time.UTC {
				t.Errorf("Now is in %v", first.Location())
			}
			eventually(t, "the clock moves within a transaction", func() bool {
				second, err := d.Now(t.Context(), tx)
				return err != nil || second.After(first)
			})
			var due bool
			return tx.QueryRowContext(t.Context(), `SELECT `+db.Now+` > $1`, db.Micros(first)).Scan(&due)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestNowIsTheBubblesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.New(t)
		for range 3 {
			if now, err := d.Now(t.Context(), d.Read()); err != nil || !now.Equal(time.Now()) {
				t.Errorf("the database says %v, %v in a bubble where it is %v", now, err, time.Now())
			}
			time.Sleep(36 * time.Hour)
		}
	})
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	type payload struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		column := "TEXT"
		if d.Engine() == db.Postgres {
			column = "JSONB"
		}
		exec(t, d, `CREATE TABLE kept (id BIGINT PRIMARY KEY, at BIGINT, data `+column+`, done INTEGER)`)
		at := time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.FixedZone("", 3600))
		in := payload{"snapshot", []string{"a", "ü", `"`}}
		exec(t, d, `INSERT INTO kept (id, at, data) VALUES ($1, $2, $3)`, 1, db.NullTime{Time: at}, db.JSON[payload]{V: in})
		exec(t, d, `INSERT INTO kept (id, at, data) VALUES ($1, $2, $3)`, 2, db.NullTime{}, nil)

		var gotAt db.NullTime
		got := db.JSON[payload]{V: payload{Name: "left over"}}
		row := func(n int) {
			t.Helper()
			if err := d.Read().QueryRowContext(t.Context(), `SELECT at, data FROM kept WHERE id = $1`, n).Scan(&gotAt, &got); err != nil {
				t.Fatal(err)
			}
		}
		if row(1); !gotAt.Time.Equal(at.Truncate(time.Microsecond)) || gotAt.Time.Location() != time.UTC {
			t.Errorf("time = %v, want %v to the microsecond, in UTC", gotAt.Time, at)
		}
		if got.V.Name != in.Name || len(got.V.Tags) != 3 || got.V.Tags[1] != "ü" || got.V.Tags[2] != `"` {
			t.Errorf("JSON = %+v, want %+v", got.V, in)
		}
		if row(2); !gotAt.Time.IsZero() || got.V.Name != "" || got.V.Tags != nil {
			t.Errorf("NULL = %v and %+v, want zeros", gotAt.Time, got.V)
		}
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	notADatabase := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("This is not a database. ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, url string
		kind      fault.Kind
		says      string
	}{
		{"another scheme", "mysql://localhost/x", fault.Invalid, "sqlite:// or postgres://"},
		{"nothing", "", fault.Invalid, "sqlite:// or postgres://"},
		{"a relative path", "sqlite://data/x.db", fault.Invalid, "absolute path"},
		{"a missing directory", "sqlite://" + filepath.Join(dir, "missing", "x.db"), fault.Unavailable, "does not exist"},
		{"a directory", "sqlite://" + dir, fault.Unavailable, "cannot be opened"},
		{"not a database", "sqlite://" + notADatabase, fault.Unavailable, "not a SQLite database"},
		{"a PostgreSQL URL that is none", "postgres://localhost:notaport/x", fault.Invalid, "cannot be read"},
		{"no PostgreSQL there", "postgres://someone@127.0.0.1:1/x", fault.Unavailable, "out of reach"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := db.Open(t.Context(), tt.url, db.Options{})
			if err == nil {
				d.Close()
				t.Fatal("it opened")
			}
			if !errors.Is(err, tt.kind) || !strings.Contains(fault.Message(err), tt.says) {
				t.Errorf("got %s: %s\nwant %s that says %q", fault.KindOf(err), fault.Message(err), tt.kind, tt.says)
			}
		})
	}
}

func TestTheFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20c#d?.db") // nothing in a path is special
	d, err := db.Open(t.Context(), "sqlite://"+path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("the mode of the database%s is %o, want 600", suffix, mode)
		}
	}
}

func TestTheSettingsOfSQLite(t *testing.T) {
	d := dbtest.New(t)
	write, read := d.SQLDB()
	for _, tt := range []struct {
		pool         *sql.DB
		pragma, want string
	}{
		{write, "journal_mode", "wal"}, {write, "synchronous", "2"}, {write, "foreign_keys", "1"}, {write, "query_only", "0"},
		{read, "journal_mode", "wal"}, {read, "foreign_keys", "1"}, {read, "query_only", "1"},
	} {
		var got string
		if err := tt.pool.QueryRowContext(t.Context(), "PRAGMA "+tt.pragma).Scan(&got); err != nil || got != tt.want {
			t.Errorf("%s = %q, %v, want %q", tt.pragma, got, err, tt.want)
		}
	}
	if err := write.QueryRowContext(t.Context(), `SELECT "no such column"`).Err(); err == nil {
		t.Error("a double-quoted name that is no column is taken for a string")
	}
}
