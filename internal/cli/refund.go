package cli

import (
	"context"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

type paymentRefundCommand struct {
	tenantRef
	Amount   string `arg:"" help:"What was paid back: 20.00."`
	Currency string `arg:"" help:"EUR."`
	Reason   string `required:"" help:"Why: it is kept, and stands on the statement of account."`
	Date     string `placeholder:"DAY" help:"When the bank sent it; left away: today."`
	BankRef  string `name:"bank-ref" placeholder:"TEXT" help:"The bank's reference: it is booked once."`
	rehearsal
}

// Run books that credit was paid back.
func (c *paymentRefundCommand) Run(ctx context.Context, r *runner) error {
	amount, err := amountOf(c.Amount, c.Currency)
	if err != nil {
		return err
	}
	o := client.RefundOrder{Tenant: c.Tenant, Currency: c.Currency, Amount: amount, Date: c.Date, Reason: c.Reason, Key: c.BankRef}
	return rehearse(ctx, r, c.rehearsal, "Was it paid back so?", func(cl *client.Client, dry bool, expect string) (client.Refunded, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.RefundCredit(ctx, o)
	}, func(x client.Refunded) string {
		if x.Again {
			return ""
		}
		return x.Fingerprint
	}, func(x client.Refunded) error {
		of := func(minor int64) string { return money.New(minor, money.Currency(x.Refund.Currency)).String() }
		verb := "would be booked as paid back to"
		switch {
		case x.Again:
			verb = "were booked before as paid back to"
		case x.Done:
			verb = "are booked as paid back to"
		}
		r.say("%s %s %s on %s. %s of credit are left.", of(x.Refund.Amount), verb, x.Refund.Tenant, period.DayIn(x.Refund.RefundedAt.Time, x.Refund.Zone), of(x.Left))
		return nil
	})
}

type paymentRefundsCommand struct {
	Tenant string `arg:"" optional:"" help:"Only this tenant's."`
}

// Run lists refunds.
func (c *paymentRefundsCommand) Run(ctx context.Context, r *runner) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Refund], error) { return cl.Refunds(ctx, c.Tenant) })
	if err != nil {
		return err
	}
	return listing(r, list, list.Items, "Nothing was paid back.", "REFUND|TENANT|ON|AMOUNT|REASON", func(x client.Refund) []string {
		return []string{x.ID, x.Tenant, period.DayIn(x.RefundedAt.Time, x.Zone), money.New(x.Amount, money.Currency(x.Currency)).String(), x.Reason}
	})
}
