package billing

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Margin is what a tenant brought in a month, and what it cost, by the journal.
type Margin struct {
	Month   string    // 2026-10, in the tenant's zone
	Tenant  tenant.ID // empty: what belongs to nobody
	Slug    string
	Revenue []money.Amount // net of tax, by currency
	Cost    []money.Amount // at DigitalOcean
	BadDebt []money.Amount // of the revenue, what was written off
	Closed  bool           // else what is not invoiced yet, and what resources cost, is missing
}

// Left is what is left of the revenue, in each currency that both are in or that only
// one is in: nothing is converted.
func (m Margin) Left() []money.Amount {
	left := make(map[money.Currency]int64)
	for _, a := range m.Revenue {
		left[a.Currency] += a.Minor
	}
	for _, a := range slices.Concat(m.Cost, m.BadDebt) {
		left[a.Currency] -= a.Minor
	}
	return amounts(left)
}

func amounts(of map[money.Currency]int64) []money.Amount {
	all := []money.Amount{}
	for _, c := range slices.Sorted(maps.Keys(of)) {
		if of[c] != 0 {
			all = append(all, money.New(of[c], c))
		}
	}
	return all
}

// Margins are those of the months between two, both included, of a tenant, slug or id,
// or of all where ref is empty: by month, then by slug, what belongs to nobody last.
func (s *Service) Margins(ctx context.Context, from, to, ref string, now time.Time) ([]Margin, error) {
	months, err := monthsBetween(from, to, now)
	if err != nil {
		return nil, err
	}
	var only tenant.ID
	if ref != "" {
		t, err := s.tenants.Tenant(ctx, ref)
		if err != nil {
			return nil, err
		}
		only = t.ID
	}
	customers, err := listCustomers(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	zones := make(map[tenant.ID]*time.Location)
	for _, c := range customers {
		if zones[c.Tenant], err = period.Zone(c.Zone); err != nil {
			return nil, err
		}
	}
	closed, err := closedMonths(ctx, s.db.Read())
	if err != nil {
		return nil, err
	}
	type of struct {
		month  string
		tenant tenant.ID
	}
	sums := make(map[of]map[journal.Account]map[money.Currency]int64)
	first, _ := time.Parse("2006-01", months[0])
	last, _ := time.Parse("2006-01", months[len(months)-1])
	err = journal.EachPosting(ctx, s.db.Read(), first.Add(-eastmost), last.AddDate(0, 1, 0).Add(westmost), func(p journal.Posting, at time.Time) error {
		key := of{tenant: tenant.ID(p.Tenant)}
		zone := zones[key.tenant]
		if zone == nil {
			zone = time.UTC
		}
		key.month = at.In(zone).Format("2006-01")
		if only != "" && key.tenant != only || !slices.Contains(months, key.month) {
			return nil
		}
		if sums[key] == nil {
			sums[key] = map[journal.Account]map[money.Currency]int64{journal.Revenue: {}, journal.CloudCost: {}, journal.BadDebt: {}}
		}
		sums[key][p.Account][p.Amount.Currency] += p.Amount.Minor
		return nil
	}, journal.Revenue, journal.CloudCost, journal.BadDebt)
	if err != nil {
		return nil, err
	}
	slugs, err := s.tenants.Slugs(ctx)
	if err != nil {
		return nil, err
	}
	list := []Margin{}
	for key, sum := range sums {
		for c := range sum[journal.Revenue] { // credits, in the journal
			sum[journal.Revenue][c] *= -1
		}
		list = append(list, Margin{
			Month: key.month, Tenant: key.tenant, Slug: slugs[key.tenant], Closed: closed[key.month],
			Revenue: amounts(sum[journal.Revenue]), Cost: amounts(sum[journal.CloudCost]), BadDebt: amounts(sum[journal.BadDebt]),
		})
	}
	slices.SortFunc(list, func(a, b Margin) int {
		return cmp.Or(cmp.Compare(a.Month, b.Month), bySlug(a.Slug, b.Slug))
	})
	return list, nil
}

// closedMonths are the months that are closed.
func closedMonths(ctx context.Context, q db.Queryer) (map[string]bool, error) {
	closed := make(map[string]bool)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var month string
		err := rows.Scan(&month)
		closed[month] = true
		return err
	}, `SELECT month FROM billing_closes`)
	return closed, err
}
