package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// A kind says what the things of one table are. From it comes everything that
// all kinds have in common: the events, the views and their lags, lists and
// pages, the truth, leaks, tags, membership in projects.
type kind[E entity] struct {
	name    string                 // "ssh_key": in events, URNs, /truth and lag.….ssh_key
	numbers int64                  // ids are numbers from about here; 0: they are UUIDs, or given by the family
	title   func(E) string         // its name in /truth; nil: the cloud keeps books in it, and /truth has none of it
	wire    func(c *call, e E) any // as the API shows it, without the key around it
	check   func(*world, E) error  // why one from outside cannot be; nil: it always can
	keys    func(E) []string       // what it is found under, see [table.under]; nil: nothing
	path    string                 // what its own address begins with, "/v2/account/keys/"
	tag     *tagKind               // how the tags' API calls it; nil: it takes no tags
	urn     string                 // the word in a project's URN; empty: projects have none of it
}

// A table keeps the things of one kind in the order of their making. What is
// deleted stays in all: the past remains countable.
type table[E entity] struct {
	kind[E]
	all     []E
	byID    map[tableKey]E
	shelves map[tableKey]*shelf[E]
	last    int64 // the newest id that is a number
}

// A tableKey is an id, or what a shelf's things have in common, within an account.
type tableKey struct{ account, key string }

// wholeAccount is the key of the shelf that has everything of an account.
const wholeAccount = ""

// A shelf is some things of one account in the order of their making. While one
// of them is within a lag, looking at it looks at each; else it is as it stands.
type shelf[E entity] struct {
	rows    []E
	settles time.Time // when lists show the truth of every row
	gone    bool      // some rows are deleted
	live    int       // rows that are not
}

// An anyTable is a table whatever its kind.
type anyTable interface {
	kindName() string
	urnWord() string
	tagKind() *tagKind
	address(th *thing) string
	blank() entity
	lookup(account, id string) entity // nil when there never was one
	existing(account, key string, at time.Time) []entity
	lately(account, key string, since, at time.Time) []entity
	called(e entity) string
	checkMade(w *world, e entity) error
	checkChanged(w *world, e entity) error
	make(e entity, seq int64)
	change(e entity, at time.Time)
	retag(c *call, e entity, name string, with bool)
	assign(c *call, e entity, project string)
	discard(c *call, id string)
	end(account, id string, at time.Time, linger time.Duration)
	truth(c *call, items []Item) []Item
}

// newTable returns an empty table. Numbers begin where the seed says, so that
// no client comes to rely on their values.
func newTable[E entity](seed uint64, k kind[E]) *table[E] {
	t := &table[E]{kind: k, byID: map[tableKey]E{}, shelves: map[tableKey]*shelf[E]{}}
	if k.numbers > 0 {
		t.last = k.numbers + int64(hash(seed, k.name)%uint64(k.numbers/10))
	}
	return t
}

// get returns what has or had the id.
func (t *table[E]) get(account, id string) (E, bool) {
	e, ok := t.byID[tableKey{account, id}]
	return e, ok
}

// find returns what has the id, if its own address shows it to the call.
func (t *table[E]) find(c *call, id string) (E, bool) {
	e, ok := t.get(c.account(), id)
	if !ok || !c.gettable(e.self()) {
		var none E
		return none, false
	}
	return e, true
}

// listed returns what lists show the call of its account. The result is the
// table's: it is to be read.
func (t *table[E]) listed(c *call) []E { return t.listedUnder(c, wholeAccount) }

// listedUnder is listed for what has the key.
func (t *table[E]) listedUnder(c *call, key string) []E {
	s := t.shelves[tableKey{c.account(), key}]
	if s == nil {
		return nil
	}
	if !c.at.Before(s.settles.Add(c.widest)) {
		if s.gone {
			s.rows = slices.DeleteFunc(slices.Clone(s.rows), func(e E) bool { return !e.self().Until.IsZero() })
			s.gone = false
		}
		return s.rows
	}
	return only(s.rows, func(e E) bool { return c.listed(e.self()) })
}

