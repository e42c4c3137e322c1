package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// Attribute says anew whose the resources of an account are, of all accounts where
// account is empty, and writes what is different from what is in force. Verdicts
// hold from at on, DigitalOcean's clock of each account where at is zero; the first
// one on a resource holds from its beginning. It answers how many resources are
// another tenant's than before.
// What follows from that is among the findings when it returns.
func (s *Service) Attribute(ctx context.Context, account string, at time.Time) (moved int, err error) {
	moved, err = s.attributeFor(ctx, account, at, nil)
	if err == nil {
		s.lookAgain(ctx)
	}
	return moved, err
}

// maxThought is how often verdicts are thought over again because somebody said
// something meanwhile.
const maxThought = 10

// attributeFor attributes; by is who said something of the resources it names.
func (s *Service) attributeFor(ctx context.Context, account string, at time.Time, by map[string]string) (moved int, err error) {
	s.attributing.Lock()
	defer s.attributing.Unlock()
	mark, err := s.mark(ctx)
	if err != nil || by == nil && (s.attributed[account] == mark || s.attributed[""] == mark) {
		return 0, err // nothing has changed since
	}
	for range maxThought {
		var d *docket
		if d, err = s.readDocket(ctx); err != nil {
			return 0, err
		}
		rulings, tally := s.rulings(d, account, at, by)
		if err = s.writeRulings(ctx, d, rulings); err == nil {
			s.attributed[account] = mark
		}
		if !errors.Is(err, errSaidMore) {
			return tally, err
		}
	}
	return 0, fmt.Errorf("attribute: %w", err)
}

// rulings are the verdicts that differ from those in force, and how many of them
// give a resource to somebody else.
func (s *Service) rulings(d *docket, account string, at time.Time, by map[string]string) (rulings []ruling, moved int) {
	for _, v := range attribute(d.facts) {
		h := d.holdings[v.URN]
		if account != "" && h.account != account {
			continue
		}
		same := v.Tenant == h.open.Tenant && v.Rule == h.open.Rule && v.Evidence == h.open.Evidence && v.Confidence == h.open.Confidence
		if same || !v.Decided() && h.since.IsZero() {
			continue
		}
		r := ruling{verdict: v, old: h, at: at, cause: Cause{Type: ByRule}}
		if r.at.IsZero() {
			r.at = s.Now(h.account)
		}
		if r.at = r.at.UTC().Truncate(time.Microsecond); !r.at.After(h.since) {
			r.at = h.since.Add(time.Microsecond) // verdicts on one resource follow each other
		}
		if who, ok := by[v.URN]; ok {
			r.cause = Cause{Type: ByOperator, Actor: who}
		} else if v.Rule == ByManual {
			r.cause = Cause{Type: ByOperator, Actor: d.facts.assignments[v.URN].Actor}
		}
		if v.Tenant != h.open.Tenant {
			moved++
		}
		rulings = append(rulings, r)
	}
	return rulings, moved
}

// maxAssigned bounds what is assigned at once.
const maxAssigned = 10_000

// Assign notes whose resources are, whatever the rules say: a tenant's, by its id or
// slug, or nobody's where tenant is empty. It holds until Unassign. What hangs on
// the resources follows them. Errors: Invalid for no or too many resources,
// NotFound where one of them or the tenant is not known, Conflict for a closed
// tenant; then nothing is changed.
func (s *Service) Assign(ctx context.Context, urns []string, ref, reason, actor string, at time.Time) (moved int, err error) {
	var of tenant.ID
	if ref != "" {
		t, err := s.open(ctx, ref)
		if err != nil {
			return 0, err
		}
		of = t.ID
	}
	if len(reason) > 500 {
		return 0, fault.New(fault.Invalid, "The reason is too long: at most 500 characters.")
	}
	return s.say(ctx, urns, actor, func(tx *sql.Tx, urn string) error {
		return putAssignment(ctx, tx, Assignment{URN: urn, Tenant: of, Reason: reason, Actor: actor, At: at})
	})
}

// Unassign takes back what was said of resources by hand: the rules decide again.
// Resources of which nothing was said stay as they are. Errors as of Assign.
func (s *Service) Unassign(ctx context.Context, urns []string, actor string) (moved int, err error) {
	return s.say(ctx, urns, actor, func(tx *sql.Tx, urn string) error { return takeBack(ctx, tx, urn) })
}

