package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// maxUsage is the most that is read of a batch of events, in bytes.
const maxUsage = 16 << 20

func (a *API) usageRoutes(h huma.API) {
	push := operation("push-usage", http.MethodPost, "/v1/usage", "Record usage events: each is counted once by tenant, source and id")
	push.MaxBodyBytes = maxUsage
	push.Description = "The body is a JSON array of CloudEvents 1.0, one event, or one event a line; at most 10,000 events and 16 MiB. " +
		"The subject is the tenant's slug or id. It may be repeated: what was accepted is a duplicate then. " +
		"replaces and voids name another event of the same source that no longer counts."
	push.SkipValidateBody = true // what is wrong with an event is said beside the others
	push.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	register(a, h, push, a.pushUsage)
	push.RequestBody.Content["application/json"].Schema = &huma.Schema{ // huma calls it text
		Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true},
	}
	register(a, h, operation("list-usage-events", http.MethodGet, "/v1/usage/events",
		"List a tenant's events as they were accepted, the last that happened first, those too that do not count any more"), a.listUsageEvents)
	register(a, h, operation("list-usage-conflicts", http.MethodGet, "/v1/usage/conflicts",
		"List events that were told again with another content"), a.listUsageConflicts)
	register(a, h, operation("list-lifetimes", http.MethodGet, "/v1/lifetimes",
		"List for how long resources had a size, a price, a status and a tenant"), a.listLifetimes)
}

func (a *API) pushUsage(ctx context.Context, in *struct {
	Tenant  string `query:"tenant" doc:"Whose all events are, id or slug; left away: each event says so."`
	RawBody []byte `contentType:"application/json"`
}) (*struct{ Body client.UsageBatch }, error) {
	told, err := metering.ReadBatch(in.RawBody)
	if err != nil {
		return nil, err
	}
	results, err := a.o.Metering.Push(ctx, told, in.Tenant, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.UsageBatch }{wire.UsageBatch(results)}, nil
}

func (a *API) listUsageEvents(ctx context.Context, in *struct {
	Tenant string    `query:"tenant" required:"true" doc:"Of this tenant, id or slug."`
	Meter  string    `query:"meter" doc:"Only those that this meter is about."`
	From   time.Time `query:"from" doc:"Happened within [from, to)."`
	To     time.Time `query:"to"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string    `query:"cursor" doc:"next of an earlier page"`
}) (*struct{ Body client.UsageEventPage }, error) {
	t, err := a.o.Tenants.Tenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	f := metering.KeptFilter{Tenant: t.ID, Meter: in.Meter, From: in.From, To: in.To, Limit: in.Limit + 1}
	if in.Cursor != "" {
		if f.After, err = afterEvent(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := a.o.Metering.Kept(ctx, f)
	if err != nil {
		return nil, err
	}
	page := client.UsageEventPage{Items: []client.KeptUsageEvent{}}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[in.Limit-1]
		page.Next = wire.Text(url.Values{"at": {strconv.FormatInt(last.At.UnixMicro(), 10)}, "source": {last.Source}, "id": {last.ID}}.Encode())
	}
	for _, k := range list {
		page.Items = append(page.Items, wire.KeptUsageEvent(k))
	}
	return &struct{ Body client.UsageEventPage }{page}, nil
}

// afterEvent is the event that a page ended with, as far as its cursor tells.
func afterEvent(cursor string) (*metering.Event, error) {
	q, err := url.ParseQuery(cursor)
	at, wrong := strconv.ParseInt(q.Get("at"), 10, 64)
	if err != nil || wrong != nil || q.Get("source") == "" || q.Get("id") == "" {
		return nil, fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	}
	return &metering.Event{At: time.UnixMicro(at), Source: q.Get("source"), ID: q.Get("id")}, nil
}

func (a *API) listUsageConflicts(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (*struct {
	Body client.List[client.UsageConflict]
}, error) {
	slugs, of, err := a.tenantNames(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	conflicts, err := a.o.Metering.Conflicts(ctx, of, time.Time{}, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]client.UsageConflict, len(conflicts))
	for i, c := range conflicts {
		items[i] = wire.UsageConflict(c, slugs[c.Tenant])
	}
	return listed(items), nil
}

// tenantNames are all tenants' slugs, and the id of the one that ref names, which may
// be empty.
func (a *API) tenantNames(ctx context.Context, ref string) (slugs map[tenant.ID]string, of tenant.ID, err error) {
	if ref != "" {
		t, err := a.o.Tenants.Tenant(ctx, ref)
		if err != nil {
			return nil, "", err
		}
		return map[tenant.ID]string{t.ID: t.Slug}, t.ID, nil
	}
	slugs, err = a.o.Tenants.Slugs(ctx)
	return slugs, "", err
}

func (a *API) listLifetimes(ctx context.Context, in *struct {
	Tenant string    `query:"tenant" doc:"Of this tenant, id or slug; none: of nobody."`
	URN    string    `query:"urn" doc:"Of this resource."`
	Kind   string    `query:"kind"`
	From   time.Time `query:"from" doc:"That share an instant with [from, to)."`
	To     time.Time `query:"to"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string    `query:"cursor" doc:"next of an earlier page"`
}) (*struct{ Body client.LifetimePage }, error) {
	f := metering.LifeFilter{URN: in.URN, Kind: in.Kind, From: in.From, To: in.To, Limit: in.Limit + 1}
	if f.Nobody = in.Tenant == "none"; f.Nobody {
		in.Tenant = ""
	}
	slugs, of, err := a.tenantNames(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	f.Tenant = of
	if in.Cursor != "" {
		if f.After, err = afterLife(in.Cursor); err != nil {
			return nil, err
		}
	}
	lives, err := a.o.Metering.Lives(ctx, f)
	if err != nil {
		return nil, err
	}
	page := client.LifetimePage{Items: []client.Lifetime{}}
	if len(lives) > in.Limit {
		lives = lives[:in.Limit]
		last := lives[in.Limit-1]
		page.Next = wire.Text(strconv.FormatInt(last.From.UnixMicro(), 10) + "@" + last.URN)
	}
	for _, l := range lives {
		page.Items = append(page.Items, wire.Lifetime(l, slugs[l.Tenant]))
	}
	return &struct{ Body client.LifetimePage }{page}, nil
}

// afterLife is the life that a page ended with, as far as its cursor tells.
func afterLife(cursor string) (l metering.Life, err error) {
	micros, urn, ok := strings.Cut(cursor, "@")
	at, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || !ok || urn == "" {
		return l, fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	}
	l.URN, l.From = urn, time.UnixMicro(at)
	return l, nil
}
