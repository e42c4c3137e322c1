package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/api"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/feed"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A server is the API over a database and a simulated cloud with the droplet web-1.
type server struct {
	*httptest.Server
	cloud  *dosimtest.Server
	engine *saga.Engine
	stock  *inventory.Service
	client *client.Client
	drop   string // the droplet's id

	secrets *secret.Service
	oneTime http.Handler // for droplets
}

// serve starts the API. The engine is served where drive says so.
func serve(t *testing.T, d *db.DB, drive bool) *server { t.Helper(); return serveAs(t, d, drive, true) }

// serveAs starts the API with a token to provision with, or without.
func serveAs(t *testing.T, d *db.DB, drive, writing bool) *server {
	t.Helper()
	cloud := dosimtest.Start(t, dosim.Options{Params: map[string]string{
		"action.snapshot": "150ms", "lag.snapshot_visible": "50ms", "lag.list_after_delete": "50ms", "lag.list_after_create": "50ms", "lag.replica": "0s",
	}})
	id := cloud.SeedDroplet(dosim.SeedDroplet{Name: "web-1"})
	v, err := vault.Open(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	do, err := digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: "default", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(cloud.Token),
	})
	if err != nil {
		t.Fatal(err)
	}
	secrets := secret.New(d, v)
	steps := provisioning.NewSteps(func(context.Context, string) (*digitalocean.Client, error) { return do, nil },
		provisioning.Settings{Account: "default", Horizon: 300 * time.Millisecond, Poll: 50 * time.Millisecond, Secrets: secrets, PublicURL: "https://arcadia.example.com"}, nil)
	engine, err := saga.New(d, saga.Options{Lease: 3 * time.Second, Poll: 50 * time.Millisecond}, steps.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	follow := feed.New(engine, slog.New(slog.DiscardHandler))
	var given []access.Given
	if writing {
		given = append(given, access.Given{Purpose: digitalocean.Provisioning, Token: vault.NewSecret(cloud.Token)})
	}
	inv := inventory.New(d, engine, inventory.Settings{
		Horizon:  300 * time.Millisecond,
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return do, nil },
		Accounts: func(context.Context) ([]string, error) { return []string{"default"}, nil },
	})
	stacks := provisioning.New(d, engine, steps)
	stacks.Observe(inv)
	a := api.New(api.Options{
		Engine: engine, Feed: follow, Provisioning: stacks, Account: "default",
		Access: access.New(d, v, given...), Secrets: secrets,
		Tenants: tenant.New(d), Inventory: inv, Metering: metering.New(d, inv, nil), Bills: billing.New(d, nil, nil),
		Clients: func(context.Context, string, digitalocean.Purpose) (*digitalocean.Client, error) { return do, nil },
		Ready:   func(context.Context) error { return nil },
		Checks:  func(context.Context) []client.Check { return []client.Check{} },
	})
	s := &server{Server: httptest.NewServer(a.Handler()), cloud: cloud, engine: engine, stock: inv, secrets: secrets, oneTime: a.OneTime()}
	s.drop = jsonNumber(id)
	if s.client, err = client.New(s.URL, client.Options{Actor: "cli:tester"}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { follow.Run(ctx) })
	if drive {
		running.Go(func() {
			if err := engine.Serve(ctx); err != nil {
				t.Errorf("serve sagas: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		s.Close()
	})
	return s
}

func jsonNumber(n int64) string {
	text, _ := json.Marshal(n) // an integer always marshals
	return string(text)
}

// do sends a request as a program would that does not use our client.
func (s *server) do(t *testing.T, method, path, body string, header ...string) (status int, h http.Header, text []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, text
}

// exactly decodes text into a T and refuses keys that T does not have.
func exactly[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s\nis not the contract's shape: %v", text, err)
	}
	return v
}

// created records a saga that nobody runs.
func (s *server) created(t *testing.T) saga.Saga {
	t.Helper()
	made, _, err := s.engine.Create(t.Context(), saga.Request{
		Kind: provisioning.SnapshotDropletKind, Input: provisioning.Snapshot{Account: "default", DropletID: 1, DropletName: "web-1"},
		RequestedBy: "cli:tester",
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}
