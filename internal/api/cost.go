package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) costRoutes(h huma.API) {
	register(a, h, operation("list-costs", http.MethodGet, "/v1/costs", "Sum what resources cost by tenant, kind, region, project or account"), a.listCosts)
	register(a, h, operation("compare-costs", http.MethodGet, "/v1/accounts/{account}/cost-comparison",
		"Compare what resources cost with DigitalOcean's preview of its invoice"), a.compareCosts)
	register(a, h, operation("list-relations", http.MethodGet, "/v1/resources/{urn}/relations", "Say how a resource stands to others"), a.listRelations)
	register(a, h, operation("get-graph", http.MethodGet, "/v1/resources/{urn}/graph", "Read a resource with what is around it"), a.getGraph)
}

func (a *API) listCosts(ctx context.Context, in *struct {
	By      string    `query:"by" enum:"tenant,kind,region,project,account" default:"tenant"`
	Account string    `query:"account" doc:"Of one account; left away: of all."`
	AsOf    time.Time `query:"as_of" doc:"The month that this is in, up to then; left away: now."`
}) (*struct{ Body client.Costs }, error) {
	at := in.AsOf
	if at.IsZero() {
		at = a.o.Inventory.Now(in.Account)
	}
	by := inventory.GroupBy(in.By)
	groups, total, err := a.o.Inventory.Costs(ctx, in.Account, by, at)
	if err != nil {
		return nil, err
	}
	names, err := a.o.Inventory.GroupNames(ctx, by)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Costs }{wire.Costs(by, at, groups, total, names)}, nil
}

func (a *API) compareCosts(ctx context.Context, in *AccountQuery) (*struct{ Body client.CostComparison }, error) {
	bill, err := a.o.Billing(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	c, err := a.o.Inventory.ComparePreview(ctx, in.Account, bill)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.CostComparison }{wire.CostComparison(c)}, nil
}

func (a *API) listRelations(ctx context.Context, in *struct {
	ResourceQuery
	AsOf time.Time `query:"as_of" doc:"As they were then; left away: as they are."`
}) (*struct{ Body client.List[client.Relation] }, error) {
	relations, err := a.o.Inventory.Relations(ctx, in.URN, in.AsOf)
	if err != nil {
		return nil, err
	}
	items := make([]client.Relation, len(relations))
	for i, r := range relations {
		items[i] = wire.Relation(r)
	}
	return listed(items), nil
}

func (a *API) getGraph(ctx context.Context, in *struct {
	ResourceQuery
	Hops int `query:"hops" minimum:"1" maximum:"3" default:"1"`
}) (*struct{ Body client.Graph }, error) {
	g, err := a.o.Inventory.Graph(ctx, in.URN, in.Hops)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Graph }{wire.Graph(g)}, nil
}
