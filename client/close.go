package client

import (
	"context"
	"net/http"
	"net/url"
)

// An Amount is money in minor units.
type Amount struct {
	Currency string `json:"currency" example:"EUR"`
	Amount   int64  `json:"amount" doc:"Minor units."`
}

// A CloseOrder asks for a month to be closed.
type CloseOrder struct {
	DryRun bool   `json:"dry_run,omitempty" doc:"Only say what would be entered."`
	Expect string `json:"expect,omitempty" doc:"The fingerprint of a dry run: where anything else would be entered, nothing is."`
}

// A MonthClose is what the books get at the end of a month beside its invoices.
type MonthClose struct {
	Month       string           `json:"month" example:"2026-10"`
	Tenants     []TenantClose    `json:"tenants" nullable:"false"`
	Unpriced    []string         `json:"unpriced" nullable:"false" doc:"URNs of resources that nobody knows the price of: they are in no sum."`
	Failed      []BillingFailure `json:"failed" nullable:"false" doc:"Subscriptions that could not be rated. With any nothing is entered."`
	ClosedAt    *Time            `json:"closed_at" format:"date-time" doc:"null: it is not closed."`
	ClosedBy    string           `json:"closed_by"`
	Fingerprint string           `json:"fingerprint" doc:"Of what would be entered; empty: nothing would be."`
}

// A TenantClose is one tenant's part.
type TenantClose struct {
	Tenant  string   `json:"tenant" doc:"Its slug; empty: what belongs to nobody."`
	Accrued []Amount `json:"accrued" nullable:"false" doc:"What was used and is not invoiced, without taxes; below zero: more was invoiced than was served."`
	Cost    Amount   `json:"cost" doc:"Of its resources at DigitalOcean."`
}

// A Margin is what a tenant brought in a month, and what it cost.
type Margin struct {
	Month   string   `json:"month"`
	Tenant  string   `json:"tenant" doc:"Its slug; empty: what belongs to nobody."`
	Revenue []Amount `json:"revenue" nullable:"false" doc:"Net of tax, by currency."`
	Cost    []Amount `json:"cost" nullable:"false" doc:"Of its resources at DigitalOcean."`
	BadDebt []Amount `json:"bad_debt" nullable:"false" doc:"What was written off."`
	Left    []Amount `json:"left" nullable:"false" doc:"Revenue less the rest. Dollars of the cost that could not be exchanged stand beside it, below zero."`
	Closed  bool     `json:"closed" doc:"False: what is not invoiced yet, and what resources cost, is missing."`

	Exchanged *Amount `json:"exchanged" doc:"The dollars of the cost in the customer's currency; null where that is the dollar, or where there is no rate."`
	Rate      *Rate   `json:"rate" doc:"At which they were exchanged: of the month's last day, or today's while it is not over."`
	NoRate    *string `json:"no_rate" doc:"Why they could not be exchanged."`
}

// CloseMonth enters what a month, 2026-10, leaves open, or says what it would be.
func (c *Client) CloseMonth(ctx context.Context, month string, o CloseOrder) (m MonthClose, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/months/"+url.PathEscape(month)+"/close", nil, nil, o, &m)
	return m, err
}

// Margins lists the margins of months, both included, of a tenant or of all.
func (c *Client) Margins(ctx context.Context, from, to, tenant string) (l List[Margin], err error) {
	q := url.Values{}
	set(q, "from", from)
	set(q, "to", to)
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodGet, "/v1/margins", q, nil, nil, &l)
	return l, err
}
