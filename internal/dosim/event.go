package dosim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// An event is one entry of the simulator's log: something that a request or a
// seed brought about. The log is the state; see [world].
type event struct {
	Seq    int64
	At     time.Time
	Change change
}

// A change is what an event did. A resource brings its own kinds of change along.
type change interface {
	name() string
	// check reports why the change cannot follow on w. Only a log that comes
	// from outside needs it.
	check(w *world) error
	apply(w *world, e event)
}

// record appends a change to the log and applies it.
func (s *Sim) record(at time.Time, c change) {
	s.events = append(s.events, event{Seq: int64(len(s.events)) + 1, At: at, Change: c})
	c.apply(s.world, s.events[len(s.events)-1])
}

type eventJSON struct {
	Seq  int64           `json:"seq"`
	At   time.Time       `json:"at"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// MarshalJSON writes {"seq","at","type","data"}.
func (e event) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(e.Change)
	if err != nil {
		return nil, err
	}
	return json.Marshal(eventJSON{e.Seq, e.At, e.Change.name(), data})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *event) UnmarshalJSON(b []byte) error {
	var raw eventJSON
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for _, r := range resources() {
		for _, newChange := range r.changes {
			c := newChange()
			if c.name() != raw.Type {
				continue
			}
			d := json.NewDecoder(bytes.NewReader(raw.Data))
			d.DisallowUnknownFields()
			if err := d.Decode(c); err != nil {
				return fmt.Errorf("event %d: %w", raw.Seq, err)
			}
			*e = event{raw.Seq, raw.At, c}
			return nil
		}
	}
	return fmt.Errorf("event %d has the unknown type %q", raw.Seq, raw.Type)
}

// replay builds the world that the events lead to.
func replay(seed uint64, events []event) (*world, error) {
	w := newWorld(seed)
	for i, e := range events {
		if e.Seq != int64(i)+1 {
			return nil, fmt.Errorf("event %d stands at place %d of the log", e.Seq, i+1)
		}
		if !inTime(e.At) {
			return nil, fmt.Errorf("event %d is of %s", e.Seq, e.At.Format(time.RFC3339))
		}
		if err := e.Change.check(w); err != nil {
			return nil, fmt.Errorf("event %d (%s): %w", e.Seq, e.Change.name(), err)
		}
		e.Change.apply(w, e)
	}
	return w, nil
}
