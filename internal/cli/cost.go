package cli

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type inventoryCostCommand struct {
	By      string `enum:"tenant,kind,region,project,account" default:"tenant" help:"Sum by tenant, kind, region, project or account."`
	Account string `placeholder:"NAME" help:"Of this account only; with --compare it is \"default\" where it is left away."`
	Compare bool   `help:"Instead: compare with DigitalOcean's preview of its next invoice."`
}

// Run sums costs.
func (c *inventoryCostCommand) Run(ctx context.Context, r *runner) error {
	if c.Compare {
		return c.compare(ctx, r)
	}
	costs, err := fetch(ctx, r, func(cl *client.Client) (client.Costs, error) { return cl.Costs(ctx, c.By, c.Account) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(costs)
	case len(costs.Groups) == 0:
		r.say("Nothing is known that could cost anything. List what there is with: arcadia inventory sync")
		return nil
	}
	rows := [][]string{}
	for _, g := range append(costs.Groups, costs.Total) {
		rows = append(rows, []string{g.Name, fmt.Sprint(g.Resources), dollars(g.Monthly), dollars(g.MonthToDate), dollars(g.MonthEnd), unpriced(g.Unpriced)})
	}
	if err := table(r.Out, strings.ToUpper(costs.By)+"|RESOURCES|A MONTH|SO FAR|MONTH'S END|", rows); err != nil {
		return err
	}
	r.say("\nIn %s, as of %s by DigitalOcean's clock.", costs.Currency, costs.AsOf.UTC().Format("2006-01-02 15:04"))
	return nil
}

// dollars is an amount in dollars and cents, for people.
func dollars(text string) string {
	n, err := exact.ParseDecimal(text)
	if err != nil {
		return text
	}
	cents := n.Units(2)
	sign := ""
	if cents.Sign() < 0 {
		sign = "-"
		cents.Neg(cents)
	}
	whole, rest := new(big.Int).QuoRem(cents, big.NewInt(100), new(big.Int))
	return fmt.Sprintf("%s%s.%02d", sign, whole, rest)
}

func unpriced(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("and %d without a price", n)
}

func (c *inventoryCostCommand) compare(ctx context.Context, r *runner) error {
	account := c.Account
	if account == "" {
		account = "default"
	}
	cmp, err := fetch(ctx, r, func(cl *client.Client) (client.CostComparison, error) { return cl.CompareCosts(ctx, account) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(cmp)
	}
	rows := [][]string{}
	for _, l := range cmp.Lines {
		rows = append(rows, []string{l.Product, dollars(l.Ours), dollars(l.Theirs), dollars(l.Difference), l.Explained})
	}
	rows = append(rows, []string{"total", dollars(cmp.Ours), dollars(cmp.Theirs), "", ""})
	if err := table(r.Out, "PRODUCT|INVENTORY|INVOICE SO FAR|MORE|WHY", rows); err != nil {
		return err
	}
	r.say("\n%s %s is unexplained, of %s as of %s.", cmp.Currency, dollars(cmp.Unexplained), cmp.Month, cmp.AsOf.UTC().Format("2006-01-02 15:04"))
	return nil
}

type inventoryGraphCommand struct {
	urnRef
	Hops int `default:"1" help:"How far: 1 to 3."`
}

// Run shows what is around a resource.
func (c *inventoryGraphCommand) Run(ctx context.Context, r *runner) error {
	g, err := fetch(ctx, r, func(cl *client.Client) (client.Graph, error) { return cl.Graph(ctx, c.URN, c.Hops) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(g)
	case len(g.Edges) == 0:
		r.say("Nothing is known that it has to do with.")
		return nil
	}
	names := map[string]string{}
	for _, n := range g.Nodes {
		names[n.URN] = n.URN
		if n.Name != "" && n.Name != n.URN {
			names[n.URN] = n.Name + " (" + strings.TrimPrefix(n.URN, "do:") + ")"
		}
		if n.Gone {
			names[n.URN] += ", gone"
		}
	}
	rows := [][]string{}
	for _, e := range g.Edges {
		order := ""
		if e.First {
			order = "has to be deleted first"
		}
		rows = append(rows, []string{names[e.From], wire.Words(e.Type), names[e.To], order})
	}
	return table(r.Out, "FROM|STANDS TO|TO|", rows)
}
