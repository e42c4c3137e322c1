package saga_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A journal is what the steps of a test's sagas did, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// count is the state of the tests' sagas.
type count struct {
	N        int      `json:"n"`
	Subjects []string `json:"subjects,omitempty"`
	Note     string   `json:"note,omitempty"`
}

func subjects(c count) []string { return c.Subjects }

// noted is a step that adds one and says so.
func noted(j *journal, name string) saga.Step[count] {
	return saga.Step[count]{
		Name: name,
		Do: func(ctx context.Context, c *count) error {
			j.add("do %s", name)
			c.N++
			return nil
		},
		Undo: func(ctx context.Context, c *count) error {
			j.add("undo %s", name)
			c.N--
			return nil
		},
	}
}

func failing(name string) saga.Step[count] {
	return saga.Step[count]{
		Name: name, NothingToUndo: "it does nothing",
		Do: func(context.Context, *count) error {
			return saga.Permanent(fault.New(fault.Unprocessable, "This step fails."))
		},
	}
}

// quick are options under which tests take milliseconds.
func quick() saga.Options {
	return saga.Options{
		Lease: 600 * time.Millisecond, Poll: 20 * time.Millisecond, Workers: 32,
		Retry:     saga.Backoff{Attempts: 3, Base: time.Millisecond, Max: 4 * time.Millisecond},
		UndoRetry: saga.Backoff{Attempts: 3, Base: time.Millisecond, Max: 4 * time.Millisecond},
	}
}

func newEngine(t *testing.T, d *db.DB, o saga.Options, kinds ...saga.Registrable) *saga.Engine {
	t.Helper()
	e, err := saga.New(d, o, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// serve runs e until the returned function, or the test's end, stops it.
func serve(t *testing.T, e *saga.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func launch(t *testing.T, e *saga.Engine, kind string, input any) saga.Saga {
	t.Helper()
	s, _, err := e.Launch(t.Context(), saga.Request{Kind: kind, Input: input, RequestedBy: "cli:test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func await(t *testing.T, e *saga.Engine, id saga.ID, want saga.State) saga.Saga {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for a slow machine
	defer cancel()
	for {
		told := e.Changed()
		s, err := e.Saga(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if s.State == want {
			return s
		}
		if s.State.Ended() {
			t.Fatalf("saga %s ended %s, want %s; error %+v; steps %+v", id, s.State, want, s.Error, s.Steps)
		}
		select {
		case <-told:
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("saga %s is %s, waits for %+v, want %s; steps %+v", id, s.State, s.Wait, want, s.Steps)
		}
	}
}

func stepStates(s saga.Saga) []saga.StepState {
	var states []saga.StepState
	for _, st := range s.Steps {
		states = append(states, st.State)
	}
	return states
}

var operator = saga.Actor{Name: "cli:test", Reason: "the test asks"}

func TestSagaCompletes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "three", Steps: []saga.Step[count]{noted(&j, "a"), noted(&j, "b"), noted(&j, "c")}})
		serve(t, e)
		s := await(t, e, launch(t, e, "three", count{}).ID, saga.Completed)
		if got, want := j.all(), []string{"do a", "do b", "do c"}; !slices.Equal(got, want) {
			t.Errorf("the steps ran %v, want %v", got, want)
		}
		// The claim writes the first intent, each boundary a result and the next
		// intent, the last one the end: N+1 commits for N steps.
		if s.Rev != 4 || s.Epoch != 1 {
			t.Errorf("rev %d and epoch %d after 3 steps, want 4 commits of one owner", s.Rev, s.Epoch)
		}
		if string(s.Data) != `{"n":3}` {
			t.Errorf("the state is %s, want n = 3", s.Data)
		}
		events, err := e.Events(t.Context(), s.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, ev := range events {
			if ev.Seq != int64(i+1) {
				t.Errorf("event %d has the number %d", i+1, ev.Seq)
			}
		}
		if len(events) != 8 || events[7].Type != "completed" {
			t.Errorf("%d events, the last %v; want started, 3 × (step_started, step_completed), completed", len(events), events[len(events)-1].Type)
		}
	})
}

func TestFailureUndoesInReverse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "doomed", Steps: []saga.Step[count]{noted(&j, "a"), noted(&j, "b"), failing("fail")}})
		serve(t, e)
		s := await(t, e, launch(t, e, "doomed", count{}).ID, saga.RolledBack)
		if got, want := j.all(), []string{"do a", "do b", "undo b", "undo a"}; !slices.Equal(got, want) {
			t.Errorf("the steps ran %v, want %v", got, want)
		}
		if got, want := stepStates(s), []saga.StepState{saga.StepCompensated, saga.StepCompensated, saga.StepFailed}; !slices.Equal(got, want) {
			t.Errorf("the ledger reads %v, want %v", got, want)
		}
		if s.Error == nil || s.Error.Message != "This step fails." {
			t.Errorf("the saga's error is %+v", s.Error)
		}
	})
}

func TestRetriesThenGivesUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var entries []saga.Entry
		var mu sync.Mutex
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "flaky", Steps: []saga.Step[count]{{
			Name: "try", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				mu.Lock()
				defer mu.Unlock()
				entries = append(entries, saga.Current(ctx).Entry)
				return errors.New("not yet")
			},
		}}})
		serve(t, e)
		s := await(t, e, launch(t, e, "flaky", count{}).ID, saga.RolledBack)
		if want := []saga.Entry{saga.First, saga.Retry, saga.Retry}; !slices.Equal(entries, want) {
			t.Errorf("entered as %v, want %v", entries, want)
		}
		if s.Steps[0].Attempts != 3 {
			t.Errorf("%d attempts, want 3", s.Steps[0].Attempts)
		}
	})
}

func TestUndoThatGivesUpIsStuckUntilRetried(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var broken sync.Map
		broken.Store("yes", true)
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "sticky", Subjects: subjects, Steps: []saga.Step[count]{
			{
				Name: "a", Do: func(context.Context, *count) error { return nil },
				Undo: func(context.Context, *count) error {
					if _, yes := broken.Load("yes"); yes {
						return errors.New("the cloud says no")
					}
					return nil
				},
			},
			failing("fail"),
		}})
		serve(t, e)
		first := launch(t, e, "sticky", count{Subjects: []string{"x"}})
		s := await(t, e, first.ID, saga.Stuck)
		if s.Steps[0].State != saga.StepUndoFailed || s.Steps[0].UndoAttempts != 3 {
			t.Errorf("step a is %s after %d undo attempts, want undo_failed after 3", s.Steps[0].State, s.Steps[0].UndoAttempts)
		}
		// A stuck saga keeps its subjects, and the queue says so.
		second := launch(t, e, "sticky", count{Subjects: []string{"x"}})
		queued := await(t, e, second.ID, saga.Waiting)
		if queued.Wait == nil || queued.Wait.Reason != fmt.Sprintf("queued behind %s, which has the same subject", first.ID) {
			t.Errorf("the second waits for %+v", queued.Wait)
		}
		broken.Delete("yes")
		if _, err := e.Retry(t.Context(), first.ID, operator); err != nil {
			t.Fatal(err)
		}
		await(t, e, first.ID, saga.RolledBack)
		await(t, e, second.ID, saga.RolledBack)
	})
}

func TestCreatedSagaIsNeverRun(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "one", Steps: []saga.Step[count]{noted(&j, "a")}})
		serve(t, e)
		created, _, err := e.Create(t.Context(), saga.Request{Kind: "one", Input: count{}, RequestedBy: "cli:test"})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := e.Run(t.Context(), created.ID); err != nil || s.State != saga.Created {
			t.Fatalf("running a created saga by hand: %v, %v; want it left created", s.State, err)
		}
		other := launch(t, e, "one", count{}) // the dispatcher is awake and looks
		await(t, e, other.ID, saga.Completed)
		if got := j.all(); len(got) != 1 {
			t.Fatalf("the steps ran %v, want the started saga's alone", got)
		}
		if _, err := e.Start(t.Context(), created.ID, operator); err != nil {
			t.Fatal(err)
		}
		await(t, e, created.ID, saga.Completed)
		if _, err := e.Start(t.Context(), created.ID, operator); !errors.Is(err, fault.Conflict) {
			t.Errorf("starting it twice: %v, want a conflict", err)
		}
	})
}

