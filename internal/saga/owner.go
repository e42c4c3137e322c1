package saga

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// An owner drives one saga under one claim.
type owner struct {
	engine *Engine
	def    *definition
	id     ID
	name   string // random per claim
	rec    record // as the last commit left it; only the driving goroutine's

	mu       sync.Mutex
	epoch    int64     // of the claim; 0 until it is won
	deadline time.Time // with a monotonic reading: when we must stop
	renewing time.Time // when the last renewal or boundary was sent
	cancel   context.CancelCauseFunc
	ctx      context.Context
}

// run claims r and drives it until it rests, ends, or another owns it. It
// reports whether the claim was won.
func (e *Engine) run(ctx context.Context, r record) (claimed bool, err error) {
	o := &owner{engine: e, def: e.kinds[r.Kind], id: r.ID, name: rand.Text(), rec: r}
	if _, loaded := e.owners.LoadOrStore(r.ID, o); loaded {
		return false, nil
	}
	e.hinted.Delete(r.ID)
	defer func() {
		e.owners.Delete(r.ID)
		if claimed && o.rec.State.rests() {
			e.rests.tell(o.rec)
		}
	}()
	o.ctx, o.cancel = context.WithCancelCause(ctx)
	defer o.cancel(nil)

	c, err := o.claim()
	if err != nil || c == nil {
		e.stats.lostClaims.Add(1)
		return false, err
	}
	e.stats.claims.Add(1)
	for c.owned {
		out, ok := o.enter(c)
		if !ok {
			return true, nil // no longer ours: whoever is next recovers it
		}
		if c, err = o.commit(c, out); err != nil || c == nil {
			return true, err
		}
	}
	return true, nil
}

// valid is Attempt.Valid: both clocks must agree that there is time left, for
// the monotonic one may stand still while the machine sleeps.
func (o *owner) valid() error {
	if err := context.Cause(o.ctx); err != nil {
		return err
	}
	o.mu.Lock()
	deadline := o.deadline
	o.mu.Unlock()
	if now := time.Now(); !now.Before(deadline) || !now.Round(0).Before(deadline.Round(0)) {
		return ErrLeaseOver
	}
	return nil
}

// leased notes that a lease of this epoch begins with what was sent at sent.
func (o *owner) leased(sent time.Time, epoch int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch = epoch
	o.deadline = sent.Add(o.engine.o.Lease - o.engine.o.Margin)
	o.renewing = sent
}

// fresh reports whether the lease is so young that a boundary need not renew it.
func (o *owner) fresh() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Since(o.renewing) < o.engine.o.Lease/6
}

// heartbeat renews the lease when a third of it has passed, and ends the
// owner's context when its time is up.
func (o *owner) heartbeat(ctx context.Context) {
	o.mu.Lock()
	due := !o.renewing.IsZero() && time.Since(o.renewing) >= o.engine.o.Lease/3
	if due {
		o.renewing = time.Now()
	}
	epoch := o.epoch
	o.mu.Unlock()
	if !due {
		return
	}
	if err := o.valid(); err != nil {
		o.cancel(err)
		return
	}
	go func() {
		sent := time.Now()
		renewed := false
		err := o.engine.db.WriteFenced(ctx, string(o.id), func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, `UPDATE sagas SET lease_until = `+db.Now+` + $1
				WHERE id = $2 AND epoch = $3 AND lease_owner = $4 AND lease_until > `+db.Now,
				o.engine.o.Lease.Microseconds(), o.id, epoch, o.name)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			renewed = n == 1
			return err
		})
		if err == nil && renewed {
			o.leased(sent, epoch)
		}
	}()
}

