package saga_test

import (
	"context"
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

// at calls do once, just before the ledger commit of that number of a saga: the
// moment at which a verb races the boundary.
func at(commit int64, do func(saga.ID)) saga.Probe {
	var once sync.Once
	return func(p saga.Point) error {
		if p.At == saga.Committing && p.Commit == commit {
			once.Do(func() { do(p.Saga) })
		}
		return nil
	}
}

func TestVerbAtEveryBoundary(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for commit := range int64(4) {
			t.Run(fmt.Sprintf("pause at commit %d", commit), func(t *testing.T) {
				var j journal
				var e *saga.Engine
				o := quick()
				o.Probe = at(commit, func(id saga.ID) {
					if _, err := e.Pause(t.Context(), id, operator); err != nil {
						t.Error(err)
					}
				})
				e = newEngine(t, d, o, saga.Kind[count]{Name: "three", Steps: []saga.Step[count]{noted(&j, "a"), noted(&j, "b"), noted(&j, "c")}})
				serve(t, e)
				s := launch(t, e, "three", count{})
				if commit == 3 { // the last commit ends it: there is no boundary left to rest at
					await(t, e, s.ID, saga.Completed)
					return
				}
				s = await(t, e, s.ID, saga.Paused)
				if got := int64(len(j.all())); got != commit {
					t.Errorf("%d steps ran before the pause at commit %d", got, commit)
				}
				if _, err := e.Resume(t.Context(), s.ID, operator); err != nil {
					t.Fatal(err)
				}
				await(t, e, s.ID, saga.Completed)
				if got, want := j.all(), []string{"do a", "do b", "do c"}; !slices.Equal(got, want) {
					t.Errorf("the steps ran %v, want %v", got, want)
				}
			})
			t.Run(fmt.Sprintf("cancel at commit %d", commit), func(t *testing.T) {
				var j journal
				var e *saga.Engine
				o := quick()
				o.Probe = at(commit, func(id saga.ID) {
					if _, err := e.Cancel(t.Context(), id, operator); err != nil {
						t.Error(err)
					}
				})
				e = newEngine(t, d, o, saga.Kind[count]{Name: "three", Steps: []saga.Step[count]{noted(&j, "a"), noted(&j, "b"), noted(&j, "c")}})
				serve(t, e)
				s := await(t, e, launch(t, e, "three", count{}).ID, saga.RolledBack)
				want := []string{"do a", "do b", "do c"}[:commit]
				for i := range want {
					want = append(want, "undo "+string("cba"[3-int(commit)+i]))
				}
				if got := j.all(); !slices.Equal(got, want) {
					t.Errorf("the steps ran %v, want %v", got, want)
				}
				if string(s.Data) != `{"n":0}` {
					t.Errorf("the state is %s after the undoing", s.Data)
				}
				if _, err := e.Cancel(t.Context(), s.ID, operator); !errors.Is(err, fault.Conflict) {
					t.Errorf("a cancel after the end: %v, want a conflict", err)
				}
			})
		}
	})
}

func TestCancelAfterThePivotIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		entered, gate := make(chan struct{}, 1), make(chan struct{})
		tries := 0
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "pivots", Steps: []saga.Step[count]{
			noted(&j, "a"),
			{Name: "point_of_no_return", Pivot: true, Do: func(context.Context, *count) error {
				entered <- struct{}{}
				<-gate
				return nil
			}},
			{Name: "finish", Forward: true, Do: func(context.Context, *count) error {
				if tries++; tries <= 3 {
					return errors.New("not yet")
				}
				return nil
			}},
		}})
		serve(t, e)
		s := launch(t, e, "pivots", count{})
		<-entered
		if _, err := e.Cancel(t.Context(), s.ID, operator); !errors.Is(err, fault.Conflict) {
			t.Errorf("a cancel within the pivot: %v, want a conflict", err)
		}
		close(gate)
		s = await(t, e, s.ID, saga.Stuck) // three attempts, and there is no way back
		if _, err := e.Retry(t.Context(), s.ID, operator); err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.Completed)
	})
}

func TestPivotThatDidNotHappenTurnsBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "pivots", Steps: []saga.Step[count]{
			noted(&j, "a"),
			{Name: "pivot", Pivot: true, Do: func(context.Context, *count) error { return saga.NotDone(errors.New("refused")) }},
		}})
		serve(t, e)
		s := await(t, e, launch(t, e, "pivots", count{}).ID, saga.RolledBack)
		if got, want := stepStates(s), []saga.StepState{saga.StepCompensated, saga.StepFailed}; !slices.Equal(got, want) {
			t.Errorf("the ledger reads %v, want %v", got, want)
		}
	})
}

// waiter is a step that waits for ever once it has begun.
func waiter(j *journal, name string) saga.Step[count] {
	s := noted(j, name)
	do := s.Do
	s.Do = func(ctx context.Context, c *count) error {
		if saga.Current(ctx).Entry == saga.First {
			_ = do(ctx, c)
		}
		return saga.Wait(saga.Current(ctx).Now().Add(time.Hour), "for ever")
	}
	return s
}

func TestSkipAfterIntentIsStillUndone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "waits", Steps: []saga.Step[count]{waiter(&j, "a"), failing("fail")}})
		serve(t, e)
		s := await(t, e, launch(t, e, "waits", count{}).ID, saga.Waiting)
		if _, err := e.Skip(t.Context(), s.ID, "fail", operator); !errors.Is(err, fault.Conflict) {
			t.Errorf("skipping a step that is not at hand: %v, want a conflict", err)
		}
		if _, err := e.Skip(t.Context(), s.ID, "a", operator); err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		if got, want := j.all(), []string{"do a", "undo a"}; !slices.Equal(got, want) {
			t.Errorf("the steps ran %v, want %v", got, want)
		}
	})
}

func TestMarkDoneTakesAnOutput(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "waits", Steps: []saga.Step[count]{waiter(&j, "a"), noted(&j, "b")}})
		serve(t, e)
		s := await(t, e, launch(t, e, "waits", count{}).ID, saga.Waiting)
		if _, err := e.MarkDone(t.Context(), s.ID, "a", json.RawMessage(`{"m":1}`), operator); !errors.Is(err, fault.Invalid) {
			t.Errorf("an output that does not fit: %v, want invalid", err)
		}
		if _, err := e.MarkDone(t.Context(), s.ID, "a", json.RawMessage(`{"n":40}`), operator); err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.Completed)
		if string(s.Data) != `{"n":41}` {
			t.Errorf("the state is %s, want what the operator said and one more", s.Data)
		}
		events, err := e.Events(t.Context(), s.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(events, func(ev saga.Event) bool { return ev.Type == "mark-done" })
		if i < 0 || events[i].Actor != "cli:test" || events[i].Step != "a" || string(events[i].Detail) != `{"reason":"the test asks"}` {
			t.Errorf("the events do not say who marked which step done and why: %+v", events)
		}
	})
}

func TestVerbsThatNeedAnIdleSagaAreRefusedWhileItRuns(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		entered, gate := make(chan struct{}, 1), make(chan struct{})
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "holds", Steps: []saga.Step[count]{{
			Name: "hold", NothingToUndo: "it does nothing",
			Do: func(context.Context, *count) error { entered <- struct{}{}; <-gate; return nil },
		}}})
		serve(t, e)
		s := launch(t, e, "holds", count{})
		<-entered
		if _, err := e.Skip(t.Context(), s.ID, "", operator); !errors.Is(err, fault.Conflict) {
			t.Errorf("skip while it runs: %v, want a conflict", err)
		}
		close(gate)
		await(t, e, s.ID, saga.Completed)
		if _, err := e.Pause(t.Context(), "saga_00000000000000000000000000000000", operator); !errors.Is(err, fault.NotFound) {
			t.Errorf("a saga that is not there: %v, want not found", err)
		}
	})
}
