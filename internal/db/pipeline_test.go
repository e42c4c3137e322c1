package db_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

func TestAPipelineRunsInOrderAndReadsRows(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		var count int
		var first string
		var none db.NullTime
		err := write(func(tx *sql.Tx) error {
			return d.Pipeline(t.Context(), tx,
				db.Statement{SQL: `INSERT INTO rows_written (id) VALUES ($1)`, Args: []any{"a"}},
				db.Statement{SQL: `INSERT INTO rows_written (id) VALUES ($1) RETURNING id`, Args: []any{"b"}, Row: []any{&first}},
				db.Statement{SQL: `UPDATE rows_written SET id = 'c' WHERE id = $1`, Args: []any{"a"}},
				db.Statement{SQL: `SELECT count(*), CAST(NULL AS BIGINT) FROM rows_written`, Row: []any{&count, &none}},
			)
		})
		if err != nil || count != 2 || first != "b" || !none.Time.IsZero() {
			t.Errorf("the pipeline read %d, %q and %v, %v, want 2, b and nothing", count, first, none.Time, err)
		}
		if got := ids(t, d); got != "b c" {
			t.Errorf("rows are %q, want b c", got)
		}
	})
}

// The first error is the pipeline's, with its code, and nothing stays.
func TestAPipelineFailsAsAWhole(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		one := func(id string) db.Statement {
			return db.Statement{SQL: `INSERT INTO rows_written (id) VALUES ($1)`, Args: []any{id}}
		}
		for _, tt := range []struct {
			name   string
			bad    db.Statement
			wanted func(error) bool
		}{
			{"a key twice", one("a"), db.IsUnique},
			{"no row", db.Statement{SQL: `SELECT id FROM rows_written WHERE id = $1`, Args: []any{"z"}, Row: []any{new(string)}},
				func(err error) bool { return errors.Is(err, sql.ErrNoRows) }},
			{"no such table", db.Statement{SQL: `DELETE FROM nowhere WHERE id = $1`, Args: []any{"z"}}, func(err error) bool { return err != nil }},
		} {
			err := write(func(tx *sql.Tx) error { return d.Pipeline(t.Context(), tx, one("a"), tt.bad, one("b")) })
			if !tt.wanted(err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if got := ids(t, d); got != "" {
				t.Errorf("%s: rows are %q", tt.name, got)
			}
		}
		if err := write(func(tx *sql.Tx) error { return d.Pipeline(t.Context(), tx, one("c")) }); err != nil {
			t.Errorf("after the failures: %v", err)
		}
	})
}

func TestAPipelineEndsWithItsContext(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		err := write(func(tx *sql.Tx) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return d.Pipeline(ctx, tx, db.Statement{SQL: `INSERT INTO rows_written (id) VALUES ('a')`})
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, db.ErrCommitUnknown) {
			t.Errorf("the write returned %v", err)
		}
		if got := ids(t, d); got != "" {
			t.Errorf("rows are %q", got)
		}
	})
}
