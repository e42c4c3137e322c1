package cli

import (
	"context"
	"runtime"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type serveCommand struct {
	Addr string `placeholder:"HOST:PORT" help:"Where to listen ($$ARCADIA_ADDR, else 127.0.0.1:4000). Loopback only, until log-in exists."`
	Role string `default:"all" enum:"all,web,worker" help:"What this process does: answer requests (web), run sagas (worker), or all. With PostgreSQL there may be many of each."`

	PublicURL  string `name:"public-url" placeholder:"URL" help:"Where droplets reach this server, through a proxy of yours: they get secrets there and call back ($$ARCADIA_PUBLIC_URL)."`
	ProbeProxy string `placeholder:"URL" help:"An HTTP proxy through which health probes look, as a bastion has ($$ARCADIA_PROBE_PROXY)."`
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, r *runner) error {
	return r.host.Serve(ctx, r.place, Serving{Addr: c.Addr, Role: c.Role, PublicURL: c.PublicURL, ProbeProxy: c.ProbeProxy, Ready: func(url string) {
		switch {
		case r.json:
			_ = r.print(map[string]string{"url": url}) // serving goes on without a reader
		case url == "":
			r.say("Arcadia runs sagas. Stop it with Ctrl-C.")
		default:
			r.say("Arcadia listens at %s\nIts API is described at %s/v1/openapi.json. Stop it with Ctrl-C.", url, url)
		}
	}})
}

type doctorCommand struct{}

// Run checks that everything is in place.
func (c *doctorCommand) Run(ctx context.Context, r *runner) error {
	checks := r.host.Checks(ctx, r.place)
	failed := 0
	for _, check := range checks {
		if check.State == "fail" {
			failed++
		}
	}
	if r.json {
		if err := r.print(client.List[client.Check]{Items: checks}); err != nil {
			return err
		}
	} else {
		r.diagnose(checks, failed)
	}
	if failed > 0 {
		return exit(exitFailed)
	}
	return nil
}

func (r *runner) diagnose(checks []client.Check, failed int) {
	p := penFor(r.Out)
	look := map[string]string{"ok": p.in(wire.Good, "✓ ok  "), "warn": p.in(wire.Attention, "? warn"), "fail": p.in(wire.Bad, "✗ fail")}
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	for _, c := range checks {
		r.say("%s  %-*s  %s", look[c.State], width, c.Name, c.Detail)
		if c.Todo != "" {
			r.say("%*s  → %s", width+8, "", c.Todo)
		}
	}
	switch failed {
	case 0:
		r.say("\nEverything that is needed is in place.")
	case 1:
		r.say("\nOne thing keeps Arcadia from working.")
	default:
		r.say("\n%d things keep Arcadia from working.", failed)
	}
}

type migrateCommand struct{}

// Run migrates the database.
func (c *migrateCommand) Run(ctx context.Context, r *runner) error {
	applied, where, err := r.host.Migrate(ctx, r.place)
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(map[string]any{"applied": applied, "database": where})
	case applied == 0:
		r.say("The schema of %s is up to date.", where)
	default:
		r.say("The schema of %s is up to date: %d migrations were applied.", where, applied)
	}
	return nil
}

type versionCommand struct{}

// Run prints the version.
func (c *versionCommand) Run(_ context.Context, r *runner) error {
	if r.json {
		return r.print(map[string]string{"version": r.host.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	r.say("arcadia %s (%s, %s/%s)", r.host.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
