package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// FreezeAll is the scope of a freeze of everything.
const FreezeAll = "all"

// A Freeze forbids every change at DigitalOcean in its scope, from the next request
// on: sagas wait, and go on when it is over.
type Freeze struct {
	Scope  string // all, account:NAME or tenant:ID
	Reason string
	Actor  string
	At     time.Time
}

// AccountScope is the scope of a freeze of an account.
func AccountScope(account string) string { return "account:" + account }

// TenantScope is the scope of a freeze of a tenant's stacks.
func TenantScope(id tenant.ID) string { return "tenant:" + string(id) }

// Freeze begins a freeze. To ask for one that stands, with its reason, does nothing. It
// answers fault.Conflict where one stands for another reason, which would be lost, and
// fault.Invalid for a freeze without a reason, or of a scope that there is not.
func (s *Service) Freeze(ctx context.Context, scope, reason, actor string, at time.Time) error {
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 500 {
		return fault.New(fault.Invalid, "Say why in at most 500 bytes: whoever finds the freeze has to know.")
	}
	kind, of, _ := strings.Cut(scope, ":")
	if scope != FreezeAll && (kind != "account" && kind != "tenant" || of == "") {
		return fault.New(fault.Invalid, "A freeze is of all, of account:NAME or of tenant:ID, not of %q.", clip(scope))
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		stand, err := freezes(ctx, tx, `scope = $1`, scope)
		if err != nil {
			return err
		}
		if len(stand) > 0 && stand[0].Reason != reason {
			return stand[0].error()
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO freezes (scope, reason, actor, at) VALUES ($1, $2, $3, $4) ON CONFLICT (scope) DO NOTHING`,
			scope, reason, actor, db.Micros(at))
		return err
	})
}

// Thaw ends a freeze. It answers fault.NotFound where there is none.
func (s *Service) Thaw(ctx context.Context, scope string) error {
	return s.remove(ctx, `DELETE FROM freezes WHERE scope = $1`, scope,
		fault.New(fault.NotFound, "Nothing is frozen under %q. See: arcadia freeze list", clip(scope)))
}

// Freezes are all that stand.
func (s *Service) Freezes(ctx context.Context) ([]Freeze, error) {
	found, err := freezes(ctx, s.db.Read(), `1 = 1`)
	return append(s.outside(), found...), err
}

// Frozen answers a fault.Conflict where a freeze covers an account or a tenant, which
// may be empty. The write guard asks it before each request that changes something.
func Frozen(ctx context.Context, q db.Queryer, account string, of tenant.ID) error {
	found, err := freezesOf(ctx, q, account, of)
	if err != nil || len(found) == 0 {
		return err
	}
	return found[0].error()
}

// FrozenFromOutside is the actor of the freeze that a process has from its environment,
// which ends with the process.
const FrozenFromOutside = "ARCADIA_FROZEN"

// error is what is answered to whoever wants to change something.
func (f Freeze) error() error {
	end := "arcadia freeze end " + f.Scope
	if f.Actor == FrozenFromOutside {
		end = "restart Arcadia without " + FrozenFromOutside
	}
	return fault.New(fault.Conflict, "Changes are frozen (%s) by %s since %s: %s. To end it: %s",
		f.Scope, f.Actor, minute(f.At), strings.TrimSuffix(f.Reason, "."), end)
}

// Frozen answers a fault.Conflict where a freeze covers an account or a tenant, this
// process's own among them.
func (s *Service) Frozen(ctx context.Context, account string, of tenant.ID) error {
	for _, f := range s.outside() {
		return f.error()
	}
	return Frozen(ctx, s.db.Read(), account, of)
}

// FreezesOf are the freezes that cover an account or a tenant.
func (s *Service) FreezesOf(ctx context.Context, account string, of tenant.ID) ([]Freeze, error) {
	found, err := freezesOf(ctx, s.db.Read(), account, of)
	return append(s.outside(), found...), err
}

// outside is the freeze that this process was started with, if it was.
func (s *Service) outside() []Freeze {
	if reason := s.steps.set.Frozen; reason != "" {
		return []Freeze{{Scope: FreezeAll, Reason: reason, Actor: FrozenFromOutside, At: s.steps.began}}
	}
	return nil
}

func freezesOf(ctx context.Context, q db.Queryer, account string, of tenant.ID) ([]Freeze, error) {
	return freezes(ctx, q, `scope = $1 OR scope = $2 OR scope = $3`, FreezeAll, AccountScope(account), TenantScope(of))
}

func freezes(ctx context.Context, q db.Queryer, where string, args ...any) ([]Freeze, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (f Freeze, err error) {
		var at int64
		err = rows.Scan(&f.Scope, &f.Reason, &f.Actor, &at)
		f.At = db.Time(at)
		return f, err
	}, `SELECT scope, reason, actor, at FROM freezes WHERE `+where+` ORDER BY scope`, args...)
}

// A Protection keeps a thing from being destroyed: a tenant's stacks ("tenant:ID"), a
// stack ("stack:ID"), a resource (its URN).
type Protection struct {
	Subject string
	Reason  string
	Actor   string
	At      time.Time
}

// Protect protects a subject. What is protected already stays as it is.
func (s *Service) Protect(ctx context.Context, subject, reason, actor string, at time.Time) error {
	kind, of, _ := strings.Cut(subject, ":")
	if kind != "tenant" && kind != "stack" && kind != "do" || of == "" {
		return fault.New(fault.Invalid, "What is protected is tenant:ID, stack:ID or a URN like do:droplet:1, not %q.", clip(subject))
	}
	if len(reason) > 500 {
		return fault.New(fault.Invalid, "A reason has at most 500 bytes.")
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO protections (subject, reason, actor, at) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) DO NOTHING`,
			subject, reason, actor, db.Micros(at))
		return err
	})
}

