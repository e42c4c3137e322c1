package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
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
	if err := run(ctx, tx, stepsStatement(r.ID, r.Steps)); err != nil {
		return err
	}
	for _, subject := range r.Subjects {
		if _, err := tx.ExecContext(ctx, `INSERT INTO saga_subjects (saga_id, subject) VALUES ($1, $2)`, r.ID, subject); err != nil {
			return err
		}
	}
	return nil
}

// stepsStatement writes steps as they are now.
func stepsStatement(id ID, steps []StepRow) db.Statement {
	args := make([]any, 0, stepParams*len(steps))
	for _, s := range steps {
		args = append(args, string(id), s.Position, s.Name, string(s.State), string(s.next), s.Attempts, s.UndoAttempts,
			nullTime(s.UnknownSince), nullTime(s.StartedAt), nullTime(s.FinishedAt), nullRaw(s.Output), nullJSON(s.Error))
	}
	return db.Statement{SQL: stepsSQL(len(steps)), Args: args}
}

const stepParams = 12

var stepsSQL = perRows(func(rows int) string {
	return `INSERT INTO saga_steps (` + stepColumns + `) VALUES ` + values(rows, stepParams, func(first int) string {
		return fmt.Sprintf("($%d, 0, %s)", first, marks(first+1, stepParams-1))
	}) + `
		ON CONFLICT (saga_id, stage, "index") DO UPDATE SET state = excluded.state, next_entry = excluded.next_entry,
			attempts = excluded.attempts, undo_attempts = excluded.undo_attempts, unknown_since = excluded.unknown_since,
			started_at = excluded.started_at, finished_at = excluded.finished_at, output = excluded.output, error = excluded.error`
})

// eventsStatement appends events to the saga's history. It follows, in the same
// transaction, a statement that raised last_seq by their number.
func eventsStatement(r record, events []Event) db.Statement {
	args := make([]any, 0, eventParams*len(events))
	for i, e := range events {
		args = append(args, string(r.ID), len(events)-1-i, r.Rev, db.Micros(e.At), e.Type, nullText(e.Step), r.Epoch,
			nullText(e.Actor), nullRaw(e.Detail))
	}
	return db.Statement{SQL: eventsSQL(len(events)), Args: args}
}

const eventParams = 9

var eventsSQL = perRows(func(rows int) string {
	return `INSERT INTO saga_events (saga_id, seq, rev, at, type, step, epoch, actor, detail) VALUES ` +
		values(rows, eventParams, func(first int) string {
			return fmt.Sprintf("($%d, (SELECT last_seq FROM sagas WHERE id = $%[1]d) - $%d, %s)", first, first+1, marks(first+2, eventParams-2))
		})
})

// perRows keeps the text that sql makes for each number of rows.
func perRows(sql func(rows int) string) func(rows int) string {
	var texts sync.Map
	return func(rows int) string {
		if text, ok := texts.Load(rows); ok {
			return text.(string)
		}
		text := sql(rows)
		texts.Store(rows, text)
		return text
	}
}

// values joins a row's text, made with its first parameter, for each row.
func values(rows, params int, row func(first int) string) string {
	parts := make([]string, rows)
	for i := range parts {
		parts[i] = row(i*params + 1)
	}
	return strings.Join(parts, ", ")
}

// marks is "$from, $from+1, …", n of them.
func marks(from, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("$%d", from+i)
	}
	return strings.Join(parts, ", ")
}

// guards of a write of the ledger's row: who may make it.
const (
	ownerMay = `lease_owner = $5 AND lease_until > ` + db.Now
	dueMay   = dueAt + ` <= ` + db.Now + ` AND CAST($5 AS TEXT) IS NOT NULL`
	idleMay  = `(lease_owner IS NULL OR lease_until <= ` + db.Now + `) AND CAST($5 AS TEXT) IS NOT NULL`
)

// errStale means that the row is not as the writer knew it: nothing was written.
var errStale = errors.New("the saga was changed by another")

// A rowWrite makes next the saga's row if the row is still as prev says and guard
// holds.
type rowWrite struct {
	prev, next record
	guard      string
	owner      string        // who asks; the lease is his afterwards, unless it is given back
	lease      time.Duration // 0 gives the lease back
	keep       bool          // the owner's lease is fresh: it stays as it is
	events     int
}

