package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type catalogCommand struct {
	Apply catalogApplyCommand `cmd:"" help:"Make a catalog what a file says; the difference is shown first."`
	Diff  catalogDiffCommand  `cmd:"" help:"Show what applying a file would change."`
	List  catalogListCommand  `cmd:"" help:"List the catalogs: one for each currency."`
	Show  catalogShowCommand  `cmd:"" help:"Show a catalog, or one plan, meter, tax or coupon of it."`
}

type catalogFile struct {
	File string `arg:"" help:"Plans, meters, taxes and coupons: YAML or JSON; - is standard input."`
}

func (c catalogFile) read(r *runner) (client.CatalogFile, error) {
	text, err := r.readFile(c.File)
	return client.CatalogFile{Name: c.File, Document: string(text)}, err
}

type catalogApplyCommand struct {
	catalogFile
	DryRun bool `short:"n" help:"Only show the difference."`
	Yes    bool `short:"y" help:"Do not ask."`
}

// Run shows the difference, asks, and applies what was shown.
func (c *catalogApplyCommand) Run(ctx context.Context, r *runner) (err error) {
	f, err := c.read(r)
	if err != nil {
		return err
	}
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	shown, err := r.catalogDiff(ctx, s, f, c.DryRun)
	if err != nil || c.DryRun {
		return err
	}
	if catalogCount(shown, "unchanged") == len(shown.Changes) && len(shown.Counting) == 0 {
		if r.json {
			return r.print(shown)
		}
		return nil // it was said
	}
	if err := r.confirm(c.Yes, "Apply this to the catalog in %s?", shown.Currency); err != nil {
		return err
	}
	f.Expect = shown.Fingerprint
	var done client.CatalogApplied
	err = s.write(ctx, func(cl *client.Client) (err error) {
		done, err = cl.ApplyCatalog(ctx, f)
		return err
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(done)
	}
	r.say("The catalog in %s is as %s says.", done.Currency, c.File)
	return nil
}

type catalogDiffCommand struct{ catalogFile }

// Run shows the difference.
func (c *catalogDiffCommand) Run(ctx context.Context, r *runner) (err error) {
	f, err := c.read(r)
	if err != nil {
		return err
	}
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	_, err = r.catalogDiff(ctx, s, f, true)
	return err
}

// catalogDiff asks what a file would change and shows it; for programs only where it
// is all that is asked for, or something is refused.
func (r *runner) catalogDiff(ctx context.Context, s *session, f client.CatalogFile, only bool) (shown client.CatalogApplied, err error) {
	f.DryRun = true
	err = s.read(ctx, func(cl *client.Client) (err error) {
		shown, err = cl.ApplyCatalog(ctx, f)
		return err
	})
	if err != nil {
		return shown, err
	}
	refused := catalogCount(shown, "refused") > 0
	switch {
	case r.json && (only || refused):
		err = r.print(shown)
	case !r.json:
		r.showCatalogDiff(shown)
	}
	if err == nil && refused {
		err = exit(exitFailed)
	}
	return shown, err
}

func catalogCount(a client.CatalogApplied, action string) (n int) {
	for _, c := range a.Changes {
		if c.Action == action {
			n++
		}
	}
	return n
}

var catalogMarks = map[string]struct {
	mark string
	hue  wire.Hue
}{
	"added": {"+", wire.Good}, "restored": {"+", wire.Good}, "changed": {"~", wire.Attention}, "removed": {"-", wire.Attention},
	"withdrawn": {"-", wire.Attention}, "refused": {"!", wire.Bad},
}

func (r *runner) showCatalogDiff(a client.CatalogApplied) {
	p := penFor(r.Out)
	for _, c := range a.Changes {
		m, ok := catalogMarks[c.Action]
		if !ok {
			continue
		}
		if c.ID == "" { // of the catalog as a whole
			r.say("%s %s", p.in(m.hue, m.mark), c.Why)
			continue
		}
		r.say("%s %s %s: %s", p.in(m.hue, m.mark), c.Kind, entryRef(c.ID, c.Version), c.Action)
		for _, f := range c.Fields {
			r.say("    %s: %s → %s", f.Field, orDash(f.Before), orDash(f.After))
		}
		if c.Why != "" {
			r.say("    %s", c.Why)
		}
	}
	for _, o := range a.Counting {
		m := catalogMarks[o.Action]
		how := "usage is counted by it, what was accepted before too"
		if o.Action == "changed" {
			how = "usage is counted again by what it is now"
		}
		r.say("%s meter %s: %s", p.in(m.hue, m.mark), o.Meter.ID, how)
	}
	var counts []string
	for _, action := range []string{"added", "changed", "restored", "withdrawn", "removed", "refused", "unchanged"} {
		if n := catalogCount(a, action); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, action))
		}
	}
	r.say("Catalog in %s: %s.", a.Currency, strings.Join(counts, ", "))
	if catalogCount(a, "refused") > 0 {
		r.say("Nothing was changed. Correct what is refused.")
	}
}

func entryRef(id string, version *string) string {
	if version == nil {
		return id
	}
	return id + "@" + *version
}

type catalogListCommand struct{}