// say writes what somebody says of each resource, and then what follows from it.
func (s *Service) say(ctx context.Context, urns []string, actor string, write func(tx *sql.Tx, urn string) error) (int, error) {
	urns = slices.Clone(urns)
	slices.Sort(urns)
	urns = slices.Compact(urns)
	if len(urns) == 0 || len(urns) > maxAssigned {
		return 0, fault.New(fault.Invalid, "Name 1 to %d resources, not %d.", maxAssigned, len(urns))
	}
	by := map[string]string{}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, urn := range urns {
			by[urn] = actor
			var kind string
			err := tx.QueryRowContext(ctx, `SELECT kind FROM inv_resources WHERE urn = $1`, urn).Scan(&kind)
			if errors.Is(err, sql.ErrNoRows) {
				return fault.New(fault.NotFound, "The inventory knows no %s. Ids are as in: arcadia inventory list", clip(urn))
			}
			if err != nil {
				return err
			}
			if k := KindNamed(kind); k != nil && (k.Sold || k.Link) {
				return fault.New(fault.Unprocessable, "%s belongs to nobody: a %s is no resource of an account.", clip(urn), lowerFirst(k.Title))
			}
			if err := write(tx, urn); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	moved, err := s.attributeFor(ctx, "", time.Time{}, by)
	if err == nil {
		s.lookAgain(ctx)
	}
	return moved, err
}

// open is a tenant that may be given something.
func (s *Service) open(ctx context.Context, ref string) (tenant.Tenant, error) {
	t, err := s.tenants.Tenant(ctx, ref)
	if err == nil && t.State == tenant.Closed {
		err = fault.New(fault.Conflict, "Tenant %s is closed: nothing more can be its own.", t.Slug)
	}
	return t, err
}

// assignments are what was said by hand, by URN.
func (s *Service) assignments(ctx context.Context) (map[string]Assignment, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT urn, COALESCE(tenant_id, ''), reason, actor, at FROM inv_assignments`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	said := map[string]Assignment{}
	for rows.Next() {
		var a Assignment
		var at int64
		if err := rows.Scan(&a.URN, (*string)(&a.Tenant), &a.Reason, &a.Actor, &at); err != nil {
			return nil, err
		}
		a.At = db.Time(at)
		said[a.URN] = a
	}
	return said, rows.Err()
}

// Rules are the rules by type and pattern.
func (s *Service) Rules(ctx context.Context) (rules []Rule, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, type, pattern, tenant_id, actor, at FROM inv_rules ORDER BY type, pattern`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Rule
		var at int64
		if err := rows.Scan((*string)(&r.ID), (*string)(&r.Type), &r.Pattern, (*string)(&r.Tenant), &r.Actor, &at); err != nil {
			return nil, err
		}
		r.At = db.Time(at)
		rules = append(rules, r)
	}
	return rules, rows.Err()
}

// A Move is a resource that becomes another tenant's.
type Move struct {
	URN, Kind, Name string
	Verdict         Verdict   // what it would be
	Former          tenant.ID // whose it is; empty: nobody's
}

// newRule is the rule that somebody asks for. Errors as of AddRule.
func (s *Service) newRule(ctx context.Context, of RuleName, pattern, ref, actor string, at time.Time) (Rule, error) {
	r := Rule{ID: RuleID(id.New("rule")), Type: of, Pattern: pattern, Actor: actor, At: at.UTC().Truncate(time.Microsecond)}
	if err := r.check(); err != nil {
		return r, err
	}
	t, err := s.open(ctx, ref)
	r.Tenant = t.ID
	return r, err
}

