package saga

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// Options are an engine's settings; the zero value of each takes its default.
type Options struct {
	Lease       time.Duration   // how long a claim lasts unless renewed; default 15 s
	Margin      time.Duration   // by how much the owner stops before its lease is over; default a third of Lease. At least the timeout of a request
	StepTimeout time.Duration   // of one entry of a step; default 60 s. Longer work is a wait
	Poll        time.Duration   // how often due sagas are looked for without a wake-up, less up to a fifth of jitter; default 500 ms
	Workers     int             // how many sagas are driven at once; default 128
	Retry       Backoff         // of Do; default 5 attempts, 1 s doubled up to 30 s
	UndoRetry   Backoff         // of Undo; default 10 attempts, 1 s doubled up to 60 s
	Grace       time.Duration   // how long Serve lets running steps end when it stops; default 10 s
	UnknownKind time.Duration   // how long no live node may know a due saga's kind before it is stuck; default 10 min
	Sweeps      []time.Duration // after the end of a saga that was ever unknown; default 5 min and 24 h

	// Sole says that no other process runs sagas of this database, and that
	// every older one is dead: its leases are over at once.
	Sole bool

	Logger *slog.Logger
	Probe  Probe // nil outside of tests
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Lease, 15*time.Second)
	def(&o.Margin, o.Lease/3)
	def(&o.StepTimeout, time.Minute)
	def(&o.Poll, 500*time.Millisecond)
	def(&o.Grace, 10*time.Second)
	def(&o.UnknownKind, 10*time.Minute)
	if o.Workers == 0 {
		o.Workers = 128
	}
	o.Retry = o.Retry.or(Backoff{Attempts: 5, Base: time.Second, Max: 30 * time.Second})
	o.UndoRetry = o.UndoRetry.or(Backoff{Attempts: 10, Base: time.Second, Max: time.Minute})
	if o.Sweeps == nil {
		o.Sweeps = []time.Duration{5 * time.Minute, 24 * time.Hour}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// An Engine starts, claims and drives sagas over a database. Any number of
// engines may share one PostgreSQL.
type Engine struct {
	db    *db.DB
	o     Options
	kinds map[string]*definition
	node  string // random, names this engine among the nodes

	skew     time.Duration // added to the process's clock, in tests
	ahead    atomic.Int64  // the database's clock less ours, in microseconds
	hints    chan record   // freshly started sagas, ready to be claimed without a read
	wake     chan struct{}
	slots    chan struct{} // one per saga being driven
	serving  atomic.Bool
	stopping atomic.Bool
	hinted   sync.Map // ID -> true, those in hints
	owners   sync.Map // ID -> *owner, the sagas that this engine drives
	changed  *topic   // told after every commit of this engine
	rests    rests    // told of the sagas that this engine brings to rest
	starts   *db.Group[record]
	writes   *db.Group[*write]
	stats    stats
}

// New returns an engine over a migrated database for these kinds. A kind that
// declares itself wrongly is an error.
func New(d *db.DB, o Options, kinds ...Registrable) (*Engine, error) {
	o = o.withDefaults()
	if o.Margin >= o.Lease {
		return nil, fmt.Errorf("saga: the margin %s must be shorter than the lease %s", o.Margin, o.Lease)
	}
	e := &Engine{
		db: d, o: o, kinds: map[string]*definition{}, node: rand.Text(),
		hints: make(chan record, 4*o.Workers), wake: make(chan struct{}, 1), slots: make(chan struct{}, o.Workers),
		changed: newTopic(), rests: rests{waiting: map[ID][]chan Saga{}},
	}
	e.starts = db.NewGroup(d, e.recordAll)
	e.writes = db.NewGroup(d, e.writeAll)
	for _, k := range kinds {
		def, err := k.define()
		if err != nil {
			return nil, err
		}
		if e.kinds[def.name] != nil {
			return nil, fmt.Errorf("saga: two kinds are named %s", def.name)
		}
		e.kinds[def.name] = def
	}
	return e, nil
}

// now is the database's clock as this process last saw it, counted on, in the
// microseconds in which the ledger keeps times.
func (e *Engine) now() time.Time {
	return time.Now().Add(e.skew + time.Duration(e.ahead.Load())*time.Microsecond).UTC().Truncate(time.Microsecond)
}

// sync learns the database's clock from an answer that took from sent until now.
func (e *Engine) sync(dbNow, sent time.Time) {
	if e.db.Engine() == db.SQLite {
		return // it is ours
	}
	middle := sent.Add(e.skew + time.Since(sent)/2)
	e.ahead.Store(dbNow.Sub(middle).Microseconds())
}

// syncNow asks the database for its time.
func (e *Engine) syncNow(ctx context.Context) error {
	sent := time.Now()
	now, err := e.db.Now(ctx, e.db.Read())
	if err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	e.sync(now, sent)
	return nil
}

// Wake makes the dispatcher look for due sagas now. It is a hint.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// wakeChannel carries wake-ups between nodes.
const wakeChannel = "arcadia_sagas"

// Serve claims and drives sagas until ctx is done. Then it claims no more, gives
// the sagas it drives back at their next boundary, waits Options.Grace for that,
// cancels what still runs, and returns nil once nothing of it is left.
func (e *Engine) Serve(ctx context.Context) error {
	if !e.serving.CompareAndSwap(false, true) {
		return errors.New("saga: this engine is being served already")
	}
	defer e.serving.Store(false)
	if err := e.ready(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return err
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running, duties sync.WaitGroup
	notified := e.db.Listen(ctx, wakeChannel)
	duties.Go(func() { e.renewLeases(work) })
	duties.Go(func() { e.attend(ctx) })

	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case r := <-e.hints:
			e.dispatch(ctx, work, &running, r.ID, &r)
			continue
		case <-ctx.Done():
			continue
		case <-e.wake:
		case _, ok := <-notified:
			if !ok {
				notified = nil
			}
		case <-timer.C:
		}
		more, err := e.sweepDue(ctx, work, &running)
		if err != nil && ctx.Err() == nil {
			e.o.Logger.Error("look for due sagas", "err", err)
		}
		if more {
			e.Wake()
		}
		timer.Reset(e.o.Poll - mathrand.N(e.o.Poll/5+1))
	}

	e.stopping.Store(true)
	defer e.stopping.Store(false)
	left := time.AfterFunc(e.o.Grace, cancel)
	running.Wait()
	left.Stop()
	cancel()
	duties.Wait()
	return nil
}

