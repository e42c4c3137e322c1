package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// AccountQuery names an account. It is exported because huma looks at exported fields only.
type AccountQuery struct {
	Account string `path:"account" doc:"Our name for the account, \"default\"."`
}

// ResourceQuery names a resource. It is exported because huma looks at exported fields only.
type ResourceQuery struct {
	URN string `path:"urn" example:"do:droplet:3164494"`
}

func (a *API) inventoryRoutes(h huma.API) {
	start := operation("start-sync", http.MethodPost, "/v1/accounts/{account}/sync", "List what an account has, now")
	start.DefaultStatus = http.StatusAccepted
	register(a, h, start, a.startSync)
	register(a, h, operation("get-sync", http.MethodGet, "/v1/sync-runs/{id}", "Say how far a sync is, and how it went"), a.getSync)
	register(a, h, operation("list-freshness", http.MethodGet, "/v1/accounts/{account}/freshness", "Say how old what is known of each kind is"), a.listFreshness)
	register(a, h, operation("list-resources", http.MethodGet, "/v1/resources", "Find resources, as they are or as they were"), a.listResources)
	register(a, h, operation("get-resource", http.MethodGet, "/v1/resources/{urn}", "Read a resource, as it is or as it was"), a.getResource)
	register(a, h, operation("list-resource-changes", http.MethodGet, "/v1/resources/{urn}/changes", "List what happened to a resource, the newest first"), a.listResourceChanges)
	register(a, h, operation("list-changes", http.MethodGet, "/v1/changes", "Read the feed of changes"), a.listChanges)
}

type syncAnswer struct {
	Location string `header:"Location" doc:"Where the sync is."`
	Body     client.SyncRun
}

func (a *API) startSync(ctx context.Context, in *struct {
	AccountQuery
	Body client.SyncRequest
}) (*syncAnswer, error) {
	r, err := a.o.Inventory.StartSync(ctx, in.Account, in.Body.Kinds, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &syncAnswer{"/v1/sync-runs/" + string(r.ID), wire.SyncRun(r)}, nil
}

func (a *API) getSync(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*struct{ Body client.SyncRun }, error) {
	r, err := a.o.Inventory.Run(ctx, inventory.RunID(in.ID))
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.SyncRun }{wire.SyncRun(r)}, nil
}

func (a *API) listFreshness(ctx context.Context, in *AccountQuery) (*struct{ Body client.List[client.Freshness] }, error) {
	fresh, err := a.o.Inventory.Freshness(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	items := make([]client.Freshness, len(fresh))
	for i, f := range fresh {
		items[i] = wire.Freshness(f)
	}
	return listed(items), nil
}

func (a *API) listResources(ctx context.Context, in *struct {
	Text    string    `query:"q" example:"kind:droplet tenant:acme cost>20" doc:"The grammar of searches: words, and terms as kind:droplet, cost>20, changed<24h, as-of:2026-11-01."`
	AsOf    time.Time `query:"as_of" doc:"As they were then; left away: as they are."`
	Deleted bool      `query:"deleted" doc:"Also what is gone."`
	Sort    string    `query:"sort" enum:"name,cost,changed,kind,created" default:"name"`
	Desc    bool      `query:"desc" doc:"The last first."`
	Limit   int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor  string    `query:"cursor" doc:"next of an earlier page"`
}) (*struct{ Body client.ResourcePage }, error) {
	q, err := inventory.ParseQuery(in.Text)
	if err != nil {
		return nil, err
	}
	if !in.AsOf.IsZero() {
		q.AsOf = in.AsOf
	}
	if in.Deleted {
		q.Terms = append(q.Terms, inventory.Term{Key: "deleted", Op: ":", Values: []string{"any"}})
	}
	l, err := a.o.Inventory.Resources(ctx, q, inventory.Page{Sort: inventory.Sort(in.Sort), Desc: in.Desc, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.ResourcePage }{wire.ResourcePage(l)}, nil
}

func (a *API) getResource(ctx context.Context, in *struct {
	ResourceQuery
	AsOf time.Time `query:"as_of" doc:"As it was then; left away: as it is."`
}) (*struct{ Body client.Resource }, error) {
	d, err := a.o.Inventory.Describe(ctx, in.URN, in.AsOf)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Resource }{wire.Description(d)}, nil
}

func (a *API) listResourceChanges(ctx context.Context, in *ResourceQuery) (*struct{ Body client.List[client.Change] }, error) {
	if _, err := a.o.Inventory.Resource(ctx, in.URN, time.Time{}); err != nil {
		return nil, err
	}
	return a.changes(ctx, inventory.ChangeFilter{URN: in.URN, Limit: 1000})
}

func (a *API) listChanges(ctx context.Context, in *struct {
	Follow bool      `query:"follow" doc:"The oldest first: what comes after after. Whoever follows asks again with the last seq that it got, and misses nothing."`
	After  int64     `query:"after" minimum:"0" doc:"Only numbers above this one."`
	Before int64     `query:"before" minimum:"0" doc:"Only numbers below this one."`
	URN    string    `query:"urn"`
	Kind   string    `query:"kind"`
	Type   string    `query:"type" enum:"created,updated,deleted,reappeared,assigned"`
	Cause  string    `query:"cause" enum:"first_sight,saga,action,out_of_band,operator,rule"`
	Since  time.Time `query:"since" doc:"Noticed then or later."`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (*struct{ Body client.List[client.Change] }, error) {
	f := inventory.ChangeFilter{Follow: in.Follow, After: in.After, Before: in.Before, URN: in.URN, Since: in.Since, Limit: in.Limit}
	if in.Kind != "" {
		if inventory.KindNamed(in.Kind) == nil {
			return nil, fault.New(fault.Invalid, "There is no kind %q.", in.Kind)
		}
		f.Kinds = []string{in.Kind}
	}
	if in.Type != "" {
		f.Types = []inventory.ChangeType{inventory.ChangeType(in.Type)}
	}
	if in.Cause != "" {
		f.Causes = []inventory.CauseType{inventory.CauseType(in.Cause)}
	}
	return a.changes(ctx, f)
}

func (a *API) changes(ctx context.Context, f inventory.ChangeFilter) (*struct{ Body client.List[client.Change] }, error) {
	found, err := a.o.Inventory.Changes(ctx, f)
	if err != nil {
		return nil, err
	}
	items := make([]client.Change, len(found))
	for i, c := range found {
		items[i] = wire.Change(c)
	}
	return listed(items), nil
}
