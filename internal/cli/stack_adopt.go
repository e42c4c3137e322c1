package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackAdoptCommand struct {
	stackPlanCommand
	Take map[string]string `placeholder:"RESOURCE=URN" help:"Which thing a resource of the blueprint is, like droplet.web=do:droplet:1; repeat it for more. What is not named is found."`
}

// Run plans the adoption of what exists.
func (c *stackAdoptCommand) Run(ctx context.Context, r *runner) error {
	var take []string
	for _, key := range slices.Sorted(maps.Keys(c.Take)) {
		take = append(take, key+"="+c.Take[key])
	}
	return r.plan(ctx, client.PlanOrder{
		Verb: "adopt", Blueprint: c.Blueprint, Tenant: c.Tenant, Name: c.Name, Account: c.Account, Zone: c.Zone, Parameters: c.Set,
		Options: map[string]string{"take": strings.Join(take, ","), "reuse_name": strconv.FormatBool(c.ReuseName)},
	})
}

type stackReleaseCommand struct{ stackRef }

// Run plans the release of a stack.
func (c *stackReleaseCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "release", Stack: c.Stack})
}
