package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// dueAt is when a saga may be claimed: an owned one when its lease is over,
// whatever its wake_at says. The index sagas_due is over this expression.
const dueAt = `(CASE WHEN lease_owner IS NULL THEN wake_at ELSE lease_until END)`

const recordColumns = `id, kind, state, direction, want, epoch, rev, lease_owner, lease_until, wake_at,
	wait_reason, watch, position, data, tenant_id, requested_by, error, ever_unknown, created_at, started_at, finished_at`

func scanRecord(row interface{ Scan(...any) error }) (record, error) {
	var (
		r                              record
		owner, reason, tenant          sql.NullString
		watch, failure                 sql.Null[[]byte]
		data                           []byte
		lease, wake, started, finished db.NullTime
		created                        int64
	)
	err := row.Scan(&r.ID, &r.Kind, &r.State, &r.Direction, &r.Want, &r.Epoch, &r.Rev, &owner, &lease, &wake,
		&reason, &watch, &r.position, &data, &tenant, &r.RequestedBy, &failure, &r.everUnknown, &created, &started, &finished)
	if err != nil {
		return record{}, err
	}
	r.leaseOwner, r.leaseUntil, r.wakeAt = owner.String, lease.Time, wake.Time
	r.Data, r.Tenant = data, tenant.String
	r.CreatedAt, r.StartedAt, r.FinishedAt = db.Time(created), started.Time, finished.Time
	if reason.Valid {
		r.Wait = &Rest{Reason: reason.String, Until: wake.Time}
	}
	return r, errors.Join(unmarshal(watch.V, &r.watch), unmarshal(failure.V, &r.Error))
}

// unmarshal decodes a JSON column; NULL leaves v as it is.
func unmarshal[T any](data []byte, v **T) error {
	if len(data) == 0 {
		return nil
	}
	*v = new(T)
	return json.Unmarshal(data, *v)
}

// nullJSON is a JSON column's value; nil is NULL.
func nullJSON[T any](v *T) any {
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("saga: encode %T: %v", v, err)) // plain structs of text and times
	}
	return string(data)
}

func nullRaw(v json.RawMessage) any {
	if v == nil {
		return nil
	}
	return string(v)
}

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return db.Micros(t)
}

const stepColumns = `saga_id, stage, "index", name, state, next_entry, attempts, undo_attempts, unknown_since,
	started_at, finished_at, output, error`

