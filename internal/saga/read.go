package saga

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

// Saga returns a saga with its steps. NotFound when there is none.
func (e *Engine) Saga(ctx context.Context, id ID) (Saga, error) { return saga(ctx, e.db.Read(), id) }

func saga(ctx context.Context, q db.Queryer, id ID) (Saga, error) {
	r, err := consistent(ctx, q, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Saga{}, notFound(id)
	}
	if err != nil {
		return Saga{}, err
	}
	err = q.QueryRowContext(ctx, `SELECT key FROM saga_keys WHERE saga_id = $1`, id).Scan(&r.IdempotencyKey)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Saga{}, err
	}
	return r.Saga, nil
}

// consistent reads a row and its steps as one commit left them: again when a
// commit came between the two.
func consistent(ctx context.Context, q db.Queryer, id ID) (r record, err error) {
	for range 10 {
		if r, err = find(ctx, q, id); err != nil {
			return record{}, err
		}
		var rev int64
		if err = q.QueryRowContext(ctx, `SELECT rev FROM sagas WHERE id = $1`, id).Scan(&rev); err != nil || rev == r.Rev {
			return r, err
		}
	}
	return r, nil
}

func (e *Engine) find(ctx context.Context, id ID) (record, error) {
	r, err := find(ctx, e.db.Read(), id)
	if errors.Is(err, sql.ErrNoRows) {
		return record{}, notFound(id)
	}
	return r, err
}

// A Filter selects sagas; empty fields select all.
type Filter struct {
	State     State
	States    []State // any of these
	Kind      string
	Subject   string
	Since     time.Time // recorded at this time or later
	UpTo      ID        // not recorded after this one
	By        Order     // what they are sorted by, creation where it is empty
	Ascending bool      // the oldest first, or the first by the alphabet
	Limit     int       // default 50, at most 200
	Cursor    string    // as an earlier page's next, of the same order
}

// An Order is what a list of sagas is sorted by. Those that are alike in it follow
// each other as they were created.
type Order string

// The orders. Each has an index.
const (
	ByCreation Order = ""
	ByState    Order = "state"
	ByKind     Order = "kind"
)

// key is the column to sort by before the id, and a saga's value of it.
func (o Order) key(s Saga) (column, value string) {
	switch o {
	case ByState:
		return "state", string(s.State)
	case ByKind:
		return "kind", s.Kind
	}
	return "", ""
}

// cursor says where the page that ends with a saga ends: by its value as it was
// shown, for the saga may change before the next page is read.
func (o Order) cursor(s Saga) string {
	if column, value := o.key(s); column != "" {
		return value + "." + string(s.ID)
	}
	return string(s.ID)
}

// after is the condition for the rows beyond a cursor, with its arguments, the
// first of which has the number n.
func (f Filter) after(n int) (string, []any, error) {
	beyond := "<"
	if f.Ascending {
		beyond = ">"
	}
	dot := strings.LastIndexByte(f.Cursor, '.')
	value, last := f.Cursor[:max(dot, 0)], f.Cursor[dot+1:]
	column, _ := f.By.key(Saga{})
	if (column == "") != (dot < 0) || id.Check("saga", last) != nil || checkText("cursor", value) != nil {
		return "", nil, fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	}
	if column == "" {
		return fmt.Sprintf(" AND id %s $%d", beyond, n), []any{last}, nil
	}
	return fmt.Sprintf(" AND (%s, id) %s ($%d, $%d)", column, beyond, n, n+1), []any{value, last}, nil
}

// condition is the filter as SQL, with its arguments.
func (f Filter) condition() (string, []any, error) {
	where, args := []string{"1 = 1"}, []any{}
	and := func(cond string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(cond, "?", fmt.Sprintf("$%d", len(args))))
	}
	if f.State != "" {
		if !slices.Contains(States(), f.State) {
			return "", nil, fault.New(fault.Invalid, "There is no saga state %q. The states are %s.", f.State, joinStates())
		}
		and("state = ?", f.State)
	}
	if f.States != nil {
		in, states := list(len(args)+1, stringsOf(f.States))
		where, args = append(where, "state IN ("+in+")"), append(args, states...)
	}
	if err := cmp.Or(checkText("kind", f.Kind), checkText("subject", f.Subject)); err != nil {
		return "", nil, err
	}
	if f.Kind != "" {
		and("kind = ?", f.Kind)
	}
	if f.Subject != "" {
		and("id IN (SELECT saga_id FROM saga_subjects WHERE subject = ?)", f.Subject)
	}
	if !f.Since.IsZero() {
		and("id >= ?", firstID(f.Since))
	}
	if f.UpTo != "" {
		and("id <= ?", f.UpTo)
	}
	return strings.Join(where, " AND "), args, nil
}

