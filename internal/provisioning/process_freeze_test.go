//go:build unix

package provisioning_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestFrozenProcess stops a worker with SIGSTOP for longer than its lease, lets
// another take its sagas over, and thaws it: at a random moment, before a commit,
// and in the middle of sending a request. The first two must change nothing any
// more. Nothing can hold back the third: what it makes after its saga's end is
// the sweep's to find.
func TestFrozenProcess(t *testing.T) {
	t.Parallel()
	p := newPlace(t, db.Postgres, 4)
	p.cloud.AddFault(dosim.Fault{Kind: dosim.Slow, Delay: "80ms", Match: dosim.Match{Probability: 0.4}})
	e, _ := p.ledger()
	steady := p.start("", 0)

	want := map[moment]int{"": 3, committing: 3, sending: 2}
	if testing.Short() {
		want = map[moment]int{"": 1, committing: 1, sending: 1}
	}
	rounds, refused := 0, int64(0)
	for _, at := range []moment{"", committing, sending} {
		for n := 0; n < want[at]; {
			f, struck := p.freeze(e, steady, at)
			if !struck {
				continue
			}
			n++
			rounds++
			if at == committing {
				refused += f.stats.StaleWrites
				if f.stats.StaleWrites == 0 {
					t.Error("a worker was thawed before a commit, and no commit of it was refused")
				}
			}
		}
	}
	steady.finish()
	f := p.audit()
	t.Logf("%d workers frozen and thawed, %d stale writes refused; %s", rounds, refused, f)
	if f.leftover != want[sending] {
		t.Errorf("%d snapshots were left over before the sweep, want the %d whose requests were frozen on their way", f.leftover, want[sending])
	}
}

// freeze has a new worker frozen at the moment, any when it is empty, while it
// drives sagas, thaws it once steady has taken those over, and answers it when it
// has ended by itself. struck is false when the sagas ended before the moment came.
func (p *place) freeze(e *saga.Engine, steady *process, at moment) (w *process, struck bool) {
	p.t.Helper()
	nth := 1
	if at == committing {
		nth += p.chance.IntN(3)
	}
	w = p.start(at, nth)
	p.until(10*time.Second, "a worker serves", w.ready)
	for range 3 {
		p.order("")
	}
	w.work()

	entries, delay := 1+p.chance.IntN(3), p.within(100*time.Millisecond)
	var entered time.Time
	p.until(20*time.Second, "a worker is frozen while it drives sagas", func() bool {
		if at != "" {
			struck = w.look(func() bool { return w.freezing == at })
		} else {
			if entered.IsZero() && w.look(func() bool { return w.entries >= entries }) {
				entered = time.Now()
			}
			struck = !entered.IsZero() && time.Since(entered) >= delay
		}
		return struck || len(p.open()) == 0
	})
	if !struck {
		w.finish()
		return w, false
	}
	if at == "" {
		w.signal(syscall.SIGSTOP) // the others stop themselves
	}
	frozen := time.Now()
	held := w.held()
	before := map[saga.ID]int64{}
	for _, id := range held {
		before[id] = p.saga(e, id).Epoch
	}
	steady.work()

	p.until(20*time.Second, "another worker has taken over what a frozen one held", func() bool {
		for _, id := range held {
			if s := p.saga(e, id); s.Epoch == before[id] && !s.State.Ended() {
				return false
			}
		}
		return time.Since(frozen) > processPace.options.Lease
	})
	ended := func() bool { return len(p.open()) == 0 }
	carriedOut := 0
	if at == sending {
		p.until(30*time.Second, "all sagas have ended beside a frozen worker", ended)
		_, carriedOut = p.posts()
	}
	w.signal(syscall.SIGCONT)
	p.until(30*time.Second, "all sagas have ended", ended)
	if at == sending {
		p.until(5*time.Second, "the frozen request is carried out", func() bool {
			_, now := p.posts()
			return now > carriedOut
		})
	}
	w.finish()
	if w.accepted {
		p.t.Errorf("the ledger took a commit of %s from a worker that had lost it", w.frozen)
	}
	return w, true
}

// held are the sagas that the worker is inside of, as far as it said.
func (w *process) held() (held []saga.ID) {
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	for id, inside := range w.inside {
		if inside || id == w.frozen {
			held = append(held, id)
		}
	}
	return held
}

func (p *place) saga(e *saga.Engine, id saga.ID) saga.Saga {
	p.t.Helper()
	s, err := e.Saga(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}