// ready learns what must be known before anything is claimed.
func (e *Engine) ready(ctx context.Context) error {
	if err := e.syncNow(ctx); err != nil || !e.o.Sole {
		return err
	}
	return e.endOldLeases(ctx)
}

// dispatch drives a saga in a worker, once one is free. r is its record when
// that is already known.
func (e *Engine) dispatch(ctx, work context.Context, running *sync.WaitGroup, id ID, r *record) {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	running.Go(func() {
		defer func() { <-e.slots }()
		if err := e.drive(work, id, r); err != nil && ctx.Err() == nil {
			e.o.Logger.Error("drive a saga", "saga", id, "err", err)
		}
	})
}

func (e *Engine) drive(ctx context.Context, id ID, r *record) error {
	if r != nil {
		defer e.hinted.Delete(id)
	} else {
		read, err := find(ctx, e.db.Read(), id)
		if err != nil {
			return err
		}
		r = &read
	}
	if !e.knows(*r) {
		return nil
	}
	_, err := e.run(ctx, *r)
	return err
}

// batch is how many due sagas are read at once.
const batch = 256

// sweepDue claims what is due, and reports whether there may be more.
func (e *Engine) sweepDue(ctx, work context.Context, running *sync.WaitGroup) (more bool, err error) {
	due, err := e.due(ctx, batch)
	if err != nil {
		return false, err
	}
	for _, id := range due {
		if e.drives(id) {
			continue
		}
		e.dispatch(ctx, work, running, id, nil)
	}
	return len(due) == batch, ctx.Err()
}

// drives reports whether this engine owns the saga, or is about to claim it. What
// it then brings to rest is told after that has changed.
func (e *Engine) drives(id ID) bool {
	if _, comes := e.hinted.Load(id); comes { // until it is among the owners
		return true
	}
	_, mine := e.owners.Load(id)
	return mine
}

