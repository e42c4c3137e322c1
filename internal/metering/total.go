package metering

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Total is what a meter comes to for a tenant over a period.
type Total struct {
	Group    []string     // of the meter's GroupBy; nil where it has none
	Quantity exact.Number // a quotient where it is a mean over time
	Events   int64        // that it was made of, within the period
}

// Totals are what a meter comes to for a tenant over a period, one for each group, in
// their order. Whole hours of UTC come from what was rolled up, parts of hours and
// hours that have changed since from the events: the answer is exact at any instant,
// and what was accepted before the call is in it. Events that were corrected are not.
//
// Errors: NotFound for no meter, Invalid for a period that is empty or too long ago.
func (s *Service) Totals(ctx context.Context, of tenant.ID, meter string, p period.Period) ([]Total, error) {
	if p.IsEmpty() || !isPlausible(p.From) || !isPlausible(p.To) {
		return nil, fault.New(fault.Invalid, "The period %s is empty, or not of this age.", p)
	}
	m, err := s.Meter(ctx, meter)
	if err != nil {
		return nil, err
	}
	p = period.Period{From: p.From.Truncate(time.Microsecond), To: p.To.Truncate(time.Microsecond)}
	groups := make(map[string]*tally)
	find := func(group string) *tally {
		t := groups[group]
		if t == nil {
			t = &tally{meter: &m, during: p}
			groups[group] = t
		}
		return t
	}
	err = s.visit(ctx, of, &m, p, func(group string, b bucket, end int64) { find(group).merge(b, end) })
	if err != nil {
		return nil, err
	}
	var totals []Total
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		t := groups[group]
		total := Total{Quantity: t.quantity(), Events: t.Events}
		if len(m.GroupBy) > 0 {
			if err := json.Unmarshal([]byte(group), &total.Group); err != nil {
				return nil, err
			}
		}
		totals = append(totals, total)
	}
	slices.SortFunc(totals, func(a, b Total) int { return slices.Compare(a.Group, b.Group) })
	if len(totals) == 0 && len(m.GroupBy) == 0 {
		totals = []Total{{}}
	}
	return totals, nil
}

// visit calls see with buckets that together hold what a meter counts in a period, and
// for a time-weighted one what it counted before. It is one statement, which sees one
// state of the database.
func (s *Service) visit(ctx context.Context, of tenant.ID, m *Meter, p period.Period, see func(group string, b bucket, end int64)) error {
	from, to := db.Micros(p.From), db.Micros(p.To)
	first, last := hourOf(p.From), hourOf(p.To)
	whole := first // whole hours begin
	if first < from {
		whole = first + hour
	}
	headFrom, headTo := from, min(whole, to) // of the first hour, the part that is in the period
	before := whole                          // hours count from here on
	if m.Aggregate == TimeWeighted {         // what led to the level it begins with counts too
		before, headFrom = 0, first
		if whole == first {
			headFrom = headTo
		}
	}
	tailFrom := max(last, headTo)
	query := `
		SELECT 0, h.hour, h.group_values, h.events, h.bucket, '', '' FROM usage_hours h
			WHERE h.tenant_id = $1 AND h.meter = $2 AND h.hour >= $4 AND h.hour < $5 AND h.hour <> $6
				AND NOT EXISTS (SELECT 1 FROM usage_marks k WHERE k.tenant_id = $1 AND k.type = $3 AND k.hour = h.hour)
		UNION ALL
		SELECT 1, e.at, '', 0, e.data, e.source, e.id
			FROM (SELECT DISTINCT k.hour FROM usage_marks k WHERE k.tenant_id = $1 AND k.type = $3 AND k.hour >= $4 AND k.hour < $5 AND k.hour <> $6) k
			JOIN usage_events e ON e.tenant_id = $1 AND e.type = $3 AND e.at >= k.hour AND e.at < k.hour + 3600000000
			WHERE e.counts AND ` + uncorrected
	split := int64(-1) // the hour that the period begins within
	if whole != first {
		split = first
	}
	args := []any{string(of), m.ID, m.EventType, before, last, split}
	for _, edge := range [][2]int64{{headFrom, headTo}, {tailFrom, to}} {
		if edge[0] < edge[1] {
			args = append(args, edge[0], edge[1])
			query += fmt.Sprintf(` UNION ALL SELECT 1, e.at, '', 0, e.data, e.source, e.id FROM usage_events e
				WHERE e.tenant_id = $1 AND e.type = $3 AND e.at >= $%d AND e.at < $%d AND e.counts AND `, len(args)-1, len(args)) + uncorrected
		}
	}
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			raw, at, events         int64
			group, data, source, id string
		)
		if err := rows.Scan(&raw, &at, &group, &events, &data, &source, &id); err != nil {
			return err
		}
		if raw == 0 {
			b := bucket{Events: events}
			if err := json.Unmarshal([]byte(data), &b); err != nil {
				return err
			}
			see(group, b, at+hour)
			return nil
		}
		e := Event{Source: source, ID: id, Type: m.EventType, At: db.Time(at)}
		b, group, about, err := m.bucketOf(e, data)
		if err == nil && about {
			see(group, b, at+1)
		}
		return err
	}, query, args...)
}

// An Unmetered sums up events of a tenant and type that were accepted and that no
// meter is about, or that one is about and cannot read the value of. They cost
// nobody anything, and somebody has to know.
type Unmetered struct {
	Tenant     tenant.ID
	Type       string
	Events     int64 // of the type, in the hours that have such events
	Unmetered  int64
	Unreadable int64
	From, To   time.Time // from the first to the last such hour
}

// Unmetered sums up what was accepted and is in no meter, by tenant and type.
func (s *Service) Unmetered(ctx context.Context) (all []Unmetered, err error) {
	if _, err := s.Roll(ctx); err != nil {
		return nil, err
	}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var u Unmetered
		var from, to int64
		err := rows.Scan((*string)(&u.Tenant), &u.Type, &u.Events, &u.Unmetered, &u.Unreadable, &from, &to)
		u.From, u.To = db.Time(from), db.Time(to+hour)
		all = append(all, u)
		return err
	}, `SELECT tenant_id, type, CAST(SUM(events) AS BIGINT), CAST(SUM(unmetered) AS BIGINT), CAST(SUM(unreadable) AS BIGINT),
			MIN(hour), MAX(hour)
		FROM usage_counts WHERE unmetered > 0 OR unreadable > 0 GROUP BY tenant_id, type ORDER BY type, tenant_id`)
	return all, err
}
