package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Rate is what a US dollar is in another currency from a day on.
type Rate struct {
	Pair   string `json:"pair" example:"USD/EUR" doc:"USD/EUR: a dollar in euros; EUR/USD: a euro in dollars."`
	From   string `json:"from" example:"2026-10-01" doc:"A day, in UTC, until the next rate's."`
	Rate   string `json:"rate" example:"0.9215" doc:"A decimal above zero."`
	Source string `json:"source" doc:"Who says so; may be empty."`
	SetAt  Time   `json:"set_at" format:"date-time"`
	SetBy  string `json:"set_by"`
}

// A RateOrder sets a rate.
type RateOrder struct {
	Pair   string `json:"pair" example:"USD/EUR"`
	From   string `json:"from" example:"2026-10-01"`
	Rate   string `json:"rate" example:"0.9215"`
	Source string `json:"source,omitempty" example:"ECB"`
}

// SetRate says what a dollar is from a day on. A rate never changes for a day that has
// begun.
func (c *Client) SetRate(ctx context.Context, o RateOrder) (r Rate, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/exchange-rates", nil, nil, o, &r)
	return r, err
}

// Rates lists the rates of a currency, or all, the newest first.
func (c *Client) Rates(ctx context.Context, currency string) (l List[Rate], err error) {
	q := url.Values{}
	set(q, "currency", currency)
	_, err = c.call(ctx, http.MethodGet, "/v1/exchange-rates", q, nil, nil, &l)
	return l, err
}
