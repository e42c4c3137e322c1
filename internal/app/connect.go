package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os/user"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const (
	// holderTime is how long a holder of the data directory that does not answer
	// may take to begin, or to end.
	holderTime  = 10 * time.Second
	holderPause = 25 * time.Millisecond
	probeTime   = 2 * time.Second
)

// Connect finds who serves the place: ARCADIA_URL, else whoever holds the data
// directory, else this process, which opens the directory itself and, where drive
// says so, runs sagas for as long as the connection is open. With PostgreSQL there
// is no directory to hold, and this process is one node among others.
func (p *Process) Connect(ctx context.Context, at cli.Place, drive bool) (*cli.Connection, error) {
	c, err := p.settings(at)
	if err != nil {
		return nil, err
	}
	if c.URL != "" {
		return p.remote(c.URL, c.APIKey.Reveal())
	}
	deadline := time.Now().Add(holderTime)
	for {
		if conn := p.holder(ctx, c); conn != nil {
			return conn, nil
		}
		c.PublicURL = "" // what this process serves is not what droplets reach
		a, err := Open(ctx, c, p.version, at.Log)
		if err == nil {
			return p.embed(ctx, a, drive)
		}
		if fault.Code(err) != inUse || time.Now().After(deadline) {
			return nil, err
		}
		if err := pause(ctx, holderPause); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Process) remote(url, key string) (*cli.Connection, error) {
	c, err := client.New(url, client.Options{APIKey: key, Actor: actor()})
	if err != nil {
		return nil, err
	}
	return &cli.Connection{Client: c, Close: func() error { return nil }}, nil
}

// holder connects to the process that holds the data directory; nil when there is
// none, or none that answers.
func (p *Process) holder(ctx context.Context, c Config) *cli.Connection {
	if c.sqliteFile() == "" {
		return nil
	}
	addr, held, err := datadir.Holder(c.held())
	if err != nil || !held || addr == "" {
		return nil // opening the directory says why
	}
	url := "http://" + addr
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		return nil
	}
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		return nil
	}
	if res.Body.Close() != nil || res.StatusCode != http.StatusOK {
		return nil
	}
	conn, err := p.remote(url, "")
	if err != nil {
		return nil
	}
	return conn
}

// embed serves a at a port of this machine: this command uses it, and any other
// that finds the data directory held.
func (p *Process) embed(ctx context.Context, a *App, drive bool) (*cli.Connection, error) {
	l, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	role := Web
	if drive {
		role = command
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	started := make(chan string, 1)
	go func() { ended <- a.run(running, l, role, func(url string) { started <- url }) }()
	end := func() error {
		stop()
		return errors.Join(<-ended, a.Close())
	}
	select {
	case url := <-started:
		conn, err := p.remote(url, "")
		if err != nil {
			return nil, errors.Join(err, end())
		}
		conn.Embedded, conn.Close = true, end
		return conn, nil
	case err := <-ended:
		stop()
		return nil, errors.Join(fmt.Errorf("serve this command: %w", err), l.Close(), a.Close())
	}
}

// actor is who runs the command line.
func actor() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "cli:unknown"
	}
	return "cli:" + u.Username
}

// Migrate brings the database up to date. Where another process holds it, that
// one has done so.
func (p *Process) Migrate(ctx context.Context, at cli.Place) (applied int, where string, err error) {
	c, err := p.settings(at)
	if err != nil {
		return 0, "", err
	}
	log := at.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a, err := Open(ctx, c, p.version, log)
	if fault.Code(err) == inUse {
		return 0, c.database(), nil
	}
	if err != nil {
		return 0, "", err
	}
	return a.migrated, c.database(), a.Close()
}
