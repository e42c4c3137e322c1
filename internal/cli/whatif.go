package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

type billingWhatIfCommand struct {
	Plan      string `required:"" placeholder:"FILE" help:"A catalog, as catalog apply takes it, with one new version of each plan that is tried; - is standard input."`
	From      string `required:"" placeholder:"MONTH" help:"The first month, like 2026-08."`
	To        string `required:"" placeholder:"MONTH" help:"The last month, like 2026-10."`
	Tenant    string `help:"Only this tenant."`
	InsteadOf string `placeholder:"PLAN@VERSION" help:"Only for who has this version; left away: any version of the plans that are tried."`
}

// Run compares what past months came to with what they would have.
func (c *billingWhatIfCommand) Run(ctx context.Context, r *runner) error {
	document, err := r.readFile(c.Plan)
	if err != nil {
		return err
	}
	w, err := fetch(ctx, r, func(cl *client.Client) (client.WhatIf, error) {
		return cl.WhatIf(ctx, client.WhatIfOrder{Name: c.Plan, Document: string(document), From: c.From, To: c.To, Tenant: c.Tenant, InsteadOf: c.InsteadOf})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		err = r.print(w)
	default:
		err = r.showWhatIf(w)
	}
	if err == nil && len(w.Failed) > 0 {
		err = exit(exitFailed)
	}
	return err
}

func (r *runner) showWhatIf(w client.WhatIf) error {
	if len(w.Tenants) == 0 && len(w.Failed) == 0 {
		r.say("Nobody has another version of %s: nothing would be different.", strings.Join(w.Plans, ", "))
		return nil
	}
	amount := func(minor int64) string { return money.New(minor, money.Currency(w.Currency)).String() }
	row := func(name string, s client.WhatIfSum) []string {
		difference, part := amount(s.Difference), "–"
		if s.Difference > 0 {
			difference = "+" + difference
		}
		if s.Before > 0 {
			part = exact.Fraction(s.Difference, s.Before).Shift(2).Round(1).String() + " %"
		}
		return []string{name, amount(s.Before), amount(s.After), difference, part}
	}
	rows := [][]string{}
	for _, t := range w.Tenants {
		rows = append(rows, row(t.Tenant, t.WhatIfSum))
	}
	r.say("With %s, without taxes:\n", strings.Join(w.Plans, ", "))
	if err := table(r.Out, "TENANT|BEFORE|AFTER|DIFFERENCE|PART", append(rows, row("all", w.Total))); err != nil {
		return err
	}
	rows = nil
	for _, m := range w.Months {
		rows = append(rows, row(m.Month, m.WhatIfSum))
	}
	fmt.Fprintln(r.Out)
	if err := table(r.Out, "MONTH|BEFORE|AFTER|DIFFERENCE|PART", rows); err != nil {
		return err
	}
	for _, f := range w.Failed {
		r.say("%s of %s could not be rated: %s", f.Subscription, f.Tenant, f.Why)
	}
	r.say("\nNothing was changed.")
	return nil
}
