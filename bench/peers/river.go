package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// A ledger is what one writes by hand over a job queue: a row per saga and one
// UPDATE per step. It has no fence, no intent and no undo; it is the least that
// makes a step durable, and so the floor to be beaten.
const ledgerTable = `CREATE TABLE ledger (id BIGINT PRIMARY KEY, step BIGINT NOT NULL, output TEXT NOT NULL)`

const (
	insertLedger = `INSERT INTO ledger (id, step, output) VALUES ($1, 0, '{}')`
	updateLedger = `UPDATE ledger SET step = $2, output = $3 WHERE id = $1`
)

// ledgerJob carries a saga's id, and no more.
type ledgerJob struct {
	ID int64 `json:"id"`
}

func (ledgerJob) Kind() string { return "ledger" }

// ledgerWorker runs the steps, and tells the client at the last ledger commit:
// River's own acknowledgement of the job, which follows, is not waited for.
type ledgerWorker struct {
	river.WorkerDefaults[ledgerJob]

	update  func(ctx context.Context, id int64, step int, output string) error
	waiting sync.Map // int64 -> chan struct{}
}

func (w *ledgerWorker) Work(ctx context.Context, job *river.Job[ledgerJob]) error {
	for step := range steps {
		if err := w.update(ctx, job.Args.ID, step+1, fmt.Sprintf(`{"n":%d}`, step+1)); err != nil {
			return err
		}
	}
	if done, ok := w.waiting.LoadAndDelete(job.Args.ID); ok {
		close(done.(chan struct{}))
	}
	return nil
}

// openRiver runs the saga as one River job over a hand-written ledger, with
// River tuned: its default FetchCooldown of 100 ms alone would hold it to a
// tenth of this.
func openRiver(ctx context.Context, s store, where string, inFlight int) (sagaFunc, func(), error) {
	worker := &ledgerWorker{}
	if s == postgres {
		pool, err := pgxpool.New(ctx, where+"&pool_max_conns=20")
		if err != nil {
			return nil, nil, err
		}
		worker.update = func(ctx context.Context, id int64, step int, output string) error {
			_, err := pool.Exec(ctx, updateLedger, id, step, output)
			return err
		}
		if _, err := pool.Exec(ctx, ledgerTable); err != nil {
			return nil, nil, err
		}
		begin := func(ctx context.Context, in func(tx pgx.Tx) error) error {
			return pgx.BeginFunc(ctx, pool, in)
		}
		record := func(ctx context.Context, tx pgx.Tx, id int64) error {
			_, err := tx.Exec(ctx, insertLedger, id)
			return err
		}
		return startRiver(ctx, riverpgxv5.New(pool), worker, inFlight, begin, record, pool.Close)
	}
	d, err := openSQLite(where, 1) // as River recommends
	if err != nil {
		return nil, nil, err
	}
	worker.update = func(ctx context.Context, id int64, step int, output string) error {
		_, err := d.ExecContext(ctx, updateLedger, id, step, output)
		return err
	}
	if _, err := d.ExecContext(ctx, ledgerTable); err != nil {
		return nil, nil, err
	}
	begin := func(ctx context.Context, in func(tx *sql.Tx) error) error {
		tx, err := d.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := in(tx); err != nil {
			return err
		}
		return tx.Commit()
	}
	record := func(ctx context.Context, tx *sql.Tx, id int64) error {
		_, err := tx.ExecContext(ctx, insertLedger, id)
		return err
	}
	return startRiver(ctx, riversqlite.New(d), worker, inFlight, begin, record, func() { d.Close() })
}

func startRiver[Tx any](
	ctx context.Context, driver riverdriver.Driver[Tx], worker *ledgerWorker, inFlight int,
	begin func(context.Context, func(Tx) error) error,
	record func(context.Context, Tx, int64) error,
	closeStore func(),
) (sagaFunc, func(), error) {
	quiet := slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return nil, nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := river.NewClient(driver, &river.Config{
		Logger:        quiet,
		FetchCooldown: time.Millisecond,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: inFlight}},
		Workers:       workers,
	})
	if err != nil {
		return nil, nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, nil, err
	}
	var last atomic.Int64
	run := func(ctx context.Context) error {
		id, done := last.Add(1), make(chan struct{})
		worker.waiting.Store(id, done)
		err := begin(ctx, func(tx Tx) error {
			if err := record(ctx, tx, id); err != nil {
				return err
			}
			_, err := client.InsertTx(ctx, tx, ledgerJob{id}, nil)
			return err
		})
		if err != nil {
			return err
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return run, func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = client.StopAndCancel(stop) // the database goes next
		closeStore()
	}, nil
}
