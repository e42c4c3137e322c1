package metering

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Kept event is one as it was accepted, with what became known of it since.
type Kept struct {
	Event
	OnlyVoids   bool   // it says of another that it does not count, and counts nothing itself
	CorrectedBy string // the id of the event of its source since which it does not count; empty: it was not corrected
	Conflicts   int64  // how often it was told again with another content
}

// Counts reports whether the event counts, by what is known now.
func (k Kept) Counts() bool { return !k.OnlyVoids && k.CorrectedBy == "" }

// A KeptFilter selects events of one tenant; other empty fields select all.
type KeptFilter struct {
	Tenant   tenant.ID
	Meter    string    // only those that it is about, whatever they are by now
	From, To time.Time // happened in [From, To)
	After    *Event    // only those that the list has after this one, by time, source and id
	Limit    int       // the first so many
}

// Kept lists all events of a tenant that were accepted, the last that happened first,
// those too that do not count any more. It answers fault.Invalid without a tenant, and
// fault.NotFound for no meter.
func (s *Service) Kept(ctx context.Context, f KeptFilter) (list []Kept, err error) {
	if f.Tenant == "" {
		return nil, fault.New(fault.Invalid, "Events are of one tenant: name it.")
	}
	var meter *Meter
	if f.Meter != "" {
		m, err := s.Meter(ctx, f.Meter)
		if err != nil {
			return nil, err
		}
		meter = &m
	}
	for len(list) < f.Limit {
		part, err := s.keptPart(ctx, f, meter)
		if err != nil {
			return nil, err
		}
		for _, k := range part {
			// A value that the meter cannot read is its event all the same.
			if meter != nil {
				if _, about, err := meter.Read(&k.Event); !about && err == nil {
					continue
				}
			}
			if list = append(list, k); len(list) == f.Limit {
				return list, nil
			}
		}
		if len(part) < f.Limit {
			return list, nil
		}
		f.After = &part[len(part)-1].Event
	}
	return list, nil
}

// keptPart is the next of them, of a meter's type where there is one.
func (s *Service) keptPart(ctx context.Context, f KeptFilter, meter *Meter) ([]Kept, error) {
	where, args := []string{"e.tenant_id = $1"}, []any{string(f.Tenant)}
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	if meter != nil {
		and("e.type = ?", meter.EventType)
	}
	if !f.From.IsZero() {
		and("e.at >= ?", db.Micros(f.From))
	}
	if !f.To.IsZero() {
		and("e.at < ?", db.Micros(f.To))
	}
	if f.After != nil {
		and("(e.at, e.source, e.id) < (?, ?, ?)", db.Micros(f.After.At), f.After.Source, f.After.ID)
	}
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (k Kept, err error) {
		var at, recorded int64
		var data db.JSON[Data]
		var corrected db.NullTime
		err = rows.Scan(&k.Source, &k.ID, &k.Type, &at, &recorded, &data, &k.OnlyVoids, &corrected, &k.CorrectedBy, &k.Conflicts)
		k.At, k.RecordedAt, k.Data, k.CorrectedAt = db.Time(at), db.Time(recorded), data.V, corrected.Time
		return k, err
	}, fmt.Sprintf(`SELECT e.source, e.id, e.type, e.at, e.recorded_at, e.data, NOT e.counts, c.recorded_at, COALESCE(c.by_id, ''),
			CAST((SELECT COALESCE(SUM(x.told), 0) FROM usage_conflicts x WHERE x.tenant_id = e.tenant_id AND x.source = e.source AND x.id = e.id) AS BIGINT)
		FROM usage_events e LEFT JOIN usage_corrections c ON c.tenant_id = e.tenant_id AND c.source = e.source AND c.id = e.id
		WHERE %s ORDER BY e.at DESC, e.source DESC, e.id DESC LIMIT %d`, strings.Join(where, " AND "), f.Limit), args...)
}
