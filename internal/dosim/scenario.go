package dosim

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

//go:embed scenarios/*.yaml
var scenarios embed.FS

// A Scenario is what a cloud begins with: its weather, its tokens, and requests
// that were made before anybody looked. [ReadScenario] reads one.
type Scenario struct {
	About  string            `yaml:"about"`
	Preset string            `yaml:"preset"`
	Params map[string]string `yaml:"params"` // over the preset's
	Faults []Fault           `yaml:"faults"` // armed when everything is made
	Tokens []ScenarioToken   `yaml:"tokens"`
	Values map[string][]any  `yaml:"values"` // names and what they stand for, as if earlier steps had saved that
	Steps  []ScenarioStep    `yaml:"steps"`
}

// A ScenarioToken is a bearer token that is known beforehand.
type ScenarioToken struct {
	Token     string    `yaml:"token"` // begins with dop_v1_
	Account   string    `yaml:"account"`
	Scopes    []string  `yaml:"scopes"`
	ExpiresAt time.Time `yaml:"expires_at"`
	Purpose   string    `yaml:"purpose"`
}

// A ScenarioStep is one request of DigitalOcean's API, or many alike. In its path
// and its body's strings {n} is how many times it has been made, from 1, {n%50}
// that within 0–49, {uuid} one of its own, and {NAME} one of the scenario's values or what an earlier
// step saved under that name: by its nth request, beginning again after the last.
// A string that is nothing but a placeholder becomes what that stands for, a
// number maybe; {text NAME} is always text.
type ScenarioStep struct {
	Request string            `yaml:"request"` // "POST /v2/droplets"
	Seed    string            `yaml:"seed"`    // or a kind that is only listed, "database": its body is SeedThing's Data, {id} its answer
	Parent  string            `yaml:"parent"`  // of what is seeded
	Body    map[string]any    `yaml:"body"`
	Count   int               `yaml:"count"`   // 0: once
	Account string            `yaml:"account"` // empty: FirstAccount
	Ago     string            `yaml:"ago"`     // how long before now, a Go duration; steps are in the order of time
	Over    string            `yaml:"over"`    // the time over which its requests are spread, from then on; empty: they are made at once
	Save    map[string]string `yaml:"save"`    // name: where the answer has it, "droplet.id"
}

// Scenarios are the names of the scenarios that need no file.
func Scenarios() []string {
	files, err := fs.Glob(scenarios, "scenarios/*.yaml")
	if err != nil {
		panic("dosim: " + err.Error())
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "scenarios/"), ".yaml")
	}
	return files
}

// NamedScenario returns the scenario of that name; an unknown one is a
// fault.Unprocessable.
func NamedScenario(name string) (Scenario, error) {
	b, err := scenarios.ReadFile("scenarios/" + name + ".yaml")
	if err != nil {
		return Scenario{}, fault.New(fault.Unprocessable, "There is no scenario %q. There are: %s.", name, strings.Join(Scenarios(), ", "))
	}
	return ReadScenario(b)
}

