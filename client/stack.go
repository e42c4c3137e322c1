package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Blueprint describes what a tenant gets.
type Blueprint struct {
	Name        string `json:"name" example:"sky-ai"`
	Version     int    `json:"version"`
	Description string `json:"description"`
	Hash        string `json:"hash" doc:"SHA-256 of its source."`
	Shipped     bool   `json:"shipped" doc:"It is part of the program."`
	Used        bool   `json:"used" doc:"Stacks are made from it: it never changes."`
	Source      string `json:"source,omitempty" doc:"YAML; not in lists."`
}

// A BlueprintPage is a list of blueprints.
type BlueprintPage struct {
	Items []Blueprint `json:"items" nullable:"false"`
}

// A BlueprintFile is a blueprint to be kept.
type BlueprintFile struct {
	Name   string `json:"name" doc:"Of the file, for errors." example:"sky.yaml"`
	Source string `json:"source"`
}

// A Stack is what a tenant has from a blueprint.
type Stack struct {
	ID        string          `json:"id" example:"stack_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Name      string          `json:"name"`
	Tenant    string          `json:"tenant" doc:"Slug."`
	Account   string          `json:"account"`
	State     string          `json:"state" enum:"new,active,suspended,gone,failed,released"`
	Level     int             `json:"level" doc:"Of a suspension, from 1 to 3; else 0."`
	Blueprint string          `json:"blueprint" example:"sky-ai@1"`
	Saga      string          `json:"saga" doc:"The last one that was started for it."`
	SagaState string          `json:"saga_state"`
	Failure   string          `json:"failure,omitempty" doc:"Of one that failed: why it was never made, and nothing of it is there."`
	Protected []Protection    `json:"protected" nullable:"false"`
	Drift     *int            `json:"drift" doc:"In how many points it differs from what is expected; null where that is not known."`
	Resources []StackResource `json:"resources" nullable:"false"`
	CreatedAt Time            `json:"created_at" format:"date-time"`
	UpdatedAt Time            `json:"updated_at" format:"date-time"`
}

// A StackResource is one thing of a stack at DigitalOcean.
type StackResource struct {
	Key  string `json:"key" example:"droplet.web"`
	Kind string `json:"kind"`
	URN  string `json:"urn"`
	Name string `json:"name"`
}

// A StackPage is a list of stacks, by name.
type StackPage struct {
	Items []Stack `json:"items" nullable:"false"`
}

// A PlanOrder asks what would be done.
type PlanOrder struct {
	Verb       string            `json:"verb" doc:"What is to be done: provision or adopt for a new stack, or one of /v1/stack-verbs; or cleanup for an account." example:"provision"`
	Blueprint  string            `json:"blueprint,omitempty" doc:"Of a new stack: name or name@version."`
	Tenant     string            `json:"tenant,omitempty" doc:"Of a new stack: slug or id."`
	Name       string            `json:"name,omitempty" doc:"Of a new stack."`
	Account    string            `json:"account,omitempty" doc:"Of a new stack, or that is to be cleaned up."`
	Zone       string            `json:"zone,omitempty" doc:"Of its schedules." example:"Europe/Berlin"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Stack      string            `json:"stack,omitempty" doc:"One that is there: its id, NAME or TENANT/NAME."`
	Options    map[string]string `json:"options,omitempty" doc:"Of the verb, by name."`
}

// A StackVerb is what can be done with stacks.
type StackVerb struct {
	Verb    string        `json:"verb"`
	Help    string        `json:"help"`
	From    []string      `json:"from" nullable:"false" doc:"States in which a stack may be; none for what makes one."`
	Options []StackOption `json:"options" nullable:"false"`
}

// A StackOption is what a verb may be told besides.
type StackOption struct {
	Name    string   `json:"name"`
	Type    string   `json:"type" enum:"text,number,switch,choice"`
	Choices []string `json:"choices,omitempty"`
	Default string   `json:"default"`
	Help    string   `json:"help"`
}

// A StackVerbPage lists all that can be done with stacks.
type StackVerbPage struct {
	Items []StackVerb `json:"items" nullable:"false"`
}

