package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Droplet is a virtual machine at DigitalOcean.
type Droplet struct {
	ID        string   `json:"id" example:"3164494"`
	Name      string   `json:"name"`
	Status    string   `json:"status" doc:"new, active, off or archive."`
	Region    string   `json:"region"`
	Size      string   `json:"size"`
	Tags      []string `json:"tags" nullable:"false"`
	CreatedAt *Time    `json:"created_at" format:"date-time"`
}

// A Token is what is shown of a token of DigitalOcean; the token itself never is.
type Token struct {
	Account     string `json:"account"`
	Purpose     string `json:"purpose" enum:"inventory,provisioning,billing"`
	Source      string `json:"source" enum:"stored,environment" doc:"environment wins over stored."`
	Last4       string `json:"last4"`
	Fingerprint string `json:"fingerprint" doc:"The same token has the same one."`
	CreatedAt   *Time  `json:"created_at" format:"date-time"`
	ExpiresAt   *Time  `json:"expires_at" format:"date-time"`
	LastUsedAt  *Time  `json:"last_used_at" format:"date-time"`
	Warning     string `json:"warning,omitempty" doc:"What is odd about the token."`
}

// A TokenText carries a token to the server, once.
type TokenText struct {
	Token     string `json:"token" writeOnly:"true"`
	ExpiresAt *Time  `json:"expires_at,omitempty" format:"date-time" doc:"As its maker knows it: nothing else tells."`
}

// A Check is one line of the doctor's: something that was looked at.
type Check struct {
	Name   string `json:"name"`
	State  string `json:"state" enum:"ok,warn,fail"`
	Detail string `json:"detail" doc:"What was found."`
	Todo   string `json:"todo" doc:"What to do about it; empty when nothing is to be done."`
}

// A List is everything there is of one thing.
type List[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

// Droplets lists the droplets of the account.
func (c *Client) Droplets(ctx context.Context) ([]Droplet, error) {
	return list[Droplet](ctx, c, "/v1/droplets")
}

// Tokens lists what may be shown of the tokens.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	return list[Token](ctx, c, "/v1/tokens")
}

// SetToken stores a token of an account for a purpose in place of the one that was
// there.
func (c *Client) SetToken(ctx context.Context, account, purpose string, token TokenText) (t Token, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/tokens/"+url.PathEscape(purpose), url.Values{"account": {account}}, nil, token, &t)
	return t, err
}

// RemoveToken forgets the token of an account for a purpose. It does not revoke it.
func (c *Client) RemoveToken(ctx context.Context, account, purpose string) error {
	_, err := c.call(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(purpose), url.Values{"account": {account}}, nil, nil, nil)
	return err
}

// Checks asks the server how it is.
func (c *Client) Checks(ctx context.Context) ([]Check, error) {
	return list[Check](ctx, c, "/v1/checks")
}

func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var l List[T]
	_, err := c.call(ctx, http.MethodGet, path, nil, nil, nil, &l)
	return l.Items, err
}
