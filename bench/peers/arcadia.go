package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/schema"
)

// count is the bench saga's state: it grows by one with each step, so that each
// boundary has something to save, as the peers have.
type count struct {
	N int `json:"n"`
}

// openArcadia runs the saga the way the product does: started in one commit,
// found by the dispatcher, waited for until its last commit.
func openArcadia(ctx context.Context, s store, where string, inFlight int) (sagaFunc, func(), error) {
	if s == sqliteFull {
		where = "sqlite://" + where
	}
	d, err := db.Open(ctx, where, db.Options{})
	if err != nil {
		return nil, nil, err
	}
	if _, err := schema.Migrate(ctx, d); err != nil {
		d.Close()
		return nil, nil, err
	}
	five := saga.Kind[count]{Name: "five_steps"}
	for i := range steps {
		five.Steps = append(five.Steps, saga.Step[count]{
			Name: fmt.Sprintf("step_%d", i+1),
			Do:   func(_ context.Context, c *count) error { c.N++; return nil },
			Undo: func(_ context.Context, c *count) error { c.N--; return nil },
		})
	}
	e, err := saga.New(d, saga.Options{Sole: s == sqliteFull}, five)
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = e.Serve(serving) // what keeps it from serving fails the sagas
	}()

	run := func(ctx context.Context) error {
		started, _, err := e.Launch(ctx, saga.Request{Kind: five.Name, Input: json.RawMessage(`{"n":0}`), RequestedBy: "cli:bench"})
		if err != nil {
			return err
		}
		ended, err := e.Wait(ctx, started.ID)
		if err != nil {
			return err
		}
		if ended.State != saga.Completed {
			return fmt.Errorf("%s ended %s", ended.ID, ended.State)
		}
		return nil
	}
	return run, func() {
		stop()
		<-served
		d.Close()
	}, nil
}