// ReadScenario reads a scenario in YAML. Unknown keys and what cannot be are a
// fault.Unprocessable that says where.
func ReadScenario(text []byte) (Scenario, error) {
	var sc Scenario
	if err := yaml.UnmarshalWithOptions(text, &sc, yaml.Strict()); err != nil {
		return sc, fault.Wrap(fault.Unprocessable, err, "This is no scenario: %s.", yaml.FormatError(err, false, false))
	}
	for _, t := range sc.Tokens {
		if !strings.HasPrefix(t.Token, tokenPrefix) {
			return sc, fault.New(fault.Unprocessable, "A token begins with %s; %q does not.", tokenPrefix, t.Token)
		}
	}
	before := time.Duration(1<<63 - 1)
	for i, st := range sc.Steps {
		method, path, _ := strings.Cut(st.Request, " ")
		ago, err := time.ParseDuration(cmp.Or(st.Ago, "0s"))
		over, overErr := time.ParseDuration(cmp.Or(st.Over, "0s"))
		switch {
		case st.Seed != "" && (st.Request != "" || !slices.Contains(listedNames(), st.Seed)):
			return sc, fault.New(fault.Unprocessable, "Step %d seeds %q: that is none of %s, or it makes a request too.", i+1, st.Seed, strings.Join(listedNames(), ", "))
		case st.Seed == "" && (method == "" || !strings.HasPrefix(path, "/v2/")):
			return sc, fault.New(fault.Unprocessable, "The request of step %d is like \"POST /v2/droplets\", not %q.", i+1, st.Request)
		case err != nil || ago < 0 || ago > 10*maxParam:
			return sc, fault.New(fault.Unprocessable, "Step %d was made %q ago: that is no duration like \"720h\".", i+1, st.Ago)
		case overErr != nil || over < 0 || over > ago:
			return sc, fault.New(fault.Unprocessable, "Step %d goes on over %q: that is no duration like \"24h\", or it goes beyond now.", i+1, st.Over)
		case ago > before:
			return sc, fault.New(fault.Unprocessable, "Step %d comes before step %d, which was made longer ago.", i+1, i)
		case st.Count < 0 || st.Count > 1_000_000:
			return sc, fault.New(fault.Unprocessable, "Step %d is made %d times: that is not from 1 to a million.", i+1, st.Count)
		}
		before = ago - over
	}
	for name, all := range sc.Values {
		if len(all) == 0 || !isValueName(name) {
			return sc, fault.New(fault.Unprocessable, "The value %q has letters and digits for a name that is not n or uuid, and stands for something.", name)
		}
	}
	return sc, nil
}

// Play makes an empty cloud what the scenario says, as if its requests had been
// made when they say: with the lags of that time, and no fault. A request that
// is refused is a fault.Unprocessable, and the cloud is still empty then. One whose
// data is kept is as it was, its weather and its tokens too.
func (s *Sim) Play(sc Scenario) error {
	if !s.Empty() {
		return fault.New(fault.Conflict, "A scenario needs an empty cloud.")
	}
	if s.data != nil {
		rehearsal := New(Options{Seed: s.seed, Clock: NewClock(Stepped), Params: s.ParamValues(), GuestDial: dialNobody})
		defer rehearsal.Close()
		if err := rehearsal.Play(sc); err != nil {
			return err
		}
	}
	if sc.Preset != "" {
		if err := s.SetPreset(sc.Preset); err != nil {
			return err
		}
	}
	if err := s.SetParams(sc.Params); err != nil {
		return err
	}
	if err := s.begun(sc); err != nil {
		return err
	}
	for _, f := range sc.Faults {
		if _, err := s.addFault(f); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recording != nil {
		s.beginRecording() // what a scenario makes is what a recording begins with
	}
	return nil
}

func dialNobody(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("dosim: nobody is reached in a rehearsal")
}

// begun makes the scenario's tokens, and what its steps make.
func (s *Sim) begun(sc Scenario) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range sc.Tokens {
		if err := s.keepToken(t.Token, TokenSpec{cmp.Or(t.Account, FirstAccount), t.Scopes, t.ExpiresAt, t.Purpose}); err != nil {
			return err
		}
	}
	armed := s.faults
	s.faults = nil // nothing goes wrong yet
	defer func() {
		s.faults = armed
		if err != nil {
			s.events, s.world = nil, newWorld(s.seed)
			return
		}
		err = s.save(entry{})
	}()
	now := s.now()
	saved := map[string][]any{}
	for name, all := range sc.Values {
		saved[name] = slices.Clip(all)
	}
	for i, st := range sc.Steps {
		ago, _ := time.ParseDuration(cmp.Or(st.Ago, "0s"))
		over, _ := time.ParseDuration(cmp.Or(st.Over, "0s"))
		times := max(st.Count, 1)
		for n := 1; n <= times; n++ {
			at := now.Add(-ago + over/time.Duration(times)*time.Duration(n-1))
			s.settle(at)
			if err := s.makeStep(st, n, at, saved); err != nil {
				return fault.Wrap(fault.Unprocessable, err, "Step %d (%s), time %d: %v.", i+1, cmp.Or(st.Request, st.Seed), n, err)
			}
		}
	}
	s.settle(now)
	return nil
}

