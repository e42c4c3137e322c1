package inventory

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A life is what a resource cost when, within a month.
type life struct {
	ResourceCost // as yet without its costs
	times        []priceTime
	alive        bool // at the end
}

// lives are those of an account's resources, or of the one named, in the month that
// began at from, as far as at: also of what was there by then and was seen later for
// the first time. In the hour in which a resource moves to another
// project both lists may have it: it counts once.
func (s *Service) lives(ctx context.Context, account, urn string, from, at time.Time) (all []life, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT v.urn, v.version, v.account, v.kind, v.region, v.gone, v.monthly, v.at, v.until, r.born_to,
			COALESCE(a.tenant_id, ''),
			COALESCE((SELECT MAX(p.target) FROM inv_edges p WHERE p.source = v.urn AND p.type = 'member_of' AND p.target LIKE 'do:project:%'), '')
		FROM inv_versions v JOIN inv_resources r ON r.urn = v.urn
		LEFT JOIN inv_attributions a ON a.urn = v.urn AND a.since <= $2 AND (a.until IS NULL OR a.until > $2)
		WHERE (v.at <= $2 OR v.version = 1 AND r.born_to <= $2) AND (v.until IS NULL OR v.until > $1) AND NOT (v.gone AND v.at < $1)
			AND (CAST($3 AS TEXT) = '' OR v.account = $3) AND (CAST($4 AS TEXT) = '' OR v.urn = $4)
		ORDER BY v.urn, v.version`, db.Micros(from), db.Micros(at), account, urn)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			r                   ResourceCost
			version, since, was int64
			until               db.NullTime
			gone                bool
			monthly             sql.NullInt64
		)
		if err := rows.Scan(&r.URN, &version, &r.Account, &r.Kind, &r.Region, &gone, &monthly, &since, &until, &was, &r.Tenant, &r.Project); err != nil {
			return nil, err
		}
		if len(all) == 0 || all[len(all)-1].URN != r.URN {
			all = append(all, life{ResourceCost: r})
		}
		l := &all[len(all)-1]
		if l.alive = !gone; gone {
			continue // it cost what it was: the row that says that it is gone says nothing else
		}
		l.ResourceCost = r
		in := period.Period{From: db.Time(since), To: at}
		if born := db.Time(was); version == 1 && born.Before(in.From) {
			in.From = born // it was there before it was first seen
		}
		if !until.Time.IsZero() && until.Time.Before(at) {
			in.To = until.Time
		}
		l.times = append(l.times, priceTime{monthly: Micros(monthly.Int64), known: monthly.Valid, in: in, version: version})
	}
	return all, rows.Err()
}

// cost is what the resource costs.
func (l life) cost(month period.Period, at time.Time) ResourceCost {
	r := l.ResourceCost
	soFar, known := costWithin(l.times, period.Period{From: month.From, To: at})
	r.MonthToDate, r.MonthEnd = soFar, soFar
	if n := len(l.times); l.alive && n > 0 {
		last := l.times[n-1]
		r.Resources, r.Monthly = 1, last.monthly
		last.in.To = month.To
		r.MonthEnd, _ = costWithin(append(l.times[:n-1:n-1], last), month)
	}
	if !known {
		r.Unpriced = 1
	}
	return r
}

// severalPrices says that the resource did not cost the same all the time.
func (l life) severalPrices() bool {
	return slices.ContainsFunc(l.times, func(t priceTime) bool { return t.monthly != l.times[0].monthly })
}

// itemize finds out what the prices are made of, where a resource had several: who
// turns backups on in the middle of a month still pays the droplet's price once.
func (s *Service) itemize(ctx context.Context, lives []life) error {
	at := map[string]int{}
	var urns []string
	for i, l := range lives {
		if l.severalPrices() {
			at[l.URN], urns = i, append(urns, l.URN)
		}
	}
	for part := range slices.Chunk(urns, chunk) {
		if err := s.itemizePart(ctx, lives, at, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) itemizePart(ctx context.Context, lives []life, at map[string]int, urns []string) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT urn, version, kind, at, doc FROM inv_versions
		WHERE NOT gone AND urn IN (`+places(len(urns), 1)+`)`, anys(urns)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			urn, kind   string
			version, on int64
			doc         sql.NullString
		)
		if err := rows.Scan(&urn, &version, &kind, &on, &doc); err != nil {
			return err
		}
		times := lives[at[urn]].times
		i := slices.IndexFunc(times, func(t priceTime) bool { return t.version == version })
		if i < 0 || !times[i].known || !doc.Valid {
			continue
		}
		d, err := ParseDoc([]byte(doc.String))
		if err != nil {
			return err
		}
		if k := KindNamed(kind); k != nil {
			times[i].charges = chargesOf(Prices().priced(k, d, db.Time(on)))
		}
	}
	return rows.Err()
}

// chargesOf tells charges apart; what costs nothing has none.
func chargesOf(priced []PricedCharge) []chargeTime {
	charges := []chargeTime{}
	for _, p := range priced {
		c := chargeTime{sku: p.SKU, monthly: Micros(p.Cost.Units(microDigits).Int64())}
		for slices.Contains(charges, c) {
			c.nth++
		}
		charges = append(charges, c)
	}
	return charges
}
