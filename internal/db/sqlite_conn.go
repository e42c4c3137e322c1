package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"
)

// modernConn is what a connection of modernc.org/sqlite implements.
type modernConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// maxStatements bounds the statements that one connection keeps.
const maxStatements = 512

// A sqliteConn adds two things to the driver's connection.
//
// It keeps prepared statements by their text, so that running the same SQL again
// through a plain tx.ExecContext costs no parsing: the driver by itself parses
// each time, which for a ledger's small statements is most of their price.
//
// And it refuses everything after SQLite has rolled a transaction back by itself,
// as it does for a full disk, a failed read or an interrupt
// (https://sqlite.org/lang_transaction.html §3.1). The statements that follow
// would otherwise each be committed alone, because no transaction is open.
type sqliteConn struct {
	modernConn
	around around
	idle   map[string]*list.Element // of *statement, those not in use
	recent list.List                // the same, most recently used first
	inTx   bool
	doomed error // why the open transaction cannot go on
}

type statement struct {
	query string
	stmt  sqliteStmt
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func newSQLiteConn(conn modernConn, a around) *sqliteConn {
	return &sqliteConn{modernConn: conn, around: a, idle: make(map[string]*list.Element)}
}

// Unwrap returns the driver's connection.
func (c *sqliteConn) Unwrap() driver.Conn { return c.modernConn }

// ExecContext runs a statement, or a script of several.
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	var result driver.Result
	err = c.around.do(query, func() (err error) {
		result, err = s.stmt.ExecContext(ctx, args)
		return err
	})
	c.put(s)
	return result, c.note(err)
}

// QueryContext runs a statement that answers with rows.
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	var rows driver.Rows
	err = c.around.do(query, func() (err error) {
		rows, err = s.stmt.QueryContext(ctx, args)
		return err
	})
	if err != nil {
		if rows != nil {
			rows.Close()
		}
		c.put(s)
		return nil, c.note(err)
	}
	return &sqliteRows{rows.(modernRows), c, s}, nil
}

// take removes the query's statement from those kept, or prepares one: while a
// statement's rows are open it is out, and the same text gets another.
func (c *sqliteConn) take(ctx context.Context, query string) (*statement, error) {
	if c.doomed != nil {
		return nil, c.refusal()
	}
	if e, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return c.recent.Remove(e).(*statement), nil
	}
	stmt, err := c.modernConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.note(err)
	}
	return &statement{query, stmt.(sqliteStmt)}, nil
}

// put keeps s for its next use. A statement that fails to close has failed
// before, when it ran, and there its error was returned.
func (c *sqliteConn) put(s *statement) {
	if _, twice := c.idle[s.query]; twice || len(s.query) > 16<<10 {
		s.stmt.Close()
		return
	}
	c.idle[s.query] = c.recent.PushFront(s)
	if c.recent.Len() > maxStatements {
		oldest := c.recent.Remove(c.recent.Back()).(*statement)
		delete(c.idle, oldest.query)
		oldest.stmt.Close()
	}
}

// note remembers an error after which SQLite may have ended the transaction.
func (c *sqliteConn) note(err error) error {
	if err == nil || !c.inTx {
		return err
	}
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT:
		c.doomed = err
	case 0: // the driver's own, such as the end of a context, which interrupts
		c.doomed = err
	}
	return err
}

func (c *sqliteConn) refusal() error {
	return fmt.Errorf("db: the transaction was ended by an earlier error: %w", c.doomed)
}

// BeginTx begins a transaction.
func (c *sqliteConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.modernConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.inTx, c.doomed = true, nil
	return &sqliteTx{tx, c}, nil
}

// Close closes the kept statements and the connection.
func (c *sqliteConn) Close() error {
	for e := c.recent.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*statement).stmt.Close()
	}
	c.recent.Init()
	clear(c.idle)
	return c.modernConn.Close()
}

type sqliteTx struct {
	driver.Tx
	conn *sqliteConn
}

// Commit commits, or rolls back what an earlier error has ended.
func (t *sqliteTx) Commit() error {
	c := t.conn
	if c.doomed != nil {
		return errors.Join(c.refusal(), t.Rollback())
	}
	err := c.around.do("COMMIT", func() error {
		c.inTx = false
		return t.Tx.Commit()
	})
	if c.inTx { // it did not run
		err = errors.Join(err, t.Rollback())
	}
	return err
}

// Rollback rolls back. What SQLite has rolled back by itself needs no more.
func (t *sqliteTx) Rollback() error {
	c := t.conn
	doomed := c.doomed
	c.inTx, c.doomed = false, nil
	if err := t.Tx.Rollback(); doomed == nil {
		return err
	}
	return nil // "no transaction is active" is what was wanted
}

// modernRows is what the driver's rows implement.
type modernRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeScanType
}

// sqliteRows give their statement back when they are closed.
type sqliteRows struct {
	modernRows
	conn *sqliteConn
	s    *statement
}

// Next reads a row.
func (r *sqliteRows) Next(dest []driver.Value) error {
	err := r.modernRows.Next(dest)
	if sqliteCode(err) != 0 {
		return r.conn.note(err)
	}
	return err
}

// Close ends the query.
func (r *sqliteRows) Close() error {
	err := r.modernRows.Close()
	if r.s != nil {
		r.conn.put(r.s)
		r.s = nil
	}
	return err
}
