package provisioning

import (
	"context"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// recorded is the kind with every API call of its steps in the ledger's events.
func recorded[S any](k saga.Kind[S]) saga.Kind[S] {
	for i := range k.Steps {
		s := &k.Steps[i]
		s.Do, s.Undo = recording(s.Do), recording(s.Undo)
	}
	return k
}

func recording[S any](f func(context.Context, *S) error) func(context.Context, *S) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, s *S) error {
		a := saga.Current(ctx)
		return f(digitalocean.WithObserver(ctx, func(c digitalocean.Call) {
			a.Record(saga.Call{
				Method: c.Method, Path: c.Path, Status: c.Status, RequestID: c.RequestID, TookMS: c.Took.Milliseconds(),
				Attempt: c.Attempt, Code: string(c.Kind), Error: c.Error, Unsent: c.Unsent, Things: c.Things,
			})
		}), s)
	}
}
