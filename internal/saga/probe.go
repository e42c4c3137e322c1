package saga

import "errors"

// A Probe is asked at every point of every saga that an engine drives, and may
// change its fate. It is there for sagatest, which cuts sagas at each point;
// outside of tests an engine has none.
type Probe func(Point) error

// A Point is a place in a saga's life.
type Point struct {
	Saga    ID
	Step    string // of Entering and Left
	Undoing bool   // of Entering and Left
	At      Moment
	Commit  int64 // the revision that the ledger has, or that is being replaced
	Err     error // of Left: what the step returned
}

// A Moment is a kind of point.
type Moment string

// The moments of a saga. A Probe may answer, at Entering, an error that the step
// then returns without being called; at Left, one that replaces the step's own,
// or Repeat; at Committing and Committed, Died; at Committed, LostAnswer.
const (
	Entering   Moment = "entering"   // before Do or Undo is called
	Left       Moment = "left"       // after it returned
	Committing Moment = "committing" // before a ledger commit
	Committed  Moment = "committed"  // after it, before anybody here knows
)

// What a Probe may answer besides an error of its own.
var (
	Died       = errors.New("the process died here")
	LostAnswer = errors.New("the answer to the commit was lost")
	Repeat     = errors.New("call the step once more")
)

func (e *Engine) probe(p Point) error {
	if e.o.Probe == nil {
		return nil
	}
	return e.o.Probe(p)
}