// checkText refuses what no database can compare with a text of ours.
func checkText(what, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fault.New(fault.Invalid, "The %s is not a text: it must be UTF-8 without NUL.", what)
	}
	return nil
}

// firstID is the smallest id that a saga recorded at a time can have: ids begin
// with the milliseconds.
func firstID(at time.Time) ID {
	return ID(fmt.Sprintf("saga_%012x", max(at.UnixMilli(), 0)))
}

func stringsOf(states []State) []string {
	texts := make([]string, len(states))
	for i, s := range states {
		texts[i] = string(s)
	}
	return texts
}

// Sagas lists sagas without their steps, the newest first, and the cursor of the
// next page, which is empty on the last one.
func (e *Engine) Sagas(ctx context.Context, f Filter) (sagas []Saga, next string, err error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	if f.Limit < 1 || f.Limit > 200 {
		return nil, "", fault.New(fault.Invalid, "A page holds 1 to 200 sagas, not %d.", f.Limit)
	}
	where, args, err := f.condition()
	if err != nil {
		return nil, "", err
	}
	if f.Cursor != "" {
		beyond, last, err := f.after(len(args) + 1)
		if err != nil {
			return nil, "", err
		}
		where, args = where+beyond, append(args, last...)
	}
	direction := " DESC"
	if f.Ascending {
		direction = " ASC"
	}
	order := "id" + direction
	if column, _ := f.By.key(Saga{}); column != "" {
		order = column + direction + ", " + order
	}
	args = append(args, f.Limit+1)
	rows, err := e.db.Read().QueryContext(ctx, `SELECT `+recordColumns+` FROM sagas WHERE `+where+
		fmt.Sprintf(" ORDER BY %s LIMIT $%d", order, len(args)), args...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, "", err
		}
		sagas = append(sagas, r.Saga)
	}
	if err := rows.Err(); err != nil {
		return nil, "", err
	}
	if len(sagas) > f.Limit {
		sagas = sagas[:f.Limit]
		next = f.By.cursor(sagas[f.Limit-1])
	}
	return sagas, next, errors.Join(e.fillSubjects(ctx, sagas), e.fillKeys(ctx, sagas))
}

// Count counts the sagas that a filter selects, on all pages.
func (e *Engine) Count(ctx context.Context, f Filter) (n int64, err error) {
	where, args, err := f.condition()
	if err != nil {
		return 0, err
	}
	err = e.db.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM sagas WHERE `+where, args...).Scan(&n)
	return n, err
}

func joinStates() string {
	var names []string
	for _, s := range States() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func (e *Engine) fillSubjects(ctx context.Context, sagas []Saga) error {
	return e.fill(ctx, sagas, `SELECT saga_id, subject FROM saga_subjects`, `ORDER BY saga_id, subject`,
		func(s *Saga, subject string) { s.Subjects = append(s.Subjects, subject) })
}

func (e *Engine) fillKeys(ctx context.Context, sagas []Saga) error {
	return e.fill(ctx, sagas, `SELECT saga_id, key FROM saga_keys`, ``, func(s *Saga, key string) { s.IdempotencyKey = key })
}

// fill gives each saga the texts that a query of (saga_id, text) finds for it.
func (e *Engine) fill(ctx context.Context, sagas []Saga, query, order string, give func(*Saga, string)) error {
	if len(sagas) == 0 {
		return nil
	}
	ids, at := make([]string, len(sagas)), map[ID]int{}
	for i, s := range sagas {
		ids[i], at[s.ID] = string(s.ID), i
	}
	in, args := list(1, ids)
	rows, err := e.db.Read().QueryContext(ctx, query+` WHERE saga_id IN (`+in+`) `+order, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id ID
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		give(&sagas[at[id]], text)
	}
	return rows.Err()
}

// Events lists a saga's events after seq, oldest first, at most limit.
func (e *Engine) Events(ctx context.Context, id ID, after int64, limit int) ([]Event, error) {
	if _, err := e.find(ctx, id); err != nil {
		return nil, err
	}
	rows, err := e.db.Read().QueryContext(ctx, `SELECT seq, rev, at, type, step, epoch, actor, detail FROM saga_events
		WHERE saga_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, id, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var (
			ev          Event
			at          int64
			step, actor sql.NullString
			detail      sql.Null[[]byte]
		)
		if err := rows.Scan(&ev.Seq, &ev.Rev, &at, &ev.Type, &step, &ev.Epoch, &actor, &detail); err != nil {
			return nil, err
		}
		ev.At, ev.Step, ev.Actor, ev.Detail = db.Time(at), step.String, actor.String, detail.V
		events = append(events, ev)
	}
	return events, rows.Err()
}

