package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A host is the whole of Arcadia over a simulated cloud, as people and programs meet it:
// by HTTP, and by the command line. It has the tenant acme.
type host struct {
	*App
	t     *testing.T
	cloud *dosimtest.Server
	door  *door // that its requests to the cloud go through
	url   string
	c     *client.Client
}

// lone is a blueprint of one droplet, whose size may change.
const lone = `name: lone
version: 1
parameters:
  size: {type: size, default: s-1vcpu-1gb, changeable: resize}
region: nyc3
droplets:
  web: {size: '${param.size}', image: debian-12-x64}
`

// hosted runs fn over a host with each database.
func hosted(t *testing.T, fn func(h *host)) {
	t.Helper()
	for name, database := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) { fn(newHost(t, database(t))) })
	}
}

// newHost serves a host until the test ends, at a pace that a test can wait for.
func newHost(t *testing.T, database string) *host {
	t.Helper()
	cloud := dosimtest.Start(t, dosim.Options{Params: map[string]string{
		"droplet.create": "10ms", "action.shutdown": "20ms", "action.power_off": "20ms", "action.power_on": "20ms", "action.resize": "20ms",
		"lag.replica": "0s", "lag.get_after_create": "0s", "lag.list_after_create": "0s", "lag.status": "0s", "lag.tag": "0s", "lag.update": "0s",
		"ratelimit.hourly": "1000000", "ratelimit.burst": "1000000",
	}})
	h := &host{t: t, cloud: cloud, door: newDoor(t, cloud.URL)}
	a, err := Open(t.Context(), Config{
		DataDir: filepath.Join(t.TempDir(), "data"), DatabaseURL: database, APIURL: h.door.url, ProvisioningToken: vault.NewSecret(cloud.Token),
		Lease: 3 * time.Second, Horizon: 300 * time.Millisecond, Settle: 300 * time.Millisecond, Poll: 50 * time.Millisecond,
		DestroyCapOperation: 50, DestroyCapHour: 200, DestroyCapDay: 1000, DestroyCapPercent: 25,
	}, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.App = a
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx, l, All, func(string) {}) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Error(err)
		}
	})
	h.url = "http://" + l.Addr().String()
	h.c = h.as("cli:test")
	if _, err := h.c.AddTenant(t.Context(), client.TenantEntry{Slug: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.c.AddBlueprint(t.Context(), client.BlueprintFile{Name: "lone.yaml", Source: lone}); err != nil {
		t.Fatal(err)
	}
	return h
}

// as is a client that somebody has.
func (h *host) as(actor string) *client.Client {
	h.t.Helper()
	c, err := client.New(h.url, client.Options{Actor: actor})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// arcadia runs a command that has to end well, and answers what it says.
func (h *host) arcadia(args ...string) string {
	h.t.Helper()
	var out, errs bytes.Buffer
	p := &Process{config: Config{URL: h.url}, version: "test", log: &errs}
	if code := cli.Run(h.t.Context(), cli.Host{Connect: p.Connect}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, args); code != 0 {
		h.t.Fatalf("arcadia %s: exit %d: %s%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String()
}

// plan makes a plan.
func (h *host) plan(o client.PlanOrder) client.Plan {
	h.t.Helper()
	p, err := h.c.MakePlan(h.t.Context(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// carryOut applies a plan, and waits for the end of its saga.
func (h *host) carryOut(p client.Plan) {
	h.t.Helper()
	applied, err := h.c.ApplyPlan(h.t.Context(), p.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	h.completes(applied.Saga.ID)
}

func (h *host) completes(saga string) {
	h.t.Helper()
	ended, err := h.c.Watch(h.t.Context(), saga, func(client.Saga) {})
	if err != nil || ended.State != client.Completed {
		h.t.Fatalf("saga %s is %s, %+v, %v", saga, ended.State, ended.Error, err)
	}
}

// stack makes a stack of lone for acme, and answers its droplet's id.
func (h *host) stack(name string) (droplet string) {
	h.t.Helper()
	h.carryOut(h.plan(client.PlanOrder{Verb: "provision", Account: account, Blueprint: "lone", Tenant: "acme", Name: name}))
	s, err := h.c.Stack(h.t.Context(), "acme/"+name)
	if err != nil || s.State != "active" || len(s.Resources) == 0 {
		h.t.Fatalf("the stack is %+v, %v", s, err)
	}
	for _, r := range s.Resources {
		if r.Key == "droplet.web" {
			droplet = strings.TrimPrefix(r.URN, "do:droplet:")
		}
	}
	return droplet
}

// droplet is what a droplet is at the cloud.
func (h *host) droplet(id string) (size, status string) {
	h.t.Helper()
	var is struct {
		Droplet struct {
			Size   string `json:"size_slug"`
			Status string
		}
	}
	ask(h.t, h.cloud, http.MethodGet, "/v2/droplets/"+id, "", &is)
	return is.Droplet.Size, is.Droplet.Status
}

// A door lets requests to a cloud pass, and can have some wait for each other.
type door struct {
	url string

	mu    sync.Mutex
	path  string
	heads int // that wait
	want  int
	open  chan struct{}
}

func newDoor(t *testing.T, cloud string) *door {
	t.Helper()
	to, err := url.Parse(cloud)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.wait(r)
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

// gather has requests to read a path wait until there are so many of them.
func (d *door) gather(path string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.path, d.heads, d.want, d.open = path, 0, n, make(chan struct{})
}

func (d *door) wait(r *http.Request) {
	d.mu.Lock()
	if d.heads == d.want || r.Method != http.MethodGet || r.URL.Path != d.path {
		d.mu.Unlock()
		return
	}
	d.heads++
	if d.heads == d.want {
		close(d.open)
	}
	open := d.open
	d.mu.Unlock()
	select {
	case <-open:
	case <-r.Context().Done():
	}
}

// gathered reports whether all came.
func (d *door) gathered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.heads == d.want
}

// sync has the inventory list what the account has.
func (h *host) sync() {
	h.t.Helper()
	r, err := h.c.StartSync(h.t.Context(), account)
	for err == nil && r.FinishedAt == nil {
		time.Sleep(10 * time.Millisecond)
		r, err = h.c.SyncRun(h.t.Context(), r.ID)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// until does something over and over until it says that all is as it is waited for.
func (h *host) until(what string, try func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !try(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("it never came that %s", what)
		}
	}
}
