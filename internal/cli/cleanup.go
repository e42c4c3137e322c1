package cli

import (
	"context"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

type cleanupCommand struct {
	Plan   cleanupPlanCommand   `cmd:"" help:"Work out what nobody has, and what deleting it would save, and do nothing."`
	Apply  cleanupApplyCommand  `cmd:"" help:"Mark what a plan names, and delete it after its time, but for what is used until then."`
	List   cleanupListCommand   `cmd:"" help:"List what is marked."`
	Keep   cleanupKeepCommand   `cmd:"" help:"Have a thing never be destroyed, and end its mark."`
	Unkeep cleanupUnkeepCommand `cmd:"" help:"Let a kept thing be destroyed again, when somebody plans it."`
}

// cleanupVerb is that of plans which are about an account, not a stack.
const cleanupVerb = "cleanup"

type cleanupPlanCommand struct {
	Account string   `help:"The account at DigitalOcean."`
	Wait    string   `default:"168h" placeholder:"TIME" help:"How long things stay marked before they are deleted, like 24h."`
	Only    []string `placeholder:"URN" help:"Only these things; repeat it for more."`
}

// Run plans a clean-up.
func (c *cleanupPlanCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: cleanupVerb, Account: c.Account, Options: map[string]string{"wait": c.Wait, "only": strings.Join(c.Only, ",")}})
}

type cleanupApplyCommand struct{ stackApplyCommand }

// Run does what a clean-up's plan says, and no other's: of a stack's would be destroyed
// at once what a clean-up only marks.
func (c *cleanupApplyCommand) Run(ctx context.Context, r *runner) error {
	return c.apply(ctx, r, func(p client.Plan) error {
		if p.Verb != cleanupVerb {
			return fault.New(fault.Invalid, "Plan %s is to %s stack %s of %s, not to clean up, and nothing was done. Look at it with: arcadia stack apply %s", p.ID, p.Verb, p.Name, p.Tenant, p.ID)
		}
		return nil
	})
}

type cleanupListCommand struct {
	Account string `help:"Only this account's."`
	All     bool   `help:"Also what was spared or deleted."`
}

// Run lists marks.
func (c *cleanupListCommand) Run(ctx context.Context, r *runner) error {
	page, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.CleanupMark], error) {
		return cl.CleanupMarks(ctx, c.Account, c.All)
	})
	if err != nil {
		return err
	}
	return listing(r, page, page.Items, "Nothing is marked. Plan a clean-up with: arcadia cleanup plan",
		"WHAT|NAME|ACCOUNT|WHY|MONTHLY|STATE|DELETED FROM|SAGA", func(m client.CleanupMark) []string {
			cost, state := "no price", m.State
			if m.Monthly != nil {
				cost = dollars(*m.Monthly)
			}
			if m.Why != "" {
				state += ": " + m.Why
			}
			return []string{m.URN, m.Name, m.Account, m.Evidence, cost, state, m.Due.UTC().Format("2006-01-02 15:04"), m.Saga}
		})
}

type cleanupKeepCommand struct {
	URN    string `arg:"" help:"The thing: do:volume:…"`
	Reason string `short:"r" required:"" placeholder:"WHY" help:"Why, for whoever wants to destroy it."`
}

// Run has a thing be kept.
func (c *cleanupKeepCommand) Run(ctx context.Context, r *runner) error {
	p, err := send(ctx, r, func(cl *client.Client) (client.Protection, error) { return cl.KeepResource(ctx, c.URN, c.Reason) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(p)
	}
	r.say("%s is kept: nothing of Arcadia's destroys it.", p.Subject)
	return nil
}

type cleanupUnkeepCommand struct {
	URN string `arg:"" help:"The thing: do:volume:…"`
	Yes bool   `short:"y" help:"Do not ask."`
}

// Run ends that.
func (c *cleanupUnkeepCommand) Run(ctx context.Context, r *runner) error {
	if err := r.confirm(c.Yes, "End the protection of %s?", c.URN); err != nil {
		return err
	}
	_, err := send(ctx, r, func(cl *client.Client) (struct{}, error) { return struct{}{}, cl.UnkeepResource(ctx, c.URN) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(map[string]any{"urn": c.URN, "kept": false})
	}
	r.say("%s is not kept any more. Nothing happens to it by that.", c.URN)
	return nil
}
