package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxBatch     = 256              // operations in one group commit
	batchTimeout = 30 * time.Second // for a server that no longer answers
)

// WriteFenced runs fn in a READ COMMITTED transaction and returns after its
// commit. Calls that arrive while a commit is under way are committed together
// by the next one, so that many small writes share the price of a commit; a call
// that finds nobody before it begins at once.
//
// It is for writes whose first statement is a compare-and-swap on one row, whose
// lock then orders the rest. key names that row (a saga id) and orders a batch,
// so that two batches take their locks in the same order. fn may run more than
// once and on the goroutine of another caller; like Write it does nothing that
// a rollback does not undo. Calls do not see each other's failures: an error
// or a panic of fn rolls back fn's work alone and comes back to its own caller.
//
// A call whose ctx ends before fn has begun returns ctx's error and has done
// nothing; from then on it waits for the answer. Nesting is refused and
// [ErrCommitUnknown], AfterCommit and faults are as in [DB.Write].
func (d *DB) WriteFenced(ctx context.Context, key string, fn func(tx *sql.Tx) error) error {
	return d.writeFenced(ctx, &operation{key: key, fn: fn})
}

// A Group is a kind of fenced write that one transaction makes for many callers
// at once: with a few statements over all their rows instead of a few for each.
type Group[T any] struct {
	db    *DB
	write groupWrite
}

type groupWrite = *func(ctx context.Context, tx *sql.Tx, operations []*operation) error

// NewGroup returns a Group whose values write makes durable, in the order of their
// keys, no two of one key in one call. What becomes of a single value, such as
// that another was first, write notes in the value: an error of write is one of
// all its values, which are then tried in halves until those that fail are alone.
// It may be called more than once for a value.
func NewGroup[T any](d *DB, write func(ctx context.Context, tx *sql.Tx, values []T) error) *Group[T] {
	all := func(ctx context.Context, tx *sql.Tx, operations []*operation) error {
		values := make([]T, len(operations))
		for i, o := range operations {
			values[i] = o.value.(T)
		}
		return write(ctx, tx, values)
	}
	return &Group[T]{d, &all}
}

// Write is [DB.WriteFenced] for a value of the group.
func (g *Group[T]) Write(ctx context.Context, key string, value T) error {
	return g.db.writeFenced(ctx, &operation{key: key, group: g.write, value: value})
}

func (d *DB) writeFenced(ctx context.Context, o *operation) error {
	if d.writers.has() {
		return errNested
	}
	if !d.gate.enter() {
		return errClosed
	}
	defer d.gate.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	o.turn = make(chan struct{})
	lanes := d.fenced
	if o.group != nil {
		lanes = d.grouped
	}
	if !lanes.submit(o) {
		select {
		case <-o.turn:
		case <-ctx.Done():
			if lanes.withdraw(o) {
				return ctx.Err()
			}
			<-o.turn // it has begun
		}
	}
	if o.leads {
		d.leadBatch(ctx, lanes, o)
	}
	switch {
	case o.panicked != nil:
		panic(o.panicked)
	case o.err != nil:
		return d.explain(o.err)
	}
	for _, hook := range o.hooks {
		hook()
	}
	return nil
}

// An operation is one call of WriteFenced, or of a Group's Write. Its outcome is
// written by the leader of its batch before turn is closed.
type operation struct {
	key   string
	fn    func(tx *sql.Tx) error
	group groupWrite // instead of fn
	value any        // of the group

	turn     chan struct{} // closed when the outcome is there, or a batch is to be led
	leads    bool          // this operation's caller is to commit the next batch
	err      error
	panicked any
	hooks    []func()
	done     bool
}

// leadBatch commits o, and what has queued up, on the calling goroutine, wakes the
// other callers and hands the lane to one of those that queue by then.
func (d *DB) leadBatch(ctx context.Context, lanes *committer, o *operation) {
	// Those whose last write was committed a moment ago are about to run, and often
	// to write again: they come along instead of making a batch of their own.
	runtime.Gosched()
	batch := lanes.take(o)
	defer func() { // also when an fn ends the goroutine, as t.FailNow does
		for _, other := range batch {
			if !other.done {
				other.fail(errors.New("db: the goroutine that led this group commit was ended"))
			}
			if other != o {
				close(other.turn)
			}
		}
		lanes.next()
	}()
	leave, ok := d.writers.enter()
	if !ok {
		panic("db: a goroutine inside a transaction leads a group commit")
	}
	defer leave()
	// The batch is not its leader's alone: the end of one ctx must not undo it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	d.commit(ctx, batch)
}

