package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type blueprintCommand struct {
	List     blueprintListCommand     `cmd:"" help:"List blueprints."`
	Show     blueprintShowCommand     `cmd:"" help:"Print a blueprint."`
	Validate blueprintValidateCommand `cmd:"" help:"Tell all that is wrong with a blueprint, by line."`
	Add      blueprintAddCommand      `cmd:"" help:"Keep a blueprint, to make stacks from."`
	Schema   blueprintSchemaCommand   `cmd:"" help:"Print the JSON Schema of blueprints, for editors."`
}

type blueprintListCommand struct{}

// Run lists blueprints.
func (c *blueprintListCommand) Run(ctx context.Context, r *runner) error {
	page, err := fetch(ctx, r, func(cl *client.Client) (client.BlueprintPage, error) { return cl.Blueprints(ctx) })
	if err != nil {
		return err
	}
	if r.json {
		return r.print(page)
	}
	rows := [][]string{}
	for _, b := range page.Items {
		from := "added"
		if b.Shipped {
			from = "part of Arcadia"
		}
		used := "no"
		if b.Used {
			used = "yes"
		}
		rows = append(rows, []string{fmt.Sprintf("%s@%d", b.Name, b.Version), from, used, b.Description})
	}
	return table(r.Out, "BLUEPRINT|FROM|USED|DESCRIPTION", rows)
}

type blueprintShowCommand struct {
	Blueprint string `arg:"" help:"Name, the newest version, or name@version."`
}

// Run prints a blueprint.
func (c *blueprintShowCommand) Run(ctx context.Context, r *runner) error {
	b, err := fetch(ctx, r, func(cl *client.Client) (client.Blueprint, error) { return cl.Blueprint(ctx, c.Blueprint) })
	if err != nil {
		return err
	}
	if r.json {
		return r.print(b)
	}
	r.say("%s", strings.TrimSuffix(b.Source, "\n"))
	return nil
}

type blueprintValidateCommand struct {
	File string `arg:"" help:"The blueprint, YAML, or - for standard input."`
}

// Run checks a blueprint, here: no server is asked.
func (c *blueprintValidateCommand) Run(_ context.Context, r *runner) error {
	source, err := r.readFile(c.File)
	if err != nil {
		return err
	}
	bp, err := blueprint.Parse(c.File, source)
	if err != nil {
		return err
	}
	warnings := []string{}
	if bare := bp.Bare(); len(bare) > 0 {
		warnings = append(warnings, blueprint.BareWarning(bare))
	}
	if r.json {
		return r.print(map[string]any{"name": bp.Name, "version": bp.Version, "valid": true, "warnings": warnings})
	}
	for _, one := range warnings {
		r.say("Warning: %s", one)
	}
	r.say("%s@%d is in order. Keep it with: arcadia blueprint add %s", bp.Name, bp.Version, c.File)
	return nil
}

type blueprintAddCommand struct {
	File string `arg:"" help:"The blueprint, YAML, or - for standard input."`
}

// Run keeps a blueprint.
func (c *blueprintAddCommand) Run(ctx context.Context, r *runner) error {
	source, err := r.readFile(c.File)
	if err != nil {
		return err
	}
	b, err := send(ctx, r, func(cl *client.Client) (client.Blueprint, error) {
		return cl.AddBlueprint(ctx, client.BlueprintFile{Name: c.File, Source: string(source)})
	})
	if err != nil {
		return err
	}
	if r.json {
		return r.print(b)
	}
	r.say("%s@%d is kept. Plan a stack with: arcadia stack plan %s@%d --tenant TENANT --name NAME", b.Name, b.Version, b.Name, b.Version)
	return nil
}

type blueprintSchemaCommand struct{}

// Run prints the schema.
func (c *blueprintSchemaCommand) Run(_ context.Context, r *runner) error {
	r.say("%s", strings.TrimSuffix(string(blueprint.Schema()), "\n"))
	return nil
}

