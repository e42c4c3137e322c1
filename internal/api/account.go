package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) accountRoutes(h huma.API) {
	register(a, h, operation("list-accounts", http.MethodGet, "/v1/accounts", "List the accounts, and how it stands with their tokens"), a.listAccounts)
	add := operation("add-account", http.MethodPost, "/v1/accounts", "Add an account under our name for it")
	add.DefaultStatus = http.StatusCreated
	register(a, h, add, a.addAccount)
	register(a, h, operation("get-account", http.MethodGet, "/v1/accounts/{account}", "Read an account"), a.getAccount)
	register(a, h, operation("check-account", http.MethodPost, "/v1/accounts/{account}/check",
		"Try an account's tokens: whose they are, and which scopes they lack"), a.checkAccount)
	remove := operation("remove-account", http.MethodDelete, "/v1/accounts/{account}", "Forget an account and its tokens, which are not revoked")
	remove.DefaultStatus = http.StatusNoContent
	register(a, h, remove, a.removeAccount)
}

type accountAnswer struct{ Body client.Account }

// account is an account on its way to the wire.
func (a *API) account(ctx context.Context, of access.Account) (client.Account, error) {
	_, why, err := a.o.Access.Writable(ctx, of.Name)
	now := time.Now()
	return wire.Account(of, why, func(t access.Token) access.Expiry { return t.Expiry(now) }), err
}

func (a *API) accountAnswer(ctx context.Context, of access.Account, err error) (*accountAnswer, error) {
	if err != nil {
		return nil, err
	}
	body, err := a.account(ctx, of)
	return &accountAnswer{body}, err
}

func (a *API) listAccounts(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Account] }, error) {
	accounts, err := a.o.Access.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Account, len(accounts))
	for i, of := range accounts {
		if items[i], err = a.account(ctx, of); err != nil {
			return nil, err
		}
	}
	return listed(items), nil
}

func (a *API) addAccount(ctx context.Context, in *struct{ Body client.NewAccount }) (*accountAnswer, error) {
	of, err := a.o.Access.AddAccount(ctx, in.Body.Name, time.Now())
	return a.accountAnswer(ctx, of, err)
}

func (a *API) getAccount(ctx context.Context, in *AccountQuery) (*accountAnswer, error) {
	of, err := a.o.Access.Account(ctx, in.Account)
	return a.accountAnswer(ctx, of, err)
}

func (a *API) checkAccount(ctx context.Context, in *AccountQuery) (*accountAnswer, error) {
	of, err := a.o.Access.CheckAccount(ctx, in.Account, a.o.Clients, inventory.Probes(), time.Now())
	return a.accountAnswer(ctx, of, err)
}

func (a *API) removeAccount(ctx context.Context, in *AccountQuery) (*struct{}, error) {
	return &struct{}{}, a.o.Access.RemoveAccount(ctx, in.Account)
}
