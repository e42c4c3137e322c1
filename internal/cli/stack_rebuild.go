package cli

import (
	"context"
	"strconv"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackRebuildCommand struct {
	stackRef
	Droplet   string `placeholder:"KEY" help:"The droplet's key in the blueprint; may be left away where there is one."`
	Image     string `placeholder:"IMAGE" help:"A public image like debian-12-x64, or the id of one of the account's; left away, the one that the stack has."`
	Backup    bool   `negatable:"" default:"true" help:"Make a backup of the stack first."`
	SkipProbe bool   `help:"Do not ask the stack's health probes."`
}

// Run plans a rebuild.
func (c *stackRebuildCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "rebuild", Stack: c.Stack, Options: map[string]string{
		"droplet": c.Droplet, "image": c.Image, "backup": strconv.FormatBool(c.Backup), "skip_probe": strconv.FormatBool(c.SkipProbe),
	}})
}
