// Package db is the database: one SQL text on two engines.
//
// SQLite (modernc, no cgo) is embedded and is the default; PostgreSQL serves
// when one machine is not enough. All that differs between them is in this
// package, so that a store writes its SQL once, with $1 for a parameter and
// [Now] for the clock. On both engines [DB.Write] is serializable,
// [DB.WriteFenced] commits many small writes together, and [DB.AfterCommit]
// is how work begins once per committed transaction.
//
// [Open] does not migrate; package schema does.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An Engine is the kind of database behind a [DB].
type Engine string

// The two engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Options tunes a [DB]. The zero value is what production uses.
type Options struct {
	// ReadConns bounds the read pool; 0 is 8.
	ReadConns int
	// WriteConns bounds the write pool on PostgreSQL; 0 is 16. SQLite has one writer.
	WriteConns int
	// Committers is how many commits of [DB.WriteFenced] run side by side on
	// PostgreSQL, beside the one of the Groups; 0 is 4. SQLite has one for all.
	Committers int
	// IdleInTx is how long PostgreSQL lets a transaction of ours stand idle
	// before it ends it, so that a frozen process does not keep its row locks;
	// 0 is 5 s. It has no meaning on SQLite, where nobody else writes.
	IdleInTx time.Duration
	// Logger hears of lost listener connections; nil discards.
	Logger *slog.Logger
	// Around, if it is not nil, is called for every statement, pipeline and COMMIT,
	// named by its text, and runs it, or does not. An error of its own is to the
	// caller as if the connection had been lost then. It is how tests kill a process
	// between two statements.
	Around func(what string, run func() error) error
}

// around is [Options].Around, or nil.
type around func(what string, run func() error) error

func (a around) do(what string, run func() error) error {
	if a == nil {
		return run()
	}
	return a(what, run)
}

// A Queryer runs queries: the read pool, a transaction, or a connection.
type Queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A DB is an open database. It is safe for concurrent use.
type DB struct {
	engine      Engine
	around      around
	write, read *sql.DB
	keyed       *sql.DB // for fenced writes
	log         *slog.Logger
	gate        gate       // open until Close
	fenced      *committer // of WriteFenced
	grouped     *committer // of Groups
	writers     goroutines // those inside a Write or a batch of WriteFenced
	hooks       hooks      // what AfterCommit was given, by transaction

	pgConfig *pgx.ConnConfig // PostgreSQL: for the listeners' own connections
	local    broadcaster     // SQLite: the listeners of this process

	open      context.Context // ends with Close
	close     context.CancelFunc
	listeners sync.WaitGroup
}

// Open opens the database at url and makes sure that it answers. The url is
// "sqlite://" followed by the absolute path of a file, made with mode 0600 when
// it is missing and its directory is there; or "postgres://…" as libpq writes it.
// What keeps the database from being opened or written is a fault of kind
// Unavailable, and a url of another form one of kind Invalid.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	o.ReadConns = or(o.ReadConns, 8)
	o.WriteConns = or(o.WriteConns, 16)
	o.Committers = or(o.Committers, 4)
	o.IdleInTx = or(o.IdleInTx, 5*time.Second)

	d := &DB{log: o.Logger, around: o.Around}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	var err error
	switch scheme, rest, _ := strings.Cut(url, "://"); scheme {
	case "sqlite":
		err = d.openSQLite(ctx, rest, o)
	case "postgres", "postgresql":
		err = d.openPostgres(ctx, url, o)
	default:
		err = fault.New(fault.Invalid, "A database URL begins with sqlite:// or postgres://; %q does not.", scheme)
	}
	if err != nil {
		return nil, err
	}
	d.open, d.close = context.WithCancel(context.WithoutCancel(ctx))
	return d, nil
}

func or[T comparable](v, otherwise T) T {
	if v == *new(T) {
		return otherwise
	}
	return v
}

// Close waits for the writes that have begun, ends every Listen, and closes the
// connections. A write that asks after Close has begun is refused.
func (d *DB) Close() error {
	d.gate.shutAndWait()
	d.close()
	d.listeners.Wait()
	return errors.Join(d.read.Close(), d.keyed.Close(), d.write.Close())
}

// Engine says which of the two engines this is.
func (d *DB) Engine() Engine { return d.engine }

// Read returns the pool for reads outside a transaction. It cannot write: each
// statement sees what was committed when it began.
func (d *DB) Read() Queryer { return d.read }

// SQLDB returns the two pools, for River alone.
func (d *DB) SQLDB() (write, read *sql.DB) { return d.write, d.read }

// Now asks the database for its time, in UTC with microseconds.
func (d *DB) Now(ctx context.Context, q Queryer) (time.Time, error) {
	var micros int64
	if err := q.QueryRowContext(ctx, "SELECT "+Now).Scan(&micros); err != nil {
		return time.Time{}, fmt.Errorf("db: ask for the time: %w", err)
	}
	return Time(micros), nil
}
