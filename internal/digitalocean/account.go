package digitalocean

import (
	"context"
	"errors"
	"net/http"
)

// An Account is whom a token belongs to.
type Account struct {
	UUID     string
	Email    string
	Status   string // "active", "warning", "locked"
	TeamUUID string // empty without a team
	TeamName string
	Limits   Limits
}

// Limits are how much of a kind an account may have.
type Limits struct {
	Droplets    int `json:"droplets"`
	Volumes     int `json:"volumes"`
	ReservedIPs int `json:"reserved_ips"`
}

// Account reads whom this client's token belongs to: the cheapest proof that a
// token works. Any purpose.
func (c *Client) Account(ctx context.Context) (Account, error) {
	const path = "/v2/account"
	got, _, err := c.api.Account.Get(ctx)
	if err != nil {
		return Account{}, c.failed(http.MethodGet, path, err)
	}
	if got == nil || got.UUID == "" {
		return Account{}, c.unclear(http.MethodGet, path, "an answer without an account")
	}
	a := Account{UUID: got.UUID, Email: got.Email, Status: got.Status, Limits: Limits{got.DropletLimit, got.VolumeLimit, got.ReservedIPLimit}}
	if got.Team != nil {
		a.TeamUUID, a.TeamName = got.Team.UUID, got.Team.Name
	}
	return a, nil
}

// MayRead asks whether the token may read what is at a path: nothing tells a token's
// scopes but trying. Any answer than that it may not, that there is no such thing
// among them, says that it may. Any purpose.
func (c *Client) MayRead(ctx context.Context, path string) (bool, error) {
	_, _, err := c.root(ctx, path)
	switch {
	case err == nil, errors.Is(err, NotFound), errors.Is(err, Unprocessable), errors.Is(err, Conflict):
		return true, nil
	case errors.Is(err, Forbidden):
		return false, nil
	}
	return false, err
}
