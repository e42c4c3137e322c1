package billing

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
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

	Exchanged *money.Amount // the dollars of Cost in the customer's currency, where that is another; rounded once
	Rate      *Rate         // at which they were exchanged
	NoRate    string        // why they could not be: a sentence
}

// Left is what is left of the revenue. Dollars of the cost that could not be exchanged
// stand beside it, below zero.
func (m Margin) Left() []money.Amount {
	left := make(map[money.Currency]int64)
	for _, a := range m.Revenue {
		left[a.Currency] += a.Minor
	}
	for _, a := range m.BadDebt {
		left[a.Currency] -= a.Minor
	}
	for _, a := range m.Cost {
		if a.Currency == cloudCurrency && m.Exchanged != nil {
			a = *m.Exchanged
		}
		left[a.Currency] -= a.Minor
	}
	return amounts(left)
}

// exchange puts the dollars of the cost in another currency, at its rate on a day. Where
// there is none it says so.
func (m *Margin) exchange(rates *Catalog, on time.Time) error {
	i := slices.IndexFunc(m.Cost, func(a money.Amount) bool { return a.Currency == cloudCurrency })
	if i < 0 || rates.Currency == cloudCurrency {
		return nil
	}
	rate, err := rates.rateOn(on)
	if err != nil {
		m.NoRate = fault.Message(err)
		return nil
	}
	value, _ := rate.exchange(m.Cost[i].Exact(), rating.Explanation{})
	amount, err := money.Round(value, rates.Currency)
	m.Exchanged, m.Rate = &amount, &rate
	return err
}

// exchangeMargins exchanges the costs of margins at the rate of their month's last day in
// UTC, or today's while it is not over.
func (s *Service) exchangeMargins(ctx context.Context, list []Margin, currencies map[tenant.ID]money.Currency, now time.Time) error {
	all := make(map[money.Currency]*Catalog)
	for n := range list {
		m := &list[n]
		c, known := currencies[m.Tenant]
		if !known {
			continue // what belongs to nobody is in dollars
		}
		if all[c] == nil {
			rates, err := listRates(ctx, s.db.Read(), c)
			if err != nil {
				return err
			}
			all[c] = &Catalog{Currency: c, Rates: rates}
		}
		month, err := time.Parse("2006-01", m.Month)
		if err != nil {
			return err
		}
		if err := m.exchange(all[c], period.Earlier(month.AddDate(0, 1, -1), now)); err != nil {
			return err
		}
	}
	return nil
}

// InCurrency is what DigitalOcean charges, in dollars, in the currency of a catalog at the
// rate of a day, rounded once, and that rate; nil where it is dollars. It answers
// fault.Conflict, with which rate is missing, where there is none.
func (s *Service) InCurrency(ctx context.Context, dollars exact.Number, c money.Currency, on time.Time) (money.Amount, *Rate, error) {
	if c == cloudCurrency {
		amount, err := money.Round(dollars, c)
		return amount, nil, err
	}
	rates, err := listRates(ctx, s.db.Read(), c)
	if err != nil {
		return money.Amount{}, nil, err
	}
	rate, err := (&Catalog{Currency: c, Rates: rates}).rateOn(on)
	if err != nil {
		return money.Amount{}, nil, err
	}
	value, _ := rate.exchange(dollars, rating.Explanation{})
	amount, err := money.Round(value, c)
	return amount, &rate, err
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
	only, err := s.tenantOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	customers, err := listCustomers(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	zones, currencies := make(map[tenant.ID]*time.Location), make(map[tenant.ID]money.Currency)
	for _, c := range customers {
		currencies[c.Tenant] = c.Currency
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
	return list, s.exchangeMargins(ctx, list, currencies, now)
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
