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

func (a *API) whatIfRoutes(h huma.API) {
	compare := operation("compare-billing", http.MethodPost, "/v1/billing-comparisons", "Rate past months again under a catalog that is not applied")
	compare.MaxBodyBytes = maxCatalog
	compare.Description = "Who has a plan of which the file has a new version is rated as if it had always had that version. Nothing is changed."
	register(a, h, compare, a.compareBilling)
}

func (a *API) compareBilling(ctx context.Context, in *struct{ Body client.WhatIfOrder }) (*struct{ Body client.WhatIf }, error) {
	o := in.Body
	if o.Name == "" {
		o.Name = "document"
	}
	w, err := a.o.Bills.WhatIf(ctx, billing.WhatIfOrder{
		Name: o.Name, Document: []byte(o.Document), From: o.From, To: o.To, Tenant: o.Tenant, InsteadOf: o.InsteadOf,
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.WhatIf }{wire.WhatIf(w)}, nil
}
