package client

import (
	"context"
	"net/http"
)

// A WhatIfOrder asks what past months would have come to under another catalog.
type WhatIfOrder struct {
	Name      string `json:"name,omitempty" doc:"Of the file, for what is wrong with it."`
	Document  string `json:"document" doc:"The file, YAML or JSON: a whole catalog with one new version of each plan that is tried."`
	From      string `json:"from" example:"2026-08" doc:"The first month."`
	To        string `json:"to" example:"2026-10" doc:"The last month."`
	Tenant    string `json:"tenant,omitempty" doc:"Only of this tenant, id or slug."`
	InsteadOf string `json:"instead_of,omitempty" example:"pro@1" doc:"Only for who has this version; left away: any version of the plans that are tried."`
}

// A WhatIf is what documents came to, and would come to, without taxes.
type WhatIf struct {
	Currency string           `json:"currency"`
	Plans    []string         `json:"plans" nullable:"false" doc:"The versions that were tried."`
	Tenants  []TenantWhatIf   `json:"tenants" nullable:"false" doc:"Those who would have another plan."`
	Months   []MonthWhatIf    `json:"months" nullable:"false" doc:"By the month in which a document's period begins, in the subscription's zone."`
	Total    WhatIfSum        `json:"total"`
	Failed   []BillingFailure `json:"failed" nullable:"false" doc:"Subscriptions that could not be rated, which are in none of the sums."`
}

// A WhatIfSum is in minor units.
type WhatIfSum struct {
	Before     int64 `json:"before"`
	After      int64 `json:"after"`
	Difference int64 `json:"difference"`
}

// A TenantWhatIf is one tenant's part.
type TenantWhatIf struct {
	Tenant        string `json:"tenant" doc:"Its slug."`
	Subscriptions int    `json:"subscriptions" doc:"How many would have another plan."`
	WhatIfSum
}

// A MonthWhatIf is one month's part.
type MonthWhatIf struct {
	Month string `json:"month"`
	WhatIfSum
}

// WhatIf compares past months with what they would have come to. It changes nothing.
func (c *Client) WhatIf(ctx context.Context, o WhatIfOrder) (w WhatIf, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/billing-comparisons", nil, nil, o, &w)
	return w, err
}
