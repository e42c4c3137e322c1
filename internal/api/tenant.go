package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// TenantQuery names a tenant. It is exported because huma looks at exported fields only.
type TenantQuery struct {
	Tenant string `path:"tenant" doc:"The id or slug." example:"acme"`
}

func (a *API) tenantRoutes(h huma.API) {
	register(a, h, operation("list-tenants", http.MethodGet, "/v1/tenants", "List tenants, by their slugs"), a.listTenants)
	add := operation("add-tenant", http.MethodPost, "/v1/tenants", "Add a tenant")
	add.DefaultStatus = http.StatusCreated
	register(a, h, add, a.addTenant)
	register(a, h, operation("get-tenant", http.MethodGet, "/v1/tenants/{tenant}", "Read a tenant"), a.getTenant)
	register(a, h, operation("change-tenant", http.MethodPatch, "/v1/tenants/{tenant}", "Change what is said of a tenant"), a.changeTenant)
	register(a, h, operation("suspend-tenant", http.MethodPost, "/v1/tenants/{tenant}/suspend", "Note that a tenant is not served for the time being"), a.suspendTenant)
	register(a, h, operation("resume-tenant", http.MethodPost, "/v1/tenants/{tenant}/resume", "Note that a suspended tenant is served again"), a.resumeTenant)
	register(a, h, operation("close-tenant", http.MethodPost, "/v1/tenants/{tenant}/close", "Note that a tenant has left, for good"), a.closeTenant)
	register(a, h, operation("protect-tenant", http.MethodPut, "/v1/tenants/{tenant}/protection", "Keep all stacks of a tenant from being destroyed"), a.protectTenant)
	register(a, h, operation("unprotect-tenant", http.MethodDelete, "/v1/tenants/{tenant}/protection", "End a tenant's protection"), a.unprotectTenant)
	register(a, h, operation("import-tenants", http.MethodPost, "/v1/tenant-imports", "Import tenants from CSV, or from the inventory's tags or projects"), a.importTenants)
}

type tenantAnswer struct{ Body client.Tenant }

// tenantAnswer is a tenant with what is its own.
func (a *API) tenantAnswer(ctx context.Context, t tenant.Tenant, err error) (*tenantAnswer, error) {
	if err != nil {
		return nil, err
	}
	estates, err := a.o.Inventory.Estates(ctx)
	if err != nil {
		return nil, err
	}
	guards, err := a.o.Provisioning.Protections(ctx, provisioning.TenantScope(t.ID))
	return &tenantAnswer{withEstate(t, estates, guards)}, err
}

func withEstate(t tenant.Tenant, estates map[tenant.ID]inventory.Share, guards []provisioning.Protection) client.Tenant {
	w, own := wire.Tenant(t), wire.Estate(estates[t.ID])
	w.Estate = &own
	for _, p := range guards {
		if p.Subject == provisioning.TenantScope(t.ID) {
			w.Protection = &wire.Protections([]provisioning.Protection{p})[0]
		}
	}
	return w
}