// under returns what is there in truth with the key: "name:web", "of:do:droplet:1",
// whatever the kind's keys say.
func (t *table[E]) under(c *call, key string) []E {
	s := t.shelves[tableKey{c.account(), key}]
	if s == nil {
		return nil
	}
	return only(s.rows, func(e E) bool { return e.self().exists(c.at) })
}

// reaches reports whether the account has n things or more.
func (t *table[E]) reaches(c *call, n int) bool {
	s := t.shelves[tableKey{c.account(), wholeAccount}]
	return s != nil && len(s.rows) >= n && len(t.under(c, wholeAccount)) >= n
}

// countUnder is how many there are under the key, or will be.
func (t *table[E]) countUnder(c *call, key string) int {
	if s := t.shelves[tableKey{c.account(), key}]; s != nil {
		return s.live
	}
	return 0
}

// newestUnder is what was made last of what lists may still show under the key.
func (t *table[E]) newestUnder(c *call, key string) (newest E, ok bool) {
	if s := t.shelves[tableKey{c.account(), key}]; s != nil && len(s.rows) > 0 {
		return s.rows[len(s.rows)-1], true
	}
	return newest, false
}

// only returns those of all that are so.
func only[E any](all []E, is func(E) bool) []E {
	var some []E
	for _, e := range all {
		if is(e) {
			some = append(some, e)
		}
	}
	return some
}

// newestFirst returns all in the opposite order.
func newestFirst[E any](all []E) []E {
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}

// create makes e, whose id, account, instants and project are settled here
// unless the family has settled them.
func (t *table[E]) create(c *call, e E) E {
	th := e.self()
	if th.ID == "" {
		th.ID = t.newID(c)
	}
	if th.Account == "" {
		th.Account = c.account()
	}
	if th.CreatedAt.IsZero() {
		th.CreatedAt = c.at
	}
	if th.life == (life{}) {
		th.life = c.newLife(t.name)
	}
	th.Unasked = th.Unasked || c.founding
	if t.urn != "" && th.Project == "" {
		th.Project, th.ProjectAt = c.defaultProject(), c.at
	}
	if h, ok := any(e).(tagHolder); ok {
		h.tags().Tags = c.ensureTags(h.tags().Tags)
	}
	c.record(&made{Kind: t.name, Thing: e})
	e, _ = t.get(th.Account, th.ID)
	return e
}

// newID returns an id that nothing has had.
func (t *table[E]) newID(c *call) string {
	if t.numbers > 0 {
		return strconv.FormatInt(t.last+1+int64(hash(c.sim.seed, t.name, strconv.FormatInt(t.last, 10))%7), 10)
	}
	return uuid(c.sim.seed, t.name, strconv.Itoa(len(c.sim.events)))
}

// update lets f change e, from now on.
func (t *table[E]) update(c *call, e E, f func(E)) {
	next := copyOf(e)
	next.self().was = nil
	f(next)
	c.record(&changed{Kind: t.name, Thing: next})
}

// remove deletes e and tells every family, see resource.gone.
func (t *table[E]) remove(c *call, e E) {
	th := e.self()
	c.record(&deleted{Kind: t.name, Account: th.Account, ID: th.ID, Linger: c.lag(paramListAfterDelete, t.name)})
	c.sim.gone(c, t.urnOf(th), e)
}

// urnOf is how the simulator calls a thing of the kind: in /truth, leaks and
// actions. A project's URN is another thing, see projectURN.
func (t *table[E]) urnOf(th *thing) string { return urn(t.name, th.ID) }

func urn(kind, id string) string { return "do:" + kind + ":" + id }

// render is e as the answering replica shows it.
func (t *table[E]) render(c *call, e E) any { return t.wire(c, shown(c, t.name, e)) }

// page is the page that the call asks for of some of the table's things.
func (t *table[E]) page(c *call, key string, listed []E) answer {
	return listPage(c, key, listed, func(e E) any { return t.render(c, e) })
}

