package digitalocean

import (
	"context"
	"net/http"
)

// An Account is whom a token belongs to.
type Account struct {
	UUID         string
	Email        string
	Status       string // "active", "warning", "locked"
	TeamUUID     string // empty without a team
	TeamName     string
	DropletLimit int
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
	a := Account{UUID: got.UUID, Email: got.Email, Status: got.Status, DropletLimit: got.DropletLimit}
	if got.Team != nil {
		a.TeamUUID, a.TeamName = got.Team.UUID, got.Team.Name
	}
	return a, nil
}