// enter calls the step that c entered. ok is false when the lease was over by
// the time it returned: then nothing may be written.
func (o *owner) enter(c *change) (out outcome, ok bool) {
	row, def := &c.rec.Steps[c.rec.position], c.define(c.rec.position)
	a := &Attempt{
		Saga: c.rec.ID, Kind: c.rec.Kind, Step: row.Name, Epoch: c.rec.Epoch, Undoing: c.undoing(), Entry: c.entry,
		Number: row.Attempts, IntentAt: row.StartedAt, UnknownSince: row.UnknownSince, owner: o,
	}
	call := def.do
	if a.Undoing {
		a.Number, call = row.UndoAttempts, def.undo
	}
	if call == nil { // a local step runs inside its boundary
		return outcome{data: c.rec.Data}, o.valid() == nil
	}
	timeout := def.timeout
	if timeout == 0 {
		timeout = o.engine.o.StepTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithValue(o.ctx, attemptKey{}, a), timeout)
	defer cancel()

	out.err = o.engine.probe(Point{Saga: a.Saga, Step: a.Step, Undoing: a.Undoing, At: Entering, Commit: c.rec.Rev})
	if out.data = c.rec.Data; out.err == nil {
		out.data, out.err = call(ctx, out.data)
		again := o.engine.probe(Point{Saga: a.Saga, Step: a.Step, Undoing: a.Undoing, At: Left, Commit: c.rec.Rev, Err: out.err})
		switch {
		case errors.Is(again, Repeat):
			a.Entry = Recovered
			if a.UnknownSince.IsZero() && !a.Undoing {
				a.UnknownSince = a.Now()
			}
			out.data, out.err = call(ctx, out.data)
		case again != nil:
			out.err = again
		}
	}
	if out.data == nil {
		out.data = c.rec.Data
	}
	out.output, out.unknown, out.known, out.doubt = a.output, a.unknown(), a.known, a.doubt
	out.calls, out.moreCalls = a.recorded()
	out.adopted = a.adopted
	return out, o.valid() == nil
}

// claim makes o the owner of its record. It answers nil when the saga is not
// due, or another was first.
func (o *owner) claim() (*change, error) {
	return o.write(dueMay, o.rec.StartedAt.IsZero() && len(o.rec.Subjects) > 0, func(ctx context.Context, tx *sql.Tx, c *change) error {
		if c.rec.State == Created && c.rec.Want != WantCancel || c.rec.State.Ended() {
			return errStale
		}
		var blockedBy ID
		if tx != nil && c.rec.Want != WantCancel {
			// The row's lock orders this claim and the end of the saga that
			// holds the subject.
			if err := hold(ctx, tx, c.rec); err != nil {
				return err
			}
			var err error
			if blockedBy, err = lock(ctx, tx, c.rec); err != nil {
				return err
			}
		}
		c.rec.Epoch++
		c.claim(blockedBy)
		return nil
	})
}

// commit records the outcome of the step that was entered, and the intent of
// the next. It answers nil when the saga is another's.
func (o *owner) commit(entered *change, out outcome) (*change, error) {
	var local func(context.Context, *sql.Tx, json.RawMessage) (json.RawMessage, error)
	if !entered.undoing() && out.err == nil {
		local = entered.define(entered.rec.position).local
	}
	return o.write(ownerMay, local != nil, func(ctx context.Context, tx *sql.Tx, c *change) error {
		out := out
		if local != nil {
			if err := hold(ctx, tx, c.rec); err != nil {
				return err
			}
			if out.data, out.err = local(ctx, tx, c.rec.Data); out.err != nil {
				return &localFailed{outcome{err: out.err, data: c.rec.Data}}
			}
		}
		c.after(out)
		return nil
	})
}

// localFailed takes a local step's failure out of the transaction that it
// failed in, so that what it wrote is rolled back.
type localFailed struct{ outcome }

func (l *localFailed) Error() string { return "a local step failed: " + l.err.Error() }

// A decision is what is to become of a record. One that reads or writes other
// rows does so in tx; tx is nil for the others.
type decision func(ctx context.Context, tx *sql.Tx, c *change) error

// commitOnce makes one fenced commit of what decide makes of the record.
func (o *owner) commitOnce(ctx context.Context, guard guard, inTx bool, decide decision) (w *write, err error) {
	e := o.engine
	if !inTx {
		w, err = o.decide(guard, func(c *change) error { return decide(ctx, nil, c) })
		if err != nil {
			return nil, err
		}
		if err = e.writes.Write(ctx, string(o.rec.ID), w); err == nil && !w.written {
			err = errStale
		}
		return w, err
	}
	err = e.db.WriteFenced(ctx, string(o.rec.ID), func(tx *sql.Tx) (err error) {
		w, err = o.decide(guard, func(c *change) error { return decide(ctx, tx, c) })
		if err != nil {
			return err
		}
		return e.writeOne(ctx, tx, w)
	})
	return w, err
}

