package secret

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// What an address is for.
const (
	HandOut = "secret"   // GET gives a secret's value, once
	CallIn  = "callback" // POST says that a probe is content
)

// An Address is one that a droplet asks once. What names it makes its token, so that the
// same address comes out whenever a request is written again, and nothing of it has to
// be kept.
type Address struct {
	Kind     string // HandOut or CallIn
	Name     string // of the secret, or of the probe
	Stack    string // id
	Saga     string // id of the one that makes the droplet
	Resource string // the droplet in the stack's blueprint, droplet.web
}

// The sentinels of an address that gives nothing.
var (
	ErrUnknown = fault.New(fault.NotFound, "There is nothing at this address.")
	ErrGone    = fault.New(fault.Conflict, "This address has answered, or its time is over.")
)

// Token is the secret part of an address, from which alone what it names is not found.
func (s *Service) Token(a Address) (vault.Secret, error) {
	// None of the parts has a | in it.
	return s.vault.Derive(strings.Join([]string{"one-time address", a.Kind, a.Saga, a.Resource, a.Name}, "|"))
}

var tokenForm = regexp.MustCompile(`^[0-9a-f]{48}$`)

// hashOf is what is kept of a token: it has so much chance in it that no salt is needed.
func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Open has addresses of a tenant's stack answer until a time, and returns their tokens.
// To open one again is to lengthen its time; what was used or closed stays so. It answers
// fault.NotFound where a secret is there no more.
func (s *Service) Open(ctx context.Context, of tenant.ID, all []Address, at, until time.Time) (map[Address]vault.Secret, error) {
	tokens := make(map[Address]vault.Secret, len(all))
	for _, a := range all {
		token, err := s.Token(a)
		if err != nil {
			return nil, err
		}
		tokens[a] = token
	}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, a := range all {
			holds, err := held(ctx, tx, of, a)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO one_time_addresses (hash, kind, name, stack_id, saga_id, resource, secret_id, opened_at, expires_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at
				WHERE one_time_addresses.used_at IS NULL AND one_time_addresses.closed_at IS NULL AND one_time_addresses.expires_at < excluded.expires_at`,
				hashOf(tokens[a].Reveal()), a.Kind, a.Name, a.Stack, a.Saga, a.Resource, holds, db.Micros(at), db.Micros(until))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return tokens, err
}

// Rearm has the addresses in the user data of a droplet, which the saga by made, answer
// once more until a time, whatever became of them before: for the saga again alone, which
// has the user data run another time. To rearm for one saga twice is to do it once. It
// returns how many there are, and answers fault.NotFound where a secret is there no more.
func (s *Service) Rearm(ctx context.Context, of tenant.ID, by, resource, again string, at, until time.Time) (n int, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		all, err := db.All(ctx, tx, func(rows *sql.Rows) (f found, err error) {
			err = rows.Scan(&f.hash, &f.Kind, &f.Name)
			return f, err
		}, `SELECT hash, kind, name FROM one_time_addresses WHERE saga_id = $1 AND resource = $2`, by, resource)
		if err != nil {
			return err
		}
		n = len(all)
		for _, f := range all {
			holds, err := held(ctx, tx, of, f.Address)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE one_time_addresses
				SET armed_by = $1, secret_id = $2, opened_at = $3, expires_at = $4, used_at = NULL, used_from = NULL, closed_at = NULL
				WHERE hash = $5 AND (armed_by IS NULL OR armed_by <> $1)`, again, holds, db.Micros(at), db.Micros(until), f.hash)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// held is the secret that an address hands out now; a call-back's hands out none.
func held(ctx context.Context, tx *sql.Tx, of tenant.ID, a Address) (id sql.NullString, err error) {
	if a.Kind != HandOut {
		return id, nil
	}
	is, err := forTenant(ctx, tx, of, a.Name)
	return sql.NullString{String: string(is.ID), Valid: true}, err
}

// Close revokes what is open of a stack: of one resource, or of all where it is empty.
func (s *Service) Close(ctx context.Context, stack, resource string, at time.Time) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE one_time_addresses SET closed_at = $1
			WHERE stack_id = $2 AND ($3 = '' OR resource = $3) AND closed_at IS NULL`, db.Micros(at), stack, resource)
		return err
	})
}

// A found address is a row.
type found struct {
	Address
	secret  sql.NullString
	armedBy sql.NullString // the saga that it was opened for once more
	hash    []byte
	expires int64
	used    db.NullTime
	closed  db.NullTime
}

// bound is the saga that an address is open for.
func (f found) bound() string {
	if f.armedBy.Valid {
		return f.armedBy.String
	}
	return f.Saga
}

func (f found) over(at time.Time) bool { return !f.closed.Time.IsZero() || db.Micros(at) >= f.expires }

// look finds the address of a token. It answers ErrUnknown alike for what cannot be a
// token, for one that there is not, and for one of another kind. The look is by a hash,
// whose comparisons tell nothing of a token that would be a better guess.
func look(ctx context.Context, q db.Queryer, kind, token string) (f found, err error) {
	if !tokenForm.MatchString(token) {
		return f, ErrUnknown
	}
	hash := hashOf(token)
	err = q.QueryRowContext(ctx, `SELECT hash, kind, name, stack_id, saga_id, resource, secret_id, armed_by, expires_at, used_at, closed_at
		FROM one_time_addresses WHERE hash = $1`, hash).Scan(&f.hash, &f.Kind, &f.Name, &f.Stack, &f.Saga, &f.Resource, &f.secret, &f.armedBy, &f.expires, &f.used, &f.closed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return f, ErrUnknown
	case err != nil:
		return f, err
	case subtle.ConstantTimeCompare(hash, f.hash) != 1 || f.Kind != kind:
		return f, ErrUnknown
	}
	return f, nil
}

// Take hands a secret out to whoever has its address's token, once: that it was, and to
// whom, is on disk before it leaves. The address that it returns names the saga that it
// is open for. It answers [ErrUnknown], and [ErrGone] for an
// address that was asked before, was closed or has expired.
func (s *Service) Take(ctx context.Context, token, from string, at time.Time) (value vault.Secret, of Address, err error) {
	if _, err := look(ctx, s.db.Read(), HandOut, token); err != nil { // a stranger takes no lock
		return vault.Secret{}, of, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		f, err := look(ctx, tx, HandOut, token)
		if err != nil {
			return err
		}
		of = f.Address
		of.Saga = f.bound()
		if f.over(at) || !f.used.Time.IsZero() {
			return ErrGone
		}
		var sealed []byte
		is, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+`, ciphertext FROM secrets WHERE id = $1`, f.secret.String), &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrGone
		}
		if err != nil {
			return err
		}
		text, err := s.vault.Unseal(sealed, is.place())
		if err != nil {
			return err
		}
		value = vault.NewSecret(string(text))
		return use(ctx, tx, f, from, at)
	})
	if err != nil {
		return vault.Secret{}, of, err
	}
	return value, of, nil
}

// Call notes that a droplet called at a probe's address, and returns it with the saga
// that waits for the call. To call again is to call once.
// It answers [ErrUnknown], and [ErrGone] for a first call that comes too late.
func (s *Service) Call(ctx context.Context, token, from string, at time.Time) (of Address, err error) {
	if _, err := look(ctx, s.db.Read(), CallIn, token); err != nil {
		return of, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		f, err := look(ctx, tx, CallIn, token)
		if err != nil {
			return err
		}
		of = f.Address
		of.Saga = f.bound()
		switch {
		case !f.used.Time.IsZero():
			return nil
		case f.over(at):
			return ErrGone
		}
		return use(ctx, tx, f, from, at)
	})
	return of, err
}

func use(ctx context.Context, tx *sql.Tx, f found, from string, at time.Time) error {
	res, err := tx.ExecContext(ctx, `UPDATE one_time_addresses SET used_at = $1, used_from = $2 WHERE hash = $3 AND used_at IS NULL`, db.Micros(at), from, f.hash)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrGone)
	}
	return nil
}

// A Use is what became of an address.
type Use struct {
	Address
	At   time.Time // zero: nobody asked
	From string
}

// Uses tell of the addresses that are open for a saga, or were, who asked at them.
func (s *Service) Uses(ctx context.Context, saga string) ([]Use, error) {
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (u Use, err error) {
		var at db.NullTime
		u.Saga = saga
		err = rows.Scan(&u.Kind, &u.Name, &u.Stack, &u.Resource, &at, &u.From)
		u.At = at.Time
		return u, err
	}, `SELECT kind, name, stack_id, resource, used_at, COALESCE(used_from, '') FROM one_time_addresses
		WHERE armed_by = $1 OR saga_id = $1 AND armed_by IS NULL ORDER BY resource, kind, name`, saga)
}
