package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type tenantCommand struct {
	List      tenantListCommand      `cmd:"" help:"List tenants, and what is their own."`
	Show      tenantShowCommand      `cmd:"" help:"Show a tenant."`
	Add       tenantAddCommand       `cmd:"" help:"Add a tenant."`
	Change    tenantChangeCommand    `cmd:"" help:"Change a tenant's name or contact."`
	Suspend   tenantMoveCommand      `cmd:"" help:"Note that a tenant is not served for the time being."`
	Resume    tenantMoveCommand      `cmd:"" help:"Note that a suspended tenant is served again."`
	Close     tenantCloseCommand     `cmd:"" help:"Note that a tenant has left, for good."`
	Protect   tenantProtectCommand   `cmd:"" help:"Keep all stacks of a tenant from being destroyed."`
	Unprotect tenantUnprotectCommand `cmd:"" help:"End a tenant's protection."`
	Import    tenantImportCommand    `cmd:"" help:"Import tenants from CSV, or from the inventory's tags or projects."`
}

type tenantRef struct {
	Tenant string `arg:"" help:"The tenant's slug or id."`
}

type tenantListCommand struct {
	Search string `arg:"" optional:"" help:"Only those with this within slug, name or contact."`
	State  string `placeholder:"STATE" help:"Only active, suspended or closed ones."`
	Limit  int    `default:"100" help:"How many, 1 to 1000."`
	Cursor string `placeholder:"NEXT" help:"Where the page before ended."`
}

