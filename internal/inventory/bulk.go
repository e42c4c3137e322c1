package inventory

import (
	"context"
	"database/sql"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// Assignable are the URNs, sorted, of all that a query finds now and that can be
// somebody's. Errors are those of Resources, and Invalid for a query of the past.
func (s *Service) Assignable(ctx context.Context, q Query) (urns []string, err error) {
	if !q.AsOf.IsZero() {
		return nil, fault.New(fault.Invalid, "What was cannot be assigned: look for what is, without as-of.")
	}
	sh, done, err := s.shelf(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	f, err := s.compile(ctx, sh, q)
	if err != nil {
		return nil, err
	}
	f.each(func(one sight) {
		k := KindNamed(sh.words.text(one.kind))
		if !one.gone() && (k == nil || !k.Sold && !k.Link) {
			urns = append(urns, one.urn)
		}
	})
	slices.Sort(urns)
	return urns, nil
}

// PreviewAssign is what would move if Assign were called, or Unassign where back is
// true: what hangs on the resources is in it. Nothing is changed. Errors as of Assign.
func (s *Service) PreviewAssign(ctx context.Context, urns []string, ref string, back bool) ([]Move, error) {
	if len(urns) == 0 || len(urns) > maxAssigned {
		return nil, fault.New(fault.Invalid, "Name 1 to %d resources, not %d.", maxAssigned, len(urns))
	}
	var of tenant.ID
	if ref != "" && !back {
		t, err := s.open(ctx, ref)
		if err != nil {
			return nil, err
		}
		of = t.ID
	}
	return s.moves(ctx, func(f *facts) error {
		for _, urn := range urns {
			if back {
				delete(f.assignments, urn)
			} else {
				f.assignments[urn] = Assignment{URN: urn, Tenant: of}
			}
		}
		return nil
	})
}

// Said is what is said by hand of some resources, by URN. Those of which nothing is
// said are not in it.
func (s *Service) Said(ctx context.Context, urns []string) (map[string]Assignment, error) {
	all, err := s.assignments(ctx)
	said := map[string]Assignment{}
	for _, urn := range urns {
		if a, ok := all[urn]; ok {
			said[urn] = a
		}
	}
	return said, err
}

// Restore puts back what was said by hand of resources, as Said told it: the rules
// decide of those that are not in it. Errors as of Assign.
func (s *Service) Restore(ctx context.Context, urns []string, said map[string]Assignment, actor string) (moved int, err error) {
	return s.say(ctx, urns, actor, func(tx *sql.Tx, urn string) error {
		a, ok := said[urn]
		if !ok {
			return takeBack(ctx, tx, urn)
		}
		return putAssignment(ctx, tx, a)
	})
}

func takeBack(ctx context.Context, tx *sql.Tx, urn string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM inv_assignments WHERE urn = $1`, urn)
	return err
}

func putAssignment(ctx context.Context, tx *sql.Tx, a Assignment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO inv_assignments (urn, tenant_id, reason, actor, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (urn) DO UPDATE SET tenant_id = excluded.tenant_id, reason = excluded.reason, actor = excluded.actor, at = excluded.at`,
		a.URN, nullWord(string(a.Tenant)), a.Reason, a.Actor, db.Micros(a.At))
	return err
}
