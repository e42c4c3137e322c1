package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// SQLSTATE codes (PostgreSQL documentation, appendix A).
const (
	pgForeignKey    = "23503"
	pgUnique        = "23505"
	pgCheck         = "23514"
	pgReadOnly      = "25006"
	pgIdleInTx      = "25P03"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgDiskFull      = "53100"
	pgTooManyConns  = "53300"
)

// IsUnique reports whether err is a violated UNIQUE constraint, unique index or
// PRIMARY KEY, told by the engine's code.
func IsUnique(err error) bool {
	return pgState(err) == pgUnique ||
		isSQLite(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
}

// IsForeignKey reports whether err is a violated FOREIGN KEY.
func IsForeignKey(err error) bool {
	return pgState(err) == pgForeignKey || isSQLite(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY)
}

// IsCheck reports whether err is a violated CHECK.
func IsCheck(err error) bool {
	return pgState(err) == pgCheck || isSQLite(err, sqlite3.SQLITE_CONSTRAINT_CHECK)
}

// isContended reports whether a transaction failed only because others ran
// beside it, so that running it again is right: also one that PostgreSQL ended since
// this process stood still, on a machine that is too busy, for longer than IdleInTx.
func isContended(err error) bool {
	switch pgState(err) {
	case pgSerialization, pgDeadlock, pgIdleInTx:
		return true
	}
	code := sqliteCode(err) & 0xff
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// pgState is PostgreSQL's five-character code, "" when err is not its answer.
func pgState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// sqliteCode is SQLite's extended result code, 0 when err is not its answer.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func isSQLite(err error, codes ...int) bool {
	got := sqliteCode(err)
	for _, code := range codes {
		if got == code {
			return true
		}
	}
	return false
}

// commitUnknown reports whether err, which sql.Tx.Commit returned, leaves open
// whether the transaction happened. It does unless the engine said no, or
// database/sql did not send COMMIT because the context had ended.
//
// pgconn.SafeToRetry is not asked: pgx 5.12.0 says "conn closed, safe to retry"
// of a connection that broke while the answer to a statement without
// parameters, such as COMMIT, was awaited.
func (d *DB) commitUnknown(err error) bool {
	if d.engine == SQLite {
		// A failed write or fsync may have left the commit record in the log,
		// which recovery would find; every other failure was rolled back.
		return sqliteCode(err)&0xff == sqlite3.SQLITE_IOERR
	}
	//nolint:errorlint // wrapped by pgx they mean that COMMIT was under way
	if err == sql.ErrTxDone || err == context.Canceled || err == context.DeadlineExceeded {
		return false
	}
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return false
	}
	if state := pgState(err); state != "" {
		// A server that is being shut down may cut the session after the commit
		// is durable (class 57P), as may a lost connection (class 08).
		return strings.HasPrefix(state, "57P") || strings.HasPrefix(state, "08")
	}
	return true
}

// explain makes of the errors that an operator can do something about faults
// that say what, and leaves every other error as it is.
func (d *DB) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	switch state, code := pgState(err), sqliteCode(err)&0xff; {
	case state == pgDiskFull || code == sqlite3.SQLITE_FULL:
		return fault.Wrap(fault.Unavailable, err, "The disk that holds the database is full. Free some space and try again; nothing was changed.")
	case state == pgReadOnly || code == sqlite3.SQLITE_READONLY:
		return fault.Wrap(fault.Unavailable, err, "The database is read-only. Make the database and its directory writable and try again; nothing was changed.")
	case state == pgTooManyConns:
		return fault.Wrap(fault.Unavailable, err, "PostgreSQL has no connection left for Arcadia. Raise its max_connections or try again later.")
	case code == sqlite3.SQLITE_CANTOPEN:
		return fault.Wrap(fault.Unavailable, err, "The database file cannot be opened. Check that its directory exists and may be written to.")
	case code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT:
		return fault.Wrap(fault.Unavailable, err, "The database file is damaged or is not a SQLite database. Restore it from a backup, or name another file.")
	case code == sqlite3.SQLITE_IOERR && !errors.Is(err, ErrCommitUnknown):
		return fault.Wrap(fault.Unavailable, err, "The disk that holds the database failed to read or write. Check the disk and try again.")
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok && !errors.Is(err, context.Canceled) {
		return fault.Wrap(fault.Unavailable, err, "PostgreSQL is out of reach. Check that it runs and that the database URL is right.")
	}
	return err
}
