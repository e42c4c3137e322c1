package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A pgConnector opens connections that spare round trips.
type pgConnector struct {
	driver.Connector
	around around
}

func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &pgConn{Conn: conn.(*stdlib.Conn), around: c.around}, nil
}

// A pgConn sends BEGIN with a transaction's first statement, and statements of a
// pipeline whose answer nobody awaits with what comes after them, COMMIT if
// nothing else: a transaction of pipelines is two round trips.
type pgConn struct {
	*stdlib.Conn

	around around
	unsent []pgx.QueuedQuery // of the open transaction, in their order
	begun  bool              // BEGIN has been sent
}

// BeginTx begins a transaction, of which the server hears later.
func (c *pgConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.Conn.Conn().IsClosed() {
		return nil, driver.ErrBadConn
	}
	level := sql.IsolationLevel(opts.Isolation)
	begin := "BEGIN ISOLATION LEVEL "
	switch level {
	case sql.LevelReadCommitted:
		begin += "READ COMMITTED"
	case sql.LevelDefault:
		begin = "BEGIN"
	case sql.LevelSerializable:
		begin += "SERIALIZABLE"
	default:
		return nil, fmt.Errorf("db: transactions are not made %s", level)
	}
	if opts.ReadOnly {
		begin += " READ ONLY"
	}
	c.hold(begin)
	return &pgTx{c, ctx}, nil
}

func (c *pgConn) hold(sql string, args ...any) {
	c.unsent = append(c.unsent, pgx.QueuedQuery{SQL: sql, Arguments: args})
}

// send sends what is unsent and then statements, and awaits all answers.
func (c *pgConn) send(ctx context.Context, statements ...Statement) error {
	var batch pgx.Batch
	text := ""
	for _, q := range c.unsent {
		text = q.SQL
		batch.Queue(q.SQL, q.Arguments...)
	}
	for _, s := range statements {
		text = s.Bulk.text
		if queued := batch.Queue(s.Bulk.text, s.Bulk.arrays(s.Rows)...); s.Answer != nil {
			queued.Query(func(rows pgx.Rows) error {
				for rows.Next() {
					if err := s.Answer(rows.Scan); err != nil {
						return err
					}
				}
				return rows.Err()
			})
		}
	}
	c.unsent = nil
	if batch.Len() == 0 {
		return nil
	}
	return c.around.do(text, func() error {
		c.begun = true
		return c.Conn.Conn().SendBatch(ctx, &batch).Close()
	})
}

// pipeline runs statements, and holds those at their end whose answer nobody awaits.
func (c *pgConn) pipeline(ctx context.Context, statements []Statement) error {
	awaited := 0
	for i, s := range statements {
		if s.Answer != nil {
			awaited = i + 1
		}
	}
	if awaited > 0 {
		if err := c.send(ctx, statements[:awaited]...); err != nil {
			return err
		}
	}
	for _, s := range statements[awaited:] {
		c.hold(s.Bulk.text, s.Bulk.arrays(s.Rows)...)
	}
	return ctx.Err()
}

// ExecContext runs a statement.
func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	var result driver.Result
	err := c.around.do(query, func() (err error) {
		result, err = c.Conn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

// QueryContext runs a statement that answers with rows.
func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	var rows driver.Rows
	err := c.around.do(query, func() (err error) {
		rows, err = c.Conn.QueryContext(ctx, query, args)
		return err
	})
	if err != nil && rows != nil {
		rows.Close()
	}
	return rows, err
}

// PrepareContext prepares a statement.
func (c *pgConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	return c.Conn.PrepareContext(ctx, query)
}

type pgTx struct {
	conn *pgConn
	ctx  context.Context //nolint:containedctx // database/sql gives COMMIT none
}

// Commit commits. Of a transaction that sent nothing the server does not hear.
func (t *pgTx) Commit() error {
	c := t.conn
	if !c.begun && len(c.unsent) == 1 {
		return t.Rollback()
	}
	if err := t.commit(); err != nil {
		if c.Conn.Conn().PgConn().TxStatus() != 'I' {
			_ = t.Rollback() // the error says more
		}
		return err
	}
	c.begun = false
	return nil
}

func (t *pgTx) commit() error {
	c := t.conn
	if len(c.unsent) > 0 {
		c.hold("COMMIT")
		return c.send(t.ctx)
	}
	return c.around.do("COMMIT", func() error {
		tag, err := c.Conn.Conn().Exec(t.ctx, "COMMIT")
		if err == nil && tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback
		}
		return err
	})
}

// Rollback rolls back.
func (t *pgTx) Rollback() error {
	c := t.conn
	begun := c.begun
	c.begun, c.unsent = false, nil
	if !begun {
		return nil
	}
	_, err := c.Conn.Conn().Exec(t.ctx, "ROLLBACK")
	return err
}