func TestRunByHandBesideTheDispatcher(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		kind := saga.Kind[count]{Name: "many", Steps: []saga.Step[count]{noted(&j, "a"), noted(&j, "b"), noted(&j, "c"), noted(&j, "d")}}
		e, hand := newEngine(t, d, quick(), kind), newEngine(t, d, quick(), kind)
		serve(t, e)
		for range 20 {
			s := launch(t, e, "many", count{})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := hand.Run(t.Context(), s.ID); err != nil {
						t.Errorf("run by hand: %v", err)
					}
				})
			}
			wg.Wait()
			if s = await(t, e, s.ID, saga.Completed); s.Rev != 5 || s.Epoch != 1 {
				t.Errorf("rev %d, epoch %d; want 5 commits of one owner", s.Rev, s.Epoch)
			}
		}
		if got := len(j.all()); got != 80 {
			t.Errorf("%d steps ran for 20 sagas of 4", got)
		}
	})
}

func TestLocalStepIsInItsBoundary(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fails := true
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "local", Steps: []saga.Step[count]{{
			Name: "write", NothingToUndo: "the test keeps it",
			Local: func(ctx context.Context, tx *sql.Tx, c *count) error {
				c.N++
				_, err := tx.ExecContext(ctx, `INSERT INTO saga_duties (name, lease_owner, lease_until) VALUES ('by a local step', 'me', 1)`)
				if err == nil && fails {
					fails = false
					return errors.New("after its write")
				}
				return err
			},
		}}})
		serve(t, e)
		s := await(t, e, launch(t, e, "local", count{}).ID, saga.Completed)
		// A commit that has to be written again calls it again within one attempt.
		if string(s.Data) != `{"n":1}` || s.Steps[0].Attempts > 2 || fails {
			t.Errorf("state %s after %d attempts; want n = 1 after at most 2: the failed one is rolled back with what it wrote", s.Data, s.Steps[0].Attempts)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "one", Steps: []saga.Step[count]{noted(&j, "a")}})
		ask := func(scope string, n int) (saga.Saga, bool, error) {
			return e.Launch(t.Context(), saga.Request{Kind: "one", Input: count{N: n}, RequestedBy: "cli:test", Scope: scope, Key: "k"})
		}
		var wg sync.WaitGroup
		ids := make([]saga.ID, 8)
		for i := range ids { // at once: one of them is first
			wg.Go(func() {
				s, _, err := ask("", 1)
				if err != nil {
					t.Errorf("same key, same input: %v", err)
				}
				ids[i] = s.ID
			})
		}
		wg.Wait()
		if slices.Sort(ids); ids[0] != ids[7] {
			t.Errorf("one key made sagas %v", slices.Compact(ids))
		}
		if s, replayed, err := ask("", 1); err != nil || !replayed || s.IdempotencyKey != "k" {
			t.Errorf("again: replayed %v, key %q, %v", replayed, s.IdempotencyKey, err)
		}
		if _, _, err := ask("", 2); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("same key, other input: %v, want unprocessable", err)
		}
		if s, replayed, err := ask("api:key_2", 2); err != nil || replayed || s.ID == ids[0] {
			t.Errorf("another owner's same key: %v, replayed %v, %v; want a saga of its own", s.ID, replayed, err)
		}
	})
}

