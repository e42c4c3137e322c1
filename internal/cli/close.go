package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

type billingCloseCommand struct {
	Month string `arg:"" help:"Like 2026-10: a month that is over."`
	rehearsal
}

// Help is the longer text of the command.
func (*billingCloseCommand) Help() string {
	return "What was used and is not invoiced, less what was invoiced of later service, is entered as accrued and taken back as the next month begins. " +
		"What resources cost at DigitalOcean is entered for each tenant. A month is closed once."
}

// Run closes a month.
func (c *billingCloseCommand) Run(ctx context.Context, r *runner) error {
	failed := false
	err := rehearse(ctx, r, c.rehearsal, "Close the month? It is closed once.", func(cl *client.Client, dry bool, expect string) (client.MonthClose, error) {
		return cl.CloseMonth(ctx, c.Month, client.CloseOrder{DryRun: dry, Expect: expect})
	}, func(m client.MonthClose) string { failed = len(m.Failed) > 0; return m.Fingerprint }, r.showClose)
	if err == nil && failed {
		err = exit(exitFailed)
	}
	return err
}

func (r *runner) showClose(m client.MonthClose) error {
	rows := [][]string{}
	for _, t := range m.Tenants {
		rows = append(rows, []string{tenantName(t.Tenant), sums(t.Accrued), sums([]client.Amount{t.Cost})})
	}
	switch {
	case len(m.Failed) > 0:
		r.say("%s cannot be closed yet: what follows could not be rated.", m.Month)
		for _, f := range m.Failed {
			r.say("%s of %s: %s", f.Subscription, f.Tenant, f.Why)
		}
		return nil
	case m.ClosedAt != nil:
		r.say("%s was closed at %s by %s.\n", m.Month, m.ClosedAt.UTC().Format(time.RFC3339), m.ClosedBy)
	default:
		r.say("Closing %s would enter:\n", m.Month)
	}
	if len(rows) == 0 {
		r.say("Nothing is left open, and no resource cost anything.")
	} else if err := table(r.Out, "TENANT|NOT INVOICED|COST", rows); err != nil {
		return err
	}
	if len(m.Unpriced) > 0 {
		r.say("\nNobody knows what these cost, and they are in no sum: %s", strings.Join(m.Unpriced, ", "))
	}
	return nil
}

type billingMarginCommand struct {
	From   string `placeholder:"MONTH" help:"The first month, like 2026-08; left away: the last one that is over."`
	To     string `placeholder:"MONTH" help:"The last month; left away: the first."`
	Tenant string `help:"Only this tenant."`
}

// Run shows margins.
func (c *billingMarginCommand) Run(ctx context.Context, r *runner) error {
	from := c.From
	if from == "" {
		y, m, _ := time.Now().UTC().Date()
		from = time.Date(y, m-1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
	}
	to := c.To
	if to == "" {
		to = from
	}
	l, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Margin], error) {
		return cl.Margins(ctx, from, to, c.Tenant)
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(l)
	}
	rows, open, unknown := [][]string{}, false, []string{}
	for _, m := range l.Items {
		month := m.Month
		if !m.Closed {
			month, open = month+" *", true
		}
		cost := sums(m.Cost)
		if m.Exchanged != nil {
			cost += " = " + sums([]client.Amount{*m.Exchanged})
		}
		if m.NoRate != nil && !slices.Contains(unknown, *m.NoRate) {
			unknown = append(unknown, *m.NoRate)
		}
		rows = append(rows, []string{month, tenantName(m.Tenant), sums(m.Revenue), cost, sums(m.BadDebt), sums(m.Left)})
	}
	if len(rows) == 0 {
		r.say("The journal has no revenue and no cost from %s to %s.", from, to)
		return nil
	}
	if err := table(r.Out, "MONTH|TENANT|REVENUE|COST|BAD DEBT|LEFT", rows); err != nil {
		return err
	}
	if len(unknown) > 0 {
		r.say("\nDollars that could not be exchanged stand beside what is left:\n%s", strings.Join(unknown, "\n"))
	}
	if open {
		r.say("\n* not closed: what is not invoiced yet, and what resources cost, is missing. arcadia billing close MONTH enters it.")
	}
	return nil
}

func tenantName(slug string) string {
	if slug == "" {
		return "(nobody)"
	}
	return slug
}

// sums writes amounts of several currencies.
func sums(all []client.Amount) string {
	var parts []string
	for _, a := range all {
		if a.Amount != 0 {
			parts = append(parts, money.New(a.Amount, money.Currency(a.Currency)).String())
		}
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, ", ")
}
