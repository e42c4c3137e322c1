package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// A Type is the type of a [Column].
type Type int

// The types of columns, each with the Go type of its values; nil is NULL.
const (
	Text    Type = iota // string
	Integer             // int64
	Boolean             // bool
	Object              // JSON, as a string
)

// A Column is one of the rows that a [Bulk] statement reads.
type Column struct {
	Name string
	Type Type
}

// A Bulk is an SQL statement over many rows at once. It reads them FROM given,
// whose columns it was made with.
type Bulk struct {
	columns []Column
	sql     string
	text    string   // for PostgreSQL, whatever the number of rows
	texts   sync.Map // for SQLite, by the number of rows
}

// NewBulk returns a statement over rows of these columns.
func NewBulk(sql string, columns ...Column) *Bulk {
	var names, arrays, casts []string
	for i, c := range columns {
		element, value := "text", fmt.Sprintf("c%d", i)
		names = append(names, value)
		switch c.Type {
		case Integer:
			element = "bigint"
		case Boolean:
			element = "boolean"
		case Object:
			value = "CAST(" + value + " AS json)"
		}
		arrays = append(arrays, fmt.Sprintf("CAST($%d AS %s[])", i+1, element))
		casts = append(casts, value)
	}
	b := &Bulk{columns: columns, sql: sql}
	b.text = b.with("SELECT " + strings.Join(casts, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") + ") AS arrays(" + strings.Join(names, ", ") + ")")
	return b
}

func (b *Bulk) with(given string) string {
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = `"` + c.Name + `"`
	}
	return "WITH given(" + strings.Join(names, ", ") + ") AS (" + given + ") " + b.sql
}

// sqlite is the text for so many rows.
func (b *Bulk) sqlite(rows int) string {
	if text, ok := b.texts.Load(rows); ok {
		return text.(string)
	}
	row := ", (?" + strings.Repeat(", ?", len(b.columns)-1) + ")"
	text := b.with("VALUES " + strings.Repeat(row, rows)[2:])
	b.texts.Store(rows, text)
	return text
}

// arrays makes an array of each column, for PostgreSQL.
func (b *Bulk) arrays(rows [][]any) []any {
	arrays := make([]any, len(b.columns))
	for i, c := range b.columns {
		switch c.Type {
		case Integer:
			arrays[i] = array(rows, i, func(v int64) pgtype.Int8 { return pgtype.Int8{Int64: v, Valid: true} })
		case Boolean:
			arrays[i] = array(rows, i, func(v bool) pgtype.Bool { return pgtype.Bool{Bool: v, Valid: true} })
		default:
			arrays[i] = array(rows, i, func(v string) pgtype.Text { return pgtype.Text{String: v, Valid: true} })
		}
	}
	return arrays
}

// array makes an array of column i; the zero E is NULL.
func array[T, E any](rows [][]any, i int, element func(T) E) pgtype.FlatArray[E] {
	a := make(pgtype.FlatArray[E], len(rows))
	for r, row := range rows {
		if v := row[i]; v != nil {
			a[r] = element(v.(T))
		}
	}
	return a
}

// A Statement is a [Bulk] with its rows.
type Statement struct {
	Bulk *Bulk
	Rows [][]any
	// Answer, if it is not nil, is called for each row that the statement
	// answers with, in any order.
	Answer func(scan func(dest ...any) error) error
}

// Pipeline runs statements in their order inside tx, a transaction that Write or
// WriteFenced began: on PostgreSQL in one round trip, however many they are. Those
// at the end that have no Answer go with whatever comes next in tx, or with its
// COMMIT, and so does their error. A statement without rows is left out. The first
// error is returned; after it the transaction must be rolled back, which returning
// the error does.
func (d *DB) Pipeline(ctx context.Context, tx *sql.Tx, statements ...Statement) error {
	if d.engine == SQLite {
		for _, s := range statements {
			if err := s.runSQLite(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	}
	statements = slices.DeleteFunc(statements, func(s Statement) bool { return len(s.Rows) == 0 })
	var err error
	rawErr := d.hooks.conn(tx).Raw(func(driverConn any) error {
		err = driverConn.(*pgConn).pipeline(ctx, statements)
		return nil // the connection's own state says whether it can go on
	})
	if rawErr != nil {
		return fmt.Errorf("db: pipeline: %w", rawErr)
	}
	return err
}

// Look runs a statement that only reads, outside a transaction.
func (d *DB) Look(ctx context.Context, s Statement) error {
	if len(s.Rows) == 0 {
		return nil
	}
	if d.engine == SQLite {
		return s.runSQLite(ctx, d.Read())
	}
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var answer error
	err = conn.Raw(func(driverConn any) error {
		answer = driverConn.(*pgConn).send(ctx, s)
		return nil // the connection's own state says whether it can go on
	})
	return cmp.Or(answer, err)
}

// maxBulk bounds the rows of one statement on SQLite.
const maxBulk = 32

// runSQLite runs a statement over parts of its rows, whose numbers are powers of
// two: so there are few texts, and each stays prepared.
func (s Statement) runSQLite(ctx context.Context, q Queryer) error {
	for n, rows := maxBulk, s.Rows; len(rows) > 0; {
		for n > len(rows) {
			n /= 2
		}
		args := make([]any, 0, n*len(s.Bulk.columns))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		rows = rows[n:]
		if err := s.runPart(ctx, q, s.Bulk.sqlite(n), args); err != nil {
			return err
		}
	}
	return nil
}

func (s Statement) runPart(ctx context.Context, q Queryer, query string, args []any) error {
	if s.Answer == nil {
		_, err := q.ExecContext(ctx, query, args...)
		return err
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.Answer(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
