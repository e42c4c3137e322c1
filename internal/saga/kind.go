package saga

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxData bounds a saga's state as JSON, in bytes.
const MaxData = 256 << 10

// A Kind is a durable operation: steps over one typed state S. S is stored as
// JSON of at most MaxData bytes; its fields are added, never renamed, and hold
// no secret.
type Kind[S any] struct {
	Name     string
	Steps    []Step[S]
	Begin    func(*S) error   // checks, and may complete, the state that a request begins with; nil: any will do
	Subjects func(S) []string // what a saga of this kind locks while it is open; nil: nothing
	Policy   Policy           // what happens when a subject is locked; default Queue
}

// A Step is one side effect and its undoing. It has a Do or a Local, and
// declares exactly one of Undo, Pivot, Forward and NothingToUndo.
type Step[S any] struct {
	Name string

	// Do makes the side effect. It may run again with no word of how far it
	// got: Current(ctx) says why it was entered. It returns nil when the step
	// is done, Wait, Await or Save to be entered again, Permanent for what no
	// retry cures; any other error is retried. S is committed as Do left it at
	// every return.
	Do func(ctx context.Context, s *S) error

	// Local writes our own tables inside the boundary's commit, exactly once.
	// It may be called more than once, each time with a fresh S, but only one
	// call's commit stands.
	Local func(ctx context.Context, tx *sql.Tx, s *S) error

	// Undo takes the side effect back. It also runs for a step that failed or
	// whose outcome is not known: it accepts that nothing is there.
	Undo func(ctx context.Context, s *S) error

	Pivot         bool   // from this step's intent on the saga only goes forward
	Forward       bool   // after a pivot: retried until done
	NothingToUndo string // why there is nothing to undo

	Timeout time.Duration // of one entry; default Options.StepTimeout
	Retry   Backoff       // of Do; zero fields take Options.Retry
	Again   Backoff       // of Undo; zero fields take Options.UndoRetry
}

// A Backoff says how often an entry that returned an error is tried, and how
// long between: Base, doubled each time, at most Max, half of it jitter.
type Backoff struct {
	Attempts  int
	Base, Max time.Duration
}

// Policy says what becomes of a saga whose subject another saga holds.
type Policy string

// The policies of a kind.
const (
	Queue    Policy = "queue"    // it waits its turn
	Refuse   Policy = "refuse"   // starting it is a conflict
	Coalesce Policy = "coalesce" // starting it answers the open saga of the same kind and subjects
)

// Registrable is a Kind of any state; New takes them.
type Registrable interface{ define() (*definition, error) }

// A definition is a Kind with its state type erased.
type definition struct {
	name     string
	steps    []step
	policy   Policy
	subjects func(data json.RawMessage) ([]string, error)
	check    func(data json.RawMessage) (json.RawMessage, error) // strict decode, canonical encode
	begin    func(data json.RawMessage) (json.RawMessage, error) // Kind.Begin, on what check has passed
}

type step struct {
	name      string
	do, undo  func(ctx context.Context, data json.RawMessage) (json.RawMessage, error)
	local     func(ctx context.Context, tx *sql.Tx, data json.RawMessage) (json.RawMessage, error)
	pivot     bool
	timeout   time.Duration
	retry     Backoff
	undoRetry Backoff
}

