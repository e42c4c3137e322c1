package wire

import (
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// currency is DigitalOcean's.
const currency = "USD"

// Costs are costs summed by something; name gives a key its name.
func Costs(by inventory.GroupBy, at time.Time, groups []inventory.CostGroup, total inventory.Cost, name func(key string) string) client.Costs {
	w := client.Costs{
		By: string(by), Currency: currency, AsOf: client.Time{Time: at}, Groups: make([]client.CostGroup, len(groups)), Total: cost("", "total", total),
	}
	for i, g := range groups {
		w.Groups[i] = cost(g.Key, name(g.Key), g.Cost)
	}
	return w
}

func cost(key, name string, c inventory.Cost) client.CostGroup {
	return client.CostGroup{
		Key: key, Name: name, Resources: c.Resources, Monthly: c.Monthly.String(), MonthToDate: c.MonthToDate.String(),
		MonthEnd: c.MonthEnd.String(), Unpriced: c.Unpriced,
	}
}

// Cost is what one resource costs; nil where a part of it has no price.
func Cost(c inventory.Cost) *client.Cost {
	if c.Unpriced > 0 {
		return nil
	}
	return &client.Cost{Currency: currency, Monthly: c.Monthly.String(), MonthToDate: c.MonthToDate.String()}
}

// CostComparison is costs beside DigitalOcean's preview.
func CostComparison(c inventory.Comparison) client.CostComparison {
	w := client.CostComparison{
		Account: c.Account, Currency: currency, AsOf: client.Time{Time: c.AsOf}, Month: c.Month, Lines: make([]client.CostDifference, len(c.Lines)),
		Ours: c.Ours.String(), Theirs: c.Theirs.String(), Unexplained: c.Unexplained().String(),
	}
	for i, l := range c.Lines {
		w.Lines[i] = client.CostDifference{
			Product: l.Product, Ours: l.Ours.String(), Theirs: l.Theirs.String(), Difference: l.Difference().String(), Explained: l.Explained,
		}
	}
	return w
}

// Relation is how a resource stands to another.
func Relation(r inventory.Relation) client.Relation {
	return client.Relation{Type: string(r.Type), Out: r.Out, First: r.First, Other: resourceName(r.Other)}
}

func resourceName(n inventory.Node) client.ResourceName {
	return client.ResourceName{URN: n.URN, Kind: n.Kind, Name: n.Name, Status: n.Status, Gone: n.Gone}
}

// Graph is a resource with what is around it.
func Graph(g inventory.Graph) client.Graph {
	w := client.Graph{Center: g.Center, Nodes: make([]client.ResourceName, len(g.Nodes)), Edges: make([]client.GraphEdge, len(g.Edges))}
	for i, n := range g.Nodes {
		w.Nodes[i] = resourceName(n)
	}
	for i, e := range g.Edges {
		w.Edges[i] = client.GraphEdge{From: e.From, To: e.To, Type: string(e.Type), First: e.First}
	}
	return w
}

// Attribution is why a resource is whose it is; nil where no rule says anything.
func Attribution(v inventory.Verdict) *client.Attribution {
	if !v.Decided() {
		return nil
	}
	return &client.Attribution{Rule: string(v.Rule), Evidence: v.Evidence, Confidence: v.Confidence}
}
