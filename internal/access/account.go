package access

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// DefaultAccount is the account that is always there: the one that is meant where
// nobody names any, and whose tokens the environment gives.
const DefaultAccount = digitalocean.DefaultAccount

// An Account is a team at DigitalOcean under our name for it, or one person's
// account. What is known of it is what its last check found.
type Account struct {
	Name      string
	Team      string // UUID of the team, or of the account of a person without one; empty before the first check
	TeamName  string
	Email     string // whose token it was that told
	Limits    digitalocean.Limits
	AddedAt   time.Time // zero: nobody added it, it is the default one
	CheckedAt time.Time // zero: never

	Standings []Standing // one for each purpose
}

// A TokenState says how it stands with an account's token for a purpose.
type TokenState string

// The states.
const (
	NoToken    TokenState = "none"
	Unchecked  TokenState = "unchecked" // no check since it was set
	Accepted   TokenState = "ok"
	ScopesLack TokenState = "missing_scopes"
	Failed     TokenState = "failed" // refused as a whole, or nobody could ask
)

// A Standing is how it stands with an account's token for a purpose.
type Standing struct {
	Purpose  digitalocean.Purpose
	State    TokenState
	Token    Token    // zero where there is none
	Missing  []string // scopes that it lacks
	Unproven []string // scopes to write: only writing would tell
	Problem  string   // of a failed one, a sentence
}

// A finding is a standing as it is kept.
type finding struct {
	Fingerprint string     `json:"fingerprint"`
	State       TokenState `json:"state"`
	Missing     []string   `json:"missing,omitempty"`
	Unproven    []string   `json:"unproven,omitempty"`
	Problem     string     `json:"problem,omitempty"`
}

// CheckAccountName answers fault.Invalid for what cannot be our name of an account.
func CheckAccountName(name string) error {
	if !accountName.MatchString(name) {
		return fault.New(fault.Invalid, "%q is no name for an account: it has 1 to 63 lower-case letters, digits, dots, dashes and underscores.", clip(name))
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), 64)] }

// AddAccount adds an account under our name for it. fault.Conflict where there is one.
func (s *Service) AddAccount(ctx context.Context, name string, at time.Time) (Account, error) {
	if err := CheckAccountName(name); err != nil {
		return Account{}, err
	}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		accounts, err := listAccounts(ctx, tx)
		if err != nil {
			return err
		}
		if _, there := accounts[name]; there || name == DefaultAccount {
			return fault.New(fault.Conflict, "There is an account %s already. Set its tokens with: %s", name, digitalocean.SetCommand(digitalocean.Inventory, name))
		}
		return putAccount(ctx, tx, record{Account: Account{Name: name, AddedAt: at}})
	})
	if err != nil {
		return Account{}, err
	}
	return s.Account(ctx, name)
}

// RemoveAccount forgets an account and its tokens, which are not revoked. What the
// inventory knows of it stays, and is not looked at any more. Errors: NotFound where
// there is none, Conflict for the default one.
func (s *Service) RemoveAccount(ctx context.Context, name string) error {
	if name == DefaultAccount {
		return fault.New(fault.Conflict, "Account %s is always there. Forget its tokens one by one with: arcadia token rm", name)
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := mustBe(ctx, tx, name); err != nil {
			return err
		}
		for _, p := range digitalocean.Purposes() {
			if _, err := deleteToken(ctx, tx, name, p); err != nil {
				return err
			}
		}
		return deleteAccount(ctx, tx, name)
	})
}

// mustBe answers fault.NotFound for an account that there is not.
func mustBe(ctx context.Context, q db.Queryer, name string) error {
	if name == DefaultAccount {
		return nil
	}
	accounts, err := listAccounts(ctx, q)
	if err != nil {
		return err
	}
	if _, there := accounts[name]; !there {
		return fault.New(fault.NotFound, "There is no account %q. Add it with: arcadia account add %s", clip(name), clip(name))
	}
	return nil
}

