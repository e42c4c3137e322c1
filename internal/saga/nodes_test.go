package saga_test

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

func TestKindThatOneOfTwoNodesDoesNotKnow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		known := saga.Kind[count]{Name: "known", Steps: []saga.Step[count]{noted(&j, "a")}}
		fresh := saga.Kind[count]{Name: "fresh", Steps: []saga.Step[count]{noted(&j, "b")}}
		o := quick()
		o.UnknownKind = 400 * time.Millisecond
		old, both := newEngine(t, d, o, known), newEngine(t, d, o, known, fresh)
		serve(t, old)
		stop := serve(t, both)
		await(t, both, launch(t, both, "fresh", count{}).ID, saga.Completed)

		stop() // from here on nobody knows it
		s := launch(t, both, "fresh", count{})
		await(t, old, launch(t, old, "known", count{}).ID, saga.Completed)
		s = await(t, old, s.ID, saga.Stuck)
		if s.Error == nil || s.Steps[0].State != saga.StepPending {
			t.Errorf("stuck with %+v and step %s; want a reason, and nothing begun", s.Error, s.Steps[0].State)
		}
		serve(t, newEngine(t, d, o, known, fresh))
		if _, err := both.Retry(t.Context(), s.ID, operator); err != nil {
			t.Fatal(err)
		}
		await(t, both, s.ID, saga.Completed)
	})
}

// A node that knows a saga's kind and is too busy for it is asked before the saga
// is given up.
func TestKindThatABusyNodeKnows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		inside, leave := make(chan struct{}), make(chan struct{})
		slow := saga.Kind[count]{Name: "slow", Steps: []saga.Step[count]{{
			Name: "work", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, _ *count) error {
				close(inside)
				select {
				case <-leave:
				case <-ctx.Done(): // the test has failed
				}
				return nil
			},
		}}}
		fresh := saga.Kind[count]{Name: "fresh", Steps: []saga.Step[count]{noted(new(journal), "b")}}
		o := quick()
		o.Lease, o.UnknownKind = time.Minute, 2*time.Second
		busy := o
		busy.Workers = 1
		both := newEngine(t, d, busy, slow, fresh)
		serve(t, both)
		launch(t, both, "slow", count{})
		<-inside
		s := launch(t, both, "fresh", count{})
		old := newEngine(t, d, o, saga.Kind[count]{Name: "known", Steps: []saga.Step[count]{noted(new(journal), "a")}})
		serve(t, old)
		for began := time.Now(); time.Since(began) < 2*o.UnknownKind; time.Sleep(10 * time.Millisecond) {
			if now, err := old.Saga(t.Context(), s.ID); err != nil || now.State == saga.Stuck {
				t.Fatalf("the saga is %s, %v, while a live node knows its kind", now.State, err)
			}
		}
		close(leave)
		await(t, both, s.ID, saga.Completed)
	})
}

// Nodes whose clocks are 20 s apart, one of them ahead of the database and one
// behind, take over from one another and wait as long as they should.
func TestNodesWithSkewedClocks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var mu sync.Mutex
		var waited []time.Duration
		kind := saga.Kind[count]{Name: "waits", Steps: []saga.Step[count]{{
			Name: "wait", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				a := saga.Current(ctx)
				if a.Entry == saga.First {
					c.N = int(time.Now().UnixMilli())
					return saga.Wait(a.Now().Add(300*time.Millisecond), "a moment")
				}
				mu.Lock()
				defer mu.Unlock()
				waited = append(waited, time.Duration(int(time.Now().UnixMilli())-c.N)*time.Millisecond)
				return nil
			},
		}}}
		ahead, behind := newEngine(t, d, quick(), kind), newEngine(t, d, quick(), kind)
		if d.Engine() == db.Postgres { // on SQLite the database's clock is the process's
			ahead.SetSkew(10 * time.Second)
			behind.SetSkew(-10 * time.Second)
		}
		serve(t, ahead)
		serve(t, behind)
		var ids []saga.ID
		for i := range 20 {
			e := []*saga.Engine{ahead, behind}[i%2]
			ids = append(ids, launch(t, e, "waits", count{}).ID)
		}
		for _, id := range ids {
			await(t, ahead, id, saga.Completed)
		}
		for _, w := range waited {
			if w < 250*time.Millisecond || w > 5*time.Second {
				t.Errorf("a wait of 300 ms took %s", w)
			}
		}
	})
}

