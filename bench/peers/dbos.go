package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // DBOS asks for it
)

// openDBOS runs the saga as a DBOS workflow, started directly rather than
// through a queue, which is its faster way here. On SQLite its pool is as its
// own (8 connections, BEGIN IMMEDIATE) but for synchronous: FULL instead of its
// default NORMAL, which does not promise that a commit survives a power cut.
func openDBOS(ctx context.Context, s store, where string, _ int) (sagaFunc, func(), error) {
	config := dbos.Config{
		AppName:            "bench",
		ApplicationVersion: "1",
		Logger:             slog.New(slog.DiscardHandler),
	}
	closeStore := func() {}
	if s == sqliteFull {
		d, err := openSQLite(where, 8)
		if err != nil {
			return nil, nil, err
		}
		config.SQLiteSystemDB = d
		closeStore = func() { d.Close() }
	} else {
		config.DatabaseURL = where
	}
	d, err := dbos.NewContext(ctx, config)
	if err != nil {
		closeStore()
		return nil, nil, err
	}
	dbos.RegisterWorkflow(d, fiveSteps)
	if err := dbos.Launch(d); err != nil {
		closeStore()
		return nil, nil, err
	}
	run := func(context.Context) error {
		handle, err := dbos.RunWorkflow(d, fiveSteps, 0)
		if err != nil {
			return err
		}
		_, err = handle.GetResult()
		return err
	}
	return run, func() {
		_ = dbos.Shutdown(d, 5*time.Second) // the database goes next
		closeStore()
	}, nil
}

func fiveSteps(ctx dbos.Context, n int) (int, error) {
	for range steps {
		var err error
		if n, err = dbos.RunAsStep(ctx, func(context.Context) (int, error) { return n + 1, nil }); err != nil {
			return 0, err
		}
	}
	return n, nil
}
