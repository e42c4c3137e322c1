package metering

import (
	"context"
	"database/sql"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A MeterAction says what applying does with a meter.
type MeterAction string

// The actions.
const (
	MeterAdded     MeterAction = "added"
	MeterChanged   MeterAction = "changed"
	MeterUnchanged MeterAction = "unchanged"
)

// A MeterOutcome is what becomes of a meter.
type MeterOutcome struct {
	Meter  Meter
	Action MeterAction
}

// maxMeters bounds how many meters are applied at once.
const maxMeters = 1000

// ApplyMeters adds meters and changes those that have not counted yet, all of them or
// none; with dry nothing is written. A new meter counts what was accepted before it
// too. Meters that are not named stay as they are.
//
// Errors: Invalid for what cannot be a meter, Conflict for a change of one that has
// counted: what was billed by it would no longer be what it says.
func (s *Service) ApplyMeters(ctx context.Context, meters []Meter, actor string, at time.Time, dry bool) ([]MeterOutcome, error) {
	if len(meters) == 0 || len(meters) > maxMeters {
		return nil, fault.New(fault.Invalid, "Name 1 to %d meters, not %d.", maxMeters, len(meters))
	}
	seen := make(map[string]bool)
	for _, m := range meters {
		if seen[m.ID] {
			return nil, fault.New(fault.Invalid, "Meter %s is named twice.", m.ID)
		}
		seen[m.ID] = true
	}
	if _, err := s.Roll(ctx); err != nil { // so that it is known which meters have counted
		return nil, err
	}
	var outcomes []MeterOutcome
	plan := func(q db.Queryer) error {
		outcomes = make([]MeterOutcome, len(meters))
		for i, m := range meters {
			action, err := s.PlanMeter(ctx, q, m)
			if err != nil {
				return err
			}
			outcomes[i] = MeterOutcome{m, action}
		}
		return nil
	}
	if dry {
		return outcomes, plan(s.db.Read())
	}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := plan(tx); err != nil {
			return err
		}
		for _, o := range outcomes {
			if o.Action == MeterUnchanged {
				continue
			}
			if err := writeMeter(ctx, tx, o.Meter, actor, at); err != nil {
				return err
			}
		}
		return nil
	})
	return outcomes, err
}

// PlanMeter says what applying a meter would do by what is rolled up. Errors: Invalid
// for what cannot be a meter, Conflict for a change of one that has counted.
func (s *Service) PlanMeter(ctx context.Context, q db.Queryer, m Meter) (MeterAction, error) {
	if err := m.check(); err != nil {
		return "", err
	}
	had, err := findMeter(ctx, q, m.ID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return MeterAdded, nil
	case err != nil:
		return "", err
	case had.Same(m):
		return MeterUnchanged, nil
	}
	counted, err := hasCounted(ctx, q, m.ID)
	if err == nil && counted {
		err = fault.New(fault.Conflict, "Meter %s has counted events and stays as it is. Add another one, with an id of its own.", m.ID)
	}
	return MeterChanged, err
}

// PutMeterTx adds a meter, or changes one, as [Service.PlanMeter] said within the same
// transaction.
func (s *Service) PutMeterTx(ctx context.Context, tx *sql.Tx, m Meter, actor string, at time.Time) error {
	return writeMeter(ctx, tx, m, actor, at)
}

// RemoveMeter removes a meter that has not counted. Errors: NotFound, Conflict.
func (s *Service) RemoveMeter(ctx context.Context, id string) error {
	if _, err := s.Roll(ctx); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		m, err := findMeter(ctx, tx, id)
		if err != nil {
			return err
		}
		counted, err := hasCounted(ctx, tx, id)
		if err != nil {
			return err
		}
		if counted {
			return fault.New(fault.Conflict, "Meter %s has counted events and stays: what was billed by it has to be explained.", id)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM usage_meters WHERE id = $1`, id); err != nil {
			return err
		}
		return markAgain(ctx, tx, m.EventType)
	})
}

// Meters are the meters, by their ids.
func (s *Service) Meters(ctx context.Context) ([]Meter, error) {
	return readMeters(ctx, s.db.Read(), `1 = 1`)
}

// Meter is the meter with this id; fault.NotFound where there is none.
func (s *Service) Meter(ctx context.Context, id string) (Meter, error) {
	return findMeter(ctx, s.db.Read(), id)
}

func findMeter(ctx context.Context, q db.Queryer, id string) (Meter, error) {
	meters, err := readMeters(ctx, q, `id = $1`, id)
	if err != nil {
		return Meter{}, err
	}
	if len(meters) == 0 {
		return Meter{}, fault.New(fault.NotFound, "There is no meter %.80q. Those there are: arcadia usage meters", id)
	}
	return meters[0], nil
}

func readMeters(ctx context.Context, q db.Queryer, where string, args ...any) (meters []Meter, err error) {
	err = db.Each(ctx, q, func(rows *sql.Rows) error {
		var m Meter
		var filter db.JSON[map[string][]string]
		var groups db.JSON[[]string]
		err := rows.Scan(&m.ID, &m.EventType, (*string)(&m.Aggregate), &m.Value, &filter, &groups)
		m.Filter, m.GroupBy = filter.V, groups.V
		meters = append(meters, m)
		return err
	}, `SELECT id, event_type, aggregate, value, filter, group_by FROM usage_meters WHERE `+where+` ORDER BY id`, args...)
	return meters, err
}

func hasCounted(ctx context.Context, q db.Queryer, id string) (counted bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM usage_hours WHERE meter = $1)`, id).Scan(&counted)
	return counted, err
}

// writeMeter writes a meter, and marks the hours that it is about.
func writeMeter(ctx context.Context, tx *sql.Tx, m Meter, actor string, at time.Time) error {
	filter := m.Filter
	if filter == nil {
		filter = map[string][]string{}
	}
	had, err := findMeter(ctx, tx, m.ID)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO usage_meters (id, event_type, aggregate, value, filter, group_by, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET event_type = excluded.event_type, aggregate = excluded.aggregate,
			value = excluded.value, filter = excluded.filter, group_by = excluded.group_by`,
		m.ID, m.EventType, string(m.Aggregate), m.Value, db.JSON[map[string][]string]{V: filter}, db.JSON[[]string]{V: append([]string{}, m.GroupBy...)},
		db.Micros(at), actor)
	if err != nil {
		return err
	}
	types := []string{m.EventType}
	if had.EventType != "" && had.EventType != m.EventType {
		types = append(types, had.EventType)
	}
	for _, kind := range types {
		if err := markAgain(ctx, tx, kind); err != nil {
			return err
		}
	}
	return nil
}

// markAgain marks all hours of a type that were rolled up; the others have marks.
func markAgain(ctx context.Context, tx *sql.Tx, kind string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO usage_marks (tenant_id, type, hour) SELECT tenant_id, type, hour FROM usage_counts WHERE type = $1`, kind)
	return err
}
