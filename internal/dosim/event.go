package dosim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An event is one entry of the simulator's log: something that a request or a
// seed brought about. The log is the state; see [world].
type event struct {
	Seq    int64
	At     time.Time
	Change change
}

// A change is what an event did: [made], [changed] and [deleted] for the things
// of every kind, and few others.
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

// made is KIND_created: its data are the thing, as it was then.
type made struct {
	Kind  string
	Thing entity
}

func (ch *made) name() string                 { return ch.Kind + "_created" }
func (ch *made) check(w *world) error         { return w.tables[ch.Kind].checkMade(w, ch.Thing) }
func (ch *made) apply(w *world, e event)      { w.tables[ch.Kind].make(ch.Thing, e.Seq) }
func (ch *made) MarshalJSON() ([]byte, error) { return json.Marshal(ch.Thing) }

// changed is KIND_updated: its data are the whole thing, as it was from then on.
type changed struct {
	Kind  string
	Thing entity
}

func (ch *changed) name() string                 { return ch.Kind + "_updated" }
func (ch *changed) check(w *world) error         { return w.tables[ch.Kind].checkChanged(w, ch.Thing) }
func (ch *changed) apply(w *world, e event)      { w.tables[ch.Kind].change(ch.Thing, e.At) }
func (ch *changed) MarshalJSON() ([]byte, error) { return json.Marshal(ch.Thing) }

// deleted is KIND_deleted.
type deleted struct {
	Kind    string        `json:"-"`
	Account string        `json:"account"`
	ID      string        `json:"id"`
	Linger  time.Duration `json:"linger"` // how long lists go on showing it
}

func (ch *deleted) name() string { return ch.Kind + "_deleted" }

func (ch *deleted) check(w *world) error {
	if e := w.tables[ch.Kind].lookup(ch.Account, ch.ID); e == nil || !e.self().Until.IsZero() || ch.Linger < 0 || ch.Linger > maxParam {
		return fmt.Errorf("there is no %s %s to delete", ch.Kind, ch.ID)
	}
	return nil
}

func (ch *deleted) apply(w *world, e event) {
	w.tables[ch.Kind].end(ch.Account, ch.ID, e.At, ch.Linger)
}

// A rawChange is a change from outside that nobody has understood yet.
type rawChange struct {
	kind string
	data json.RawMessage
}

func (ch *rawChange) name() string                 { return ch.kind }
func (ch *rawChange) check(*world) error           { return errors.New("it is not decoded") }
func (ch *rawChange) apply(*world, event)          { panic("dosim: a raw change is applied") }
func (ch *rawChange) MarshalJSON() ([]byte, error) { return ch.data, nil }

// decode understands the change by its type.
func (ch *rawChange) decode(w *world) (change, error) {
	c, into := w.blankChange(ch.kind)
	if c == nil {
		return nil, fmt.Errorf("the type %q is unknown", ch.kind)
	}
	d := json.NewDecoder(bytes.NewReader(ch.data))
	d.DisallowUnknownFields()
	return c, d.Decode(into)
}

// blankChange returns an empty change of the type, nil when there is none, and
// what its data are decoded into.
func (w *world) blankChange(name string) (c change, into any) {
	if i := strings.LastIndexByte(name, '_'); i >= 0 {
		kind := name[:i]
		if t := w.tables[kind]; t != nil {
			thing := t.blank()
			switch name[i:] {
			case "_created":
				return &made{kind, thing}, thing
			case "_updated":
				return &changed{kind, thing}, thing
			case "_deleted":
				d := &deleted{Kind: kind}
				return d, d
			}
		}
	}
	for _, c := range []change{&accountOpened{}, &appointed{}, &kept{}} {
		if c.name() == name {
			return c, c
		}
	}
	return nil, nil
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

// UnmarshalJSON reads what MarshalJSON wrote, but for the change, which replay
// understands.
func (e *event) UnmarshalJSON(b []byte) error {
	var raw eventJSON
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*e = event{raw.Seq, raw.At, &rawChange{raw.Type, raw.Data}}
	return nil
}

// replay builds the world that the events lead to, and returns them understood.
func replay(seed uint64, raw []event) (*world, []event, error) {
	w := newWorld(seed)
	events := make([]event, len(raw))
	for i, e := range raw {
		if e.Seq != int64(i)+1 {
			return nil, nil, fmt.Errorf("event %d stands at place %d of the log", e.Seq, i+1)
		}
		if !inTime(e.At) {
			return nil, nil, fmt.Errorf("event %d is of %s", e.Seq, e.At.Format(time.RFC3339))
		}
		if ch, ok := e.Change.(*rawChange); ok {
			var err error
			if e.Change, err = ch.decode(w); err != nil {
				return nil, nil, fmt.Errorf("event %d (%s): %w", e.Seq, ch.kind, err)
			}
		}
		if err := e.Change.check(w); err != nil {
			return nil, nil, fmt.Errorf("event %d (%s): %w", e.Seq, e.Change.name(), err)
		}
		e.Change.apply(w, e)
		events[i] = e
	}
	return w, events, nil
}
