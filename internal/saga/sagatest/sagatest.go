// Package sagatest proves kinds of sagas: Unwind fails one at every step,
// repeats every Do and Undo, and cuts it before and after every ledger commit and
// every API call, and asks each time that it ends as it should and that the world
// is as it should be.
package sagatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A World is what one run of a saga happens in. It is made anew for each run.
type World struct {
	DB      *db.DB
	Options saga.Options
	Kinds   []saga.Registrable
	Request saga.Request

	// Begun, if set, is the saga that Build has recorded, in place of Request: see
	// [Net.Aside].
	Begun saga.ID

	// Sweep makes the sweeps that are due, with the engine that is given. It is
	// called after the end, once all are due.
	Sweep func(context.Context, *saga.Engine) error

	// Check asks that the world is as the saga's end says: after `rolled_back`
	// as it was before, after `completed` with exactly what was asked for.
	Check func(t *testing.T, end saga.Saga)

	// Tick, if set, is called while the saga is waited for: a clock that does
	// not move by itself is moved here.
	Tick func()
}

// A Case is a kind to be proved.
type Case struct {
	// Build makes a fresh world whose API calls all pass net.
	Build func(t *testing.T, net *Net) World
	// Ends is how the saga ends when nothing happens to it.
	Ends saga.State
	// Pivot is the step from whose intent on the kind only goes forward; empty: it has
	// none. The steps before it are undone; it and those after it are made to fail once,
	// which a retry cures, and the saga still ends as Ends says.
	Pivot string
	// Bubble runs fn, in a synctest bubble where the database and the cloud can.
	Bubble func(t *testing.T, fn func(t *testing.T))
	// Parallel is how many runs go side by side; default 1.
	Parallel int
	// Within bounds one run; default a minute.
	Within time.Duration
	// Sample is how many of the cut points are tried, chosen anew by each run of the
	// tests, unless ARCADIA_ALL_CUTS is set; 0: all.
	Sample int
}

// Unwind proves a kind. It logs how many points it cut.
func Unwind(t *testing.T, c Case) {
	if c.Bubble == nil {
		c.Bubble = func(t *testing.T, fn func(*testing.T)) { fn(t) }
	}
	if c.Within == 0 {
		c.Within = time.Minute
	}
	// What there is to cut is learned from runs to which nothing happens: one
	// forward, and one that fails when its last step has acted.
	var forward, back trace
	ok := t.Run("untouched", func(t *testing.T) {
		c.Bubble(t, func(t *testing.T) { forward = c.run(t, &plan{}, c.Ends) })
	})
	if !ok {
		return
	}
	undone, kept := forward.split(c.Pivot)
	if len(undone) == 0 || c.Pivot != "" && !slices.Contains(forward.ledger, c.Pivot) {
		t.Fatalf("of the steps %q, %q cannot be the pivot", forward.ledger, c.Pivot)
	}
	last := undone[len(undone)-1]
	undoing := plan{failAfter: last}
	ok = t.Run("undone after the last step", func(t *testing.T) {
		c.Bubble(t, func(t *testing.T) { back = c.run(t, &undoing, saga.RolledBack) })
	})
	if !ok {
		return
	}
	var points []point
	add := func(name string, ends saga.State, p plan) { points = append(points, point{name, ends, p}) }
	for _, step := range undone {
		add("fail before "+step, saga.RolledBack, plan{failBefore: step})
		add("fail after "+step, saga.RolledBack, plan{failAfter: step})
	}
	for _, step := range kept {
		add("fail once before "+step, c.Ends, plan{failBefore: step, once: true})
		add("fail once after "+step, c.Ends, plan{failAfter: step, once: true})
	}
	add("repeat every Do", c.Ends, plan{repeat: true})
	add("repeat every Do and Undo", saga.RolledBack, plan{repeat: true, failAfter: last})
	for _, way := range []struct {
		name string
		seen trace
		base plan
		ends saga.State
	}{{"forward", forward, plan{}, c.Ends}, {"undoing", back, undoing, saga.RolledBack}} {
		for n := range way.seen.commits {
			for _, cut := range []cut{dieBefore, dieAfter, loseAnswer} {
				p := way.base
				p.commit, p.cut = n+1, cut
				add(fmt.Sprintf("%s, commit %d, %s", way.name, n+1, cut), way.ends, p)
			}
		}
		for n := range way.seen.calls {
			for _, cut := range []cut{dieBefore, dieAfter, loseAnswer} {
				p := way.base
				p.call, p.cut = n+1, cut
				add(fmt.Sprintf("%s, call %d, %s", way.name, n+1, cut), way.ends, p)
			}
		}
	}
	all := len(points)
	if c.Sample > 0 && c.Sample < all && os.Getenv("ARCADIA_ALL_CUTS") == "" {
		rand.Shuffle(all, func(i, j int) { points[i], points[j] = points[j], points[i] })
		points = points[:c.Sample]
	}
	t.Run("cut", func(t *testing.T) {
		next := make(chan point)
		var running sync.WaitGroup
		for range max(c.Parallel, 1) {
			running.Go(func() {
				for pt := range next {
					t.Run(pt.name, func(t *testing.T) {
						c.Bubble(t, func(t *testing.T) { c.run(t, &pt.plan, pt.ends) })
					})
				}
			})
		}
		for _, pt := range points {
			next <- pt
		}
		close(next)
		running.Wait()
	})
	t.Logf("%d of %d cut points: %d commits and %d calls forward, %d and %d with the undoing, %d steps",
		len(points), all, forward.commits, forward.calls, back.commits, back.calls, len(forward.steps))
}

