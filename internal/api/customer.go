package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) customerRoutes(h huma.API) {
	register(a, h, operation("list-customers", http.MethodGet, "/v1/customers", "List how tenants are billed, by their slugs"), a.listCustomers)
	register(a, h, operation("get-customer", http.MethodGet, "/v1/customers/{tenant}", "Read how a tenant is billed"), a.getCustomer)
	register(a, h, operation("put-customer", http.MethodPut, "/v1/customers/{tenant}", "Say how a tenant is billed"), a.putCustomer)
	register(a, h, operation("list-issuers", http.MethodGet, "/v1/issuers", "List who sends invoices"), a.listIssuers)
	put := operation("put-issuer", http.MethodPut, "/v1/issuers/{issuer}", "Say who sends invoices")
	put.MaxBodyBytes = maxIssuer
	register(a, h, put, a.putIssuer)
}

// maxIssuer is the most that is read of an issuer, in bytes: its logo is in base64.
const maxIssuer = 1 << 20

type customerAnswer struct{ Body client.Customer }

func (a *API) listCustomers(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Customer] }, error) {
	all, err := a.o.Bills.Customers(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Customer, len(all))
	for i, c := range all {
		items[i] = wire.Customer(c, time.Now())
	}
	return listed(items), nil
}

func (a *API) getCustomer(ctx context.Context, in *TenantQuery) (*customerAnswer, error) {
	c, err := a.o.Bills.Customer(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	return &customerAnswer{wire.Customer(c, time.Now())}, nil
}

func (a *API) putCustomer(ctx context.Context, in *struct {
	TenantQuery
	Body client.CustomerProfile
}) (*customerAnswer, error) {
	c, err := a.o.Bills.PutCustomer(ctx, in.Tenant, wire.CustomerProfile(in.Body), actor(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	return &customerAnswer{wire.Customer(c, time.Now())}, nil
}

func (a *API) listIssuers(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Issuer] }, error) {
	all, err := a.o.Bills.Issuers(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Issuer, len(all))
	for i, one := range all {
		items[i] = wire.Issuer(one)
	}
	return listed(items), nil
}

func (a *API) putIssuer(ctx context.Context, in *struct {
	Issuer string `path:"issuer" doc:"Its id." example:"main"`
	Body   client.IssuerProfile
}) (*struct{ Body client.Issuer }, error) {
	i, err := a.o.Bills.PutIssuer(ctx, wire.IssuerProfile(in.Issuer, in.Body), actor(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Issuer }{wire.Issuer(i)}, nil
}
