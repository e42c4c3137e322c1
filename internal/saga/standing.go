package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A Standing is what an operator wants to know of a saga beside its ledger.
type Standing struct {
	Verbs []string // what may be asked of it now, in the words of the API: "pause", "mark-done"
	Step  string   // the step at hand; empty: none
	Owned bool     // somebody drives it at this moment
	Lines []Line   // one per subject, in the subjects' order
}

// A Line is who has a subject and who waits for it. The saga itself is among them.
type Line struct {
	Subject string
	Holder  ID     // empty: nobody has it
	Waiting []Saga // open sagas that name it and do not hold it, in the order of their turns, at most fifty, without steps
}

// Standing tells how a saga stands. It is a hint, as each reading is: a verb looks
// for itself. NotFound when there is no such saga.
func (e *Engine) Standing(ctx context.Context, id ID) (Standing, error) {
	r, err := e.find(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	st := Standing{Verbs: e.legal(r), Owned: r.leaseOwner != ""}
	if r.atStep() && !r.State.Ended() {
		st.Step = r.Steps[r.position].Name
	}
	if !r.State.Ended() {
		st.Lines, err = e.lines(ctx, r.Subjects)
	}
	return st, err
}

func (r record) atStep() bool { return r.position >= 0 && r.position < len(r.Steps) }

// legal lists the verbs that would not be refused, as verbs.go has them.
func (e *Engine) legal(r record) []string {
	def := e.kinds[r.Kind]
	known := def != nil && e.knows(r)
	idle := r.leaseOwner == ""
	moving := !slices.Contains([]State{Created, Paused, Stuck}, r.State) && !r.State.Ended()
	passable := idle && known && r.State != Created && !r.State.Ended() && r.atStep()
	retriable := r.State == Stuck && idle && known || r.State != Stuck && idle && !r.wakeAt.IsZero() && !r.State.Ended()
	verbs := []string{}
	for _, v := range []struct {
		name string
		may  bool
	}{
		{"start", r.State == Created},
		{"resume", r.Want == WantPause && !r.State.Ended()},
		{"retry", retriable},
		{"pause", moving && r.Want != WantPause && !(r.Want == WantCancel && r.Direction == Forward)},
		{"cancel", !r.State.Ended() && r.Direction == Forward && r.Want != WantCancel && def != nil && !pivoted(def, r.Steps)},
		{"skip", passable},
		{"mark-done", passable},
		{"force-release", !idle},
	} {
		if v.may {
			verbs = append(verbs, v.name)
		}
	}
	return verbs
}

// mostInLine is how many of a line are named.
const mostInLine = 50

// lines reads who has each subject and who waits for it.
func (e *Engine) lines(ctx context.Context, subjects []string) ([]Line, error) {
	lines := make([]Line, len(subjects))
	for i, subject := range subjects {
		lines[i].Subject = subject
		open, _, err := e.Sagas(ctx, Filter{Subject: subject, States: Open(), Ascending: true, Limit: mostInLine})
		if err != nil {
			return nil, err
		}
		err = e.db.Read().QueryRowContext(ctx, `SELECT saga_id FROM saga_locks WHERE subject = $1`, subject).Scan(&lines[i].Holder)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		lines[i].Waiting = slices.DeleteFunc(open, func(s Saga) bool { return s.ID == lines[i].Holder })
	}
	return lines, nil
}

// Open lists the states of sagas that have not ended.
func Open() []State {
	return slices.DeleteFunc(States(), State.Ended)
}

// Census counts sagas by state: the open ones whatever their age, the ended ones
// that were recorded since a time. A zero time counts all.
func (e *Engine) Census(ctx context.Context, since time.Time) (map[State]int64, error) {
	from := ID("")
	if !since.IsZero() {
		from = firstID(since)
	}
	rows, err := e.db.Read().QueryContext(ctx, `SELECT state, COUNT(*) FROM sagas
		WHERE state NOT IN ('completed', 'rolled_back') OR id >= $1 GROUP BY state`, from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	census := map[State]int64{}
	for rows.Next() {
		var s State
		var n int64
		if err := rows.Scan(&s, &n); err != nil {
			return nil, err
		}
		census[s] = n
	}
	return census, rows.Err()
}

// A Turn is an event that changed how a saga stands, with what a reader needs to
// know of the saga.
type Turn struct {
	Event
	ID   ID
	Kind string
	Data json.RawMessage

	Subjects []string
}

// Turns lists the latest turns of all sagas, the newest first: beginnings, ends,
// failures and what operators asked for, and not each step on the way.
func (e *Engine) Turns(ctx context.Context, limit int) ([]Turn, error) {
	rows, err := e.db.Read().QueryContext(ctx, `SELECT v.saga_id, s.kind, s.data, v.seq, v.rev, v.at, v.type, v.step, v.epoch, v.actor, v.detail
		FROM (SELECT * FROM saga_events WHERE type IN ('started', 'completed', 'rolled_back', 'stuck', 'turned_back', 'recovered') OR actor IS NOT NULL
			ORDER BY feed DESC LIMIT $1) v
		JOIN sagas s ON s.id = v.saga_id ORDER BY v.feed DESC`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var turns []Turn
	for rows.Next() {
		var (
			t            Turn
			at           int64
			step, actor  sql.NullString
			data, detail sql.Null[[]byte]
		)
		if err := rows.Scan(&t.ID, &t.Kind, &data, &t.Seq, &t.Rev, &at, &t.Type, &step, &t.Epoch, &actor, &detail); err != nil {
			return nil, err
		}
		t.At, t.Step, t.Actor, t.Event.Detail, t.Data = db.Time(at), step.String, actor.String, detail.V, data.V
		turns = append(turns, t)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return turns, e.turnSubjects(ctx, turns)
}

func (e *Engine) turnSubjects(ctx context.Context, turns []Turn) error {
	sagas := map[ID]*Saga{}
	var list []Saga
	for _, t := range turns {
		if sagas[t.ID] == nil {
			sagas[t.ID] = &Saga{ID: t.ID}
			list = append(list, Saga{ID: t.ID})
		}
	}
	if err := e.fillSubjects(ctx, list); err != nil {
		return err
	}
	for i := range list {
		sagas[list[i].ID] = &list[i]
	}
	for i, t := range turns {
		turns[i].Subjects = sagas[t.ID].Subjects
	}
	return nil
}

// An Hour is how many sagas were recorded in an hour, by their state now.
type Hour struct {
	From   time.Time
	States map[State]int64
}

// Hours counts the sagas recorded since a time by hour, the oldest first. An hour
// without sagas is in it too.
func (e *Engine) Hours(ctx context.Context, since time.Time) ([]Hour, error) {
	first := since.Truncate(time.Hour)
	var hours []Hour
	for at := first; !at.After(e.now()); at = at.Add(time.Hour) {
		hours = append(hours, Hour{From: at, States: map[State]int64{}})
	}
	rows, err := e.db.Read().QueryContext(ctx, `SELECT (created_at - $1) / 3600000000, state, COUNT(*) FROM sagas WHERE id >= $2 GROUP BY 1, 2`,
		db.Micros(first), firstID(first))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var hour, n int64
		var s State
		if err := rows.Scan(&hour, &s, &n); err != nil {
			return nil, err
		}
		if hour >= 0 && hour < int64(len(hours)) {
			hours[hour].States[s] += n
		}
	}
	return hours, rows.Err()
}
