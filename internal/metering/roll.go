package metering

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// rollStep is how many hours one transaction rolls up.
const rollStep = 200

// Roll makes the marked hours again of their events, and returns how many it made.
// Totals are the same before and after: what is not rolled up is counted from the
// events. Processes may roll at the same time.
func (s *Service) Roll(ctx context.Context) (hours int, err error) {
	for {
		var marks []mark
		err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
			var m mark
			err := rows.Scan(&m.tenant, &m.kind, &m.hour)
			marks = append(marks, m)
			return err
		}, `SELECT DISTINCT tenant_id, type, hour FROM usage_marks ORDER BY tenant_id, type, hour LIMIT $1`, rollStep)
		if err != nil || len(marks) == 0 {
			return hours, err
		}
		if err := s.db.Write(ctx, func(tx *sql.Tx) error { return s.roll(ctx, tx, marks) }); err != nil {
			return hours, err
		}
		hours += len(marks)
	}
}

// Rebuild makes all hours again, tenant by tenant. Meanwhile totals are counted from
// the events, and stay what they are.
func (s *Service) Rebuild(ctx context.Context) (hours int, err error) {
	tenants := make(map[string]bool)
	for _, table := range []string{`SELECT DISTINCT tenant_id FROM usage_events`, `SELECT DISTINCT tenant_id FROM usage_counts`} {
		err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			tenants[id] = true
			return err
		}, table)
		if err != nil {
			return 0, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tenants)) {
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			for _, query := range []string{
				`DELETE FROM usage_hours WHERE tenant_id = $1`, `DELETE FROM usage_counts WHERE tenant_id = $1`,
				`INSERT INTO usage_marks (tenant_id, type, hour) SELECT DISTINCT tenant_id, type, at - at % 3600000000 FROM usage_events WHERE tenant_id = $1`,
			} {
				if _, err := tx.ExecContext(ctx, query, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return hours, err
		}
		n, err := s.Roll(ctx)
		if hours += n; err != nil {
			return hours, err
		}
	}
	return hours, nil
}

// roll makes hours of their events. Marks that others add meanwhile stay.
func (s *Service) roll(ctx context.Context, tx *sql.Tx, marks []mark) error {
	meters := make(map[string][]Meter) // by type
	var hours, counts [][]any
	for _, m := range marks {
		if _, known := meters[m.kind]; !known {
			of, err := readMeters(ctx, tx, `event_type = $1`, m.kind)
			if err != nil {
				return err
			}
			meters[m.kind] = of
		}
		made, err := makeHour(ctx, tx, m, meters[m.kind])
		if err != nil {
			return err
		}
		for at, b := range made.buckets {
			kept, err := b.keep()
			if err != nil {
				return err
			}
			hours = append(hours, []any{m.tenant, at.meter, m.hour, at.group, b.Events, kept})
		}
		if made.events > 0 {
			counts = append(counts, []any{m.tenant, m.kind, m.hour, made.events, made.unmetered, made.unreadable})
		}
	}
	given := make([][]any, len(marks))
	for i, m := range marks {
		given[i] = []any{m.tenant, m.kind, m.hour}
	}
	return s.db.Pipeline(ctx, tx,
		db.Statement{Bulk: deleteHours, Rows: given}, db.Statement{Bulk: deleteCounts, Rows: given}, db.Statement{Bulk: deleteMarks, Rows: given},
		db.Statement{Bulk: insertHours, Rows: hours}, db.Statement{Bulk: insertCounts, Rows: counts})
}

// A place is where a reading counts: its meter and its group, as a JSON array.
type place struct{ meter, group string }

// An hourly is what the events of an hour come to.
type hourly struct {
	buckets                       map[place]*bucket
	events, unmetered, unreadable int64
}

// count counts an event for meters of its type.
func (h *hourly) count(e *Event, meters []Meter, end int64) {
	h.events++
	counted, unreadable := false, false
	for i := range meters {
		r, about, err := meters[i].Read(e)
		if err != nil {
			unreadable = true
		}
		if !about {
			continue
		}
		counted = true
		at := place{meters[i].ID, groupText(r.Group)}
		if h.buckets[at] == nil {
			h.buckets[at] = &bucket{}
		}
		h.buckets[at].add(&meters[i], r, end)
	}
	switch {
	case unreadable:
		h.unreadable++
	case !counted:
		h.unmetered++
	}
}

func groupText(values []string) string {
	if len(values) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(values) // strings always work
	return string(text)
}

// makeHour counts the events of an hour.
func makeHour(ctx context.Context, q db.Queryer, m mark, meters []Meter) (hourly, error) {
	h := hourly{buckets: make(map[place]*bucket)}
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		e, err := scanUsage(rows, m.kind)
		if err == nil {
			h.count(&e, meters, m.hour+hour)
		}
		return err
	}, `SELECT e.source, e.id, e.at, e.data FROM usage_events e
		WHERE e.tenant_id = $1 AND e.type = $2 AND e.at >= $3 AND e.at < $4 AND e.counts AND `+uncorrected, m.tenant, m.kind, m.hour, m.hour+hour)
	return h, err
}

// scanUsage reads an event by its source, id, time and data.
func scanUsage(rows *sql.Rows, kind string) (Event, error) {
	var at int64
	var data db.JSON[Data]
	e := Event{Type: kind}
	err := rows.Scan(&e.Source, &e.ID, &at, &data)
	e.At, e.Data = db.Time(at), data.V
	return e, err
}

var (
	markColumns = []db.Column{{Name: "tenant_id"}, {Name: "type"}, {Name: "hour", Type: db.Integer}}

	deleteHours = db.NewBulk(`DELETE FROM usage_hours WHERE (tenant_id, meter, hour) IN
		(SELECT g.tenant_id, m.id, g.hour FROM given g JOIN usage_meters m ON m.event_type = g.type)`, markColumns...)
	deleteCounts = db.NewBulk(`DELETE FROM usage_counts WHERE (tenant_id, type, hour) IN (SELECT tenant_id, type, hour FROM given)`, markColumns...)
	deleteMarks  = db.NewBulk(`DELETE FROM usage_marks WHERE (tenant_id, type, hour) IN (SELECT tenant_id, type, hour FROM given)`, markColumns...)

	insertHours = db.NewBulk(`INSERT INTO usage_hours (tenant_id, meter, hour, group_values, events, bucket)
		SELECT tenant_id, meter, hour, group_values, events, bucket FROM given`,
		db.Column{Name: "tenant_id"}, db.Column{Name: "meter"}, db.Column{Name: "hour", Type: db.Integer}, db.Column{Name: "group_values"},
		db.Column{Name: "events", Type: db.Integer}, db.Column{Name: "bucket", Type: db.Object})
	insertCounts = db.NewBulk(`INSERT INTO usage_counts (tenant_id, type, hour, events, unmetered, unreadable)
		SELECT tenant_id, type, hour, events, unmetered, unreadable FROM given`,
		append(markColumns[:3:3], db.Column{Name: "events", Type: db.Integer}, db.Column{Name: "unmetered", Type: db.Integer},
			db.Column{Name: "unreadable", Type: db.Integer})...)
)
