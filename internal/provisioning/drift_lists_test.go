package provisioning_test

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestDriftIsKnownSoonAfterASaga: what a saga changed is listed again once lists show it,
// all of it and once.
func TestDriftIsKnownSoonAfterASaga(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		y.stand(s, engine, lasting)
		i := y.watched(s, engine)
		y.list(i)
		y.apply(s, engine, on(provisioning.Resize, "size", "s-2vcpu-4gb"), saga.Completed)
		runs := func() int {
			t.Helper()
			if err := s.ListStale(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			all, err := i.Runs(ctx, "main", 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		if d, err := s.Drift(ctx, y.stack(s), time.Now()); err != nil || len(d.Unknown) == 0 {
			t.Errorf("right after the saga the drift is known: %+v, %v", d, err)
		}
		before := runs()
		time.Sleep(y.horizon())
		if after := runs(); before != 2 || after != 3 {
			t.Errorf("there were %d syncs before lists show what the saga did, and %d after; want 2 and 3", before, after)
		}
		if got := points(y.drift(s)); len(got) != 0 {
			t.Errorf("the drift is %q", got)
		}
		if again := runs(); again != 3 {
			t.Errorf("%d syncs were asked for, want 3", again)
		}
	})
}
