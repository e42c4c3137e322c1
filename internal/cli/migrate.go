package cli

import (
	"context"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

type subscriptionMigrateCommand struct {
	From     string   `required:"" placeholder:"PLAN" help:"The plan that they have, as id@version."`
	To       string   `required:"" placeholder:"PLAN" help:"The plan that they get."`
	Tenants  []string `placeholder:"TENANT" help:"Only of these; left away: of all."`
	Except   []string `placeholder:"TENANT" help:"Not of these: they keep what they have."`
	When     string   `default:"period_end" placeholder:"WHEN" help:"period_end, or a date or an instant to come."`
	Currency string   `help:"Of the catalog, where several have both plans."`
	Reason   string   `help:"Why, for the record."`
	rehearsal
}

// Run migrates subscriptions, as was shown or not at all.
func (c *subscriptionMigrateCommand) Run(ctx context.Context, r *runner) error {
	o := client.MigrationOrder{From: c.From, To: c.To, Currency: c.Currency, Tenants: c.Tenants, Except: c.Except, When: c.When, Reason: c.Reason}
	return rehearse(ctx, r, c.rehearsal, "Give them the other plan?", func(cl *client.Client, dry bool, expect string) (client.Migration, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.MigrateSubscriptions(ctx, o)
	}, func(m client.Migration) string {
		if len(m.Totals) == 0 {
			return "" // nobody is to be asked for
		}
		return m.Fingerprint
	}, func(m client.Migration) error { return r.showMigration(c, m) })
}

func (r *runner) showMigration(c *subscriptionMigrateCommand, m client.Migration) error {
	if len(m.Items) == 0 {
		r.say("Nobody has %s.", c.From)
		return nil
	}
	amount := func(minor int64, currency string) string { return money.New(minor, money.Currency(currency)).String() }
	rows := [][]string{}
	for _, x := range m.Items {
		row := []string{x.Subscription, x.Tenant, x.Item, x.Quantity, "–", "–", "–", "stays: " + x.Left}
		if x.Left == "" {
			after := money.New(x.After, money.Currency(x.Currency)).Decimal()
			row = append(row[:4], moment(x.EffectiveAt.Time, period.In(x.EffectiveAt.Time, x.Zone).Location()), amount(x.Before, x.Currency), after, amount(x.Difference, x.Currency))
		}
		rows = append(rows, row)
	}
	if err := table(r.Out, "SUBSCRIPTION|TENANT|ITEM|QUANTITY|FROM|NEXT BILLS|INSTEAD|DIFFERENCE", rows); err != nil {
		return err
	}
	r.say("")
	if len(m.Totals) == 0 {
		r.say("Nobody gets %s.", c.To)
	}
	for _, t := range m.Totals {
		verb := "would get"
		if m.Done {
			verb = "get"
		}
		r.say("%s %s %s: %s in place of %s, %s.", plural(t.Items, "item"), verb, c.To, amount(t.After, t.Currency), amount(t.Before, t.Currency), amount(t.Difference, t.Currency))
	}
	return nil
}
