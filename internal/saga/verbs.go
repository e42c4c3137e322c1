package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An Actor is who asks for a verb, and why. Both are kept in the events.
type Actor struct {
	Name   string // "cli:root", "web:local", "api:key_…"
	Reason string
}

// A verb works on the saga's row inside one fenced commit. It sees the row as
// that commit found and locked it.
type verb func(ctx context.Context, tx *sql.Tx, r *record) error

// act runs a verb and records it as an event. Verbs write what the operator
// wants, never what the owner writes; those that need an owner claim the saga.
func (e *Engine) act(ctx context.Context, sagaID ID, name string, by Actor, do verb) (Saga, error) {
	if by.Name == "" {
		return Saga{}, fault.New(fault.Invalid, "To %s a saga, say who asks.", name)
	}
	detail, err := json.Marshal(map[string]string{"reason": by.Reason})
	if err != nil {
		return Saga{}, err
	}
	var s Saga
	err = e.db.WriteFenced(ctx, string(sagaID), func(tx *sql.Tx) error {
		seq, err := numberEvent(ctx, tx, sagaID)
		if err != nil {
			return err
		}
		r, err := find(ctx, tx, sagaID)
		if err != nil {
			return err
		}
		event := Event{Type: name, At: e.now(), Actor: by.Name, Detail: detail}
		if r.position >= 0 && r.position < len(r.Steps) {
			event.Step = r.Steps[r.position].Name
		}
		if err := e.addEvent(ctx, tx, r, seq, event); err != nil {
			return err
		}
		if err := do(ctx, tx, &r); err != nil {
			return err
		}
		if err := e.announce(ctx, tx, nil); err != nil {
			return err
		}
		s, err = saga(ctx, tx, sagaID)
		return err
	})
	return s, err
}

