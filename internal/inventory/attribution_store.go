package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A holding is a resource as far as the writing of verdicts goes.
type holding struct {
	account, kind, name string
	version             int64
	monthly             sql.NullInt64
	birth               time.Time // since when there is it, as far as anybody knows
	open                Verdict   // in force
	since               time.Time // from when on; zero: none is
}

// A docket is what there is to be decided, and what was decided.
type docket struct {
	facts    facts
	holdings map[string]*holding // what is not gone, by URN
	stamp    string              // of what people said, when it was read
}

// slugs are the tenants' slugs by their ids.
func (d *docket) slugs() map[tenant.ID]string {
	slugs := make(map[tenant.ID]string, len(d.facts.tenants))
	for _, t := range d.facts.tenants {
		slugs[t.ID] = t.Slug
	}
	return slugs
}

// stampOf tells what people said by hand and by rules from what they said before.
func stampOf(ctx context.Context, q db.Queryer) (string, error) {
	var n, rules int64
	var at, ruled sql.NullInt64
	err := q.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM inv_assignments), (SELECT MAX(at) FROM inv_assignments),
		(SELECT COUNT(*) FROM inv_rules), (SELECT MAX(at) FROM inv_rules)`).Scan(&n, &at, &rules, &ruled)
	return fmt.Sprint(n, at.Int64, rules, ruled.Int64), err
}

// readDocket reads all facts, of every account: relations know no borders.
func (s *Service) readDocket(ctx context.Context) (d *docket, err error) {
	d = &docket{holdings: map[string]*holding{}}
	if d.stamp, err = stampOf(ctx, s.db.Read()); err != nil {
		return nil, err
	}
	if d.facts.tenants, err = s.tenants.All(ctx); err != nil {
		return nil, err
	}
	if d.facts.rules, err = s.Rules(ctx); err != nil {
		return nil, err
	}
	if d.facts.assignments, err = s.assignments(ctx); err != nil {
		return nil, err
	}
	if err := s.readResources(ctx, d); err != nil {
		return nil, err
	}
	if err := s.readLinks(ctx, d); err != nil {
		return nil, err
	}
	if err := s.readVerdicts(ctx, d); err != nil {
		return nil, err
	}
	d.facts.sagas, err = s.tenantsOfSagas(ctx, d.facts.resources)
	return d, err
}

// readResources reads what there is, and what is gone while others hang on it, as it
// was last.
func (s *Service) readResources(ctx context.Context, d *docket) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT v.urn, v.kind, v.account, COALESCE(b.name, v.name), COALESCE(b.tags, v.tags),
			COALESCE(b.project, v.project), COALESCE(r.managed_by, ''), v.gone, v.version, v.monthly, COALESCE(r.born_from, r.born_to)
		FROM inv_versions v JOIN inv_resources r ON r.urn = v.urn
			LEFT JOIN inv_versions b ON v.gone AND b.urn = v.urn AND b.version = v.version - 1
		WHERE v.until IS NULL AND (NOT v.gone OR v.urn IN (SELECT target FROM inv_edges))`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			f    fact
			h    holding
			tags db.JSON[[]string]
			born int64
		)
		if err := rows.Scan(&f.urn, &f.kind, &f.account, &f.name, &tags, &f.project, &f.managedBy, &f.gone, &h.version, &h.monthly, &born); err != nil {
			return err
		}
		if k := KindNamed(f.kind); k == nil || k.Sold || k.Link {
			continue // no resource of anybody's
		}
		f.tags = tags.V
		d.facts.resources = append(d.facts.resources, f)
		if !f.gone {
			h.account, h.kind, h.name, h.birth = f.account, f.kind, f.name, db.Time(born)
			d.holdings[f.urn] = &h
		}
	}
	return rows.Err()
}

