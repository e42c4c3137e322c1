package provisioning

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A StackID names a stack, "stack_…".
type StackID string

// A StackState is where a stack stands after the last saga that completed.
type StackState string

// The states of a stack.
const (
	StackNew       StackState = "new"       // its first saga has not completed
	StackActive    StackState = "active"    // it is there as its blueprint says
	StackSuspended StackState = "suspended" // at a level from 1 to 3
	StackGone      StackState = "gone"      // torn down
	StackFailed    StackState = "failed"    // its first saga undid itself: nothing is there
	StackReleased  StackState = "released"  // no stack any more; what it had stays at DigitalOcean
)

// over reports whether there is no such stack any more, or never was.
func (s StackState) over() bool { return s == StackGone || s == StackFailed || s == StackReleased }

// A Stack is what a tenant has from a blueprint.
type Stack struct {
	ID         StackID
	Tenant     tenant.ID
	Account    string
	Name       string
	State      StackState
	Level      int    // of a suspension
	Blueprint  string // name@version
	Parameters map[string]string
	Spec       blueprint.Spec
	Saga       saga.ID // the last one that was started for it
	Rev        int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	GoneAt     time.Time
	Failure    string // why its first saga undid itself: a sentence; empty where it did not
}

// A StackResource is one thing of a stack at DigitalOcean.
type StackResource struct {
	Key    string // in the blueprint, "droplet.web"
	Kind   string
	URN    string
	Name   string
	MadeBy saga.ID
}

func clip(text string) string {
	if len(text) > 80 {
		return strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}

// subject is what a saga of a stack locks.
func (id StackID) subject() string { return "stack:" + string(id) }

const stackColumns = `id, tenant_id, account, name, state, level, blueprint, version, parameters, spec, saga_id, rev, created_at, updated_at, gone_at, released_at`

// A row is one of a query's answer.
type row interface{ Scan(dest ...any) error }

func scanStack(row row) (s Stack, err error) {
	var (
		version          int64
		parameters       db.JSON[map[string]string]
		spec             db.JSON[blueprint.Spec]
		created, updated int64
		gone, released   db.NullTime
	)
	err = row.Scan(&s.ID, &s.Tenant, &s.Account, &s.Name, &s.State, &s.Level, &s.Blueprint, &version, &parameters, &spec, &s.Saga, &s.Rev, &created, &updated, &gone, &released)
	s.Blueprint = fmt.Sprintf("%s@%d", s.Blueprint, version)
	s.Parameters, s.Spec = parameters.V, spec.V
	s.CreatedAt, s.UpdatedAt, s.GoneAt = db.Time(created), db.Time(updated), gone.Time
	if !released.Time.IsZero() {
		s.State = StackReleased
	}
	return s, err
}

// Stack is a stack by its id, or by its name: of a tenant, "acme/web", or any where
// only one has the name. It answers fault.NotFound, and fault.Conflict where the name
// is not enough.
func (s *Service) Stack(ctx context.Context, ref string) (Stack, error) {
	return s.findStack(ctx, s.db.Read(), ref)
}

func (s *Service) findStack(ctx context.Context, q db.Queryer, ref string) (Stack, error) {
	if strings.HasPrefix(ref, "stack_") {
		stack, err := scanStack(q.QueryRowContext(ctx, `SELECT `+stackColumns+` FROM stacks WHERE id = $1`, ref))
		if errors.Is(err, sql.ErrNoRows) {
			return stack, fault.New(fault.NotFound, "There is no stack %s. See: arcadia stack list", clip(ref))
		}
		if err != nil {
			return stack, err
		}
		one := []Stack{stack}
		err = s.tellUndone(ctx, one)
		return one[0], err
	}
	of, name, qualified := strings.Cut(ref, "/")
	if !qualified {
		of, name = "", ref
	}
	owner := ""
	if of != "" {
		t, err := s.tenants.Tenant(ctx, of)
		if err != nil {
			return Stack{}, err
		}
		owner = string(t.ID)
	}
	found, err := s.stacks(ctx, q, `name = $1 AND state NOT IN ('gone','failed') AND ($2 = '' OR tenant_id = $2)`, name, owner)
	if len(found) > 1 { // the name of one that was never made is anybody's
		if err := s.tellUndone(ctx, found); err != nil {
			return Stack{}, err
		}
		if made := slices.DeleteFunc(slices.Clone(found), func(one Stack) bool { return one.State == StackFailed }); len(made) > 0 {
			found = made
		}
	}
	switch {
	case err != nil:
		return Stack{}, err
	case len(found) == 0:
		return Stack{}, s.noStack(ctx, q, ref, name, owner)
	case len(found) > 1:
		return Stack{}, fault.New(fault.Conflict, "%d tenants have a stack named %q. Say whose: TENANT/%s, or its id.", len(found), clip(name), clip(name))
	}
	return found[0], s.tellUndone(ctx, found)
}

// noStack is fault.NotFound for a name that no stack has by now, with the id of the last one
// that had it: its backups may be there yet.
func (s *Service) noStack(ctx context.Context, q db.Queryer, ref, name, owner string) error {
	over, err := s.stacks(ctx, q, `name = $1 AND state = 'gone' AND ($2 = '' OR tenant_id = $2)`, name, owner)
	if err != nil {
		return err
	}
	if len(over) > 0 {
		return fault.New(fault.NotFound, "Stack %q is gone. What is kept of it goes by its id: arcadia stack backups %s", clip(ref), over[len(over)-1].ID)
	}
	return fault.New(fault.NotFound, "There is no stack %q. See: arcadia stack list", clip(ref))
}

// tellUndone has those stacks be failed, with why, whose first saga undid itself: nothing is
// there, and the name is free. The row says so only once another stack has the name.
func (s *Service) tellUndone(ctx context.Context, all []Stack) error {
	for i, one := range all {
		if one.State != StackNew && one.State != StackFailed {
			continue
		}
		last, err := s.engine.Saga(ctx, one.Saga)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if last.State != saga.RolledBack {
			continue
		}
		all[i].State, all[i].Failure = StackFailed, fmt.Sprintf("Saga %s was cancelled before the stack was made.", last.ID)
		if last.Error != nil {
			all[i].Failure = last.Error.Message
		}
	}
	return nil
}

func (s *Service) stacks(ctx context.Context, q db.Queryer, where string, args ...any) ([]Stack, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (Stack, error) { return scanStack(rows) },
		`SELECT `+stackColumns+` FROM stacks WHERE `+where+` ORDER BY name, id`, args...)
}

