package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/money"
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
	Yes    bool   `short:"y" help:"Do not ask."`
}

// Run sets a rate, once somebody has seen which it takes the place of.
func (c *fxSetCommand) Run(ctx context.Context, r *runner) error {
	other, err := c.check()
	if err != nil {
		return usage{err}
	}
	if !c.Yes {
		list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Rate], error) {
			return cl.Rates(ctx, string(other))
		})
		if err != nil {
			return err
		}
		r.say("%s", c.replaces(list.Items))
	}
	if err := r.confirm(c.Yes, "Set %s to %s from %s on?", c.Pair, c.Rate, c.From); err != nil {
		return err
	}
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

// check says what is wrong with the order, before anything is shown or asked, and names
// the currency beside the dollar.
func (c *fxSetCommand) check() (other money.Currency, err error) {
	const dollar = "USD"
	base, quote, _ := strings.Cut(strings.ToUpper(c.Pair), "/")
	if (base == dollar) == (quote == dollar) {
		return "", fmt.Errorf("PAIR is like USD/EUR or EUR/USD, one of the two is the US dollar; it is not %q", c.Pair)
	}
	if base == dollar {
		base = quote
	}
	if other, err = money.ParseCurrency(base); err != nil {
		return "", fmt.Errorf("PAIR: %w", err)
	}
	if rate, err := exact.ParseDecimal(c.Rate); err != nil || rate.Sign() <= 0 {
		return "", fmt.Errorf("RATE is a decimal above zero like 0.9215, not %q", c.Rate)
	}
	if _, err := time.Parse(time.DateOnly, c.From); err != nil {
		return "", fmt.Errorf("--from is a day like 2026-10-01, not %q", c.From)
	}
	return other, nil
}

// replaces says what a rate takes the place of, among those that there are, the newest first.
func (c *fxSetCommand) replaces(rates []client.Rate) string {
	until := "until another is set"
	for _, rate := range rates {
		switch {
		case rate.From == c.From:
			return fmt.Sprintf("From %s on %s was to be %s. What ends on that day or later, %s, is exchanged at %s instead.", c.From, rate.Pair, rate.Rate, until, c.Rate)
		case rate.From < c.From:
			return fmt.Sprintf("%s is %s since %s. What ends from %s on, %s, is exchanged at %s instead.", rate.Pair, rate.Rate, rate.From, c.From, until, c.Rate)
		}
		until = "and before " + rate.From
	}
	return fmt.Sprintf("There is no rate before %s. What ends from then on, %s, is exchanged at %s.", c.From, until, c.Rate)
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
