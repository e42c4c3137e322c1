package dosim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// SetParams gives the named parameters new values and leaves the others. A name
// that does not exist or a value that does not fit is a fault.Unprocessable,
// and nothing has changed then.
func (s *Sim) SetParams(set map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	next, err := s.params.with(set)
	if err != nil {
		return err
	}
	s.params = next
	s.renewTerms(at)
	return s.save(entry{Params: next.text})
}

// ParamValues returns every parameter's value in force, by name.
func (s *Sim) ParamValues() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.params.text)
}

// AddFault arms a fault and returns its id; the fault's own ID and Hits are
// ignored. It panics when the fault cannot be, as regexp.MustCompile does.
func (s *Sim) AddFault(f Fault) (id string) {
	id, err := s.addFault(f)
	if err != nil {
		panic("dosim: " + err.Error())
	}
	return id
}

func (s *Sim) addFault(f Fault) (id string, err error) {
	f.Preset = ""
	armed, err := f.arm()
	if err != nil {
		return "", err
	}
	if err := f.says(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now() // what fell due before is not this fault's to strike
	kept := s.keepFault(armed)
	return kept.ID, s.save(entry{Faults: []faultState{kept}})
}

// keepFault takes the fault up among those that may strike.
func (s *Sim) keepFault(f *armedFault) faultState {
	s.armed++
	f.ID, f.Hits = "fault_"+strconv.Itoa(s.armed), 0
	s.faults = append(s.faults, f)
	return faultState{Fault: f.Fault}
}

// Faults returns the armed faults in the order of their arming, spent ones too.
func (s *Sim) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := []Fault{}
	for _, f := range s.faults {
		faults = append(faults, f.Fault)
	}
	return faults
}

// DeleteFault disarms a fault. An unknown id is a fault.NotFound.
func (s *Sim) DeleteFault(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now() // what fell due before, this fault may strike
	i := slices.IndexFunc(s.faults, func(f *armedFault) bool { return f.ID == id })
	if i < 0 {
		return fault.New(fault.NotFound, "There is no fault %q.", id)
	}
	s.faults = slices.Delete(s.faults, i, i+1)
	return s.save(entry{Disarmed: []string{id}})
}

// Mark remembers the present and returns its number, from 1, for [Sim.Leaks].
func (s *Sim) Mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	s.marks = append(s.marks, int64(len(s.events)))
	_ = s.save(entry{Marks: s.marks[len(s.marks)-1:]})
	return len(s.marks)
}

