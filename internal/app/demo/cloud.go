package demo

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

const (
	cloudFile = "cloud.jsonl"
	newSuffix = ".new" // of a cloud whose fleet is not complete yet

	preset = "realistic"
)

// Where the cloud listens when nothing else does.
const (
	apiAddr   = "127.0.0.1:4010"
	adminAddr = "127.0.0.1:4011"
)

// A Cloud is the demonstration's DigitalOcean, served at two ports of this machine.
type Cloud struct {
	URL      string // of the API
	AdminURL string // of its clock, weather, faults and truth
	New      bool   // it was made just now

	sim     *dosim.Sim
	servers []*http.Server
	serving sync.WaitGroup
}

// OpenCloud serves the cloud that dir keeps, and makes it where there is none. Its
// clock runs at the speed given, also where it ran at another before; its weather
// is the realistic one until somebody sets another.
func OpenCloud(ctx context.Context, dir string, speed float64, log *slog.Logger) (c *Cloud, err error) {
	c = &Cloud{}
	file := filepath.Join(dir, cloudFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := found(file, log); err != nil {
			return nil, err
		}
		c.New = true
	}
	if c.sim, err = dosim.Open(dosim.Options{Data: file, Logger: log}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := c.sim.Clock().SetSpeed(speed); err != nil {
		return nil, err
	}
	if c.URL, err = c.serve(ctx, apiAddr, c.sim.API()); err != nil {
		return nil, err
	}
	if c.AdminURL, err = c.serve(ctx, adminAddr, c.sim.Admin()); err != nil {
		return nil, err
	}
	return c, nil
}

// found makes the file of a new cloud with its fleet: all of it, or none.
func found(file string, log *slog.Logger) error {
	next := file + newSuffix
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // a start that was killed left it
		return err
	}
	sim, err := dosim.Open(dosim.Options{Seed: 1, Preset: preset, Data: next, Logger: log})
	if err != nil {
		return err
	}
	for _, d := range Fleet(sim.Clock().Now()) {
		if _, err := sim.Seed(d); err != nil {
			sim.Close()
			return err
		}
	}
	sim.Close()
	return errors.Join(os.Rename(next, file), os.Remove(next+".lock"))
}

// serve serves h at addr, or at another port of this machine where that is taken.
func (c *Cloud) serve(ctx context.Context, addr string, h http.Handler) (url string, err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		if l, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	c.servers = append(c.servers, s)
	c.serving.Go(func() { _ = s.Serve(l) }) // it ends with Close
	return "http://" + l.Addr().String(), nil
}

// Close stops serving and lets go of the file. What was answered until then is kept.
func (c *Cloud) Close() error {
	var failed []error
	for _, s := range c.servers {
		failed = append(failed, s.Close())
	}
	c.sim.Close()
	c.serving.Wait()
	return errors.Join(failed...)
}
