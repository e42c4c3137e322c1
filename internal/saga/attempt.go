package saga

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// An Attempt is one entry of a Do or an Undo, as Current(ctx) tells it.
type Attempt struct {
	Saga     ID
	Kind     string
	Step     string
	Epoch    int64
	Undoing  bool
	Entry    Entry
	Number   int       // which attempt of this Do or Undo, from 1
	IntentAt time.Time // when the step's first intent was written, by the database's clock

	// UnknownSince is when a request may last have been sent whose outcome is
	// not known; zero when there is none. It stays set through every wait
	// until Known is called, or the step ends.
	UnknownSince time.Time

	owner    *owner
	sent     int // requests that may have left
	answered int // of these, with a known outcome
	known    bool
	doubt    bool
	output   json.RawMessage
	adopted  []string

	mu        sync.Mutex
	calls     []Call
	moreCalls int // beyond maxCalls
}

type attemptKey struct{}

// Current returns the attempt that ctx belongs to. It panics outside of a step:
// that is a fault of the program.
func Current(ctx context.Context) *Attempt {
	a, ok := ctx.Value(attemptKey{}).(*Attempt)
	if !ok {
		panic("saga.Current: this context is not a step's")
	}
	return a
}

// Now is the database's clock, as this process last saw it and has counted on
// since. Waits are measured with it, so that nodes whose clocks differ agree.
func (a *Attempt) Now() time.Time { return a.owner.engine.now() }

// ErrLeaseOver is what Valid answers once the owner may no longer act.
var ErrLeaseOver = errors.New("the lease on this saga is over")

// Valid returns nil while this owner may act on the world: its lease, less the
// margin, lasts by both the monotonic and the wall clock, and its context
// stands. It is to be asked directly before a request leaves.
func (a *Attempt) Valid() error { return a.owner.valid() }

// Sent notes that a request that changes something is about to leave.
func (a *Attempt) Sent() { a.sent++ }

// Answered notes that the outcome of the last Sent is known or will not be. A
// Do that returns with an unknown outcome leaves UnknownSince set.
func (a *Attempt) Answered(known bool) {
	if known {
		a.answered++
	}
}

// Known says that the state now names what every request of this step made:
// with this return's commit nothing is unknown any more.
func (a *Attempt) Known() { a.known = true }

// Doubt says that something may show later that does not show now: the saga's
// end is followed by sweeps, as after a lost answer.
func (a *Attempt) Doubt() { a.doubt = true }

// Note records v as the step's output, for people to read: what it looked up,
// found and adopted. A v that is no JSON is a fault of the program and panics.
func (a *Attempt) Note(v any) {
	out, err := json.Marshal(v)
	if err != nil {
		panic("saga: note: " + err.Error())
	}
	a.output = out
}

func (a *Attempt) unknown() bool { return a.sent > a.answered }
