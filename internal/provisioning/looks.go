package provisioning

import (
	"context"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Looks are lists of DigitalOcean's that the sagas of this process share. A saga that is
// alone asks for its thing by its id, which costs one request. Where many ask for
// things of one list at once, all wait for the same list, and each is told by it what
// it would have asked for.
type looks struct {
	poll time.Duration

	mu  sync.Mutex
	all map[string]*look // by account and list
}

// A look is one list.
type look struct {
	askers  map[saga.ID]time.Time // when each last asked
	last    any                   // a digitalocean.List; nil: none came about yet
	began   time.Time             // when the request for last did
	tried   time.Time             // when one was last asked for, whatever came of it
	pages   int                   // of last
	running chan struct{}         // closed when the one that is under way ends; nil: none is
}

const (
	crowd     = 3  // so many sagas ask for each page of a list before the list is cheaper
	crowdFor  = 12 // polls in which they do
	crowdPace = 25 // askers that make the next list wait for one poll more
	slowest   = 24 // polls between two lists, at most
)

func newLooks(poll time.Duration) *looks { return &looks{poll: poll, all: map[string]*look{}} }

// A view is what a shared list says.
type view[T any] struct {
	items []T
	began time.Time // when it was asked for, by Attempt.Now
	next  time.Time // when a newer one may be
}

// shared is a list that began at since or later. ok is false where so few ask for it
// that each does better on its own. The error may be a Wait.
func shared[T any](ctx context.Context, l *looks, key string, since time.Time, read func(context.Context) (digitalocean.List[T], error)) (v view[T], ok bool, err error) {
	a := saga.Current(ctx)
	for {
		now := a.Now()
		l.mu.Lock()
		one := l.all[key]
		if one == nil {
			one = &look{askers: map[saga.ID]time.Time{}, pages: 1}
			l.all[key] = one
		}
		if !one.crowded(a.Saga, now, crowdFor*l.poll) {
			l.mu.Unlock()
			return v, false, nil
		}
		next := one.tried.Add(one.pace(l.poll))
		if list, has := one.last.(digitalocean.List[T]); has && !one.began.Before(since) {
			v = view[T]{list.Items, one.began, next}
			l.mu.Unlock()
			return v, true, nil
		}
		switch running := one.running; {
		case running != nil && !one.tried.Before(since):
			l.mu.Unlock()
			select {
			case <-running:
			case <-ctx.Done():
				return v, true, ctx.Err()
			}
			continue
		case running != nil || now.Before(next):
			l.mu.Unlock()
			return v, true, saga.Wait(next, "waiting for the next list of %s", key)
		}
		running := make(chan struct{})
		one.running, one.tried = running, now
		l.mu.Unlock()

		list, err := read(ctx)
		l.mu.Lock()
		if err == nil {
			one.last, one.began, one.pages = list, now, 1+len(list.Items)/200
		}
		one.running = nil
		l.mu.Unlock()
		close(running)
		if err != nil {
			return v, true, err
		}
	}
}

// crowded notes that a saga asks, and reports whether so many do that a list is cheaper.
func (l *look) crowded(of saga.ID, now time.Time, within time.Duration) bool {
	l.askers[of] = now
	if len(l.askers) <= crowd*l.pages {
		return false
	}
	for other, at := range l.askers {
		if now.Sub(at) > within {
			delete(l.askers, other)
		}
	}
	return len(l.askers) > crowd*l.pages
}

// pace is how long after one list the next may follow: the longer, the more it costs
// and the more it tells at once.
func (l *look) pace(poll time.Duration) time.Duration {
	return time.Duration(min(slowest, l.pages*(1+len(l.askers)/crowdPace))) * poll
}

// heard are the ends of actions that the watcher saw and told sagas of this process.
type heard struct {
	mu  sync.Mutex
	all map[int64]digitalocean.Action
}

// mostHeard bounds what is kept for sagas that may have gone to another process.
const mostHeard = 20_000

func (h *heard) tell(a digitalocean.Action) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) >= mostHeard || h.all == nil {
		h.all = map[int64]digitalocean.Action{}
	}
	h.all[a.ID] = a
}

// of is what was heard of an action, once.
func (h *heard) of(id int64) (digitalocean.Action, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.all[id]
	delete(h.all, id)
	return a, ok
}
