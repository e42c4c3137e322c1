package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// insert records new sagas with their steps and subjects.
func insert(ctx context.Context, d *db.DB, tx *sql.Tx, records ...record) error {
	var sagas, steps, subjects [][]any
	for _, r := range records {
		sagas = append(sagas, []any{string(r.ID), r.Kind, string(r.State), string(r.Data), nullText(r.Tenant), r.RequestedBy, db.Micros(r.CreatedAt)})
		for _, s := range r.Steps {
			steps = append(steps, stepRow(r.ID, s))
		}
		for _, subject := range r.Subjects {
			subjects = append(subjects, []any{string(r.ID), subject})
		}
	}
	return d.Pipeline(ctx, tx,
		db.Statement{Bulk: insertSagas, Rows: sagas},
		db.Statement{Bulk: insertSteps, Rows: steps},
		db.Statement{Bulk: insertSubjects, Rows: subjects})
}

var insertSagas = db.NewBulk(`INSERT INTO sagas (id, kind, state, direction, want, epoch, rev, wake_at, stage, position,
		data, tenant_id, requested_by, ever_unknown, last_seq, created_at)
	SELECT id, kind, state, 'forward', 'run', 0, 0, CASE WHEN state = 'ready' THEN `+db.Now+` END, 0, 0,
		data, tenant_id, requested_by, FALSE, 0, created_at FROM given`,
	db.Column{Name: "id"}, db.Column{Name: "kind"}, db.Column{Name: "state"}, db.Column{Name: "data", Type: db.Object},
	db.Column{Name: "tenant_id"}, db.Column{Name: "requested_by"}, db.Column{Name: "created_at", Type: db.Integer})

var insertSubjects = db.NewBulk(`INSERT INTO saga_subjects (saga_id, subject) SELECT saga_id, subject FROM given`,
	db.Column{Name: "saga_id"}, db.Column{Name: "subject"})

// A step's columns that change, as they are written.
var stepColumns = []db.Column{
	{Name: "saga_id"}, {Name: "stage", Type: db.Integer}, {Name: "index", Type: db.Integer}, {Name: "name"}, {Name: "state"}, {Name: "next_entry"},
	{Name: "attempts", Type: db.Integer}, {Name: "undo_attempts", Type: db.Integer}, {Name: "unknown_since", Type: db.Integer},
	{Name: "started_at", Type: db.Integer}, {Name: "finished_at", Type: db.Integer},
	{Name: "output", Type: db.Object}, {Name: "error", Type: db.Object},
}

func stepRow(id ID, s StepRow) []any {
	return []any{
		string(id), int64(0), int64(s.Position), s.Name, string(s.State), string(s.next), int64(s.Attempts), int64(s.UndoAttempts),
		nullTime(s.UnknownSince), nullTime(s.StartedAt), nullTime(s.FinishedAt), nullRaw(s.Output), nullJSON(s.Error),
	}
}

var (
	insertSteps = db.NewBulk(`INSERT INTO saga_steps (saga_id, stage, "index", name, state, next_entry, attempts, undo_attempts,
			unknown_since, started_at, finished_at, output, error)
		SELECT saga_id, stage, "index", name, state, next_entry, attempts, undo_attempts,
			unknown_since, started_at, finished_at, output, error FROM given`, stepColumns...)

	updateSteps = db.NewBulk(`UPDATE saga_steps SET state = given.state, next_entry = given.next_entry,
			attempts = given.attempts, undo_attempts = given.undo_attempts, unknown_since = given.unknown_since,
			started_at = given.started_at, finished_at = given.finished_at, output = given.output, error = given.error
		FROM given WHERE saga_steps.saga_id = given.saga_id AND saga_steps.stage = given.stage AND saga_steps."index" = given."index"`, stepColumns...)
)

// eventRow is an event that is the saga's seq-th, with r as it left it.
func eventRow(r record, seq int64, e Event) []any {
	return []any{string(r.ID), seq, r.Rev, db.Micros(e.At), e.Type, nullText(e.Step), r.Epoch, nullText(e.Actor), nullRaw(e.Detail)}
}

