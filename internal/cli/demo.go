package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// Demo says how the demonstration runs.
type Demo struct {
	Addr  string  // host and port
	Speed float64 // of the simulated clock
	Fresh bool    // forget what it kept before
	Ready func(DemoReady)
}

// DemoReady is what the demonstration says of itself once it answers.
type DemoReady struct {
	URL           string `json:"url"`
	CloudURL      string `json:"cloud_url"`
	CloudAdminURL string `json:"cloud_admin_url"`
	DataDir       string `json:"data_dir"`
	PID           int    `json:"pid"`
	New           bool   `json:"new"`        // it began from nothing
	Unfinished    int    `json:"unfinished"` // sagas that an earlier run left under way
}

type demoCommand struct {
	Addr  string  `default:"127.0.0.1:4000" placeholder:"HOST:PORT" help:"Where to listen (${default}). Loopback only."`
	Speed float64 `default:"10" placeholder:"N" help:"How fast the simulated clock runs (${default}), 1 to 100: at 10 a snapshot takes six seconds."`
	Fresh bool    `help:"Start over: remove what the demonstration kept, and nothing else."`
}

// Run runs the demonstration until it is told to stop.
func (c *demoCommand) Run(ctx context.Context, r *runner) error {
	if r.place.URL != "" || r.place.Database != "" {
		return usage{fault.New(fault.Invalid, "The demonstration has a server and a database of its own: leave --url and --db away")}
	}
	if !(c.Speed >= 1 && c.Speed <= 100) {
		return usage{fault.New(fault.Invalid, "--speed is a number from 1 to 100")}
	}
	err := r.host.Demo(ctx, r.place, Demo{Addr: c.Addr, Speed: c.Speed, Fresh: c.Fresh, Ready: func(d DemoReady) { c.introduce(r, d) }})
	if err == nil && !r.json {
		r.say("\nStopped. The next start goes on from here.")
	}
	return err
}

func (c *demoCommand) introduce(r *runner, d DemoReady) {
	if r.json {
		_ = r.print(d) // serving goes on without a reader
		return
	}
	state := "It goes on from where it was."
	switch {
	case d.New:
		state = "It begins with 60 droplets of 12 tenants in 4 regions, at a simulated DigitalOcean. Three months\nof business with nine of them come in while you look."
	case d.Unfinished == 1:
		state = "It goes on from where it was: one saga is still under way."
	case d.Unfinished > 1:
		state = fmt.Sprintf("It goes on from where it was: %d sagas are still under way.", d.Unfinished)
	}
	me := invocation()
	r.say(`
  Open in a browser:  %s

%s
The cloud's clock runs %g times as fast as ours: a snapshot takes about %s. Sagas start by
themselves: snapshots, now and then three that queue for one droplet, and smoke tests, which
fail on purpose and are undone. In the first minutes every tenant gets a stack.

Or try in another terminal:

  export ARCADIA_URL=%s
  %s saga list
  %s snapshot old-wordpress
  kill -9 %d    # and start it again: what was under way goes on

What the cloud really has, without any lag:  curl '%s/truth?kind=snapshot'
Everything is kept in %s; --fresh starts over.

Stop it with Ctrl-C.`, penFor(r.Out).in(wire.Good, d.URL), state, c.Speed, wire.Took(time.Duration(60/c.Speed*float64(time.Second)).Round(time.Second)),
		d.URL, me, me, d.PID, d.CloudAdminURL, d.DataDir)
}

// invocation is how this program was called, for commands to be copied.
func invocation() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/arcadia"
	}
	return os.Args[0]
}