func TestSubjects(t *testing.T) {
	gate := make(chan struct{})
	kind := func(name string, p saga.Policy, j *journal) saga.Kind[count] {
		return saga.Kind[count]{Name: name, Policy: p, Subjects: subjects, Steps: []saga.Step[count]{{
			Name: "hold", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				j.add("%s in", c.Note)
				select {
				case <-gate:
				case <-ctx.Done():
				}
				j.add("%s out", c.Note)
				return nil
			},
		}}}
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		gate = make(chan struct{})
		var j journal
		e := newEngine(t, d, quick(), kind("queues", saga.Queue, &j), kind("refuses", saga.Refuse, &j), kind("joins", saga.Coalesce, &j))
		serve(t, e)
		xy := launch(t, e, "queues", count{Note: "xy", Subjects: []string{"y", "x"}})
		await(t, e, xy.ID, saga.Running)
		yz := launch(t, e, "queues", count{Note: "yz", Subjects: []string{"z", "y"}}) // shares one of two
		await(t, e, yz.ID, saga.Waiting)
		z := launch(t, e, "queues", count{Note: "z", Subjects: []string{"z"}}) // free, but yz is before it
		await(t, e, z.ID, saga.Waiting)
		if _, _, err := e.Launch(t.Context(), saga.Request{Kind: "refuses", Input: count{Subjects: []string{"x"}}, RequestedBy: "cli:test"}); !errors.Is(err, fault.Conflict) {
			t.Errorf("a kind that refuses: %v, want a conflict", err)
		}
		first, _, err := e.Launch(t.Context(), saga.Request{Kind: "joins", Input: count{Note: "join", Subjects: []string{"w"}}, RequestedBy: "cli:test"})
		if err != nil {
			t.Fatal(err)
		}
		second, replayed, err := e.Launch(t.Context(), saga.Request{Kind: "joins", Input: count{Note: "join", Subjects: []string{"w"}}, RequestedBy: "cli:test"})
		if err != nil || !replayed || second.ID != first.ID {
			t.Errorf("a kind that coalesces: %s, replayed %v, %v; want %s", second.ID, replayed, err, first.ID)
		}
		close(gate)
		for _, s := range []saga.Saga{xy, yz, z, first} {
			await(t, e, s.ID, saga.Completed)
		}
		got := slices.DeleteFunc(j.all(), func(l string) bool { return l == "join in" || l == "join out" })
		if want := []string{"xy in", "xy out", "yz in", "yz out", "z in", "z out"}; !slices.Equal(got, want) {
			t.Errorf("held in the order %v, want %v", got, want)
		}
	})
}

func TestBadRequests(t *testing.T) {
	d := dbtest.New(t)
	e := newEngine(t, d, quick(), saga.Kind[count]{Name: "one", Steps: []saga.Step[count]{noted(new(journal), "a")}})
	for _, tt := range []struct {
		name string
		r    saga.Request
		want fault.Kind
	}{
		{"an unknown kind", saga.Request{Kind: "none", Input: count{}, RequestedBy: "x"}, fault.Invalid},
		{"nobody asks", saga.Request{Kind: "one", Input: count{}}, fault.Invalid},
		{"an unknown field", saga.Request{Kind: "one", Input: json.RawMessage(`{"m":1}`), RequestedBy: "x"}, fault.Invalid},
		{"not JSON", saga.Request{Kind: "one", Input: json.RawMessage(`{`), RequestedBy: "x"}, fault.Invalid},
		{"too large", saga.Request{Kind: "one", Input: count{Note: string(make([]byte, saga.MaxData))}, RequestedBy: "x"}, fault.TooLarge},
	} {
		if _, _, err := e.Launch(t.Context(), tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	if list, _, err := e.Sagas(t.Context(), saga.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("after refusals there are %d sagas, %v", len(list), err)
	}
}

func TestKindsThatAreDeclaredWrongly(t *testing.T) {
	do := func(context.Context, *count) error { return nil }
	step := func(s saga.Step[count]) []saga.Step[count] { return []saga.Step[count]{s} }
	for _, tt := range []struct {
		name string
		kind saga.Kind[count]
	}{
		{"no steps", saga.Kind[count]{Name: "k"}},
		{"a bad name", saga.Kind[count]{Name: "K", Steps: step(saga.Step[count]{Name: "a", Do: do, Undo: do})}},
		{"nothing declared", saga.Kind[count]{Name: "k", Steps: step(saga.Step[count]{Name: "a", Do: do})}},
		{"two declared", saga.Kind[count]{Name: "k", Steps: step(saga.Step[count]{Name: "a", Do: do, Undo: do, Pivot: true})}},
		{"forward without a pivot", saga.Kind[count]{Name: "k", Steps: step(saga.Step[count]{Name: "a", Do: do, Forward: true})}},
		{"no Do", saga.Kind[count]{Name: "k", Steps: step(saga.Step[count]{Name: "a", Undo: do})}},
		{"an undo after the pivot", saga.Kind[count]{Name: "k", Steps: []saga.Step[count]{{Name: "a", Do: do, Pivot: true}, {Name: "b", Do: do, Undo: do}}}},
		{"a name twice", saga.Kind[count]{Name: "k", Steps: []saga.Step[count]{{Name: "a", Do: do, Undo: do}, {Name: "a", Do: do, Undo: do}}}},
	} {
		if _, err := saga.New(nil, saga.Options{}, tt.kind); err == nil {
			t.Errorf("%s: registered, want an error", tt.name)
		}
	}
}
