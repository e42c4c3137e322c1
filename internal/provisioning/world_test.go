package provisioning_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A world is a database, a cloud with one droplet, and what acts on them.
type world struct {
	t       *testing.T
	db      *db.DB
	cloud   *dosimtest.Server
	droplet int64
	client  *digitalocean.Client
	steps   *provisioning.Steps
	options saga.Options
	mark    int
	fresh   bool // its cloud was empty
}

// pace is how fast a world goes: real defaults on the clock of a bubble, or
// fractions of a second on a real one.
type pace struct {
	settings provisioning.Settings
	options  saga.Options
	params   map[string]string
	timeout  time.Duration
}

var bubblePace = pace{options: saga.Options{Poll: 5 * time.Second, Sweeps: []time.Duration{5 * time.Minute}}}

var realPace = pace{
	settings: provisioning.Settings{Horizon: 400 * time.Millisecond, Poll: 20 * time.Millisecond, Longest: 3 * time.Second},
	options: saga.Options{
		Lease: 1200 * time.Millisecond, Poll: 20 * time.Millisecond, Sweeps: []time.Duration{10 * time.Millisecond},
		Retry:     saga.Backoff{Attempts: 5, Base: 10 * time.Millisecond, Max: 40 * time.Millisecond},
		UndoRetry: saga.Backoff{Attempts: 5, Base: 10 * time.Millisecond, Max: 40 * time.Millisecond},
	},
	params: map[string]string{
		"action.snapshot": "60ms", "action.attach_volume": "30ms", "action.detach_volume": "30ms", "action.restore": "40ms", "action.rebuild": "40ms", "lag.snapshot_visible": "50ms", "lag.list_after_delete": "50ms",
		"droplet.create": "80ms", "lag.detach_after_delete": "30ms", "action.assign_ip": "30ms", "action.unassign_ip": "30ms", "firewall.apply": "30ms", "lag.vpc_members": "30ms", "lag.replica": "30ms", "lag.get_after_create": "40ms", "lag.list_after_create": "50ms", "lag.status": "20ms", "lag.tag": "30ms", "lag.update": "30ms", "lag.project": "30ms",
		"ratelimit.hourly": "1000000", "ratelimit.burst": "1000000",
	},
	timeout: 400 * time.Millisecond,
}

func newWorld(t *testing.T, d *db.DB, cloud *dosimtest.Server, p pace, wrap func(http.RoundTripper) http.RoundTripper) *world {
	t.Helper()
	w := &world{t: t, db: d, cloud: cloud, options: p.options, fresh: cloud.Empty()}
	if w.fresh {
		if err := cloud.SetParams(p.params); err != nil {
			t.Fatal(err)
		}
		w.droplet = cloud.SeedDroplet(dosim.SeedDroplet{Name: "web-3"})
	}
	w.mark = cloud.Mark()
	transport := cloud.Client.Transport
	if wrap != nil {
		transport = wrap(transport)
	}
	p.settings.Account = "main"
	if p.settings.Protected == nil {
		p.settings.Protected = func(ctx context.Context, subjects []string) error {
			return provisioning.ProtectedBy(ctx, d.Read(), "What would be destroyed", subjects)
		}
	}
	var err error
	w.client, err = digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: "main", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(cloud.Token),
		Transport: transport, Timeout: p.timeout,
		Freeze: func(ctx context.Context, account, of string) error {
			return provisioning.Frozen(ctx, d.Read(), account, tenant.ID(of))
		},
		Destroys: func(ctx context.Context, what digitalocean.Destruction) error {
			nobody := func(context.Context, string) (int, error) { return 0, nil }
			return provisioning.Destroys(ctx, d, p.settings.Destroys, nobody, what, time.Now())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.steps = provisioning.NewSteps(func(_ context.Context, account string) (*digitalocean.Client, error) {
		if account != "main" {
			return nil, errors.New("there is one account here")
		}
		return w.client, nil
	}, p.settings, nil)
	return w
}

func (w *world) engine(o saga.Options) *saga.Engine {
	w.t.Helper()
	e, err := saga.New(w.db, o, w.steps.Kinds()...)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// serve runs an engine with a watcher beside it, until the test ends.
func (w *world) serve(e *saga.Engine) *provisioning.Service {
	w.t.Helper()
	s := provisioning.New(w.db, e, w.steps)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 2)
	go func() { done <- e.Serve(ctx) }()
	go func() { s.Watch(ctx, "main"); done <- nil }()
	w.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				w.t.Errorf("serve: %v", err)
			}
		}
	})
	return s
}

func (w *world) request() provisioning.SnapshotRequest {
	return provisioning.SnapshotRequest{Account: "main", Droplet: strconv.FormatInt(w.droplet, 10), RequestedBy: "cli:test"}
}

// leaks are the names of what was made since the world began and is there.
func (w *world) leaks() []string {
	names := []string{}
	for _, l := range w.cloud.Leaks(w.mark) {
		names = append(names, l.Name)
	}
	return names
}

// posts counts the requests for a snapshot that the cloud carried out.
func (w *world) posts() (committed int) {
	for _, r := range w.cloud.Requests(0) {
		if r.Method == http.MethodPost && r.Committed {
			committed++
		}
	}
	return committed
}

// each runs fn twice: on SQLite in a bubble, at the pace of the real defaults,
// and on PostgreSQL over sockets at a pace that a test can wait for.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fn(t, newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		fn(t, newWorld(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil))
	})
}

func await(t *testing.T, e *saga.Engine, id saga.ID, want saga.State) saga.Saga {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour) // a bubble's hours
	defer cancel()
	for {
		told := e.Changed()
		s, err := e.Saga(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if s.State == want {
			return s
		}
		if s.State.Ended() || s.State == saga.Stuck {
			t.Fatalf("saga %s is %s, want %s; error %+v; steps %+v", id, s.State, want, s.Error, s.Steps)
		}
		select {
		case <-told:
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatalf("saga %s is %s, waits for %+v, want %s", id, s.State, s.Wait, want)
		}
	}
}
