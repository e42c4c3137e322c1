package saga_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// An owner that works for longer than its lease lasts keeps it, beside another
// engine that looks for what is due.
func TestALeaseIsRenewedWhileItsOwnerWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.New(t)
		kind := saga.Kind[count]{Name: "slow", Steps: []saga.Step[count]{{
			Name: "work", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				time.Sleep(50 * time.Second) // three leases, within the step's time
				return saga.Current(ctx).Valid()
			},
		}}}
		serve(t, newEngine(t, d, saga.Options{}, kind))
		e := newEngine(t, d, saga.Options{}, kind)
		serve(t, e)
		s := awaitLong(t, e, launch(t, e, "slow", count{}).ID, saga.Completed)
		if s.Epoch != 1 || s.Steps[0].Attempts != 1 {
			t.Errorf("epoch %d after %d attempts; want the first owner to have ended its only one", s.Epoch, s.Steps[0].Attempts)
		}
	})
}

// Whoever holds an embedded database's directory knows that every older owner is
// dead, and waits for no lease.
func TestASoleEngineWaitsForNoDeadOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.New(t)
		kind := saga.Kind[count]{Name: "one", Steps: []saga.Step[count]{noted(new(journal), "a")}}
		dead := make(chan struct{})
		dying := newEngine(t, d, saga.Options{Sole: true, Probe: func(p saga.Point) error {
			if p.At == saga.Committing && p.Commit > 0 {
				close(dead)
				return saga.Died
			}
			return nil
		}}, kind)
		stop := serve(t, dying)
		id := launch(t, dying, "one", count{}).ID
		<-dead
		stop()
		began := time.Now()
		e := newEngine(t, d, saga.Options{Sole: true}, kind)
		serve(t, e)
		s := awaitLong(t, e, id, saga.Completed)
		if took := time.Since(began); took > time.Second || s.Epoch != 2 {
			t.Errorf("taken over after %s in epoch %d; want at once, in epoch 2", took, s.Epoch)
		}
	})
}

// A commit whose answer is lost and that happened is gone on from: its owner does
// not take its own work for another's.
func TestALostAnswerIsNoLostCommit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		kind := saga.Kind[count]{Name: "three", Steps: []saga.Step[count]{noted(&j, "a"), noted(&j, "b"), noted(&j, "c")}}
		o := quick()
		o.Lease = time.Minute // who had to wait for it would be late
		o.Probe = func(p saga.Point) error {
			if p.At == saga.Committed {
				return saga.LostAnswer
			}
			return nil
		}
		e := newEngine(t, d, o, kind)
		serve(t, e)
		s := await(t, e, launch(t, e, "three", count{}).ID, saga.Completed)
		if got := j.all(); s.Epoch != 1 || s.Rev != 4 || len(got) != 3 {
			t.Errorf("epoch %d, rev %d, %v; want one claim, four commits and each step once", s.Epoch, s.Rev, got)
		}
		if lost := e.Stats().LostCommits; lost != 4 {
			t.Errorf("%d answers were lost, want all 4", lost)
		}
	})
}

// awaitLong is await with a bubble's patience.
func awaitLong(t *testing.T, e *saga.Engine, id saga.ID, want saga.State) saga.Saga {
	t.Helper()
	for range 1000 {
		s, err := e.Saga(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if s.State == want {
			return s
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("saga %s is not %s after 100 s", id, want)
	return saga.Saga{}
}