// What follows is for the log and for other families, which do not know E.

func (t *table[E]) kindName() string         { return t.name }
func (t *table[E]) urnWord() string          { return t.urn }
func (t *table[E]) tagKind() *tagKind        { return t.tag }
func (t *table[E]) address(th *thing) string { return t.path + url.PathEscape(th.ID) }
func (t *table[E]) blank() entity            { return blank[E]() }

func (t *table[E]) lookup(account, id string) entity {
	if e, ok := t.get(account, id); ok {
		return e
	}
	return nil
}

func (t *table[E]) existing(account, key string, at time.Time) []entity {
	return t.lately(account, key, at, at)
}

// lately is existing for what was there at any instant from since to at.
func (t *table[E]) lately(account, key string, since, at time.Time) []entity {
	var all []entity
	if s := t.shelves[tableKey{account, key}]; s != nil {
		for _, e := range s.rows {
			if th := e.self(); !at.Before(th.From) && (th.Until.IsZero() || since.Before(th.Until)) {
				all = append(all, e)
			}
		}
	}
	return all
}

func (t *table[E]) called(e entity) string {
	mine, ok := e.(E)
	if !ok {
		return ""
	}
	return t.title(mine)
}

// assign puts e into a project.
func (t *table[E]) assign(c *call, e entity, project string) {
	if mine, ok := e.(E); ok {
		t.update(c, mine, func(next E) { next.self().Project, next.self().ProjectAt = project, c.at })
	}
}

// discard removes what has the id, if it is still there.
func (t *table[E]) discard(c *call, id string) {
	if e, ok := t.get(c.account(), id); ok && e.self().exists(c.at) {
		t.remove(c, e)
	}
}

// uri is a thing's own address, as the API tells it.
func (c *call) uri(t anyTable, e entity) string {
	if c.r == nil {
		return t.address(e.self())
	}
	return apiURL(c.r) + t.address(e.self())
}

func (t *table[E]) checkMade(w *world, e entity) error {
	mine, ok := e.(E)
	if !ok {
		return errors.New("there is nothing")
	}
	th := mine.self()
	if err := checkAccount(th.Account); err != nil {
		return err
	}
	if th.ID == "" || len(th.ID) > 255 {
		return fmt.Errorf("%s has no id", t.name)
	}
	if t.numbers > 0 {
		if n, err := strconv.ParseInt(th.ID, 10, 64); err != nil || n <= t.last && !t.leftAnother(w, th) {
			return fmt.Errorf("the %s id %s does not follow on %d", t.name, th.ID, t.last)
		}
	} else if old, ok := t.get(th.Account, th.ID); ok && old.self().Until.IsZero() {
		return fmt.Errorf("the %s %s is there already", t.name, th.ID)
	}
	if t.check != nil {
		return t.check(w, mine)
	}
	return nil
}

// leftAnother reports whether the id was of another account's thing that is gone
// from everywhere: such a thing may have moved, and keeps its number.
func (t *table[E]) leftAnother(w *world, th *thing) bool {
	left := false
	for account := range w.accounts {
		e, ok := t.get(account, th.ID)
		if ok && e.self().Until.IsZero() {
			return false
		}
		left = left || ok && account != th.Account
	}
	return left
}

func (t *table[E]) checkChanged(w *world, e entity) error {
	mine, ok := e.(E)
	if !ok {
		return errors.New("there is nothing")
	}
	if old, ok := t.get(mine.self().Account, mine.self().ID); !ok || !old.self().Until.IsZero() {
		return fmt.Errorf("there is no %s %s to change", t.name, mine.self().ID)
	}
	if t.check != nil {
		return t.check(w, mine)
	}
	return nil
}

