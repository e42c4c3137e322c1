package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Drift is in what the things of a stack, as the inventory has them, differ from what
// the stack expects.
type Drift struct {
	Stack       string       `json:"stack" example:"stack_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Name        string       `json:"name"`
	Tenant      string       `json:"tenant" doc:"Slug."`
	AsOf        *Time        `json:"as_of" format:"date-time" doc:"When the oldest list was begun that it goes by, by DigitalOcean's clock."`
	Unknown     []string     `json:"unknown" nullable:"false" doc:"Of what nothing is known to differ or not, a sentence each: with any of them the drift is not whole."`
	Heard       int          `json:"heard" doc:"How many differences nobody ignores."`
	Currency    string       `json:"currency"`
	Monthly     string       `json:"monthly" doc:"What those add to a month at DigitalOcean; negative for what they save." example:"18.000000"`
	Unpriced    int          `json:"unpriced" doc:"How many of them have no known price, and are not in it."`
	Differences []Difference `json:"differences" nullable:"false" doc:"What is ignored too."`
}

// A Difference is one point in which what there is differs from what a stack expects.
type Difference struct {
	ID        string  `json:"id" example:"drift_0193a4c0d1e2738fa1b2" doc:"The same for as long as the field has the same value."`
	What      string  `json:"what" enum:"missing,extra,changed"`
	Key       string  `json:"key" example:"droplet.web" doc:"Of the resource in the blueprint; empty for what is extra."`
	Kind      string  `json:"kind"`
	URN       string  `json:"urn"`
	Name      string  `json:"name"`
	Field     string  `json:"field" example:"size" doc:"Empty unless something changed."`
	Expected  string  `json:"expected"`
	Is        string  `json:"is"`
	Monthly   *string `json:"monthly" doc:"What it adds to a month; null where a price is not known."`
	Repair    string  `json:"repair" doc:"What a repair does; empty: nothing."`
	RepairNot string  `json:"repair_not" doc:"Why, and what to do in its place."`
	AbsorbNot string  `json:"absorb_not" doc:"Why the stack cannot come to expect it; empty: it can."`
	Ignored   *Ignore `json:"ignored"`
}

// An Ignore is that somebody does not want to hear of a difference until a time.
type Ignore struct {
	Until  Time   `json:"until" format:"date-time"`
	Reason string `json:"reason"`
	Actor  string `json:"actor"`
	At     Time   `json:"at" format:"date-time"`
}

// A NewIgnore asks for one.
type NewIgnore struct {
	Until  Time   `json:"until" format:"date-time" doc:"At most a year from now."`
	Reason string `json:"reason"`
}

// Drift compares a stack, by its id, NAME or TENANT/NAME, with the inventory.
func (c *Client) Drift(ctx context.Context, ref string) (d Drift, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/stacks/"+url.PathEscape(ref)+"/drift", nil, nil, nil, &d)
	return d, err
}

// Drifts compares all stacks with the inventory.
func (c *Client) Drifts(ctx context.Context) (all List[Drift], err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/drift", nil, nil, nil, &all)
	return all, err
}

// IgnoreDrift has a difference not be heard of until a time.
func (c *Client) IgnoreDrift(ctx context.Context, ref, id string, n NewIgnore) (d Difference, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/stacks/"+url.PathEscape(ref)+"/drift/"+url.PathEscape(id)+"/ignore", nil, nil, n, &d)
	return d, err
}

// HearDrift has it be heard of again.
func (c *Client) HearDrift(ctx context.Context, ref, id string) (d Difference, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/stacks/"+url.PathEscape(ref)+"/drift/"+url.PathEscape(id)+"/ignore", nil, nil, nil, &d)
	return d, err
}