func findSteps(ctx context.Context, q db.Queryer, id ID) ([]StepRow, error) {
	rows, err := q.QueryContext(ctx, `SELECT "index", name, state, next_entry, attempts, undo_attempts, unknown_since,
		started_at, finished_at, output, error FROM saga_steps WHERE saga_id = $1 ORDER BY stage, "index"`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps []StepRow
	for rows.Next() {
		var (
			s                          StepRow
			unknown, started, finished db.NullTime
			output, failure            sql.Null[[]byte]
		)
		if err := rows.Scan(&s.Position, &s.Name, &s.State, &s.next, &s.Attempts, &s.UndoAttempts, &unknown,
			&started, &finished, &output, &failure); err != nil {
			return nil, err
		}
		s.UnknownSince, s.StartedAt, s.FinishedAt, s.Output = unknown.Time, started.Time, finished.Time, output.V
		if err := unmarshal(failure.V, &s.Error); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, rows.Err()
}

// find reads a saga with its steps and subjects; sql.ErrNoRows when there is none.
func find(ctx context.Context, q db.Queryer, id ID) (record, error) {
	r, err := scanRecord(q.QueryRowContext(ctx, `SELECT `+recordColumns+` FROM sagas WHERE id = $1`, id))
	if err != nil {
		return record{}, err
	}
	if r.Steps, err = findSteps(ctx, q, id); err != nil {
		return record{}, err
	}
	r.Subjects, err = texts(ctx, q, `SELECT subject FROM saga_subjects WHERE saga_id = $1 ORDER BY subject`, id)
	return r, err
}

func texts(ctx context.Context, q db.Queryer, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// insert records a new saga with its steps and subjects.
func insert(ctx context.Context, tx *sql.Tx, r record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sagas (id, kind, state, direction, want, epoch, rev, wake_at, stage, position,
			data, tenant_id, requested_by, ever_unknown, last_seq, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $3 = 'ready' THEN `+db.Now+` END, 0, 0, $8, $9, $10, $11, 0, $12)`,
		r.ID, r.Kind, r.State, r.Direction, r.Want, r.Epoch, r.Rev, string(r.Data), nullText(r.Tenant),
		r.RequestedBy, false, db.Micros(r.CreatedAt))
	if err != nil {
		return err
	}
	if err := putSteps(ctx, tx, r.ID, r.Steps); err != nil {
		return err
	}
	for _, subject := range r.Subjects {
		if _, err := tx.ExecContext(ctx, `INSERT INTO saga_subjects (saga_id, subject) VALUES ($1, $2)`, r.ID, subject); err != nil {
			return err
		}
	}
	return nil
}

// putSteps writes steps as they are now, in one statement.
func putSteps(ctx context.Context, tx *sql.Tx, id ID, steps []StepRow) error {
	if len(steps) == 0 {
		return nil
	}
	args := make([]any, 0, 12*len(steps))
	for _, s := range steps {
		args = append(args, id, s.Position, s.Name, s.State, s.next, s.Attempts, s.UndoAttempts, nullTime(s.UnknownSince),
			nullTime(s.StartedAt), nullTime(s.FinishedAt), nullRaw(s.Output), nullJSON(s.Error))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO saga_steps (`+stepColumns+`) VALUES `+values(len(steps), 12, map[int]string{1: "0"})+`
		ON CONFLICT (saga_id, stage, "index") DO UPDATE SET state = excluded.state, next_entry = excluded.next_entry,
			attempts = excluded.attempts, undo_attempts = excluded.undo_attempts, unknown_since = excluded.unknown_since,
			started_at = excluded.started_at, finished_at = excluded.finished_at, output = excluded.output, error = excluded.error`, args...)
	return err
}

func putEvents(ctx context.Context, tx *sql.Tx, r record, lastSeq int64, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	args := make([]any, 0, 9*len(events))
	for i, e := range events {
		args = append(args, r.ID, lastSeq-int64(len(events)-1-i), r.Rev, db.Micros(e.At), e.Type, nullText(e.Step), r.Epoch,
			nullText(e.Actor), nullRaw(e.Detail))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO saga_events (saga_id, seq, rev, at, type, step, epoch, actor, detail) VALUES `+
		values(len(events), 9, nil), args...)
	return err
}

// values is "($1, …), ($n, …)" for rows of that many parameters each; fixed
// puts a literal before the parameter of that number.
func values(rows, params int, fixed map[int]string) string {
	var b strings.Builder
	n := 0
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for p := range params {
			if p > 0 {
				b.WriteString(", ")
			}
			if lit, ok := fixed[p]; ok {
				b.WriteString(lit + ", ")
			}
			n++
			fmt.Fprintf(&b, "$%d", n)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// guards of a write of the ledger's row: who may make it.
const (
	ownerMay = `lease_owner = $6 AND lease_until > ` + db.Now
	dueMay   = dueAt + ` <= ` + db.Now + ` AND CAST($6 AS TEXT) IS NOT NULL`
	idleMay  = `(lease_owner IS NULL OR lease_until <= ` + db.Now + `) AND CAST($6 AS TEXT) IS NOT NULL`
)

// errStale means that the row is not as the writer knew it: nothing was written.
var errStale = errors.New("the saga was changed by another")

// write makes next the saga's row if the row is still as prev says and guard
// holds, and answers the database's time. lease is 0 to give the lease back;
// claim raises the epoch.
func write(ctx context.Context, tx *sql.Tx, prev, next record, guard, owner string, lease time.Duration, events int) (now time.Time, lastSeq int64, err error) {
	var holder any
	if lease > 0 {
		holder = owner
	}
	reason := any(nil)
	if next.Wait != nil {
		reason = next.Wait.Reason
	}
	var micros int64
	err = tx.QueryRowContext(ctx, `UPDATE sagas SET rev = rev + 1, epoch = $5, state = $7, direction = $8, position = $9, data = $10,
			error = $11, wait_reason = $12, watch = $13, wake_at = $14, started_at = $15, finished_at = $16, ever_unknown = $17,
			lease_owner = $18, lease_until = CASE WHEN CAST($18 AS TEXT) IS NULL THEN lease_until ELSE `+db.Now+` + $19 END,
			last_seq = last_seq + $20
		WHERE id = $1 AND epoch = $2 AND rev = $3 AND want = $4 AND `+guard+`
		RETURNING `+db.Now+`, last_seq`,
		prev.ID, prev.Epoch, prev.Rev, prev.Want, next.Epoch, owner, next.State, next.Direction, next.position, string(next.Data),
		nullJSON(next.Error), reason, nullJSON(next.watch), nullTime(next.wakeAt), nullTime(next.StartedAt), nullTime(next.FinishedAt),
		next.everUnknown, holder, lease.Microseconds(), events).Scan(&micros, &lastSeq)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, 0, errStale
	}
	return db.Time(micros), lastSeq, err
}

// hold takes the row's lock before the comparison that write makes, for a commit
// that touches other rows first.
func hold(ctx context.Context, tx *sql.Tx, r record) error {
	res, err := tx.ExecContext(ctx, `UPDATE sagas SET want = want WHERE id = $1 AND epoch = $2 AND rev = $3`, r.ID, r.Epoch, r.Rev)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = errStale
	}
	return err
}

// lock takes every subject of the saga, or none and says which saga is before it.
func lock(ctx context.Context, tx *sql.Tx, r record) (blockedBy ID, err error) {
	in, args := list(3, r.Subjects)
	err = tx.QueryRowContext(ctx, `SELECT s.id FROM saga_subjects x JOIN sagas s ON s.id = x.saga_id
		WHERE s.started_at IS NULL AND s.state IN ('ready', 'waiting') AND (s.created_at, s.id) < ($1, $2) AND x.subject IN (`+in+`)
		ORDER BY s.created_at, s.id LIMIT 1`, append([]any{db.Micros(r.CreatedAt), r.ID}, args...)...).Scan(&blockedBy)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return blockedBy, err
	}
	for _, subject := range r.Subjects {
		res, err := tx.ExecContext(ctx, `INSERT INTO saga_locks (subject, saga_id) VALUES ($1, $2) ON CONFLICT (subject) DO NOTHING`, subject, r.ID)
		if err != nil {
			return "", err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			if err != nil {
				return "", err
			}
			continue
		}
		err = tx.QueryRowContext(ctx, `SELECT saga_id FROM saga_locks WHERE subject = $1`, subject).Scan(&blockedBy)
		if err != nil {
			return "", err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM saga_locks WHERE saga_id = $1`, r.ID)
		return blockedBy, err
	}
	return "", nil
}

// list is "$from, $from+1, …" and its arguments.
func list(from int, items []string) (string, []any) {
	marks, args := make([]string, len(items)), make([]any, len(items))
	for i, item := range items {
		marks[i], args[i] = fmt.Sprintf("$%d", from+i), item
	}
	return strings.Join(marks, ", "), args
}

// unlock frees the saga's subjects and wakes the head of each one's queue. It
// wakes first: a claim that runs beside it then either waits for this commit or
// has already gone back to wait, and is woken.
func unlock(ctx context.Context, tx *sql.Tx, id ID) error {
	if _, err := tx.ExecContext(ctx, `UPDATE sagas SET wake_at = `+db.Now+`
		WHERE lease_owner IS NULL AND state = 'waiting' AND started_at IS NULL AND id IN (
			SELECT (SELECT s.id FROM saga_subjects x JOIN sagas s ON s.id = x.saga_id
				WHERE x.subject = l.subject AND s.started_at IS NULL AND s.state = 'waiting'
				ORDER BY s.created_at, s.id LIMIT 1)
			FROM saga_locks l WHERE l.saga_id = $1)`, id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM saga_locks WHERE saga_id = $1`, id)
	return err
}

// scheduleSweeps asks for looks at leftovers after the end of a saga.
func scheduleSweeps(ctx context.Context, tx *sql.Tx, id ID, after []time.Duration) error {
	for turn, d := range after {
		if _, err := tx.ExecContext(ctx, `INSERT INTO saga_sweeps (saga_id, turn, due_at) VALUES ($1, $2, `+db.Now+` + $3)
			ON CONFLICT (saga_id, turn) DO UPDATE SET due_at = excluded.due_at, done_at = NULL`, id, turn, d.Microseconds()); err != nil {
			return err
		}
	}
	return nil
}
