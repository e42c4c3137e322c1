package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

type usageMetersCommand struct {
	List   metersListCommand   `cmd:"" default:"1" help:"List the meters."`
	Apply  metersApplyCommand  `cmd:"" help:"Add the meters of a file, and change those that have not counted; --dry-run shows what would be."`
	Remove metersRemoveCommand `cmd:"" help:"Remove a meter that has not counted."`
}

type metersListCommand struct{}

// Run lists meters.
func (c *metersListCommand) Run(ctx context.Context, r *runner) error {
	meters, err := fetch(ctx, r, func(cl *client.Client) ([]client.Meter, error) { return cl.Meters(ctx) })
	if err != nil {
		return err
	}
	return listing(r, client.List[client.Meter]{Items: append([]client.Meter{}, meters...)}, meters,
		"There are no meters, so no usage is counted. Add some with: arcadia usage meters apply FILE",
		"METER|EVENTS|AGGREGATE|VALUE|BY|ONLY", meterRow)
}

func meterRow(m client.Meter) []string {
	var only []string
	for _, key := range slices.Sorted(maps.Keys(m.Filter)) {
		only = append(only, key+"="+strings.Join(m.Filter[key], "|"))
	}
	return []string{m.ID, m.EventType, m.Aggregate, orDash(m.Value), orDash(strings.Join(m.GroupBy, ", ")), orDash(strings.Join(only, ", "))}
}

type metersApplyCommand struct {
	File   string `arg:"" help:"YAML or JSON: a list of meters, or a catalog with one; - for standard input."`
	DryRun bool   `short:"n" help:"Only show what would become of each meter."`
}

// Run applies meters.
func (c *metersApplyCommand) Run(ctx context.Context, r *runner) (err error) {
	text, err := r.readFile(c.File)
	if err != nil {
		return err
	}
	outcomes, err := send(ctx, r, func(cl *client.Client) ([]client.MeterOutcome, error) {
		return cl.ApplyMeters(ctx, client.MeterFile{Name: c.File, Document: string(text), DryRun: c.DryRun})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.MeterOutcome]{Items: outcomes})
	}
	rows := [][]string{}
	for _, o := range outcomes {
		rows = append(rows, append([]string{o.Action}, meterRow(o.Meter)...))
	}
	if err := table(r.Out, "ACTION|METER|EVENTS|AGGREGATE|VALUE|BY|ONLY", rows); err != nil {
		return err
	}
	if c.DryRun {
		r.say("\nNothing was changed. Do it without --dry-run.")
	}
	return nil
}

type metersRemoveCommand struct {
	Meter string `arg:"" help:"The meter's id."`
}

// Run removes a meter.
func (c *metersRemoveCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.write(ctx, func(cl *client.Client) error { return cl.RemoveMeter(ctx, c.Meter) })
	if err == nil && !r.json {
		r.say("Meter %s is removed.", c.Meter)
	}
	return err
}

type usageTotalsCommand struct {
	Meter  string `arg:"" help:"The meter's id."`
	Tenant string `required:"" help:"Whose usage: slug or id."`
	From   string `placeholder:"TIME" help:"From then on: a date, or a time of RFC 3339; left away: this month."`
	To     string `placeholder:"TIME" help:"Before then; left away: now."`
	Zone   string `default:"UTC" help:"Where dates and months begin, as Europe/Berlin."`
}

// Run says what a meter comes to.
func (c *usageTotalsCommand) Run(ctx context.Context, r *runner) error {
	from, to, err := times(c.From, c.To, c.Zone)
	if err != nil {
		return err
	}
	if to.IsZero() {
		to = time.Now()
	}
	if from.IsZero() {
		zone, err := time.LoadLocation(c.Zone)
		if err != nil {
			return err
		}
		year, month, _ := to.Add(-1).In(zone).Date()
		from = time.Date(year, month, 1, 0, 0, 0, 0, zone)
	}
	if !to.After(from) {
		return usage{fmt.Errorf("--from %s is not before now", c.From)}
	}
	t, err := fetch(ctx, r, func(cl *client.Client) (client.UsageTotals, error) {
		return cl.UsageTotals(ctx, c.Meter, c.Tenant, from, to)
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(t)
	}
	r.say("%s of %s, from %s to %s", t.Meter, t.Tenant, t.From.UTC().Format(time.RFC3339), t.To.UTC().Format(time.RFC3339))
	if len(t.Items) == 0 {
		r.say("There was no usage.")
		return nil
	}
	rows := [][]string{}
	for _, item := range t.Items {
		var group []string
		for _, key := range slices.Sorted(maps.Keys(item.Group)) {
			group = append(group, key+"="+item.Group[key])
		}
		rows = append(rows, []string{orDash(strings.Join(group, ", ")), item.Quantity, count(item.Events)})
	}
	return table(r.Out, "GROUP|QUANTITY|EVENTS", rows)
}

type usageUnmeteredCommand struct{}

// Run sums up what is in no meter.
func (c *usageUnmeteredCommand) Run(ctx context.Context, r *runner) error {
	all, err := fetch(ctx, r, func(cl *client.Client) ([]client.UnmeteredUsage, error) { return cl.UnmeteredUsage(ctx) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.UnmeteredUsage]{Items: append([]client.UnmeteredUsage{}, all...)})
	case len(all) == 0:
		r.say("Every event that was accepted is counted by a meter.")
		return nil
	}
	rows := [][]string{}
	for _, u := range all {
		rows = append(rows, []string{
			u.Type, u.Tenant, count(u.Unmetered), count(u.Unreadable), count(u.Events), u.From.UTC().Format(time.DateTime), u.To.UTC().Format(time.DateTime),
		})
	}
	if err := table(r.Out, "TYPE|TENANT|IN NO METER|UNREADABLE|OF EVENTS|FROM|TO", rows); err != nil {
		return err
	}
	r.say("\nThese events were accepted and cost nobody anything. A meter that is added counts them too: arcadia usage meters apply FILE")
	return nil
}

type usageRebuildCommand struct{}

// Run rolls usage up again.
func (c *usageRebuildCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var done client.UsageRebuild
	err = s.read(ctx, func(cl *client.Client) (err error) { // done twice it is the same
		done, err = cl.RebuildUsage(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if r.json {
		return r.print(done)
	}
	r.say("%s of usage rolled up again from the events.", plural(done.Hours, "hour"))
	return nil
}
