// Package jobs runs work outside the request that asked for it: later, again
// when it fails, or on the clock. It is River on both engines.
//
// A job is enqueued in the transaction that decides on it ([Jobs.InsertTx]), so
// that the one exists exactly when the other does. It runs at least once: after
// a crash River runs it again, so its work looks before it acts. Sagas are no
// jobs and dispatch themselves (package saga).
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// Args is what a job is told: a struct that is kept as JSON, whose Kind method
// names the sort of job. A kind is never renamed while jobs of it may wait.
type Args = river.JobArgs

// A Job is one job with its Args, attempts and times.
type Job[A Args] = river.Job[A]

// Opts says when, how often at most, and in what order a job runs. Its
// UniqueOpts say when a job is the same as one that is there already.
type Opts = river.InsertOpts

// UniqueOpts are part of [Opts].
type UniqueOpts = river.UniqueOpts

// Options tunes [New]. The zero value is what production uses.
type Options struct {
	// Concurrency is how many jobs run at once in this process; 0 is 10.
	Concurrency int
	// Timeout ends a job's context; 0 is 5 minutes.
	Timeout time.Duration
	// Logger hears of failed jobs; nil discards.
	Logger *slog.Logger
}

const (
	// fetchCooldown is the least time between two looks for jobs. River's own
	// 100 ms would bound every worker's throughput.
	fetchCooldown = 2 * time.Millisecond
	// poolSize is for River's looks, its completions and its one listener; the
	// jobs themselves use the DB's pools.
	poolSize = 4
	// hardStop is how long cancelled jobs have to end.
	hardStop = 5 * time.Second
)

// Jobs enqueues jobs, and works on them between Start and Stop.
type Jobs struct {
	db       *db.DB
	config   *river.Config
	periodic []*river.PeriodicJob
	enqueue  *river.Client[*sql.Tx]
	work     worker
	pool     *pgxpool.Pool // PostgreSQL: the workers' own, between Start and Stop
}

// A worker is River's client, which differs in type between the engines.
type worker interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
}

// New prepares jobs on d, which package schema has migrated. Kinds are added
// with [Handle] and [Jobs.Every] before Start.
func New(d *db.DB, o Options) (*Jobs, error) {
	config := &river.Config{
		FetchCooldown: fetchCooldown,
		JobTimeout:    o.Timeout,
		Logger:        o.Logger,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: o.Concurrency}},
		Workers:       river.NewWorkers(),
	}
	if config.JobTimeout == 0 {
		config.JobTimeout = 5 * time.Minute
	}
	if o.Concurrency == 0 {
		config.Queues[river.QueueDefault] = river.QueueConfig{MaxWorkers: 10}
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	j := &Jobs{db: d, config: config}
	pool, _ := d.SQLDB()
	var err error
	if d.Engine() == db.SQLite {
		// One client for both, so that what it enqueues wakes its own workers.
		j.enqueue, err = river.NewClient(riversqlite.New(pool), config)
		j.work = j.enqueue
	} else {
		enqueueOnly := *config
		enqueueOnly.Queues = nil
		j.enqueue, err = river.NewClient(riverdatabasesql.New(pool), &enqueueOnly)
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return j, nil
}

// Handle has work do the jobs of A's kind. An error or a panic of work has the
// job run again later, up to 25 times over some weeks. Handle panics when the
// kind has a handler.
func Handle[A Args](j *Jobs, work func(ctx context.Context, job *Job[A]) error) {
	river.AddWorker(j.config.Workers, river.WorkFunc(work))
}

// Every has a job with these args run once in every interval of the clock, at its
// beginning or as soon after as there is a process: the intervals are counted
// from year 1 in UTC, and a restart neither skips nor repeats one. It is called
// before Start; interval is between a second and a day, and one kind has one
// interval for the same args. Only one of all processes enqueues.
func (j *Jobs) Every(interval time.Duration, args Args) error {
	if interval < time.Second || interval > 24*time.Hour {
		return fmt.Errorf("jobs: %s runs every %v, which is not between a second and a day", args.Kind(), interval)
	}
	once := &Opts{UniqueOpts: UniqueOpts{ByArgs: true, ByPeriod: interval}}
	j.periodic = append(j.periodic, river.NewPeriodicJob(
		clockInterval(interval),
		func() (river.JobArgs, *river.InsertOpts) { return args, once },
		&river.PeriodicJobOpts{RunOnStart: true},
	))
	return nil
}

// clockInterval is a schedule whose times are the same in every process.
type clockInterval time.Duration

// Next is the beginning of the interval after t.
func (i clockInterval) Next(t time.Time) time.Time {
	return t.UTC().Truncate(time.Duration(i)).Add(time.Duration(i))
}

// InsertTx enqueues a job when tx commits, with nil opts as soon as may be. It
// returns false when opts make it the same as a job that is there already. The
// kind has a handler.
func (j *Jobs) InsertTx(ctx context.Context, tx *sql.Tx, args Args, opts *Opts) (inserted bool, err error) {
	result, err := j.enqueue.InsertTx(ctx, tx, args, opts)
	if err != nil {
		return false, fmt.Errorf("jobs: enqueue %s: %w", args.Kind(), err)
	}
	return !result.UniqueSkippedAsDuplicate, nil
}

// Start begins to work on jobs, until Stop. The end of ctx does not end it.
func (j *Jobs) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if j.db.Engine() == db.Postgres {
		pool, err := j.db.PgxPool(ctx, poolSize)
		if err != nil {
			return err
		}
		j.config.PeriodicJobs = j.periodic
		client, err := river.NewClient(riverpgxv5.New(pool), j.config)
		if err != nil {
			pool.Close()
			return fmt.Errorf("jobs: %w", err)
		}
		j.pool, j.work = pool, client
	} else if _, err := j.enqueue.PeriodicJobs().AddManySafely(j.periodic); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := j.work.Start(ctx); err != nil {
		return errors.Join(fmt.Errorf("jobs: %w", err), j.Stop(ctx))
	}
	return nil
}

// Stop begins no further job and waits for those that run. When ctx ends first
// their contexts are cancelled, and ctx's error is returned once they are done.
func (j *Jobs) Stop(ctx context.Context) error {
	if j.work == nil {
		return nil
	}
	err := j.work.Stop(ctx)
	if err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), hardStop)
		defer cancel()
		err = errors.Join(err, j.work.StopAndCancel(last))
	}
	if j.pool != nil {
		j.pool.Close()
		j.pool = nil
	}
	return err
}
