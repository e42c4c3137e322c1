package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) meterRoutes(h huma.API) {
	register(a, h, operation("list-meters", http.MethodGet, "/v1/meters", "List the meters: which usage events count, and how"), a.listMeters)
	apply := operation("apply-meters", http.MethodPost, "/v1/meters", "Add the meters of a document, and change those that have not counted")
	apply.MaxBodyBytes = maxCatalog
	apply.Description = "All of it is written or, where a meter is refused, nothing. A meter that has counted events never changes. " +
		"A new one counts what was accepted before it too."
	register(a, h, apply, a.applyMeters)
	register(a, h, operation("remove-meter", http.MethodDelete, "/v1/meters/{meter}", "Remove a meter that has not counted"), a.removeMeter)
	register(a, h, operation("total-usage", http.MethodGet, "/v1/usage/totals", "Say what a meter comes to for a tenant over a period"), a.totalUsage)
	register(a, h, operation("list-unmetered-usage", http.MethodGet, "/v1/usage/unmetered", "Sum up events that were accepted and that no meter counts"), a.listUnmetered)
	register(a, h, operation("rebuild-usage", http.MethodPost, "/v1/usage/rebuild", "Roll all usage up again from the events"), a.rebuildUsage)
}

func (a *API) listMeters(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Meter] }, error) {
	meters, err := a.o.Metering.Meters(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Meter, len(meters))
	for i, m := range meters {
		items[i] = wire.Meter(m)
	}
	return listed(items), nil
}

func (a *API) applyMeters(ctx context.Context, in *struct{ Body client.MeterFile }) (*struct {
	Body client.List[client.MeterOutcome]
}, error) {
	meters, err := metering.ReadMeters(cmp.Or(in.Body.Name, "document"), []byte(in.Body.Document))
	if err != nil {
		return nil, err
	}
	outcomes, err := a.o.Metering.ApplyMeters(ctx, meters, actor(ctx), time.Now(), in.Body.DryRun)
	if err != nil {
		return nil, err
	}
	items := make([]client.MeterOutcome, len(outcomes))
	for i, o := range outcomes {
		items[i] = wire.MeterOutcome(o)
	}
	return listed(items), nil
}

func (a *API) removeMeter(ctx context.Context, in *struct {
	Meter string `path:"meter"`
}) (*struct{}, error) {
	return nil, a.o.Metering.RemoveMeter(ctx, in.Meter)
}

func (a *API) totalUsage(ctx context.Context, in *struct {
	Meter  string    `query:"meter" required:"true"`
	Tenant string    `query:"tenant" required:"true" doc:"The id or slug."`
	From   time.Time `query:"from" required:"true" doc:"Within [from, to), at any instant."`
	To     time.Time `query:"to" required:"true"`
}) (*struct{ Body client.UsageTotals }, error) {
	t, err := a.o.Tenants.Tenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	m, err := a.o.Metering.Meter(ctx, in.Meter)
	if err != nil {
		return nil, err
	}
	p := period.Period{From: in.From, To: in.To}
	totals, err := a.o.Metering.Totals(ctx, t.ID, m.ID, p)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.UsageTotals }{wire.UsageTotals(m, t.Slug, p, totals)}, nil
}

func (a *API) listUnmetered(ctx context.Context, _ *struct{}) (*struct {
	Body client.List[client.UnmeteredUsage]
}, error) {
	slugs, _, err := a.tenantNames(ctx, "")
	if err != nil {
		return nil, err
	}
	all, err := a.o.Metering.Unmetered(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.UnmeteredUsage, len(all))
	for i, u := range all {
		items[i] = client.UnmeteredUsage{
			Tenant: slugs[u.Tenant], Type: u.Type, Unmetered: u.Unmetered, Unreadable: u.Unreadable, Events: u.Events,
			From: client.Time{Time: u.From}, To: client.Time{Time: u.To},
		}
	}
	return listed(items), nil
}

func (a *API) rebuildUsage(ctx context.Context, _ *struct{}) (*struct{ Body client.UsageRebuild }, error) {
	hours, err := a.o.Metering.Rebuild(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.UsageRebuild }{client.UsageRebuild{Hours: hours}}, nil
}
