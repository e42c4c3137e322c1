// Package saga runs durable operations of several steps that either complete
// or undo themselves.
//
// A saga's record is its step ledger: one row for the saga, one per step, and
// an append-only list of events. Every change of it is one commit that compares
// (epoch, rev) first, so that one owner at a time writes it; a step is
// `executing` in the ledger before its side effect begins; and what a step left
// undecided is marked unknown until it is known. The promise: each saga ends
// completed or rolled back (or stuck, loudly), through crashes at any point,
// lost answers and any number of racing runners.
//
// A Kind declares the steps over one typed state. An Engine over a database
// starts sagas of the kinds that it was given, claims those that are due and
// drives them. Nothing here knows a cloud: a step does, and asks its Attempt why
// it was entered and whether it may still act.
package saga

import (
	"encoding/json"
	"time"
)

// An ID names a saga: "saga_" and 32 hex digits, the last eight of them random.
type ID string

// State is what a saga is doing.
type State string

// The states of a saga. Completed and RolledBack are final; Stuck waits for a
// person.
const (
	Created      State = "created"      // recorded; nobody runs it before Start
	Ready        State = "ready"        // may be claimed
	Running      State = "running"      // an owner drives it forward
	Waiting      State = "waiting"      // for a time, an event or its subjects; holds no worker
	Paused       State = "paused"       // by an operator, at a boundary
	Compensating State = "compensating" // undoing, also while an undo waits
	Completed    State = "completed"
	RolledBack   State = "rolled_back"
	Stuck        State = "stuck"
)

// States lists every state in the order in which a saga may pass them.
func States() []State {
	return []State{Created, Ready, Running, Waiting, Paused, Compensating, Completed, RolledBack, Stuck}
}

// Ended reports whether no owner will touch the saga again.
func (s State) Ended() bool { return s == Completed || s == RolledBack }

// StepState is what became of one step.
type StepState string

// The states of a step.
const (
	StepPending      StepState = "pending"
	StepExecuting    StepState = "executing"
	StepWaiting      StepState = "waiting"
	StepUnknown      StepState = "unknown" // waits while a request's outcome is not known
	StepCompleted    StepState = "completed"
	StepFailed       StepState = "failed"
	StepCompensating StepState = "compensating"
	StepCompensated  StepState = "compensated"
	StepUndoFailed   StepState = "undo_failed"
	StepSkipped      StepState = "skipped"
)

// Direction says whether a saga does or undoes.
type Direction string

// The directions of a saga.
const (
	Forward Direction = "forward"
	Undo    Direction = "undo"
)

// Want is what an operator asks of a saga; its owner acts on it at the next
// boundary.
type Want string

// The wants of an operator.
const (
	WantRun    Want = "run"
	WantPause  Want = "pause"
	WantCancel Want = "cancel"
)

// Entry says why a Do or an Undo was entered.
type Entry string

// The entries of a step.
const (
	First     Entry = "first"
	Resumed   Entry = "resumed"   // after its own wait
	Retry     Entry = "retry"     // it returned an error
	Recovered Entry = "recovered" // its last entry has no recorded end: the owner died or was released by force
)

// A Saga is a saga's row and its steps as the last commit left them.
type Saga struct {
	ID             ID
	Kind           string
	State          State
	Direction      Direction
	Want           Want
	Subjects       []string // sorted
	Tenant         string   // empty: none
	RequestedBy    string   // an actor: "cli:root", "api:key_…"
	IdempotencyKey string   // empty: none
	Epoch, Rev     int64
	CreatedAt      time.Time
	StartedAt      time.Time // zero before the first claim
	FinishedAt     time.Time // zero before the end
	Wait           *Rest     // nil unless it waits
	Error          *Error    // why it turned back or is stuck; nil otherwise
	Data           json.RawMessage
	Steps          []StepRow // nil in lists
}

// A Rest says what a saga waits for and when it looks again at the latest.
type Rest struct {
	Reason string
	Until  time.Time
}

// An Error is a failure as the ledger keeps it.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// A StepRow is one step of a saga in the ledger.
type StepRow struct {
	Position     int
	Name         string
	State        StepState
	Attempts     int       // entries of Do, its own waits not counted
	UndoAttempts int       // entries of Undo, its own waits not counted
	UnknownSince time.Time // zero: every request's outcome is known
	StartedAt    time.Time // its first intent; zero: never begun
	FinishedAt   time.Time
	Output       json.RawMessage
	Error        *Error

	next Entry // how it will be entered
}

// An Event is one line of a saga's history, in the order of Seq (from 1).
type Event struct {
	Seq    int64
	Rev    int64
	At     time.Time
	Type   string
	Step   string // empty: about the saga
	Epoch  int64
	Actor  string // empty: the engine
	Detail json.RawMessage
}

// Marker8 is the part of a saga's id that markers at a cloud carry: eight
// random hex digits.
func (id ID) Marker8() string { return string(id[max(0, len(id)-8):]) }

// StateOf decodes a saga's state.
func StateOf[S any](s Saga) (S, error) {
	v, err := decode[S](s.Data)
	if err != nil {
		var zero S
		return zero, err
	}
	return *v, nil
}
