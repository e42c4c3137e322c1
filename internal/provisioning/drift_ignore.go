package provisioning

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An Ignore is that somebody does not want to hear of a difference until a time. Then it
// is heard again by itself, as it is once the field has yet another value.
type Ignore struct {
	Until  time.Time
	Reason string
	Actor  string
	At     time.Time
}

// longestIgnore is how long a difference may be ignored.
const longestIgnore = 366 * 24 * time.Hour

// IgnoreDrift has a difference of a stack not be heard of until a time. A further one
// replaces it. fault.NotFound where the stack has no such difference, fault.Invalid without
// a reason, or for a time that is over or more than a year away.
func (s *Service) IgnoreDrift(ctx context.Context, stack Stack, id DifferenceID, g Ignore) (Difference, error) {
	g.Reason = strings.TrimSpace(g.Reason)
	switch {
	case g.Reason == "" || len(g.Reason) > maxIgnoreReason:
		return Difference{}, fault.New(fault.Invalid, "Say why it is ignored, in at most %d bytes.", maxIgnoreReason)
	case !g.Until.After(g.At):
		return Difference{}, fault.New(fault.Invalid, "Say until when it is ignored: a time that is yet to come.")
	case g.Until.Sub(g.At) > longestIgnore:
		return Difference{}, fault.New(fault.Invalid, "A difference is ignored for a year at most. What is to stay is absorbed.")
	}
	one, err := s.difference(ctx, stack, id, g.At)
	if err != nil {
		return one, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO stack_drift_ignores (id, stack_id, until_at, reason, actor, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET until_at = excluded.until_at, reason = excluded.reason, actor = excluded.actor, at = excluded.at`,
			string(id), string(stack.ID), db.Micros(g.Until), g.Reason, g.Actor, db.Micros(g.At))
		return err
	})
	one.Ignored = &g
	return one, err
}

// HearDrift ends the ignoring of a difference.
func (s *Service) HearDrift(ctx context.Context, stack Stack, id DifferenceID, at time.Time) (Difference, error) {
	one, err := s.difference(ctx, stack, id, at)
	if err != nil {
		return one, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM stack_drift_ignores WHERE id = $1 AND stack_id = $2`, string(id), string(stack.ID))
		return err
	})
	one.Ignored = nil
	return one, err
}

// maxIgnoreReason is how long a reason may be, in bytes.
const maxIgnoreReason = 500

func (s *Service) difference(ctx context.Context, stack Stack, id DifferenceID, at time.Time) (Difference, error) {
	d, err := s.Drift(ctx, stack, at)
	if err != nil {
		return Difference{}, err
	}
	i := slices.IndexFunc(d.Differences, func(one Difference) bool { return one.ID == id })
	if i < 0 {
		return Difference{}, fault.New(fault.NotFound, "Stack %s has no difference %q. It may be over by now. See: arcadia stack drift %s", stack.Name, clip(string(id)), stack.Name)
	}
	return d.Differences[i], nil
}

// ignores are what is ignored at a time.
func (s *Service) ignores(ctx context.Context, at time.Time) (map[DifferenceID]*Ignore, error) {
	all := map[DifferenceID]*Ignore{}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			id           DifferenceID
			g            Ignore
			until, began int64
		)
		err := rows.Scan(&id, &until, &g.Reason, &g.Actor, &began)
		g.Until, g.At = db.Time(until), db.Time(began)
		all[id] = &g
		return err
	}, `SELECT id, until_at, reason, actor, at FROM stack_drift_ignores WHERE until_at > $1`, db.Micros(at))
	return all, err
}
