package cli

import (
	"context"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type stackDrillCommand struct {
	stackRef
	Backup string `help:"The backup's id; without it the newest."`
}

// Run plans a drill.
func (c *stackDrillCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "drill", Stack: c.Stack, Options: map[string]string{"backup": c.Backup}})
}

type stackDrillsCommand struct{ stackRef }

// Run lists a stack's drills.
func (c *stackDrillsCommand) Run(ctx context.Context, r *runner) error {
	page, err := fetch(ctx, r, func(cl *client.Client) (client.StackDrillPage, error) { return cl.StackDrills(ctx, c.Stack) })
	if err != nil {
		return err
	}
	return listing(r, page, page.Items, "No restore was tried out. Plan one with: arcadia stack drill "+c.Stack,
		"DRILL|BEGAN|OUTCOME|READY AFTER|BACKUP|SAID", func(d client.StackDrill) []string {
			ready := "-"
			if d.ReadyAt != nil {
				ready = wire.Took(d.ReadyAt.Sub(d.BeganAt.Time))
			}
			return []string{d.ID, d.BeganAt.UTC().Format("2006-01-02 15:04"), d.Outcome, ready, d.Backup, orDash(d.Said)}
		})
}
