package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// Attribution says whose a resource was at a time, or is now where at is zero, as it
// was written; an undecided verdict where nothing was.
func (s *Service) Attribution(ctx context.Context, urn string, at time.Time) (Verdict, error) {
	condition, args := "until IS NULL", []any{urn}
	if !at.IsZero() {
		condition, args = "since <= $2 AND (until IS NULL OR until > $2)", append(args, db.Micros(at))
	}
	v, _, _, err := scanVerdict(s.db.Read().QueryRowContext(ctx,
		`SELECT `+verdictColumns+` FROM inv_attributions WHERE urn = $1 AND `+condition, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return Verdict{URN: urn, Evidence: "No rule says whose it is."}, nil
	}
	return v, err
}

// A Tenure is a time for which a verdict was in force.
type Tenure struct {
	Verdict
	Since, Until time.Time // Until is zero while it is
}

// Tenures are whose a resource was, the newest first.
func (s *Service) Tenures(ctx context.Context, urn string) (tenures []Tenure, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+verdictColumns+` FROM inv_attributions WHERE urn = $1 ORDER BY since DESC`, urn)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t Tenure
		if t.Verdict, t.Since, t.Until, err = scanVerdict(rows); err != nil {
			return nil, err
		}
		tenures = append(tenures, t)
	}
	return tenures, rows.Err()
}

// Explain thinks the verdict on a resource over now: why nobody's is nobody's, and
// what the rules say against a word by hand.
func (s *Service) Explain(ctx context.Context, urn string) (Verdict, error) {
	d, err := s.readDocket(ctx)
	if err != nil {
		return Verdict{}, err
	}
	for _, v := range attribute(d.facts) {
		if v.URN == urn {
			return v, nil
		}
	}
	return Verdict{URN: urn, Evidence: "It is nothing that could be somebody's."}, nil
}

// Contradictions are the words by hand in an account against which other rules say
// something.
func (s *Service) Contradictions(ctx context.Context, account string) (against []Verdict, err error) {
	said, err := s.assignments(ctx)
	if err != nil || len(said) == 0 {
		return nil, err
	}
	d, err := s.readDocket(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range attribute(d.facts) {
		if v.AgainstWhy != "" && (account == "" || d.holdings[v.URN].account == account) {
			against = append(against, v)
		}
	}
	return against, nil
}

// A Share is a part of what there is.
type Share struct {
	Rule      RuleName // empty: undecided
	Nobody    bool     // somebody said that it is nobody's
	Resources int64
	Monthly   int64 // micro-dollars of a whole month
	Unpriced  int64 // resources without a price, which are not in Monthly
}

func (s *Share) add(o Share) {
	s.Resources += o.Resources
	s.Monthly += o.Monthly
	s.Unpriced += o.Unpriced
}

// A Coverage says of how much it is known whose it is.
type Coverage struct {
	All     Share   // of the account
	Decided Share   // of whom it is known, nobody's on purpose among it
	By      []Share // in the order of the chain, the undecided last
}

// Percent is the decided part of the resources and of the money, in tenths of a
// percent, rounded down: 1000 means all of it. Of nothing all is decided.
func (c Coverage) Percent() (resources, money int64) {
	part := func(part, of int64) int64 {
		if of <= 0 {
			return 1000
		}
		return part * 1000 / of
	}
	return part(c.Decided.Resources, c.All.Resources), part(c.Decided.Monthly, c.All.Monthly)
}

// ownable is the condition, on v, for what can be somebody's.
func ownable() string {
	var not []string
	for _, k := range kinds {
		if k.Sold || k.Link {
			not = append(not, "'"+k.Name+"'") // names of ours
		}
	}
	return "v.until IS NULL AND NOT v.gone AND v.kind NOT IN (" + strings.Join(not, ", ") + ")"
}

// Coverage is the coverage of an account, of all where it is empty.
func (s *Service) Coverage(ctx context.Context, account string) (c Coverage, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT COALESCE(a.rule, ''), CASE WHEN a.tenant_id IS NULL THEN 1 ELSE 0 END,
			COUNT(*), CAST(COALESCE(SUM(v.monthly), 0) AS BIGINT), COUNT(*) - COUNT(v.monthly)
		FROM inv_versions v LEFT JOIN inv_attributions a ON a.urn = v.urn AND a.until IS NULL
		WHERE `+ownable()+` AND ($1 = '' OR v.account = $1) GROUP BY 1, 2 ORDER BY 2, 1`, account)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	var found []Share
	for rows.Next() {
		var one Share
		var nobody int64
		if err := rows.Scan((*string)(&one.Rule), &nobody, &one.Resources, &one.Monthly, &one.Unpriced); err != nil {
			return c, err
		}
		one.Nobody = nobody == 1 && one.Rule != ""
		found = append(found, one)
		if c.All.add(one); one.Rule != "" {
			c.Decided.add(one)
		}
	}
	for _, rule := range append(Chain(), "") {
		for _, one := range found {
			if one.Rule == rule {
				c.By = append(c.By, one)
			}
		}
	}
	return c, rows.Err()
}

// Estates are what is each tenant's now, by the tenant's id; "" is what is nobody's.
func (s *Service) Estates(ctx context.Context) (map[tenant.ID]Share, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT COALESCE(a.tenant_id, ''), COUNT(*), CAST(COALESCE(SUM(v.monthly), 0) AS BIGINT),
			COUNT(*) - COUNT(v.monthly)
		FROM inv_versions v LEFT JOIN inv_attributions a ON a.urn = v.urn AND a.until IS NULL WHERE `+ownable()+` GROUP BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	estates := map[tenant.ID]Share{}
	for rows.Next() {
		var of tenant.ID
		var one Share
		if err := rows.Scan((*string)(&of), &one.Resources, &one.Monthly, &one.Unpriced); err != nil {
			return nil, err
		}
		estates[of] = one
	}
	return estates, rows.Err()
}

// CloseTenant closes a tenant. Where something is its own it answers fault.Conflict,
// unless the one who closes it knows: it stays the tenant's then, and so does what
// it costs.
func (s *Service) CloseTenant(ctx context.Context, ref string, knowingly bool, at time.Time) (tenant.Tenant, error) {
	t, err := s.tenants.Tenant(ctx, ref)
	if err != nil {
		return t, err
	}
	estates, err := s.Estates(ctx)
	if err != nil {
		return t, err
	}
	if own := estates[t.ID].Resources; own > 0 && !knowingly && t.State != tenant.Closed {
		return t, fault.New(fault.Conflict, "%d resources are tenant %s's. Assign them to others or delete them first, or close it with --force: they stay its own then.", own, t.Slug)
	}
	return s.tenants.Close(ctx, ref, at)
}

// TenantsFromTags are the tenants that tags of the inventory name, to be imported.
func (s *Service) TenantsFromTags(ctx context.Context) ([]tenant.Row, error) {
	d, err := s.readDocket(ctx)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, f := range d.facts.resources {
		for _, tag := range f.tags {
			if slug, ok := strings.CutPrefix(strings.ToLower(tag), tenant.TagPrefix); ok && !f.gone {
				count[slug]++
			}
		}
	}
	var rows []tenant.Row
	for _, slug := range slices.Sorted(maps.Keys(count)) {
		rows = append(rows, tenant.Row{
			Entry: tenant.Entry{Slug: slug}, Blank: true, From: fmt.Sprintf("tag %s%s of %s", tenant.TagPrefix, slug, resources(count[slug])),
		})
	}
	return rows, nil
}

func resources(n int) string {
	if n == 1 {
		return "1 resource"
	}
	return fmt.Sprintf("%d resources", n)
}