type stackCommand struct {
	Plan      stackPlanCommand      `cmd:"" help:"Work out what a new stack would take, and do nothing."`
	Adopt     stackAdoptCommand     `cmd:"" help:"Work out how what exists would become a stack, and do nothing."`
	Release   stackReleaseCommand   `cmd:"" help:"Work out what letting a stack go would take, and do nothing: what it has stays."`
	Resize    stackResizeCommand    `cmd:"" help:"Work out what another size of a droplet or a volume would take, and do nothing."`
	Rebuild   stackRebuildCommand   `cmd:"" help:"Work out what writing the disk of a droplet over would take, and do nothing."`
	Drift     stackDriftCommand     `cmd:"" help:"Compare stacks with the inventory: what is missing, extra or changed, and what that costs."`
	Repair    stackRepairCommand    `cmd:"" help:"Work out what bringing a stack back to what is expected would take, and do nothing."`
	Absorb    stackAbsorbCommand    `cmd:"" help:"Work out what a stack would come to expect of what is there by now, and do nothing."`
	Ignore    stackIgnoreCommand    `cmd:"" help:"Hear no more of a difference until a time."`
	Heed      stackHeedCommand      `cmd:"" help:"Hear of an ignored difference again."`
	Suspend   stackSuspendCommand   `cmd:"" help:"Work out what taking a stack out of service would take, and do nothing."`
	Resume    stackResumeCommand    `cmd:"" help:"Work out what putting a suspended stack back into service would take, and do nothing."`
	Teardown  stackTeardownCommand  `cmd:"" help:"Work out what destroying a stack would take, and do nothing."`
	Backup    stackBackupCommand    `cmd:"" help:"Work out what a backup would take, and do nothing."`
	Backups   stackBackupsCommand   `cmd:"" help:"List a stack's backups, the newest first."`
	Restore   stackRestoreCommand   `cmd:"" help:"Work out what going back to a backup would take, or a new stack of one, and do nothing."`
	Drill     stackDrillCommand     `cmd:"" help:"Work out what trying a restore out beside the stack would take, and do nothing."`
	Drills    stackDrillsCommand    `cmd:"" help:"List the restores that were tried out, the newest first."`
	Prune     stackPruneCommand     `cmd:"" help:"Work out which backups would be deleted, and do nothing."`
	Schedule  stackScheduleCommand  `cmd:"" help:"Have stacks be backed up by themselves."`
	Apply     stackApplyCommand     `cmd:"" help:"Do what a plan says."`
	List      stackListCommand      `cmd:"" help:"List stacks."`
	Show      stackShowCommand      `cmd:"" help:"Show a stack, and what it has."`
	Plans     stackPlansCommand     `cmd:"" help:"List plans, the newest first."`
	Protect   stackProtectCommand   `cmd:"" help:"Keep a stack from being destroyed."`
	Unprotect stackUnprotectCommand `cmd:"" help:"End a stack's protection."`
}

type stackRef struct {
	Stack string `arg:"" help:"The stack: its id, NAME or TENANT/NAME."`
}

