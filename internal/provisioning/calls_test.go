package provisioning_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// TestCallsPerSnapshot counts the API calls of snapshot sagas, alone and many at
// once, with every default as in production and DigitalOcean's limits as they
// are: a minute of waiting costs a call per interval for all sagas together.
func TestCallsPerSnapshot(t *testing.T) {
	alone := callsPerSnapshot(t, 1)
	hundred := callsPerSnapshot(t, 100)
	if alone > 25 {
		t.Errorf("a snapshot alone took %.1f calls; one poll in 5 s of a minute's wait is 12, and the rest should be few", alone)
	}
	if hundred > alone/2 {
		t.Errorf("each of 100 snapshots at once took %.1f calls, against %.1f alone: they do not share their looks", hundred, alone)
	}
}

// callsPerSnapshot takes a snapshot of each of n droplets at once, and returns how
// many calls each took.
func callsPerSnapshot(t *testing.T, n int) (perSaga float64) {
	synctest.Test(t, func(t *testing.T) {
		cloud := dosimtest.Pipe(t)
		client, err := digitalocean.New(digitalocean.Options{
			BaseURL: cloud.URL, Account: "main", Purpose: digitalocean.Provisioning,
			Token: vault.NewSecret(cloud.Token), Transport: cloud.Client.Transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		steps := provisioning.NewSteps(func(context.Context, string) (*digitalocean.Client, error) { return client, nil },
			provisioning.Settings{}, nil)
		d := dbtest.New(t)
		engine, err := saga.New(d, saga.Options{Sole: true}, steps.Kinds()...)
		if err != nil {
			t.Fatal(err)
		}
		service := provisioning.New(d, engine, steps)

		ctx, stop := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := engine.Serve(ctx); err != nil {
				t.Error(err)
			}
		})
		serving.Go(func() { service.Watch(ctx, "main") })
		began := time.Now()
		var ended sync.WaitGroup
		for i := range n {
			droplet := cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("web-%d", i)})
			ended.Go(func() {
				s, _, err := service.SnapshotDroplet(ctx, provisioning.SnapshotRequest{
					Account: "main", Droplet: strconv.FormatInt(droplet, 10), RequestedBy: "cli:bench",
				})
				if err == nil {
					s, err = engine.Wait(ctx, s.ID)
				}
				if err != nil || s.State != saga.Completed {
					t.Errorf("snapshot of droplet %d: %s, %v", droplet, s.State, err)
				}
			})
		}
		ended.Wait()
		took := time.Since(began)
		stop()
		serving.Wait()

		calls, refused := cloud.Requests(0), 0
		for _, r := range calls {
			if r.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused > 0 {
			t.Errorf("%d of %d calls were refused for their rate", refused, len(calls))
		}
		perSaga = float64(len(calls)) / float64(n)
		t.Logf("%3d snapshots at once: %.1f API calls each, %d refused for their rate, all done after %s of DigitalOcean's time",
			n, perSaga, refused, took.Round(time.Second))
	})
	return perSaga
}
