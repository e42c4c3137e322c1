package client

import (
	"context"
	"net/http"
	"net/url"
)

// A CleanupMark is that a clean-up is to delete a thing that nobody has, or what became of
// that.
type CleanupMark struct {
	URN      string  `json:"urn" example:"do:volume:7724db7c"`
	Kind     string  `json:"kind" enum:"volume,reserved_ip,snapshot,droplet"`
	Name     string  `json:"name"`
	Account  string  `json:"account"`
	Reason   string  `json:"reason" example:"unattached_volume" doc:"The rule of the finding that says so, or leftover: it carries the marker of a saga that has ended and does not have it."`
	Evidence string  `json:"evidence"`
	Currency string  `json:"currency" example:"USD"`
	Monthly  *string `json:"monthly" doc:"What it costs a month; null where no price is known."`
	State    string  `json:"state" enum:"marked,claimed,spared,deleted"`
	Since    Time    `json:"since" format:"date-time"`
	Due      Time    `json:"due" format:"date-time" doc:"It is not deleted before."`
	Why      string  `json:"why" doc:"It was spared."`
	EndedAt  *Time   `json:"ended_at" format:"date-time"`
	Saga     string  `json:"saga"`
}

// CleanupMarks lists the marks of an account that stand, or of all where it is empty, the
// newest first; those that have ended too where all is set.
func (c *Client) CleanupMarks(ctx context.Context, account string, all bool) (marks List[CleanupMark], err error) {
	query := url.Values{}
	set(query, "account", account)
	if all {
		query.Set("all", "true")
	}
	_, err = c.call(ctx, http.MethodGet, "/v1/cleanup/marks", query, nil, nil, &marks)
	return marks, err
}

// KeepResource has a thing never be destroyed, by a clean-up or with a stack, and ends its
// mark.
func (c *Client) KeepResource(ctx context.Context, urn, reason string) (p Protection, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/resources/"+url.PathEscape(urn)+"/protection", nil, nil, map[string]string{"reason": reason}, &p)
	return p, err
}

// UnkeepResource ends that.
func (c *Client) UnkeepResource(ctx context.Context, urn string) error {
	_, err := c.call(ctx, http.MethodDelete, "/v1/resources/"+url.PathEscape(urn)+"/protection", nil, nil, nil, nil)
	return err
}
