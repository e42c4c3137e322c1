package jobs_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type greet struct {
	Name string `json:"name"`
}

func (greet) Kind() string { return "greet" }

type tick struct{}

func (tick) Kind() string { return "tick" }

// A log is what handlers have done, in order.
type log struct {
	mu    sync.Mutex
	lines []string
	grown chan struct{}
}

func newLog() *log { return &log{grown: make(chan struct{}, 1000)} }

func (l *log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	l.grown <- struct{}{}
}

// wait returns when there are n lines.
func (l *log) wait(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		lines := slices.Clone(l.lines)
		l.mu.Unlock()
		if len(lines) >= n {
			return lines
		}
		select {
		case <-l.grown:
		case <-deadline:
			t.Fatalf("after 30 s there are %q, want %d lines", lines, n)
		}
	}
}

func newJobs(t *testing.T, d *db.DB, o jobs.Options) *jobs.Jobs {
	t.Helper()
	j, err := jobs.New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func start(t *testing.T, j *jobs.Jobs) {
	t.Helper()
	if err := j.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func insert(t *testing.T, d *db.DB, j *jobs.Jobs, name string, opts *jobs.Opts) (inserted bool) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *sql.Tx) (err error) {
		inserted, err = j.InsertTx(t.Context(), tx, greet{name}, opts)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return inserted
}

func TestAJobExistsExactlyWhenItsTransactionDoes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		done := newLog()
		j := newJobs(t, d, jobs.Options{Concurrency: 1})
		jobs.Handle(j, func(_ context.Context, job *jobs.Job[greet]) error { done.add(job.Args.Name); return nil })
		start(t, j)

		refused := errors.New("refused")
		writes := map[string]func(context.Context, func(*sql.Tx) error) error{
			"Write":       d.Write,
			"WriteFenced": func(ctx context.Context, fn func(*sql.Tx) error) error { return d.WriteFenced(ctx, "k", fn) },
		}
		for name, write := range writes {
			err := write(t.Context(), func(tx *sql.Tx) error {
				if _, err := j.InsertTx(t.Context(), tx, greet{"rolled back " + name}, nil); err != nil {
					return err
				}
				return refused
			})
			if !errors.Is(err, refused) {
				t.Fatal(err)
			}
			err = write(t.Context(), func(tx *sql.Tx) error {
				_, err := j.InsertTx(t.Context(), tx, greet{"committed " + name}, nil)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		insert(t, d, j, "last", &jobs.Opts{Priority: 4})
		got := done.wait(t, 3)
		slices.Sort(got)
		if want := []string{"committed Write", "committed WriteFenced", "last"}; !slices.Equal(got, want) {
			t.Errorf("the jobs that ran are %q, want %q", got, want)
		}
	})
}

func TestAJobWritesInItsHandlerAndRunsAgainAfterAnError(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := d.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `CREATE TABLE greeted (name TEXT PRIMARY KEY)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		done := newLog()
		j := newJobs(t, d, jobs.Options{})
		jobs.Handle(j, func(ctx context.Context, job *jobs.Job[greet]) error {
			if job.Attempt == 1 {
				done.add("first attempt")
				return errors.New("not yet")
			}
			err := d.Write(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `INSERT INTO greeted (name) VALUES ($1)`, job.Args.Name)
				return err
			})
			done.add(fmt.Sprintf("attempt %d: %v", job.Attempt, err))
			return err
		})
		start(t, j)
		insert(t, d, j, "ann", nil)
		want := []string{"first attempt", "attempt 2: <nil>"}
		if got := done.wait(t, 2); !slices.Equal(got, want) {
			t.Errorf("the handler did %q, want %q", got, want)
		}
	})
}

func TestAUniqueJobIsEnqueuedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		j := newJobs(t, d, jobs.Options{})
		jobs.Handle(j, func(context.Context, *jobs.Job[greet]) error { return nil })
		unique := &jobs.Opts{UniqueOpts: jobs.UniqueOpts{ByArgs: true}}
		for _, tt := range []struct {
			name string
			opts *jobs.Opts
			want bool
		}{
			{"ann", unique, true}, {"ann", unique, false}, {"bob", unique, true}, {"ann", nil, true}, {"bob", unique, false},
		} {
			if got := insert(t, d, j, tt.name, tt.opts); got != tt.want {
				t.Errorf("greet %s, unique %t: inserted = %t, want %t", tt.name, tt.opts == unique, got, tt.want)
			}
		}
	})
}

func TestAKindWithoutAHandlerIsNotEnqueued(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		j := newJobs(t, d, jobs.Options{})
		jobs.Handle(j, func(context.Context, *jobs.Job[tick]) error { return nil })
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := j.InsertTx(t.Context(), tx, greet{"nobody"}, nil)
			return err
		})
		if err == nil {
			t.Error("a job that nobody can do was enqueued")
		}
	})
}

// Processes with the same clockwork come and go. What is due every day is not
// done again by the second of them, while what is due every second is.
func TestAPeriodicJobRunsOnceAnInterval(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		daily, ticks := newLog(), newLog()
		clockwork := func() *jobs.Jobs {
			j := newJobs(t, d, jobs.Options{})
			jobs.Handle(j, func(_ context.Context, job *jobs.Job[greet]) error {
				daily.add(job.ScheduledAt.UTC().Truncate(24 * time.Hour).Format(time.DateOnly))
				return nil
			})
			jobs.Handle(j, func(_ context.Context, job *jobs.Job[tick]) error {
				ticks.add(job.ScheduledAt.UTC().Truncate(time.Second).Format(time.TimeOnly))
				return nil
			})
			if err := errors.Join(j.Every(24*time.Hour, greet{"daily"}), j.Every(time.Second, tick{})); err != nil {
				t.Fatal(err)
			}
			return j
		}
		first := clockwork()
		start(t, first)
		daily.wait(t, 1)
		ticks.wait(t, 2)
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		start(t, clockwork())
		before := len(ticks.wait(t, 0))
		got := ticks.wait(t, before+2) // so the second keeps the clock
		slices.Sort(got)
		if len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("a second had two jobs: %q", got)
		}
		if days := daily.wait(t, 1); len(slices.Compact(slices.Clone(days))) != len(days) {
			t.Errorf("a day had two jobs: %q", days)
		}
	})
}

func TestEveryRefusesAnIntervalItCannotKeep(t *testing.T) {
	j := newJobs(t, dbtest.New(t), jobs.Options{})
	for _, interval := range []time.Duration{0, -time.Hour, time.Millisecond, 25 * time.Hour} {
		if err := j.Every(interval, tick{}); err == nil {
			t.Errorf("Every(%v) is accepted", interval)
		}
	}
}

func TestStopLetsARunningJobFinish(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		done := newLog()
		release := make(chan struct{})
		j := newJobs(t, d, jobs.Options{Concurrency: 1})
		jobs.Handle(j, func(ctx context.Context, job *jobs.Job[greet]) error {
			done.add("began " + job.Args.Name)
			<-release
			done.add(fmt.Sprintf("ended %s, context %v", job.Args.Name, ctx.Err()))
			return nil
		})
		start(t, j)
		insert(t, d, j, "ann", nil)
		done.wait(t, 1)
		insert(t, d, j, "bob", nil) // waits for the only worker

		stopped := make(chan error)
		go func() { stopped <- j.Stop(t.Context()) }()
		select {
		case err := <-stopped:
			t.Errorf("Stop returned %v while a job ran", err)
		case <-time.After(100 * time.Millisecond):
		}
		close(release)
		if err := <-stopped; err != nil {
			t.Errorf("Stop = %v", err)
		}
		if got, want := done.wait(t, 2), []string{"began ann", "ended ann, context <nil>"}; !slices.Equal(got, want) {
			t.Errorf("the jobs did %q, want %q", got, want)
		}
		next := newJobs(t, d, jobs.Options{})
		jobs.Handle(next, func(_ context.Context, job *jobs.Job[greet]) error { done.add("then " + job.Args.Name); return nil })
		start(t, next)
		if got := done.wait(t, 3); got[2] != "then bob" {
			t.Errorf("the next process did %q, want bob alone", got[2:])
		}
	})
}

func TestStopCancelsWhenItsContextEnds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		done := newLog()
		j := newJobs(t, d, jobs.Options{})
		jobs.Handle(j, func(ctx context.Context, _ *jobs.Job[greet]) error {
			done.add("began")
			<-ctx.Done()
			done.add("cancelled")
			return ctx.Err()
		})
		start(t, j)
		insert(t, d, j, "ann", nil)
		done.wait(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := j.Stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Stop = %v, want its context's end", err)
		}
		if got := done.wait(t, 2); got[1] != "cancelled" {
			t.Errorf("the job did %q", got)
		}
	})
}
