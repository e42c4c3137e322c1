package app

import (
	"context"
	"io"
	"runtime/debug"

	"github.com/arcadia-cloud/arcadia/internal/cli"
)

// A Process is one run of the program: its settings and where it logs to.
type Process struct {
	config  Config
	bad     error // why the settings cannot be read
	version string
	log     io.Writer
}

// Run runs one command line, without the program's name, and returns the code to
// exit with. It ends in order when ctx is done.
func Run(ctx context.Context, s cli.Streams, args []string) int {
	config, err := ReadConfig()
	p := &Process{config: config, bad: err, version: version(), log: s.Err}
	return cli.Run(ctx, cli.Host{
		Version: p.version, Connect: p.Connect, Serve: p.Serve, Demo: p.Demo, Sandbox: p.Sandbox, Migrate: p.Migrate, Checks: p.Checks,
	}, s, args)
}

// settings are the environment's with a command's flags laid over them.
func (p *Process) settings(at cli.Place) (Config, error) {
	if p.bad != nil {
		return Config{}, p.bad
	}
	return p.config.at(at).resolved()
}

// version is the module's, or the commit's of a build from source.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "0.0.0-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "0.0.0"
}