type stackPlanCommand struct {
	Blueprint string            `arg:"" help:"The blueprint: name, the newest version, or name@version."`
	Tenant    string            `required:"" help:"Whose it is to be: slug or id."`
	Name      string            `required:"" help:"What it is to be called."`
	Account   string            `help:"The account at DigitalOcean that it is to be in."`
	Zone      string            `placeholder:"ZONE" help:"Of its schedules, like Europe/Berlin; UTC where it is left away."`
	Set       map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"A parameter's value; repeat it for more."`
	ReuseName bool              `help:"Take a name that is held since its stack was torn down."`
}

// Run plans a new stack.
func (c *stackPlanCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{
		Verb: "provision", Blueprint: c.Blueprint, Tenant: c.Tenant, Name: c.Name, Account: c.Account, Zone: c.Zone, Parameters: c.Set,
		Options: map[string]string{"reuse_name": strconv.FormatBool(c.ReuseName)},
	})
}

type stackTeardownCommand struct {
	stackRef
	NoFinalSnapshot bool   `help:"Make no final backup: the data are lost for good."`
	FinalDays       int    `default:"30" help:"For how many days the final backup is kept; 0: somebody has to delete it."`
	Grace           string `placeholder:"TIME" help:"How long to wait before anything is destroyed, like 24h or 0s; without it as ARCADIA_STACK_GRACE says, a day by default."`
	QuarantineDays  int    `default:"7" help:"For how many days the tenant gets no other stack of the name."`
	KeepAddresses   bool   `help:"Release reserved addresses only after these days."`
}

// Run plans the end of a stack.
func (c *stackTeardownCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "teardown", Stack: c.Stack, Options: map[string]string{
		"final_snapshot": strconv.FormatBool(!c.NoFinalSnapshot), "final_days": strconv.Itoa(c.FinalDays), "grace": c.Grace,
		"quarantine_days": strconv.Itoa(c.QuarantineDays), "keep_addresses": strconv.FormatBool(c.KeepAddresses),
	}})
}

func (r *runner) plan(ctx context.Context, o client.PlanOrder) error {
	p, err := send(ctx, r, func(cl *client.Client) (client.Plan, error) { return cl.MakePlan(ctx, o) })
	if err != nil {
		return inFlags(err)
	}
	if r.json {
		return r.print(p)
	}
	if err := r.showPlan(p); err != nil {
		return err
	}
	of := "stack"
	if p.Stack == "" {
		of = "cleanup"
	}
	r.say("\nNothing was done. Do it with: arcadia %s apply %s", of, p.ID)
	return nil
}

// inFlags has a refusal of a plan name options as the command line does.
func inFlags(err error) error {
	var p *client.Problem
	if !errors.As(err, &p) {
		return err
	}
	said := *p
	said.Detail = wire.NameOptions(p.Detail, func(option string) string { return "--" + strings.ReplaceAll(option, "_", "-") })
	return &said
}

// showPlan shows what a plan would do, and what that costs.
func (r *runner) showPlan(p client.Plan) error {
	if p.Stack == "" {
		r.say("%s: clean up account %s\n", p.ID, p.Account)
	} else {
		r.say("%s: %s stack %s of %s, in account %s\n", p.ID, p.Verb, p.Name, p.Tenant, p.Account)
	}
	rows := [][]string{}
	for _, c := range p.Changes {
		cost := "no price"
		if c.Monthly != nil {
			cost = dollars(*c.Monthly)
		}
		what := keyShown(c.Key, c.Name)
		if p.Stack == "" {
			what = c.URN // by which it is kept
		}
		rows = append(rows, []string{c.Action, what, c.Name, cost, orDash(c.Detail)})
	}
	if err := table(r.Out, "ACTION|WHAT|NAME|MONTHLY|DETAIL", rows); err != nil {
		return err
	}
	if p.Reason != "" {
		r.say("Why: %s", p.Reason)
	}
	calls := 0
	names := []string{}
	for _, s := range p.Steps {
		calls += len(s.Calls)
		if s.Pivot {
			names = append(names, s.Name+" (no way back from here)")
		} else {
			names = append(names, s.Name)
		}
	}
	r.say("\n%d steps, %d requests: %s", len(p.Steps), calls, strings.Join(names, ", "))
	r.say("At DigitalOcean: %s %s a month before, %s after", p.Currency, dollars(p.MonthlyBefore), dollars(p.MonthlyAfter))
	if len(p.Unpriced) > 0 {
		r.say("Without a price, and in neither: %s", strings.Join(p.Unpriced, ", "))
	}
	if p.Quote != nil {
		r.showQuote(*p.Quote)
	}
	for _, what := range slices.Sorted(maps.Keys(p.Room)) {
		r.say("In use: %s, %s", what, p.Room[what])
	}
	for _, w := range p.Warnings {
		r.say("Mind: %s", w)
	}
	return nil
}

// showQuote shows what a plan changes on the tenant's invoices.
func (r *runner) showQuote(q client.Quote) {
	if q.Nothing != "" {
		r.say("%s", q.Nothing)
	}
	for _, p := range q.Periods {
		r.say("On the invoice of %s from %s to %s (%s): %s net before, %s after", strings.Join(p.Plans, ", "), p.From, p.To, p.Subscription, quoted(p.Before), quoted(p.After))
	}
	for _, note := range q.Notes {
		r.say("  %s", note)
	}
}

func quoted(a client.Amount) string {
	return money.New(a.Amount, money.Currency(a.Currency)).String()
}

type stackApplyCommand struct {
	Plan string `arg:"" help:"The plan's id."`
	Yes  bool   `short:"y" help:"Do not ask."`
	Wait bool   `help:"Follow the saga until it rests."`
}

// Run does what a stack's plan says.
func (c *stackApplyCommand) Run(ctx context.Context, r *runner) error {
	return c.apply(ctx, r, func(p client.Plan) error {
		if p.Verb == cleanupVerb {
			return fault.New(fault.Invalid, "Plan %s is to clean up account %s, and nothing was done. Look at it with: arcadia cleanup apply %s", p.ID, p.Account, p.ID)
		}
		return nil
	})
}

// apply does what a plan says, once refuse finds nothing wrong with it.
func (c *stackApplyCommand) apply(ctx context.Context, r *runner, refuse func(client.Plan) error) (err error) {
	s, err := r.connect(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var p client.Plan
	if err := s.read(ctx, func(cl *client.Client) (err error) {
		p, err = cl.Plan(ctx, c.Plan)
		return err
	}); err != nil {
		return err
	}
	if err := refuse(p); err != nil {
		return err
	}
	if !c.Yes && !r.json {
		if err := r.showPlan(p); err != nil {
			return err
		}
	}
	question := fmt.Sprintf("%s stack %s of %s?", p.Verb, p.Name, p.Tenant)
	if p.Stack == "" {
		question = fmt.Sprintf("Mark %s of account %s to be deleted?", plural(len(p.Changes), "thing"), p.Account)
	}
	if slices.ContainsFunc(p.Changes, func(c client.PlanChange) bool { return c.Action == "destroy" }) {
		question = penFor(r.Err).in(wire.Bad, question)
	}
	if err := r.confirm(c.Yes, "%s", question); err != nil {
		return err
	}
	var applied client.PlanApplied
	if err := s.write(ctx, func(cl *client.Client) (err error) {
		applied, err = cl.ApplyPlan(ctx, c.Plan)
		return err
	}); err != nil {
		return inFlags(err)
	}
	if !c.Wait && !s.conn.Embedded {
		return r.accepted(applied.Saga)
	}
	return s.finish(ctx, applied.Saga.ID)
}

type stackListCommand struct {
	Tenant string `help:"Only this tenant's."`
	All    bool   `help:"Also those that are gone or never came to be."`
}

// Run lists stacks.
func (c *stackListCommand) Run(ctx context.Context, r *runner) error {
	page, err := fetch(ctx, r, func(cl *client.Client) (client.StackPage, error) { return cl.Stacks(ctx, c.Tenant, c.All) })
	if err != nil {
		return err
	}
	return listing(r, page, page.Items,
		"There are no stacks. Plan one with: arcadia stack plan minimal --tenant TENANT --name NAME",
		"STACK|STATE|BLUEPRINT|ACCOUNT|PROTECTED|DRIFT|LAST SAGA|ID", func(s client.Stack) []string {
			protected := "no"
			if len(s.Protected) > 0 {
				protected = "yes"
			}
			drift := "not known"
			if s.Drift != nil {
				drift = strconv.Itoa(*s.Drift)
			}
			return []string{s.Tenant + "/" + s.Name, s.State, s.Blueprint, s.Account, protected, drift, s.SagaState, s.ID}
		})
}

type stackShowCommand struct{ stackRef }

// Run shows a stack.
func (c *stackShowCommand) Run(ctx context.Context, r *runner) error {
	return r.showStack(fetch(ctx, r, func(cl *client.Client) (client.Stack, error) { return cl.Stack(ctx, c.Stack) }))
}

func (r *runner) showStack(s client.Stack, err error) error {
	if err != nil {
		return err
	}
	if r.json {
		return r.print(s)
	}
	state := s.State
	if s.Level > 0 {
		state += fmt.Sprintf(" at level %d", s.Level)
	}
	r.say("%s/%s  %s\n%s, from %s, in account %s\nLast saga: %s (%s)", s.Tenant, s.Name, s.ID, state, s.Blueprint, s.Account, s.Saga, s.SagaState)
	if s.Failure != "" {
		r.say("It was not made, and nothing of it is there: %s Its name is free.", s.Failure)
	}
	for _, p := range s.Protected {
		r.say("Protected (%s) by %s since %s: %s", p.Subject, p.Actor, p.At.UTC().Format("2006-01-02 15:04 UTC"), orDash(p.Reason))
	}
	if s.Drift != nil && *s.Drift > 0 {
		r.say("It differs from what is expected in %s: arcadia stack drift %s", plural(*s.Drift, "point"), s.ID)
	}
	if len(s.Resources) == 0 {
		return nil
	}
	r.say("")
	rows := [][]string{}
	for _, one := range s.Resources {
		rows = append(rows, []string{keyShown(one.Key, one.Name), one.Name, one.URN})
	}
	return table(r.Out, "WHAT|NAME|URN", rows)
}

// keyShown is the key of a resource beside its name, which that of a tag only repeats.
func keyShown(key, name string) string {
	if key == "tag."+name {
		return "tag"
	}
	return key
}

type stackPlansCommand struct {
	Stack string `arg:"" optional:"" help:"Only this stack's."`
}

// Run lists plans.
func (c *stackPlansCommand) Run(ctx context.Context, r *runner) error {
	page, err := fetch(ctx, r, func(cl *client.Client) (client.PlanPage, error) { return cl.Plans(ctx, c.Stack) })
	if err != nil {
		return err
	}
	return listing(r, page, page.Items, "There are no plans.", "PLAN|VERB|STACK|MADE|BY|SAGA", func(p client.Plan) []string {
		became := "not applied"
		if p.Saga != nil {
			became = *p.Saga
		}
		of := p.Tenant + "/" + p.Name
		if p.Stack == "" {
			of = "account " + p.Account
		}
		return []string{p.ID, p.Verb, of, p.CreatedAt.UTC().Format("2006-01-02 15:04"), p.Actor, became}
	})
}

type stackProtectCommand struct {
	stackRef
	Reason string `required:"" help:"Why, for whoever is stopped by it."`
}

// Run protects a stack.
func (c *stackProtectCommand) Run(ctx context.Context, r *runner) error {
	return r.showStack(send(ctx, r, func(cl *client.Client) (client.Stack, error) { return cl.Protect(ctx, c.Stack, c.Reason) }))
}

type stackUnprotectCommand struct {
	stackRef
	Yes bool `short:"y" help:"Do not ask."`
}

// Run ends a stack's protection.
func (c *stackUnprotectCommand) Run(ctx context.Context, r *runner) error {
	if err := r.confirm(c.Yes, "End the protection of stack %s?", c.Stack); err != nil {
		return err
	}
	return r.showStack(send(ctx, r, func(cl *client.Client) (client.Stack, error) { return cl.Unprotect(ctx, c.Stack) }))
}

type freezeCommand struct {
	Begin freezeBeginCommand `cmd:"" help:"Forbid every change at DigitalOcean, from the next request on."`
	End   freezeEndCommand   `cmd:"" help:"End a freeze: sagas go on."`
	List  freezeListCommand  `cmd:"" help:"List what is frozen."`
}

type freezeBeginCommand struct {
	Scope  string `arg:"" default:"all" help:"all, account:NAME or tenant:SLUG."`
	Reason string `required:"" help:"Why, for whoever finds it."`
}

// Run begins a freeze.
func (c *freezeBeginCommand) Run(ctx context.Context, r *runner) error {
	return r.showFreezes(send(ctx, r, func(cl *client.Client) (client.FreezePage, error) {
		return cl.Freeze(ctx, client.FreezeOrder{Scope: c.Scope, Reason: c.Reason})
	}))
}

type freezeEndCommand struct {
	Scope string `arg:"" default:"all" help:"all, account:NAME or tenant:SLUG."`
}

// Run ends a freeze.
func (c *freezeEndCommand) Run(ctx context.Context, r *runner) error {
	return r.showFreezes(send(ctx, r, func(cl *client.Client) (client.FreezePage, error) { return cl.Thaw(ctx, c.Scope) }))
}

type freezeListCommand struct{}

// Run lists freezes.
func (c *freezeListCommand) Run(ctx context.Context, r *runner) error {
	return r.showFreezes(fetch(ctx, r, func(cl *client.Client) (client.FreezePage, error) { return cl.Freezes(ctx) }))
}

func (r *runner) showFreezes(page client.FreezePage, err error) error {
	if err != nil {
		return err
	}
	return listing(r, page, page.Items, "Nothing is frozen.", "FROZEN|BY|SINCE|WHY", func(f client.Freeze) []string {
		return []string{f.Named, f.Actor, f.At.UTC().Format("2006-01-02 15:04 UTC"), f.Reason}
	})
}