// Unprotect ends a protection. It answers fault.NotFound where there is none.
func (s *Service) Unprotect(ctx context.Context, subject string) error {
	return s.remove(ctx, `DELETE FROM protections WHERE subject = $1`, subject, fault.New(fault.NotFound, "%s is not protected.", clip(subject)))
}

// remove deletes what a query names, and answers none where there is nothing.
func (s *Service) remove(ctx context.Context, query, named string, none error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, named)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = none
		}
		return err
	})
}

// Protections are those of some subjects, or all where none is named.
func (s *Service) Protections(ctx context.Context, subjects ...string) ([]Protection, error) {
	return protections(ctx, s.db.Read(), subjects...)
}

func protections(ctx context.Context, q db.Queryer, subjects ...string) ([]Protection, error) {
	where, args := "1 = 1", []any{}
	for i, one := range subjects {
		if i == 0 {
			where = "subject IN ($1"
		} else {
			where += fmt.Sprintf(", $%d", i+1)
		}
		args = append(args, one)
	}
	if len(subjects) > 0 {
		where += ")"
	}
	return db.All(ctx, q, func(rows *sql.Rows) (p Protection, err error) {
		var at int64
		err = rows.Scan(&p.Subject, &p.Reason, &p.Actor, &at)
		p.At = db.Time(at)
		return p, err
	}, `SELECT subject, reason, actor, at FROM protections WHERE `+where+` ORDER BY subject`, args...)
}

// unfrozen has a step wait while changes are frozen, and while the rate limit leaves no
// room: neither is a failure, however long it lasts. It ends the step at once when the
// write guard, or the token's purpose, forbids what it asks for: that is a fault of the
// program or of its settings, and trying again asks for the same.
func unfrozen[S any](p *Steps, step func(context.Context, *S) error) func(context.Context, *S) error {
	return func(ctx context.Context, s *S) error {
		err := step(ctx, s)
		var limited *digitalocean.Error
		if errors.As(err, &limited) && limited.Kind == digitalocean.RateLimited && !saga.IsWait(err) {
			a := saga.Current(ctx)
			return saga.Wait(a.Now().Add(max(limited.RetryAfter, p.set.Poll)), "DigitalOcean's rate limit leaves no room for a request now")
		}
		if errors.Is(err, digitalocean.NotSent) {
			switch fault.KindOf(err) {
			case fault.Forbidden:
				return saga.Permanent(err)
			case fault.Conflict:
				if a := saga.Current(ctx); a.Valid() == nil {
					return saga.Wait(a.Now().Add(12*p.set.Poll), "%s", fault.Message(err))
				}
			}
		}
		return err
	}
}