// A Note is one line of the feed of all sagas: a hint that a saga changed.
type Note struct {
	Feed  int64
	ID    ID
	Rev   int64
	State State
}

// Feed lists what changed after the feed number, in its order, at most limit.
// Numbers may be missing while the commits that hold them are under way: whoever
// follows along waits for a gap to close, for as long as a commit may take.
func (e *Engine) Feed(ctx context.Context, after int64, limit int) ([]Note, error) {
	rows, err := e.db.Read().QueryContext(ctx, `SELECT v.feed, v.saga_id, s.rev, s.state FROM saga_events v JOIN sagas s ON s.id = v.saga_id
		WHERE v.feed > $1 ORDER BY v.feed LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var notes []Note
	for rows.Next() {
		var n Note
		if err := rows.Scan(&n.Feed, &n.ID, &n.Rev, &n.State); err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	return notes, rows.Err()
}

// FeedEnd is the feed's last number now; 0 when it is empty.
func (e *Engine) FeedEnd(ctx context.Context) (last int64, err error) {
	err = e.db.Read().QueryRowContext(ctx, `SELECT COALESCE(MAX(feed), 0) FROM saga_events`).Scan(&last)
	return last, err
}

// Changed is closed when this engine next commits a change of any saga. Changes
// by other nodes are seen by reading the feed.
func (e *Engine) Changed() <-chan struct{} { return e.changed.told() }

// unaskedPolls is how many polls a sole engine leaves out between two looks at a saga
// whose rest it is told of.
const unaskedPolls = 60

// Wait blocks until the saga has ended or is stuck, paused or never started, and
// returns it. Of a saga that another node drives it learns within Options.Poll; where
// there is no other, a thousand that wait read next to nothing.
func (e *Engine) Wait(ctx context.Context, id ID) (Saga, error) {
	rested, forget := e.rests.expect(id)
	defer forget()
	every := e.o.Poll
	if e.o.Sole { // nobody else brings it to rest
		every *= unaskedPolls
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for drives := e.drives(id); ; drives = false {
		if !drives { // else we shall hear of it
			var state State
			err := e.db.Read().QueryRowContext(ctx, `SELECT state FROM sagas WHERE id = $1`, id).Scan(&state)
			if err != nil || state.rests() {
				return e.Saga(ctx, id)
			}
		}
		select {
		case s := <-rested:
			return s, nil
		case <-tick.C:
		case <-ctx.Done():
			return Saga{}, ctx.Err()
		}
	}
}

// rests reports whether a saga in this state moves only when somebody asks it to.
func (s State) rests() bool { return s.Ended() || s == Stuck || s == Paused || s == Created }

// An OpenWait is a saga that awaits what Watch names.
type OpenWait struct {
	ID    ID
	Rev   int64
	Watch Watch
}

// OpenWaits lists every saga that awaits something of the topic.
func (e *Engine) OpenWaits(ctx context.Context, topicName string) ([]OpenWait, error) {
	rows, err := e.db.Read().QueryContext(ctx, `SELECT id, rev, watch FROM sagas WHERE watch IS NOT NULL AND lease_owner IS NULL ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var open []OpenWait
	for rows.Next() {
		var w OpenWait
		var watch []byte
		if err := rows.Scan(&w.ID, &w.Rev, &watch); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(watch, &w.Watch); err != nil {
			return nil, err
		}
		if w.Watch.Topic == topicName {
			open = append(open, w)
		}
	}
	return open, rows.Err()
}

// WakeWait makes a saga due now if it still is at rev and waits.
func (e *Engine) WakeWait(ctx context.Context, id ID, rev int64) error {
	return e.db.WriteFenced(ctx, string(id), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE sagas SET wake_at = `+db.Now+`
			WHERE id = $1 AND rev = $2 AND lease_owner IS NULL AND wake_at > `+db.Now, id, rev); err != nil {
			return err
		}
		return e.announce(ctx, tx, nil)
	})
}
