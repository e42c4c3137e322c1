package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/vault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) fleetRoutes(h huma.API) {
	register(a, h, operation("list-droplets", http.MethodGet, "/v1/droplets", "List the account's droplets"), a.listDroplets)
	register(a, h, started(operation("snapshot-droplet", http.MethodPost, "/v1/droplets/{id}/snapshot", "Take a snapshot of a droplet")), a.snapshotDroplet)
	register(a, h, started(operation("smoke-droplet", http.MethodPost, "/v1/droplets/{id}/smoke",
		"Take a snapshot of a droplet, fail on purpose, and undo it")), a.smokeDroplet)
	register(a, h, operation("list-tokens", http.MethodGet, "/v1/tokens", "List what may be shown of the tokens"), a.listTokens)
	register(a, h, operation("set-token", http.MethodPut, "/v1/tokens/{purpose}", "Store a token in place of the one that was there"), a.setToken)
	remove := operation("remove-token", http.MethodDelete, "/v1/tokens/{purpose}", "Forget a token; it is not revoked")
	remove.DefaultStatus = http.StatusNoContent
	register(a, h, remove, a.removeToken)
	register(a, h, operation("list-checks", http.MethodGet, "/v1/checks", "Say how this process is"), a.listChecks)
}

func (a *API) listDroplets(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Droplet] }, error) {
	droplets, err := a.o.Provisioning.Droplets(ctx, a.o.Account)
	if err != nil {
		return nil, err
	}
	items := make([]client.Droplet, len(droplets))
	for i, d := range droplets {
		items[i] = wire.Droplet(d)
	}
	return listed(items), nil
}

func (a *API) listTokens(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Token] }, error) {
	kept, err := a.o.Access.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	items := []client.Token{}
	for _, t := range kept {
		items = append(items, wire.Token(t))
	}
	return listed(items), nil
}

// TokenQuery names a token. It is exported because huma looks at exported fields only.
type TokenQuery struct {
	Purpose string `path:"purpose" doc:"inventory, provisioning or billing"`
	Account string `query:"account" default:"default" doc:"Our name for the account that the token is of."`
}

func (a *API) setToken(ctx context.Context, in *struct {
	TokenQuery
	Body client.TokenText
}) (*struct{ Body client.Token }, error) {
	purpose, err := digitalocean.ParsePurpose(in.Purpose)
	if err != nil {
		return nil, err
	}
	var expires *time.Time
	if in.Body.ExpiresAt != nil {
		expires = &in.Body.ExpiresAt.Time
	}
	t, err := a.o.Access.SetToken(ctx, in.Account, purpose, vault.NewSecret(in.Body.Token), expires, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Token }{wire.Token(t)}, nil
}

func (a *API) removeToken(ctx context.Context, in *TokenQuery) (*struct{}, error) {
	purpose, err := digitalocean.ParsePurpose(in.Purpose)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, a.o.Access.RemoveToken(ctx, in.Account, purpose)
}

func (a *API) listChecks(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Check] }, error) {
	return listed(a.o.Checks(ctx)), nil
}