type point struct {
	name string
	ends saga.State
	plan plan
}

// A cut is what happens at a point.
type cut string

const (
	dieBefore  cut = "die before"
	dieAfter   cut = "die after"
	loseAnswer cut = "lose the answer"
)

// A plan is what happens to one run.
type plan struct {
	failBefore, failAfter string // step
	once                  bool   // it fails once, and a retry cures it
	repeat                bool
	commit, call          int // which, from 1; 0: none
	cut                   cut
}

// A trace is what a run passed.
type trace struct {
	steps          []string // that were entered, which local ones are not
	ledger         []string // all
	commits, calls int
}

// split parts the steps that a run passed at the pivot: those that are undone, and the
// pivot with all after it.
func (t trace) split(pivot string) (undone, kept []string) {
	at := slices.Index(t.ledger, pivot)
	if at < 0 {
		return t.steps, nil
	}
	for _, step := range t.steps {
		if slices.Index(t.ledger, step) < at {
			undone = append(undone, step)
		} else {
			kept = append(kept, step)
		}
	}
	return undone, kept
}

// What a step fails with that Unwind makes fail.
var (
	injected  = saga.Permanent(fault.New(fault.Unprocessable, "This step was made to fail."))
	transient = fault.New(fault.Unavailable, "This step was made to fail once.")
)

// fails answers what the plan has a step fail with, which happens here; nil: nothing.
func (n *Net) fails() error {
	if !n.plan.once {
		n.strike()
		return injected
	}
	if n.hit {
		return nil
	}
	n.strike()
	return transient
}

// run makes one run and its checks.
func (c Case) run(t *testing.T, p *plan, ends saga.State) trace {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.Within)
	defer cancel()
	net := &Net{plan: p}
	w := c.Build(t, net)

	first := serve(t, w, net.probe)
	id, err := w.begin(ctx, first.engine)
	if err != nil {
		t.Fatal(err)
	}
	end := wait(ctx, t, w, first.engine, id, net)
	net.awaitCommit(ctx)
	engine := first
	if net.dead() {
		first.stop()
		net.revive()
		engine = serve(t, w, net.count)
		end = wait(ctx, t, w, engine.engine, id, nil)
	}
	if !net.reached() {
		t.Fatalf("the chosen point was not reached: %+v", *p)
	}
	if end.State != ends {
		t.Fatalf("the saga ended %s, want %s; error %+v, steps %+v", end.State, ends, end.Error, end.Steps)
	}
	checkLedger(t, end)
	if w.Sweep != nil {
		if err := w.Sweep(ctx, engine.engine); err != nil {
			t.Fatalf("sweep: %v", err)
		}
	}
	engine.stop()
	w.Check(t, end)
	net.mu.Lock()
	defer net.mu.Unlock()
	seen := trace{steps: net.steps, commits: net.commits, calls: net.calls}
	for _, step := range end.Steps {
		seen.ledger = append(seen.ledger, step.Name)
	}
	return seen
}

func (w World) begin(ctx context.Context, e *saga.Engine) (saga.ID, error) {
	if w.Begun != "" {
		return w.Begun, nil
	}
	s, _, err := e.Launch(ctx, w.Request)
	return s.ID, err
}

// checkLedger asks that the steps agree with the saga's end.
func checkLedger(t *testing.T, end saga.Saga) {
	t.Helper()
	for _, s := range end.Steps {
		switch {
		case end.State == saga.Completed && s.State != saga.StepCompleted,
			end.State == saga.RolledBack && (s.State == saga.StepExecuting || s.State == saga.StepCompensating ||
				s.State == saga.StepWaiting || s.State == saga.StepUnknown || s.State == saga.StepUndoFailed):
			t.Errorf("after %s step %s is %s", end.State, s.Name, s.State)
		}
	}
}

type served struct {
	engine *saga.Engine
	stop   func()
}

