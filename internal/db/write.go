package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// ErrCommitUnknown says that COMMIT was sent and its answer was lost: the
// transaction may or may not have happened, and only reading tells.
var ErrCommitUnknown = errors.New("db: the answer to COMMIT was lost")

// errNested refuses a Write inside a Write.
var errNested = errors.New("db: Write or WriteFenced inside a transaction of the same database; pass the tx on instead")

var errClosed = fault.New(fault.Unavailable, "The database is closed.")

// Write runs fn in a serializable transaction and commits it.
//
// fn runs again from the start when the database asks for it (serialization
// failure, deadlock, a busy SQLite), so it does nothing that a rollback does not
// undo; [DB.AfterCommit] is for the rest. When fn returns an error the
// transaction is rolled back and that error returned. A panic in fn rolls back
// and goes on. A Write on a goroutine that is inside a Write or WriteFenced of
// the same DB is refused. An error that wraps [ErrCommitUnknown] leaves open
// whether the transaction happened; a full disk, a read-only database, one that
// is out of reach and one that stays too busy are faults of kind Unavailable.
func (d *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	leave, ok := d.writers.enter()
	if !ok {
		return errNested
	}
	var hooks []func()
	err := func() error {
		defer leave()
		if !d.gate.enter() {
			return errClosed
		}
		defer d.gate.leave()
		return retry(ctx, func() (err error) {
			hooks, err = d.transact(ctx, d.write, sql.LevelSerializable, fn)
			return err
		})
	}()
	if err != nil {
		return d.explain(err)
	}
	for _, hook := range hooks {
		hook()
	}
	return nil
}

// transact runs fns in one transaction and commits it. It returns what they gave
// to AfterCommit, which the caller runs once it no longer counts as a writer.
func (d *DB) transact(ctx context.Context, pool *sql.DB, level sql.IsolationLevel, fn func(tx *sql.Tx) error) (after []func(), err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return nil, err
	}
	d.hooks.begin(tx, conn)
	committed := false
	defer func() { // also when fn panics or ends the goroutine
		hooks := d.hooks.end(tx)
		if committed {
			after = hooks
		} else {
			tx.Rollback()
		}
	}()
	if err := fn(tx); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		if d.commitUnknown(err) {
			err = fmt.Errorf("%w: %w", ErrCommitUnknown, err)
		}
		return nil, err
	}
	committed = true
	return nil, nil
}

// AfterCommit has fn run once, after tx has committed and before the Write or
// WriteFenced that began tx returns; the functions of one transaction run in
// the order they were given, on the caller's goroutine. fn never runs when the
// transaction rolled back, nor when the answer to COMMIT was lost. tx is one
// that Write or WriteFenced began; any other is a mistake, and panics.
func (d *DB) AfterCommit(tx *sql.Tx, fn func()) { d.hooks.add(tx, fn) }

// hooks holds, of each open transaction, its connection and what is to run after
// its commit.
type hooks struct {
	mu sync.Mutex
	of map[*sql.Tx]*open
}

type open struct {
	conn  *sql.Conn
	after []func()
}

func (h *hooks) begin(tx *sql.Tx, conn *sql.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = make(map[*sql.Tx]*open)
	}
	h.of[tx] = &open{conn: conn}
}

// get finds an open transaction; the caller holds the lock.
func (h *hooks) get(tx *sql.Tx) *open {
	o := h.of[tx]
	if o == nil {
		panic("db: this transaction is not open, or Write did not begin it")
	}
	return o
}

func (h *hooks) conn(tx *sql.Tx) *sql.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.get(tx).conn
}

func (h *hooks) add(tx *sql.Tx, fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.get(tx)
	o.after = append(o.after, fn)
}

// take returns what was added since begin or the last take.
func (h *hooks) take(tx *sql.Tx) []func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.get(tx)
	after := o.after
	o.after = nil
	return after
}

func (h *hooks) end(tx *sql.Tx) []func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	after := h.of[tx].after
	delete(h.of, tx)
	return after
}

// How long a transaction that lost to others is tried again. The waits double
// from retryFirst to retryMost, each drawn at random from its upper half, and
// make about ten seconds in all.
const (
	retryTimes = 60
	retryFirst = 2 * time.Millisecond
	retryMost  = 250 * time.Millisecond
)

// retry calls f until it ends otherwise than by losing to another transaction.
func retry(ctx context.Context, f func() error) error {
	wait := retryFirst
	for attempt := 1; ; attempt++ {
		err := f()
		if !isContended(err) {
			return err
		}
		if attempt == retryTimes {
			return fault.Wrap(fault.Unavailable, err, "The database is too busy with other changes. Please try again.")
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
		wait = min(2*wait, retryMost)
	}
}
