package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A droplet's snapshot is asked for with a token of its own account, and woken by the
// watcher of that account; without such a token it is refused, whatever other
// accounts have.
func TestASagaActsInTheDropletsOwnAccount(t *testing.T) {
	cloud := dosimtest.Start(t, dosim.Options{Params: map[string]string{
		"action.snapshot": "50ms", "lag.snapshot_visible": "20ms", "lag.list_after_create": "0s", "lag.replica": "0s",
	}})
	a, err := Open(t.Context(), Config{
		DataDir: filepath.Join(t.TempDir(), "data"), APIURL: cloud.URL, Lease: 3 * time.Second, Horizon: 100 * time.Millisecond, Settle: 100 * time.Millisecond, Poll: 250 * time.Millisecond,
	}, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	c, err := client.New("http://"+l.Addr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prod", "archive"} {
		if _, err := a.access.AddAccount(ctx, name, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	set := func(account, purpose string) {
		t.Helper()
		token := cloud.CreateToken(dosim.TokenSpec{Account: account})
		if account == "default" {
			token = cloud.Token
		}
		if _, err := a.access.SetToken(ctx, account, digitalocean.Purpose(purpose), vault.NewSecret(token), nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	set("default", "provisioning")
	set("prod", "provisioning")
	set("archive", "inventory")
	go func() { ended <- a.run(ctx, l, All, func(string) {}) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Error(err)
		}
	}()
	drops := map[string]string{}
	for _, account := range []string{"default", "prod", "archive"} {
		of := account
		if of == "default" {
			of = ""
		}
		drops[account] = fmt.Sprint(cloud.SeedDroplet(dosim.SeedDroplet{Name: account + "-1", Account: of}))
		run, err := c.StartSync(ctx, account, "droplet")
		for err == nil && run.FinishedAt == nil {
			time.Sleep(10 * time.Millisecond)
			run, err = c.SyncRun(ctx, run.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []client.DropletRef{{Droplet: drops["prod"]}, {Droplet: "prod-1"}, {Droplet: "prod-1", Account: "prod"}, {Droplet: drops["default"]}} {
		s, _, err := c.SnapshotDroplet(ctx, ref, "")
		if err != nil {
			t.Errorf("%+v: %v", ref, err)
			continue
		}
		await(t, a.engine, saga.ID(s.ID))
		if s, err = c.Saga(ctx, s.ID); err != nil || s.State != client.Completed {
			t.Errorf("%+v: it is %s, %v", ref, s.State, err)
		}
	}
	for what, ref := range map[string]client.DropletRef{
		"account archive is read-only": {Droplet: drops["archive"]}, "no account \"castle\"": {Droplet: drops["prod"], Account: "castle"}, "no droplet": {Droplet: drops["prod"], Account: "default"},
	} {
		if _, _, err := c.SnapshotDroplet(ctx, ref, ""); err == nil || !strings.Contains(strings.ToLower(err.Error()), what) {
			t.Errorf("%+v: %v, want that it says %q", ref, err, what)
		}
	}
	var led int
	row := a.db.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM saga_duties WHERE name IN ('watch actions of default', 'watch actions of prod')`)
	if err := row.Scan(&led); err != nil || led != 2 {
		t.Errorf("%d of the two accounts are watched, %v", led, err)
	}
	input := []byte(`{"droplet_id":` + drops["archive"] + `,"account":"archive"}`)
	if _, _, err := c.CreateSaga(ctx, client.NewSaga{Kind: "snapshot_droplet", Input: input}, ""); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a saga of a read-only account: %v", err)
	}
}
