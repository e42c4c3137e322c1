package cli

import (
	"context"

	"github.com/arcadia-cloud/arcadia/client"
)

type fxCommand struct {
	Set  fxSetCommand  `cmd:"" help:"Say what a US dollar is in another currency from a day on."`
	List fxListCommand `cmd:"" help:"List the rates, the newest first."`
}

// Help is the longer text of the command.
func (*fxCommand) Help() string {
	return "DigitalOcean's prices are in US dollars. Charges that pass them on in another currency (cost_plus) are billed at the rate of the last day of their service, " +
		"which stands on the line; without one they cannot be sold. A rate never changes for a day that has begun and had one."
}

type fxSetCommand struct {
	Pair   string `arg:"" help:"USD/EUR: a dollar in euros; or EUR/USD: a euro in dollars."`
	Rate   string `arg:"" help:"A decimal like 0.9215."`
	From   string `required:"" placeholder:"DAY" help:"From this day of UTC on, like 2026-10-01."`
	Source string `help:"Who says so, like ECB."`
}

// Run sets a rate.
func (c *fxSetCommand) Run(ctx context.Context, r *runner) error {
	rate, err := send(ctx, r, func(cl *client.Client) (client.Rate, error) {
		return cl.SetRate(ctx, client.RateOrder{Pair: c.Pair, Rate: c.Rate, From: c.From, Source: c.Source})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(rate)
	}
	r.say("%s is %s from %s on.", rate.Pair, rate.Rate, rate.From)
	return nil
}

type fxListCommand struct {
	Currency string `arg:"" optional:"" help:"Only of this one, beside the dollar: EUR."`
}

// Run lists rates.
func (c *fxListCommand) Run(ctx context.Context, r *runner) error {
	l, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Rate], error) { return cl.Rates(ctx, c.Currency) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(l)
	case len(l.Items) == 0:
		r.say("No rate was set. What costs dollars can only be sold in dollars; arcadia fx set USD/EUR RATE --from DAY sets one.")
		return nil
	}
	rows := [][]string{}
	for _, x := range l.Items {
		rows = append(rows, []string{x.Pair, x.From, x.Rate, x.Source, x.SetBy})
	}
	return table(r.Out, "PAIR|FROM|RATE|SOURCE|SET BY", rows)
}
