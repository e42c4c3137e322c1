package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

type usageListCommand struct {
	Tenant string `required:"" help:"Whose events: slug or id."`
	Meter  string `help:"Only those that this meter is about."`
	From   string `placeholder:"TIME" help:"That happened from then on: a date, or a time of RFC 3339."`
	To     string `placeholder:"TIME" help:"And before then."`
	Zone   string `default:"UTC" help:"Where dates begin, as Europe/Berlin."`
	Limit  int    `default:"100" help:"How many, 1 to 1000."`
	Cursor string `placeholder:"NEXT" help:"Where the page before ended."`
}

// Run lists events, the last that happened first.
func (c *usageListCommand) Run(ctx context.Context, r *runner) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usage{fmt.Errorf("--limit must be 1 to 1000, not %d", c.Limit)}
	}
	from, to, err := times(c.From, c.To, c.Zone)
	if err != nil {
		return err
	}
	page, err := fetch(ctx, r, func(cl *client.Client) (client.UsageEventPage, error) {
		return cl.UsageEvents(ctx, client.UsageEventFilter{Tenant: c.Tenant, Meter: c.Meter, From: from, To: to, Limit: c.Limit, Cursor: c.Cursor})
	})
	if err != nil {
		return err
	}
	err = listing(r, page, page.Items, "No event of this tenant is like that. Events are sent with: arcadia usage push FILE",
		"HAPPENED (UTC)|SOURCE|EVENT|TYPE|DATA|COUNTS", func(e client.KeptUsageEvent) []string {
			data, _ := json.Marshal(e.Data) // a map of strings always works
			return []string{e.Time.UTC().Format(time.DateTime), e.Source, e.ID, e.Type, string(data), countsText(e)}
		})
	if err == nil && page.Next != nil && !r.json {
		r.say("\nThere are more: --cursor '%s'", *page.Next)
	}
	return err
}

// countsText says whether an event counts, and why not.
func countsText(e client.KeptUsageEvent) string {
	words := []string{"yes"}
	switch {
	case e.CorrectedBy != nil:
		words[0] = "no, corrected by " + *e.CorrectedBy
	case e.OnlyVoids:
		words[0] = "no, it only voids another"
	}
	if e.Conflicts > 0 {
		words = append(words, "told otherwise "+plural(int(e.Conflicts), "time"))
	}
	return strings.Join(words, "; ")
}
