package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackDriftCommand struct {
	Stack string `arg:"" optional:"" help:"The stack: its id, NAME or TENANT/NAME; all where it is left away."`
}

// Run compares stacks with the inventory.
func (c *stackDriftCommand) Run(ctx context.Context, r *runner) error {
	if c.Stack == "" {
		return c.all(ctx, r)
	}
	d, err := fetch(ctx, r, func(cl *client.Client) (client.Drift, error) { return cl.Drift(ctx, c.Stack) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(d)
	}
	for _, why := range d.Unknown {
		r.say("Not known: %s", why)
	}
	for _, one := range d.Differences {
		r.showDifference(one)
	}
	switch {
	case len(d.Differences) == 0 && len(d.Unknown) == 0:
		r.say("%s/%s is as it is expected, as of %s.", d.Tenant, d.Name, d.AsOf.UTC().Format("2006-01-02 15:04 UTC"))
	case d.Heard > 0:
		r.say("%s: %s %s a month%s.", plural(d.Heard, "difference"), d.Currency, added(d.Monthly), withoutPrice(d.Unpriced))
		r.say("Plan what to do with: arcadia stack repair %s, or arcadia stack absorb %s --reason WHY", c.Stack, c.Stack)
	}
	return nil
}

func (r *runner) showDifference(d client.Difference) {
	what := d.What
	if d.What == "changed" {
		what = fmt.Sprintf("%s is %s, expected %s", d.Field, orDash(d.Is), orDash(d.Expected))
	}
	about := d.Key
	if about == "" {
		about = d.Name + " " + d.URN
	}
	cost := "no price"
	if d.Monthly != nil {
		cost = added(*d.Monthly) + " a month"
	}
	r.say("%s: %s · %s · %s", about, what, cost, d.ID)
	if d.Repair != "" {
		r.say("  Repair: %s.", d.Repair)
	} else {
		r.say("  No repair: %s", d.RepairNot)
	}
	if d.AbsorbNot != "" {
		r.say("  Not absorbed: %s", d.AbsorbNot)
	}
	if g := d.Ignored; g != nil {
		r.say("  Ignored until %s by %s: %s", g.Until.UTC().Format("2006-01-02 15:04 UTC"), g.Actor, g.Reason)
	}
}

// added is an amount in dollars with its sign.
func added(amount string) string {
	if strings.HasPrefix(amount, "-") {
		return dollars(amount)
	}
	return "+" + dollars(amount)
}

func withoutPrice(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d without a price", n)
}

func (c *stackDriftCommand) all(ctx context.Context, r *runner) error {
	all, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Drift], error) { return cl.Drifts(ctx) })
	if err != nil {
		return err
	}
	return listing(r, all, all.Items, "There are no stacks. Plan one with: arcadia stack plan minimal --tenant TENANT --name NAME",
		"STACK|DIFFERENCES|IGNORED|A MONTH|ID", func(d client.Drift) []string {
			count := fmt.Sprint(d.Heard)
			if len(d.Unknown) > 0 {
				count += ", not all known"
			}
			return []string{d.Tenant + "/" + d.Name, count, fmt.Sprint(len(d.Differences) - d.Heard), added(d.Monthly) + withoutPrice(d.Unpriced), d.Stack}
		})
}

type stackRepairCommand struct {
	stackRef
	Only      []string `placeholder:"KEY" help:"Only these resources or differences: droplet.web, drift_…; repeat it for more."`
	SkipProbe bool     `help:"Do not ask the stack's health probes."`
}

// Run plans a repair.
func (c *stackRepairCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "repair", Stack: c.Stack, Options: map[string]string{
		"only": strings.Join(c.Only, ","), "skip_probe": strconv.FormatBool(c.SkipProbe),
	}})
}

type stackAbsorbCommand struct {
	stackRef
	Only   []string `placeholder:"KEY" help:"Only these resources or differences: droplet.web, drift_…; repeat it for more."`
	Reason string   `short:"r" required:"" placeholder:"WHY" help:"Why it is right as it is."`
}

// Run plans to have a stack expect what is there.
func (c *stackAbsorbCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "absorb", Stack: c.Stack, Options: map[string]string{"only": strings.Join(c.Only, ","), "reason": c.Reason}})
}

type stackIgnoreCommand struct {
	stackRef
	Difference string `arg:"" help:"The difference's id: drift_…"`
	Until      string `required:"" placeholder:"TIME" help:"When it is heard of again: 2026-12-01, or 2026-12-01T12:00:00Z."`
	Reason     string `short:"r" required:"" placeholder:"WHY" help:"Why nobody has to hear of it until then."`
}

// Run has a difference not be heard of.
func (c *stackIgnoreCommand) Run(ctx context.Context, r *runner) error {
	until, err := instant(c.Until)
	if err != nil {
		return err
	}
	return r.changedDifference(send(ctx, r, func(cl *client.Client) (client.Difference, error) {
		return cl.IgnoreDrift(ctx, c.Stack, c.Difference, client.NewIgnore{Until: client.Time{Time: until}, Reason: c.Reason})
	}))
}

type stackHeedCommand struct {
	stackRef
	Difference string `arg:"" help:"The difference's id: drift_…"`
}

// Run has it be heard of again.
func (c *stackHeedCommand) Run(ctx context.Context, r *runner) error {
	return r.changedDifference(send(ctx, r, func(cl *client.Client) (client.Difference, error) { return cl.HearDrift(ctx, c.Stack, c.Difference) }))
}

func (r *runner) changedDifference(d client.Difference, err error) error {
	if err != nil {
		return err
	}
	if r.json {
		return r.print(d)
	}
	r.showDifference(d)
	return nil
}