// makeStep makes a step's nth request.
func (s *Sim) makeStep(st ScenarioStep, n int, at time.Time, saved map[string][]any) error {
	fill := s.filler(n, saved)
	request, err := fill(st.Request)
	if err != nil {
		return err
	}
	method, target, _ := strings.Cut(fmt.Sprint(request), " ")
	filled, err := fillAll(st.Body, fill)
	if err != nil {
		return err
	}
	u, err := url.ParseRequestURI(cmp.Or(target, "/"))
	if err != nil {
		return fmt.Errorf("%q is no path", target)
	}
	c := s.callAs(cmp.Or(st.Account, FirstAccount), at)
	if err := checkAccount(c.account()); err != nil {
		return err
	}
	if st.Seed != "" {
		return c.makeSeed(st, fill, filled, saved)
	}
	c.r = &http.Request{Method: method, URL: u, Header: http.Header{}, Host: "api.digitalocean.com"}
	if c.body, err = json.Marshal(filled); err != nil {
		return err
	}
	sent := c.perform()
	body, err := json.Marshal(sent.body)
	if err != nil {
		return err
	}
	if sent.status >= http.StatusBadRequest {
		return fmt.Errorf("it is answered %d: %s", sent.status, body)
	}
	for name, where := range st.Save {
		var v any
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return err
		}
		for key := range strings.SplitSeq(where, ".") {
			o, _ := v.(map[string]any)
			v = o[key]
		}
		if v == nil {
			return fmt.Errorf("its answer has no %s", where)
		}
		saved[name] = append(saved[name], v)
	}
	return nil
}

// makeSeed makes a step's thing that no request can make. Of its answer only the
// id can be saved.
func (c *call) makeSeed(st ScenarioStep, fill func(string) (any, error), body any, saved map[string][]any) error {
	parent, err := fill(st.Parent)
	if err != nil {
		return err
	}
	data, _ := body.(map[string]any)
	id, err := c.seedThing(SeedThing{Kind: st.Seed, Account: c.account(), Parent: fmt.Sprint(parent), Data: data})
	for name, where := range st.Save {
		if where != "id" {
			return fmt.Errorf("its answer has no %s", where)
		}
		saved[name] = append(saved[name], id)
	}
	return err
}

// isValueName reports whether the name can stand in a placeholder and is no other.
func isValueName(name string) bool {
	return name != "" && name != "n" && name != "uuid" && onlyAlnumAnd(name, "_")
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// filler returns what replaces a text's placeholders in the nth request. A text
// that is nothing but one becomes the value itself, which may be a number.
func (s *Sim) filler(n int, saved map[string][]any) func(string) (any, error) {
	uuids := 0
	value := func(name string) (any, error) {
		switch name {
		case "n":
			return n, nil
		case "uuid":
			uuids++
			return uuid(s.seed, "scenario", strconv.Itoa(len(s.events)), strconv.Itoa(uuids)), nil
		}
		if of, ok := strings.CutPrefix(name, "n%"); ok {
			if m, err := strconv.Atoi(of); err == nil && m > 0 {
				return n % m, nil
			}
		}
		name, isText := strings.CutPrefix(name, "text ")
		if all := saved[name]; len(all) > 0 {
			v := all[(n-1)%len(all)]
			if isText {
				v = fmt.Sprint(v)
			}
			return v, nil
		}
		return nil, fmt.Errorf("nothing was saved as {%s}", name)
	}
	return func(text string) (any, error) {
		if len(text) > 2 && placeholder.FindString(text) == text {
			return value(text[1 : len(text)-1])
		}
		var failed error
		filled := placeholder.ReplaceAllStringFunc(text, func(p string) string {
			v, err := value(p[1 : len(p)-1])
			failed = cmp.Or(failed, err)
			return fmt.Sprint(v)
		})
		return filled, failed
	}
}

// fillAll fills every text within v.
func fillAll(v any, fill func(string) (any, error)) (any, error) {
	switch v := v.(type) {
	case string:
		return fill(v)
	case map[string]any:
		filled := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			child, err := fillAll(v[k], fill)
			if err != nil {
				return nil, err
			}
			filled[k] = child
		}
		return filled, nil
	case []any:
		filled := make([]any, len(v))
		for i := range v {
			child, err := fillAll(v[i], fill)
			if err != nil {
				return nil, err
			}
			filled[i] = child
		}
		return filled, nil
	}
	return v, nil
}