// make takes up a copy of e: e is the event's.
func (t *table[E]) make(e entity, seq int64) {
	from, _ := e.(E)
	mine := copyOf(from)
	th := mine.self()
	th.Seq = seq
	if n, err := strconv.ParseInt(th.ID, 10, 64); err == nil && t.numbers > 0 {
		t.last = max(t.last, n)
	}
	id := tableKey{th.Account, th.ID}
	if old, ok := t.byID[id]; ok {
		for _, key := range t.keysOf(old) {
			t.take(old, key)
		}
	}
	t.all = append(t.all, mine)
	t.byID[id] = mine
	for _, key := range t.keysOf(mine) {
		t.put(mine, key)
	}
}

func (t *table[E]) change(e entity, at time.Time) {
	next, _ := e.(E)
	now, _ := t.get(next.self().Account, next.self().ID)
	was := copyOf(now)
	was.self().was = nil
	seq := now.self().Seq
	assign(now, next)
	now.self().Seq, now.self().changedAt, now.self().was = seq, at, was
	before, after := t.keysOf(was), t.keysOf(now)
	for _, key := range before {
		if !slices.Contains(after, key) {
			t.take(now, key)
		}
	}
	for _, key := range after {
		if !slices.Contains(before, key) {
			t.put(now, key)
		}
	}
}

func (t *table[E]) end(account, id string, at time.Time, linger time.Duration) {
	e, _ := t.get(account, id)
	e.self().end(at, linger)
	for _, key := range t.keysOf(e) {
		if s := t.shelves[tableKey{account, key}]; s != nil {
			s.gone = true
			s.live--
			s.settle(e.self())
		}
	}
}

func (t *table[E]) keysOf(e E) []string {
	keys := []string{wholeAccount}
	if t.keys != nil {
		keys = append(keys, t.keys(e)...)
	}
	if h, ok := any(e).(tagHolder); ok {
		for _, tag := range h.tags().Tags {
			keys = append(keys, tagKey(tag))
		}
	}
	if p := e.self().Project; p != "" {
		keys = append(keys, projectKey(p))
	}
	if h, ok := any(e).(networkHolder); ok && h.network().VPC != "" {
		keys = append(keys, vpcKey(h.network().VPC))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// put places e on a shelf among those made before and after it.
func (t *table[E]) put(e E, key string) {
	id := tableKey{e.self().Account, key}
	s := t.shelves[id]
	if s == nil {
		s = &shelf[E]{}
		t.shelves[id] = s
	}
	if n := len(s.rows); n == 0 || s.rows[n-1].self().Seq < e.self().Seq {
		s.rows = append(s.rows, e)
	} else {
		i, _ := slices.BinarySearchFunc(s.rows, e.self().Seq, func(r E, seq int64) int { return int(r.self().Seq - seq) })
		s.rows = slices.Insert(slices.Clone(s.rows), i, e)
	}
	if e.self().Until.IsZero() {
		s.live++
	} else {
		s.gone = true
	}
	s.settle(e.self())
}

func (t *table[E]) take(e E, key string) {
	s := t.shelves[tableKey{e.self().Account, key}]
	if s == nil {
		return
	}
	s.rows = slices.DeleteFunc(slices.Clone(s.rows), func(r E) bool { return r.self() == e.self() })
	if e.self().Until.IsZero() {
		s.live--
	}
}

func (s *shelf[E]) settle(t *thing) {
	for _, at := range []time.Time{t.List, t.Unlist} {
		if at.After(s.settles) {
			s.settles = at
		}
	}
}

func (t *table[E]) truth(c *call, items []Item) []Item {
	if t.title == nil {
		return items
	}
	for _, e := range t.all {
		th := e.self()
		if !th.exists(c.at) {
			continue
		}
		c.token.Account = th.Account
		data, err := json.Marshal(t.wire(c, e))
		if err != nil {
			panic("dosim: " + t.name + " is no JSON: " + err.Error())
		}
		items = append(items, Item{
			URN: t.urnOf(th), Kind: t.name, ID: th.ID, Name: t.title(e), Account: th.Account, CreatedAt: th.CreatedAt,
			Data: data, seq: th.Seq, unasked: th.Unasked,
		})
	}
	return items
}