// Accounts are all accounts, the default one first.
func (s *Service) Accounts(ctx context.Context) ([]Account, error) {
	records, err := listAccounts(ctx, s.db.Read())
	if err != nil {
		return nil, err
	}
	tokens, err := s.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	if _, there := records[DefaultAccount]; !there {
		records[DefaultAccount] = record{Account: Account{Name: DefaultAccount}}
	}
	accounts := make([]Account, 0, len(records))
	for _, r := range records {
		accounts = append(accounts, r.with(tokens))
	}
	slices.SortFunc(accounts, func(a, b Account) int {
		switch {
		case a.Name == b.Name:
			return 0
		case a.Name == DefaultAccount || b.Name != DefaultAccount && a.Name < b.Name:
			return -1
		}
		return 1
	})
	return accounts, nil
}

// Account is the account of a name; fault.NotFound where there is none.
func (s *Service) Account(ctx context.Context, name string) (Account, error) {
	accounts, err := s.Accounts(ctx)
	if err != nil {
		return Account{}, err
	}
	if i := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == name }); i >= 0 {
		return accounts[i], nil
	}
	return Account{}, mustBe(ctx, s.db.Read(), name)
}

// with is the account with how it stands with its tokens.
func (r record) with(tokens []Token) Account {
	a := r.Account
	for _, p := range digitalocean.Purposes() {
		standing := Standing{Purpose: p, State: NoToken}
		// The environment's come first, and win.
		if i := slices.IndexFunc(tokens, func(t Token) bool { return t.Account == a.Name && t.Purpose == p }); i >= 0 {
			standing.State, standing.Token = Unchecked, tokens[i]
			if f, checked := r.findings[p]; checked && f.Fingerprint == tokens[i].Fingerprint {
				standing.State, standing.Missing, standing.Unproven, standing.Problem = f.State, f.Missing, f.Unproven, f.Problem
			}
		}
		a.Standings = append(a.Standings, standing)
	}
	return a
}

// Writable reports whether anything can be changed at DigitalOcean in an account:
// whether it has a provisioning token. Where it has none the account can only be
// read, and reason is the sentence that says so, and what to do.
func (s *Service) Writable(ctx context.Context, account string) (writable bool, reason string, err error) {
	tokens, err := s.Tokens(ctx)
	if err != nil {
		return false, "", err
	}
	for _, t := range tokens {
		if t.Account == account && t.Purpose == digitalocean.Provisioning {
			return true, "", nil
		}
	}
	return false, fmt.Sprintf("Account %s is read-only: it has no provisioning token. Make one in DigitalOcean's control panel, then: %s",
		account, digitalocean.SetCommand(digitalocean.Provisioning, account)), nil
}

// ReadOnly is the code of the refusal to change anything without a token for it.
const ReadOnly = "read_only"

// MustWrite answers fault.Unprocessable, with the code ReadOnly, where Writable says no.
func (s *Service) MustWrite(ctx context.Context, account string) error {
	writable, reason, err := s.Writable(ctx, account)
	if err == nil && !writable {
		err = fault.WithCode(fault.New(fault.Unprocessable, "%s", reason), ReadOnly)
	}
	return err
}

// WarnBefore is how long before its end a token's expiry is a warning.
const WarnBefore = 14 * 24 * time.Hour

// An Expiry says how near a token's end is.
type Expiry string

// The expiries. What was not entered is not known, and Lasting.
const (
	Lasting  Expiry = "lasting"
	Expiring Expiry = "expiring" // within WarnBefore
	Expired  Expiry = "expired"  // as it was entered; DigitalOcean has the last word
)

// Expiry is how near the token's end is at the time now.
func (t Token) Expiry(now time.Time) Expiry {
	switch {
	case t.ExpiresAt.IsZero() || t.ExpiresAt.Sub(now) > WarnBefore:
		return Lasting
	case t.ExpiresAt.After(now):
		return Expiring
	}
	return Expired
}
