package saga_test

import (
	"context"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestQueuedWhileTheHolderEnds has a saga go to wait for a subject in a commit
// during which the subject's holder ends. Neither commit sees the other, so the
// end cannot wake it; it looks again by itself, and soon. SQLite writes one
// commit at a time.
func TestQueuedWhileTheHolderEnds(t *testing.T) {
	d := dbtest.NewPostgres(t)
	release := make(chan struct{})
	e := newEngine(t, d, quick(), saga.Kind[count]{Name: "held", Subjects: subjects, Steps: []saga.Step[count]{{
		Name: "hold", NothingToUndo: "it only waits",
		Do: func(context.Context, *count) error { <-release; return nil },
	}}})
	serve(t, e)
	first := launch(t, e, "held", count{Subjects: []string{"x"}})
	await(t, e, first.ID, saga.Running)

	// The number of the second's first event is taken by a transaction that does
	// not end: its claim has found the subject held and cannot commit.
	created, _, err := e.Create(t.Context(), saga.Request{Kind: "held", Input: count{Subjects: []string{"x"}}, RequestedBy: "cli:test"})
	if err != nil {
		t.Fatal(err)
	}
	write, _ := d.SQLDB()
	blocker, err := write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Rollback()
	// The start is the first event, the queueing the second.
	if _, err := blocker.ExecContext(t.Context(), `INSERT INTO saga_events (saga_id, seq, rev, at, type, epoch)
		VALUES ($1, 2, 0, 0, 'none', 0)`, created.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Start(t.Context(), created.ID, operator); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !blocked(t, d); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second saga's claim was never blocked")
		}
	}
	close(release)
	await(t, e, first.ID, saga.Completed)
	if err := blocker.Rollback(); err != nil {
		t.Fatal(err)
	}
	await(t, e, created.ID, saga.Completed)
}

// blocked reports whether a session of the database waits for another.
func blocked(t *testing.T, d *db.DB) (yes bool) {
	t.Helper()
	err := d.Read().QueryRowContext(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_stat_activity
		WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)`).Scan(&yes)
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

// TestQueuedBehindOneThatNeverBegins has a saga queued behind an earlier one that
// is cancelled before it has taken the subject.
func TestQueuedBehindOneThatNeverBegins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var j journal
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "one", Subjects: subjects, Steps: []saga.Step[count]{noted(&j, "a")}})
		first := launch(t, e, "one", count{Subjects: []string{"x"}})
		second := launch(t, e, "one", count{Subjects: []string{"x"}})
		if s, err := e.Run(t.Context(), second.ID); err != nil || s.State != saga.Waiting {
			t.Fatalf("the second is %s, %v; want it waiting behind the first", s.State, err)
		}
		if _, err := e.Cancel(t.Context(), first.ID, operator); err != nil {
			t.Fatal(err)
		}
		if s, err := e.Run(t.Context(), first.ID); err != nil || s.State != saga.RolledBack {
			t.Fatalf("the first is %s, %v; want it rolled back", s.State, err)
		}
		if s, err := e.Run(t.Context(), second.ID); err != nil || s.State != saga.Completed {
			t.Errorf("once the first is cancelled the second is %s, %v, waits for %+v; want it due at once", s.State, err, s.Wait)
		}
	})
}

// A saga takes all of its subjects or none: one that waits for a subject keeps
// nobody from the others, who came before it.
func TestWhoWaitsHoldsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		inside, leave := make(chan struct{}), make(chan struct{})
		var j journal
		hold := saga.Kind[count]{Name: "hold", Subjects: subjects, Steps: []saga.Step[count]{{
			Name: "hold", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, _ *count) error {
				close(inside)
				select {
				case <-leave:
				case <-ctx.Done(): // the test has failed
				}
				return nil
			},
		}}}
		o := quick()
		o.Lease = time.Minute
		e := newEngine(t, d, o, hold, saga.Kind[count]{Name: "one", Subjects: subjects, Steps: []saga.Step[count]{noted(&j, "a")}})
		early, _, err := e.Create(t.Context(), saga.Request{Kind: "one", Input: count{Subjects: []string{"w"}}, RequestedBy: "cli:test"})
		if err != nil {
			t.Fatal(err)
		}
		serve(t, e)
		launch(t, e, "hold", count{Subjects: []string{"x"}})
		<-inside
		defer close(leave)
		await(t, e, launch(t, e, "one", count{Subjects: []string{"w", "x"}}).ID, saga.Waiting)
		if _, err := e.Start(t.Context(), early.ID, operator); err != nil {
			t.Fatal(err)
		}
		await(t, e, early.ID, saga.Completed)
	})
}
