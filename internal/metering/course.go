package metering

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// MaxParts is into how many parts a course may be cut.
const MaxParts = 1000

// A Course is what a meter comes to for a tenant over a time, and over each part of it.
// The groups of the meter are taken together.
type Course struct {
	Tenant   tenant.ID
	Quantity exact.Number // of the whole time: of a sum what its parts add up to, of a maximum the largest
	Events   int64
	Parts    []Total // without groups; as many as there are parts
}

// Courses are the courses of a meter from an instant on, over n parts of a length, both
// whole hours of UTC, of each tenant that it counts something of, or of one alone. They
// are one state of the database; what was accepted before the call is in them, and what
// was corrected is not.
//
// Errors: NotFound for no meter, Invalid for parts that cannot be.
func (s *Service) Courses(ctx context.Context, of tenant.ID, meter string, from time.Time, step time.Duration, n int) ([]Course, error) {
	if step < time.Hour || step%time.Hour != 0 || n < 1 || n > MaxParts || !from.Equal(from.UTC().Truncate(time.Hour)) || !isPlausible(from) {
		return nil, fault.New(fault.Invalid, "A course has 1 to %d parts of whole hours, and begins with one.", MaxParts)
	}
	m, err := s.Meter(ctx, meter)
	if err != nil {
		return nil, err
	}
	whole := period.Period{From: from, To: from.Add(time.Duration(n) * step)}
	all := make(map[tenant.ID][]*tally) // the whole time first, then the parts
	see := func(id tenant.ID, b bucket, end int64) {
		tallies := all[id]
		if tallies == nil {
			tallies = append(tallies, &tally{meter: &m, during: whole})
			for i := range n {
				at := from.Add(time.Duration(i) * step)
				tallies = append(tallies, &tally{meter: &m, during: period.Period{From: at, To: at.Add(step)}})
			}
			all[id] = tallies
		}
		for _, t := range tallies {
			within := end > db.Micros(t.during.From) && end <= db.Micros(t.during.To)
			if within || m.Aggregate == TimeWeighted && end <= db.Micros(t.during.From) { // a level goes on
				t.merge(b, end)
			}
		}
	}
	if err := s.visitAll(ctx, of, &m, whole, see); err != nil {
		return nil, err
	}
	courses := make([]Course, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		tallies := all[id]
		c := Course{Tenant: id, Quantity: tallies[0].quantity(), Events: tallies[0].Events}
		for _, t := range tallies[1:] {
			c.Parts = append(c.Parts, Total{Quantity: t.quantity(), Events: t.Events})
		}
		courses = append(courses, c)
	}
	return courses, nil
}

// visitAll calls see with buckets that together hold what a meter counts in a period of
// whole hours, of one tenant or of all, and for a time-weighted one what it counted
// before. It is one statement, which sees one state of the database.
func (s *Service) visitAll(ctx context.Context, of tenant.ID, m *Meter, p period.Period, see func(of tenant.ID, b bucket, end int64)) error {
	from := db.Micros(p.From)
	if m.Aggregate == TimeWeighted {
		from = 0
	}
	args, alone := []any{m.ID, m.EventType, from, db.Micros(p.To)}, ""
	if of != "" {
		args, alone = append(args, string(of)), " AND tenant_id = $5"
	}
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			raw, at, events         int64
			whose, data, source, id string
		)
		if err := rows.Scan(&raw, &whose, &at, &events, &data, &source, &id); err != nil {
			return err
		}
		if raw == 0 {
			b := bucket{Events: events}
			if err := json.Unmarshal([]byte(data), &b); err != nil {
				return err
			}
			see(tenant.ID(whose), b, at+hour)
			return nil
		}
		b, _, about, err := m.bucketOf(Event{Source: source, ID: id, Type: m.EventType, At: db.Time(at)}, data)
		if err == nil && about {
			see(tenant.ID(whose), b, at+1)
		}
		return err
	}, `
		SELECT 0, h.tenant_id, h.hour, h.events, h.bucket, '', '' FROM usage_hours h
			WHERE h.meter = $1 AND h.hour >= $3 AND h.hour < $4`+alone+`
				AND NOT EXISTS (SELECT 1 FROM usage_marks k WHERE k.tenant_id = h.tenant_id AND k.type = $2 AND k.hour = h.hour)
		UNION ALL
		SELECT 1, e.tenant_id, e.at, 0, e.data, e.source, e.id
			FROM (SELECT DISTINCT tenant_id, hour FROM usage_marks WHERE type = $2 AND hour >= $3 AND hour < $4`+alone+`) k
			JOIN usage_events e ON e.tenant_id = k.tenant_id AND e.type = $2 AND e.at >= k.hour AND e.at < k.hour + 3600000000
			WHERE e.counts AND `+uncorrected, args...)
}
