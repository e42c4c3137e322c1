package app

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/app/demo"
	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// demoGrace is how long a demonstration's teardown waits: long enough to be seen, and
// cancelled.
const demoGrace = 30 * time.Second

// Demo serves a simulated DigitalOcean with a fleet, Arcadia over it and somebody
// who uses both, from a directory of its own, until ctx is done.
func (p *Process) Demo(ctx context.Context, at cli.Place, how cli.Demo) (err error) {
	dir, err := p.demoDir(at)
	if err != nil {
		return err
	}
	c := Config{
		DataDir: dir, demo: true, cloudSpeed: how.Speed, Grace: demoGrace,
		InventoryToken: vault.NewSecret("dop_v1_demonstration_inventory"), ProvisioningToken: vault.NewSecret("dop_v1_demonstration"),
		BillingToken: vault.NewSecret("dop_v1_demonstration_billing"),
		Lease:        15 * time.Second, Horizon: demo.Horizon(how.Speed), Settle: demo.Horizon(how.Speed), Poll: demo.Poll(how.Speed),
	}
	l, err := p.claimDemo(ctx, dir, how)
	if err != nil {
		return err
	}
	defer l.Close()

	cloud, err := demo.OpenCloud(ctx, dir, l.Addr().String(), how.Speed, at.Log)
	if err != nil {
		return err
	}
	// Last of all: what Arcadia asks for while it stops is answered and kept.
	defer func() { err = errors.Join(err, cloud.Close()) }()
	url := "http://" + l.Addr().String()
	c.APIURL, c.PublicURL, c.probe = cloud.URL, url, cloud.Probe
	a, err := Open(ctx, c, p.version, at.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	arcadia, err := client.New(url, client.Options{Actor: demo.Actor})
	if err != nil {
		return err
	}
	a.history = &demo.History{Tenants: a.tenants, Metering: a.metering, Bills: a.bills, Dir: dir, Log: at.Log}
	unfinished, err := a.unfinished(ctx)
	if err != nil {
		return err
	}
	return together(ctx, map[string]func(context.Context) error{
		"arcadia": func(ctx context.Context) error {
			return a.run(ctx, l, All, func(string) {
				how.Ready(cli.DemoReady{
					URL: url, CloudURL: cloud.URL, CloudAdminURL: cloud.AdminURL, DataDir: dir, PID: os.Getpid(),
					New: cloud.New, Unfinished: unfinished,
				})
			})
		},
		"traffic": demo.NewTraffic(arcadia, cloud, at.Log).Run,
		"stacks":  demo.NewStacks(arcadia, cloud, at.Log).Run,
		"history": a.history.Run,
	})
}

// isFilling reports whether the business of the past is still being made, which only a
// demonstration does. Until it is there nothing may be billed as of today.
func (a *App) isFilling() bool { return a.history != nil && !a.history.Made() }

// demoDir is where the demonstration's data are: in a place of its own inside the
// data directory, or where --data-dir says.
func (p *Process) demoDir(at cli.Place) (string, error) {
	c, err := p.settings(at)
	if err != nil {
		return "", err
	}
	if at.DataDir != "" {
		return c.DataDir, nil
	}
	return filepath.Join(c.DataDir, "demo"), nil
}

// claimDemo takes the port and sees to it that the directory is a demonstration's
// and nobody's. Where it cannot, nothing has been changed.
func (p *Process) claimDemo(ctx context.Context, dir string, how cli.Demo) (l net.Listener, err error) {
	if err := checkAddr(how.Addr); err != nil {
		return nil, err
	}
	addr, held, err := datadir.Holder(dir)
	switch {
	case err != nil:
		return nil, err
	case held && addr != "":
		return nil, fault.New(fault.Conflict, "The demonstration runs already, at http://%s. Use that one or stop it with Ctrl-C; another one beside it needs --data-dir DIR and --addr 127.0.0.1:PORT.", addr)
	case held:
		return nil, fault.New(fault.Conflict, "The demonstration in %s is just starting or stopping. Try again in a moment.", dir)
	}
	if l, err = listen(ctx, how.Addr); err != nil {
		return nil, err
	}
	if how.Fresh {
		if _, err = os.Stat(dir); err == nil {
			err = demo.Empty(dir)
		} else if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = demo.Prepare(dir)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// unfinished counts the sagas that go on by themselves.
func (a *App) unfinished(ctx context.Context) (n int, err error) {
	for _, state := range []saga.State{saga.Ready, saga.Running, saga.Waiting, saga.Compensating} {
		sagas, _, err := a.engine.Sagas(ctx, saga.Filter{State: state, Limit: 200})
		if err != nil {
			return 0, err
		}
		n += len(sagas)
	}
	return n, nil
}
