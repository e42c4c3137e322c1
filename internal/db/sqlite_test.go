package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// While the rows of a query are open the same text runs again beside them, and
// the statements that are kept afterwards still work.
func TestAStatementRunsInsideItself(t *testing.T) {
	d := dbtest.New(t)
	exec(t, d, `CREATE TABLE nodes (id BIGINT PRIMARY KEY, parent BIGINT)`)
	exec(t, d, `INSERT INTO nodes (id, parent) VALUES (1, 0), (2, 1), (3, 1), (4, 2), (5, 4)`)
	var descend func(tx *sql.Tx, parent int) (string, error)
	descend = func(tx *sql.Tx, parent int) (string, error) {
		rows, err := tx.QueryContext(t.Context(), `SELECT id FROM nodes WHERE parent = $1 ORDER BY id`, parent)
		if err != nil {
			return "", err
		}
		defer rows.Close()
		var out strings.Builder
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return "", err
			}
			below, err := descend(tx, id)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "%d(%s)", id, below)
		}
		return out.String(), rows.Err()
	}
	for range 3 {
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			got, err := descend(tx, 0)
			if want := "1(2(4(5()))3())"; got != want {
				t.Errorf("the tree is %s, want %s", got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAKeptStatementSeesANewSchema(t *testing.T) {
	d := dbtest.New(t)
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	exec(t, d, `INSERT INTO rows_written (id) VALUES ('a')`)
	columns := func() int {
		t.Helper()
		var n int
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(t.Context(), `SELECT * FROM rows_written`)
			if err != nil {
				return err
			}
			defer rows.Close()
			names, err := rows.Columns()
			n = len(names)
			return errors.Join(err, rows.Err())
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := columns()
	exec(t, d, `ALTER TABLE rows_written ADD COLUMN note TEXT`)
	if after := columns(); before != 1 || after != 2 {
		t.Errorf("the table has %d columns and then %d, want 1 and 2", before, after)
	}
}

// More texts than are kept push each other out and stay right.
func TestManyStatements(t *testing.T) {
	d := dbtest.New(t)
	for round := range 2 {
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			for i := range 2 * db.MaxStatements {
				var got int
				query := fmt.Sprintf(`SELECT %d + $1`, i)
				if err := tx.QueryRowContext(t.Context(), query, round).Scan(&got); err != nil || got != i+round {
					return fmt.Errorf("%s with %d = %d, %w", query, round, got, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// SQLite ends the transaction when a statement is interrupted; what follows must
// not be committed one by one. The context ends while the statement is with the
// connection: one that has ended before costs the transaction nothing.
func TestAnInterruptedStatementEndsItsTransaction(t *testing.T) {
	const long = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000000)
		INSERT INTO rows_written (id) SELECT 'n' || max(i) FROM n`
	ctx, cancel := context.WithCancel(t.Context())
	d, err := db.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "arcadia.db"), db.Options{
		Around: func(what string, run func() error) error {
			if what == long {
				time.AfterFunc(10*time.Millisecond, cancel)
			}
			return run()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	err = d.Write(t.Context(), func(tx *sql.Tx) error {
		if err := insert(t.Context(), tx, "before"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, long); !errors.Is(err, context.Canceled) {
			t.Errorf("the interrupted statement returned %v", err)
		}
		if err := insert(t.Context(), tx, "after"); err == nil {
			t.Error("a statement ran after the transaction had ended")
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Write returned %v, want what ended the transaction", err)
	}
	if got := ids(t, d); got != "" {
		t.Errorf("rows are %q", got)
	}
	exec(t, d, `INSERT INTO rows_written (id) VALUES ('a')`)
}

// BenchmarkStatement is a small statement on SQLite through a Tx, whose text has
// been seen before and, for comparison, is new each time.
func BenchmarkStatement(b *testing.B) {
	for _, kept := range []bool{true, false} {
		b.Run(fmt.Sprintf("kept=%t", kept), func(b *testing.B) {
			d := dbtest.New(b)
			exec(b, d, `CREATE TABLE counters (id TEXT PRIMARY KEY, n BIGINT NOT NULL, note TEXT)`)
			exec(b, d, `INSERT INTO counters (id, n) VALUES ('a', 0)`)
			err := d.Write(b.Context(), func(tx *sql.Tx) error {
				for i := 0; b.Loop(); i++ {
					query := `UPDATE counters SET n = $2 + 1, note = $3 WHERE id = $1 AND n = $2`
					if !kept {
						query += fmt.Sprintf(" -- %d", i)
					}
					if _, err := tx.ExecContext(b.Context(), query, "a", i, "note"); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
