package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A MarkState is what became of a mark.
type MarkState string

// The states of a mark.
const (
	Marked  MarkState = "marked"  // it is deleted once its time has come, if nobody uses it until then
	Claimed MarkState = "claimed" // its time has come
	Spared  MarkState = "spared"
	Deleted MarkState = "deleted"
)

// A Mark is that a clean-up is to delete a thing.
type Mark struct {
	Orphan
	Account string
	Saga    saga.ID
	State   MarkState
	Since   time.Time
	Due     time.Time // nothing is deleted before
	Why     string    // it was spared, or that somebody else deleted it
	EndedAt time.Time // zero while it stands
}

var errNoInventory = fault.New(fault.Unprocessable, "No inventory is kept here, and so nothing is known to be nobody's.")

const markColumns = `saga_id, account, orphan, state, since_at, due_at, why, ended_at`

func marksWhere(ctx context.Context, q db.Queryer, where string, args ...any) ([]Mark, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (m Mark, err error) {
		var (
			orphan     db.JSON[Orphan]
			since, due int64
			ended      db.NullTime
		)
		err = rows.Scan(&m.Saga, &m.Account, &orphan, &m.State, &since, &due, &m.Why, &ended)
		m.Orphan, m.Since, m.Due, m.EndedAt = orphan.V, db.Time(since), db.Time(due), ended.Time
		return m, err
	}, `SELECT `+markColumns+` FROM cleanup_marks WHERE `+where+` ORDER BY since_at DESC, urn LIMIT 1000`, args...)
}

// Marks are those of an account that stand, or of all accounts where it is empty, the
// newest first; those that have ended too where ended is set. At most the newest 1000.
func (s *Service) Marks(ctx context.Context, account string, ended bool) ([]Mark, error) {
	return marksWhere(ctx, s.db.Read(), `($1 = '' OR account = $1) AND ($2 OR state = 'marked' OR state = 'claimed')`, account, ended)
}

// insertMarks marks things for a saga. It answers fault.Conflict where another has one.
func insertMarks(ctx context.Context, tx *sql.Tx, account string, all []Orphan, of saga.ID, at, due time.Time) error {
	for _, o := range all {
		var other string
		err := tx.QueryRowContext(ctx, `SELECT saga_id FROM cleanup_marks WHERE urn = $1 AND state <> 'spared' AND state <> 'deleted'`, o.URN).Scan(&other)
		if err == nil {
			err = fault.New(fault.Conflict, "%s is marked by saga %s already. Make a new plan.", o.URN, other)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO cleanup_marks (`+markColumns+`, urn) VALUES ($1, $2, $3, 'marked', $4, $5, '', NULL, $6)`,
			string(of), account, db.JSON[Orphan]{V: o}, db.Micros(at), db.Micros(due), o.URN); err != nil {
			return err
		}
	}
	return nil
}

// unmark ends the mark of a thing that somebody takes. It answers fault.Conflict where a
// saga has claimed it: it is being deleted.
func unmark(ctx context.Context, tx *sql.Tx, urn, why string, at time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE cleanup_marks SET state = 'spared', why = $1, ended_at = $2 WHERE urn = $3 AND state = 'marked'`,
		why, db.Micros(at), urn); err != nil {
		return err
	}
	var of string
	err := tx.QueryRowContext(ctx, `SELECT saga_id FROM cleanup_marks WHERE urn = $1 AND state = 'claimed'`, urn).Scan(&of)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fault.New(fault.Conflict, "%s is being deleted by saga %s: its time to be kept is over.", urn, of)
}

// claimMarks has a saga have what it marked: all that nobody took, had kept or made a
// stack's until now. Nobody can end these marks afterwards.
func claimMarks(ctx context.Context, tx *sql.Tx, of saga.ID) ([]Orphan, error) {
	if _, err := tx.ExecContext(ctx, `UPDATE cleanup_marks SET state = 'claimed' WHERE saga_id = $1 AND state = 'marked'
		AND NOT EXISTS (SELECT 1 FROM protections p WHERE p.subject = cleanup_marks.urn)
		AND NOT EXISTS (SELECT 1 FROM stack_resources r WHERE r.urn = cleanup_marks.urn)`, string(of)); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE cleanup_marks SET state = 'spared', why = 'somebody has it kept, or a stack has it', ended_at = $1 WHERE saga_id = $2 AND state = 'marked'`,
		db.Micros(time.Now()), string(of)); err != nil {
		return nil, err
	}
	marks, err := marksWhere(ctx, tx, `saga_id = $1 AND state = 'claimed'`, string(of))
	all := make([]Orphan, len(marks))
	for i, m := range marks {
		all[i] = m.Orphan
	}
	return all, err
}

// endMark says what became of what a saga claimed.
func endMark(ctx context.Context, tx *sql.Tx, of saga.ID, urn string, state MarkState, why string) error {
	_, err := tx.ExecContext(ctx, `UPDATE cleanup_marks SET state = $1, why = $2, ended_at = $3 WHERE saga_id = $4 AND urn = $5 AND state = 'claimed'`,
		string(state), why, db.Micros(time.Now()), string(of), urn)
	return err
}
