package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Rule says that what has a tag, is in a project or has a name is a tenant's.
type Rule struct {
	ID      string `json:"id" example:"rule_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Type    string `json:"type" enum:"tag,project,name"`
	Pattern string `json:"pattern" example:"acme-*" doc:"A tag, the id or name of a project, or a name, in any case; * is any characters, ? is one."`
	Tenant  string `json:"tenant" doc:"The slug."`
	Actor   string `json:"actor" doc:"Who added it."`
	At      Time   `json:"at" format:"date-time"`
}

// A NewRule asks for a rule.
type NewRule struct {
	Type    string `json:"type" enum:"tag,project,name"`
	Pattern string `json:"pattern"`
	Tenant  string `json:"tenant" doc:"The id or slug."`
	DryRun  bool   `json:"dry_run,omitempty" doc:"Only say what would move."`
}

// A RuleChange is what a rule that was added or removed moves, or would move.
type RuleChange struct {
	Rule  *Rule  `json:"rule" doc:"The rule that was added, or would be."`
	Done  bool   `json:"done"`
	Moved []Move `json:"moved" nullable:"false"`
}

// A Move is a resource that becomes another tenant's.
type Move struct {
	URN      string  `json:"urn"`
	Kind     string  `json:"kind"`
	Name     string  `json:"name"`
	Tenant   *string `json:"tenant" doc:"The slug of whose it becomes; null: nobody's."`
	Former   *string `json:"former" doc:"And whose it was."`
	Evidence string  `json:"evidence"`
}

// An Assignment says whose a resource is, whatever the rules say.
type Assignment struct {
	Tenant *string `json:"tenant" doc:"The id or slug; null: nobody's, on purpose."`
	Reason string  `json:"reason,omitempty"`
}

// An Assignments says it of several: of those named, or of all that a query finds.
type Assignments struct {
	Assignment

	URNs     []string `json:"urns,omitempty" doc:"Which they are; or else q."`
	Query    string   `json:"q,omitempty" doc:"All that it finds now, as in /v1/resources." example:"kind:droplet tenant:none"`
	Unassign bool     `json:"unassign,omitempty" doc:"Instead: take back what was said by hand, so that the rules decide again."`
	DryRun   bool     `json:"dry_run,omitempty" doc:"Only say what would move."`
}

// An Assigned says what an assignment came to.
type Assigned struct {
	Found int    `json:"found" doc:"How many resources it was said of."`
	Done  bool   `json:"done"`
	Moves []Move `json:"moves,omitempty" doc:"Of a dry run: what would move."`
	Moved int    `json:"moved" doc:"How many resources are another tenant's than before: what hangs on others follows them."`
}

// An Ownership says whose a resource is and was, and why.
type Ownership struct {
	Tenant   *string  `json:"tenant"`
	Rule     string   `json:"rule" doc:"Empty: no rule says anything."`
	Evidence string   `json:"evidence" doc:"Where nobody's, why that is so."`
	Against  *string  `json:"against,omitempty" doc:"Whose the rules say it is, against what was said by hand."`
	Why      string   `json:"against_evidence,omitempty"`
	History  []Tenure `json:"history" nullable:"false" doc:"The newest first."`
	Trust    int      `json:"confidence" doc:"In percent."`
}

// A Tenure is a time for which a resource was somebody's.
type Tenure struct {
	Since      Time    `json:"since" format:"date-time"`
	Until      *Time   `json:"until" format:"date-time"`
	Tenant     *string `json:"tenant"`
	Rule       string  `json:"rule"`
	Evidence   string  `json:"evidence"`
	Confidence int     `json:"confidence"`
}

// A Coverage says of how much it is known whose it is.
type Coverage struct {
	Account          string          `json:"account" doc:"Empty: all."`
	ResourcesPercent string          `json:"resources_percent" example:"98.4" doc:"Of the resources, rounded down."`
	MoneyPercent     string          `json:"money_percent" example:"99.9" doc:"Of what they cost a month, rounded down."`
	All              Estate          `json:"all"`
	By               []CoverageShare `json:"by" nullable:"false"`
}

// A CoverageShare is the part of what there is that one rule speaks of.
type CoverageShare struct {
	Estate

	Rule   string `json:"rule" doc:"Empty: undecided."`
	Nobody bool   `json:"nobody" doc:"Somebody said that it is nobody's."`
}

// Rules lists the rules.
func (c *Client) Rules(ctx context.Context) ([]Rule, error) { return list[Rule](ctx, c, "/v1/rules") }

// AddRule adds a rule, or says what it would move.
func (c *Client) AddRule(ctx context.Context, n NewRule) (r RuleChange, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/rules", nil, nil, n, &r)
	return r, err
}

// RemoveRule removes a rule, or says what that would move.
func (c *Client) RemoveRule(ctx context.Context, id string, dry bool) (r RuleChange, err error) {
	q := url.Values{}
	if dry {
		q.Set("dry_run", "true")
	}
	_, err = c.call(ctx, http.MethodDelete, "/v1/rules/"+url.PathEscape(id), q, nil, nil, &r)
	return r, err
}

// Assign says whose resources are, whatever the rules say.
func (c *Client) Assign(ctx context.Context, urns []string, a Assignment) (r Assigned, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/assignments", nil, nil, Assignments{Assignment: a, URNs: urns}, &r)
	return r, err
}

// AssignAll says of several resources whose they are, or what would move if it did.
func (c *Client) AssignAll(ctx context.Context, a Assignments) (r Assigned, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/assignments", nil, nil, a, &r)
	return r, err
}

// Unassign lets the rules decide again whose a resource is.
func (c *Client) Unassign(ctx context.Context, urn string) (r Assigned, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/resources/"+pathOf(urn)+"/assignment", nil, nil, nil, &r)
	return r, err
}

// Ownership reads whose a resource is and was, and why.
func (c *Client) Ownership(ctx context.Context, urn string) (o Ownership, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/resources/"+pathOf(urn)+"/assignment", nil, nil, nil, &o)
	return o, err
}

// Coverage reads of how much of an account it is known whose it is; of all accounts
// where it is empty.
func (c *Client) Coverage(ctx context.Context, account string) (v Coverage, err error) {
	q := url.Values{}
	set(q, "account", account)
	_, err = c.call(ctx, http.MethodGet, "/v1/coverage", q, nil, nil, &v)
	return v, err
}
