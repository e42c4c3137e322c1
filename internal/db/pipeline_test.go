package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

var (
	insertRows = db.NewBulk(`INSERT INTO rows_written (id) SELECT id FROM given`, db.Column{Name: "id"})
	renameRows = db.NewBulk(`UPDATE rows_written SET id = given.new FROM given WHERE rows_written.id = given.old RETURNING id`,
		db.Column{Name: "old"}, db.Column{Name: "new"})
	countRows = db.NewBulk(`SELECT count(*) FROM rows_written, given WHERE rows_written.id <> given.id`, db.Column{Name: "id"})
)

func rowsOf(ids ...string) (rows [][]any) {
	for _, id := range ids {
		rows = append(rows, []any{id})
	}
	return rows
}

func TestAPipelineRunsInOrderAndReadsRows(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		var count int
		var renamed string
		err := write(func(tx *sql.Tx) error {
			err := d.Pipeline(t.Context(), tx,
				db.Statement{Bulk: insertRows, Rows: rowsOf("a", "b")},
				db.Statement{Bulk: insertRows},
				db.Statement{Bulk: renameRows, Rows: [][]any{{"a", "c"}, {"z", "y"}}, Answer: func(scan func(...any) error) error { return scan(&renamed) }},
				db.Statement{Bulk: insertRows, Rows: rowsOf("d")},
			)
			if err != nil {
				return err
			}
			return tx.QueryRowContext(t.Context(), `SELECT count(*) FROM rows_written`).Scan(&count)
		})
		if err != nil || count != 3 || renamed != "c" {
			t.Errorf("the pipeline read %d rows and the answer %q, %v, want 3 and c", count, renamed, err)
		}
		if got := ids(t, d); got != "b c d" {
			t.Errorf("rows are %q, want b c d", got)
		}
	})
}

func TestALookReadsOutsideATransaction(t *testing.T) {
	double := db.NewBulk(`SELECT n, 2 * n FROM given`, db.Column{Name: "n", Type: db.Integer})
	broken := db.NewBulk(`SELECT n FROM given, nowhere`, db.Column{Name: "n", Type: db.Integer})
	withRows(t, func(t *testing.T, d *db.DB) {
		for _, count := range []int{0, 1, 100} {
			var rows [][]any
			for n := range count {
				rows = append(rows, []any{int64(n)})
			}
			seen := make(map[int64]int64)
			err := d.Look(t.Context(), db.Statement{Bulk: double, Rows: rows, Answer: func(scan func(...any) error) error {
				var n, twice int64
				err := scan(&n, &twice)
				seen[n] = twice
				return err
			}})
			if err != nil || len(seen) != count || count > 0 && seen[int64(count-1)] != int64(2*count-2) {
				t.Errorf("of %d rows %d were answered, the last with %d, %v", count, len(seen), seen[int64(count-1)], err)
			}
			err = d.Look(t.Context(), db.Statement{Bulk: broken, Rows: rows, Answer: func(func(...any) error) error { return nil }})
			if wrong := count > 0; (err != nil) != wrong {
				t.Errorf("looking for %d rows in a table that is not there: %v", count, err)
			}
		}
	})
}

// Every type, with its NULL, comes back as it was given, whatever the number of
// rows; JSON keeps its text.
func TestABulkKeepsItsValues(t *testing.T) {
	withRows(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `CREATE TABLE kept (n BIGINT PRIMARY KEY, word TEXT, flag BOOLEAN, doc `+map[db.Engine]string{db.SQLite: "TEXT", db.Postgres: "JSON"}[d.Engine()]+`)`)
		insert := db.NewBulk(`INSERT INTO kept (n, word, flag, doc) SELECT n, word, flag, doc FROM given`,
			db.Column{Name: "n", Type: db.Integer}, db.Column{Name: "word"}, db.Column{Name: "flag", Type: db.Boolean}, db.Column{Name: "doc", Type: db.Object})
		for _, n := range []int{1, 2, 3, 31, 32, 33, 100, 300} {
			exec(t, d, `DELETE FROM kept`)
			var given [][]any
			for i := range n {
				row := []any{int64(i) - 1<<40, fmt.Sprintf("wörd %d \"{,}'", i), i%2 == 0, fmt.Sprintf(`{"b": %d,"a":[null, "x"]}`, i)}
				if i%3 == 0 {
					row[1], row[2], row[3] = nil, nil, nil
				}
				given = append(given, row)
			}
			err := d.WriteFenced(t.Context(), "k", func(tx *sql.Tx) error {
				return d.Pipeline(t.Context(), tx, db.Statement{Bulk: insert, Rows: given})
			})
			if err != nil {
				t.Fatal(err)
			}
			kept := keptRows(t, d)
			if diff := cmp.Diff(given, kept); diff != "" {
				t.Fatalf("%d rows (-given +kept):\n%s", n, diff)
			}
		}
	})
}

