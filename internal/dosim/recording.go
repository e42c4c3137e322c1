package dosim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Recording is a cloud as it was when the recording began and all that came
// over it since. [Replay] makes the same cloud of it again: chance is a matter
// of the seed, and time is in the recording.
type Recording struct {
	State           json.RawMessage `json:"state"`             // as [Sim.Export] writes it
	KnownTokensOnly bool            `json:"known_tokens_only"` // see [Options]
	Inputs          []Input         `json:"inputs"`            // in the order in which they took effect
}

// An Input is one thing that came over a cloud: a request, the going on of one
// that a fault had slowed down, or a change from outside the API.
type Input struct {
	At      time.Time   `json:"at"`
	Seq     int64       `json:"seq,omitempty"` // of the request, in the journal
	Method  string      `json:"method,omitempty"`
	Target  string      `json:"target,omitempty"` // path and query
	Token   string      `json:"token,omitempty"`
	Header  http.Header `json:"header,omitempty"` // but for the token
	Body    []byte      `json:"body,omitempty"`
	Resumed bool        `json:"resumed,omitempty"` // request Seq goes on
	Change  *entry      `json:"change,omitempty"`
}

// Record begins a recording anew. It holds everything from now on in memory,
// tokens and bodies too, until [Sim.StopRecording].
func (s *Sim) Record() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginRecording()
}

// beginRecording is Record for who holds s.mu.
func (s *Sim) beginRecording() {
	st, err := json.Marshal(s.state(s.now()))
	if err != nil {
		panic("dosim: the state is no JSON: " + err.Error())
	}
	s.recording = &Recording{State: st, KnownTokensOnly: s.knownTokensOnly, Inputs: []Input{}}
}

// StopRecording forgets the recording.
func (s *Sim) StopRecording() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recording = nil
}

// Recording returns what was recorded so far. When nothing is, it is a
// fault.NotFound.
func (s *Sim) Recording() (Recording, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recording == nil {
		return Recording{}, fault.New(fault.NotFound, "Nothing is recorded: begin with POST /recording.")
	}
	r := *s.recording
	r.Inputs = slices.Clone(r.Inputs)
	return r, nil
}

// withoutToken are the request's headers that a recording keeps as they are.
func withoutToken(r *http.Request) http.Header {
	h := r.Header.Clone()
	h.Del("Authorization")
	return h
}

// hear adds to the recording, if there is one. s.mu must be held.
func (s *Sim) hear(in Input) {
	if s.recording != nil {
		s.recording.Inputs = append(s.recording.Inputs, in)
	}
}

// hearChange adds what is not empty.
func (s *Sim) hearChange(e entry) {
	if s.recording != nil && !reflect.ValueOf(e).IsZero() {
		s.hear(Input{At: s.clock.Now(), Change: &e})
	}
}

// Replay returns a new cloud, under a stepped clock, in which everything has
// happened that was recorded. A recording that cannot be is a fault.Unprocessable.
func Replay(r Recording) (*Sim, error) {
	var st state
	if err := read(r.State, &st); err != nil {
		return nil, err
	}
	st.Clock.Mode = Stepped
	begun, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	s := New(Options{Seed: st.Seed, Clock: NewClock(Stepped), KnownTokensOnly: r.KnownTokensOnly})
	s.replaying = true
	if err := s.Import(begun); err != nil {
		return nil, err
	}
	waiting := map[int64]*call{}
	for i, in := range r.Inputs {
		if in.At.Before(s.clock.Now()) || !inTime(in.At) {
			return nil, fault.New(fault.Unprocessable, "Input %d of the recording is of %s, before what went before it.", i+1, in.At.Format(time.RFC3339))
		}
		s.clock.Set(in.At)
		if err := s.again(in, waiting); err != nil {
			return nil, fault.Wrap(fault.Unprocessable, err, "Input %d of the recording cannot be: %s", i+1, fault.Message(err))
		}
	}
	return s, nil
}

// again lets an input take its effect once more.
func (s *Sim) again(in Input, waiting map[int64]*call) error {
	switch {
	case in.Change != nil:
		return s.change(*in.Change)
	case in.Resumed:
		c := waiting[in.Seq]
		if c == nil {
			return fault.New(fault.Unprocessable, "No request %d waits.", in.Seq)
		}
		delete(waiting, in.Seq)
		s.resume(c)
		return nil
	}
	u, err := url.ParseRequestURI(in.Target)
	if err != nil {
		return fault.Wrap(fault.Unprocessable, err, "%q is no target of a request.", in.Target)
	}
	r := &http.Request{Method: in.Method, URL: u, Host: "dosim", Header: in.Header.Clone(), Body: http.NoBody}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if in.Token != "" {
		r.Header.Set("Authorization", "Bearer "+in.Token)
	}
	c, wait := s.begin(r, in.Body)
	if c.log.Seq != in.Seq {
		return fault.New(fault.Unprocessable, "Request %d came as request %d.", in.Seq, c.log.Seq)
	}
	if wait > 0 {
		waiting[in.Seq] = c
	}
	return nil
}

// change makes the change that was recorded.
func (s *Sim) change(e entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if e.Params != nil {
		next, err := newParams().with(e.Params)
		if err != nil {
			return err
		}
		s.params = next
		s.renewTerms(at)
	}
	if e.Preset != nil {
		s.preset = *e.Preset
	}
	s.faults = slices.DeleteFunc(s.faults, func(f *armedFault) bool { return slices.Contains(e.Disarmed, f.ID) })
	for _, f := range e.Faults {
		armed, err := f.arm()
		if err != nil {
			return err
		}
		armed.seen = f.Seen
		s.armed = max(s.armed, f.number())
		s.faults = append(s.faults, armed)
	}
	for _, t := range e.Tokens {
		if err := t.check(); err != nil {
			return err
		}
		s.tokens[t.Token] = t
	}
	for _, ev := range e.Events {
		if raw, ok := ev.Change.(*rawChange); ok {
			var err error
			if ev.Change, err = raw.decode(s.world); err != nil {
				return fault.Wrap(fault.Unprocessable, err, "Event %d cannot be read: %v.", ev.Seq, err)
			}
		}
		if err := ev.Change.check(s.world); err != nil || ev.Seq != int64(len(s.events))+1 || !inTime(ev.At) {
			return fault.New(fault.Unprocessable, "Event %d cannot follow here.", ev.Seq)
		}
		s.record(ev.At, ev.Change)
	}
	for _, m := range e.Marks {
		if m < 0 || m > int64(len(s.events)) {
			return fault.New(fault.Unprocessable, "A mark lies outside the log.")
		}
	}
	s.marks = append(s.marks, e.Marks...)
	return nil
}