func (a *API) listTenants(ctx context.Context, in *struct {
	Search string `query:"search" doc:"Within slug, name or contact, in any case."`
	State  string `query:"state" enum:"active,suspended,closed"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" doc:"next of an earlier page"`
}) (*struct{ Body client.TenantPage }, error) {
	tenants, next, err := a.o.Tenants.Tenants(ctx, tenant.Filter{Search: in.Search, State: tenant.State(in.State), Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	estates, err := a.o.Inventory.Estates(ctx)
	if err != nil {
		return nil, err
	}
	guards, err := a.o.Provisioning.Protections(ctx)
	if err != nil {
		return nil, err
	}
	page := client.TenantPage{Items: make([]client.Tenant, len(tenants)), Next: wire.Text(next)}
	for i, t := range tenants {
		page.Items[i] = withEstate(t, estates, guards)
	}
	return &struct{ Body client.TenantPage }{page}, nil
}

func (a *API) addTenant(ctx context.Context, in *struct{ Body client.TenantEntry }) (*tenantAnswer, error) {
	t, err := a.o.Tenants.Add(ctx, tenant.Entry{Slug: in.Body.Slug, Name: in.Body.Name, Contact: in.Body.Contact}, time.Now())
	if err == nil {
		_, err = a.o.Inventory.Attribute(ctx, "", time.Time{}) // its tags may have been there before
	}
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) getTenant(ctx context.Context, in *TenantQuery) (*tenantAnswer, error) {
	t, err := a.o.Tenants.Tenant(ctx, in.Tenant)
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) changeTenant(ctx context.Context, in *struct {
	TenantQuery
	Body client.TenantEdit
}) (*tenantAnswer, error) {
	if in.Body.Name == nil && in.Body.Contact == nil {
		return nil, fault.New(fault.Invalid, "Nothing is to be different: give a name or a contact.")
	}
	t, err := a.o.Tenants.Change(ctx, in.Tenant, tenant.Edit{Name: in.Body.Name, Contact: in.Body.Contact}, time.Now())
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) suspendTenant(ctx context.Context, in *TenantQuery) (*tenantAnswer, error) {
	t, err := a.o.Tenants.Suspend(ctx, in.Tenant, time.Now())
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) resumeTenant(ctx context.Context, in *TenantQuery) (*tenantAnswer, error) {
	t, err := a.o.Tenants.Resume(ctx, in.Tenant, time.Now())
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) closeTenant(ctx context.Context, in *struct {
	TenantQuery
	Force bool `query:"force" doc:"Also where resources are the tenant's: they stay its own."`
}) (*tenantAnswer, error) {
	if err := a.o.Bills.CheckClose(ctx, in.Tenant); err != nil {
		return nil, err
	}
	t, err := a.o.Inventory.CloseTenant(ctx, in.Tenant, in.Force, time.Now())
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) protectTenant(ctx context.Context, in *struct {
	TenantQuery
	Body struct {
		Reason string `json:"reason,omitempty"`
	}
}) (*tenantAnswer, error) {
	t, err := a.o.Tenants.Tenant(ctx, in.Tenant)
	if err == nil {
		err = a.o.Provisioning.Protect(ctx, provisioning.TenantScope(t.ID), in.Body.Reason, actor(ctx), time.Now())
	}
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) unprotectTenant(ctx context.Context, in *TenantQuery) (*tenantAnswer, error) {
	t, err := a.o.Tenants.Tenant(ctx, in.Tenant)
	if err == nil {
		err = a.o.Provisioning.Unprotect(ctx, provisioning.TenantScope(t.ID))
		if errors.Is(err, fault.NotFound) {
			err = fault.New(fault.NotFound, "Tenant %s is not protected.", t.Slug)
		}
	}
	return a.tenantAnswer(ctx, t, err)
}

func (a *API) importTenants(ctx context.Context, in *struct{ Body client.TenantImport }) (*struct{ Body client.TenantImported }, error) {
	done, err := a.imported(ctx, in.Body, time.Now())
	if err != nil {
		return nil, err
	}
	if done.Done {
		if _, err := a.o.Inventory.Attribute(ctx, "", time.Time{}); err != nil {
			return nil, err
		}
	}
	return &struct{ Body client.TenantImported }{wire.TenantImport(done)}, nil
}

func (a *API) imported(ctx context.Context, i client.TenantImport, at time.Time) (done tenant.Import, err error) {
	var rows []tenant.Row
	switch i.From {
	case "projects":
		return a.o.Inventory.ImportProjects(ctx, actor(ctx), at, i.DryRun)
	case "tags":
		rows, err = a.o.Inventory.TenantsFromTags(ctx)
	default:
		rows, err = tenant.ReadCSV(i.CSV)
	}
	if err != nil {
		return done, err
	}
	return a.o.Tenants.Import(ctx, rows, i.DryRun, at)
}