// A StackFilter selects stacks; empty fields select all.
type StackFilter struct {
	Tenant  tenant.ID
	Account string
	Gone    bool // also those that are gone, or that never came to be and whose name another has
}

// Stacks are the stacks that a filter selects, by name.
func (s *Service) Stacks(ctx context.Context, f StackFilter) ([]Stack, error) {
	all, err := s.stacks(ctx, s.db.Read(), `($1 = '' OR tenant_id = $1) AND ($2 = '' OR account = $2) AND ($3 OR state NOT IN ('gone','failed'))`,
		string(f.Tenant), f.Account, f.Gone)
	if err != nil {
		return nil, err
	}
	return all, s.tellUndone(ctx, all)
}

// StackResources are what a stack has at DigitalOcean, by their keys.
func (s *Service) StackResources(ctx context.Context, id StackID) ([]StackResource, error) {
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (r StackResource, err error) {
		err = rows.Scan(&r.Key, &r.Kind, &r.URN, &r.Name, &r.MadeBy)
		return r, err
	}, `SELECT key, kind, urn, name, made_by FROM stack_resources WHERE stack_id = $1 ORDER BY key`, string(id))
}

func insertStack(ctx context.Context, tx *sql.Tx, s Stack) error {
	name, version, _ := strings.Cut(s.Blueprint, "@")
	parameters, err := json.Marshal(s.Parameters)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO stacks (`+stackColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, CAST($8 AS BIGINT), $9, $10, $11, $12, $13, $14, NULL, NULL)`,
		string(s.ID), string(s.Tenant), s.Account, s.Name, string(s.State), s.Level, name, version, string(parameters), db.JSON[blueprint.Spec]{V: s.Spec},
		string(s.Saga), s.Rev, db.Micros(s.CreatedAt), db.Micros(s.UpdatedAt))
	return err
}
