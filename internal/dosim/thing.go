package dosim

import (
	"reflect"
	"strconv"
	"time"
)

// A thing is what every resource has, of whatever kind. A kind embeds it first.
//
// Fields of a thing are changed with [table.change] alone, and a slice in one is
// replaced, never written into: the past shares it.
type thing struct {
	life
	ID        string    `json:"id"`
	Account   string    `json:"account"`
	CreatedAt time.Time `json:"created_at"`
	Unasked   bool      `json:"unasked,omitempty"`   // it came along with another, or with the account: no leak
	Project   string    `json:"project,omitempty"`   // the id of the project it is assigned to
	ProjectAt time.Time `json:"project_at,omitzero"` // since when

	changedAt time.Time // by the newest change, zero before the first
	was       entity    // what it was before that
}

func (t *thing) self() *thing { return t }

// number is an id as the number that it is, 0 when it is none.
func number(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// An entity is a pointer to a struct that embeds a thing.
type entity interface{ self() *thing }

// blank returns a new E that is empty, and copyOf one that is like e.
func blank[E entity]() E {
	e, _ := reflect.New(reflect.TypeFor[E]().Elem()).Interface().(E)
	return e
}

func copyOf[E entity](e E) E {
	like := blank[E]()
	assign(like, e)
	return like
}

// assign makes to what from is.
func assign[E entity](to, from E) { reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem()) }

// A life is when a thing is there, and when each way of looking at it shows so.
// Every instant is fixed when it becomes known; a zero one has not come to be.
type life struct {
	Seq    int64     `json:"-"`               // of the event that made it
	From   time.Time `json:"from"`            // it is there
	Get    time.Time `json:"get"`             // its own address shows it
	List   time.Time `json:"list"`            // lists show it
	Tagged time.Time `json:"tagged,omitzero"` // lists by the tags it was made with show it
	Until  time.Time `json:"until,omitzero"`  // it is gone, and its own address answers 404
	Unlist time.Time `json:"unlist,omitzero"` // lists have ceased to show it
}

// exists is the truth, which no client sees.
func (l life) exists(at time.Time) bool {
	return !at.Before(l.From) && (l.Until.IsZero() || at.Before(l.Until))
}

// end deletes the thing at at; lists go on showing it for linger.
func (l *life) end(at time.Time, linger time.Duration) { l.Until, l.Unlist = at, at.Add(linger) }

// newLife is the life of what is made now, with the lags of its kind.
func (c *call) newLife(kind string) life {
	return life{
		From: c.at, Get: c.at.Add(c.lag(paramGetAfterCreate, kind)), List: c.at.Add(c.lag(paramListAfterCreate, kind)),
		Tagged: c.at.Add(c.lag(paramTag, kind)),
	}
}

// lag is a lag's length for a kind of thing: its own, or else everybody's.
func (c *call) lag(param, kind string) time.Duration { return c.sim.params.durationFor(param, kind) }

// reached reports whether the answering replica knows what becomes known at at.
// It hashes only what is within the reach of some replica's lag.
func (c *call) reached(l *life, at time.Time) bool {
	if c.at.Before(at) {
		return false
	}
	return c.spread == 0 || !c.at.Before(at.Add(c.spread)) || !c.at.Before(at.Add(c.behind(l)))
}

// behind is how far the answering replica trails for a thing.
func (c *call) behind(l *life) time.Duration {
	if c.spread == 0 {
		return 0
	}
	return time.Duration(hash(c.sim.seed, "behind", strconv.Itoa(c.replica), strconv.FormatInt(l.Seq, 10)) % uint64(c.spread))
}

// gettable, listed and listedByTag are the views of the call's account. A
// deletion is never hidden from the thing's own address: there a 404 is the truth.
func (c *call) gettable(t *thing) bool {
	return t.Account == c.account() && c.reached(&t.life, t.Get) && (t.Until.IsZero() || c.at.Before(t.Until))
}

func (c *call) listed(t *thing) bool {
	return t.Account == c.account() && c.reached(&t.life, t.List) && (t.Unlist.IsZero() || !c.reached(&t.life, t.Unlist))
}

// shown is e as the answering replica knows it: for a while after a change,
// what it was before.
func shown[E entity](c *call, kind string, e E) E {
	t := e.self()
	if was, ok := t.was.(E); ok && !c.reached(&t.life, t.changedAt.Add(c.lag(paramUpdate, kind))) {
		return was
	}
	return e
}
