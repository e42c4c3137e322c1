//go:build unix

package provisioning_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// TestKilledProcesses kills worker processes with SIGKILL, at random moments and
// where it hurts, while they take and undo snapshots in a cloud that loses
// answers, and starts them again. On SQLite one at a time holds the database; on
// PostgreSQL two work side by side.
func TestKilledProcesses(t *testing.T) {
	t.Parallel() // like the others with processes, it waits more than it works
	for _, tt := range []struct {
		engine  db.Engine
		workers int
	}{{db.SQLite, 1}, {db.Postgres, 2}} {
		t.Run(string(tt.engine), func(t *testing.T) {
			t.Parallel()
			kills := 30
			if testing.Short() {
				kills = 6
			}
			p := newPlace(t, tt.engine, 6)
			for _, f := range faults() {
				p.cloud.AddFault(f)
			}
			p.killing(tt.workers, kills)
			f := p.audit()
			t.Logf("%d kills; %s", kills, f)
			if f.recovered == 0 {
				t.Error("no kill has hit a saga inside a step")
			}
		})
	}
}

// A life is how long a worker is let live.
type life struct {
	from when
	more time.Duration // after that
}

// when is what a life is counted from.
type when int

const (
	birth   when = iota // while it opens the database and ends its predecessor's leases
	service             // from when it serves
	change              // from the next change that is asked of the cloud: between a request and its save
)

// longestLife is what a worker gets at most; beyond a lease and a settling, so
// that sagas get on.
const longestLife = 900 * time.Millisecond

func (p *place) life() life {
	switch p.chance.IntN(6) {
	case 0:
		return life{birth, p.within(80 * time.Millisecond)}
	case 1, 2:
		return life{change, p.within(4 * time.Millisecond)}
	}
	return life{service, p.within(longestLife)}
}

// A berth is the place of one worker, which is filled again after each kill.
type berth struct {
	worker  *process
	life    life
	changed time.Time // when the cloud was first asked for a change in this life
	seen    int64     // of the cloud's journal
}

// killing keeps so many workers busy until that many were killed and every saga
// has ended.
func (p *place) killing(workers, kills int) {
	p.t.Helper()
	p.killingWith(workers, kills, func() {
		for len(p.open()) < 10 {
			p.order("")
		}
	})
}

// killingWith is killing where more adds orders as long as workers are to be killed.
func (p *place) killingWith(workers, kills int, more func()) {
	p.t.Helper()
	berths := make([]berth, workers)
	p.until(45*time.Second, "all workers are killed and all sagas have ended", func() bool {
		if kills > 0 {
			more()
		}
		for i := range berths {
			w := &berths[i]
			if w.worker == nil {
				*w = berth{worker: p.start("", 0), life: p.life(), seen: w.seen}
			}
			if w.worker.gone() {
				p.t.Fatalf("a worker ended by itself: %v", w.worker.err)
			}
			w.worker.work()
			if kills > 0 && w.over() {
				w.worker.kill()
				w.worker = nil
				kills--
			}
		}
		return kills == 0 && len(p.open()) == 0
	})
	for _, w := range berths {
		if w.worker != nil {
			w.worker.finish()
		}
	}
}

// over reports whether the worker's life is.
func (w *berth) over() bool {
	now := time.Now()
	if w.life.from == birth {
		return now.Sub(w.worker.born) >= w.life.more
	}
	if !w.worker.ready() {
		return false
	}
	served := now.Sub(w.worker.readyAt)
	if w.life.from == service {
		return served >= w.life.more
	}
	for _, r := range w.worker.place.cloud.Requests(w.seen) {
		w.seen = r.Seq
		if r.Method != http.MethodGet && r.At.After(w.worker.readyAt) && w.changed.IsZero() {
			w.changed = now
		}
	}
	return !w.changed.IsZero() && now.Sub(w.changed) >= w.life.more || served >= longestLife
}