// A unit is operations that run together: several of one group, or any one alone.
type unit []*operation

// units puts a batch in the order of its keys and finds what runs together.
func units(batch []*operation) []unit {
	slices.SortStableFunc(batch, func(a, b *operation) int { return strings.Compare(a.key, b.key) })
	var all []unit
	open := make(map[groupWrite]int) // a group's last unit
	for _, o := range batch {
		i, ok := open[o.group]
		if o.group != nil && ok && all[i][len(all[i])-1].key != o.key {
			all[i] = append(all[i], o)
			continue
		}
		open[o.group] = len(all)
		all = append(all, unit{o})
	}
	return all
}

// commit runs the operations of a batch in one transaction. When a unit fails,
// the transaction is rolled back and others take its place: for what came before
// it, for the unit, in halves when it is more than one operation, and for what
// came after. So every operation ends in a transaction that held no failure, and
// an error is final only when its operation was alone. Savepoints would do the
// same, but cost every operation two more round trips for the sake of the rare
// failure.
func (d *DB) commit(ctx context.Context, batch []*operation) {
	switch len(batch) {
	case 0:
		return
	case 1:
		d.commitAlone(ctx, batch[0])
		return
	}
	all := units(batch)
	failed := -1
	taken := make([][]func(), len(all))
	_, err := d.transact(ctx, d.keyed, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		for i, u := range all {
			failed = i
			if err := u.run(ctx, tx); err != nil {
				return err
			}
			taken[i] = d.hooks.take(tx)
		}
		failed = -1
		return nil
	})
	switch {
	case err == nil:
		for i, u := range all {
			for _, o := range u {
				o.succeed(taken[i])
				taken[i] = nil // once is enough
			}
		}
	case errors.Is(err, ErrCommitUnknown):
		for _, o := range batch {
			o.fail(err)
		}
	case failed >= 0:
		u := all[failed]
		d.commit(ctx, slices.Concat(all[:failed]...))
		d.commit(ctx, u[:len(u)/2])
		d.commit(ctx, u[len(u)/2:])
		d.commit(ctx, slices.Concat(all[failed+1:]...))
	default: // BEGIN or COMMIT failed, and does not say because of whom
		half := len(batch) / 2
		d.commit(ctx, batch[:half])
		d.commit(ctx, batch[half:])
	}
}

func (d *DB) commitAlone(ctx context.Context, o *operation) {
	var hooks []func()
	err := retry(ctx, func() (err error) {
		hooks, err = d.transact(ctx, d.keyed, sql.LevelReadCommitted, func(tx *sql.Tx) error { return unit{o}.run(ctx, tx) })
		return err
	})
	var p *panicError
	switch {
	case err == nil:
		o.succeed(hooks)
	case errors.As(err, &p):
		o.panicked, o.done = p.value, true
	default:
		o.fail(err)
	}
}

// run turns a panic into an error, which finds its way to the caller that the
// operation belongs to.
func (u unit) run(ctx context.Context, tx *sql.Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
		}
	}()
	if o := u[0]; o.fn != nil {
		return o.fn(tx)
	}
	return (*u[0].group)(ctx, tx, u)
}

func (o *operation) succeed(hooks []func()) { o.hooks, o.done = hooks, true }
func (o *operation) fail(err error)         { o.err, o.done = err, true }

type panicError struct{ value any }

func (p *panicError) Error() string { return fmt.Sprintf("db: panic in a transaction: %v", p.value) }

// A committer decides who commits: a caller that finds a free lane leads a batch at
// once; the others queue, and the first of them leads the next batch when a lane
// falls free. No goroutine runs in between.
type committer struct {
	mu    sync.Mutex
	lanes int // free ones
	queue []*operation
}

// submit makes o the leader of a batch when a lane is free, and queues it otherwise.
func (c *committer) submit(o *operation) (lead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lanes == 0 {
		c.queue = append(c.queue, o)
		return false
	}
	c.lanes--
	o.leads = true
	return true
}

// withdraw takes o out of the queue; false when it has left it already.
func (c *committer) withdraw(o *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.queue, o)
	if i < 0 {
		return false
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	return true
}

// take makes a batch of its leader and what queues.
func (c *committer) take(leader *operation) []*operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.queue), maxBatch-1)
	batch := append([]*operation{leader}, c.queue[:n]...)
	c.queue = slices.Delete(c.queue, 0, n)
	return batch
}

// next passes the caller's lane to the head of the queue, or frees it.
func (c *committer) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.lanes++
		return
	}
	leader := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	leader.leads = true
	close(leader.turn)
}
