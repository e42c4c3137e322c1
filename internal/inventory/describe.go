package inventory

import (
	"context"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Description is a resource with what there is to say of it beside its document.
type Description struct {
	Resource
	Owner   tenant.Tenant // zero: nobody's
	Verdict Verdict       // why
	Cost    Cost          // as of the time of the description
	Charges []PricedCharge
}

// Describe is a resource as it was at a time, or is now where at is zero, with whose
// it was then and what it cost. Its errors are Resource's.
func (s *Service) Describe(ctx context.Context, urn string, at time.Time) (d Description, err error) {
	if d.Resource, err = s.Resource(ctx, urn, at); err != nil {
		return d, err
	}
	if d.Verdict, err = s.Attribution(ctx, urn, at); err != nil {
		return d, err
	}
	if d.Verdict.Tenant != "" {
		if d.Owner, err = s.tenants.Tenant(ctx, string(d.Verdict.Tenant)); err != nil {
			return d, err
		}
	}
	costs, err := s.ResourceCosts(ctx, d.Account, urn, at)
	if err != nil {
		return d, err
	}
	if len(costs) == 1 {
		d.Cost = costs[0].Cost
	}
	if k := KindNamed(d.Kind); k != nil && d.Doc != nil {
		doc, err := ParseDoc(d.Doc)
		if err != nil {
			return d, err
		}
		doc.Parent = d.Parent
		d.Charges = Prices().priced(k, doc, d.At)
	}
	return d, nil
}

// GroupNames gives the keys of cost groups their names: tenants by their slugs,
// projects by theirs.
func (s *Service) GroupNames(ctx context.Context, by GroupBy) (func(key string) string, error) {
	names := map[string]string{"": map[GroupBy]string{PerTenant: "nobody", PerRegion: "no region", PerProject: "no project"}[by]}
	switch by {
	case PerTenant:
		all, err := s.tenants.All(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			names[string(t.ID)] = t.Slug
		}
	case PerKind:
		for _, k := range kinds {
			names[k.Name] = k.Many
		}
	case PerProject:
		if err := s.namesOf(ctx, project.Name, names); err != nil {
			return nil, err
		}
	}
	return func(key string) string {
		if name, ok := names[key]; ok {
			return name
		}
		return key
	}, nil
}

// namesOf fills in the names of the resources of a kind by their URNs.
func (s *Service) namesOf(ctx context.Context, kind string, names map[string]string) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT urn, name FROM inv_versions WHERE kind = $1 AND until IS NULL`, kind)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var urn, name string
		if err := rows.Scan(&urn, &name); err != nil {
			return err
		}
		names[urn] = name
	}
	return rows.Err()
}
