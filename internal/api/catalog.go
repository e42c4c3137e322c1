package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// maxCatalog is the most that is read of a catalog's file, in bytes.
const maxCatalog = 4 << 20

func (a *API) catalogRoutes(h huma.API) {
	register(a, h, operation("list-catalogs", http.MethodGet, "/v1/catalogs", "List the catalogs: one for each currency"), a.listCatalogs)
	register(a, h, operation("get-catalog", http.MethodGet, "/v1/catalogs/{currency}", "Read what can be sold in a currency, and who has which version of a plan"), a.getCatalog)
	apply := operation("apply-catalog", http.MethodPost, "/v1/catalogs", "Make the catalog of a file's currency what the file says")
	apply.MaxBodyBytes = maxCatalog
	apply.Description = "All of it is written or, where an entry is refused, nothing. What a subscription has used never changes: " +
		"an entry that the file does not have is withdrawn then, and removed otherwise. Usage is counted by the meters of the file from then on, what was accepted before too."
	register(a, h, apply, a.applyCatalog)
}

func (a *API) listCatalogs(ctx context.Context, _ *struct{}) (*struct {
	Body client.List[client.CatalogOverview]
}, error) {
	all, err := a.o.Bills.Catalogs(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.CatalogOverview, len(all))
	for i, o := range all {
		items[i] = wire.CatalogOverview(o)
	}
	return listed(items), nil
}

func (a *API) getCatalog(ctx context.Context, in *struct {
	Currency string `path:"currency" doc:"An ISO 4217 code." example:"EUR"`
}) (*struct{ Body client.Catalog }, error) {
	c, entries, err := a.o.Bills.Entries(ctx, in.Currency)
	if err != nil {
		return nil, err
	}
	holdings, err := a.o.Bills.Holdings(ctx, c, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Catalog }{wire.Catalog(c, entries, holdings)}, nil
}

func (a *API) applyCatalog(ctx context.Context, in *struct{ Body client.CatalogFile }) (*struct{ Body client.CatalogApplied }, error) {
	name := in.Body.Name
	if name == "" {
		name = "document"
	}
	done, err := a.o.Bills.ApplyCatalog(ctx, billing.Application{
		Name: name, Document: []byte(in.Body.Document), DryRun: in.Body.DryRun, Expect: in.Body.Expect, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.CatalogApplied }{wire.CatalogApplied(done)}, nil
}
