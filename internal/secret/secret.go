// Package secret keeps what droplets are told in private when they first start, and the
// one-time addresses at which they get it and call back. Values are sealed by the vault
// and never shown again: they leave at a one-time address alone. The package owns the
// tables secrets and one_time_addresses.
package secret

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// An ID names a secret: "sec_" and 32 hex digits.
type ID string

// A Secret is what may be shown of a secret; its value is not in it.
type Secret struct {
	ID          ID
	Tenant      tenant.ID // whose stacks may name it; empty: every tenant's
	Name        string
	Version     int64  // from 1; a new value has the next one
	Fingerprint string // 16 hex digits by which the same value is recognised
	Actor       string // who set the value
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// MaxValue bounds a secret's value, in bytes.
const MaxValue = 16 << 10

// nameForm is what blueprints take as the name of a secret.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, "A secret's name has 1 to 64 small letters, digits and . _ -, and begins with a letter or a digit, as database-password.")
	}
	return nil
}

// A Service keeps secrets and one-time addresses.
type Service struct {
	db    *db.DB
	vault *vault.Vault
}

// New returns the service over a database and the vault that seals values.
func New(d *db.DB, v *vault.Vault) *Service { return &Service{db: d, vault: v} }

// place is where a value is sealed for.
func (s Secret) place() string { return fmt.Sprintf("secret|%s|%d", s.ID, s.Version) }

// Set stores a secret's value, in place of the one that was there. A droplet whose
// address is open gets the new one. It answers fault.Invalid for a name or a value that
// cannot be.
func (s *Service) Set(ctx context.Context, of tenant.ID, name string, value vault.Secret, actor string, at time.Time) (kept Secret, err error) {
	if err := checkName(name); err != nil {
		return kept, err
	}
	text := value.Reveal()
	switch {
	case text == "":
		return kept, fault.New(fault.Invalid, "A secret has a value: give it on standard input.")
	case len(text) > MaxValue:
		return kept, fault.New(fault.Invalid, "A secret has at most %d bytes, and this one has %d.", MaxValue, len(text))
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return kept, fault.New(fault.Invalid, "A secret is text in UTF-8, since a shell reads it: encode what is not, as with base64.")
	}
	mark, err := s.vault.Fingerprint(value)
	if err != nil {
		return kept, err
	}
	at = at.UTC().Truncate(time.Microsecond)
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		before, _, err := find(ctx, tx, of, name)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			kept = Secret{ID: ID(id.New("sec")), Tenant: of, Name: name, CreatedAt: at}
		case err != nil:
			return err
		default:
			kept = before
		}
		kept.Version, kept.Fingerprint, kept.Actor, kept.UpdatedAt = kept.Version+1, mark, actor, at
		sealed, err := s.vault.Seal([]byte(text), kept.place())
		if err != nil {
			return err
		}
		return upsert(ctx, tx, kept, sealed)
	})
	return kept, err
}

// Secrets lists what may be shown of secrets, by name: those of a tenant and those of
// every tenant, or all where none is named.
func (s *Service) Secrets(ctx context.Context, of tenant.ID) ([]Secret, error) {
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (Secret, error) { return scan(rows) },
		`SELECT `+columns+` FROM secrets WHERE $1 = '' OR tenant_id = $1 OR tenant_id = '' ORDER BY name, tenant_id`, string(of))
}

// Remove forgets a secret for good, and closes the addresses that would have handed it
// out; closed is how many. It answers fault.NotFound when there is none.
func (s *Service) Remove(ctx context.Context, of tenant.ID, name string, at time.Time) (closed int64, err error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		is, _, err := find(ctx, tx, of, name)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "There is no secret %s %s. See: arcadia secret list", name, whose(of))
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM secrets WHERE id = $1`, string(is.ID)); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE one_time_addresses SET closed_at = $1
			WHERE secret_id = $2 AND used_at IS NULL AND closed_at IS NULL AND expires_at > $1`, db.Micros(at), string(is.ID))
		if err != nil {
			return err
		}
		closed, err = res.RowsAffected()
		return err
	})
	return closed, err
}

func whose(of tenant.ID) string {
	if of == "" {
		return "of every tenant"
	}
	return "of that tenant"
}

// For finds the secret that a tenant's stack means by a name: the tenant's own, else the
// one of every tenant. It answers fault.NotFound when there is neither.
func (s *Service) For(ctx context.Context, of tenant.ID, name string) (Secret, error) {
	return forTenant(ctx, s.db.Read(), of, name)
}

func forTenant(ctx context.Context, q db.Queryer, of tenant.ID, name string) (Secret, error) {
	is, _, err := find(ctx, q, of, name)
	if errors.Is(err, sql.ErrNoRows) && of != "" {
		is, _, err = find(ctx, q, "", name)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.NotFound, "There is no secret %s for this tenant. Store it with: arcadia secret set %s --tenant TENANT, or without --tenant for all.", name, name)
	}
	return is, err
}

const columns = `id, tenant_id, name, version, fingerprint, actor, created_at, updated_at`

// find answers sql.ErrNoRows where there is none.
func find(ctx context.Context, q db.Queryer, of tenant.ID, name string) (s Secret, sealed []byte, err error) {
	s, err = scan(q.QueryRowContext(ctx, `SELECT `+columns+`, ciphertext FROM secrets WHERE tenant_id = $1 AND name = $2`, string(of), name), &sealed)
	return s, sealed, err
}

// scan reads a row of columns and whatever stands after them.
func scan(row interface{ Scan(...any) error }, more ...any) (s Secret, err error) {
	var created, updated int64
	err = row.Scan(append([]any{(*string)(&s.ID), (*string)(&s.Tenant), &s.Name, &s.Version, &s.Fingerprint, &s.Actor, &created, &updated}, more...)...)
	s.CreatedAt, s.UpdatedAt = db.Time(created), db.Time(updated)
	return s, err
}

func upsert(ctx context.Context, tx *sql.Tx, s Secret, sealed []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO secrets (`+columns+`, ciphertext) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id, name) DO UPDATE SET version = excluded.version, fingerprint = excluded.fingerprint, actor = excluded.actor,
			updated_at = excluded.updated_at, ciphertext = excluded.ciphertext`,
		string(s.ID), string(s.Tenant), s.Name, s.Version, s.Fingerprint, s.Actor, db.Micros(s.CreatedAt), db.Micros(s.UpdatedAt), sealed)
	return err
}