// AddRule adds a rule for a tenant, by its id or slug, and applies it; with dry it
// only answers what would move. Errors: Invalid for a rule that cannot be, NotFound
// for no tenant, Conflict for a closed one and for a second rule on a pattern.
func (s *Service) AddRule(ctx context.Context, of RuleName, pattern, ref, actor string, at time.Time, dry bool) (Rule, []Move, error) {
	r, err := s.newRule(ctx, of, pattern, ref, actor, at)
	if err != nil {
		return r, nil, err
	}
	moves, err := s.preview(ctx, func(rules []Rule) ([]Rule, error) {
		for _, had := range rules {
			if had.Type == r.Type && had.Pattern == r.Pattern {
				return nil, fault.New(fault.Conflict, "There is a rule %s on %s %s already. Remove it first: arcadia inventory rules remove %s", had.ID, r.Type, r.Pattern, had.ID)
			}
		}
		return append(rules, r), nil
	})
	if err != nil || dry {
		return r, moves, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO inv_rules (id, type, pattern, tenant_id, actor, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (type, pattern) DO NOTHING`, string(r.ID), string(r.Type), r.Pattern, string(r.Tenant), r.Actor, db.Micros(r.At))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, fault.New(fault.Conflict, "There is a rule on %s %s already.", r.Type, r.Pattern))
		}
		return nil
	})
	if err == nil {
		_, err = s.Attribute(ctx, "", time.Time{})
	}
	return r, moves, err
}

// RemoveRule removes a rule, and what it said with it; with dry it only answers what
// would move. fault.NotFound where there is none.
func (s *Service) RemoveRule(ctx context.Context, rule RuleID, dry bool) ([]Move, error) {
	if err := id.Check("rule", string(rule)); err != nil {
		return nil, err
	}
	moves, err := s.preview(ctx, func(rules []Rule) ([]Rule, error) {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == rule })
		if i < 0 {
			return nil, fault.New(fault.NotFound, "There is no rule %s. Those there are: arcadia inventory rules list", rule)
		}
		return slices.Delete(slices.Clone(rules), i, i+1), nil
	})
	if err != nil || dry {
		return moves, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM inv_rules WHERE id = $1`, string(rule))
		return err
	})
	if err == nil {
		_, err = s.Attribute(ctx, "", time.Time{})
	}
	return moves, err
}

// preview is what would move if the rules were others.
func (s *Service) preview(ctx context.Context, change func([]Rule) ([]Rule, error)) ([]Move, error) {
	return s.moves(ctx, func(f *facts) (err error) {
		f.rules, err = change(f.rules)
		return err
	})
}

// moves is what would move if what verdicts follow from were different.
func (s *Service) moves(ctx context.Context, change func(*facts) error) (moves []Move, err error) {
	d, err := s.readDocket(ctx)
	if err != nil {
		return nil, err
	}
	before := attribute(d.facts)
	if err := change(&d.facts); err != nil {
		return nil, err
	}
	for i, v := range attribute(d.facts) {
		if h := d.holdings[v.URN]; v.Tenant != before[i].Tenant {
			moves = append(moves, Move{v.URN, h.kind, h.name, v, before[i].Tenant})
		}
	}
	return moves, nil
}

// ImportProjects makes a tenant of each project but the default ones, and a rule
// that what is in the project is the tenant's. Projects of one name are one
// tenant's. With dry nothing is written.
func (s *Service) ImportProjects(ctx context.Context, actor string, at time.Time, dry bool) (tenant.Import, error) {
	rows, rules, err := s.tenantsFromProjects(ctx)
	if err != nil {
		return tenant.Import{}, err
	}
	done, err := s.tenants.Import(ctx, rows, dry, at)
	if err != nil || !done.Done {
		return done, err
	}
	for slug, projects := range rules {
		t, err := s.open(ctx, slug)
		if err != nil {
			return done, err
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			for _, project := range projects {
				_, err := tx.ExecContext(ctx, `INSERT INTO inv_rules (id, type, pattern, tenant_id, actor, at) VALUES ($1, $2, $3, $4, $5, $6)
					ON CONFLICT (type, pattern) DO NOTHING`, id.New("rule"), string(ByProject), project, string(t.ID), actor, db.Micros(at))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// tenantsFromProjects are the tenants to make of projects, and the ids of the
// projects of each by its slug.
func (s *Service) tenantsFromProjects(ctx context.Context) (rows []tenant.Row, of map[string][]string, err error) {
	found, err := s.db.Read().QueryContext(ctx, `SELECT v.id, v.name, v.account FROM inv_versions v
		WHERE v.kind = 'project' AND v.until IS NULL AND NOT v.gone AND v.size <> 'default' ORDER BY v.name, v.id`)
	if err != nil {
		return nil, nil, err
	}
	defer found.Close()
	of = map[string][]string{}
	for found.Next() {
		var project, name, account string
		if err := found.Scan(&project, &name, &account); err != nil {
			return nil, nil, err
		}
		slug := tenant.SlugOf(name)
		if tenant.CheckSlug(slug) != nil {
			slug = tenant.SlugOf("project-" + project)
		}
		if of[slug] == nil {
			rows = append(rows, tenant.Row{
				Entry: tenant.Entry{Slug: slug, Name: name}, Blank: true, From: fmt.Sprintf("project %s of account %s", name, account),
			})
		}
		of[slug] = append(of[slug], project)
	}
	return rows, of, found.Err()
}
