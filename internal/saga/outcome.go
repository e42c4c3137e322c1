package saga

import (
	"errors"
	"fmt"
	"time"
)

// MaxAwait bounds how long an Await sleeps without looking: an event that
// should have woken it may be lost.
const MaxAwait = 5 * time.Minute

// A Watch names what an Await waits for, so that one watcher can look for many
// sagas at once. Topic says who looks ("do.action:<account>"), Key what at.
type Watch struct {
	Topic string    `json:"topic"`
	Key   string    `json:"key"`
	Since time.Time `json:"since"` // what is watched began no earlier than this
}

type waiting struct {
	until  time.Time // by the Attempt's Now; zero: at once, keeping the lease
	reason string
	watch  *Watch
}

func (w *waiting) Error() string { return "waiting: " + w.reason }

// Wait makes a Do or an Undo be entered again at until (by Attempt.Now). It
// holds no worker, burns no attempt, and survives the process.
func Wait(until time.Time, reason string, args ...any) error {
	return &waiting{until: until, reason: fmt.Sprintf(reason, args...)}
}

// Await is a Wait that a watcher may end early. At the latest after atMost, or
// MaxAwait when that is shorter, the step is entered to look for itself.
func (a *Attempt) Await(w Watch, atMost time.Duration, reason string, args ...any) error {
	return &waiting{until: a.Now().Add(min(atMost, MaxAwait)), reason: fmt.Sprintf(reason, args...), watch: &w}
}

// Save commits the state as it is and enters the step again at once: for an id
// that must be in the ledger before anything uses it.
func Save(reason string, args ...any) error {
	return &waiting{reason: fmt.Sprintf(reason, args...)}
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no retry cures. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

type notDone struct{ error }

func (n notDone) Unwrap() error { return n.error }

// NotDone is returned by the Do of a pivot that has proved that its side effect
// did not happen: only then may the saga turn back. Nil stays nil.
func NotDone(err error) error {
	if err == nil {
		return nil
	}
	return notDone{err}
}

type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// Stop ends a Do or an Undo in `stuck` at once, whatever the direction: what it
// saw contradicts the ledger, and a person must look before anything moves.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return stopped{err}
}

// classify says what an entry's error means.
func classify(err error) verdict {
	var w *waiting
	switch {
	case err == nil:
		return done
	case errors.As(err, &w):
		return waits
	case errors.As(err, new(stopped)):
		return stops
	case errors.As(err, new(notDone)):
		return fails
	case errors.As(err, new(permanent)):
		return fails
	}
	return retries
}

type verdict int

const (
	done verdict = iota
	waits
	retries
	fails
	stops
)

// IsWait reports whether a step's error is a Wait, an Await or a Save.
func IsWait(err error) bool { return classify(err) == waits }
