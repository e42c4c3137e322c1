package access

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A TokenID names a stored token: "tok_" and 32 hex digits. A token that
// replaces another has an id of its own.
type TokenID string

// A Token is what may be shown of a stored token; the token itself is not in it.
type Token struct {
	ID          TokenID
	Account     string
	Purpose     digitalocean.Purpose
	Last4       string // its last four characters; empty when it is so short that they give it away
	Fingerprint string // 16 hex digits by which the same token is recognised
	CreatedAt   time.Time
	ExpiresAt   time.Time // as the operator entered it: no API tells; zero: not entered
	LastUsedAt  time.Time // zero: never
	Given       bool      // it is the environment's, and is not stored

	// Warning is what SetToken found odd about the token; empty otherwise.
	Warning string
}

// shownFrom is the length from which on a token's last four are shown.
const shownFrom = 16

// accountName is the form of our names for accounts. It keeps the associated
// data of sealed tokens, account|purpose|id, unambiguous.
var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// SetToken stores a token for an account and purpose at the time at, in place
// of the one that was there. expires is when the operator says that it expires,
// nil when not known. The result carries a Warning when the token does not look
// like DigitalOcean's. It answers fault.Invalid for an account's name, a purpose, a
// token or an expiry that cannot be right, and fault.NotFound for no such account.
func (s *Service) SetToken(ctx context.Context, account string, p digitalocean.Purpose, token vault.Secret, expires *time.Time, at time.Time) (Token, error) {
	if err := checkPlace(account, p); err != nil {
		return Token{}, err
	}
	if err := digitalocean.CheckToken(token); err != nil {
		return Token{}, err
	}
	t := Token{
		ID: TokenID(id.New("tok")), Account: account, Purpose: p,
		Last4: last4(token), CreatedAt: at.UTC().Truncate(time.Microsecond), Warning: warningAbout(token),
	}
	if expires != nil {
		if !expires.After(at) {
			return Token{}, fault.New(fault.Invalid, "A token that expired on %s cannot be used: set one that lasts.", expires.UTC().Format(time.DateOnly))
		}
		t.ExpiresAt = expires.UTC().Truncate(time.Microsecond)
	}
	var err error
	if t.Fingerprint, err = s.vault.Fingerprint(token); err != nil {
		return Token{}, err
	}
	sealed, err := s.vault.Seal([]byte(token.Reveal()), t.place())
	if err != nil {
		return Token{}, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := mustBe(ctx, tx, account); err != nil {
			return err
		}
		if _, err := deleteToken(ctx, tx, account, p); err != nil {
			return err
		}
		return insertToken(ctx, tx, t, sealed)
	})
	if err != nil {
		return Token{}, fmt.Errorf("set token: %w", err)
	}
	return t, nil
}

// Tokens lists the tokens by account and purpose, those of the environment first;
// what one of them hides is left out.
func (s *Service) Tokens(ctx context.Context) (tokens []Token, err error) {
	for _, p := range digitalocean.Purposes() {
		given, ok := s.given[p]
		if !ok {
			continue
		}
		mark, err := s.vault.Fingerprint(given)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, Token{Account: DefaultAccount, Purpose: p, Last4: last4(given), Fingerprint: mark, Given: true})
	}
	stored, err := listTokens(ctx, s.db.Read())
	for _, t := range stored {
		if _, hidden := s.given[t.Purpose]; !hidden || t.Account != DefaultAccount {
			tokens = append(tokens, t)
		}
	}
	return tokens, err
}

// RemoveToken forgets the token of an account and purpose. It does not revoke
// it: that is done in DigitalOcean's control panel. It answers fault.NotFound
// when there is none.
func (s *Service) RemoveToken(ctx context.Context, account string, p digitalocean.Purpose) error {
	if err := checkPlace(account, p); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		gone, err := deleteToken(ctx, tx, account, p)
		if err == nil && !gone {
			err = fault.New(fault.NotFound, "There is no %s token of account %s.", p, account)
		}
		return err
	})
}

// Token returns the token of an account and purpose, to make a client with. It
// answers fault.NotFound when none is stored, and fault.Unprocessable when the
// stored one does not open with this vault's key.
func (s *Service) Token(ctx context.Context, account string, p digitalocean.Purpose) (vault.Secret, error) {
	if err := checkPlace(account, p); err != nil {
		return vault.Secret{}, err
	}
	if given, ok := s.given[p]; ok && account == DefaultAccount {
		return given, nil
	}
	t, sealed, err := findToken(ctx, s.db.Read(), account, p)
	if err != nil {
		return vault.Secret{}, err
	}
	text, err := s.vault.Unseal(sealed, t.place())
	if err != nil {
		return vault.Secret{}, err
	}
	return vault.NewSecret(string(text)), nil
}

// NoteTokenUse records that the token of an account and purpose was put to use
// at the time at. Nothing happens when it is not stored.
func (s *Service) NoteTokenUse(ctx context.Context, account string, p digitalocean.Purpose, at time.Time) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { return noteUse(ctx, tx, account, p, at) })
}

// missing is the fault of a token that is needed and not there.
func missing(account string, p digitalocean.Purpose) error {
	todo := digitalocean.SetCommand(p, account)
	if account == DefaultAccount {
		todo += ", or give it in ARCADIA_DO_TOKEN_" + strings.ToUpper(string(p))
	}
	return fault.New(fault.NotFound, "There is no %s token for account %s: store one with: %s.", p, account, todo)
}

// place is the row that a token is sealed for.
func (t Token) place() string {
	return t.Account + "|" + string(t.Purpose) + "|" + string(t.ID)
}

func checkPlace(account string, p digitalocean.Purpose) error {
	if err := CheckAccountName(account); err != nil {
		return err
	}
	_, err := digitalocean.ParsePurpose(string(p))
	return err
}

func last4(token vault.Secret) string {
	text := token.Reveal()
	if len(text) < shownFrom {
		return ""
	}
	return text[len(text)-4:]
}

func warningAbout(token vault.Secret) string {
	for _, prefix := range []string{"dop_v1_", "doo_v1_"} {
		if strings.HasPrefix(token.Reveal(), prefix) {
			return ""
		}
	}
	return "This does not look like a token of DigitalOcean, which begins dop_v1_ or doo_v1_."
}