func (e *Engine) due(ctx context.Context, limit int) ([]ID, error) {
	names := make([]string, 0, len(e.kinds))
	for name := range e.kinds {
		names = append(names, name)
	}
	in, args := list(3, names)
	ids, err := texts(ctx, e.db.Read(), `SELECT id FROM sagas WHERE `+dueAt+` <= $1 AND kind IN (`+in+`)
		ORDER BY `+dueAt+` LIMIT $2`, append([]any{db.Micros(e.now()), limit}, args...)...)
	due := make([]ID, len(ids))
	for i, id := range ids {
		due[i] = ID(id)
	}
	return due, err
}

// knows reports whether this engine has the kind and every step of r.
func (e *Engine) knows(r record) bool {
	def := e.kinds[r.Kind]
	if def == nil {
		return false
	}
	for _, s := range r.Steps {
		if _, ok := def.step(s.Name); !ok {
			return false
		}
	}
	return true
}

// Run claims the saga if it is due and drives it until it rests or ends. It is a
// claim like any other: beside another owner, and on a saga that was created
// and not started, it does nothing. It returns the saga as it is then.
func (e *Engine) Run(ctx context.Context, id ID) (Saga, error) {
	r, err := e.find(ctx, id)
	if err != nil {
		return Saga{}, err
	}
	if e.knows(r) && !r.State.Ended() {
		if _, err := e.run(ctx, r); err != nil {
			return Saga{}, err
		}
	}
	return e.Saga(ctx, id)
}

// endOldLeases ends the leases of owners that are known to be dead.
func (e *Engine) endOldLeases(ctx context.Context) error {
	return e.db.WriteFenced(ctx, "", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sagas SET lease_until = `+db.Now+`
			WHERE lease_owner IS NOT NULL AND lease_until > `+db.Now)
		return err
	})
}

// renewLeases renews each owned lease in time and cancels owners whose time is
// up, until ctx is done.
func (e *Engine) renewLeases(ctx context.Context) {
	tick := time.NewTicker(max(e.o.Lease/12, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e.owners.Range(func(_, v any) bool {
			v.(*owner).heartbeat(ctx)
			return true
		})
	}
}

// A topic tells any number of listeners that something changed.
type topic struct {
	mu   sync.Mutex
	next chan struct{}
}

func newTopic() *topic { return &topic{next: make(chan struct{})} }

func (t *topic) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.next)
	t.next = make(chan struct{})
}

// told is closed at the next tell.
func (t *topic) told() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

// rests tells those who wait for a saga of its rest.
type rests struct {
	mu      sync.Mutex
	waiting map[ID][]chan Saga
}

// expect returns a channel that gets the saga when it next rests.
func (r *rests) expect(id ID) (rested <-chan Saga, forget func()) {
	ch := make(chan Saga, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[id] = append(r.waiting[id], ch)
	return ch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if left := slices.DeleteFunc(r.waiting[id], func(c chan Saga) bool { return c == ch }); len(left) > 0 {
			r.waiting[id] = left
		} else {
			delete(r.waiting, id)
		}
	}
}

// tell gives a saga that has come to rest to those who wait for it.
func (r *rests) tell(rec record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ch := range r.waiting[rec.ID] {
		select {
		case ch <- rec.clone().Saga:
		default: // it has one already
		}
	}
}

// Stats are counts since the engine was made.
type Stats struct {
	Claims, LostClaims int64 // claims made, and claims that another made first
	Boundaries         int64 // ledger commits
	StaleWrites        int64 // ledger writes that were refused because the row had moved on
	LostCommits        int64 // commits whose answer was lost
}

type stats struct{ claims, lostClaims, boundaries, stale, lost atomic.Int64 }

// Stats returns the engine's counts.
func (e *Engine) Stats() Stats {
	return Stats{
		Claims: e.stats.claims.Load(), LostClaims: e.stats.lostClaims.Load(), Boundaries: e.stats.boundaries.Load(),
		StaleWrites: e.stats.stale.Load(), LostCommits: e.stats.lost.Load(),
	}
}
