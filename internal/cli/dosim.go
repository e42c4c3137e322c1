package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

type dosimCommand struct {
	Addr      string   `default:"127.0.0.1:4010" placeholder:"HOST:PORT" help:"Where DigitalOcean's API listens (${default})."`
	AdminAddr string   `default:"127.0.0.1:4011" placeholder:"HOST:PORT" help:"Where its clock, faults and truth are (${default})."`
	Seed      uint64   `default:"1" help:"Decides ids and every chance: the same seed, the same cloud."`
	Speed     *float64 `placeholder:"N" help:"How fast its clock runs: at 20 a snapshot takes 3 s instead of a minute."`
	Preset    string   `placeholder:"NAME" help:"The weather from now on: calm, realistic, stormy or hostile."`
	Scenario  string   `placeholder:"NAME|FILE" help:"What it begins with: fleet-1000, or a YAML file."`
	Data      string   `type:"path" placeholder:"FILE" help:"Keep everything in this file, and go on from it. Its seed and clock win."`
	Empty     bool     `help:"Begin without the droplet web-1."`
}

// Run simulates DigitalOcean until it is told to stop.
func (c *dosimCommand) Run(ctx context.Context, r *runner) error {
	sim, err := dosim.Open(dosim.Options{Seed: c.Seed, Logger: r.log, Preset: c.Preset, Data: c.Data})
	if errors.Is(err, fault.Unprocessable) {
		return usage{err}
	}
	if err != nil {
		return err
	}
	defer sim.Close()
	if c.Speed != nil {
		if err := sim.Clock().SetSpeed(*c.Speed); err != nil {
			return usage{err}
		}
	}
	api, err := listenLoopback(ctx, "--addr", c.Addr)
	if err != nil {
		return err
	}
	admin, err := listenLoopback(ctx, "--admin-addr", c.AdminAddr)
	if err != nil {
		return errors.Join(err, api.Close())
	}
	droplet := ""
	switch {
	case !sim.Empty() && (c.Scenario != "" || c.Empty):
		return errors.Join(usage{fmt.Errorf("%s holds a cloud already, and that is what is served: leave --scenario and --empty away, or name another file", c.Data)},
			api.Close(), admin.Close())
	case !sim.Empty():
	case c.Scenario != "":
		if err := c.play(sim); err != nil {
			return errors.Join(usage{errors.New(fault.Message(err))}, api.Close(), admin.Close())
		}
	case !c.Empty:
		droplet = "web-1"
		sim.SeedDroplet(dosim.SeedDroplet{Name: droplet})
	}
	c.introduce(r, "http://"+api.Addr().String(), "http://"+admin.Addr().String(), droplet)
	return serveUntil(ctx, r.log, map[net.Listener]http.Handler{api: sim.API(), admin: sim.Admin()}, sim.Close)
}

// play makes the cloud what the scenario says, and changes the weather afterwards if
// another was asked for: what it tells of happened in its own.
func (c *dosimCommand) play(sim *dosim.Sim) error {
	sc, err := readScenario(c.Scenario)
	if err != nil {
		return err
	}
	if err := sim.Play(sc); err != nil || c.Preset == "" || sc.Preset == "" {
		return err
	}
	if err := sim.SetPreset(c.Preset); err != nil {
		return err
	}
	return sim.SetParams(sc.Params)
}

// readScenario reads one of dosim's own or a file.
func readScenario(name string) (dosim.Scenario, error) {
	if slices.Contains(dosim.Scenarios(), name) {
		return dosim.NamedScenario(name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return dosim.Scenario{}, fault.Wrap(fault.Invalid, err, "There is no scenario %s, neither a file nor one of: %s.", name, strings.Join(dosim.Scenarios(), ", "))
	}
	return dosim.ReadScenario(text)
}

func (c *dosimCommand) introduce(r *runner, api, admin, droplet string) {
	if r.json {
		_ = r.print(map[string]string{"url": api, "admin_url": admin, "droplet": droplet}) // serving goes on without a reader
		return
	}
	r.say(`A simulated DigitalOcean:  %s
Its clock, faults, truth:  %s
`, api, admin)
	if droplet != "" {
		r.say(`It has one droplet, %s. Any token that begins with dop_v1_ is accepted. In another terminal:

  export ARCADIA_DO_API_URL=%s ARCADIA_DO_TOKEN_PROVISIONING=dop_v1_any
  arcadia smoke --droplet %s
`, droplet, api, droplet)
	}
	if c.Data != "" {
		r.say("Stop it with Ctrl-C. It keeps everything in %s.", c.Data)
		return
	}
	r.say("It forgets everything when it stops: Ctrl-C.")
}

// listenLoopback listens on an address of this machine only.
func listenLoopback(ctx context.Context, flag, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage{fault.New(fault.Invalid, "%s must be a host and a port, as 127.0.0.1:4010, not %q", flag, addr)}
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, usage{fault.New(fault.Invalid, "%s must be an address of this machine alone, as 127.0.0.1:4010: the simulator lets everybody in", flag)}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "Cannot listen at %s: %v. Is it running already? Another port: %s.", addr, cause(err), flag)
	}
	return l, nil
}

// cause is the innermost error.
func cause(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// idleTime is longer than the 90 s for which Go's clients keep a silent connection:
// a request that met its end on the server's side would be one with a lost answer.
const idleTime = 5 * time.Minute

// stopTime bounds how long requests may take to end once the process is to stop.
const stopTime = 3 * time.Second

// serveUntil serves until ctx is done or a server fails. release lets go of
// requests that would not end by themselves.
func serveUntil(ctx context.Context, log *slog.Logger, on map[net.Listener]http.Handler, release func()) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	var servers []*http.Server
	for l, h := range on {
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTime, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
		servers = append(servers, s)
		running.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				stop(err)
			}
		})
	}
	<-ctx.Done()
	release()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(ending) != nil {
			_ = s.Close() // what hangs is cut off
		}
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