func TestTakeoverAfterADeadOwner(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var entry saga.Entry
		var unknown time.Time
		kind := saga.Kind[count]{Name: "one", Steps: []saga.Step[count]{{
			Name: "a", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				entry, unknown = saga.Current(ctx).Entry, saga.Current(ctx).UnknownSince
				return nil
			},
		}}}
		dying := quick()
		dead := make(chan struct{}, 1)
		dying.Probe = func(p saga.Point) error {
			if p.At == saga.Committing && p.Commit > 0 {
				select {
				case dead <- struct{}{}:
				default:
				}
				return saga.Died
			}
			return nil
		}
		a := newEngine(t, d, dying, kind)
		stop := serve(t, a)
		slow := slowness(t, d)
		began := time.Now()
		s := launch(t, a, "one", count{})
		<-dead
		stop()
		b := newEngine(t, d, quick(), kind)
		serve(t, b)
		s = await(t, b, s.ID, saga.Completed)
		if took, lease := time.Since(began), quick().Lease; took < lease || took > lease+time.Second+slow() {
			t.Errorf("taken over after %s, with a lease of %s, on a machine that was late by %s", took, lease, slow())
		}
		if entry != saga.Recovered || unknown.IsZero() || s.Epoch != 2 {
			t.Errorf("entered as %q with unknown since %s in epoch %d; want recovered, with its outcome unknown, in epoch 2", entry, unknown, s.Epoch)
		}
	})
}

// slowness measures how late the machine and the database are from now on: what a
// commit beside a short sleep takes longer than the sleep, added up. A bound on a
// real clock is meant for a machine that is not late.
func slowness(t *testing.T, d *db.DB) (sum func() time.Duration) {
	var total atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		const nap = 10 * time.Millisecond
		for ctx.Err() == nil {
			began := time.Now()
			time.Sleep(nap)
			_ = d.WriteFenced(ctx, "", func(tx *sql.Tx) error { // an error ends with the test
				_, err := tx.ExecContext(ctx, `UPDATE saga_duties SET name = name`)
				return err
			})
			if late := time.Since(began) - 2*nap; late > 0 {
				total.Add(int64(late))
			}
		}
	}()
	return func() time.Duration { return time.Duration(total.Load()) }
}

// Wake-ups that are lost, doubled or early change nothing but when.
func TestWakeUpsAreHints(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		kind := saga.Kind[count]{Name: "waits", Steps: []saga.Step[count]{{
			Name: "wait", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				a := saga.Current(ctx)
				j.add("%s", a.Entry)
				if c.N++; c.N < 4 {
					return a.Await(saga.Watch{Topic: "test", Key: "1"}, time.Hour, "a watcher")
				}
				return nil
			},
		}}}
		e := newEngine(t, d, quick(), kind)
		serve(t, e)
		// Recorded by an engine that nobody serves: no wake-up reaches e.
		s := launch(t, newEngine(t, d, quick(), kind), "waits", count{})
		for n := 1; n < 4; n++ {
			s = awaitEntries(t, e, s.ID, &j, n)
			open, err := e.OpenWaits(t.Context(), "test")
			if err != nil || len(open) != 1 || open[0].ID != s.ID {
				t.Fatalf("open waits %+v, %v", open, err)
			}
			if err := e.WakeWait(t.Context(), s.ID, open[0].Rev-1); err != nil { // late: for a wait that is over
				t.Fatal(err)
			}
			for range 3 {
				e.Wake()
				if err := e.WakeWait(t.Context(), s.ID, open[0].Rev); err != nil {
					t.Fatal(err)
				}
			}
		}
		await(t, e, s.ID, saga.Completed)
		if got, want := j.all(), []string{"first", "resumed", "resumed", "resumed"}; !slices.Equal(got, want) {
			t.Errorf("entered %v, want %v", got, want)
		}
	})
}

// awaitEntries returns the saga once its step was entered n times and waits.
func awaitEntries(t *testing.T, e *saga.Engine, id saga.ID, j *journal, n int) saga.Saga {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		entries := len(j.all())
		s, err := e.Saga(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if entries == n && s.State == saga.Waiting {
			return s
		}
		if entries > n || time.Now().After(deadline) {
			t.Fatalf("entered %v, want %d entries and a wait; the saga is %s", j.all(), n, s.State)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}

// Thirty days of waiting, on the clock of a bubble, across a restart.
func TestWaitsForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.New(t)
		var entered []time.Time
		kind := saga.Kind[count]{Name: "patient", Steps: []saga.Step[count]{{
			Name: "wait", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				entered = append(entered, time.Now())
				if c.N++; c.N <= 30 {
					return saga.Wait(saga.Current(ctx).Now().Add(24*time.Hour), "day %d", c.N)
				}
				return nil
			},
		}}}
		o := saga.Options{Sole: true, Poll: time.Minute, Lease: 10 * time.Minute}
		first := newEngine(t, d, o, kind)
		stop := serve(t, first)
		s := launch(t, first, "patient", count{})
		time.Sleep(10*24*time.Hour + time.Hour)
		stop()
		time.Sleep(24 * time.Hour) // nobody is there when day 11 begins
		second := newEngine(t, d, o, kind)
		serve(t, second)
		time.Sleep(25 * 24 * time.Hour)
		if s, err := second.Saga(t.Context(), s.ID); err != nil || s.State != saga.Completed || s.Steps[0].Attempts != 1 {
			t.Fatalf("after 36 days: %s with %d attempts, %v", s.State, s.Steps[0].Attempts, err)
		}
		for i := range entered[1:] {
			late := entered[i+1].Sub(entered[i]) - 24*time.Hour
			if late < 0 || late > 25*time.Hour {
				t.Errorf("day %d took %s too long", i+1, late)
			}
		}
	})
}