// write makes commits of what decide makes of the record until one stands. What
// the operator wants is part of the comparison: when it has changed, decide is
// asked again. It answers nil, and nothing was written, when the row is another's.
func (o *owner) write(guard guard, inTx bool, decide decision) (*change, error) {
	e := o.engine
	claiming := guard == dueMay
	for attempt := 1; ; attempt++ {
		if !claiming && o.valid() != nil {
			return nil, nil
		}
		if e.probe(Point{Saga: o.rec.ID, At: Committing, Commit: o.rec.Rev}) != nil {
			return nil, nil
		}
		sent := time.Now()
		// What is begun is finished: only the lease's end stops a commit.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), e.o.Lease)
		w, err := o.commitOnce(ctx, guard, inTx, decide)
		cancel()
		if err == nil {
			err = e.probe(Point{Saga: o.rec.ID, At: Committed, Commit: o.rec.Rev})
			if errors.Is(err, Died) {
				return nil, nil
			}
		}
		var local *localFailed
		switch {
		case err == nil:
			e.sync(w.at, sent)
			o.adopt(w.change, sent)
			return w.change, nil
		case errors.As(err, &local):
			inTx, decide = false, func(_ context.Context, _ *sql.Tx, c *change) error { c.after(local.outcome); return nil }
			continue
		}
		// Refused, or nobody knows: what does the row say?
		if errors.Is(err, errStale) {
			e.stats.stale.Add(1)
		} else {
			e.stats.lost.Add(1)
		}
		row, readErr := o.reread()
		switch {
		case readErr != nil && (claiming || attempt >= maxRereads):
			return nil, readErr
		case readErr != nil:
			o.pauseBriefly(attempt)
		case w != nil && row.Epoch == w.change.rec.Epoch && row.Rev == o.rec.Rev+1 && o.ours(row, w.change):
			w.change.rec.Rev = row.Rev
			o.adopt(w.change, sent) // it was committed, only the answer was lost
			return w.change, nil
		case row.Epoch != o.rec.Epoch || row.Rev != o.rec.Rev || !claiming && row.leaseOwner != o.name:
			return nil, nil
		case row.Want != o.rec.Want:
			o.rec.Want = row.Want
		case errors.Is(err, errStale):
			return nil, nil // the guard refused: not due, or the lease is over
		case attempt >= maxRereads:
			return nil, err
		default:
			o.pauseBriefly(attempt)
		}
	}
}

// maxRereads bounds how often one commit is tried against a database that
// does not answer; the lease is over long before.
const maxRereads = 20

func (o *owner) pauseBriefly(attempt int) {
	t := time.NewTimer(min(time.Duration(attempt)*10*time.Millisecond, o.engine.o.Lease/20))
	defer t.Stop()
	select {
	case <-t.C:
	case <-o.ctx.Done():
	}
}

// ours reports whether a row that is one revision on is what c wrote: its lease
// is this claim's, or c gave the lease back and nobody has claimed it since (a
// claim would have raised the epoch).
func (o *owner) ours(row record, c *change) bool {
	if c.owned {
		return row.leaseOwner == o.name
	}
	return row.leaseOwner == ""
}

// decide asks what is to be written of the record.
func (o *owner) decide(guard guard, decide func(*change) error) (*write, error) {
	e := o.engine
	c := &change{def: o.def, rec: o.rec.clone(), now: e.now(), limits: limits{e.o.Retry, e.o.UndoRetry, e.stopping.Load()}}
	if err := decide(c); err != nil {
		return nil, err
	}
	w := &write{prev: o.rec, change: c, guard: guard, owner: o.name, keep: guard == ownerMay && c.owned && o.fresh()}
	if c.owned {
		w.lease = e.o.Lease
	}
	c.renewed = !w.keep
	return w, nil
}

// adopt makes a committed change the record, and tells whom it concerns.
func (o *owner) adopt(c *change, sent time.Time) {
	o.rec = c.rec
	if c.owned {
		o.rec.leaseOwner = o.name
	}
	if c.owned && c.renewed {
		o.leased(sent, c.rec.Epoch)
	}
	o.engine.stats.boundaries.Add(1)
	o.engine.changed.tell()
	if c.ended && len(c.rec.Subjects) > 0 {
		o.engine.Wake()
	}
}

// reread reads the row alone, on the writer's side, so that it sees every commit.
func (o *owner) reread() (record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), o.engine.o.Lease)
	defer cancel()
	return scanRecord(o.engine.db.Read().QueryRowContext(ctx, `SELECT `+recordColumns+` FROM sagas WHERE id = $1`, o.rec.ID))
}
