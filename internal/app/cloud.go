package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// clouds makes clients of DigitalOcean, one per account and purpose, and keeps
// each for as long as its token stays the same.
type clouds struct {
	apiURL  string
	timeout time.Duration
	access  *access.Service
	vault   *vault.Vault
	log     *slog.Logger
	wire    http.RoundTripper
	freeze  func(ctx context.Context, account, tenant string) error        // asked before every change; nil: nothing is frozen
	destroy func(ctx context.Context, what digitalocean.Destruction) error // asked before every destruction; nil: no bounds

	mu      sync.Mutex
	clients map[place]cached
	budgets map[string]*digitalocean.Budget // by the token's fingerprint: a token's limits are shared by all its purposes
	spends  map[place]*digitalocean.Budget  // which of them a purpose uses
}

// uses tells how much of the limits of each token of an account is used up.
func (c *clouds) uses(account string) map[digitalocean.Purpose]digitalocean.Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	uses := map[digitalocean.Purpose]digitalocean.Use{}
	for at, b := range c.spends {
		if at.account == account {
			uses[at.purpose] = b.Use()
		}
	}
	return uses
}

type place struct {
	account string
	purpose digitalocean.Purpose
}

type cached struct {
	token  vault.Secret
	client *digitalocean.Client
}

func newClouds(c Config, a *access.Service, v *vault.Vault, log *slog.Logger) *clouds {
	wire := http.DefaultTransport.(*http.Transport).Clone()
	wire.MaxIdleConnsPerHost = 16
	return &clouds{
		apiURL: c.APIURL, timeout: c.requestTimeout(), access: a, vault: v, log: log, wire: wire,
		clients: map[place]cached{}, budgets: map[string]*digitalocean.Budget{}, spends: map[place]*digitalocean.Budget{},
	}
}

// provisioning is the client that changes things.
func (c *clouds) provisioning(ctx context.Context, account string) (*digitalocean.Client, error) {
	return c.client(ctx, account, digitalocean.Provisioning)
}

// billing is the client that reads invoices.
func (c *clouds) billing(ctx context.Context, account string) (*digitalocean.Client, error) {
	return c.client(ctx, account, digitalocean.Billing)
}

// reading is the client that looks: the inventory token's, and the provisioning
// token's where there is none, which may read what it changes.
func (c *clouds) reading(ctx context.Context, account string) (*digitalocean.Client, error) {
	client, err := c.client(ctx, account, digitalocean.Inventory)
	if fault.Code(err) == noToken {
		if other, err := c.client(ctx, account, digitalocean.Provisioning); err == nil {
			return other, nil
		}
	}
	return client, err
}

// kept are all accounts, with a token or without.
func (c *clouds) kept(ctx context.Context) (names []string, err error) {
	accounts, err := c.access.Accounts(ctx)
	for _, a := range accounts {
		names = append(names, a.Name)
	}
	return names, err
}

// readable are the accounts that have a token to look with.
func (c *clouds) readable(ctx context.Context) (names []string, err error) {
	accounts, err := c.access.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		switch _, err := c.reading(ctx, a.Name); {
		case err == nil:
			names = append(names, a.Name)
		case fault.Code(err) != noToken:
			return nil, err
		}
	}
	return names, nil
}

// client returns the client of an account for a purpose. Unprocessable when there
// is no token for it.
func (c *clouds) client(ctx context.Context, of string, p digitalocean.Purpose) (*digitalocean.Client, error) {
	if of == "" {
		of = access.DefaultAccount
	}
	token, err := c.token(ctx, of, p)
	if err != nil {
		return nil, err
	}
	mark, err := c.vault.Fingerprint(token)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := place{of, p}
	if have, ok := c.clients[at]; ok && have.token.Equal(token) {
		return have.client, nil
	}
	if c.budgets[mark] == nil {
		c.budgets[mark] = digitalocean.NewBudget()
	}
	client, err := digitalocean.New(digitalocean.Options{
		BaseURL: c.apiURL, Account: of, Purpose: p, Token: token,
		Transport: c.wire, Timeout: c.timeout, Budget: c.budgets[mark], Logger: c.log, Freeze: c.freeze, Destroys: c.destroy,
	})
	if err != nil {
		return nil, err
	}
	c.clients[at], c.spends[at] = cached{token, client}, c.budgets[mark]
	return client, nil
}

// noToken is the code of the refusal for want of a token.
const noToken = "no_token"

func (c *clouds) token(ctx context.Context, of string, p digitalocean.Purpose) (vault.Secret, error) {
	t, err := c.access.Token(ctx, of, p)
	if fault.KindOf(err) == fault.NotFound {
		// What was asked for may well exist: the request cannot be carried out.
		err = fault.WithCode(fault.Wrap(fault.Unprocessable, err, "%s", fault.Message(err)), noToken)
	}
	return t, err
}

func (c *clouds) close() { c.wire.(*http.Transport).CloseIdleConnections() }