// Run lists the catalogs.
func (*catalogListCommand) Run(ctx context.Context, r *runner) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.CatalogOverview], error) { return cl.Catalogs(ctx) })
	if err != nil {
		return err
	}
	return listing(r, list, list.Items,
		"There is no catalog yet. Make one with: arcadia catalog apply FILE",
		"CURRENCY|PLANS|METERS|TAXES|COUPONS|USED|WITHDRAWN|LAST ADDED|BY", func(c client.CatalogOverview) []string {
			return []string{c.Currency, count(int64(c.Plans)), count(int64(c.Meters)), count(int64(c.Taxes)), count(int64(c.Coupons)),
				count(int64(c.Used)), count(int64(c.Withdrawn)), c.LastAddedAt.UTC().Format("2006-01-02 15:04"), c.LastAddedBy}
		})
}

type catalogShowCommand struct {
	Entry    string `arg:"" optional:"" help:"A plan as id@version, or the id of a plan, meter, tax or coupon; left away: all."`
	Currency string `placeholder:"CODE" help:"Of the catalog; needed where there are several."`
}

// Run shows a catalog, as a file that can be applied.
func (c *catalogShowCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	currency, err := r.oneCatalog(ctx, s, c.Currency)
	if err != nil {
		return err
	}
	var catalog client.Catalog
	err = s.read(ctx, func(cl *client.Client) (err error) {
		catalog, err = cl.Catalog(ctx, currency)
		return err
	})
	switch {
	case err != nil:
		return err
	case c.Entry != "":
		return r.showEntries(catalog, c.Entry)
	case r.json:
		return r.print(catalog)
	}
	text, err := yaml.JSONToYAML(catalog.Document)
	if err != nil {
		return err
	}
	_, err = r.Out.Write(text)
	for _, e := range catalog.Entries {
		ref := entryRef(e.ID, e.Version)
		if !e.Offered {
			r.say("# withdrawn: %s %s", e.Kind, ref)
		}
		if len(e.Holdings) > 0 {
			r.say("# %s: %d subscribed; who: arcadia catalog show %s --currency %s", ref, len(e.Holdings), ref, catalog.Currency)
		}
	}
	return err
}

// showHoldings shows who has a version of a plan, as comments of a file, and how to give
// them the newest one.
func (r *runner) showHoldings(catalog client.Catalog, plan client.CatalogEntry) error {
	if len(plan.Holdings) == 0 {
		r.say("# Nobody has it.")
		return nil
	}
	rows := [][]string{}
	for _, h := range plan.Holdings {
		from, then := "now", "–"
		if h.From != nil {
			from = period.DayIn(h.From.Time, h.Zone)
		}
		if h.Until != nil {
			then = "nothing from " + period.DayIn(h.Until.Time, h.Zone)
			if h.Next != nil {
				then = *h.Next + " from " + period.DayIn(h.Until.Time, h.Zone)
			}
		}
		rows = append(rows, []string{"# " + h.Tenant, h.Subscription, h.Item, h.Quantity, from, then})
	}
	if err := table(r.Out, "# TENANT|SUBSCRIPTION|ITEM|QUANTITY|HAS IT|THEN", rows); err != nil {
		return err
	}
	if newest := newestOf(catalog, plan); newest != "" {
		r.say("# What giving them %s comes to: arcadia subscription migrate --from %s --to %s --currency %s --dry-run", newest, entryRef(plan.ID, plan.Version), newest, catalog.Currency)
	}
	return nil
}

// newestOf is the last version of a plan that is offered; empty where it is that itself.
func newestOf(catalog client.Catalog, plan client.CatalogEntry) (newest string) {
	for _, e := range catalog.Entries {
		if e.Kind == "plan" && e.ID == plan.ID && e.Offered {
			newest = entryRef(e.ID, e.Version)
		}
	}
	if newest == entryRef(plan.ID, plan.Version) {
		return ""
	}
	return newest
}

// oneCatalog is the currency that was named, or the only one.
func (r *runner) oneCatalog(ctx context.Context, s *session, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	var list client.List[client.CatalogOverview]
	err := s.read(ctx, func(cl *client.Client) (err error) {
		list, err = cl.Catalogs(ctx)
		return err
	})
	var currencies []string
	for _, c := range list.Items {
		currencies = append(currencies, c.Currency)
	}
	switch {
	case err != nil:
		return "", err
	case len(currencies) == 0:
		return "", fault.New(fault.NotFound, "There is no catalog yet. Make one with: arcadia catalog apply FILE")
	case len(currencies) > 1:
		return "", usage{fmt.Errorf("there are catalogs in %s: say which with --currency", strings.Join(currencies, ", "))}
	}
	return currencies[0], nil
}

func (r *runner) showEntries(catalog client.Catalog, name string) error {
	found := []client.CatalogEntry{}
	for _, e := range catalog.Entries {
		if e.ID == name || entryRef(e.ID, e.Version) == name {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return fault.New(fault.NotFound, "The catalog in %s has no %q. What it has: arcadia catalog show", catalog.Currency, name)
	}
	if r.json {
		return r.print(client.List[client.CatalogEntry]{Items: found})
	}
	for _, e := range found {
		state := "offered"
		if !e.Offered {
			state = "withdrawn"
		}
		if e.UsedAt != nil {
			state += ", used since " + e.UsedAt.UTC().Format("2006-01-02") + ": it never changes"
		}
		r.say("# %s %s, %s", e.Kind, entryRef(e.ID, e.Version), state)
		if e.Kind == "plan" {
			if err := r.showHoldings(catalog, e); err != nil {
				return err
			}
		}
		text, err := yaml.JSONToYAML(e.Document)
		if err != nil {
			return err
		}
		if _, err := r.Out.Write(text); err != nil {
			return err
		}
	}
	return nil
}