// A Leak is something that was created after a mark and is still there.
type Leak struct {
	URN       string    `json:"urn"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// Leaks returns what was asked for after the mark and is there now, whatever the
// API shows; mark 0 is the beginning. Actions are no things, a snapshot is none
// until its action has ended, and what came along with another thing,
// or with the account, is no leak. It panics when the mark was never made: no
// leak after it would prove nothing.
func (s *Sim) Leaks(mark int) []Leak {
	leaks, err := s.leaks(mark)
	if err != nil {
		panic("dosim: " + err.Error())
	}
	return leaks
}

func (s *Sim) leaks(mark int) ([]Leak, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if mark < 0 || mark > len(s.marks) {
		return nil, fault.New(fault.NotFound, "There is no mark %d.", mark)
	}
	var since int64
	if mark > 0 {
		since = s.marks[mark-1]
	}
	leaks := []Leak{}
	for _, i := range s.truth("", at) {
		if i.seq > since && i.Kind != kindAction && !i.unasked {
			leaks = append(leaks, Leak{i.URN, i.Name, i.CreatedAt})
		}
	}
	return leaks, nil
}

// Truth returns what is there now of one kind, of all kinds when it is empty,
// in the order of creation and without any lag. A kind that does not exist has
// nothing.
func (s *Sim) Truth(kind string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truth(kind, s.now())
}

func (s *Sim) truth(kind string, at time.Time) []Item {
	items := []Item{}
	for _, t := range s.world.order {
		if kind == "" || kind == t.kindName() {
			items = t.truth(s.callAs("", at), items)
		}
	}
	slices.SortStableFunc(items, func(a, b Item) int { return cmp.Compare(a.seq, b.seq) })
	return items
}

// kinds are the kinds that there are.
func kinds() []string {
	var names []string
	for _, t := range newWorld(0).order {
		names = append(names, t.kindName())
	}
	return names
}

// CreateToken makes a bearer token and returns it. It panics when a scope or
// the account's name cannot be.
func (s *Sim) CreateToken(spec TokenSpec) string {
	t, err := s.createToken(spec)
	if err != nil {
		panic("dosim: " + err.Error())
	}
	return t
}

func (s *Sim) createToken(spec TokenSpec) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	n := strconv.Itoa(len(s.tokens))
	text := tokenPrefix + strings.ReplaceAll(uuid(s.seed, "token", n)+uuid(s.seed, "secret", n), "-", "")
	spec.Account = cmp.Or(spec.Account, FirstAccount)
	return text, s.keepToken(text, spec)
}

// keepToken makes the text a bearer token. s.mu must be held.
func (s *Sim) keepToken(text string, spec TokenSpec) error {
	if err := spec.check(); err != nil {
		return err
	}
	s.tokens[text] = Token{Token: text, TokenSpec: spec}
	return s.save(entry{Tokens: []Token{s.tokens[text]}})
}

// RevokeToken ends a token that [Sim.CreateToken] made: it is answered 401 from
// now on. An unknown one is a fault.NotFound; a second revocation changes nothing.
func (s *Sim) RevokeToken(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now() // what fell due before still had the token
	t, known := s.tokens[text]
	if !known {
		return fault.New(fault.NotFound, "There is no token %q that was made here.", text)
	}
	if t.RevokedAt.IsZero() {
		t.RevokedAt = s.now()
		s.tokens[text] = t
	}
	return s.save(entry{Tokens: []Token{t}})
}

// Tokens returns the tokens that were made, sorted by their text.
func (s *Sim) Tokens() []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokensByText()
}

func (s *Sim) tokensByText() []Token {
	return slices.SortedFunc(maps.Values(s.tokens), func(a, b Token) int { return strings.Compare(a.Token, b.Token) })
}

// A SeedDroplet says what droplet a test or a demo begins with. Empty fields
// take a default: droplet-N, nyc3, s-1vcpu-1gb, ubuntu-24-04-x64, [FirstAccount].
type SeedDroplet struct {
	Name    string
	Region  string // slug
	Size    string // slug
	Image   string // slug
	Tags    []string
	Account string
}

// SeedDroplet puts a droplet there that is active and shown everywhere at once,
// and returns its id. It panics when DigitalOcean would refuse such a droplet.
func (s *Sim) SeedDroplet(seed SeedDroplet) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	events := len(s.events)
	name := cmp.Or(seed.Name, fmt.Sprintf("droplet-%d", len(s.world.droplets.all)+1))
	body := createDropletBody{
		Name: &name, Region: cmp.Or(seed.Region, "nyc3"), Size: cmp.Or(seed.Size, "s-1vcpu-1gb"),
		Image: []byte(cmp.Or(seed.Image, "ubuntu-24-04-x64")), Tags: seed.Tags,
	}
	c := s.callAs(cmp.Or(seed.Account, FirstAccount), at)
	if err := checkAccount(c.account()); err != nil {
		panic("dosim: " + err.Error())
	}
	c.open()
	d, err := body.droplet(c)
	if err != nil {
		panic("dosim: " + err.Error())
	}
	d.life = everShown(at)
	c.place(d)
	d = s.world.droplets.create(c, d)
	c.record(&made{kindAction, &action{
		thing: thing{life: everShown(at), ID: s.world.actions.newID(c), Account: d.Account, CreatedAt: at},
		Of:    dropletURN(d.ID), Type: "create", ResourceType: kindDroplet, ResourceID: number(d.ID), Region: d.Region,
		EndsAt: at, ShowsAt: at, Result: resultCompleted,
	}})
	s.hearChange(entry{Events: slices.Clone(s.events[events:])})
	if err := s.save(entry{}); err != nil {
		panic("dosim: " + err.Error())
	}
	return number(d.ID)
}
