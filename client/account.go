package client

import (
	"context"
	"net/http"
	"net/url"
)

// An Account is a team at DigitalOcean under our name for it.
type Account struct {
	Name      string     `json:"name" example:"default"`
	Team      string     `json:"team" doc:"The team's UUID, or that of the account of a person without one; empty before the first check."`
	TeamName  string     `json:"team_name"`
	Email     string     `json:"email"`
	Limits    Limits     `json:"limits" doc:"How much it may have; 0 before the first check."`
	Writable  bool       `json:"writable" doc:"Whether anything can be changed there."`
	ReadOnly  string     `json:"read_only,omitempty" doc:"Why nothing can be, and what to do."`
	AddedAt   *Time      `json:"added_at" format:"date-time"`
	CheckedAt *Time      `json:"checked_at" format:"date-time"`
	Tokens    []Standing `json:"tokens" nullable:"false" doc:"One for each purpose."`
}

// Limits are how much of a kind an account may have.
type Limits struct {
	Droplets    int `json:"droplets"`
	Volumes     int `json:"volumes"`
	ReservedIPs int `json:"reserved_ips"`
}

// A Standing is how it stands with an account's token for a purpose.
type Standing struct {
	Purpose  string   `json:"purpose" enum:"inventory,provisioning,billing"`
	State    string   `json:"state" enum:"none,unchecked,ok,missing_scopes,failed" doc:"As of the last check."`
	Expiry   string   `json:"expiry" enum:"lasting,expiring,expired" doc:"expiring: within 14 days. As it was entered."`
	Token    *Token   `json:"token"`
	Missing  []string `json:"missing" nullable:"false" doc:"Scopes that it lacks."`
	Unproven []string `json:"unproven" nullable:"false" doc:"Scopes to write, which only writing would prove."`
	Problem  string   `json:"problem,omitempty"`
}

// A NewAccount asks for an account.
type NewAccount struct {
	Name string `json:"name"`
}

// Accounts lists the accounts, the default one first.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	return list[Account](ctx, c, "/v1/accounts")
}

// Account reads an account.
func (c *Client) Account(ctx context.Context, name string) (a Account, err error) {
	_, err = c.call(ctx, http.MethodGet, accountPath(name), nil, nil, nil, &a)
	return a, err
}

// AddAccount adds an account under our name for it.
func (c *Client) AddAccount(ctx context.Context, name string) (a Account, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/accounts", nil, nil, NewAccount{name}, &a)
	return a, err
}

// CheckAccount tries the tokens of an account: whose they are and what they lack.
func (c *Client) CheckAccount(ctx context.Context, name string) (a Account, err error) {
	_, err = c.call(ctx, http.MethodPost, accountPath(name)+"/check", nil, nil, nil, &a)
	return a, err
}

// RemoveAccount forgets an account and its tokens, which are not revoked.
func (c *Client) RemoveAccount(ctx context.Context, name string) error {
	_, err := c.call(ctx, http.MethodDelete, accountPath(name), nil, nil, nil, nil)
	return err
}

func accountPath(name string) string { return "/v1/accounts/" + url.PathEscape(name) }
