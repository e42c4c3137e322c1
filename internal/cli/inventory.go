package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type inventoryCommand struct {
	Sync     inventorySyncCommand    `cmd:"" help:"List what an account has, now."`
	Status   inventoryStatusCommand  `cmd:"" help:"Say how old what is known of each kind is."`
	List     inventoryListCommand    `cmd:"" help:"Find resources: kind:droplet tenant:acme cost>20 changed<24h as-of:2026-11-01 …"`
	Show     inventoryShowCommand    `cmd:"" help:"Show a resource, as it is or as it was."`
	History  inventoryHistoryCommand `cmd:"" help:"Show what happened to a resource, and why."`
	Changes  inventoryChangesCommand `cmd:"" help:"Show what changed, the newest first."`
	Cost     inventoryCostCommand    `cmd:"" help:"Sum what resources cost, and compare it with DigitalOcean's invoice."`
	Graph    inventoryGraphCommand   `cmd:"" help:"Show how a resource stands to others."`
	Findings findingsCommand         `cmd:"" help:"Show what is worth a look, with what mends it."`
	Kinds    inventoryKindsCommand   `cmd:"" help:"List the kinds of resources."`

	Assign   assignCommand   `cmd:"" help:"Say whose resources are, whatever the rules say."`
	Unassign unassignCommand `cmd:"" help:"Let the rules decide again whose resources are."`
	Rules    rulesCommand    `cmd:"" help:"Keep the rules that say whose resources are."`
	Coverage coverageCommand `cmd:"" help:"Show of how much it is known whose it is."`
}

// An accountFlag says which account is meant.
type accountFlag struct {
	Account string `default:"default" placeholder:"NAME" help:"Our name for the account at DigitalOcean."`
}

// A urnRef names a resource.
type urnRef struct {
	URN string `arg:"" name:"urn" help:"The resource: do:droplet:3164494, or droplet:3164494."`
}

// AfterApply completes a short form.
func (u *urnRef) AfterApply() error {
	full, err := urnOf(u.URN)
	u.URN = full
	return err
}

// urnOf is a URN in full.
func urnOf(text string) (string, error) {
	rest := strings.TrimPrefix(text, "do:")
	kind, id, ok := strings.Cut(rest, ":")
	if !ok || id == "" || inventory.KindNamed(kind) == nil && rest == text { // an older version may have kept other kinds
		return "", fault.New(fault.Invalid, "%q names no resource: write it as droplet:3164494. The kinds are listed by: arcadia inventory kinds", text)
	}
	return "do:" + rest, nil
}

type inventorySyncCommand struct {
	accountFlag
	Kinds []string `arg:"" optional:"" help:"Only these kinds."`
	Wait  bool     `default:"true" negatable:"" help:"Wait until it is done. Without a server it always does."`
}

// Run syncs an account.
func (c *inventorySyncCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var run client.SyncRun
	err = s.write(ctx, func(cl *client.Client) (err error) {
		run, err = cl.StartSync(ctx, c.Account, c.Kinds...)
		return err
	})
	if err != nil {
		return err
	}
	if c.Wait || s.conn.Embedded {
		if run, err = s.followSync(ctx, run); err != nil {
			return err
		}
	}
	switch {
	case r.json:
		err = r.print(run)
	case !run.Over():
		r.say("The sync %s goes on without you. See how old what is known is with: arcadia inventory status", run.ID)
	default:
		_, err = fmt.Fprint(r.Out, syncText(penFor(r.Out), run))
	}
	if err == nil && run.Over() && run.State != "complete" {
		err = exit(exitFailed)
	}
	return err
}

// syncPoll is the time between two looks at a sync.
const syncPoll = 250 * time.Millisecond

// followSync shows how far a sync is until it ends.
func (s *session) followSync(ctx context.Context, run client.SyncRun) (client.SyncRun, error) {
	show := s.r.syncWatcher()
	defer show.end()
	for {
		show.run(run)
		if run.Over() {
			return run, nil
		}
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-time.After(syncPoll):
		}
		err := s.read(ctx, func(cl *client.Client) (err error) {
			run, err = cl.SyncRun(ctx, run.ID)
			return err
		})
		if err != nil {
			return run, err
		}
	}
}

