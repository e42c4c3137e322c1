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

func (a *API) closeRoutes(h huma.API) {
	end := operation("close-month", http.MethodPost, "/v1/months/{month}/close", "Close a month in the journal, or say what would be entered")
	end.Description = "What was used and is not invoiced, less what was invoiced of later service, is entered as accrued and taken back as the next month begins; " +
		"what resources cost at DigitalOcean is entered for each tenant. A month is closed once: asked for again it is answered as it was entered."
	register(a, h, end, a.closeMonth)
	register(a, h, operation("list-margins", http.MethodGet, "/v1/margins", "What tenants brought in months, and what they cost, by the journal"), a.listMargins)
}

func (a *API) closeMonth(ctx context.Context, in *struct {
	Month string `path:"month" example:"2026-10"`
	Body  client.CloseOrder
}) (*struct{ Body client.MonthClose }, error) {
	o := in.Body
	c, err := a.o.Bills.CloseMonth(ctx, billing.CloseOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Month: in.Month, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.MonthClose }{wire.Close(c)}, nil
}

func (a *API) listMargins(ctx context.Context, in *struct {
	From   string `query:"from" required:"true" example:"2026-08" doc:"The first month."`
	To     string `query:"to" required:"true" example:"2026-10" doc:"The last month."`
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
}) (*struct{ Body client.List[client.Margin] }, error) {
	list, err := a.o.Bills.Margins(ctx, in.From, in.To, in.Tenant, time.Now())
	if err != nil {
		return nil, err
	}
	out := client.List[client.Margin]{Items: make([]client.Margin, len(list))}
	for i, m := range list {
		out.Items[i] = wire.Margin(m)
	}
	return &struct{ Body client.List[client.Margin] }{out}, nil
}
