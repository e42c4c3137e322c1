// Package sagatest proves kinds of sagas: Unwind fails one at every step,
// repeats every Do and Undo, and cuts it before and after every ledger commit and
// every API call, and asks each time that it ends as it should and that the world
// is as it should be.
package sagatest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

	// Weather, if set, gives the cloud the weather of a preset: the saga's before it
	// begins, and [Calm] before Check.
	Weather func(preset string) error
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
	// Sample is how many of the cut points are tried, which the seed chooses, unless
	// ARCADIA_ALL_CUTS is set; 0: all. Short tests try a few.
	Sample int
	// Presets are weathers of the cloud in which some of the points are cut too. With
	// ARCADIA_PRESET the points are cut in the weather of that name alone.
	Presets []string

	preset string  // in whose weather the points are cut; empty: the one that Build makes
	share  float64 // of the points that would be cut without Presets
	seed   uint64
	real   bool // in real time, in which how often somebody looks is by chance
}

// Calm is the name of the weather in which nothing goes wrong. In any other the cloud
// errs by chance: a saga may then be undone where it would have completed, and a run may
// end before the point at which it is to be cut.
const Calm = "calm"

// inPresets is how many points are cut in each of the presets, for one in the weather that
// Build makes.
const inPresets = 0.2

// few is how many points are cut where tests are to be short, if a sample is.
const few = 5

// enough cuts are so many that weather alone does not make each of them come too late.
const enough = 20

// seedVariable gives a run other choices, of which points are cut and of what its clouds
// leave to chance: a number, or `random`. They are the same each time without it.
const (
	seedVariable = "ARCADIA_TEST_SEED"
	usualSeed    = 1
)

// allVariable has every point be cut, in every preset.
const allVariable = "ARCADIA_ALL_CUTS"

// Unwind proves a kind. It logs how many points it cut.
func Unwind(t *testing.T, c Case) {
	if c.Bubble == nil {
		c.real = true
		c.Bubble = func(t *testing.T, fn func(*testing.T)) { fn(t) }
	}
	if c.Within == 0 {
		c.Within = time.Minute
	}
	c.share, c.seed = 1, Seed(t)
	if only := os.Getenv("ARCADIA_PRESET"); only != "" {
		if len(c.Presets) == 0 {
			t.Skip("this world has one weather")
		}
		c.preset = only
		c.unwind(t)
		return
	}
	c.unwind(t)
	for _, preset := range c.Presets {
		in := c
		in.preset = preset
		if os.Getenv(allVariable) == "" {
			in.share = inPresets
		}
		t.Run("in the preset "+preset, in.unwind)
	}
}

// Seed is what the choices of a run come from: the same each time, unless ARCADIA_TEST_SEED
// says otherwise.
func Seed(t *testing.T) uint64 {
	t.Helper()
	switch text := os.Getenv(seedVariable); text {
	case "":
		return usualSeed
	case "random":
		n := rand.Uint64()
		t.Logf("%s=%d repeats this", seedVariable, n)
		return n
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s is a number, or random: %v", seedVariable, err)
		}
		return n
	}
}

// errs reports whether the cloud does by chance.
func (c Case) errs() bool { return c.preset != "" && c.preset != Calm }

