package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Tenant is whom the product is hosted for.
type Tenant struct {
	ID        string  `json:"id" example:"ten_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Slug      string  `json:"slug" example:"acme" doc:"Tags at DigitalOcean carry it: tenant:acme. It never changes."`
	Name      string  `json:"name"`
	Contact   string  `json:"contact"`
	State     string  `json:"state" enum:"active,suspended,closed"`
	CreatedAt Time    `json:"created_at" format:"date-time"`
	ChangedAt Time    `json:"changed_at" format:"date-time"`
	Estate    *Estate `json:"estate" doc:"What is the tenant's own now."`

	Protection *Protection `json:"protection" doc:"Why nothing of its stacks is destroyed; null: it may be."`
}

// An Estate is what is somebody's own.
type Estate struct {
	Resources int64  `json:"resources"`
	Currency  string `json:"currency" example:"USD"`
	Monthly   string `json:"monthly" example:"24.000000" doc:"For a whole month, without what has no price."`
	Unpriced  int64  `json:"unpriced" doc:"Resources without a price."`
}

// A TenantEntry says what a new tenant is.
type TenantEntry struct {
	Slug    string `json:"slug"`
	Name    string `json:"name,omitempty" doc:"Left away: the slug."`
	Contact string `json:"contact,omitempty"`
}

// A TenantEdit says what is to be different; what is left away stays.
type TenantEdit struct {
	Name    *string `json:"name,omitempty"`
	Contact *string `json:"contact,omitempty"`
}

// A TenantFilter selects tenants; empty fields select all.
type TenantFilter struct {
	Search, State string
	Limit         int // of a page, 1 to 1000; 0 is 100
	Cursor        string
}

// A TenantPage is one page of a list of tenants, by their slugs.
type TenantPage struct {
	Items []Tenant `json:"items" nullable:"false"`
	Next  *string  `json:"next" doc:"The cursor of the next page; null on the last one."`
}

// A TenantImport asks for an import.
type TenantImport struct {
	From   string `json:"from" enum:"csv,tags,projects" doc:"csv: the text beside. tags: one for each tag tenant:<slug> of the inventory. projects: one for each project, with a rule that what is in it is the tenant's."`
	CSV    string `json:"csv,omitempty" doc:"With a heading that names the columns: slug,name,contact."`
	DryRun bool   `json:"dry_run,omitempty"`
}

// A TenantImported is what became, or would become, of each row of an import.
type TenantImported struct {
	Done      bool            `json:"done" doc:"It was written: not in a dry run, and not where a row is refused."`
	Added     int             `json:"added"`
	Changed   int             `json:"changed"`
	Unchanged int             `json:"unchanged"`
	Refused   int             `json:"refused"`
	Items     []TenantOutcome `json:"items" nullable:"false"`
}

// A TenantOutcome is what becomes of one row.
type TenantOutcome struct {
	Line   int    `json:"line,omitempty" doc:"Of the file, from 1."`
	From   string `json:"from,omitempty"`
	Slug   string `json:"slug"`
	Name   string `json:"name"`
	Action string `json:"action" enum:"added,changed,unchanged,refused"`
	Why    string `json:"why,omitempty"`
}

// Tenants lists tenants.
func (c *Client) Tenants(ctx context.Context, f TenantFilter) (p TenantPage, err error) {
	q := url.Values{}
	set(q, "search", f.Search)
	set(q, "state", f.State)
	set(q, "limit", number(int64(f.Limit)))
	set(q, "cursor", f.Cursor)
	_, err = c.call(ctx, http.MethodGet, "/v1/tenants", q, nil, nil, &p)
	return p, err
}

// Tenant reads the tenant with this id or slug.
func (c *Client) Tenant(ctx context.Context, ref string) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodGet, tenantPath(ref), nil, nil, nil, &t)
	return t, err
}

// AddTenant adds a tenant.
func (c *Client) AddTenant(ctx context.Context, e TenantEntry) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/tenants", nil, nil, e, &t)
	return t, err
}

// ChangeTenant changes what is said of a tenant.
func (c *Client) ChangeTenant(ctx context.Context, ref string, e TenantEdit) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodPatch, tenantPath(ref), nil, nil, e, &t)
	return t, err
}

// SuspendTenant notes that a tenant is not served for the time being.
func (c *Client) SuspendTenant(ctx context.Context, ref string) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodPost, tenantPath(ref)+"/suspend", nil, nil, nil, &t)
	return t, err
}

// ResumeTenant notes that a suspended tenant is served again.
func (c *Client) ResumeTenant(ctx context.Context, ref string) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodPost, tenantPath(ref)+"/resume", nil, nil, nil, &t)
	return t, err
}

// CloseTenant notes that a tenant has left, for good; with force also one that has
// resources.
func (c *Client) CloseTenant(ctx context.Context, ref string, force bool) (t Tenant, err error) {
	q := url.Values{}
	if force {
		q.Set("force", "true")
	}
	_, err = c.call(ctx, http.MethodPost, tenantPath(ref)+"/close", q, nil, nil, &t)
	return t, err
}

// ImportTenants imports tenants.
func (c *Client) ImportTenants(ctx context.Context, i TenantImport) (done TenantImported, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/tenant-imports", nil, nil, i, &done)
	return done, err
}

func tenantPath(ref string) string { return "/v1/tenants/" + url.PathEscape(ref) }

// ProtectTenant has nothing of a tenant's stacks be destroyed before UnprotectTenant.
func (c *Client) ProtectTenant(ctx context.Context, ref, reason string) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/tenants/"+url.PathEscape(ref)+"/protection", nil, nil, map[string]string{"reason": reason}, &t)
	return t, err
}

// UnprotectTenant ends a tenant's protection.
func (c *Client) UnprotectTenant(ctx context.Context, ref string) (t Tenant, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/tenants/"+url.PathEscape(ref)+"/protection", nil, nil, nil, &t)
	return t, err
}
