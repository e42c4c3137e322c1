package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Resource is one thing at DigitalOcean, as it is or as it was at a time.
type Resource struct {
	URN          string          `json:"urn" example:"do:droplet:3164494"`
	Kind         string          `json:"kind" example:"droplet"`
	Account      string          `json:"account"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Region       string          `json:"region"`
	Status       string          `json:"status" doc:"In DigitalOcean's words; empty where it has none."`
	Size         string          `json:"size" doc:"What it is of its kind: a size, a number of GiB."`
	Tags         []string        `json:"tags" nullable:"false"`
	Tenant       *string         `json:"tenant" doc:"The slug of whom it belongs to; null: nobody."`
	Attribution  *Attribution    `json:"attribution"`
	ManagedBy    *string         `json:"managed_by" doc:"The saga that made it."`
	Cost         *Cost           `json:"cost"`
	FirstSeen    Time            `json:"first_seen" format:"date-time"`
	LastChanged  Time            `json:"last_changed" format:"date-time"`
	MissingSince *Time           `json:"missing_since" format:"date-time" doc:"Lists lack it since then, and it is not yet certain that it is gone."`
	Born         *Bounds         `json:"born"`
	DeletedAt    *Time           `json:"deleted_at" format:"date-time"`
	Ended        *Bounds         `json:"ended"`
	Version      int64           `json:"version"`
	Data         json.RawMessage `json:"data" doc:"The document as DigitalOcean wrote it, without secrets."`
}

// An Attribution is why a resource is whose it is.
type Attribution struct {
	Rule       string `json:"rule" enum:"ledger,tag,project,relation,name,manual"`
	Evidence   string `json:"evidence"`
	Confidence int    `json:"confidence" doc:"In percent."`
}

// A Cost is what DigitalOcean bills for something, by the list.
type Cost struct {
	Currency    string `json:"currency" example:"USD"`
	Monthly     string `json:"monthly" example:"24.000000" doc:"For a whole month."`
	MonthToDate string `json:"month_to_date" example:"3.214286" doc:"From the first of the month (UTC) until now."`
}

// Bounds are between when and when something happened.
type Bounds struct {
	From *Time  `json:"from" format:"date-time" doc:"null: nobody knows"`
	To   Time   `json:"to" format:"date-time"`
	By   string `json:"by" doc:"What shows it."`
}

// A Change is one thing that happened to a resource.
type Change struct {
	Seq     int64   `json:"seq" doc:"The number in the feed, without gaps."`
	URN     string  `json:"urn"`
	Account string  `json:"account"`
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Type    string  `json:"type" enum:"created,updated,deleted,reappeared,assigned"`
	After   *Time   `json:"after" format:"date-time" doc:"It happened later than this; null: nobody knows."`
	At      Time    `json:"at" format:"date-time" doc:"And not later than this."`
	Seen    Time    `json:"seen" format:"date-time" doc:"When it was noticed."`
	Version int64   `json:"version"`
	Cause   Cause   `json:"cause"`
	Fields  []Field `json:"fields" nullable:"false"`
	More    int     `json:"more" doc:"How many further fields are different."`
	Tenant  *string `json:"tenant,omitempty" doc:"Of an assignment: whose it is now."`
	Former  *string `json:"former,omitempty" doc:"And whose it was."`
}

// A Cause is who or what brought a change about.
type Cause struct {
	Type       string  `json:"type" enum:"first_sight,saga,action,out_of_band,operator,rule"`
	Saga       *string `json:"saga"`
	Step       *string `json:"step"`
	Action     *string `json:"action" doc:"DigitalOcean's id of it."`
	ActionType *string `json:"action_type"`
	Actor      *string `json:"actor"`
}

// A Field is one difference between two documents.
type Field struct {
	Path   string          `json:"path" example:"/size_slug" doc:"A JSON pointer."`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// A SyncRun is one sync of an account.
type SyncRun struct {
	ID          string     `json:"id"`
	Account     string     `json:"account"`
	State       string     `json:"state" enum:"waiting,running,complete,partial,failed"`
	RequestedBy string     `json:"requested_by"`
	CreatedAt   Time       `json:"created_at" format:"date-time"`
	StartedAt   *Time      `json:"started_at" format:"date-time"`
	FinishedAt  *Time      `json:"finished_at" format:"date-time"`
	Error       *string    `json:"error"`
	Kinds       []SyncKind `json:"kinds" nullable:"false"`
}

// A SyncKind is how the listing of one kind went in a sync.
type SyncKind struct {
	Kind      string  `json:"kind"`
	State     string  `json:"state" enum:"waiting,running,complete,partial,not_permitted,failed"`
	Items     int     `json:"items" doc:"Read so far, of total."`
	Total     int     `json:"total"`
	Resources int     `json:"resources"`
	Requests  int     `json:"requests"`
	Created   int     `json:"created"`
	Updated   int     `json:"updated"`
	Deleted   int     `json:"deleted"`
	AsOf      *Time   `json:"as_of" format:"date-time"`
	Error     *string `json:"error"`
}

// Over reports whether the run has ended.
func (r SyncRun) Over() bool { return r.FinishedAt != nil }

// A Freshness says how old what is known of a kind is.
type Freshness struct {
	Kind      string  `json:"kind"`
	State     string  `json:"state" enum:"complete,partial,not_permitted,failed" doc:"Of the last try."`
	TriedAt   Time    `json:"tried_at" format:"date-time"`
	ListedAt  *Time   `json:"listed_at" format:"date-time" doc:"The last complete list; null: there was none."`
	Resources *int    `json:"resources" doc:"null where no list was complete: nobody knows."`
	Requests  int     `json:"requests" doc:"Of the last try."`
	Error     *string `json:"error"`
}

// A SyncRequest asks for a sync; without kinds of all.
type SyncRequest struct {
	Kinds []string `json:"kinds,omitempty"`
}

// A ChangeQuery selects changes.
type ChangeQuery struct {
	Follow bool // the oldest first
	After  int64
	Before int64
	URN    string
	Kind   string
	Type   string
	Cause  string
	Since  time.Time
	Limit  int
}

// StartSync asks for a sync of an account.
func (c *Client) StartSync(ctx context.Context, account string, kinds ...string) (r SyncRun, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/accounts/"+url.PathEscape(account)+"/sync", nil, nil, SyncRequest{kinds}, &r)
	return r, err
}

// SyncRun reads a sync.
func (c *Client) SyncRun(ctx context.Context, id string) (r SyncRun, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/sync-runs/"+url.PathEscape(id), nil, nil, nil, &r)
	return r, err
}

// Freshness says how old what is known of an account's kinds is.
func (c *Client) Freshness(ctx context.Context, account string) ([]Freshness, error) {
	return list[Freshness](ctx, c, "/v1/accounts/"+url.PathEscape(account)+"/freshness")
}

// Resource reads a resource, as it was at a time where at is not zero.
func (c *Client) Resource(ctx context.Context, urn string, at time.Time) (r Resource, err error) {
	query := url.Values{}
	if !at.IsZero() {
		query.Set("as_of", at.UTC().Format(time.RFC3339Nano))
	}
	_, err = c.call(ctx, http.MethodGet, "/v1/resources/"+pathOf(urn), query, nil, nil, &r)
	return r, err
}

// pathOf is a URN as one segment of a path.
func pathOf(urn string) string { return strings.ReplaceAll(url.PathEscape(urn), "%3A", ":") }

// ResourceChanges are what happened to one resource, the newest first.
func (c *Client) ResourceChanges(ctx context.Context, urn string) ([]Change, error) {
	return list[Change](ctx, c, "/v1/resources/"+pathOf(urn)+"/changes")
}

// Changes reads the feed of changes.
func (c *Client) Changes(ctx context.Context, q ChangeQuery) ([]Change, error) {
	query := url.Values{}
	for name, value := range map[string]string{"urn": q.URN, "kind": q.Kind, "type": q.Type, "cause": q.Cause} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, n := range map[string]int64{"after": q.After, "before": q.Before, "limit": int64(q.Limit)} {
		if n > 0 {
			query.Set(name, strconv.FormatInt(n, 10))
		}
	}
	if q.Follow {
		query.Set("follow", "true")
	}
	if !q.Since.IsZero() {
		query.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	var page List[Change]
	_, err := c.call(ctx, http.MethodGet, "/v1/changes", query, nil, nil, &page)
	return page.Items, err
}

// A Costs is what resources cost, summed by something.
type Costs struct {
	By       string      `json:"by" enum:"tenant,kind,region,project,account"`
	Currency string      `json:"currency" example:"USD"`
	AsOf     Time        `json:"as_of" format:"date-time" doc:"By DigitalOcean's clock."`
	Groups   []CostGroup `json:"groups" nullable:"false" doc:"The dearest first. They add up to total."`
	Total    CostGroup   `json:"total"`
}

// A CostGroup is what one tenant, kind … costs.
type CostGroup struct {
	Key         string `json:"key" doc:"Empty: what belongs to none."`
	Name        string `json:"name" doc:"Of the key, for people."`
	Resources   int    `json:"resources" doc:"That are there now."`
	Monthly     string `json:"monthly" doc:"Of what is there now, for a whole month."`
	MonthToDate string `json:"month_to_date" doc:"Since the first of the month (UTC), of what is gone by now too."`
	MonthEnd    string `json:"month_end" doc:"What the month will have cost if nothing changes."`
	Unpriced    int    `json:"unpriced" doc:"Resources of which a part has no price: their cost is not in here in full."`
}

// A CostComparison compares costs with DigitalOcean's preview of its invoice.
type CostComparison struct {
	Account     string           `json:"account"`
	Currency    string           `json:"currency"`
	AsOf        Time             `json:"as_of" format:"date-time" doc:"When DigitalOcean made the preview."`
	Month       string           `json:"month" example:"2026-11"`
	Lines       []CostDifference `json:"lines" nullable:"false"`
	Ours        string           `json:"ours"`
	Theirs      string           `json:"theirs"`
	Unexplained string           `json:"unexplained"`
}

// A CostDifference is one product of a CostComparison.
type CostDifference struct {
	Product    string `json:"product"`
	Ours       string `json:"ours"`
	Theirs     string `json:"theirs"`
	Difference string `json:"difference"`
	Explained  string `json:"explained" doc:"Why the two may differ; empty where nothing says why, or there is no difference."`
}

// A Relation is how a resource stands to another.
type Relation struct {
	Type  string       `json:"type" enum:"attached_to,member_of,depends_on,snapshot_of,points_to,protects,serves"`
	Out   bool         `json:"out" doc:"From this resource to the other; else the other way round."`
	First bool         `json:"first" doc:"The source has to be deleted before the target can be."`
	Other ResourceName `json:"other"`
}

// A ResourceName is a resource, in short.
type ResourceName struct {
	URN    string `json:"urn"`
	Kind   string `json:"kind" doc:"Empty: the inventory does not keep things of its sort."`
	Name   string `json:"name"`
	Status string `json:"status"`
	Gone   bool   `json:"gone"`
}

// A Graph is a resource with what is around it.
type Graph struct {
	Center string         `json:"center"`
	Nodes  []ResourceName `json:"nodes" nullable:"false"`
	Edges  []GraphEdge    `json:"edges" nullable:"false"`
}

// A GraphEdge goes between two resources of a graph.
type GraphEdge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Type  string `json:"type"`
	First bool   `json:"first"`
}

// Costs sums what resources cost, of one account or of all.
func (c *Client) Costs(ctx context.Context, by, account string) (costs Costs, err error) {
	query := url.Values{"by": {by}}
	if account != "" {
		query.Set("account", account)
	}
	_, err = c.call(ctx, http.MethodGet, "/v1/costs", query, nil, nil, &costs)
	return costs, err
}

// CompareCosts compares the costs of an account with DigitalOcean's own preview.
func (c *Client) CompareCosts(ctx context.Context, account string) (cmp CostComparison, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/accounts/"+url.PathEscape(account)+"/cost-comparison", nil, nil, nil, &cmp)
	return cmp, err
}

// Relations are how a resource stands to others.
func (c *Client) Relations(ctx context.Context, urn string) ([]Relation, error) {
	return list[Relation](ctx, c, "/v1/resources/"+pathOf(urn)+"/relations")
}

// Graph reads a resource with what is around it, so many hops far.
func (c *Client) Graph(ctx context.Context, urn string, hops int) (g Graph, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/resources/"+pathOf(urn)+"/graph", url.Values{"hops": {strconv.Itoa(hops)}}, nil, nil, &g)
	return g, err
}

// A ResourceQuery asks for a list of resources.
type ResourceQuery struct {
	Text    string    // in the grammar of searches: "kind:droplet tenant:acme cost>20"
	AsOf    time.Time // as they were then; zero: as they are
	Deleted bool      // also what is gone
	Sort    string    // name, cost, changed, kind or created
	Desc    bool
	Limit   int
	Cursor  string
}

// A ResourcePage is one page of what a query finds, with what all pages have in sum.
type ResourcePage struct {
	Items  []Resource         `json:"items" nullable:"false"`
	Next   *string            `json:"next" doc:"The cursor of the next page."`
	Total  int                `json:"total" doc:"On all pages."`
	Cost   CostGroup          `json:"cost" doc:"Of all pages."`
	Facets map[string][]Facet `json:"facets" doc:"How many of all there are by kind, region, tenant, account and status."`
}

// A Facet is how many resources have a value.
type Facet struct {
	Value string `json:"value" doc:"Empty: none."`
	Name  string `json:"name" doc:"For people."`
	Count int    `json:"count"`
}

// Resources finds resources.
func (c *Client) Resources(ctx context.Context, q ResourceQuery) (page ResourcePage, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"q": q.Text, "sort": q.Sort, "cursor": q.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if !q.AsOf.IsZero() {
		query.Set("as_of", q.AsOf.UTC().Format(time.RFC3339Nano))
	}
	if q.Deleted {
		query.Set("deleted", "true")
	}
	if q.Desc {
		query.Set("desc", "true")
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	_, err = c.call(ctx, http.MethodGet, "/v1/resources", query, nil, nil, &page)
	return page, err
}
