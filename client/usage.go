package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// A UsageBatch is what became of usage events that were sent together.
type UsageBatch struct {
	Accepted   int           `json:"accepted"`
	Duplicates int           `json:"duplicates"`
	Rejected   int           `json:"rejected"`
	Items      []UsageResult `json:"items" nullable:"false" doc:"One for each event, in the order in which they were sent."`
}

// A UsageResult is what became of one event.
type UsageResult struct {
	Status string `json:"status" enum:"accepted,duplicate,rejected"`
	Late   bool   `json:"late,omitempty" doc:"It happened more than 48 hours ago: its month may be billed already."`
	Reason string `json:"reason,omitempty" enum:"malformed,too_far_ahead,too_old,unknown_tenant,wrong_tenant,closed_tenant,conflict,unknown_event,already_corrected"`
	Detail string `json:"detail,omitempty" doc:"What is wrong, beginning with the attribute."`
}

// A UsageEvent is an event as it is kept.
type UsageEvent struct {
	Source     string            `json:"source"`
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Time       Time              `json:"time" format:"date-time"`
	RecordedAt Time              `json:"recorded_at" format:"date-time" doc:"When it became known."`
	Data       map[string]string `json:"data" nullable:"false" doc:"The members that can be a value, as they were written."`
}

// A KeptUsageEvent is an event that was accepted, with what became known of it since.
type KeptUsageEvent struct {
	UsageEvent
	Counts      bool    `json:"counts" doc:"By what is known now."`
	OnlyVoids   bool    `json:"only_voids" doc:"It says of another that it does not count."`
	CorrectedBy *string `json:"corrected_by" doc:"The id of the event of its source since which it does not count; null: it was not corrected."`
	CorrectedAt *Time   `json:"corrected_at" format:"date-time" doc:"When that became known."`
	Conflicts   int64   `json:"conflicts" doc:"How often it was told again with another content."`
}

// A UsageEventPage is one page of a tenant's events, the last that happened first.
type UsageEventPage struct {
	Items []KeptUsageEvent `json:"items" nullable:"false"`
	Next  *string          `json:"next" doc:"The cursor of the next page; null on the last one."`
}

// A UsageEventFilter selects events of a tenant; other empty fields select all.
type UsageEventFilter struct {
	Tenant   string // slug or id; needed
	Meter    string // only those that it is about
	From, To time.Time
	Limit    int // of a page, 1 to 1000; 0 is 100
	Cursor   string
}

// UsageEvents lists a tenant's events as they were accepted.
func (c *Client) UsageEvents(ctx context.Context, f UsageEventFilter) (p UsageEventPage, err error) {
	q := url.Values{}
	set(q, "tenant", f.Tenant)
	set(q, "meter", f.Meter)
	set(q, "from", moment(f.From))
	set(q, "to", moment(f.To))
	set(q, "limit", number(int64(f.Limit)))
	set(q, "cursor", f.Cursor)
	_, err = c.call(ctx, http.MethodGet, "/v1/usage/events", q, nil, nil, &p)
	return p, err
}

// A UsageConflict is an event that was told again with another content.
type UsageConflict struct {
	Tenant  string     `json:"tenant" doc:"The slug."`
	Counts  UsageEvent `json:"counts" doc:"As it was told first."`
	Against UsageEvent `json:"against" doc:"As it was told later, which counts nothing."`
	Told    int64      `json:"told" doc:"How often it was told so."`
	LastAt  Time       `json:"last_at" format:"date-time"`
}

// A Lifetime is a time for which a resource had one size, price, status and tenant.
type Lifetime struct {
	URN          string  `json:"urn" example:"do:droplet:3164494"`
	Account      string  `json:"account"`
	Kind         string  `json:"kind"`
	Size         string  `json:"size"`
	Status       string  `json:"status" doc:"As DigitalOcean says it: active, off …"`
	Tenant       *string `json:"tenant" doc:"The slug; null: nobody's."`
	PriceMonthly *string `json:"price_monthly" doc:"US dollars for a month of 672 hours; null: a part of it has no price."`
	From         Instant `json:"from"`
	To           Instant `json:"to" doc:"Its time is null while it lasts."`
}

// An Instant is when a lifetime began or ended, and how it is known.
type Instant struct {
	At       *Time  `json:"at" format:"date-time"`
	Earliest *Time  `json:"earliest" format:"date-time" doc:"How early it may have been; null: nobody knows."`
	Exact    bool   `json:"exact"`
	Evidence string `json:"evidence" doc:"document, saga, action, lists (between two of them), first_sight, or attribution (whose it is was decided)."`
}

// A LifetimePage is one page of a list of lifetimes, by URN and time.
type LifetimePage struct {
	Items []Lifetime `json:"items" nullable:"false"`
	Next  *string    `json:"next" doc:"The cursor of the next page; null on the last one."`
}

// A LifetimeFilter selects lifetimes; empty fields select all.
type LifetimeFilter struct {
	Tenant   string // slug or id; "none": nobody's
	URN      string
	Kind     string
	From, To time.Time // that share an instant with [From, To)
	Limit    int       // of a page, 1 to 1000
	Cursor   string
}

// Lifetimes lists lifetimes of resources.
func (c *Client) Lifetimes(ctx context.Context, f LifetimeFilter) (p LifetimePage, err error) {
	q := url.Values{}
	set(q, "tenant", f.Tenant)
	set(q, "urn", f.URN)
	set(q, "kind", f.Kind)
	set(q, "from", moment(f.From))
	set(q, "to", moment(f.To))
	set(q, "limit", number(int64(f.Limit)))
	set(q, "cursor", f.Cursor)
	_, err = c.call(ctx, http.MethodGet, "/v1/lifetimes", q, nil, nil, &p)
	return p, err
}

// moment is a time in a query, empty for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// PushUsage sends usage events: CloudEvents as JSON, at most 10,000. It may be
// repeated. tenant, an id or slug, is whose all of them are; empty: each says so.
func (c *Client) PushUsage(ctx context.Context, tenant string, events []json.RawMessage) (b UsageBatch, err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodPost, "/v1/usage", q, nil, events, &b)
	return b, err
}

// UsageConflicts are events that were told again with another content, the last told
// first; of one tenant, by its id or slug, or of all where it is empty.
func (c *Client) UsageConflicts(ctx context.Context, tenant string, limit int) ([]UsageConflict, error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	set(q, "limit", number(int64(limit)))
	var l List[UsageConflict]
	_, err := c.call(ctx, http.MethodGet, "/v1/usage/conflicts", q, nil, nil, &l)
	return l.Items, err
}
