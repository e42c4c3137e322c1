package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) cleanupRoutes(h huma.API) {
	register(a, h, operation("list-cleanup-marks", http.MethodGet, "/v1/cleanup/marks", "List what clean-ups are to delete, the newest first"), a.listCleanupMarks)
	register(a, h, operation("keep-resource", http.MethodPut, "/v1/resources/{urn}/protection", "Have a thing never be destroyed, and end its mark"), a.keepResource)
	register(a, h, operation("unkeep-resource", http.MethodDelete, "/v1/resources/{urn}/protection", "End a thing's protection"), a.unkeepResource)
}

func (a *API) listCleanupMarks(ctx context.Context, in *struct {
	Account string `query:"account" doc:"Only this account's."`
	All     bool   `query:"all" doc:"Also those that have ended: at most the newest 1000."`
}) (*struct {
	Body client.List[client.CleanupMark]
}, error) {
	all, err := a.o.Provisioning.Marks(ctx, in.Account, in.All)
	if err != nil {
		return nil, err
	}
	items := make([]client.CleanupMark, len(all))
	for i, m := range all {
		items[i] = wire.CleanupMark(m)
	}
	return listed(items), nil
}

func (a *API) keepResource(ctx context.Context, in *struct {
	URN  string `path:"urn" example:"do:volume:7724db7c"`
	Body struct {
		Reason string `json:"reason"`
	}
}) (*struct{ Body client.Protection }, error) {
	if err := a.o.Provisioning.Keep(ctx, in.URN, in.Body.Reason, actor(ctx), time.Now()); err != nil {
		return nil, err
	}
	kept, err := a.o.Provisioning.Protections(ctx, in.URN)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Protection }{wire.Protections(kept)[0]}, nil
}

func (a *API) unkeepResource(ctx context.Context, in *struct {
	URN string `path:"urn" example:"do:volume:7724db7c"`
}) (*struct{}, error) {
	return nil, a.o.Provisioning.Unkeep(ctx, in.URN)
}
