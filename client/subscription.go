package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// A Subscription is what a tenant agreed to.
type Subscription struct {
	ID        string             `json:"id" example:"sub_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Tenant    string             `json:"tenant" doc:"Its slug."`
	Currency  string             `json:"currency"`
	Zone      string             `json:"zone"`
	AnchorDay *int               `json:"anchor_day" doc:"null: the plan's."`
	Taxes     []string           `json:"taxes" nullable:"false" doc:"Now; what was there before is under amendments."`
	Coupons   []string           `json:"coupons" nullable:"false" doc:"Now, in the order in which they apply."`
	StartedAt Time               `json:"started_at" format:"date-time"`
	CreatedAt Time               `json:"created_at" format:"date-time"`
	CreatedBy string             `json:"created_by"`
	Items     []SubscriptionItem `json:"items" nullable:"false" doc:"In service now."`

	Suspensions []Suspension         `json:"suspensions" nullable:"false" doc:"Times without service, as they are known now."`
	Changes     []SubscriptionChange `json:"changes" nullable:"false" doc:"In the order in which they were entered."`
	Amendments  []Amendment          `json:"amendments" nullable:"false" doc:"What changed of taxes and coupons, in the order in which it was entered."`
}

// An Amendment is what is different in a subscription's taxes or coupons from an instant on.
type Amendment struct {
	Seq         int64    `json:"seq"`
	Type        string   `json:"type" enum:"taxes,coupon,no_coupon"`
	IDs         []string `json:"ids" nullable:"false" doc:"The taxes in place of those before, or the coupon that joins or leaves."`
	EffectiveAt Time     `json:"effective_at" format:"date-time"`
	RecordedAt  Time     `json:"recorded_at" format:"date-time" doc:"Since when bills know of it."`
	EnteredAt   Time     `json:"entered_at" format:"date-time"`
	Actor       string   `json:"actor"`
	Reason      string   `json:"reason"`
}

// A Suspension is a time without service.
type Suspension struct {
	From  Time  `json:"from" format:"date-time"`
	Until *Time `json:"until" format:"date-time" doc:"null: until it is resumed."`
}

// A SubscriptionItem is what an item has.
type SubscriptionItem struct {
	Item     string `json:"item"`
	Plan     string `json:"plan"`
	Quantity string `json:"quantity"`
}

// A SubscriptionChange is a thing that is different from an instant on.
type SubscriptionChange struct {
	Seq         int64   `json:"seq"`
	Type        string  `json:"type" enum:"create,change,add,cancel,suspension"`
	Item        string  `json:"item"`
	Plan        *string `json:"plan" doc:"null: no service."`
	Quantity    string  `json:"quantity"`
	EffectiveAt Time    `json:"effective_at" format:"date-time"`
	UntilAt     *Time   `json:"until_at" format:"date-time" doc:"Of a suspension: its end, null where it is not known. One that begins when another does is in its place."`
	RecordedAt  Time    `json:"recorded_at" format:"date-time" doc:"Since when bills know of it."`
	EnteredAt   Time    `json:"entered_at" format:"date-time"`
	Actor       string  `json:"actor"`
	Reason      string  `json:"reason"`
}

// A SubscriptionOrder asks for a subscription.
type SubscriptionOrder struct {
	Tenant    string   `json:"tenant" doc:"The slug or id of a customer."`
	Plan      string   `json:"plan" example:"pro@1"`
	Quantity  string   `json:"quantity,omitempty" doc:"A decimal; left away: 1."`
	From      string   `json:"from,omitempty" doc:"A date or an instant, also a past one; left away: now."`
	AnchorDay int      `json:"anchor_day,omitempty" doc:"On which day of the month its periods begin, 1 to 31; left away: the plan's."`
	Taxes     []string `json:"taxes,omitempty" doc:"Left away: the customer's."`
	Coupons   []string `json:"coupons,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	DryRun    bool     `json:"dry_run,omitempty" doc:"Only work out what would be billed."`
}

// A ChangeOrder asks that something in a subscription be different.
type ChangeOrder struct {
	Type     string `json:"type" enum:"change,add,cancel,suspend,resume,coupon,no_coupon"`
	Item     string `json:"item,omitempty" doc:"Left away: main; of a cancellation: all items."`
	Plan     string `json:"plan,omitempty" doc:"Left away: it stays."`
	Quantity string `json:"quantity,omitempty" doc:"Left away: it stays, or 1 of what is added."`
	When     string `json:"when,omitempty" doc:"now, period_end, or a date or an instant, also a past one; left away: now."`
	Coupon   string `json:"coupon,omitempty" doc:"That joins by a change of type coupon, or leaves by no_coupon."`
	Until    string `json:"until,omitempty" doc:"Of suspend: a date or an instant; left away: until it is resumed."`
	Reason   string `json:"reason,omitempty"`
	DryRun   bool   `json:"dry_run,omitempty" doc:"Only work out what would be billed."`

	Supersede bool `json:"supersede,omitempty" doc:"Change it also where the item has a later change, as a cancellation to come, which is undone."`
}

// A Subscribed is a subscription, and what is due by it next.
type Subscribed struct {
	Subscription Subscription `json:"subscription"`
	Due          []Document   `json:"due" nullable:"false" doc:"Documents after those that were issued, by the end of the period in which the change takes effect and its grace."`
	DryRun       bool         `json:"dry_run"`
}

