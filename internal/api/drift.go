package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) driftRoutes(h huma.API) {
	register(a, h, operation("list-drift", http.MethodGet, "/v1/drift", "Compare all stacks with the inventory"), a.listDrift)
	register(a, h, operation("get-stack-drift", http.MethodGet, "/v1/stacks/{stack}/drift", "Compare a stack with the inventory"), a.getDrift)
	register(a, h, operation("ignore-drift", http.MethodPut, "/v1/stacks/{stack}/drift/{difference}/ignore", "Hear no more of a difference until a time"), a.ignoreDrift)
	register(a, h, operation("hear-drift", http.MethodDelete, "/v1/stacks/{stack}/drift/{difference}/ignore", "Hear of a difference again"), a.hearDrift)
}

func (a *API) listDrift(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Drift] }, error) {
	stacks, err := a.o.Provisioning.Stacks(ctx, provisioning.StackFilter{})
	if err != nil {
		return nil, err
	}
	drifts, err := a.o.Provisioning.Drifts(ctx, stacks, time.Now())
	if err != nil {
		return nil, err
	}
	slugs, err := a.o.Tenants.Slugs(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Drift, len(stacks))
	for i, one := range stacks {
		items[i] = wire.Drift(drifts[one.ID], one.Name, slugs[one.Tenant])
	}
	return listed(items), nil
}

func (a *API) getDrift(ctx context.Context, in *StackQuery) (*struct{ Body client.Drift }, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err != nil {
		return nil, err
	}
	d, err := a.o.Provisioning.Drift(ctx, s, time.Now())
	if err != nil {
		return nil, err
	}
	of, err := a.o.Tenants.Tenant(ctx, string(s.Tenant))
	return &struct{ Body client.Drift }{wire.Drift(d, s.Name, of.Slug)}, err
}

// DifferenceQuery names a difference. It is exported because huma looks at exported fields only.
type DifferenceQuery struct {
	StackQuery
	Difference string `path:"difference" example:"drift_0193a4c0d1e2738fa1b2"`
}

type differenceAnswer struct{ Body client.Difference }

func (a *API) ignoreDrift(ctx context.Context, in *struct {
	DifferenceQuery
	Body client.NewIgnore
}) (*differenceAnswer, error) {
	return a.changeDrift(ctx, in.DifferenceQuery, func(s provisioning.Stack, id provisioning.DifferenceID, at time.Time) (provisioning.Difference, error) {
		return a.o.Provisioning.IgnoreDrift(ctx, s, id, provisioning.Ignore{Until: in.Body.Until.Time, Reason: in.Body.Reason, Actor: actor(ctx), At: at})
	})
}

func (a *API) hearDrift(ctx context.Context, in *DifferenceQuery) (*differenceAnswer, error) {
	return a.changeDrift(ctx, *in, func(s provisioning.Stack, id provisioning.DifferenceID, at time.Time) (provisioning.Difference, error) {
		return a.o.Provisioning.HearDrift(ctx, s, id, at)
	})
}

func (a *API) changeDrift(ctx context.Context, q DifferenceQuery, change func(provisioning.Stack, provisioning.DifferenceID, time.Time) (provisioning.Difference, error)) (*differenceAnswer, error) {
	s, err := a.o.Provisioning.Stack(ctx, q.Stack)
	if err != nil {
		return nil, err
	}
	one, err := change(s, provisioning.DifferenceID(q.Difference), time.Now())
	if err != nil {
		return nil, err
	}
	return &differenceAnswer{wire.Difference(one)}, nil
}
