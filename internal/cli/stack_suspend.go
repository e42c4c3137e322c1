package cli

import (
	"context"
	"strconv"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackSuspendCommand struct {
	stackRef
	Level   int    `default:"1" enum:"1,2,3" help:"1 quarantines it with a firewall, 2 switches its droplets off, 3 keeps snapshots and destroys droplets and volumes: this alone ends what DigitalOcean charges for them."`
	SSHFrom string `name:"ssh-from" placeholder:"ADDRESSES" help:"Addresses that a quarantine lets in by SSH, like '198.51.100.7 192.0.2.0/24'."`
}

// Run plans a suspension.
func (c *stackSuspendCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{
		Verb: "suspend", Stack: c.Stack, Options: map[string]string{"level": strconv.Itoa(c.Level), "ssh_from": c.SSHFrom},
	})
}

type stackResumeCommand struct {
	stackRef
	SkipProbe bool `help:"Do not ask the stack's health probes, and so do not go back where they are not content."`
}

// Run plans the end of a suspension.
func (c *stackResumeCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{
		Verb: "resume", Stack: c.Stack, Options: map[string]string{"skip_probe": strconv.FormatBool(c.SkipProbe)},
	})
}