// syncText is a sync as a table, with a sentence on how it went.
func syncText(p pen, run client.SyncRun) string {
	var b strings.Builder
	rows, calls, changed := [][]string{}, 0, 0
	for _, k := range run.Kinds {
		count := fmt.Sprint(k.Resources)
		switch {
		case k.State == "running" && k.Total > 0:
			count = fmt.Sprintf("%d of %d", k.Items, k.Total)
		case k.State != "complete" || k.Kind == inventory.ActionKind:
			count = "–"
		}
		calls += k.Requests
		changed += k.Created + k.Updated + k.Deleted
		note := ""
		if k.Error != nil {
			note = *k.Error
		}
		rows = append(rows, []string{
			k.Kind, wire.Words(k.State), count, signed("+", k.Created), signed("~", k.Updated), signed("-", k.Deleted), fmt.Sprint(k.Requests), note,
		})
	}
	if err := table(&b, "KIND|STATE|HAS|NEW|CHANGED|GONE|CALLS|", rows); err != nil {
		return ""
	}
	hue := map[string]wire.Hue{"complete": wire.Good, "partial": wire.Attention, "failed": wire.Bad}[run.State]
	fmt.Fprintf(&b, "\n%s: %s with %s to DigitalOcean, %s.\n",
		p.in(hue, "Sync "+wire.Words(run.State)), plural(len(run.Kinds), "kind"), plural(calls, "call"), plural(changed, "change"))
	if run.Error != nil {
		fmt.Fprintln(&b, *run.Error)
	}
	return b.String()
}

func signed(sign string, n int) string {
	if n == 0 {
		return "·"
	}
	return sign + fmt.Sprint(n)
}

type inventoryStatusCommand struct{ accountFlag }

// Run shows how old what is known is.
func (c *inventoryStatusCommand) Run(ctx context.Context, r *runner) error {
	fresh, err := fetch(ctx, r, func(cl *client.Client) ([]client.Freshness, error) { return cl.Freshness(ctx, c.Account) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.Freshness]{Items: append([]client.Freshness{}, fresh...)})
	case len(fresh) == 0:
		r.say("Nothing was listed yet. List it with: arcadia inventory sync")
		return nil
	}
	rows, now := [][]string{}, time.Now()
	for _, f := range fresh {
		has, note := "unknown", ""
		if f.Kind == inventory.ActionKind {
			has = "–"
		} else if f.Resources != nil {
			has = fmt.Sprint(*f.Resources)
		}
		if f.Error != nil {
			note = *f.Error
		}
		rows = append(rows, []string{f.Kind, wire.Words(f.State), has, ago(f.ListedAt, now), note})
	}
	return table(r.Out, "KIND|LAST TRY|HAS|WHOLE LIST|", rows)
}

type inventoryShowCommand struct {
	urnRef
	AsOf string `name:"as-of" placeholder:"TIME" help:"As it was then: 2026-11-01, or 2026-11-01T12:00:00Z."`
}

// Run shows a resource.
func (c *inventoryShowCommand) Run(ctx context.Context, r *runner) error {
	at, err := instant(c.AsOf)
	if err != nil {
		return err
	}
	found, err := fetch(ctx, r, func(cl *client.Client) (client.Resource, error) { return cl.Resource(ctx, c.URN, at) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(found)
	}
	return r.showResource(found)
}

// instant reads a day or a time; zero where there is none.
func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, usage{fmt.Errorf("%q is no time: write it as 2026-11-01 or 2026-11-01T12:00:00Z", text)}
}

