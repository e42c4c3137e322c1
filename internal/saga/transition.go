package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A record is a saga's row and its steps, with what only the engine reads.
type record struct {
	Saga
	leaseOwner  string // empty: nobody's
	leaseUntil  time.Time
	wakeAt      time.Time // zero: not by itself
	watch       *Watch
	position    int
	everUnknown bool
}

func (r record) clone() record {
	r.Steps = slices.Clone(r.Steps)
	return r
}

// A change is what one commit makes of a record. Its methods are the rules of
// the engine: functions of values, without a database and without a clock.
type change struct {
	def     *definition
	rec     record
	now     time.Time
	limits  limits
	owned   bool    // the owner keeps its lease
	entry   Entry   // owned: how the step at rec.position is entered
	touched []int   // positions of steps that changed
	events  []Event // without Seq
	ended   bool    // the saga's subjects are freed
	renewed bool    // its commit renews the lease
}

// limits are what a change needs to know of the engine's options.
type limits struct {
	retry, undoRetry Backoff
	stopping         bool // the owner gives its sagas back at the next boundary
}

// An outcome is what one entry of a Do or an Undo came to.
type outcome struct {
	err     error
	data    json.RawMessage // the state as it was left
	output  json.RawMessage // nil: none noted
	unknown bool            // a request's outcome is not known
	known   bool            // everything is named by the state
	doubt   bool            // something may show later that is not there now

	calls     []Call // that it made
	moreCalls int    // beyond those
	adopted   []string
}

func (c *change) step() *StepRow {
	if !slices.Contains(c.touched, c.rec.position) {
		c.touched = append(c.touched, c.rec.position)
	}
	return &c.rec.Steps[c.rec.position]
}

// define finds a step's definition. A claim has checked that there is one.
func (c *change) define(position int) step {
	s, _ := c.def.step(c.rec.Steps[position].Name)
	return s
}

func (c *change) event(kind, step string, detail any) {
	e := Event{Type: kind, Step: step, At: c.now}
	if detail != nil {
		e.Detail, _ = json.Marshal(detail) // maps of strings and numbers
	}
	c.events = append(c.events, e)
}

// firstLook is how soon a queued saga looks by itself whether it is its turn.
const firstLook = time.Second

// claim makes the claimant the owner, or records why it cannot go on.
// blockedBy is the saga that holds, or is first in line for, a subject.
func (c *change) claim(blockedBy ID) {
	r := &c.rec
	if r.StartedAt.IsZero() && r.Want == WantCancel {
		c.end(RolledBack)
		return
	}
	if blockedBy != "" {
		// The end that should wake it may be in a commit beside this one, which
		// sees nothing of this: it looks by itself after as long as it has waited.
		again := min(max(c.now.Sub(r.CreatedAt), firstLook), MaxAwait)
		c.rest(Waiting, c.now.Add(again), fmt.Sprintf("queued behind %s, which has the same subject", blockedBy))
		c.event("queued", "", map[string]any{"behind": blockedBy})
		return
	}
	if r.StartedAt.IsZero() {
		r.StartedAt = c.now
		c.event("started", "", nil)
	}
	c.abandoned()
	switch {
	case r.Want == WantCancel && c.mayTurnBack():
		c.turnBack("cancelled")
	case r.Want == WantPause:
		c.pause()
	case r.Direction == Undo:
		c.undo()
	default:
		c.forward()
	}
}