// statement is the compare-and-swap. It answers with the database's time.
func (w rowWrite) statement(now *int64) db.Statement {
	prev, next := w.prev, w.next
	args := []any{string(prev.ID), prev.Epoch, prev.Rev, string(prev.Want), w.owner, next.position, string(next.Data), next.everUnknown, w.events}
	if w.keep && prev.State == next.State && prev.Direction == next.Direction {
		return db.Statement{SQL: stayingSQL, Args: args, Row: []any{now}}
	}
	var holder, reason any
	if w.lease > 0 {
		holder = w.owner
	}
	if next.Wait != nil {
		reason = next.Wait.Reason
	}
	return db.Statement{SQL: movingSQL[w.guard], Row: []any{now}, Args: append(args, next.Epoch, string(next.State), string(next.Direction),
		nullJSON(next.Error), reason, nullJSON(next.watch), nullTime(next.wakeAt), nullTime(next.StartedAt), nullTime(next.FinishedAt),
		holder, w.lease.Microseconds())}
}

const (
	compared = `id = $1 AND epoch = $2 AND rev = $3 AND want = $4 AND `
	answered = ` RETURNING ` + db.Now

	// stayingSQL is for the boundary between two steps that an owner runs one
	// after the other: it touches no column that an index is over.
	stayingSQL = `UPDATE sagas SET rev = rev + 1, position = $6, data = $7, ever_unknown = $8, last_seq = last_seq + $9
		WHERE ` + compared + ownerMay + answered
)

// movingSQL is for every other change, by guard.
var movingSQL = func() map[string]string {
	texts := map[string]string{}
	for _, guard := range []string{ownerMay, dueMay, idleMay} {
		texts[guard] = `UPDATE sagas SET rev = rev + 1, position = $6, data = $7, ever_unknown = $8, last_seq = last_seq + $9,
			epoch = $10, state = $11, direction = $12, error = $13, wait_reason = $14, watch = $15, wake_at = $16,
			started_at = $17, finished_at = $18, lease_owner = $19,
			lease_until = CASE WHEN CAST($19 AS TEXT) IS NULL THEN lease_until ELSE ` + db.Now + ` + $20 END
		WHERE ` + compared + guard + answered
	}
	return texts
}()

func run(ctx context.Context, tx *sql.Tx, s db.Statement) error {
	_, err := tx.ExecContext(ctx, s.SQL, s.Args...)
	return err
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
	// Ids of one node are in the order in which they were made, also when its
	// idea of the database's clock is put right in between.
	in, args := list(2, r.Subjects)
	err = tx.QueryRowContext(ctx, `SELECT s.id FROM saga_subjects x JOIN sagas s ON s.id = x.saga_id
		WHERE s.started_at IS NULL AND s.state IN ('ready', 'waiting') AND s.id < $1 AND x.subject IN (`+in+`)
		ORDER BY s.id LIMIT 1`, append([]any{r.ID}, args...)...).Scan(&blockedBy)
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
	args := make([]any, len(items))
	for i, item := range items {
		args[i] = item
	}
	return marks(from, len(items)), args
}

// unlock frees the saga's subjects and wakes the head of each one's queue, also
// where the saga ends without having had its turn. It wakes first: a queued saga
// whose claim runs beside it then either waits for this commit or has already
// gone back to wait, and is woken. One that joins the queue beside it is not seen,
// and looks by itself.
func unlock(ctx context.Context, tx *sql.Tx, id ID) error {
	if _, err := tx.ExecContext(ctx, `UPDATE sagas SET wake_at = `+db.Now+`
		WHERE lease_owner IS NULL AND state = 'waiting' AND started_at IS NULL AND id IN (
			SELECT (SELECT s.id FROM saga_subjects x JOIN sagas s ON s.id = x.saga_id
				WHERE x.subject = l.subject AND s.started_at IS NULL AND s.state = 'waiting'
				ORDER BY s.id LIMIT 1)
			FROM saga_subjects l WHERE l.saga_id = $1)`, id); err != nil {
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