var insertEvents = db.NewBulk(`INSERT INTO saga_events (saga_id, seq, rev, at, type, step, epoch, actor, detail)
	SELECT saga_id, seq, rev, at, type, step, epoch, actor, detail FROM given`,
	db.Column{Name: "saga_id"}, db.Column{Name: "seq", Type: db.Integer}, db.Column{Name: "rev", Type: db.Integer},
	db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "type"}, db.Column{Name: "step"}, db.Column{Name: "epoch", Type: db.Integer},
	db.Column{Name: "actor"}, db.Column{Name: "detail", Type: db.Object})

// A guard says who may write a saga's row.
type guard string

const (
	ownerMay guard = "owner" // while the lease is his
	dueMay   guard = "due"   // anybody, once the saga is due
	idleMay  guard = "idle"  // anybody, while nobody has a lease on it
)

// errStale means that the row is not as the writer knew it: nothing was written.
var errStale = errors.New("the saga was changed by another")

// A write makes change.rec the saga's record if its row is still as prev says and
// guard holds.
type write struct {
	prev   record
	change *change
	guard  guard
	owner  string        // who asks; the lease is his afterwards, unless it is given back
	lease  time.Duration // 0 gives the lease back
	keep   bool          // the owner's lease is fresh: it stays as it is

	written bool      // false after the commit: the row was not as the writer knew it
	at      time.Time // the database's time
	lastSeq int64     // of the saga's events
}

// stays reports whether w is a boundary between two steps that an owner runs one
// after the other: it touches no column that an index is over.
func (w *write) stays() bool {
	return w.keep && w.prev.State == w.change.rec.State && w.prev.Direction == w.change.rec.Direction
}

// row is w as compareAndStay reads it, or compareAndMove.
func (w *write) row() []any {
	prev, next := w.prev, w.change.rec
	row := []any{
		string(prev.ID), prev.Epoch, prev.Rev, string(prev.Want), w.owner,
		int64(next.position), string(next.Data), next.everUnknown, int64(len(w.change.events)),
	}
	if w.stays() {
		return row
	}
	var holder, reason any
	if w.lease > 0 {
		holder = w.owner
	}
	if next.Wait != nil {
		reason = next.Wait.Reason
	}
	return append(row, string(w.guard), next.Epoch, string(next.State), string(next.Direction), nullJSON(next.Error), reason,
		nullJSON(next.watch), nullTime(next.wakeAt), nullTime(next.StartedAt), nullTime(next.FinishedAt), holder, w.lease.Microseconds())
}

// The comparison and the swap of a saga's row. A row that is not as its writer
// knew it stays, and is not among the answers.
var (
	stayColumns = []db.Column{
		{Name: "id"}, {Name: "epoch", Type: db.Integer}, {Name: "rev", Type: db.Integer}, {Name: "want"}, {Name: "owner"},
		{Name: "position", Type: db.Integer}, {Name: "data", Type: db.Object}, {Name: "ever_unknown", Type: db.Boolean},
		{Name: "events", Type: db.Integer},
	}
	moveColumns = slices.Concat(stayColumns, []db.Column{
		{Name: "guard"}, {Name: "new_epoch", Type: db.Integer}, {Name: "state"}, {Name: "direction"}, {Name: "error", Type: db.Object},
		{Name: "wait_reason"}, {Name: "watch", Type: db.Object}, {Name: "wake_at", Type: db.Integer},
		{Name: "started_at", Type: db.Integer}, {Name: "finished_at", Type: db.Integer}, {Name: "holder"}, {Name: "lease", Type: db.Integer},
	})

	compareAndStay = db.NewBulk(`UPDATE sagas SET `+stay+compared+` AND lease_owner = given.owner AND lease_until > `+db.Now+answered, stayColumns...)

	compareAndMove = db.NewBulk(`UPDATE sagas SET `+stay+`, epoch = given.new_epoch, state = given.state, direction = given.direction,
			error = given.error, wait_reason = given.wait_reason, watch = given.watch, wake_at = given.wake_at,
			started_at = given.started_at, finished_at = given.finished_at, lease_owner = given.holder,
			lease_until = CASE WHEN given.holder IS NULL THEN sagas.lease_until ELSE `+db.Now+` + given.lease END`+compared+` AND CASE given.guard
			WHEN 'owner' THEN sagas.lease_owner = given.owner AND sagas.lease_until > `+db.Now+`
			WHEN 'due' THEN (CASE WHEN sagas.lease_owner IS NULL THEN sagas.wake_at ELSE sagas.lease_until END) <= `+db.Now+`
			WHEN 'idle' THEN sagas.lease_owner IS NULL OR sagas.lease_until <= `+db.Now+` END`+answered, moveColumns...)
)

