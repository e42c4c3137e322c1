package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type inventoryListCommand struct {
	Query  []string `arg:"" optional:"" help:"Words and terms; quote what has < or > in it. See --grammar."`
	AsOf   string   `name:"as-of" placeholder:"TIME" help:"As it was then: 2026-11-01, or 2026-11-01T12:00:00Z."`
	Sort   string   `enum:"name,cost,changed,kind,created" default:"name" help:"Sort by name, cost, changed, kind or created."`
	Desc   bool     `help:"The last first."`
	Limit  int      `default:"50" help:"How many to show; 0 is all."`
	CSV    bool     `name:"csv" help:"Print CSV."`
	Syntax bool     `name:"grammar" help:"Show what may be looked by."`
}

// Run finds resources.
func (c *inventoryListCommand) Run(ctx context.Context, r *runner) error {
	if c.Syntax {
		r.say("Words find names, ids, addresses and tags. Terms all have to hold; a minus before one turns it round.\n")
		for _, example := range inventory.QueryExamples() {
			r.say("  %s", example)
		}
		return nil
	}
	text := strings.Join(c.Query, " ")
	if _, err := inventory.ParseQuery(text); err != nil {
		var at *inventory.QueryError
		if errors.As(err, &at) && !r.json {
			fmt.Fprintln(r.Err, at.Caret())
		}
		return err
	}
	at, err := instant(c.AsOf)
	if err != nil {
		return err
	}
	page, err := c.find(ctx, r, client.ResourceQuery{Text: text, AsOf: at, Sort: c.Sort, Desc: c.Desc})
	switch {
	case err != nil:
		return err
	case c.CSV:
		return r.resourcesCSV(page.Items)
	case r.json:
		return r.print(page)
	case page.Total == 0 && text == "":
		r.say("Nothing is known. List what there is with: arcadia inventory sync")
		return nil
	case page.Total == 0:
		r.say("Nothing is like that. What may be looked by: arcadia inventory list --grammar")
		return nil
	}
	rows := make([][]string, len(page.Items))
	for i, f := range page.Items {
		rows[i] = []string{strings.TrimPrefix(f.URN, "do:"), f.Name, orDash(f.Region), orDash(f.Size), state(f), owner(f), priceOf(f)}
	}
	if err := table(r.Out, "RESOURCE|NAME|REGION|SIZE|STATE|TENANT|USD A MONTH", rows); err != nil {
		return err
	}
	r.say("\n%s; %s in all, USD %s a month, %s this month so far%s.", plural(len(page.Items), "resource"), fmt.Sprint(page.Total),
		dollars(page.Cost.Monthly), dollars(page.Cost.MonthToDate), withUnpriced(page.Cost.Unpriced))
	return nil
}

// find reads as many pages as are wanted.
func (c *inventoryListCommand) find(ctx context.Context, r *runner, q client.ResourceQuery) (all client.ResourcePage, err error) {
	const most = 500
	err = r.once(ctx, func(cl *client.Client) error {
		all = client.ResourcePage{}
		for q.Cursor = ""; ; {
			if q.Limit = most; c.Limit > 0 {
				q.Limit = min(most, c.Limit-len(all.Items))
			}
			page, err := cl.Resources(ctx, q)
			if err != nil {
				return err
			}
			items := all.Items
			items = append(items, page.Items...)
			all, all.Items = page, items
			if page.Next == nil || c.Limit > 0 && len(items) >= c.Limit {
				return nil
			}
			q.Cursor = *page.Next
		}
	})
	return all, err
}

func state(f client.Resource) string {
	switch {
	case f.Ended != nil && f.Ended.By == inventory.Unobserved:
		return "no longer observed"
	case f.DeletedAt != nil:
		return "gone"
	case f.MissingSince != nil:
		return orDash(f.Status) + " (missing)"
	}
	return orDash(f.Status)
}

func owner(f client.Resource) string {
	if f.Tenant == nil {
		return "–"
	}
	return *f.Tenant
}

func priceOf(f client.Resource) string {
	if f.Cost == nil {
		return "no price"
	}
	return dollars(f.Cost.Monthly)
}

func withUnpriced(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d without a price not in it", n)
}

// resourcesCSV writes resources for a spreadsheet.
func (r *runner) resourcesCSV(items []client.Resource) error {
	w := csv.NewWriter(r.Out)
	if err := w.WriteAll(wire.ResourceRows(items)); err != nil {
		return err
	}
	return w.Error()
}
