package dosim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A state is a whole cloud as JSON: what GET /state answers and PUT /state takes.
// Of the journal of requests it holds the counters alone.
type state struct {
	Version      int               `json:"version"`
	Seed         uint64            `json:"seed"`
	Clock        clockJSON         `json:"clock"`
	Params       map[string]string `json:"params"`
	Preset       string            `json:"preset"`
	Events       []event           `json:"events"`
	Tokens       []Token           `json:"tokens"`
	Quotas       []quotaState      `json:"quotas"`
	Faults       []faultState      `json:"faults"`
	Armed        int               `json:"armed"` // faults ever armed
	Marks        []int64           `json:"marks"`
	Requests     int64             `json:"requests"`
	UnknownPaths int               `json:"unknown_paths"`
}

// A quotaState is the requests of one token that count against a limit.
type quotaState struct {
	Token    string      `json:"token"`
	Limit    string      `json:"limit"` // empty: the limits of every request
	Requests []time.Time `json:"requests"`
}

type faultState struct {
	Fault
	Seen int `json:"seen"`
}

const stateVersion = 2

// Export returns the whole state as JSON, for [Sim.Import].
func (s *Sim) Export() []byte {
	b, err := json.Marshal(s.exported())
	if err != nil {
		panic("dosim: the state is no JSON: " + err.Error())
	}
	return b
}

func (s *Sim) exported() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state(s.now())
}

// state is what the cloud is. s.mu must be held.
func (s *Sim) state(at time.Time) state {
	mode, speed := s.clock.Mode()
	st := state{
		Version: stateVersion, Seed: s.seed, Clock: clockJSON{mode, speed, at}, Params: maps.Clone(s.params.text), Preset: s.preset,
		Faults: s.faultStates(), Events: slices.Clip(s.events), Tokens: s.tokensByText(),
		Armed: s.armed, Marks: slices.Clone(s.marks),
		Requests: s.journal.seq, UnknownPaths: s.journal.unknownPaths,
	}
	for k, b := range s.buckets {
		st.Quotas = append(st.Quotas, quotaState{k.token, k.limit, slices.Clone(*b)})
	}
	slices.SortFunc(st.Quotas, func(a, b quotaState) int {
		return cmp.Or(strings.Compare(a.Token, b.Token), strings.Compare(a.Limit, b.Limit))
	})
	return st
}

func (s *Sim) faultStates() []faultState {
	var all []faultState
	for _, f := range s.faults {
		all = append(all, faultState{f.Fault, f.seen})
	}
	return all
}

// Import makes the cloud what [Sim.Export] said it was. A clock that is not real
// goes back to the instant of the export; a real one goes on. A state that is
// malformed or impossible is a fault.Unprocessable, and nothing has changed then.
func (s *Sim) Import(exported []byte) error {
	var st state
	if err := read(exported, &st); err != nil {
		return err
	}
	next, err := st.sim()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	if err := s.clock.restore(st.Clock.Mode, st.Clock.Speed, st.Clock.Now); err != nil {
		return err
	}
	s.install(st, next)
	s.journal.seq = max(s.journal.seq, st.Requests)
	s.journal.unknownPaths = st.UnknownPaths
	s.stopBoots()
	s.runBoots()
	if s.recording != nil {
		s.beginRecording()
	}
	if err := s.rewrite(); err != nil {
		s.data.err = fault.Wrap(fault.Unavailable, err, "The data file %s cannot be written: %v.", s.data.path, innermost(err))
		return s.data.err
	}
	return nil
}

// install puts what st described, and next was built from, in the place of
// everything but the clock and the journal.
func (s *Sim) install(st state, next *Sim) {
	s.seed, s.preset, s.params, s.events, s.world = st.Seed, st.Preset, next.params, next.events, next.world
	s.tokens, s.buckets, s.faults, s.armed = next.tokens, next.buckets, next.faults, st.Armed
	s.marks, s.late = st.Marks, map[int64]*Request{}
}

// sim builds and checks what a state describes.
func (st state) sim() (*Sim, error) {
	no := func(format string, args ...any) (*Sim, error) {
		return nil, fault.New(fault.Unprocessable, "This is no state of a simulated cloud: %s.", fmt.Sprintf(format, args...))
	}
	next := &Sim{tokens: map[string]Token{}, buckets: map[bucketKey]*bucket{}}
	if st.Version != stateVersion {
		return no("its version is %d, not %d", st.Version, stateVersion)
	}
	if st.Armed < 0 || st.Requests < 0 || st.UnknownPaths < 0 {
		return no("a counter is below zero")
	}
	if !inTime(st.Clock.Now) {
		return no("its clock shows %s", st.Clock.Now.Format(time.RFC3339))
	}
	var err error
	if next.params, err = newParams().with(st.Params); err != nil {
		return nil, err
	}
	if next.world, next.events, err = replay(st.Seed, st.Events); err != nil {
		return no("%v", err)
	}
	for _, t := range st.Tokens {
		if err := t.check(); err != nil {
			return nil, err
		}
		next.tokens[t.Token] = t
	}
	for _, q := range st.Quotas {
		if !slices.IsSortedFunc(append(slices.Clone(q.Requests), st.Clock.Now), time.Time.Compare) {
			return no("a token's requests are out of order")
		}
		b := bucket(q.Requests)
		next.buckets[bucketKey{q.Token, q.Limit}] = &b
	}
	for _, f := range st.Faults {
		armed, err := f.arm()
		if err != nil {
			return nil, err
		}
		armed.seen = f.Seen
		next.faults = append(next.faults, armed)
	}
	for _, m := range st.Marks {
		if m < 0 || m > int64(len(st.Events)) {
			return no("a mark lies outside the log")
		}
	}
	return next, nil
}

// inTime reports whether at lies within what a clock can show.
func inTime(at time.Time) bool { return at.Year() >= 1970 && !at.After(endOfTime) }
