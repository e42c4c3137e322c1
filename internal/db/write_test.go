package db_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// both are the two ways to write, which share most of their promises.
var both = []struct {
	name  string
	write func(*db.DB, context.Context, func(*sql.Tx) error) error
}{
	{"Write", (*db.DB).Write},
	{"WriteFenced", func(d *db.DB, ctx context.Context, fn func(*sql.Tx) error) error {
		return d.WriteFenced(ctx, "key", fn)
	}},
}

func eachWrite(t *testing.T, fn func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error)) {
	withRows(t, func(t *testing.T, d *db.DB) {
		for _, w := range both {
			t.Run(w.name, func(t *testing.T) {
				exec(t, d, `DELETE FROM rows_written`)
				fn(t, d, func(fn func(*sql.Tx) error) error { return w.write(d, t.Context(), fn) })
			})
		}
	})
}

func TestAnErrorRollsBack(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		mine := errors.New("mine")
		err := write(func(tx *sql.Tx) error {
			if err := insert(t.Context(), tx, "a"); err != nil {
				return err
			}
			d.AfterCommit(tx, func() { t.Error("AfterCommit ran after a rollback") })
			return mine
		})
		if !errors.Is(err, mine) {
			t.Errorf("the error is %v, want mine", err)
		}
		if got := ids(t, d); got != "" {
			t.Errorf("rows are %q", got)
		}
	})
}

func TestAPanicRollsBackAndGoesOn(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("recovered %v, want boom", v)
				}
			}()
			err := write(func(tx *sql.Tx) error {
				if err := insert(t.Context(), tx, "a"); err != nil {
					return err
				}
				panic("boom")
			})
			t.Errorf("it returned %v instead of panicking", err)
		}()
		if err := write(func(tx *sql.Tx) error { return insert(t.Context(), tx, "b") }); err != nil {
			t.Errorf("after a panic: %v", err)
		}
		if got := ids(t, d); got != "b" {
			t.Errorf("rows are %q, want b alone", got)
		}
	})
}

func TestNestingIsRefused(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		err := write(func(tx *sql.Tx) error {
			for _, inner := range both {
				// A ctx that knows nothing of the outer call.
				err := inner.write(d, context.WithoutCancel(t.Context()), func(tx *sql.Tx) error { return insert(t.Context(), tx, "inner") })
				if err == nil || !strings.Contains(err.Error(), "inside a transaction") {
					t.Errorf("a nested %s returned %v", inner.name, err)
				}
			}
			return insert(t.Context(), tx, "outer")
		})
		if err != nil {
			t.Errorf("the outer one: %v", err)
		}
		if got := ids(t, d); got != "outer" {
			t.Errorf("rows are %q, want outer alone", got)
		}
		// The goroutine is free again, also after a panic.
		func() {
			defer func() { _ = recover() }()
			_ = write(func(*sql.Tx) error { panic("boom") })
		}()
		if err := write(func(tx *sql.Tx) error { return insert(t.Context(), tx, "z") }); err != nil {
			t.Error(err)
		}
	})
}

func TestAWriteOfAnotherDatabaseIsNotNested(t *testing.T) {
	outer, inner := dbtest.New(t), dbtest.New(t)
	exec(t, inner, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	err := outer.Write(t.Context(), func(*sql.Tx) error {
		return inner.Write(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "a") })
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAfterCommitRunsOnceInOrderAfterTheCommit(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		var ran []string
		err := write(func(tx *sql.Tx) error {
			d.AfterCommit(tx, func() { ran = append(ran, "first sees "+ids(t, d)) })
			d.AfterCommit(tx, func() {
				ran = append(ran, "second")
				exec(t, d, `INSERT INTO rows_written (id) VALUES ('b')`) // writing is not nesting here
			})
			return insert(t.Context(), tx, "a")
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"first sees a", "second"}; !slices.Equal(ran, want) {
			t.Errorf("AfterCommit ran %q, want %q", ran, want)
		}
		if got := ids(t, d); got != "a b" {
			t.Errorf("rows are %q, want a b", got)
		}
	})
}

func TestAfterCommitRefusesAStrangersTransaction(t *testing.T) {
	d := dbtest.New(t)
	defer func() {
		if recover() == nil {
			t.Error("AfterCommit took a transaction that is over")
		}
	}()
	var kept *sql.Tx
	if err := d.Write(t.Context(), func(tx *sql.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	d.AfterCommit(kept, func() {})
}

// Two writes read what the other writes. PostgreSQL ends one of them with
// 40001, after which it runs again and sees the other.
func TestWriteRunsAgainAfterASerializationFailure(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Postgres(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)

	var saw []int
	hooks := 0
	err = d.Write(t.Context(), func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM rows_written`).Scan(&n); err != nil {
			return err
		}
		saw = append(saw, n)
		d.AfterCommit(tx, func() { hooks++ })
		if len(saw) == 1 {
			done := make(chan error)
			go func() {
				done <- d.Write(t.Context(), func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM rows_written`).Scan(&n); err != nil {
						return err
					}
					return insert(t.Context(), tx, "theirs")
				})
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		return insert(t.Context(), tx, "mine")
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1}; !slices.Equal(saw, want) {
		t.Errorf("the attempts saw %v rows, want %v", saw, want)
	}
	if hooks != 1 {
		t.Errorf("AfterCommit ran %d times for one commit", hooks)
	}
}

