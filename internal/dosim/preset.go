package dosim

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Preset is weather under a name: values of parameters, and faults that stand.
type Preset struct {
	Name   string            `json:"name"`
	About  string            `json:"about"`
	Params map[string]string `json:"params"` // over the defaults
	Faults []Fault           `json:"faults"`
}

// Presets returns every preset there is, the gentlest first.
func Presets() []Preset {
	writes := []string{http.MethodPost, http.MethodPut, http.MethodDelete}
	return []Preset{
		{
			Name: "calm", About: "what is done shows at once, and nothing goes wrong",
			Params: with(paced(0, 1), map[string]string{paramReplica: "0s", paramCompletedAtNull: "0"}), Faults: []Fault{},
		},
		{
			Name: "realistic", About: "lags as reported of DigitalOcean, two replicas, a fault in a few hundred requests",
			Params: with(paced(1, 1), map[string]string{paramReplicas: "2", paramReplica: "1s"}),
			Faults: []Fault{
				{Kind: ServerErrorBefore, Match: Match{Probability: 0.002}},
				{Kind: Slow, Delay: "2s", Match: Match{Probability: 0.002}},
				{Kind: HTML504Before, Match: Match{Probability: 0.001}},
			},
		},
		{
			Name: "stormy", About: "a bad day: lags four times as long, three replicas, a fault in some twenty requests, answers lost after the effect",
			Params: with(paced(4, 2), map[string]string{paramReplicas: "3", paramReplica: "5s"}),
			Faults: append([]Fault{
				{Kind: ServerErrorBefore, Match: Match{Probability: 0.01}},
				{Kind: Slow, Delay: "3s", Match: Match{Probability: 0.01}},
				{Kind: ResetBefore, Match: Match{Probability: 0.005}},
				{Kind: Burst429, Match: Match{Probability: 0.005}},
				{Kind: NotFound404, Match: Match{Method: http.MethodGet, Path: "/v2/*/*", Probability: 0.005}},
			}, each(writes,
				Fault{Kind: ServerErrorAfter, Match: Match{Probability: 0.01}},
				Fault{Kind: HTML504, Match: Match{Probability: 0.01}},
				Fault{Kind: ResetAfter, Match: Match{Probability: 0.01}},
			)...),
		},
		{
			Name: "hostile", About: "what was ever reported, often: lags ten times as long, five replicas, a fault in every few requests",
			Params: with(paced(10, 2), map[string]string{paramReplicas: "5", paramReplica: "15s"}),
			Faults: append([]Fault{
				{Kind: ServerErrorBefore, Match: Match{Probability: 0.03}},
				{Kind: Slow, Delay: "5s", Match: Match{Probability: 0.03}},
				{Kind: ResetBefore, Match: Match{Probability: 0.02}},
				{Kind: Burst429, Match: Match{Probability: 0.02}},
				{Kind: NotFound404, Match: Match{Method: http.MethodGet, Path: "/v2/*/*", Probability: 0.02}},
				{Kind: TruncatedJSON, Match: Match{Method: http.MethodGet, Probability: 0.02}},
				{Kind: Empty200, Match: Match{Method: http.MethodGet, Probability: 0.01}},
				{Kind: DuplicateAcrossPages, Match: Match{Probability: 0.1}},
				{Kind: MissingAcrossPages, Match: Match{Probability: 0.1}},
				{Kind: UnknownStatus, Match: Match{Method: http.MethodGet, Probability: 0.02}},
				{Kind: ActionErrored, Match: Match{Method: http.MethodPost, Probability: 0.03}},
				{Kind: ActionStuck, Match: Match{Method: http.MethodPost, Probability: 0.005}},
			}, each(writes,
				Fault{Kind: ServerErrorAfter, Match: Match{Probability: 0.03}},
				Fault{Kind: HTML504, Match: Match{Probability: 0.03}},
				Fault{Kind: ResetAfter, Match: Match{Probability: 0.03}},
				Fault{Kind: ResetCommitLate, Delay: "20s", Match: Match{Probability: 0.02}},
			)...),
		},
	}
}

// paced are the parameters with every lag and everything else that takes its
// time multiplied.
func paced(lags, times int64) map[string]string {
	p := map[string]string{}
	for _, d := range Params() {
		if d.Max > 0 {
			continue
		}
		t, err := time.ParseDuration(d.Default)
		if err != nil {
			panic("dosim: the default of " + d.Name + " is no duration")
		}
		by := times
		if strings.HasPrefix(d.Name, "lag.") {
			by = lags
		}
		p[d.Name] = (t * time.Duration(by)).String()
	}
	return p
}

// with puts the values of more into p.
func with(p, more map[string]string) map[string]string {
	for k, v := range more {
		p[k] = v
	}
	return p
}

// each arms the faults for each of the methods.
func each(methods []string, faults ...Fault) []Fault {
	var all []Fault
	for _, m := range methods {
		for _, f := range faults {
			f.Match.Method = m
			all = append(all, f)
		}
	}
	return all
}

// Preset returns the name of the preset that was set last, "" when none was.
// Parameters and faults may have been changed since.
func (s *Sim) Preset() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.preset
}

// SetPreset gives every parameter the preset's value, or else its default, and
// puts the preset's faults in the place of those of the preset before. Faults
// that were armed one by one stay. A name that does not exist is a
// fault.Unprocessable.
func (s *Sim) SetPreset(name string) error {
	all := Presets()
	i := slices.IndexFunc(all, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		var names []string
		for _, p := range all {
			names = append(names, p.Name)
		}
		return fault.New(fault.Unprocessable, "There is no preset %q. There are: %s.", name, strings.Join(names, ", "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	next, err := newParams().with(all[i].Params)
	if err != nil {
		return err
	}
	s.params, s.preset = next, name
	s.renewTerms(at)
	e := entry{Params: next.text, Preset: &name}
	s.faults = slices.DeleteFunc(s.faults, func(f *armedFault) bool {
		if f.Preset != "" {
			e.Disarmed = append(e.Disarmed, f.ID)
		}
		return f.Preset != ""
	})
	for _, f := range all[i].Faults {
		armed, err := f.arm()
		if err != nil {
			return err
		}
		armed.Preset = name
		e.Faults = append(e.Faults, s.keepFault(armed))
	}
	return s.save(e)
}
