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

// The demonstration's cloud is quicker than the real one, and shows what happened
// sooner; nothing else about it differs.
const (
	demoSnapshot = "2s"
	demoLag      = "1s"
	demoHorizon  = 3 * time.Second
	demoPoll     = 250 * time.Millisecond
	demoDroplet  = "web-1"
	demoToken    = "dop_v1_demonstration"
)

// Demo serves a simulated DigitalOcean with one droplet, and Arcadia over it with
// a data directory of its own, until the connection is closed.
func (p *Process) Demo(ctx context.Context, log *slog.Logger) (d *cli.Demonstration, err error) {
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
		"action.snapshot": demoSnapshot, "lag.snapshot_visible": demoLag, "lag.list_after_delete": demoLag,
	}})
	sim.SeedDroplet(dosim.SeedDroplet{Name: demoDroplet})
	l, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cloud := &http.Server{Handler: sim.API(), ReadHeaderTimeout: headerTime}
	var serving sync.WaitGroup
	serving.Go(func() { _ = cloud.Serve(l) }) // it ends with Close, below
	opened = append(opened, func() error {
		sim.Close()
		err := cloud.Close()
		serving.Wait()
		return err
	})

	dir, err := os.MkdirTemp("", "arcadia-demo-")
	if err != nil {
		return nil, err
	}
	opened = append(opened, func() error { return os.RemoveAll(dir) })

	conn, err := (&Process{version: p.version, log: p.log, config: Config{
		DataDir: filepath.Join(dir, "data"), APIURL: "http://" + l.Addr().String(), ProvisioningToken: vault.NewSecret(demoToken),
		Lease: 15 * time.Second, Horizon: demoHorizon, Settle: demoHorizon, Poll: demoPoll,
	}}).Connect(ctx, cli.Place{Log: log}, true)
	if err != nil {
		return nil, err
	}
	opened = append(opened, conn.Close)
	conn.Close = end
	return &cli.Demonstration{Connection: *conn, Droplet: demoDroplet}, nil
}
