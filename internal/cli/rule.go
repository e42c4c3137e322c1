package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/arcadia-cloud/arcadia/client"
)

type rulesCommand struct {
	List   rulesListCommand   `cmd:"" default:"1" help:"List the rules that say whose resources are."`
	Add    rulesAddCommand    `cmd:"" help:"Add a rule; --dry-run shows what it would move."`
	Remove rulesRemoveCommand `cmd:"" help:"Remove a rule; --dry-run shows what that would move."`
}

type rulesListCommand struct{}

// Run lists rules.
func (c *rulesListCommand) Run(ctx context.Context, r *runner) error {
	rules, err := fetch(ctx, r, func(cl *client.Client) ([]client.Rule, error) { return cl.Rules(ctx) })
	if err != nil {
		return err
	}
	return listing(r, client.List[client.Rule]{Items: append([]client.Rule{}, rules...)}, rules,
		"There are no rules. Tags tenant:SLUG need none; add one with: arcadia inventory rules add name 'acme-*' acme --dry-run",
		"RULE|TYPE|PATTERN|TENANT|ADDED BY|ON", func(one client.Rule) []string {
			return []string{one.ID, one.Type, one.Pattern, one.Tenant, one.Actor, one.At.UTC().Format("2006-01-02")}
		})
}

type rulesAddCommand struct {
	Type    string `arg:"" enum:"tag,project,name" help:"What is matched: tag, project or name."`
	Pattern string `arg:"" help:"A tag, the id or name of a project, or a name; * is any characters, ? is one."`
	Tenant  string `arg:"" help:"Whose it is then: slug or id."`
	DryRun  bool   `short:"n" help:"Only show what would move."`
}

// Run adds a rule.
func (c *rulesAddCommand) Run(ctx context.Context, r *runner) error {
	return r.changeRules(ctx, func(cl *client.Client) (client.RuleChange, error) {
		return cl.AddRule(ctx, client.NewRule{Type: c.Type, Pattern: c.Pattern, Tenant: c.Tenant, DryRun: c.DryRun})
	})
}

type rulesRemoveCommand struct {
	Rule   string `arg:"" help:"The rule's id."`
	DryRun bool   `short:"n" help:"Only show what would move."`
}

// Run removes a rule.
func (c *rulesRemoveCommand) Run(ctx context.Context, r *runner) error {
	return r.changeRules(ctx, func(cl *client.Client) (client.RuleChange, error) { return cl.RemoveRule(ctx, c.Rule, c.DryRun) })
}

// changeRules changes the rules and shows what moved, or would.
func (r *runner) changeRules(ctx context.Context, ask func(*client.Client) (client.RuleChange, error)) (err error) {
	change, err := send(ctx, r, ask)
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(change)
	}
	if err := r.showMoves(change.Moved); err != nil {
		return err
	}
	verb := "would change"
	if change.Done {
		verb = "changed"
	}
	r.say("%s %s hands.", resources(len(change.Moved)), verb)
	return nil
}

// showMoves shows what moves, the first of it.
func (r *runner) showMoves(moves []client.Move) error {
	if len(moves) == 0 {
		return nil
	}
	rows := [][]string{}
	for _, m := range moves[:min(len(moves), maxShown)] {
		rows = append(rows, []string{m.URN, orDash(m.Name), deref(m.Former) + " → " + deref(m.Tenant), m.Evidence})
	}
	if err := table(r.Out, "RESOURCE|NAME|WHOSE|WHY", rows); err != nil {
		return err
	}
	if more := len(moves) - len(rows); more > 0 {
		r.say("… and %d more (--json lists all)", more)
	}
	r.say("")
	return nil
}

// maxShown is how many moves a person is shown.
const maxShown = 50

func resources(n int) string {
	if n == 1 {
		return "1 resource"
	}
	return fmt.Sprintf("%d resources", n)
}

type assignCommand struct {
	Tenant string   `arg:"" help:"Whose they are from now on: slug or id, or none for nobody's."`
	URNs   []string `arg:"" optional:"" name:"urn" help:"The resources: do:droplet:3164494, or droplet:3164494."`
	Query  string   `short:"q" placeholder:"QUERY" help:"Instead: all that a search finds, as in inventory list."`
	Reason string   `short:"r" placeholder:"WHY" help:"Why; it is kept beside."`
	DryRun bool     `help:"Only say what would move."`
}

// Run says whose resources are.
func (c *assignCommand) Run(ctx context.Context, r *runner) error {
	as := client.Assignments{Assignment: client.Assignment{Tenant: &c.Tenant, Reason: c.Reason}, DryRun: c.DryRun}
	if c.Tenant == "none" {
		as.Tenant = nil
	}
	return r.assignAll(ctx, as, c.URNs, c.Query, "That holds, whatever the rules say, until: arcadia inventory unassign")
}

// urnsOf are URNs in full.
func urnsOf(texts []string) ([]string, error) {
	urns := make([]string, len(texts))
	for i, text := range texts {
		full, err := urnOf(text)
		if err != nil {
			return nil, err
		}
		urns[i] = full
	}
	return urns, nil
}

type unassignCommand struct {
	URNs   []string `arg:"" optional:"" name:"urn" help:"The resources: do:droplet:3164494, or droplet:3164494."`
	Query  string   `short:"q" placeholder:"QUERY" help:"Instead: all that a search finds, as in inventory list."`
	DryRun bool     `help:"Only say what would move."`
}

// Run lets the rules decide again.
func (c *unassignCommand) Run(ctx context.Context, r *runner) error {
	return r.assignAll(ctx, client.Assignments{Unassign: true, DryRun: c.DryRun}, c.URNs, c.Query, "The rules decide again.")
}

// assignAll says something of the resources that are named, or else found.
func (r *runner) assignAll(ctx context.Context, as client.Assignments, urns []string, query, then string) (err error) {
	if (len(urns) > 0) == (query != "") {
		return usage{errors.New("say which resources are meant: name them, or search for them with --query")}
	}
	if as.URNs, err = urnsOf(urns); err != nil {
		return err
	}
	as.Query = query
	did, err := send(ctx, r, func(cl *client.Client) (client.Assigned, error) { return cl.AssignAll(ctx, as) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(did)
	case as.DryRun:
		if err := r.showMoves(did.Moves); err != nil {
			return err
		}
		r.say("It is about %s; %s would change hands, counting what hangs on others.", resources(did.Found), resources(did.Moved))
		return nil
	}
	r.say("%s changed hands, counting what hangs on others. %s", resources(did.Moved), then)
	return nil
}

type coverageCommand struct {
	Account string `placeholder:"NAME" help:"Only this account."`
}

// Run shows of how much it is known whose it is.
func (c *coverageCommand) Run(ctx context.Context, r *runner) error {
	v, err := fetch(ctx, r, func(cl *client.Client) (client.Coverage, error) { return cl.Coverage(ctx, c.Account) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(v)
	case v.All.Resources == 0:
		r.say("The inventory is empty. Fill it with: arcadia inventory sync")
		return nil
	}
	rows := [][]string{}
	for _, by := range v.By {
		rule := by.Rule
		switch {
		case rule == "":
			rule = "undecided"
		case by.Nobody:
			rule += ": nobody's"
		}
		rows = append(rows, []string{rule, count(by.Resources), monthly(by.Estate)})
	}
	if err := table(r.Out, "BY|RESOURCES|MONTHLY", append(rows, []string{"all", count(v.All.Resources), monthly(v.All)})); err != nil {
		return err
	}
	r.say("\nIt is known of %s %% of the resources and %s %% of the money whose they are.", v.ResourcesPercent, v.MoneyPercent)
	return nil
}
