package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Finding is something that is worth a look.
type Finding struct {
	ID       string `json:"id" example:"fnd_0193a4c0d1e2738fa1b2" doc:"The same for as long as it is the same, also when it comes back."`
	Rule     string `json:"rule" example:"unattached_volume"`
	Account  string `json:"account"`
	URN      string `json:"urn" example:"do:volume:7724db7c" doc:"Empty: it is of the account as a whole."`
	Name     string `json:"name"`
	Since    Time   `json:"since" format:"date-time" doc:"When it was found first, by DigitalOcean's clock."`
	Currency string `json:"currency" example:"USD"`
	Monthly  string `json:"monthly" doc:"What the resource that it is about costs a month, as far as that is known."`
	Says     string `json:"says"`
	Mend     string `json:"mend" doc:"A command, or the address of a page."`
	Mute     *Mute  `json:"mute"`
}

// A Mute is that somebody does not want to hear of a finding.
type Mute struct {
	Until  *Time  `json:"until" format:"date-time" doc:"Null: for ever."`
	Reason string `json:"reason"`
	Actor  string `json:"actor"`
	At     Time   `json:"at" format:"date-time"`
}

// A NewMute asks for a mute.
type NewMute struct {
	Until  *Time  `json:"until,omitempty" format:"date-time" doc:"Left away: for ever."`
	Reason string `json:"reason"`
}

// A FindingFilter says which findings are meant; its zero value means all that
// nobody has muted.
type FindingFilter struct {
	Account, Rule, URN string
	Muted              bool // those that are muted, too
}

// Findings lists what is worth a look, the dearest first.
func (c *Client) Findings(ctx context.Context, f FindingFilter) ([]Finding, error) {
	query := url.Values{}
	set(query, "account", f.Account)
	set(query, "rule", f.Rule)
	set(query, "urn", f.URN)
	if f.Muted {
		query.Set("muted", "true")
	}
	var found List[Finding]
	_, err := c.call(ctx, http.MethodGet, "/v1/findings", query, nil, nil, &found)
	return found.Items, err
}

// MuteFinding has a finding not be heard of.
func (c *Client) MuteFinding(ctx context.Context, id string, m NewMute) (f Finding, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/findings/"+url.PathEscape(id)+"/mute", nil, nil, m, &f)
	return f, err
}

// UnmuteFinding has it be heard of again.
func (c *Client) UnmuteFinding(ctx context.Context, id string) (f Finding, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/findings/"+url.PathEscape(id)+"/mute", nil, nil, nil, &f)
	return f, err
}