// A Document is an invoice or a credit note, as arcadia billing preview prints it.
// Amounts are minor units.
type Document struct {
	Purpose  string `json:"purpose" enum:"advance,arrears,credit_note"`
	Period   Period `json:"period"`
	IssueAt  Time   `json:"issue_at" format:"date-time"`
	Currency string `json:"currency"`

	Lines         []DocumentLine     `json:"lines" nullable:"false"`
	Subtotal      int64              `json:"subtotal" doc:"Of the lines, before discounts."`
	Discounts     []DocumentDiscount `json:"discounts" nullable:"false"`
	Taxes         []DocumentTax      `json:"taxes" nullable:"false"`
	TaxTotal      int64              `json:"tax_total"`
	Total         int64              `json:"total" doc:"With tax."`
	CreditApplied int64              `json:"credit_applied"`
	Due           int64              `json:"due"`

	Credits *DocumentCredits `json:"credits,omitempty" doc:"Of a credit note that somebody issued."`
}

// DocumentCredits is which invoice a credit note is about, and why it was issued.
type DocumentCredits struct {
	Invoice string `json:"invoice" doc:"Its number."`
	Reason  string `json:"reason"`
	KnownAt Time   `json:"known_at" format:"date-time" doc:"Since when bills know of it."`
}

// A Period is [from, to).
type Period struct {
	From Time `json:"from" format:"date-time"`
	To   Time `json:"to" format:"date-time"`
}

// A DocumentLine is one charge for one time of service.
type DocumentLine struct {
	Charge    string            `json:"charge"`
	Item      string            `json:"item"`
	Plan      string            `json:"plan"`
	Kind      string            `json:"kind" enum:"charge,reversal,adjustment"`
	Service   Period            `json:"service"`
	Group     map[string]string `json:"group,omitempty"`
	Quantity  string            `json:"quantity"`
	UnitPrice *string           `json:"unit_price"`
	Exact     string            `json:"exact" doc:"Major units, before the rounding."`
	Amount    int64             `json:"amount"`
	Tax       int64             `json:"tax"`
	Explain   json.RawMessage   `json:"explain"`
}

// A DocumentDiscount is what a coupon takes off.
type DocumentDiscount struct {
	Coupon string `json:"coupon"`
	Amount int64  `json:"amount"`
}

// A DocumentTax is a tax on its base, which is net.
type DocumentTax struct {
	ID     string `json:"id"`
	Rate   string `json:"rate"`
	Mode   string `json:"mode"`
	Base   int64  `json:"base"`
	Amount int64  `json:"amount"`
}

// Subscriptions lists the subscriptions of a tenant, or all.
func (c *Client) Subscriptions(ctx context.Context, tenant string) (list List[Subscription], err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodGet, "/v1/subscriptions", q, nil, nil, &list)
	return list, err
}

// Subscription reads a subscription.
func (c *Client) Subscription(ctx context.Context, id string) (s Subscription, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/subscriptions/"+url.PathEscape(id), nil, nil, nil, &s)
	return s, err
}

// Subscribe makes a subscription.
func (c *Client) Subscribe(ctx context.Context, o SubscriptionOrder) (done Subscribed, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/subscriptions", nil, nil, o, &done)
	return done, err
}

// ChangeSubscription changes a subscription.
func (c *Client) ChangeSubscription(ctx context.Context, id string, o ChangeOrder) (done Subscribed, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/subscriptions/"+url.PathEscape(id)+"/changes", nil, nil, o, &done)
	return done, err
}

// A MigrationOrder asks that everybody who has a version of a plan get another.
type MigrationOrder struct {
	From     string   `json:"from" example:"pro@1"`
	To       string   `json:"to" example:"pro@2"`
	Currency string   `json:"currency,omitempty" doc:"Of the catalog, where several have both plans."`
	Tenants  []string `json:"tenants,omitempty" doc:"Only of these, slugs or ids; left away: of all."`
	Except   []string `json:"except,omitempty" doc:"Not of these: they keep what they have."`
	When     string   `json:"when,omitempty" doc:"period_end, or a date of the customer's zone or an instant to come; left away: period_end."`
	Reason   string   `json:"reason,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
	Expect   string   `json:"expect,omitempty" doc:"The fingerprint of a dry run: where anything else would be done, nothing is."`
}

// A Migration is who gets another plan, or would, and what that comes to.
type Migration struct {
	Items       []MigratedItem   `json:"items" nullable:"false"`
	Totals      []MigrationTotal `json:"totals" nullable:"false" doc:"By currency, without those that are left."`
	Done        bool             `json:"done"`
	Fingerprint string           `json:"fingerprint"`
}

// A MigratedItem is an item of a subscription that gets another plan.
type MigratedItem struct {
	Subscription string `json:"subscription"`
	Tenant       string `json:"tenant"`
	Zone         string `json:"zone" doc:"Of the customer's days."`
	Item         string `json:"item"`
	Quantity     string `json:"quantity"`
	Currency     string `json:"currency"`
	EffectiveAt  *Time  `json:"effective_at" format:"date-time" doc:"null: it is left as it is."`
	Before       int64  `json:"before" doc:"What the first period from then on is billed without the change, with taxes, minor units."`
	After        int64  `json:"after" doc:"And with it."`
	Difference   int64  `json:"difference"`
	Left         string `json:"left" doc:"Why it keeps its plan; empty: it gets the other."`
}

// A MigrationTotal is what the items of a currency come to.
type MigrationTotal struct {
	Currency   string `json:"currency"`
	Items      int    `json:"items"`
	Before     int64  `json:"before"`
	After      int64  `json:"after"`
	Difference int64  `json:"difference"`
}

// MigrateSubscriptions gives everybody who has one plan another.
func (c *Client) MigrateSubscriptions(ctx context.Context, o MigrationOrder) (m Migration, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/subscription-migrations", nil, nil, o, &m)
	return m, err
}