// A Plan is what would be done. Nothing is done before it is applied, and then only if
// what was read for it is as it was.
type Plan struct {
	ID            string            `json:"id"`
	Verb          string            `json:"verb"`
	Stack         string            `json:"stack" doc:"Empty, as the tenant is, where it is about an account: of cleanup."`
	Name          string            `json:"name"`
	Tenant        string            `json:"tenant" doc:"Slug."`
	Account       string            `json:"account"`
	Steps         []PlanStep        `json:"steps" nullable:"false"`
	Changes       []PlanChange      `json:"changes" nullable:"false"`
	Currency      string            `json:"currency"`
	MonthlyBefore string            `json:"monthly_before" doc:"At DigitalOcean, for a whole month." example:"24.000000"`
	MonthlyAfter  string            `json:"monthly_after"`
	Unpriced      []string          `json:"unpriced" nullable:"false" doc:"Resources whose price is not known, which are in neither sum."`
	Quote         *Quote            `json:"quote" doc:"What it changes on the tenant's invoices; null where it was not asked."`
	Warnings      []string          `json:"warnings" nullable:"false"`
	Reason        string            `json:"reason,omitempty" doc:"Why, where the verb asks for one."`
	Room          map[string]string `json:"room,omitempty" doc:"How much of the account's limits is used. It is not held against the plan."`
	Read          map[string]string `json:"read" doc:"What the plan depends on."`
	Hash          string            `json:"hash"`
	Actor         string            `json:"actor"`
	CreatedAt     Time              `json:"created_at" format:"date-time"`
	AppliedAt     *Time             `json:"applied_at" format:"date-time"`
	Saga          *string           `json:"saga"`
}

// A Quote is what a plan changes on the tenant's invoices, as it looked when the plan was
// made.
type Quote struct {
	Periods []QuotedPeriod `json:"periods" nullable:"false"`
	Nothing string         `json:"nothing,omitempty" doc:"Why there are no periods, in a sentence."`
	Notes   []string       `json:"notes" nullable:"false" doc:"What is in no sum, in sentences."`
}

// A QuotedPeriod is what a subscription's next full billing period comes to without the
// plan, and with it.
type QuotedPeriod struct {
	Subscription string   `json:"subscription"`
	Plans        []string `json:"plans" nullable:"false" doc:"Of the catalog, those that charge for resources." example:"hosting@1"`
	From         string   `json:"from" doc:"A day in the tenant's zone." example:"2026-12-01"`
	To           string   `json:"to" doc:"The first day after it." example:"2027-01-01"`
	Before       Amount   `json:"before" doc:"Net of tax."`
	After        Amount   `json:"after"`
}

// A PlanStep is one step, with the requests that it sends if nothing goes wrong.
type PlanStep struct {
	Name  string   `json:"name"`
	Calls []string `json:"calls" nullable:"false"`
	Pivot bool     `json:"pivot" doc:"From here on there is no way back."`
}

// A PlanChange is one resource that is made, changed, destroyed, adopted or released.
type PlanChange struct {
	Action  string  `json:"action" enum:"create,change,destroy,adopt,release"`
	Key     string  `json:"key"`
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	URN     string  `json:"urn,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Size    string  `json:"size,omitempty" doc:"Of a droplet or a volume, afterwards."`
	Stays   bool    `json:"stays,omitempty" doc:"What is on it is destroyed, and something in its place costs the same."`
	Monthly *string `json:"monthly" doc:"What it adds to a whole month; null where no price is known."`
}

// A PlanPage is a list of plans, the newest first.
type PlanPage struct {
	Items []Plan `json:"items" nullable:"false"`
}

// A PlanApplied is a plan with the saga that carries it out.
type PlanApplied struct {
	Plan Plan `json:"plan"`
	Saga Saga `json:"saga"`
}

// A Freeze forbids every change at DigitalOcean in its scope.
type Freeze struct {
	Scope  string `json:"scope" example:"account:default" doc:"all, account:NAME or tenant:ID."`
	Named  string `json:"named" example:"tenant:acme" doc:"The same as people type it, with a tenant's slug."`
	Reason string `json:"reason"`
	Actor  string `json:"actor"`
	At     Time   `json:"at" format:"date-time"`
}

// A FreezeOrder begins a freeze.
type FreezeOrder struct {
	Scope  string `json:"scope" doc:"all, account:NAME or tenant:SLUG."`
	Reason string `json:"reason"`
}

// A FreezePage is a list of freezes.
type FreezePage struct {
	Items []Freeze `json:"items" nullable:"false"`
}

// A Protection keeps something from being destroyed.
type Protection struct {
	Subject string `json:"subject" example:"stack:stack_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Reason  string `json:"reason"`
	Actor   string `json:"actor"`
	At      Time   `json:"at" format:"date-time"`
}

