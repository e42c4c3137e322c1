package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

type usageLifetimesCommand struct {
	Resource string `arg:"" optional:"" help:"Of this resource, as do:droplet:3164494."`
	Tenant   string `help:"Of this tenant, slug or id; none: of nobody."`
	Kind     string `help:"Of this kind, as droplet."`
	From     string `placeholder:"TIME" help:"That last longer than this: a date, or a time of RFC 3339."`
	To       string `placeholder:"TIME" help:"That begin before this."`
	Zone     string `default:"UTC" help:"Where dates begin, as Europe/Berlin."`
	Limit    int    `default:"100" help:"How many, 1 to 1000."`
	Cursor   string `placeholder:"NEXT" help:"Where the page before ended."`
}

// Run lists lifetimes.
func (c *usageLifetimesCommand) Run(ctx context.Context, r *runner) (err error) {
	f := client.LifetimeFilter{Tenant: c.Tenant, URN: c.Resource, Kind: c.Kind, Limit: c.Limit, Cursor: c.Cursor}
	if f.From, f.To, err = times(c.From, c.To, c.Zone); err != nil {
		return err
	}
	if c.Limit < 1 || c.Limit > 1000 {
		return usage{fmt.Errorf("--limit must be 1 to 1000, not %d", c.Limit)}
	}
	if c.Resource != "" && !strings.HasPrefix(c.Resource, "do:") {
		f.URN = "do:" + c.Resource // as inventory list shows it
	}
	page, err := fetch(ctx, r, func(cl *client.Client) (client.LifetimePage, error) { return cl.Lifetimes(ctx, f) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(page)
	case len(page.Items) == 0:
		r.say("There are no such lifetimes. They come from the inventory: arcadia inventory sync")
		return nil
	}
	if err := table(r.Out, "RESOURCE|TENANT|SIZE|USD/MONTH|FROM|TO", lifetimeRows(page.Items)); err != nil {
		return err
	}
	if page.Next != nil {
		r.say("\nThere are more: --cursor %s", *page.Next)
	}
	return nil
}

// widestSize is how much of a size is shown: a record's is a text of any length.
const widestSize = 16

// lifetimeRows are lifetimes as a terminal has room for: status and evidence are in JSON.
func lifetimeRows(lives []client.Lifetime) [][]string {
	rows := [][]string{}
	for _, l := range lives {
		price, tenant, size := "–", "–", orDash(l.Size)
		if l.PriceMonthly != nil {
			price = *l.PriceMonthly
		}
		if l.Tenant != nil {
			tenant = *l.Tenant
		}
		if runes := []rune(size); len(runes) > widestSize {
			size = string(runes[:widestSize-1]) + "…"
		}
		rows = append(rows, []string{strings.TrimPrefix(l.URN, "do:"), tenant, size, price, instantText(l.From), instantText(l.To)})
	}
	return rows
}

// instantText is a time, with how uncertain it is: not later, or by how much it may be earlier.
func instantText(i client.Instant) string {
	switch {
	case i.At == nil:
		return "now"
	case i.Exact:
		return i.At.UTC().Format(time.DateTime)
	case i.Earliest == nil:
		return "≤ " + i.At.UTC().Format(time.DateTime)
	}
	return i.At.UTC().Format(time.DateTime) + " −" + i.At.Sub(i.Earliest.Time).Round(time.Second).String()
}

// times reads the bounds of a period as people type them; empty ones are zero.
func times(from, to, zone string) (begin, end time.Time, err error) {
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return begin, end, usage{fmt.Errorf("--zone: there is no time zone %q; they are like Europe/Berlin", zone)}
	}
	if from != "" {
		if begin, err = metering.ParseTime(from, place); err != nil {
			return begin, end, usage{fmt.Errorf("--from: %w", err)}
		}
	}
	if to != "" {
		if end, err = metering.ParseTime(to, place); err != nil {
			return begin, end, usage{fmt.Errorf("--to: %w", err)}
		}
	}
	if !end.IsZero() && !end.After(begin) {
		return begin, end, usage{fmt.Errorf("--to %s is not after --from %s", to, from)}
	}
	return begin, end, nil
}
