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

// An EventFilter selects events that count, of one tenant; other empty fields select
// all.
type EventFilter struct {
	Tenant   tenant.ID
	Types    []string
	From, To time.Time // happened in [From, To)
	Known    time.Time // as it was known then: what became known later changes nothing
	Limit    int       // the first ones; 0: all
	// Corrected adds those that were corrected since, with when: what is known at any
	// instant can be told from the answer.
	Corrected bool
}

// Events are the events of a tenant that count, in the order in which they happened;
// those of one instant by source and id. What a correction replaced or voided, and
// what only voids, is not among them.
func (s *Service) Events(ctx context.Context, f EventFilter) (events []Event, err error) {
	if f.Tenant == "" {
		return nil, fault.New(fault.Invalid, "Events are of one tenant: name it.")
	}
	args := []any{string(f.Tenant)}
	where := []string{"e.tenant_id = $1", "e.counts"}
	and := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if len(f.Types) > 0 {
		in := make([]string, len(f.Types))
		for i, kind := range f.Types {
			args = append(args, kind)
			in[i] = fmt.Sprintf("$%d", len(args))
		}
		where = append(where, "e.type IN ("+strings.Join(in, ", ")+")")
	}
	if !f.From.IsZero() {
		and("e.at >= ?", db.Micros(f.From))
	}
	if !f.To.IsZero() {
		and("e.at < ?", db.Micros(f.To))
	}
	corrected := uncorrected
	if !f.Known.IsZero() {
		and("e.recorded_at <= ?", db.Micros(f.Known))
		corrected = strings.Replace(corrected, "c.id = e.id", fmt.Sprintf("c.id = e.id AND c.recorded_at <= $%d", len(args)), 1)
	}
	if !f.Corrected {
		where = append(where, corrected)
	}
	query := `SELECT e.source, e.id, e.type, e.at, e.recorded_at, e.data,
			(SELECT c.recorded_at FROM usage_corrections c WHERE c.tenant_id = e.tenant_id AND c.source = e.source AND c.id = e.id)
		FROM usage_events e WHERE ` + strings.Join(where, " AND ") + ` ORDER BY e.at, e.source, e.id`
	if f.Limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var e Event
		var at, recorded int64
		var data db.JSON[Data]
		var corrected db.NullTime
		err := rows.Scan(&e.Source, &e.ID, &e.Type, &at, &recorded, &data, &corrected)
		e.At, e.RecordedAt, e.Data = db.Time(at), db.Time(recorded), data.V
		if f.Corrected {
			e.CorrectedAt = corrected.Time
		}
		events = append(events, e)
		return err
	}, query, args...)
	return events, err
}

// uncorrected is the condition, on e, that an event was not corrected.
const uncorrected = `NOT EXISTS (SELECT 1 FROM usage_corrections c WHERE c.tenant_id = e.tenant_id AND c.source = e.source AND c.id = e.id)`

// A Conflict is an event that was told again with another content.
type Conflict struct {
	Event            // as it was told, and does not count
	Tenant tenant.ID // whose it is
	Counts Event     // what counts
	Told   int64     // how often it was told so
	First  time.Time // when it was told so
	Last   time.Time
}

// Conflicts are the conflicts of a tenant, of all where it is empty, that were told since an
// instant, the last told first.
func (s *Service) Conflicts(ctx context.Context, of tenant.ID, since time.Time, limit int) (conflicts []Conflict, err error) {
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			c                              Conflict
			at, first, last, its, recorded int64
			data, counts                   db.JSON[Data]
		)
		err := rows.Scan((*string)(&c.Tenant), &c.Source, &c.ID, &c.Type, &at, &data, &c.Told, &first, &last, &c.Counts.Type, &its, &recorded, &counts)
		c.At, c.RecordedAt, c.Data, c.First, c.Last = db.Time(at), db.Time(first), data.V, db.Time(first), db.Time(last)
		c.Counts.Source, c.Counts.ID, c.Counts.At, c.Counts.RecordedAt, c.Counts.Data = c.Source, c.ID, db.Time(its), db.Time(recorded), counts.V
		conflicts = append(conflicts, c)
		return err
	}, `SELECT x.tenant_id, x.source, x.id, x.type, x.at, x.data, x.told, x.first_at, x.last_at, e.type, e.at, e.recorded_at, e.data
		FROM usage_conflicts x JOIN usage_events e ON e.tenant_id = x.tenant_id AND e.source = x.source AND e.id = x.id
		WHERE (CAST($1 AS TEXT) = '' OR x.tenant_id = $1) AND x.last_at >= $2 ORDER BY x.last_at DESC, x.tenant_id, x.source, x.id, x.hash LIMIT $3`,
		string(of), db.Micros(since), limit)
	return conflicts, err
}