// Blueprints lists blueprints.
func (c *Client) Blueprints(ctx context.Context) (p BlueprintPage, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/blueprints", nil, nil, nil, &p)
	return p, err
}

// Blueprint reads one with its source, by name or name@version.
func (c *Client) Blueprint(ctx context.Context, ref string) (b Blueprint, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/blueprints/"+url.PathEscape(ref), nil, nil, nil, &b)
	return b, err
}

// AddBlueprint keeps a blueprint.
func (c *Client) AddBlueprint(ctx context.Context, f BlueprintFile) (b Blueprint, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/blueprints", nil, nil, f, &b)
	return b, err
}

// Stacks lists stacks, of one tenant where it is named; gone ones too where all is set.
func (c *Client) Stacks(ctx context.Context, tenant string, all bool) (p StackPage, err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	if all {
		q.Set("all", "true")
	}
	_, err = c.call(ctx, http.MethodGet, "/v1/stacks", q, nil, nil, &p)
	return p, err
}

// Stack reads a stack, by its id, NAME or TENANT/NAME.
func (c *Client) Stack(ctx context.Context, ref string) (s Stack, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/stacks/"+url.PathEscape(ref), nil, nil, nil, &s)
	return s, err
}

// Protect has a stack not be destroyed before Unprotect.
func (c *Client) Protect(ctx context.Context, ref, reason string) (s Stack, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/stacks/"+url.PathEscape(ref)+"/protection", nil, nil, map[string]string{"reason": reason}, &s)
	return s, err
}

// Unprotect ends a stack's protection.
func (c *Client) Unprotect(ctx context.Context, ref string) (s Stack, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/stacks/"+url.PathEscape(ref)+"/protection", nil, nil, nil, &s)
	return s, err
}

// MakePlan asks what would be done.
func (c *Client) MakePlan(ctx context.Context, o PlanOrder) (p Plan, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/plans", nil, nil, o, &p)
	return p, err
}

// StackVerbs lists what can be done with stacks.
func (c *Client) StackVerbs(ctx context.Context) (page StackVerbPage, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/stack-verbs", nil, nil, nil, &page)
	return page, err
}

// Plans lists the newest plans, of one stack where it is named.
func (c *Client) Plans(ctx context.Context, stack string) (p PlanPage, err error) {
	q := url.Values{}
	set(q, "stack", stack)
	_, err = c.call(ctx, http.MethodGet, "/v1/plans", q, nil, nil, &p)
	return p, err
}

// Plan reads a plan.
func (c *Client) Plan(ctx context.Context, id string) (p Plan, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/plans/"+url.PathEscape(id), nil, nil, nil, &p)
	return p, err
}

// ApplyPlan starts the saga of a plan, if what was read for it is as it was.
func (c *Client) ApplyPlan(ctx context.Context, id string) (a PlanApplied, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/plans/"+url.PathEscape(id)+"/apply", nil, nil, nil, &a)
	return a, err
}

// Freezes lists what is frozen.
func (c *Client) Freezes(ctx context.Context) (p FreezePage, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/freezes", nil, nil, nil, &p)
	return p, err
}

// Freeze begins a freeze.
func (c *Client) Freeze(ctx context.Context, o FreezeOrder) (p FreezePage, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/freezes", nil, nil, o, &p)
	return p, err
}

// Thaw ends a freeze.
func (c *Client) Thaw(ctx context.Context, scope string) (p FreezePage, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/freezes/"+url.PathEscape(scope), nil, nil, nil, &p)
	return p, err
}
