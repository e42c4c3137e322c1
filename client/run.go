package client

import (
	"context"
	"net/http"
	"net/url"
)

// InvoiceDrafts lists the documents of a tenant, or all, that wait to be issued.
func (c *Client) InvoiceDrafts(ctx context.Context, tenant string) (list List[Invoice], err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodGet, "/v1/invoice-drafts", q, nil, nil, &list)
	return list, err
}

// A BillingProgress is how far a run on the clock is, and what it came to.
type BillingProgress struct {
	ID            string           `json:"id"`
	BegunAt       Time             `json:"begun_at" format:"date-time"`
	EndedAt       *Time            `json:"ended_at" format:"date-time" doc:"null: it is at it, or was cut off; the next run goes on."`
	UpTo          Time             `json:"up_to" format:"date-time"`
	By            string           `json:"by"`
	Subscriptions int64            `json:"subscriptions" doc:"To look at."`
	Done          int64            `json:"done" doc:"Of them."`
	Issued        int64            `json:"issued" doc:"Documents."`
	Drafted       int64            `json:"drafted" doc:"Documents that came out anew, or otherwise than before."`
	Failed        []BillingFailure `json:"failed" nullable:"false"`
	Warnings      []BillingWarning `json:"warnings" nullable:"false"`
}

// BillingRuns lists so many runs on the clock, the last first.
func (c *Client) BillingRuns(ctx context.Context, limit int) (list List[BillingProgress], err error) {
	q := url.Values{}
	set(q, "limit", number(int64(limit)))
	_, err = c.call(ctx, http.MethodGet, "/v1/billing-runs", q, nil, nil, &list)
	return list, err
}
