package cli

import (
	"context"
	"strconv"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackResizeCommand struct {
	stackRef
	Droplet   string `placeholder:"KEY" help:"The droplet's key in the blueprint; may be left away where there is one."`
	Size      string `placeholder:"SLUG" help:"The droplet's new size, like s-2vcpu-4gb."`
	Disk      bool   `help:"Grow the disk too: for good, there is no way back to a smaller size."`
	Volume    string `placeholder:"KEY" help:"The key of a volume that grows in place of a droplet; may be left away where there is one."`
	SizeGiB   int    `name:"size-gib" placeholder:"N" help:"The volume's new size in GiB, for good."`
	SkipProbe bool   `help:"Do not ask the stack's health probes."`
}

// Run plans another size.
func (c *stackResizeCommand) Run(ctx context.Context, r *runner) error {
	options := map[string]string{
		"droplet": c.Droplet, "size": c.Size, "disk": strconv.FormatBool(c.Disk), "volume": c.Volume, "skip_probe": strconv.FormatBool(c.SkipProbe),
	}
	if c.SizeGiB != 0 {
		options["size_gib"] = strconv.Itoa(c.SizeGiB)
	}
	return r.plan(ctx, client.PlanOrder{Verb: "resize", Stack: c.Stack, Options: options})
}
