package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// SecretQuery names a secret. It is exported because huma looks at exported fields only.
type SecretQuery struct {
	Name   string `path:"name" doc:"1 to 64 small letters, digits and . _ -." example:"api-key"`
	Tenant string `query:"tenant" doc:"Whose stacks may name it: slug or id; left away: every tenant's."`
}

func (a *API) secretRoutes(h huma.API) {
	register(a, h, operation("list-secrets", http.MethodGet, "/v1/secrets", "List what may be shown of secrets, by name; values never are"), a.listSecrets)
	register(a, h, operation("set-secret", http.MethodPut, "/v1/secrets/{name}", "Store a secret's value in place of the one that was there"), a.setSecret)
	register(a, h, operation("remove-secret", http.MethodDelete, "/v1/secrets/{name}", "Forget a secret, and revoke the addresses that would hand it out"), a.removeSecret)
}

// ofTenant is the tenant that a request names; empty for none.
func (a *API) ofTenant(ctx context.Context, ref string) (of tenant.Tenant, err error) {
	if ref == "" {
		return of, nil
	}
	return a.o.Tenants.Tenant(ctx, ref)
}

func (a *API) listSecrets(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Only what this tenant's stacks may name: slug or id."`
}) (*struct{ Body client.List[client.Secret] }, error) {
	of, err := a.ofTenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	all, err := a.o.Secrets.Secrets(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	slugs, err := a.o.Tenants.Slugs(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Secret, len(all))
	for i, one := range all {
		items[i] = wire.Secret(one, slugs[one.Tenant])
	}
	return listed(items), nil
}

func (a *API) setSecret(ctx context.Context, in *struct {
	SecretQuery
	Body client.SecretText
}) (*struct{ Body client.Secret }, error) {
	of, err := a.ofTenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	var kept secret.Secret
	if kept, err = a.o.Secrets.Set(ctx, of.ID, in.Name, vault.NewSecret(in.Body.Value), actor(ctx), time.Now()); err != nil {
		return nil, err
	}
	return &struct{ Body client.Secret }{wire.Secret(kept, of.Slug)}, nil
}

func (a *API) removeSecret(ctx context.Context, in *SecretQuery) (*struct{ Body client.SecretRemoved }, error) {
	of, err := a.ofTenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	closed, err := a.o.Secrets.Remove(ctx, of.ID, in.Name, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.SecretRemoved }{client.SecretRemoved{Removed: in.Name, Tenant: of.Slug, Revoked: closed}}, nil
}
