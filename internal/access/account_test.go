package access_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A bureau is the service beside a simulated cloud.
type bureau struct {
	*access.Service

	t     *testing.T
	cloud *dosimtest.Server
}

// client makes a client with the token that the service has.
func (b *bureau) client(ctx context.Context, account string, p digitalocean.Purpose) (*digitalocean.Client, error) {
	token, err := b.Token(ctx, account, p)
	if err != nil {
		return nil, err
	}
	return digitalocean.New(digitalocean.Options{BaseURL: b.cloud.URL, Account: account, Purpose: p, Token: token})
}

// give stores a token of an account of the simulated cloud with these scopes; none
// means all.
func (b *bureau) give(account string, p digitalocean.Purpose, of string, scopes ...string) {
	b.t.Helper()
	set(b.t, b.Service, account, p, b.cloud.CreateToken(dosim.TokenSpec{Account: of, Scopes: scopes}))
}

var probes = []access.Probe{{Scope: "droplet:read", Path: "/v2/droplets?per_page=1"}, {Scope: "snapshot:read", Path: "/v2/snapshots?per_page=1"}}

func (b *bureau) check(account string) (access.Account, error) {
	return b.CheckAccount(b.t.Context(), account, b.client, probes, noon)
}

// standing is how it stands with an account's token for a purpose.
func standing(a access.Account, p digitalocean.Purpose) access.Standing {
	return a.Standings[slices.IndexFunc(a.Standings, func(s access.Standing) bool { return s.Purpose == p })]
}

func each(t *testing.T, test func(t *testing.T, b *bureau)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		test(t, &bureau{access.New(d, openVault(t)), t, dosimtest.Start(t)})
	})
}

func TestACheckFindsWhoseTokensAreAndWhatTheyLack(t *testing.T) {
	each(t, func(t *testing.T, b *bureau) {
		b.give("default", digitalocean.Provisioning, "main")
		b.give("default", digitalocean.Inventory, "main", "account:read", "droplet:read", "actions:read")
		set(t, b.Service, "default", digitalocean.Billing, "doo_v1_nobody_knows_this_one")
		a, err := b.check("default")
		if err != nil {
			t.Fatal(err)
		}
		if a.Team == "" || a.TeamName != "main" || a.Limits.Droplets == 0 || a.Limits.Volumes == 0 || !a.CheckedAt.Equal(noon) {
			t.Errorf("the check found %+v", a)
		}
		if s := standing(a, digitalocean.Provisioning); s.State != access.Accepted || !slices.Contains(s.Unproven, "droplet:update") || slices.Contains(s.Unproven, "droplet:read") {
			t.Errorf("a token that may all: %+v", s)
		}
		if s := standing(a, digitalocean.Inventory); s.State != access.ScopesLack || !slices.Equal(s.Missing, []string{"snapshot:read"}) {
			t.Errorf("a token without snapshot:read: %+v", s)
		}
		if s := standing(a, digitalocean.Billing); s.State != access.Failed || !strings.Contains(s.Problem, "billing token") {
			t.Errorf("a token that nobody knows: %+v", s)
		}
		again, err := b.Account(t.Context(), "default")
		if err != nil || standing(again, digitalocean.Inventory).State != access.ScopesLack {
			t.Errorf("what was found is not kept: %+v, %v", again, err)
		}
		b.give("default", digitalocean.Inventory, "main")
		again, err = b.Account(t.Context(), "default")
		if err != nil || standing(again, digitalocean.Inventory).State != access.Unchecked {
			t.Errorf("another token counts as checked: %+v, %v", again, err)
		}
	})
}

func TestATeamIsOneAccount(t *testing.T) {
	each(t, func(t *testing.T, b *bureau) {
		b.give("default", digitalocean.Inventory, "main")
		b.give("prod", digitalocean.Inventory, "main")
		b.give("other", digitalocean.Inventory, "second")
		for account, want := range map[string]bool{"default": true, "other": true} {
			if _, err := b.check(account); (err == nil) != want {
				t.Errorf("check %s: %v", account, err)
			}
		}
		_, err := b.check("prod")
		if !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "account default already") {
			t.Errorf("the same team under two names: %v", err)
		}
		if a, err := b.Account(t.Context(), "prod"); err != nil || a.Team != "" || !a.CheckedAt.IsZero() {
			t.Errorf("a refused check was kept: %+v, %v", a, err)
		}
		owner := digitalocean.Account{UUID: "u", TeamUUID: "another-team", TeamName: "fourth"}
		if err := b.Claim(t.Context(), "prod", owner, noon); err != nil {
			t.Errorf("the first look at an account: %v", err)
		}
		if err := b.Claim(t.Context(), "other", owner, noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("a look at an account with the token of another team: %v", err)
		}
		b.give("fifth", digitalocean.Inventory, "fourth")
		if err := b.Claim(t.Context(), "fifth", owner, noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("a look at a team that is another account: %v", err)
		}
		b.give("other", digitalocean.Billing, "third")
		if _, err := b.check("other"); !errors.Is(err, fault.Conflict) {
			t.Errorf("tokens of two teams in one account: %v", err)
		}
	})
}

func TestAccountsComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, b *bureau) {
		ctx := t.Context()
		for name, want := range map[string]fault.Kind{"default": fault.Conflict, "Prod": fault.Invalid, "a|b": fault.Invalid, "": fault.Invalid} {
			if _, err := b.AddAccount(ctx, name, noon); !errors.Is(err, want) {
				t.Errorf("AddAccount(%q) = %v, want %s", name, err, want)
			}
		}
		if _, err := b.SetToken(ctx, "prdo", digitalocean.Inventory, vault.NewSecret(planted), nil, noon); !errors.Is(err, fault.NotFound) {
			t.Errorf("a token for an account that is not there: %v", err)
		}
		set(t, b.Service, "prod", digitalocean.Inventory, planted)
		if accounts, err := b.Accounts(ctx); err != nil || len(accounts) != 2 || accounts[0].Name != "default" || accounts[1].Name != "prod" {
			t.Errorf("Accounts = %+v, %v", accounts, err)
		}
		if err := b.RemoveAccount(ctx, "default"); !errors.Is(err, fault.Conflict) {
			t.Errorf("the default account is removed: %v", err)
		}
		if err := b.RemoveAccount(ctx, "prod"); err != nil {
			t.Error(err)
		}
		if err := b.RemoveAccount(ctx, "prod"); !errors.Is(err, fault.NotFound) {
			t.Errorf("it is removed twice: %v", err)
		}
		if tokens, err := b.Tokens(ctx); err != nil || len(tokens) != 0 {
			t.Errorf("its tokens stay: %+v, %v", tokens, err)
		}
	})
}

func TestAnAccountIsWritableWithATokenToProvisionWith(t *testing.T) {
	d, v := dbtest.New(t), openVault(t)
	given := access.New(d, v, access.Given{Purpose: digitalocean.Provisioning, Token: vault.NewSecret(planted)})
	stored := access.New(d, v)
	set(t, stored, "prod", digitalocean.Inventory, planted)
	for _, tt := range []struct {
		name    string
		s       *access.Service
		account string
		want    bool
	}{
		{"the environment gives one", given, "default", true},
		{"it gives it to the default account alone", given, "prod", false},
		{"none", stored, "default", false},
		{"one that only reads", stored, "prod", false},
	} {
		writable, reason, err := tt.s.Writable(t.Context(), tt.account)
		if err != nil || writable != tt.want || (reason == "") != tt.want {
			t.Errorf("%s: Writable = %t, %q, %v; want %t", tt.name, writable, reason, err, tt.want)
		}
		if err := tt.s.MustWrite(t.Context(), tt.account); (err == nil) != tt.want || err != nil && fault.Code(err) != access.ReadOnly {
			t.Errorf("%s: MustWrite = %v", tt.name, err)
		}
	}
	if _, reason, _ := stored.Writable(t.Context(), "prod"); !strings.Contains(reason, "arcadia token set provisioning --account prod") {
		t.Errorf("the reason %q does not say what to do", reason)
	}
	set(t, stored, "prod", digitalocean.Provisioning, planted)
	if writable, _, err := stored.Writable(t.Context(), "prod"); err != nil || !writable {
		t.Errorf("with a stored token: %t, %v", writable, err)
	}
}

func TestExpiry(t *testing.T) {
	for left, want := range map[time.Duration]access.Expiry{
		-time.Second: access.Expired, 0: access.Expired, time.Second: access.Expiring, 14 * 24 * time.Hour: access.Expiring,
		14*24*time.Hour + time.Second: access.Lasting,
	} {
		if got := (access.Token{ExpiresAt: noon.Add(left)}).Expiry(noon); got != want {
			t.Errorf("with %v left: %s, want %s", left, got, want)
		}
	}
	if got := (access.Token{}).Expiry(noon); got != access.Lasting {
		t.Errorf("not entered: %s", got)
	}
	s, past := access.New(dbtest.New(t), openVault(t)), noon.Add(-time.Hour)
	if _, err := s.SetToken(t.Context(), "default", digitalocean.Billing, vault.NewSecret(planted), &past, noon); !errors.Is(err, fault.Invalid) {
		t.Errorf("a token that has expired is stored: %v", err)
	}
}
