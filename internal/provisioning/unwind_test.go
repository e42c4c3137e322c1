package provisioning_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// weathers are the presets of the cloud in which sagas are cut too.
var weathers = []string{sagatest.Calm, "stormy"}

// unwound makes the world of one run of sagatest.Unwind.
func unwound(w *world, kind string, p pace) sagatest.World {
	return sagatest.World{
		DB: w.db, Options: w.options, Kinds: w.steps.Kinds(), Weather: w.cloud.SetPreset,
		Request: saga.Request{
			Kind: kind, RequestedBy: "cli:test",
			Input: provisioning.Snapshot{Account: "main", DropletID: w.droplet, DropletName: "web-3"},
		},
		Sweep: func(ctx context.Context, e *saga.Engine) error {
			time.Sleep(p.options.Sweeps[0] + time.Millisecond) // until they are due
			return provisioning.New(w.db, e, w.steps).Sweep(ctx)
		},
		Check: func(t *testing.T, end saga.Saga) {
			state, err := saga.StateOf[provisioning.Snapshot](end)
			if err != nil {
				t.Fatal(err)
			}
			left := w.leaks()
			switch end.State {
			case saga.Completed:
				if len(left) != 1 || left[0] != state.SnapshotName || state.SnapshotID == "" {
					t.Errorf("completed with %q at DigitalOcean, want exactly %q; the ledger owns %q", left, state.SnapshotName, state.SnapshotID)
				}
			case saga.RolledBack:
				if len(left) != 0 {
					t.Errorf("rolled back and left %q", left)
				}
			}
		},
	}
}

func TestUnwind(t *testing.T) {
	for kind, ends := range map[string]saga.State{
		provisioning.SnapshotDropletKind: saga.Completed,
		provisioning.SmokeKind:           saga.RolledBack,
	} {
		t.Run(kind+" on sqlite", func(t *testing.T) {
			sagatest.Unwind(t, sagatest.Case{
				Ends: ends, Within: 24 * time.Hour, Bubble: synctest.Test, Presets: weathers,
				Build: func(t *testing.T, net *sagatest.Net) sagatest.World {
					return unwound(newWorld(t, dbtest.New(t), dosimtest.Pipe(t, dosim.Options{Seed: net.Seed}), bubblePace, net.Transport), kind, bubblePace)
				},
			})
		})
		t.Run(kind+" on postgres", func(t *testing.T) {
			sagatest.Unwind(t, sagatest.Case{
				Ends: ends, Parallel: 12,
				Build: func(t *testing.T, net *sagatest.Net) sagatest.World {
					return unwound(newWorld(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, net.Transport), kind, realPace)
				},
			})
		})
	}
}