// Run lists tenants.
func (c *tenantListCommand) Run(ctx context.Context, r *runner) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usage{fmt.Errorf("--limit must be 1 to 1000, not %d", c.Limit)}
	}
	page, err := fetch(ctx, r, func(cl *client.Client) (client.TenantPage, error) {
		return cl.Tenants(ctx, client.TenantFilter{Search: c.Search, State: c.State, Limit: c.Limit, Cursor: c.Cursor})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(page)
	case len(page.Items) == 0 && c.Search+c.State+c.Cursor != "":
		r.say("There are no such tenants.")
		return nil
	case len(page.Items) == 0:
		r.say("There are no tenants yet. Add one with: arcadia tenant add SLUG, or many with: arcadia tenant import --from tags --dry-run")
		return nil
	}
	rows := [][]string{}
	for _, t := range page.Items {
		rows = append(rows, []string{t.Slug, t.Name, t.State, count(t.Estate.Resources), monthly(*t.Estate), orDash(t.Contact)})
	}
	if err := table(r.Out, "TENANT|NAME|STATE|RESOURCES|MONTHLY|CONTACT", rows); err != nil {
		return err
	}
	if page.Next != nil {
		r.say("\nThere are more: --cursor %s", *page.Next)
	}
	return nil
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// monthly is what is paid for an estate in a month, to the cent, and what is not in it.
func monthly(e client.Estate) string {
	text := e.Currency + " " + dollars(e.Monthly)
	if e.Unpriced > 0 && e.Unpriced == e.Resources {
		return "no price"
	}
	if e.Unpriced > 0 {
		text += fmt.Sprintf(" + %d without a price", e.Unpriced)
	}
	return text
}

type tenantShowCommand struct{ tenantRef }

// Run shows a tenant.
func (c *tenantShowCommand) Run(ctx context.Context, r *runner) error {
	t, err := fetch(ctx, r, func(cl *client.Client) (client.Tenant, error) { return cl.Tenant(ctx, c.Tenant) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(t)
	}
	r.showTenant(t)
	return nil
}

func (r *runner) showTenant(t client.Tenant) {
	p := penFor(r.Out)
	r.say("%s: %s, %s", t.Slug, t.Name, t.State)
	r.say("%s", p.in(wire.Dim, t.ID+" · since "+t.CreatedAt.UTC().Format("2006-01-02")))
	if t.Contact != "" {
		r.say("Contact: %s", t.Contact)
	}
	if t.Estate != nil {
		r.say("%d resources, %s a month.", t.Estate.Resources, monthly(*t.Estate))
	}
	if p := t.Protection; p != nil {
		r.say("Protected by %s since %s: %s", p.Actor, p.At.UTC().Format("2006-01-02 15:04 UTC"), orDash(p.Reason))
	}
}

// tell shows a tenant as a command answers.
func (r *runner) tell(t client.Tenant, err error) error {
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(t)
	}
	r.showTenant(t)
	return nil
}

type tenantProtectCommand struct {
	tenantRef
	Reason string `required:"" help:"Why, for whoever is stopped by it."`
}

// Run protects a tenant.
func (c *tenantProtectCommand) Run(ctx context.Context, r *runner) error {
	return r.tell(send(ctx, r, func(cl *client.Client) (client.Tenant, error) { return cl.ProtectTenant(ctx, c.Tenant, c.Reason) }))
}

type tenantUnprotectCommand struct {
	tenantRef
	Yes bool `short:"y" help:"Do not ask."`
}

// Run ends a tenant's protection.
func (c *tenantUnprotectCommand) Run(ctx context.Context, r *runner) error {
	if err := r.confirm(c.Yes, "End the protection of tenant %s?", c.Tenant); err != nil {
		return err
	}
	return r.tell(send(ctx, r, func(cl *client.Client) (client.Tenant, error) { return cl.UnprotectTenant(ctx, c.Tenant) }))
}

type tenantAddCommand struct {
	Slug    string `arg:"" help:"How tags, searches and commands name it: lower-case letters, digits and dashes. It never changes."`
	Name    string `help:"For people; left away: the slug."`
	Contact string `help:"Whom to write to."`
}

// Run adds a tenant.
func (c *tenantAddCommand) Run(ctx context.Context, r *runner) error {
	t, err := put(ctx, r, func(cl *client.Client) (client.Tenant, error) {
		return cl.AddTenant(ctx, client.TenantEntry{Slug: c.Slug, Name: c.Name, Contact: c.Contact})
	})
	if err != nil || r.json {
		return err
	}
	r.say("Tenant %s is there (%s), with %d resources. What carries the tag tenant:%s at DigitalOcean is its own.", t.Slug, t.ID, t.Estate.Resources, t.Slug)
	return nil
}

type tenantChangeCommand struct {
	tenantRef
	Name    *string `help:"Its name for people."`
	Contact *string `help:"Whom to write to; empty for nobody."`
}

// Run changes a tenant.
func (c *tenantChangeCommand) Run(ctx context.Context, r *runner) error {
	if c.Name == nil && c.Contact == nil {
		return usage{errors.New("nothing is to be different: give --name or --contact")}
	}
	t, err := put(ctx, r, func(cl *client.Client) (client.Tenant, error) {
		return cl.ChangeTenant(ctx, c.Tenant, client.TenantEdit{Name: c.Name, Contact: c.Contact})
	})
	if err == nil && !r.json {
		r.showTenant(t)
	}
	return err
}

type tenantMoveCommand struct{ tenantRef }

// Run does the verb that the command is named after.
func (c *tenantMoveCommand) Run(ctx context.Context, r *runner, k *kong.Context) error {
	t, err := put(ctx, r, func(cl *client.Client) (client.Tenant, error) {
		if k.Selected().Name == "suspend" {
			return cl.SuspendTenant(ctx, c.Tenant)
		}
		return cl.ResumeTenant(ctx, c.Tenant)
	})
	if err == nil && !r.json {
		r.say("Tenant %s is %s.", t.Slug, t.State)
	}
	return err
}

type tenantCloseCommand struct {
	tenantRef
	Force bool `help:"Also where resources are the tenant's: they stay its own."`
	Yes   bool `short:"y" help:"Do not ask."`
}

// Run closes a tenant, once somebody has said that it is meant.
func (c *tenantCloseCommand) Run(ctx context.Context, r *runner) error {
	if err := r.confirm(c.Yes, "Close tenant %s for good?", c.Tenant); err != nil {
		return err
	}
	t, err := put(ctx, r, func(cl *client.Client) (client.Tenant, error) { return cl.CloseTenant(ctx, c.Tenant, c.Force) })
	if err == nil && !r.json {
		r.say("Tenant %s is closed. Nothing was deleted at DigitalOcean: %d resources are its own.", t.Slug, t.Estate.Resources)
	}
	return err
}

// confirm asks a person whether something is meant. Where nobody can be asked it
// has to be said beforehand.
func (r *runner) confirm(yes bool, question string, args ...any) error {
	if yes {
		return nil
	}
	if !isTerminal(r.In) {
		return usage{errors.New("nobody is there to confirm it: say --yes if it is meant")}
	}
	fmt.Fprintf(r.Err, question+" [y/N] ", args...)
	answer, err := bufio.NewReader(r.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
		return fault.New(fault.Conflict, "It was not confirmed: nothing was changed.")
	}
	return nil
}

type tenantImportCommand struct {
	File   string `arg:"" optional:"" help:"A CSV file with the columns slug,name,contact, or - for standard input."`
	From   string `default:"csv" enum:"csv,tags,projects" help:"csv; tags: a tenant for each tag tenant:SLUG of the inventory; projects: one for each project, with a rule for what is in it."`
	DryRun bool   `short:"n" help:"Only show what would become of each row."`
}

// Run imports tenants.
func (c *tenantImportCommand) Run(ctx context.Context, r *runner) (err error) {
	ask := client.TenantImport{From: c.From, DryRun: c.DryRun}
	switch {
	case c.From == "csv" && c.File == "":
		return usage{errors.New("name a file with the columns slug,name,contact, or say --from tags or --from projects")}
	case c.From != "csv" && c.File != "":
		return usage{fmt.Errorf("--from %s reads the inventory and takes no file", c.From)}
	case c.File != "":
		text, err := r.readFile(c.File)
		if err != nil {
			return err
		}
		ask.CSV = string(text)
	}
	done, err := send(ctx, r, func(cl *client.Client) (client.TenantImported, error) { return cl.ImportTenants(ctx, ask) })
	if err != nil {
		return err
	}
	if r.json {
		err = r.print(done)
	} else {
		err = r.showImport(done)
	}
	if err == nil && done.Refused > 0 {
		err = exit(exitFailed)
	}
	return err
}

func (r *runner) showImport(done client.TenantImported) error {
	rows := [][]string{}
	for _, o := range done.Items {
		from := o.From
		if o.Line > 0 {
			from = fmt.Sprintf("line %d", o.Line)
		}
		rows = append(rows, []string{from, o.Slug, o.Action, orDash(o.Why)})
	}
	if len(rows) > 0 {
		if err := table(r.Out, "FROM|TENANT|ACTION|WHY", rows); err != nil {
			return err
		}
		r.say("")
	}
	sum := fmt.Sprintf("%d added, %d changed, %d unchanged, %d refused", done.Added, done.Changed, done.Unchanged, done.Refused)
	switch {
	case len(rows) == 0:
		r.say("There is nothing to import.")
	case done.Done:
		r.say("%s.", sum)
	case done.Refused > 0:
		r.say("Nothing was imported: %s. Correct what was refused.", sum)
	default:
		r.say("Nothing was imported; it would be: %s. Do it without --dry-run.", sum)
	}
	return nil
}