func serve(t *testing.T, w World, probe saga.Probe) served {
	t.Helper()
	o := w.Options
	o.Probe = probe
	e, err := saga.New(w.DB, o, w.Kinds...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return served{e, stop}
}

// wait returns the saga once it has ended or is stuck, or as it is when the
// process has died.
func wait(ctx context.Context, t *testing.T, w World, e *saga.Engine, id saga.ID, net *Net) saga.Saga {
	t.Helper()
	for {
		told := e.Changed()
		s, err := e.Saga(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if s.State.Ended() || s.State == saga.Stuck || net != nil && net.dead() {
			return s
		}
		if w.Tick != nil {
			w.Tick()
		}
		var died <-chan struct{}
		if net != nil {
			died = net.died()
		}
		select {
		case <-told:
		case <-died:
		case <-time.After(max(w.Options.Poll, 20*time.Millisecond)):
		case <-ctx.Done():
			t.Fatalf("the saga did not end in time: %s, waits for %+v, steps %+v", s.State, s.Wait, s.Steps)
		}
	}
}

// A Net counts the commits and API calls of a run and cuts it where the plan
// says.
type Net struct {
	plan *plan

	mu      sync.Mutex
	steps   []string
	commits int
	calls   int
	hit     bool
	struck  chan struct{} // closed at the hit, once somebody waits for it
	isDead  bool
	aside   bool
	death   chan struct{}
	revived bool
}

func (n *Net) died() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.death == nil {
		n.death = make(chan struct{})
		if n.isDead {
			close(n.death)
		}
	}
	return n.death
}

// awaitCommit waits until the engine knows of the commit that the plan cuts, if
// it has begun: who reads the database may see the saga's end before the engine
// does.
func (n *Net) awaitCommit(ctx context.Context) {
	n.mu.Lock()
	begun := n.plan.commit > 0 && n.plan.commit <= n.commits && !n.hit
	if begun && n.struck == nil {
		n.struck = make(chan struct{})
	}
	struck := n.struck
	n.mu.Unlock()
	if !begun {
		return
	}
	select {
	case <-struck:
	case <-ctx.Done():
	}
}

// strike notes that the plan has happened.
func (n *Net) strike() {
	if n.hit {
		return
	}
	n.hit = true
	if n.struck != nil {
		close(n.struck)
	}
}

func (n *Net) dead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.isDead
}

func (n *Net) die() {
	n.strike()
	if !n.isDead {
		n.isDead = true
		if n.death != nil {
			close(n.death)
		}
	}
}

func (n *Net) revive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isDead, n.revived = false, true
}

func (n *Net) reached() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hit || *n.plan == plan{}
}

// probe is the first engine's: it makes the plan happen.
func (n *Net) probe(p saga.Point) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isDead || n.revived {
		return saga.Died
	}
	switch p.At {
	case saga.Entering:
		return n.entering(p)
	case saga.Left:
		return n.left(p)
	case saga.Committing:
		n.commits++
		if n.plan.commit == n.commits && n.plan.cut == dieBefore {
			n.die()
			return saga.Died
		}
	case saga.Committed:
		// A commit that was tried again was counted again: the cut is at the first
		// that came about.
		if n.plan.commit == 0 || n.commits < n.plan.commit || n.hit {
			return nil
		}
		switch n.plan.cut {
		case dieAfter:
			n.die()
			return saga.Died
		case loseAnswer:
			n.strike()
			return saga.LostAnswer
		}
	}
	return nil
}

func (n *Net) entering(p saga.Point) error {
	if p.Undoing {
		return nil
	}
	if len(n.steps) == 0 || n.steps[len(n.steps)-1] != p.Step {
		n.steps = append(n.steps, p.Step)
	}
	if n.plan.failBefore == p.Step {
		return n.fails()
	}
	return nil
}

func (n *Net) left(p saga.Point) error {
	if n.plan.repeat && p.Err == nil {
		if n.plan.failAfter == "" {
			n.strike()
		}
		if p.Undoing || n.plan.failAfter != p.Step {
			return saga.Repeat
		}
	}
	if !p.Undoing && n.plan.failAfter == p.Step && !saga.IsWait(p.Err) {
		return n.fails()
	}
	return nil
}

// count is the second engine's probe: steps that the plan fails still fail.
func (n *Net) count(p saga.Point) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch p.At {
	case saga.Entering:
		return n.entering(p)
	case saga.Left:
		return n.left(p)
	}
	return nil
}

// ErrCut is what a cut API call fails with.
var ErrCut = errors.New("sagatest: the connection was cut")

// Aside has requests neither counted nor cut until the function that it returns is
// called: those of Build are no part of the saga.
func (n *Net) Aside() (back func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.aside = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.aside = false
	}
}

// Transport wraps the transport below the client of the cloud, so that each call
// is counted and may be cut.
func (n *Net) Transport(below http.RoundTripper) http.RoundTripper {
	return transport{n, below}
}

type transport struct {
	net   *Net
	below http.RoundTripper
}

func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	n := tr.net
	n.mu.Lock()
	if n.isDead {
		n.mu.Unlock()
		return nil, ErrCut
	}
	var happens cut
	if !n.revived && !n.aside {
		n.calls++
		if n.plan.call == n.calls {
			happens = n.plan.cut
		}
	}
	if happens == dieBefore {
		n.die()
		n.mu.Unlock()
		return nil, ErrCut
	}
	n.mu.Unlock()

	resp, err := tr.below.RoundTrip(r)
	if happens == "" {
		return resp, err
	}
	if err == nil {
		_ = resp.Body.Close() // nobody is there to read it
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.strike()
	if happens == dieAfter {
		n.die()
	}
	return nil, ErrCut
}