func keptRows(t *testing.T, d *db.DB) (kept [][]any) {
	t.Helper()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT n, word, flag, CAST(doc AS TEXT) FROM kept ORDER BY n`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var word, doc sql.NullString
		var flag sql.NullBool
		if err := rows.Scan(&number, &word, &flag, &doc); err != nil {
			t.Fatal(err)
		}
		row := []any{number, nil, nil, nil}
		if word.Valid || flag.Valid || doc.Valid {
			row = []any{number, word.String, flag.Bool, doc.String}
		}
		kept = append(kept, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return kept
}

// The first error is the write's, with its code, also where nobody awaits the
// statement's answer, and nothing stays.
func TestAPipelineFailsAsAWhole(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		one := func(id string) db.Statement { return db.Statement{Bulk: insertRows, Rows: rowsOf(id)} }
		mine := errors.New("mine")
		for _, tt := range []struct {
			name   string
			bad    []db.Statement
			wanted func(error) bool
		}{
			{"a key twice", []db.Statement{one("a"), one("b")}, db.IsUnique},
			{"a key twice, before an answer", []db.Statement{one("a"), {
				Bulk: countRows, Rows: rowsOf("z"), Answer: func(func(...any) error) error { return nil },
			}}, db.IsUnique},
			{"an answer that is refused", []db.Statement{{
				Bulk: countRows, Rows: rowsOf("z"), Answer: func(func(...any) error) error { return mine },
			}}, func(err error) bool { return errors.Is(err, mine) }},
			{"no such table", []db.Statement{{Bulk: db.NewBulk(`DELETE FROM nowhere WHERE id IN (SELECT id FROM given)`, db.Column{Name: "id"}), Rows: rowsOf("z")}},
				func(err error) bool { return err != nil }},
		} {
			err := write(func(tx *sql.Tx) error {
				return d.Pipeline(t.Context(), tx, append([]db.Statement{one("a")}, tt.bad...)...)
			})
			if !tt.wanted(err) || errors.Is(err, db.ErrCommitUnknown) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if got := ids(t, d); got != "" {
				t.Errorf("%s: rows are %q", tt.name, got)
			}
		}
		if err := write(func(tx *sql.Tx) error { return d.Pipeline(t.Context(), tx, one("c")) }); err != nil {
			t.Errorf("after the failures: %v", err)
		}
		if got := ids(t, d); got != "c" {
			t.Errorf("after the failures rows are %q, want c", got)
		}
	})
}

func TestAPipelineEndsWithItsContext(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		err := write(func(tx *sql.Tx) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return d.Pipeline(ctx, tx, db.Statement{Bulk: insertRows, Rows: rowsOf("a")})
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, db.ErrCommitUnknown) {
			t.Errorf("the write returned %v", err)
		}
		if got := ids(t, d); got != "" {
			t.Errorf("rows are %q", got)
		}
	})
}

// What was given to a pipeline is there for the statement that follows it in the
// transaction, and gone with the transaction.
func TestWhatAPipelineHoldsBackIsSeenAndRolledBack(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		mine := errors.New("mine")
		for _, look := range []bool{true, false} {
			err := write(func(tx *sql.Tx) error {
				if err := d.Pipeline(t.Context(), tx, db.Statement{Bulk: insertRows, Rows: rowsOf("a")}); err != nil {
					return err
				}
				var n int
				if look {
					if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM rows_written`).Scan(&n); err != nil || n != 1 {
						t.Errorf("the next statement sees %d rows, %v, want 1", n, err)
					}
				}
				return mine
			})
			if got := ids(t, d); !errors.Is(err, mine) || got != "" {
				t.Errorf("rows are %q after %v", got, err)
			}
		}
	})
}