// abandoned notes that the last owner's entry has no recorded end: whatever it
// was sending may have arrived until its lease was over.
func (c *change) abandoned() {
	r := &c.rec
	if r.position < 0 || r.position >= len(r.Steps) {
		return
	}
	at := r.Steps[r.position]
	if at.next != Recovered || at.State == StepPending {
		return
	}
	c.event("recovered", at.Name, map[string]any{"lease_until": r.leaseUntil})
	if r.Direction == Undo {
		return
	}
	// Anew each time: the entry that was lost may have sent a request of its own
	// after an older doubt had settled.
	s := c.step()
	s.UnknownSince = later(s.UnknownSince, later(c.now, r.leaseUntil))
	r.everUnknown = true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// forward enters the step at the position, or completes the saga after the last.
func (c *change) forward() {
	r := &c.rec
	if r.position == len(r.Steps) {
		c.end(Completed)
		return
	}
	s := c.step()
	c.own(Running, s)
	if s.State == StepPending {
		s.StartedAt = c.now
	}
	s.State = StepExecuting
	s.FinishedAt, s.Error = time.Time{}, nil
	if c.entry != Resumed {
		s.Attempts++
	}
	c.event("step_started", s.Name, map[string]any{"entry": c.entry, "attempt": s.Attempts})
}

// undo enters the undoing of the highest step at or below the position whose
// intent was written, or ends the saga when there is none.
func (c *change) undo() {
	r := &c.rec
	for ; r.position >= 0; r.position-- {
		at := r.Steps[r.position]
		if at.StartedAt.IsZero() || c.define(r.position).undo == nil {
			continue
		}
		s := c.step()
		if s.State != StepCompensating {
			s.next = First
		}
		c.own(Compensating, s)
		s.State = StepCompensating
		if c.entry != Resumed {
			s.UndoAttempts++
		}
		c.event("undo_started", s.Name, map[string]any{"entry": c.entry, "attempt": s.UndoAttempts})
		return
	}
	c.end(RolledBack)
}

// own keeps the lease to enter step s. Until its end is recorded, an entry
// that comes next is a recovery.
func (c *change) own(state State, s *StepRow) {
	c.owned, c.entry, s.next = true, s.next, Recovered
	c.rec.State, c.rec.Wait, c.rec.watch = state, nil, nil
}

// after records the outcome of the entry and decides what comes next.
func (c *change) after(o outcome) {
	r := &c.rec
	r.Data = o.data
	s := c.step()
	c.called(s.Name, o.calls, o.moreCalls, o.adopted)
	if o.output != nil {
		s.Output = o.output
	}
	switch {
	case o.unknown && !c.undoing():
		s.UnknownSince = later(s.UnknownSince, c.now)
		r.everUnknown = true
	case o.known:
		s.UnknownSince = time.Time{}
	}
	r.everUnknown = r.everUnknown || o.doubt
	if o.err != nil && classify(o.err) != waits {
		s.Error = errorOf(o.err)
	}
	if c.undoing() {
		c.afterUndo(s, o.err)
		return
	}
	c.afterDo(s, o.err)
}

func (c *change) undoing() bool { return c.rec.Direction == Undo }

func (c *change) afterDo(s *StepRow, err error) {
	switch classify(err) {
	case done:
		s.State, s.next = StepCompleted, First
		s.FinishedAt, s.UnknownSince, s.Error = c.now, time.Time{}, nil
		c.event("step_completed", s.Name, nil)
		c.rec.position++
		c.boundary()
	case waits:
		c.wait(s, err)
	case retries:
		limit := c.define(c.rec.position).retry.or(c.limits.retry)
		if s.Attempts >= limit.Attempts {
			c.failed(s, err)
			return
		}
		c.backOff(s, limit.delay(s.Attempts), s.Attempts, limit.Attempts)
	case fails:
		c.failed(s, err)
	case stops:
		s.State, s.FinishedAt = StepFailed, c.now
		c.stuck(s, err)
	}
}

// failed gives a step up. Before the pivot the saga turns back; a pivot that
// proved that it did not happen may too; after it a person must look.
func (c *change) failed(s *StepRow, err error) {
	s.State, s.FinishedAt = StepFailed, c.now
	c.event("step_failed", s.Name, s.Error)
	if errors.As(err, new(notDone)) && c.define(c.rec.position).pivot {
		s.UnknownSince = time.Time{}
		c.rec.Error = s.Error
		c.rec.position--
		c.turnBackFrom("the pivot did not happen")
		return
	}
	if !c.mayTurnBack() {
		c.stuck(s, err)
		return
	}
	c.rec.Error = s.Error
	c.turnBack("step failed")
}

func (c *change) afterUndo(s *StepRow, err error) {
	switch classify(err) {
	case done:
		s.State, s.next, s.FinishedAt, s.Error = StepCompensated, First, c.now, nil
		c.event("undo_completed", s.Name, nil)
		c.rec.position--
		c.boundary()
	case waits:
		c.wait(s, err)
	case retries:
		limit := c.define(c.rec.position).undoRetry.or(c.limits.undoRetry)
		if s.UndoAttempts >= limit.Attempts {
			s.State = StepUndoFailed
			c.stuck(s, err)
			return
		}
		c.backOff(s, limit.delay(s.UndoAttempts), s.UndoAttempts, limit.Attempts)
	case fails, stops:
		s.State = StepUndoFailed
		c.stuck(s, err)
	}
}

// boundary goes on after a step's end, unless the operator wants otherwise.
func (c *change) boundary() {
	r := &c.rec
	over := r.Direction == Forward && r.position == len(r.Steps) || r.Direction == Undo && r.position < 0
	switch {
	case r.Want == WantCancel && c.mayTurnBack():
		c.turnBack("cancelled")
	case r.Want == WantPause && !over:
		c.pause()
	case c.limits.stopping && !over:
		state := Waiting
		if c.undoing() {
			state = Compensating
		}
		c.rest(state, c.now, "handed over: its node is stopping")
	case c.undoing():
		c.undo()
	default:
		c.forward()
	}
}

// wait rests until the step's wait is over; a wait without a time is a Save,
// and the owner goes on at once.
func (c *change) wait(s *StepRow, err error) {
	var w *waiting
	errors.As(err, &w)
	s.Error = nil
	detail := map[string]any{"reason": w.reason, "until": w.until}
	if !s.UnknownSince.IsZero() {
		detail["unknown"] = true // whether a request was carried out
	}
	c.event("step_waiting", s.Name, detail)
	s.next = Resumed
	c.pending(s)
	switch {
	case c.rec.Want == WantCancel && c.mayTurnBack():
		c.turnBack("cancelled")
	case c.rec.Want == WantPause:
		c.pause()
	case w.until.IsZero() && !c.limits.stopping:
		if c.undoing() {
			c.undo()
		} else {
			c.forward()
		}
	default:
		c.rest(c.resting(), later(w.until, c.now), w.reason)
		c.rec.watch = w.watch
	}
}

func (c *change) backOff(s *StepRow, after time.Duration, attempt, of int) {
	s.next = Retry
	c.pending(s)
	c.event("step_retry", s.Name, map[string]any{"error": s.Error.Message, "in_ms": after.Milliseconds()})
	switch {
	case c.rec.Want == WantCancel && c.mayTurnBack():
		c.turnBack("cancelled")
	case c.rec.Want == WantPause:
		c.pause()
	default:
		c.rest(c.resting(), c.now.Add(after), fmt.Sprintf("attempt %d of %d failed: %s", attempt, of, s.Error.Message))
	}
}

// pending gives a step that will be entered again its resting state.
func (c *change) pending(s *StepRow) {
	switch {
	case c.undoing():
		s.State = StepCompensating
	case s.UnknownSince.IsZero():
		s.State = StepWaiting
	default:
		s.State = StepUnknown
	}
}

func (c *change) resting() State {
	if c.undoing() {
		return Compensating
	}
	return Waiting
}

// mayTurnBack reports whether the saga goes forward and has not passed its
// pivot, which it passes with the pivot's intent.
func (c *change) mayTurnBack() bool {
	return c.rec.Direction == Forward && !pivoted(c.def, c.rec.Steps)
}

func pivoted(def *definition, steps []StepRow) bool {
	return slices.ContainsFunc(steps, func(s StepRow) bool {
		d, ok := def.step(s.Name)
		return ok && d.pivot && !s.StartedAt.IsZero()
	})
}

func (c *change) turnBack(why string) {
	if c.rec.position == len(c.rec.Steps) {
		c.rec.position--
	}
	c.turnBackFrom(why)
}

func (c *change) turnBackFrom(why string) {
	c.rec.Direction = Undo
	c.event("turned_back", "", map[string]any{"why": why})
	c.boundary()
}

func (c *change) pause() {
	c.rest(Paused, time.Time{}, "")
	c.event("paused", "", nil)
}

func (c *change) stuck(s *StepRow, err error) {
	c.rec.Error = errorOf(err)
	s.next = Retry
	c.rest(Stuck, time.Time{}, "")
	c.event("stuck", s.Name, c.rec.Error)
}

// rest gives the lease back.
func (c *change) rest(state State, wake time.Time, reason string) {
	c.owned, c.entry = false, ""
	c.rec.State, c.rec.wakeAt, c.rec.Wait, c.rec.watch = state, wake, nil, nil
	if reason != "" {
		c.rec.Wait = &Rest{Reason: reason, Until: wake}
	}
}

func (c *change) end(state State) {
	c.rest(state, time.Time{}, "")
	c.rec.FinishedAt = c.now
	c.ended = true
	c.event(string(state), "", nil)
}

func (b Backoff) or(d Backoff) Backoff {
	if b.Attempts == 0 {
		b.Attempts = d.Attempts
	}
	if b.Base == 0 {
		b.Base = d.Base
	}
	if b.Max == 0 {
		b.Max = d.Max
	}
	return b
}

// delay is how long to wait after the attempt of that number, from 1.
func (b Backoff) delay(attempt int) time.Duration {
	d := b.Base
	for range min(attempt-1, 32) {
		d = min(2*d, b.Max)
	}
	d = min(d, b.Max)
	return d/2 + rand.N(d/2+1)
}

// maxMessage bounds an error's text in the ledger, in bytes.
const maxMessage = 2000

func errorOf(err error) *Error {
	message := err.Error()
	if fault.KindOf(err) != fault.Internal {
		message = fault.Message(err)
	}
	if len(message) > maxMessage {
		message = message[:maxMessage] + "…"
	}
	return &Error{Code: fault.Code(err), Message: message}
}