// unwind proves a kind in one weather.
func (c Case) unwind(t *testing.T) {
	// What there is to cut is learned from runs to which nothing happens: one
	// forward, and one that fails when its last step has acted.
	var forward, back trace
	if !c.learn(t, "untouched", plan{}, c.Ends, &forward) {
		return
	}
	undone, kept := forward.split(c.Pivot)
	if len(undone) == 0 || c.Pivot != "" && !slices.Contains(forward.ledger, c.Pivot) {
		t.Fatalf("of the steps %q, %q cannot be the pivot", forward.ledger, c.Pivot)
	}
	last := undone[len(undone)-1]
	undoing := plan{failAfter: last}
	if !c.learn(t, "undone after the last step", undoing, saga.RolledBack, &back) {
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
	if back.acts > 0 { // a single step that only looks has nothing to undo
		add("repeat every Do and Undo", saga.RolledBack, plan{repeat: true, failAfter: last})
	}
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
	chance := rand.New(rand.NewPCG(c.seed, 0)) //nolint:gosec // which points are cut is no secret
	chance.Shuffle(all, func(i, j int) { points[i], points[j] = points[j], points[i] })
	points = points[:c.some(all)]
	var missed, ended, violations atomic.Int64
	t.Run("cut", func(t *testing.T) {
		next := make(chan point)
		var running sync.WaitGroup
		for range max(c.Parallel, 1) {
			running.Go(func() {
				for pt := range next {
					ok := t.Run(pt.name, func(t *testing.T) {
						c.Bubble(t, func(t *testing.T) {
							seen := c.run(t, pt.plan, pt.ends, chanceOf(c.seed, pt.name))
							if !seen.reached {
								missed.Add(1)
							}
							if seen.end != pt.ends {
								ended.Add(1)
							}
						})
					})
					if !ok {
						violations.Add(1)
					}
				}
			})
		}
		for _, pt := range points {
			next <- pt
		}
		close(next)
		running.Wait()
	})
	t.Logf("%d commits and %d calls forward, %d and %d with the undoing, %d steps",
		forward.commits, forward.calls, back.commits, back.calls, len(forward.steps))
	// As scripts/cuts reads it.
	t.Logf("cuts of %s: %d of %d points, %d over before, %d undone by the weather, %d violations",
		strings.TrimPrefix(t.Name(), "TestUnwind"), len(points), all, missed.Load(), ended.Load(), violations.Load())
	// Weather makes some runs shorter than the one that was learned, so that of a
	// handful of cuts all may come too late; of many, they do not.
	if len(points) >= enough && int(missed.Load()) == len(points) {
		t.Errorf("all of %d runs were over before they were to be cut", len(points))
	}
}

// some is how many of all points are cut.
func (c Case) some(all int) int {
	some := all
	if c.Sample > 0 && os.Getenv(allVariable) == "" {
		some = min(c.Sample, all)
		if testing.Short() {
			some = min(few, some)
		}
	}
	return int(math.Ceil(c.share * float64(some)))
}

// learn traces a run that ends as it should: where the cloud errs, the first of a few.
func (c Case) learn(t *testing.T, name string, p plan, ends saga.State, into *trace) bool {
	tries := 1
	if c.errs() {
		tries = 8
	}
	for i := range tries {
		ok := t.Run(name, func(t *testing.T) {
			c.Bubble(t, func(t *testing.T) { *into = c.run(t, p, ends, chanceOf(c.seed, fmt.Sprint(name, i))) })
		})
		if !ok {
			return false
		}
		if into.end == ends && into.reached {
			return true
		}
	}
	t.Errorf("%s, it did not end %s in %d runs", name, ends, tries)
	return false
}

// chanceOf is the seed of one run's cloud.
func chanceOf(seed uint64, name string) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, seed, name) // a hash takes everything
	return h.Sum64()
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
	acts           int // of a Do or an Undo that can be repeated
	end            saga.State
	reached        bool // what was planned came about
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
	again := n.failed
	n.failed = true
	switch {
	case !n.plan.once:
		return injected
	case again:
		return nil
	}
	return transient
}

// run makes one run and its checks.
func (c Case) run(t *testing.T, p plan, ends saga.State, seed uint64) trace {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.Within)
	defer cancel()
	net := &Net{plan: &p}
	if c.errs() {
		net.Seed = seed
	}
	w := c.Build(t, net)
	if c.preset != "" {
		c.turn(t, w, c.preset)
	}

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
	net.end()
	reached := net.reached()
	if !reached && !c.errs() && !c.real {
		t.Fatalf("the chosen point was not reached: %+v", p)
	}
	if end.State != ends && !(c.errs() && end.State == saga.RolledBack) {
		t.Fatalf("the saga ended %s, want %s; error %+v, steps %+v", end.State, ends, end.Error, end.Steps)
	}
	checkLedger(t, end)
	c.sweep(ctx, t, w, engine.engine)
	engine.stop()
	if c.preset != "" {
		c.turn(t, w, Calm)
	}
	w.Check(t, end)
	net.mu.Lock()
	defer net.mu.Unlock()
	seen := trace{steps: net.steps, commits: net.commits, calls: net.calls, acts: net.acts, end: end.State, reached: reached}
	for _, step := range end.Steps {
		seen.ledger = append(seen.ledger, step.Name)
	}
	return seen
}

// turn gives a world's cloud a weather.
func (c Case) turn(t *testing.T, w World, preset string) {
	t.Helper()
	if w.Weather == nil {
		t.Fatal("this world has one weather")
	}
	if err := w.Weather(preset); err != nil {
		t.Fatal(err)
	}
}

// sweep makes the sweeps that are due: where the cloud errs, until they succeed, as a
// server does.
func (c Case) sweep(ctx context.Context, t *testing.T, w World, e *saga.Engine) {
	t.Helper()
	if w.Sweep == nil {
		return
	}
	err := w.Sweep(ctx, e)
	for i := 0; err != nil && c.errs() && i < 20; i++ {
		err = w.Sweep(ctx, e)
	}
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
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
			time.Sleep(w.Options.Poll / 100) //nolint:forbidigo // what is committed in one go is looked at once
		case <-died:
		case <-time.After(max(w.Options.Poll, 20*time.Millisecond)):
		case <-ctx.Done():
			t.Fatalf("the saga did not end in time: %s, waits for %+v, steps %+v", s.State, s.Wait, s.Steps)
		}
	}
}
