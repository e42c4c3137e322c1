package provisioning_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A latch holds up the next request to read something below a path.
type latch struct {
	path atomic.Pointer[string]
	held chan struct{} // closed once one is held
	open chan struct{}
	next http.RoundTripper
}

func (l *latch) hold(path string) {
	l.held, l.open = make(chan struct{}), make(chan struct{})
	l.path.Store(&path)
}

func (l *latch) RoundTrip(r *http.Request) (*http.Response, error) {
	if path := l.path.Load(); path != nil && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, *path) && l.path.CompareAndSwap(path, nil) {
		held, open := l.held, l.open
		close(held)
		<-open
	}
	return l.next.RoundTrip(r)
}

// TestOnePlanHasAStack: whatever two people do with plans for one stack, one is carried
// out and the other is refused. Each case has one guard alone to keep the second out.
func TestOnePlanHasAStack(t *testing.T) {
	setUp := func(t *testing.T) (*yard, *latch, *provisioning.Service, *saga.Engine) {
		t.Helper()
		l := &latch{}
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, func(next http.RoundTripper) http.RoundTripper {
			l.next = next
			return l
		})
		y.standing()
		engine := y.engine(y.options)
		return y, l, y.serve(engine), engine
	}
	plan := func(y *yard, s *provisioning.Service, r provisioning.PlanRequest) provisioning.PlanID {
		y.t.Helper()
		p, err := s.PlanStack(y.t.Context(), r, "cli:test", time.Now())
		if err != nil {
			y.t.Fatal(err)
		}
		return p.ID
	}
	// lateBy applies a plan of which the reading ends only once something was done.
	lateBy := func(y *yard, l *latch, s *provisioning.Service, id provisioning.PlanID, path string, meanwhile func()) error {
		l.hold(path)
		late := make(chan error)
		go func() {
			_, _, err := s.ApplyPlan(y.t.Context(), id, "cli:late", time.Now())
			late <- err
		}()
		<-l.held
		meanwhile()
		close(l.open)
		return <-late
	}
	refused := func(t *testing.T, err error, words string) {
		t.Helper()
		if !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), words) {
			t.Errorf("the second is answered with %v, want a conflict that says %q", err, words)
		}
	}
	t.Run("planned while another is at work", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			y, _, s, engine := setUp(t)
			_, started, err := s.ApplyPlan(t.Context(), plan(y, s, on(provisioning.BackUp)), "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = s.ApplyPlan(t.Context(), plan(y, s, on(provisioning.Suspend, "level", "2")), "cli:test", time.Now())
			refused(t, err, string(started.ID))
			settle(t, engine, started.ID, saga.Completed)
			if is := y.look(s).droplet; is.Status != "active" {
				t.Errorf("the droplet is %s", is.Status)
			}
		})
	})
	t.Run("planned while another is at work, with no droplet to hold", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			y, _, s, engine := setUp(t)
			y.apply(s, engine, on(provisioning.Suspend, "level", "3"), saga.Completed)
			_, started, err := s.ApplyPlan(t.Context(), plan(y, s, on(provisioning.Resume)), "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = s.ApplyPlan(t.Context(), plan(y, s, on(provisioning.Teardown)), "cli:test", time.Now())
			refused(t, err, string(started.ID))
			settle(t, engine, started.ID, saga.Completed)
			if is := y.look(s).droplet; is.Status != "active" {
				t.Errorf("resumed, the droplet is %s", is.Status)
			}
		})
	})
	t.Run("read before another was carried out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			y, l, s, engine := setUp(t)
			mine := plan(y, s, on(provisioning.Suspend, "level", "2"))
			err := lateBy(y, l, s, mine, "/v2/droplets/", func() {
				y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
			})
			refused(t, err, "changed meanwhile")
			if is := y.look(s).droplet; is.Status != "active" {
				t.Errorf("the droplet is %s", is.Status)
			}
		})
	})
	t.Run("applied twice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			y, l, s, engine := setUp(t)
			y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
			y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
			all, err := s.Backups(t.Context(), y.stack(s).ID, false)
			if err != nil || len(all) != 2 {
				t.Fatalf("there are %d backups, %v", len(all), err)
			}
			mine := plan(y, s, on(provisioning.Prune, "backup", string(all[1].ID))) // the stack stays free, and as it is
			err = lateBy(y, l, s, mine, "/v2/snapshots", func() {
				_, started, err := s.ApplyPlan(t.Context(), mine, "cli:test", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				settle(t, engine, started.ID, saga.Completed)
			})
			refused(t, err, "applied already")
			if _, err := y.client.Snapshot(t.Context(), all[0].Items[0].Snapshot); errors.Is(err, digitalocean.NotFound) {
				t.Errorf("the backup that was to stay is gone")
			}
		})
	})
}
