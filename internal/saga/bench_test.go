package saga_test

import (
	"context"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// BenchmarkSagas drives sagas of five steps that do nothing, 100 in flight.
func BenchmarkSagas(b *testing.B) {
	nop := func(context.Context, *count) error { return nil }
	kind := saga.Kind[count]{Name: "nop"}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		kind.Steps = append(kind.Steps, saga.Step[count]{Name: name, Do: nop, Undo: nop})
	}
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			var d *db.DB
			if engine == db.SQLite {
				d = dbtest.New(b)
			} else {
				d = dbtest.NewPostgres(b)
			}
			e, err := saga.New(d, saga.Options{Sole: true}, kind)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- e.Serve(ctx) }()
			defer func() { cancel(); <-done }()
			jobs := make(chan struct{})
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					for range jobs {
						s, _, err := e.Launch(ctx, saga.Request{Kind: "nop", Input: count{}, RequestedBy: "cli:bench"})
						if err == nil {
							_, err = e.Wait(ctx, s.ID)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			for b.Loop() {
				jobs <- struct{}{}
			}
			close(jobs)
			wg.Wait()
		})
	}
}
