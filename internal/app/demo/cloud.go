package demo

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const cloudFile = "cloud.jsonl"

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
// is the realistic one until somebody sets another. What its droplets ask for when they
// first start they ask of arcadia alone, a host and port.
func OpenCloud(ctx context.Context, dir, arcadia string, speed float64, log *slog.Logger) (c *Cloud, err error) {
	c = &Cloud{}
	c.sim, err = dosim.Open(dosim.Options{Seed: 1, Data: filepath.Join(dir, cloudFile), Logger: log, GuestDial: only(arcadia)})
	if errors.Is(err, fault.Unprocessable) {
		return nil, fault.Wrap(fault.Conflict, err, "The simulated cloud in %s cannot be read: it is damaged, or of another version. Start over with: arcadia demo --fresh", dir)
	}
	if err != nil {
		return nil, err
	}
	defer func(made *Cloud) {
		if err != nil {
			err = errors.Join(err, made.Close())
		}
	}(c)
	if c.sim.Empty() { // also where a first start was killed: the fleet is kept whole or not at all
		c.New = true
		begun, err := fleet()
		if err == nil {
			err = c.sim.Play(begun)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := c.sim.Clock().SetSpeed(speed); err != nil {
		return nil, err
	}
	// Who asks counts by our clock, on which the cloud's hour is shorter.
	perHour := int(min(max(5000*speed, 5000), 1_000_000))
	if err := c.sim.SetParams(map[string]string{
		"guest.boot": "1", "ratelimit.hourly": strconv.Itoa(perHour), "ratelimit.burst": strconv.Itoa(perHour / 20),
	}); err != nil {
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

// only leads to one address of this machine: what a droplet's user data names besides,
// the port of a model server on its own loopback address, may be somebody's here.
func only(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		if to != address {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
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
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Minute}
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
