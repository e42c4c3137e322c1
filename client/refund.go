package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Refund is credit of a tenant's account that was paid back.
type Refund struct {
	ID         string `json:"id" doc:"Empty in a dry run."`
	Key        string `json:"key" doc:"The bank's reference: it is booked once. Where none was said, the id."`
	Tenant     string `json:"tenant" doc:"Its slug."`
	Zone       string `json:"zone" example:"Europe/Berlin" doc:"Of the customer's days."`
	Currency   string `json:"currency"`
	Amount     int64  `json:"amount" doc:"Minor units."`
	RefundedAt Time   `json:"refunded_at" format:"date-time"`
	Reason     string `json:"reason"`
	RecordedAt Time   `json:"recorded_at" format:"date-time"`
	RecordedBy string `json:"recorded_by"`
}

// A RefundOrder asks that credit be booked as paid back.
type RefundOrder struct {
	Tenant   string `json:"tenant" doc:"Slug or id."`
	Currency string `json:"currency" example:"EUR"`
	Amount   int64  `json:"amount" doc:"Minor units, above zero."`
	Date     string `json:"date,omitempty" doc:"When the bank sent it: a date of the customer's zone, or an instant; left away: today."`
	Reason   string `json:"reason" doc:"Needed, and kept."`
	Key      string `json:"key,omitempty" doc:"The bank's reference: a refund of it is booked once."`
	DryRun   bool   `json:"dry_run,omitempty"`
	Expect   string `json:"expect,omitempty" doc:"The fingerprint of a dry run."`
}

// A Refunded is a refund that was booked, or would be.
type Refunded struct {
	Refund      Refund `json:"refund"`
	Left        int64  `json:"left" doc:"Credit of the account after it."`
	Done        bool   `json:"done"`
	Again       bool   `json:"again" doc:"A refund of this key was booked before: this is it."`
	Fingerprint string `json:"fingerprint"`
}

// RefundCredit books that credit was paid back.
func (c *Client) RefundCredit(ctx context.Context, o RefundOrder) (r Refunded, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/refunds", nil, nil, o, &r)
	return r, err
}

// Refunds lists the refunds of a tenant, or all, the last first.
func (c *Client) Refunds(ctx context.Context, tenant string) (list List[Refund], err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodGet, "/v1/refunds", q, nil, nil, &list)
	return list, err
}