// numberEvent makes room for one event more and returns its number. It takes the
// row's lock.
func numberEvent(ctx context.Context, tx *sql.Tx, id ID) (seq int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE sagas SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq`, id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound(id)
	}
	return seq, err
}

func (e *Engine) addEvent(ctx context.Context, tx *sql.Tx, r record, seq int64, event Event) error {
	return e.db.Pipeline(ctx, tx, db.Statement{Bulk: insertEvents, Rows: [][]any{eventRow(r, seq, event)}})
}

func refused(verb string, s Saga, why string) error {
	return fault.New(fault.Conflict, "Saga %s is %s: it cannot %s now; %s.", s.ID, s.State, verb, why)
}

func notFound(id ID) error { return fault.New(fault.NotFound, "There is no saga %s.", id) }

// wants writes what the operator wants; the saga's owner acts on it at its next
// boundary, and an idle saga is made due.
func wants(ctx context.Context, tx *sql.Tx, id ID, w Want) error {
	_, err := tx.ExecContext(ctx, `UPDATE sagas SET want = $1, wake_at = `+db.Now+` WHERE id = $2`, w, id)
	return err
}

// Pause asks that the saga rests at its next boundary, going forward or undoing.
func (e *Engine) Pause(ctx context.Context, id ID, by Actor) (Saga, error) {
	return e.act(ctx, id, "pause", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		switch {
		case r.State == Created || r.State == Paused || r.State == Stuck || r.State.Ended():
			return refused("pause", r.Saga, "it is not moving")
		case r.Want == WantCancel && r.Direction == Forward:
			return refused("pause", r.Saga, "it is being cancelled; pause it once it is undoing")
		}
		return wants(ctx, tx, id, WantPause)
	})
}

// Resume lets a paused saga, or one that was asked to pause, go on.
func (e *Engine) Resume(ctx context.Context, id ID, by Actor) (Saga, error) {
	return e.act(ctx, id, "resume", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		if r.Want != WantPause {
			return refused("resume", r.Saga, "nobody paused it")
		}
		return wants(ctx, tx, id, WantRun)
	})
}

// Cancel asks that the saga undoes what it did. Before its first claim there is
// nothing to undo. After the pivot's intent, and after the end, it is a Conflict.
func (e *Engine) Cancel(ctx context.Context, id ID, by Actor) (Saga, error) {
	return e.act(ctx, id, "cancel", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		switch {
		case r.State.Ended():
			return refused("cancel", r.Saga, "it has ended")
		case r.Direction == Undo:
			return refused("cancel", r.Saga, "it is undoing already")
		}
		def := e.kinds[r.Kind]
		if def == nil {
			return refused("cancel", r.Saga, "this node does not know its kind")
		}
		if pivoted(def, r.Steps) {
			return refused("cancel", r.Saga, "it has passed its point of no return and can only go forward")
		}
		return wants(ctx, tx, id, WantCancel)
	})
}

// Retry enters the step of a stuck saga again, with its attempts counted anew,
// and makes a saga that waits look now.
func (e *Engine) Retry(ctx context.Context, id ID, by Actor) (Saga, error) {
	return e.act(ctx, id, "retry", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		switch {
		case r.State == Stuck:
			return e.take(ctx, tx, *r, func(c *change) error {
				if c.rec.position < 0 || c.rec.position >= len(c.rec.Steps) {
					c.resume()
					return nil
				}
				s := c.step()
				s.next, s.FinishedAt = Retry, time.Time{}
				if c.undoing() {
					s.UndoAttempts = 0
				} else {
					s.Attempts = 0
				}
				c.pending(s)
				c.resume()
				return nil
			})
		case r.leaseOwner == "" && !r.wakeAt.IsZero():
			_, err := tx.ExecContext(ctx, `UPDATE sagas SET wake_at = `+db.Now+` WHERE id = $1`, id)
			return err
		}
		return refused("retry", r.Saga, "only a stuck or a waiting saga can look again")
	})
}

// Skip passes over the step at hand, doing or undoing, with nobody's claim on
// the saga. A step that was begun is still undone when the saga turns back.
func (e *Engine) Skip(ctx context.Context, id ID, step string, by Actor) (Saga, error) {
	return e.act(ctx, id, "skip", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		return e.pass(ctx, tx, *r, "skip", step, func(c *change, s *StepRow) error {
			s.State = StepSkipped
			return nil
		})
	})
}

// MarkDone records that a person made the step at hand true, doing or undoing.
// output, if any, is an object whose fields are laid over the saga's state.
func (e *Engine) MarkDone(ctx context.Context, id ID, step string, output json.RawMessage, by Actor) (Saga, error) {
	return e.act(ctx, id, "mark-done", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		return e.pass(ctx, tx, *r, "mark-done", step, func(c *change, s *StepRow) error {
			s.State, s.UnknownSince, s.Error = StepCompleted, time.Time{}, nil
			if c.undoing() {
				s.State = StepCompensated
			}
			if output == nil {
				return nil
			}
			data, err := overlay(c.rec.Data, output)
			if err == nil {
				data, err = c.def.check(data)
			}
			if err != nil {
				return fault.Wrap(fault.Invalid, err, "The output does not fit a %s saga: %s.", c.rec.Kind, misfit(err))
			}
			c.rec.Data, s.Output = data, output
			return nil
		})
	})
}

// ForceRelease takes the saga from an owner that is believed dead or hung: from
// now on it can neither write nor renew. The saga is due when the lease it had
// is over, for until then that owner may still act; its next entry is a recovery.
func (e *Engine) ForceRelease(ctx context.Context, id ID, by Actor) (Saga, error) {
	return e.act(ctx, id, "force-release", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		if r.leaseOwner == "" {
			return refused("force-release", r.Saga, "nobody holds it")
		}
		_, err := tx.ExecContext(ctx, `UPDATE sagas SET epoch = epoch + 1, lease_owner = NULL, wake_at = lease_until WHERE id = $1`, id)
		return err
	})
}

// pass moves an unowned saga past the step at its position.
func (e *Engine) pass(ctx context.Context, tx *sql.Tx, r record, name, step string, mark func(*change, *StepRow) error) error {
	if r.State == Created || r.State.Ended() {
		return refused(name, r.Saga, "no step is at hand")
	}
	if r.position < 0 || r.position >= len(r.Steps) {
		return refused(name, r.Saga, "no step is at hand")
	}
	at := r.Steps[r.position]
	if step == "" {
		step = at.Name
	}
	if at.Name != step {
		return fault.New(fault.Conflict, "Saga %s is at step %s, not at %s.", r.ID, at.Name, step)
	}
	return e.take(ctx, tx, r, func(c *change) error {
		c.abandoned()
		s := c.step()
		if err := mark(c, s); err != nil {
			return err
		}
		s.next, s.FinishedAt = First, c.now
		if c.undoing() {
			c.rec.position--
		} else {
			c.rec.position++
		}
		c.resume()
		return nil
	})
}

// resume makes a saga that a verb has moved due at once; a paused one stays so.
func (c *change) resume() {
	if c.rec.State == Paused {
		c.rest(Paused, time.Time{}, "")
		return
	}
	if c.rec.Error != nil && !c.undoing() {
		c.rec.Error = nil
	}
	c.rest(c.resting(), c.now, "moved by an operator")
}

// take claims an unowned saga for one change and gives it back.
func (e *Engine) take(ctx context.Context, tx *sql.Tx, r record, do func(*change) error) error {
	def := e.kinds[r.Kind]
	if def == nil || !e.knows(r) {
		return fault.New(fault.Conflict, "This node does not know every step of %s sagas as %s has them.", r.Kind, r.ID)
	}
	c := &change{def: def, rec: r.clone(), now: e.now(), limits: limits{e.o.Retry, e.o.UndoRetry, false}}
	c.rec.Epoch++
	if err := do(c); err != nil {
		return err
	}
	err := e.writeOne(ctx, tx, &write{prev: r, change: c, guard: idleMay})
	if errors.Is(err, errStale) {
		return fault.New(fault.Conflict, "Saga %s has an owner at this moment. Pause it, or wait until it rests.", r.ID)
	}
	return err
}

// overlay lays the fields of object top over those of base.
func overlay(base, top json.RawMessage) (json.RawMessage, error) {
	var fields, more map[string]json.RawMessage
	if err := json.Unmarshal(base, &fields); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(top, &more); err != nil {
		return nil, fmt.Errorf("it is not a JSON object: %w", err)
	}
	for k, v := range more {
		fields[k] = v
	}
	return json.Marshal(fields)
}