func (r *runner) showResource(f client.Resource) error {
	whose, cost := "nobody", "unknown"
	if f.Tenant != nil {
		whose = *f.Tenant
	}
	if f.Attribution != nil {
		whose += fmt.Sprintf(" (%s: %s, %d %%)", f.Attribution.Rule, strings.TrimRight(f.Attribution.Evidence, "."), f.Attribution.Confidence)
	}
	if f.Cost != nil {
		cost = fmt.Sprintf("%s %s a month, %s this month so far", f.Cost.Currency, dollars(f.Cost.Monthly), dollars(f.Cost.MonthToDate))
	}
	made := "–"
	if f.ManagedBy != nil {
		made = "saga " + *f.ManagedBy
	}
	now := orDash(f.Status)
	switch {
	case f.DeletedAt != nil:
		now = "gone since " + f.DeletedAt.Format(time.RFC3339)
		if f.Ended != nil && f.Ended.By == inventory.Unobserved {
			now = "no longer observed since " + f.DeletedAt.Format(time.RFC3339) + ", when its account was removed"
		}
	case f.MissingSince != nil:
		now += ", missing from lists since " + f.MissingSince.Format(time.RFC3339)
	}
	rows := [][]string{
		{"Name", orDash(f.Name)}, {"State", now}, {"Region", orDash(f.Region)}, {"Size", orDash(f.Size)}, {"Tags", orDash(strings.Join(f.Tags, ", "))},
		{"Belongs to", whose}, {"Costs", cost}, {"Made by", made}, {"Account", f.Account},
		{"Version", fmt.Sprintf("%d, since %s", f.Version, f.LastChanged.Format(time.RFC3339))},
	}
	if err := table(r.Out, f.URN+"|", rows); err != nil {
		return err
	}
	r.say("\nWhat happened to it: arcadia inventory history %s\nThe whole document: add --json", strings.TrimPrefix(f.URN, "do:"))
	return nil
}

type inventoryHistoryCommand struct{ urnRef }

// Run shows what happened to a resource.
func (c *inventoryHistoryCommand) Run(ctx context.Context, r *runner) error {
	changes, err := fetch(ctx, r, func(cl *client.Client) ([]client.Change, error) { return cl.ResourceChanges(ctx, c.URN) })
	if err != nil {
		return err
	}
	return r.showChanges(changes, "Nothing is known to have happened to it.")
}

type inventoryChangesCommand struct {
	Kind  string `placeholder:"KIND" help:"Only of this kind."`
	Cause string `placeholder:"CAUSE" enum:",first_sight,saga,action,out_of_band,operator,rule" default:"" help:"Only with this cause: saga, action, out_of_band …"`
	Since string `placeholder:"TIME" help:"Only what was noticed then or later."`
	After int64  `placeholder:"SEQ" help:"The oldest first: what comes after this number of the feed."`
	Limit int    `default:"50" help:"How many, at most 1000."`
}

// Run shows the feed of changes.
func (c *inventoryChangesCommand) Run(ctx context.Context, r *runner) error {
	since, err := instant(c.Since)
	if err != nil {
		return err
	}
	var changes []client.Change
	err = r.once(ctx, func(cl *client.Client) (err error) {
		changes, err = cl.Changes(ctx, client.ChangeQuery{
			Kind: c.Kind, Cause: c.Cause, Since: since, After: c.After, Follow: c.After > 0, Limit: c.Limit,
		})
		return err
	})
	if err != nil {
		return err
	}
	return r.showChanges(changes, "Nothing changed. Is it up to date? See: arcadia inventory status")
}

func (r *runner) showChanges(changes []client.Change, none string) error {
	if r.json {
		return r.print(client.List[client.Change]{Items: append([]client.Change{}, changes...)})
	}
	if len(changes) == 0 {
		r.say("%s", none)
		return nil
	}
	rows := make([][]string, len(changes))
	for i, c := range changes {
		rows[i] = []string{fmt.Sprint(c.Seq), c.At.UTC().Format("2006-01-02 15:04:05"), wire.Words(c.Type), c.URN, c.Name, wire.CauseText(c.Cause), wire.FieldsText(c)}
	}
	return table(r.Out, "SEQ|WHEN (UTC)|WHAT|RESOURCE|NAME|WHY|", rows)
}

type inventoryKindsCommand struct{}

// Run lists the kinds.
func (c *inventoryKindsCommand) Run(_ context.Context, r *runner) error {
	type kind struct {
		Name  string `json:"name"`
		Title string `json:"title"`
		Tier  string `json:"tier"`
		Scope string `json:"scope"`
	}
	kinds := []kind{}
	rows := [][]string{}
	for _, k := range inventory.Kinds() {
		kinds = append(kinds, kind{k.Name, k.Title, string(k.Tier), k.Scope})
		rows = append(rows, []string{k.Name, k.Title, map[inventory.Tier]string{
			inventory.Hot: "every minute", inventory.Warm: "every 15 minutes", inventory.Daily: "once a day",
		}[k.Tier], k.Scope})
	}
	if r.json {
		return r.print(client.List[kind]{Items: kinds})
	}
	return table(r.Out, "KIND|WHAT IT IS|LISTED|SCOPE", rows)
}
