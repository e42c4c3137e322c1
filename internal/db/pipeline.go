package db

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A Statement is one SQL statement of a [DB.Pipeline] with its arguments.
type Statement struct {
	SQL  string
	Args []any
	// Row, if it is not nil, is where to scan the one row that the statement
	// answers with.
	Row []any
}

// Pipeline runs statements in their order inside tx, a transaction that Write or
// WriteFenced began: on PostgreSQL in one round trip, however many they are. The
// first error is returned, [sql.ErrNoRows] when a row is wanted and none comes.
// By then PostgreSQL has run those that follow as far as it could: after an
// error the transaction must be rolled back, which returning the error does.
func (d *DB) Pipeline(ctx context.Context, tx *sql.Tx, statements ...Statement) error {
	if d.engine == SQLite {
		for _, s := range statements {
			if err := s.run(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	rawErr := d.hooks.conn(tx).Raw(func(driverConn any) error {
		err = pipeline(ctx, driverConn.(*stdlib.Conn).Conn(), statements)
		return nil // the connection's own state says whether it can go on
	})
	if rawErr != nil {
		return fmt.Errorf("db: pipeline: %w", rawErr)
	}
	return err
}

func (s Statement) run(ctx context.Context, q Queryer) error {
	if s.Row != nil {
		return q.QueryRowContext(ctx, s.SQL, s.Args...).Scan(s.Row...)
	}
	_, err := q.ExecContext(ctx, s.SQL, s.Args...)
	return err
}

func pipeline(ctx context.Context, conn *pgx.Conn, statements []Statement) (err error) {
	var batch pgx.Batch
	for _, s := range statements {
		batch.Queue(s.SQL, s.Args...)
	}
	results := conn.SendBatch(ctx, &batch)
	defer func() {
		if closeErr := results.Close(); err == nil {
			err = closeErr
		}
	}()
	for _, s := range statements {
		if s.Row != nil {
			err = results.QueryRow().Scan(s.Row...)
		} else {
			_, err = results.Exec()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
