package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// A Meter says which usage events count, and how.
type Meter struct {
	ID        string              `json:"id" example:"requests"`
	EventType string              `json:"event_type" example:"http.request"`
	Aggregate string              `json:"aggregate" enum:"sum,count,max,min,unique,latest,time_weighted"`
	Value     string              `json:"value" doc:"The member of the data that is counted; empty for a count."`
	GroupBy   []string            `json:"group_by" nullable:"false" doc:"Members of the data: each combination of theirs is a quantity of its own."`
	Filter    map[string][]string `json:"filter" nullable:"false" doc:"By member of the data, what it may be."`
}

// A MeterFile asks for meters to be as a document says.
type MeterFile struct {
	Name     string `json:"name,omitempty" doc:"Of the file, for what is said of its lines."`
	Document string `json:"document" doc:"YAML or JSON: a list of meters, or a catalog with one."`
	DryRun   bool   `json:"dry_run,omitempty"`
}

// A MeterOutcome is what becomes of a meter.
type MeterOutcome struct {
	Meter  Meter  `json:"meter"`
	Action string `json:"action" enum:"added,changed,unchanged"`
}

// UsageTotals are what a meter comes to for a tenant over a period.
type UsageTotals struct {
	Meter  string       `json:"meter"`
	Tenant string       `json:"tenant" doc:"The slug."`
	From   Time         `json:"from" format:"date-time"`
	To     Time         `json:"to" format:"date-time"`
	Items  []UsageTotal `json:"items" nullable:"false" doc:"One for each group."`
}

// A UsageTotal is what a meter comes to for one group.
type UsageTotal struct {
	Group    map[string]string `json:"group" nullable:"false"`
	Quantity string            `json:"quantity" doc:"A decimal; of a mean over time that has no end, its first 12 decimals."`
	Events   int64             `json:"events" doc:"That it was made of, within the period."`
}

// An UnmeteredUsage sums up events that were accepted and that no meter counts.
type UnmeteredUsage struct {
	Tenant     string `json:"tenant" doc:"The slug."`
	Type       string `json:"type"`
	Unmetered  int64  `json:"unmetered" doc:"Events that no meter is about."`
	Unreadable int64  `json:"unreadable" doc:"Events that a meter is about and cannot read the value of."`
	Events     int64  `json:"events" doc:"All of the type, in the hours with such events."`
	From       Time   `json:"from" format:"date-time" doc:"The first such hour."`
	To         Time   `json:"to" format:"date-time" doc:"The end of the last one."`
}

// A UsageRebuild says how much was rolled up again.
type UsageRebuild struct {
	Hours int `json:"hours"`
}

// Meters lists the meters, by their ids.
func (c *Client) Meters(ctx context.Context) ([]Meter, error) {
	var l List[Meter]
	_, err := c.call(ctx, http.MethodGet, "/v1/meters", nil, nil, nil, &l)
	return l.Items, err
}

// ApplyMeters adds the meters of a document, and changes those that have not counted.
func (c *Client) ApplyMeters(ctx context.Context, f MeterFile) ([]MeterOutcome, error) {
	var l List[MeterOutcome]
	_, err := c.call(ctx, http.MethodPost, "/v1/meters", nil, nil, f, &l)
	return l.Items, err
}

// RemoveMeter removes a meter that has not counted.
func (c *Client) RemoveMeter(ctx context.Context, id string) error {
	_, err := c.call(ctx, http.MethodDelete, "/v1/meters/"+url.PathEscape(id), nil, nil, nil, nil)
	return err
}

// UsageTotals are what a meter comes to for a tenant, by id or slug, over [from, to).
func (c *Client) UsageTotals(ctx context.Context, meter, tenant string, from, to time.Time) (t UsageTotals, err error) {
	q := url.Values{}
	set(q, "meter", meter)
	set(q, "tenant", tenant)
	set(q, "from", moment(from))
	set(q, "to", moment(to))
	_, err = c.call(ctx, http.MethodGet, "/v1/usage/totals", q, nil, nil, &t)
	return t, err
}

// UnmeteredUsage sums up what was accepted and is in no meter.
func (c *Client) UnmeteredUsage(ctx context.Context) ([]UnmeteredUsage, error) {
	var l List[UnmeteredUsage]
	_, err := c.call(ctx, http.MethodGet, "/v1/usage/unmetered", nil, nil, nil, &l)
	return l.Items, err
}

// RebuildUsage rolls all usage up again from the events.
func (c *Client) RebuildUsage(ctx context.Context) (r UsageRebuild, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/usage/rebuild", nil, nil, nil, &r)
	return r, err
}
