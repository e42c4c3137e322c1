package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// The sandbox's cloud is quicker than the real one, and shows what happened
// sooner; nothing else about it differs.
const (
	sandboxSnapshot = "2s"
	sandboxLag      = "1s"
	sandboxHorizon  = 3 * time.Second
	sandboxPoll     = 250 * time.Millisecond
	sandboxDroplet  = "web-1"
	sandboxToken    = "dop_v1_demonstration"
)

// Sandbox serves a simulated DigitalOcean with one droplet, and Arcadia over it
// with a data directory that is thrown away, until the connection is closed.
func (p *Process) Sandbox(ctx context.Context, log *slog.Logger) (d *cli.Sandbox, err error) {
	var opened []func() error
	end := func() error {
		var failed []error
		for i := len(opened) - 1; i >= 0; i-- {
			failed = append(failed, opened[i]())
		}
		return errors.Join(failed...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()

	sim := dosim.New(dosim.Options{Seed: 1, Logger: log, Params: map[string]string{
		"action.snapshot": sandboxSnapshot, "lag.snapshot_visible": sandboxLag, "lag.list_after_delete": sandboxLag,
	}})
	sim.SeedDroplet(dosim.SeedDroplet{Name: sandboxDroplet})
	l, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cloud := &http.Server{Handler: sim.API(), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime}
	var serving sync.WaitGroup
	serving.Go(func() { _ = cloud.Serve(l) }) // it ends with Close, below
	opened = append(opened, func() error {
		sim.Close()
		err := cloud.Close()
		serving.Wait()
		return err
	})

	dir, err := os.MkdirTemp("", "arcadia-sandbox-")
	if err != nil {
		return nil, err
	}
	opened = append(opened, func() error { return os.RemoveAll(dir) })

	conn, err := (&Process{version: p.version, log: p.log, config: Config{
		DataDir: filepath.Join(dir, "data"), APIURL: "http://" + l.Addr().String(), ProvisioningToken: vault.NewSecret(sandboxToken),
		Lease: 15 * time.Second, Horizon: sandboxHorizon, Settle: sandboxHorizon, Poll: sandboxPoll,
	}}).Connect(ctx, cli.Place{Log: log}, true)
	if err != nil {
		return nil, err
	}
	opened = append(opened, conn.Close)
	conn.Close = end
	return &cli.Sandbox{Connection: *conn, Droplet: sandboxDroplet}, nil
}
