package provisioning_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
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
	for _, n := range howMany(t, "") {
		if n > 100 {
			if per := callsPerSnapshot(t, n); per > 1.3 {
				t.Errorf("each of %d snapshots at once took %.2f calls, and 1.3 is the goal", n, per)
			}
		}
	}
}

// howMany are the numbers of sagas at once that ARCADIA_STACKS names, or else otherwise.
func howMany(t *testing.T, otherwise string) (all []int) {
	t.Helper()
	text := os.Getenv("ARCADIA_STACKS")
	if text == "" {
		text = otherwise
	}
	for field := range strings.SplitSeq(text, ",") {
		if field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// A tally counts the requests that leave, which the cloud's own journal does not keep
// for good.
type tally struct {
	http.RoundTripper

	mu             sync.Mutex
	calls, refused int
	changes        []string // the path of each request that changes something
}

func (c *tally) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if r.Method != http.MethodGet {
		c.changes = append(c.changes, r.URL.Path)
	}
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		c.refused++
	}
	return resp, err
}

// callsPerSnapshot takes a snapshot of each of n droplets at once, and returns how
// many calls each took.
func callsPerSnapshot(t *testing.T, n int) (perSaga float64) {
	synctest.Test(t, func(t *testing.T) {
		cloud := dosimtest.Pipe(t)
		sent := &tally{RoundTripper: cloud.Client.Transport}
		client, err := digitalocean.New(digitalocean.Options{
			BaseURL: cloud.URL, Account: "main", Purpose: digitalocean.Provisioning,
			Token: vault.NewSecret(cloud.Token), Transport: sent,
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

		if sent.refused > 0 {
			t.Errorf("%d of %d calls were refused for their rate", sent.refused, sent.calls)
		}
		perSaga = float64(sent.calls) / float64(n)
		t.Logf("%4d snapshots at once: %.2f API calls each, one of them a change, %d refused for their rate, all done after %s of DigitalOcean's time",
			n, perSaga, sent.refused, took.Round(time.Second))
	})
	return perSaga
}