func (s *Service) readLinks(ctx context.Context, d *docket) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT source, type, target FROM inv_edges`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var l link
		if err := rows.Scan(&l.from, (*string)(&l.kind), &l.to); err != nil {
			return err
		}
		d.facts.links = append(d.facts.links, l)
	}
	return rows.Err()
}

// readVerdicts reads what is in force, for what there is and for what is gone.
func (s *Service) readVerdicts(ctx context.Context, d *docket) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+verdictColumns+` FROM inv_attributions WHERE until IS NULL`)
	if err != nil {
		return err
	}
	defer rows.Close()
	was := map[string]Verdict{}
	for rows.Next() {
		v, since, _, err := scanVerdict(rows)
		if err != nil {
			return err
		}
		was[v.URN] = v
		if h := d.holdings[v.URN]; h != nil {
			h.open, h.since = v, since
		}
	}
	for i, f := range d.facts.resources {
		if f.gone {
			d.facts.resources[i].was = was[f.urn]
		}
	}
	return rows.Err()
}

const verdictColumns = `urn, since, until, COALESCE(tenant_id, ''), rule, evidence, confidence`

func scanVerdict(row scanner) (v Verdict, since, until time.Time, err error) {
	var from int64
	var to db.NullTime
	err = row.Scan(&v.URN, &from, &to, (*string)(&v.Tenant), (*string)(&v.Rule), &v.Evidence, &v.Confidence)
	return v, db.Time(from), to.Time, err
}

// tenantsOfSagas are the tenants for whom sagas made resources. A saga's never
// changes: each is asked for once in a process.
func (s *Service) tenantsOfSagas(ctx context.Context, resources []fact) (map[string]string, error) {
	s.mu.Lock()
	known := s.ledger
	s.mu.Unlock()
	of := map[string]string{}
	for _, f := range resources {
		if f.managedBy == "" {
			continue
		}
		who, ok := known[f.managedBy]
		if !ok {
			made, err := s.sagas.Saga(ctx, saga.ID(f.managedBy))
			if err != nil && fault.KindOf(err) != fault.NotFound { // a ledger that was not kept says nothing
				return nil, fmt.Errorf("saga %s, which made %s: %w", f.managedBy, f.urn, err)
			}
			who = made.Tenant
		}
		of[f.managedBy] = who
	}
	s.mu.Lock()
	s.ledger = of
	s.mu.Unlock()
	return of, nil
}

// mark tells what attribution goes by from what it went by before.
func (s *Service) mark(ctx context.Context) (string, error) {
	end, err := s.FeedEnd(ctx)
	if err != nil {
		return "", err
	}
	said, err := stampOf(ctx, s.db.Read())
	if err != nil {
		return "", err
	}
	tenants, err := s.tenants.Stamp(ctx)
	return fmt.Sprint(end, "|", said, "|", tenants), err
}

// errSaidMore says that somebody said something while verdicts were thought over.
var errSaidMore = errors.New("rules or assignments changed meanwhile")

// A ruling is one verdict to be written: the old one ends, and where the new one is
// decided it begins.
type ruling struct {
	verdict Verdict
	old     *holding
	at      time.Time
	cause   Cause
}

// writeRulings writes verdicts, and a change for each resource that is another
// tenant's than before. It answers errSaidMore where what people said is not what
// stamp tells of.
func (s *Service) writeRulings(ctx context.Context, d *docket, rulings []ruling) error {
	slugs := d.slugs()
	for begin := 0; begin < len(rulings); begin += chunk {
		part := rulings[begin:min(begin+chunk, len(rulings))]
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			if stamp, err := stampOf(ctx, tx); err != nil || stamp != d.stamp {
				return errors.Join(err, errSaidMore)
			}
			var closes, opens [][]any
			var changes []Change
			for _, r := range part {
				v, urn := r.verdict, r.verdict.URN
				if !r.old.since.IsZero() {
					closes = append(closes, []any{urn, db.Micros(r.old.since), db.Micros(r.at)})
				}
				if v.Decided() {
					opens = append(opens, []any{
						urn, db.Micros(r.at), db.Micros(earlier(r.old.birth, r.at)), nullWord(string(v.Tenant)), string(v.Rule), v.Evidence, int64(v.Confidence),
					})
				}
				if v.Tenant != r.old.open.Tenant {
					changes = append(changes, Change{
						URN: urn, Account: r.old.account, Kind: r.old.kind, Version: r.old.version, Type: Assigned, After: r.at, At: r.at, Seen: r.at,
						Cause: r.cause, Name: r.old.name, Tenant: slugs[v.Tenant], Former: slugs[r.old.open.Tenant],
					})
				}
			}
			if err := s.db.Pipeline(ctx, tx, db.Statement{Bulk: closeVerdicts, Rows: closes}, db.Statement{Bulk: openVerdicts, Rows: opens}); err != nil {
				return err
			}
			return appendChanges(ctx, s.db, tx, changes)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

var (
	closeVerdicts = db.NewBulk(`UPDATE inv_attributions SET until = given.until FROM given
		WHERE inv_attributions.urn = given.urn AND inv_attributions.since = given.since AND inv_attributions.until IS NULL`,
		db.Column{Name: "urn"}, db.Column{Name: "since", Type: db.Integer}, db.Column{Name: "until", Type: db.Integer})

	// The first verdict on a resource holds from its beginning: nobody said otherwise.
	openVerdicts = db.NewBulk(`INSERT INTO inv_attributions (urn, since, tenant_id, rule, evidence, confidence)
		SELECT urn, COALESCE((SELECT CASE WHEN MAX(a.until) > given.at THEN MAX(a.until) ELSE given.at END
				FROM inv_attributions a WHERE a.urn = given.urn HAVING COUNT(*) > 0), birth),
			tenant_id, rule, evidence, confidence FROM given`,
		db.Column{Name: "urn"}, db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "birth", Type: db.Integer},
		db.Column{Name: "tenant_id"}, db.Column{Name: "rule"}, db.Column{Name: "evidence"}, db.Column{Name: "confidence", Type: db.Integer})
)