const (
	stay = `rev = sagas.rev + 1, position = given.position, data = given.data, ever_unknown = given.ever_unknown,
			last_seq = sagas.last_seq + given.events`
	compared = ` FROM given WHERE sagas.id = given.id AND sagas.epoch = given.epoch AND sagas.rev = given.rev AND sagas.want = given.want`
	answered = ` RETURNING sagas.id, sagas.last_seq, ` + db.Now
)

// writeAll makes writes of different sagas, and notes in each whether it was made.
func (e *Engine) writeAll(ctx context.Context, tx *sql.Tx, writes []*write) error {
	of := make(map[ID]*write, len(writes))
	var stays, moves, steps, events [][]any
	for _, w := range writes {
		of[w.prev.ID], w.written = w, false
		if row := w.row(); w.stays() {
			stays = append(stays, row)
		} else {
			moves = append(moves, row)
		}
	}
	answer := func(scan func(...any) error) error {
		var id ID
		var lastSeq, now int64
		err := scan(&id, &lastSeq, &now)
		if w := of[id]; err == nil {
			w.written, w.lastSeq, w.at = true, lastSeq, db.Time(now)
		}
		return err
	}
	if err := e.db.Pipeline(ctx, tx,
		db.Statement{Bulk: compareAndStay, Rows: stays, Answer: answer},
		db.Statement{Bulk: compareAndMove, Rows: moves, Answer: answer}); err != nil {
		return err
	}
	for _, w := range writes {
		if !w.written {
			continue
		}
		r := &w.change.rec
		r.Rev = w.prev.Rev + 1
		for _, position := range w.change.touched {
			steps = append(steps, stepRow(r.ID, r.Steps[position]))
		}
		for i, event := range w.change.events {
			events = append(events, eventRow(*r, w.lastSeq-int64(len(w.change.events)-1-i), event))
		}
	}
	if err := e.db.Pipeline(ctx, tx,
		db.Statement{Bulk: updateSteps, Rows: steps},
		db.Statement{Bulk: insertEvents, Rows: events}); err != nil {
		return err
	}
	for _, w := range writes {
		r := w.change.rec
		if !w.written {
			continue
		}
		if w.change.ended && len(r.Subjects) > 0 {
			if err := unlock(ctx, tx, r.ID); err != nil {
				return err
			}
		}
		if r.everUnknown && (w.change.ended || r.State == Stuck) {
			if err := scheduleSweeps(ctx, tx, r.ID, e.o.Sweeps); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeOne is writeAll for one write. errStale means that it was not made.
func (e *Engine) writeOne(ctx context.Context, tx *sql.Tx, w *write) error {
	if err := e.writeAll(ctx, tx, []*write{w}); err != nil || w.written {
		return err
	}
	return errStale
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
	marks, args := make([]string, len(items)), make([]any, len(items))
	for i, item := range items {
		marks[i], args[i] = fmt.Sprintf("$%d", from+i), item
	}
	return strings.Join(marks, ", "), args
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