func (d *definition) step(name string) (step, bool) {
	i := slices.IndexFunc(d.steps, func(s step) bool { return s.name == name })
	if i < 0 {
		return step{}, false
	}
	return d.steps[i], true
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// define checks a kind's declaration: a wrong one is a fault of the program and
// is found when it starts, not when a saga needs to be undone.
func (k Kind[S]) define() (*definition, error) {
	if !namePattern.MatchString(k.Name) {
		return nil, fmt.Errorf("saga kind %q: a name is lower-case letters, digits and _, and begins with a letter", k.Name)
	}
	if len(k.Steps) == 0 {
		return nil, fmt.Errorf("saga kind %s has no steps", k.Name)
	}
	d := &definition{name: k.Name, policy: k.Policy}
	switch d.policy {
	case "":
		d.policy = Queue
	case Queue, Refuse, Coalesce:
	default:
		return nil, fmt.Errorf("saga kind %s: unknown policy %q", k.Name, k.Policy)
	}
	pivoted := false
	for _, s := range k.Steps {
		if err := s.check(pivoted); err != nil {
			return nil, fmt.Errorf("saga kind %s, step %q: %w", k.Name, s.Name, err)
		}
		if _, dup := d.step(s.Name); dup {
			return nil, fmt.Errorf("saga kind %s: two steps are named %q", k.Name, s.Name)
		}
		pivoted = pivoted || s.Pivot
		d.steps = append(d.steps, s.erase())
	}
	d.subjects = func(data json.RawMessage) ([]string, error) {
		if k.Subjects == nil {
			return nil, nil
		}
		s, err := decode[S](data)
		if err != nil {
			return nil, err
		}
		subjects := slices.Clone(k.Subjects(*s))
		slices.Sort(subjects)
		return slices.Compact(subjects), nil
	}
	d.begin = func(data json.RawMessage) (json.RawMessage, error) {
		if k.Begin == nil {
			return data, nil
		}
		s, err := decode[S](data)
		if err != nil {
			return nil, err
		}
		if err := k.Begin(s); err != nil {
			return nil, err
		}
		return encode(s)
	}
	d.check = func(data json.RawMessage) (json.RawMessage, error) {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		s := new(S)
		if err := dec.Decode(s); err != nil {
			return nil, err
		}
		return encode(s)
	}
	return d, nil
}

func (s Step[S]) check(pivoted bool) error {
	if !namePattern.MatchString(s.Name) {
		return fmt.Errorf("a name is lower-case letters, digits and _, and begins with a letter")
	}
	if (s.Do == nil) == (s.Local == nil) {
		return fmt.Errorf("it needs exactly one of Do and Local")
	}
	declared := 0
	for _, is := range []bool{s.Undo != nil, s.Pivot, s.Forward, s.NothingToUndo != ""} {
		if is {
			declared++
		}
	}
	if declared != 1 {
		return fmt.Errorf("it declares %d of Undo, Pivot, Forward and NothingToUndo; exactly one is needed", declared)
	}
	if s.Forward && !pivoted {
		return fmt.Errorf("Forward is for steps after a pivot")
	}
	if pivoted && (s.Undo != nil || s.Pivot) {
		return fmt.Errorf("after a pivot nothing is undone: declare it Forward or NothingToUndo")
	}
	return nil
}

func (s Step[S]) erase() step {
	call := func(f func(context.Context, *S) error) func(context.Context, json.RawMessage) (json.RawMessage, error) {
		if f == nil {
			return nil
		}
		return func(ctx context.Context, data json.RawMessage) (json.RawMessage, error) {
			v, err := decode[S](data)
			if err != nil {
				return nil, Permanent(err)
			}
			err = protect(func() error { return f(ctx, v) })
			return encodeLeft(v, data, err)
		}
	}
	e := step{
		name: s.Name, do: call(s.Do), undo: call(s.Undo), pivot: s.Pivot,
		timeout: s.Timeout, retry: s.Retry, undoRetry: s.Again,
	}
	if s.Local != nil {
		e.local = func(ctx context.Context, tx *sql.Tx, data json.RawMessage) (json.RawMessage, error) {
			v, err := decode[S](data)
			if err != nil {
				return nil, Permanent(err)
			}
			err = protect(func() error { return s.Local(ctx, tx, v) })
			return encodeLeft(v, data, err)
		}
	}
	return e
}

// protect turns a panic of a step into its error: one bad step must not take
// the process, and every other saga, with it.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Permanent(fmt.Errorf("panic: %v", p))
		}
	}()
	return f()
}

// encodeLeft encodes the state as a step left it. A state that cannot be kept
// fails the step for good, and the state before it stands.
func encodeLeft[S any](v *S, before json.RawMessage, err error) (json.RawMessage, error) {
	data, bad := encode(v)
	if bad != nil {
		return before, Permanent(bad)
	}
	return data, err
}

// misfit says why a JSON text does not fit a kind's state, in the words of whoever
// wrote it and not in those of the program.
func misfit(err error) string {
	var wrong *json.UnmarshalTypeError
	switch field, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case unknown:
		return "it has no field " + field
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Sprintf("%s cannot be a %s", wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Sprintf("it is a %s and not an object", wrong.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func decode[S any](data json.RawMessage) (*S, error) {
	s := new(S)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("decode the saga's state: %w", err)
	}
	return s, nil
}

func encode(s any) (json.RawMessage, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the saga's state: %w", err)
	}
	if len(data) > MaxData {
		return nil, fmt.Errorf("the saga's state is %d bytes; at most %d are kept", len(data), MaxData)
	}
	return data, nil
}
