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

// SubscriptionQuery names a subscription. It is exported because huma looks at
// exported fields only.
type SubscriptionQuery struct {
	ID string `path:"id" example:"sub_0193a4c0d1e2738fa1b2c3d4e5f60718"`
}

func (a *API) subscriptionRoutes(h huma.API) {
	register(a, h, operation("list-subscriptions", http.MethodGet, "/v1/subscriptions", "List subscriptions"), a.listSubscriptions)
	register(a, h, operation("get-subscription", http.MethodGet, "/v1/subscriptions/{id}", "Read a subscription with its changes"), a.getSubscription)
	create := operation("create-subscription", http.MethodPost, "/v1/subscriptions", "Subscribe a customer to a plan, or preview it")
	registerOnce(a, h, create, a.createSubscription)
	migrate := operation("migrate-subscriptions", http.MethodPost, "/v1/subscription-migrations", "Give everybody who has a version of a plan another, or say what that comes to")
	migrate.Description = "All of them or nobody. Who is excepted, and who has another change to come, keeps what it has."
	registerOnce(a, h, migrate, a.migrateSubscriptions)
	registerOnce(a, h, operation("change-subscription", http.MethodPost, "/v1/subscriptions/{id}/changes",
		"Change plan or quantity, add an item, suspend, resume or cancel, have a coupon join or leave; or preview it"), a.changeSubscription)
}

func (a *API) listSubscriptions(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
}) (*struct {
	Body client.List[client.Subscription]
}, error) {
	all, err := a.o.Bills.Subscriptions(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	items := make([]client.Subscription, len(all))
	for i, s := range all {
		items[i] = wire.Subscription(s, time.Now())
	}
	return listed(items), nil
}

func (a *API) getSubscription(ctx context.Context, in *SubscriptionQuery) (*struct{ Body client.Subscription }, error) {
	s, err := a.o.Bills.Agreement(ctx, billing.SubscriptionID(in.ID))
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Subscription }{wire.Subscription(s, time.Now())}, nil
}

type subscribed = struct{ Body client.Subscribed }

// subscribed is a subscription as it was, or would be, changed, and what is due.
func (a *API) subscribed(s billing.Agreement, due []billing.Invoice, dry bool, err error) (*subscribed, error) {
	if err != nil {
		return nil, err
	}
	documents, err := wire.Documents(due)
	return &subscribed{client.Subscribed{Subscription: wire.Subscription(s, time.Now()), Due: documents, DryRun: dry}}, err
}

func (a *API) createSubscription(ctx context.Context, in *struct {
	RequestKey
	Body client.SubscriptionOrder
}) (*subscribed, error) {
	o := in.Body
	s, due, err := a.o.Bills.Subscribe(ctx, billing.Order{
		Tenant: o.Tenant, Plan: o.Plan, Quantity: o.Quantity, From: o.From, AnchorDay: o.AnchorDay, Taxes: o.Taxes, Coupons: o.Coupons, Reason: o.Reason,
		DryRun: o.DryRun, By: actor(ctx),
	}, time.Now())
	return a.subscribed(s, due, o.DryRun, err)
}

func (a *API) changeSubscription(ctx context.Context, in *struct {
	SubscriptionQuery
	RequestKey
	Body client.ChangeOrder
}) (*subscribed, error) {
	o := in.Body
	s, due, err := a.o.Bills.ChangeSubscription(ctx, billing.SubscriptionID(in.ID), billing.ChangeOrder{
		Type: billing.ChangeType(o.Type), Item: o.Item, Plan: o.Plan, Quantity: o.Quantity, When: o.When, Until: o.Until, Coupon: o.Coupon, Reason: o.Reason, DryRun: o.DryRun, By: actor(ctx),
		Supersede: o.Supersede,
	}, time.Now())
	return a.subscribed(s, due, o.DryRun, err)
}

func (a *API) migrateSubscriptions(ctx context.Context, in *struct {
	RequestKey
	Body client.MigrationOrder
}) (*struct{ Body client.Migration }, error) {
	o := in.Body
	m, err := a.o.Bills.Migrate(ctx, billing.MigrationOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Currency: o.Currency, From: o.From, To: o.To, Tenants: o.Tenants, Except: o.Except, When: o.When,
		Reason: o.Reason, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Migration }{wire.Migration(m)}, nil
}