// Only a process that has not gone through the data directory's lock can hold
// SQLite's write lock, such as a backup.
func TestABusySQLiteIsContended(t *testing.T) {
	url := dbtest.SQLite(t)
	first, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	impatient, _ := second.SQLDB()
	if _, err := impatient.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	exec(t, first, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)

	locked, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- first.Write(t.Context(), func(*sql.Tx) error { close(locked); <-release; return nil })
	}()
	<-locked
	_, err = impatient.BeginTx(t.Context(), nil)
	if !db.IsContended(err) {
		t.Errorf("BEGIN beside a writer gave %v, which is not retried", err)
	}
	tries := 0
	waited := make(chan error)
	go func() {
		waited <- second.Write(t.Context(), func(tx *sql.Tx) error { tries++; return insert(t.Context(), tx, "a") })
	}()
	close(release)
	if err := errors.Join(<-done, <-waited); err != nil || tries != 1 {
		t.Errorf("the second writer got %v after %d tries", err, tries)
	}
}

func TestWriteEndsWithItsContext(t *testing.T) {
	withRows(t, func(t *testing.T, d *db.DB) {
		for _, w := range both {
			ctx, cancel := context.WithCancel(t.Context())
			err := w.write(d, ctx, func(tx *sql.Tx) error {
				if err := insert(ctx, tx, "a"); err != nil {
					return err
				}
				cancel()
				return insert(ctx, tx, "b")
			})
			if !errors.Is(err, context.Canceled) || errors.Is(err, db.ErrCommitUnknown) {
				t.Errorf("%s: %v, want the context's end", w.name, err)
			}
			cancel()
			if err := w.write(d, ctx, func(*sql.Tx) error { t.Error("fn ran"); return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("%s with a context that is over: %v", w.name, err)
			}
		}
		if got := ids(t, d); got != "" {
			t.Errorf("rows are %q", got)
		}
	})
}

func TestAFullDiskSaysWhatToDo(t *testing.T) {
	for _, w := range both {
		t.Run(w.name, func(t *testing.T) {
			d := dbtest.New(t)
			exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
			writer, _ := d.SQLDB()
			var pages int
			if err := writer.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
				t.Fatal(err)
			}
			if err := writer.QueryRowContext(t.Context(), "PRAGMA max_page_count = 1").Scan(&pages); err != nil { // as few as there are
				t.Fatal(err)
			}
			err := w.write(d, t.Context(), func(tx *sql.Tx) error {
				if err := insert(t.Context(), tx, "before"); err != nil {
					return err
				}
				full := insert(t.Context(), tx, strings.Repeat("x", 1<<20))
				if full == nil {
					t.Error("a megabyte went into a full database")
				}
				// SQLite has ended the transaction. What comes now would be
				// committed alone if it were let through.
				if err := insert(t.Context(), tx, "after"); err == nil {
					t.Error("a statement ran outside the transaction")
				}
				return nil // nor does ignoring the errors help
			})
			if !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "is full") {
				t.Errorf("got %s: %v", fault.KindOf(err), err)
			}
			if got := ids(t, d); got != "" {
				t.Errorf("rows are %.40q", got)
			}
			exec(t, d, "PRAGMA max_page_count = 1000000")
			exec(t, d, `INSERT INTO rows_written (id) VALUES ('a')`)
		})
	}
}

func TestAReadOnlyDatabaseSaysWhatToDo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
		writer, _ := d.SQLDB()
		writer.SetMaxOpenConns(1)
		setting := "PRAGMA query_only = 1"
		if d.Engine() == db.Postgres { // for this connection, and those that are made later
			setting = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
				SET default_transaction_read_only = on; END $$`
		}
		if _, err := writer.ExecContext(t.Context(), setting); err != nil {
			t.Fatal(err)
		}
		for _, w := range both {
			err := w.write(d, t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "a") })
			if !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "read-only") {
				t.Errorf("%s: got %s: %v", w.name, fault.KindOf(err), err)
			}
		}
	})
}

func TestCloseWaitsForWritesAndRefusesNewOnes(t *testing.T) {
	for _, w := range both {
		t.Run(w.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			d, err := db.Open(t.Context(), "sqlite://"+path, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
			inside, release := make(chan struct{}), make(chan struct{})
			written, closed := make(chan error, 1), make(chan error, 1)
			go func() {
				written <- w.write(d, t.Context(), func(tx *sql.Tx) error {
					close(inside)
					<-release
					return insert(t.Context(), tx, "a")
				})
			}()
			<-inside
			go func() { closed <- d.Close() }()
			eventually(t, "Close refuses new writes", func() bool {
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // one that gets in must not wait
				return errors.Is(w.write(d, ctx, func(*sql.Tx) error { return nil }), fault.Unavailable)
			})
			select {
			case err := <-closed:
				t.Errorf("Close returned %v before the write was done", err)
			default:
			}
			close(release)
			if err := errors.Join(<-written, <-closed); err != nil {
				t.Error(err)
			}
			again, err := db.Open(t.Context(), "sqlite://"+path, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if got := ids(t, again); got != "a" {
				t.Errorf("rows are %q, want a", got)
			}
		})
	}
}
