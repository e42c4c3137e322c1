//go:build unix

package provisioning_test

import (
	"slices"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestTakeover kills, of two workers on PostgreSQL, the one that drives a saga,
// inside a step and while the saga awaits the cloud, and measures how long it
// takes the other to claim it.
func TestTakeover(t *testing.T) {
	t.Parallel()
	p := newPlace(t, db.Postgres, 6)
	p.cloud.AddFault(dosim.Fault{Kind: dosim.Slow, Delay: "80ms", Match: dosim.Match{Probability: 0.6}})
	if err := p.cloud.SetParams(map[string]string{"action.snapshot": "400ms"}); err != nil {
		t.Fatal(err)
	}
	e, _ := p.ledger()
	workers := []*process{p.start("", 0), p.start("", 0)}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	took := map[string][]time.Duration{}
	for _, during := range []string{"a step", "an await"} {
		for len(took[during]) < rounds {
			if d, ok := p.takeover(e, workers, during == "a step"); ok {
				took[during] = append(took[during], d)
			}
		}
	}
	p.until(30*time.Second, "all sagas have ended", func() bool {
		for _, w := range workers {
			w.work()
		}
		return len(p.open()) == 0
	})
	for _, w := range workers {
		w.finish()
	}
	f := p.audit()
	limit := processPace.options.Lease + time.Second
	for during, all := range took {
		slices.Sort(all)
		t.Logf("killed during %s: the other has claimed after %s (lease %s)", during, rounded(all), processPace.options.Lease)
		if slowest := all[len(all)-1]; slowest > limit {
			t.Errorf("killed during %s: the other took up to %s, want at most %s", during, slowest, limit)
		}
	}
	t.Log(f)
	if f.recovered < rounds {
		t.Errorf("%d entries were recovered, want at least the %d that were killed", f.recovered, rounds)
	}
}

func rounded(all []time.Duration) []time.Duration {
	ms := make([]time.Duration, len(all))
	for i, d := range all {
		ms[i] = d.Round(time.Millisecond)
	}
	return ms
}

// takeover orders a saga, kills the worker that drives it, inside a step or not,
// puts a new one in its place and measures how long the other took to claim the
// saga. ok is false when the saga was not where it should have been.
func (p *place) takeover(e *saga.Engine, workers []*process, inside bool) (took time.Duration, ok bool) {
	p.t.Helper()
	o := p.order("")
	ordered := time.Now()
	after := p.within(600 * time.Millisecond) // so that not only the first entry is hit
	var id saga.ID
	var victim int
	p.until(20*time.Second, "a worker drives the saga", func() bool {
		for i, w := range workers {
			w.work()
			if w.look(func() bool { return o.saga != "" && w.inside[o.saga] }) {
				victim = i
			}
		}
		if id = p.told(o); time.Since(ordered) < after || id == "" {
			return false
		}
		if s := p.saga(e, id); s.State.Ended() {
			ok = true // too late
			return true
		}
		w := workers[victim]
		return w.look(func() bool { return w.inside[id] == inside })
	})
	if ok {
		return 0, false
	}
	w := workers[victim]
	if inside {
		time.Sleep(p.within(30 * time.Millisecond)) // some way into the step
	}
	before := p.saga(e, id)
	if !inside && !p.awaits(e, id) {
		return 0, false
	}
	killed := time.Now()
	w.kill()
	workers[victim] = p.start("", 0)
	if w.look(func() bool { return w.inside[id] }) != inside {
		return 0, false
	}
	p.until(20*time.Second, "another worker claims the saga of a killed one", func() bool {
		took = time.Since(killed)
		return p.saga(e, id).Epoch > before.Epoch
	})
	return took, true
}

// awaits reports whether the saga waits for an action at the cloud, and not for a
// time of its own choosing.
func (p *place) awaits(e *saga.Engine, id saga.ID) bool {
	p.t.Helper()
	open, err := e.OpenWaits(p.t.Context(), "do.action:main")
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.ContainsFunc(open, func(w saga.OpenWait) bool { return w.ID == id })
}

// told is the saga of an order, empty while nobody has told.
func (p *place) told(o *ordered) saga.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return o.saga
}
