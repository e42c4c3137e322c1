package saga_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// trail is the state of a racing saga: which step wrote what.
type trail struct {
	Steps []string `json:"steps"`
}

// racing is a kind of eight steps, each of which appends its name to the state.
func racing(name string, busy func()) saga.Kind[trail] {
	k := saga.Kind[trail]{Name: name}
	for i := range 8 {
		step := fmt.Sprintf("s%d", i)
		k.Steps = append(k.Steps, saga.Step[trail]{
			Name: step, NothingToUndo: "the test only counts",
			Do: func(ctx context.Context, s *trail) error {
				busy()
				s.Steps = append(s.Steps, step)
				return nil
			},
		})
	}
	return k
}

// TestRacingThieves lets three thieves take leases from the owners of 400 sagas
// while two engines drive them, loses the answers to some commits, pauses and
// resumes at random, and asks that the ledger is exact.
func TestRacingThieves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const sagas = 400
		var lost atomic.Int64
		options := quick()
		options.Lease = 600 * time.Millisecond
		options.Probe = func(p saga.Point) error {
			if p.At == saga.Committed && rand.N(40) == 0 {
				lost.Add(1)
				return saga.LostAnswer
			}
			return nil
		}
		kind := racing("racing", func() { time.Sleep(rand.N(20 * time.Millisecond)) }) // a call that takes a while
		engines := []*saga.Engine{newEngine(t, d, options, kind), newEngine(t, d, options, kind)}
		var ids []saga.ID
		for range sagas {
			ids = append(ids, launch(t, engines[0], "racing", trail{}).ID)
		}
		for _, e := range engines {
			serve(t, e)
		}

		var steals atomic.Int64
		var open atomic.Int64
		open.Store(sagas)
		var thieves sync.WaitGroup
		for range 3 {
			thieves.Go(func() {
				for open.Load() > 0 && steals.Load() < 600 {
					e := engines[rand.N(2)]
					running, _, err := e.Sagas(t.Context(), saga.Filter{State: saga.Running, Limit: 64})
					if err != nil {
						t.Errorf("a thief: %v", err)
						return
					}
					for _, s := range running {
						switch rand.N(8) {
						case 0:
							_, err = e.Pause(t.Context(), s.ID, operator)
						case 1:
							_, err = e.Resume(t.Context(), s.ID, operator)
						case 2:
							_, err = e.Retry(t.Context(), s.ID, operator)
						default:
							if _, err = e.ForceRelease(t.Context(), s.ID, operator); err == nil {
								steals.Add(1)
							}
						}
						if err != nil && !errors.Is(err, fault.Conflict) {
							t.Errorf("a thief: %v", err)
							return
						}
					}
				}
			})
		}
		for _, id := range ids {
			// As long as the saga's ledger is written, however slow the machine
			// is, it is on its way: what must not be is that it stands still.
			var rev int64
			moved := time.Now()
			for {
				s, err := engines[0].Saga(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if s.State.Ended() {
					open.Add(-1)
					break
				}
				if s.State == saga.Paused || s.Want == saga.WantPause {
					if _, err := engines[0].Resume(t.Context(), id, operator); err != nil && !errors.Is(err, fault.Conflict) {
						t.Fatal(err)
					}
				}
				if s.Rev != rev {
					rev, moved = s.Rev, time.Now()
				}
				if time.Since(moved) > time.Minute {
					open.Store(0)
					thieves.Wait()
					t.Fatalf("saga %s has stood still for a minute: it is %s (want %s), waits for %+v", id, s.State, s.Want, s.Wait)
				}
				time.Sleep(time.Millisecond) // between two looks at one saga
			}
		}
		thieves.Wait()

		for _, id := range ids {
			checkExact(t, engines[0], id)
		}
		a, b := engines[0].Stats(), engines[1].Stats()
		t.Logf("%d steals, %d stale writes refused, %d answers to commits lost, %d claims",
			steals.Load(), a.StaleWrites+b.StaleWrites, lost.Load(), a.Claims+b.Claims)
		if steals.Load() < 100 || a.StaleWrites+b.StaleWrites == 0 || lost.Load() == 0 {
			t.Error("too little was stolen, refused or lost: the race did not happen")
		}
	})
}

// checkExact asks that every step of a racing saga wrote once and in order, and
// that neither epoch nor rev ever went back.
func checkExact(t *testing.T, e *saga.Engine, id saga.ID) {
	t.Helper()
	s, err := e.Saga(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	state, err := saga.StateOf[trail](s)
	if err != nil {
		t.Fatal(err)
	}
	if s.State != saga.Completed || len(state.Steps) != 8 {
		t.Errorf("saga %s is %s with the steps %v", id, s.State, state.Steps)
		return
	}
	for i, name := range state.Steps {
		if name != fmt.Sprintf("s%d", i) {
			t.Errorf("saga %s: step %d in order is %s", id, i, name)
		}
	}
	events, err := e.Events(t.Context(), id, 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	var last saga.Event
	completed := map[string]int{}
	for i, ev := range events {
		if ev.Seq != int64(i+1) || ev.Epoch < last.Epoch || ev.Rev < last.Rev {
			t.Errorf("saga %s: event %d (%s, epoch %d, rev %d) after (%s, epoch %d, rev %d)",
				id, ev.Seq, ev.Type, ev.Epoch, ev.Rev, last.Type, last.Epoch, last.Rev)
		}
		if ev.Type == "step_completed" {
			completed[ev.Step]++
		}
		last = ev
	}
	for step, n := range completed {
		if n != 1 {
			t.Errorf("saga %s: step %s completed %d times", id, step, n)
		}
	}
}
