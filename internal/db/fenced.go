package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	o := &operation{key: key, fn: fn, turn: make(chan struct{})}
	if !d.fenced.submit(o) {
		select {
		case <-o.turn:
		case <-ctx.Done():
			if d.fenced.withdraw(o) {
				return ctx.Err()
			}
			<-o.turn // it has begun
		}
	}
	if o.batch != nil {
		d.leadBatch(ctx, o)
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

// An operation is one call of WriteFenced. Its outcome is written by the leader
// of its batch before turn is closed.
type operation struct {
	key string
	fn  func(tx *sql.Tx) error

	turn     chan struct{} // closed when the outcome is there, or batch is to be led
	batch    []*operation  // what this operation's caller is to commit, itself among it
	err      error
	panicked any
	hooks    []func()
	done     bool
}

// leadBatch commits o's batch on the calling goroutine, wakes the other callers
// and hands what has queued up meanwhile to one of those.
func (d *DB) leadBatch(ctx context.Context, o *operation) {
	batch := o.batch
	defer func() { // also when an fn ends the goroutine, as t.FailNow does
		for _, other := range batch {
			if !other.done {
				other.fail(errors.New("db: the goroutine that led this group commit was ended"))
			}
			if other != o {
				close(other.turn)
			}
		}
		d.fenced.next()
	}()
	leave, ok := d.writers.enter()
	if !ok {
		panic("db: a goroutine inside a transaction leads a group commit")
	}
	defer leave()
	slices.SortStableFunc(batch, func(a, b *operation) int { return strings.Compare(a.key, b.key) })

	// The batch is not its leader's alone: the end of one ctx must not undo it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	d.commit(ctx, batch)
}

// commit runs the operations of a batch in one transaction. When operation i
// fails, the transaction is rolled back and three others take its place: those
// before i, i alone, and those after i. So every operation ends in a
// transaction that held no failure, an error is final only when its operation
// was alone, and each failure costs two more commits. Savepoints would do the same,
// but cost every operation two more round trips for the sake of the rare one.
func (d *DB) commit(ctx context.Context, batch []*operation) {
	if len(batch) == 1 {
		d.commitAlone(ctx, batch[0])
		return
	}
	failed := -1
	taken := make([][]func(), len(batch))
	_, err := d.transact(ctx, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		for i, o := range batch {
			failed = i
			if err := o.run(tx); err != nil {
				return err
			}
			taken[i] = d.hooks.take(tx)
		}
		failed = -1
		return nil
	})
	switch {
	case err == nil:
		for i, o := range batch {
			o.succeed(taken[i])
		}
	case errors.Is(err, ErrCommitUnknown):
		for _, o := range batch {
			o.fail(err)
		}
	case failed >= 0:
		for _, part := range [][]*operation{batch[:failed], batch[failed : failed+1], batch[failed+1:]} {
			if len(part) > 0 {
				d.commit(ctx, part)
			}
		}
	default: // BEGIN or COMMIT failed, and does not say because of whom
		half := len(batch) / 2
		d.commit(ctx, batch[:half])
		d.commit(ctx, batch[half:])
	}
}

func (d *DB) commitAlone(ctx context.Context, o *operation) {
	var hooks []func()
	err := retry(ctx, func() (err error) {
		hooks, err = d.transact(ctx, sql.LevelReadCommitted, o.run)
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

// run calls fn and turns a panic into an error, which finds its way to the
// caller that fn belongs to.
func (o *operation) run(tx *sql.Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
		}
	}()
	return o.fn(tx)
}

func (o *operation) succeed(hooks []func()) { o.hooks, o.done = hooks, true }
func (o *operation) fail(err error)         { o.err, o.done = err, true }

type panicError struct{ value any }

func (p *panicError) Error() string { return fmt.Sprintf("db: panic in a transaction: %v", p.value) }

// A committer decides who commits: a caller that finds a free lane leads a batch
// of one at once; the others queue, and the first of them leads the next batch
// when a lane falls free. No goroutine runs in between.
type committer struct {
	mu    sync.Mutex
	lanes int // free ones
	queue []*operation
}

// submit makes o the leader of a batch of its own when a lane is free, and
// queues it otherwise.
func (c *committer) submit(o *operation) (lead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lanes == 0 {
		c.queue = append(c.queue, o)
		return false
	}
	c.lanes--
	o.batch = []*operation{o}
	return true
}

// withdraw takes o out of the queue; false when it is in a batch already.
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

// next passes the caller's lane to the head of the queue, or frees it.
func (c *committer) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.lanes++
		return
	}
	n := min(len(c.queue), maxBatch)
	leader := c.queue[0]
	leader.batch = slices.Clone(c.queue[:n])
	c.queue = slices.Delete(c.queue, 0, n)
	close(leader.turn)
}
