package provisioning

import (
	"context"
	"slices"
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
	askers  map[string]time.Time // when each last asked
	last    any                  // a digitalocean.List; nil: none came about yet
	began   time.Time            // when the request for last did
	tried   time.Time            // when one was last asked for, whatever came of it
	pages   int                  // of last
	running chan struct{}        // closed when the one that is under way ends; nil: none is
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

// shared is a list that began at since or later, for a step. ok is false where so few
// ask for it that each does better on its own. The error may be a Wait.
func shared[T any](ctx context.Context, l *looks, key string, since time.Time, read func(context.Context) (digitalocean.List[T], error)) (v view[T], ok bool, err error) {
	a := saga.Current(ctx)
	v, ok, err = ask(ctx, l, string(a.Saga), key, since, a.Now, read)
	if ok && err == nil && v.began.IsZero() {
		err = saga.Wait(v.next, "waiting for the next list of %s", key)
	}
	return v, ok, err
}

// A reading is where lists come from: for a step, or for a plan.
type reading struct {
	looks   *looks
	account string
	asker   string // of a plan
	step    bool   // else a plan
}

// forStep reads lists that began when the step did or later. Its errors may be a Wait.
func (p *Steps) forStep(account string) reading {
	return reading{looks: p.looks, account: account, step: true}
}

// forPlan reads lists that may be a minute old where many plans are made at once.
func (p *Steps) forPlan(asker, account string) reading {
	return reading{looks: p.looks, account: account, asker: asker}
}

// listed is a list, shared where many want it.
func listed[T any](ctx context.Context, r reading, list string, read func(context.Context) (digitalocean.List[T], error)) ([]T, error) {
	key := r.account + " " + list
	if r.step {
		if v, ok, err := shared(ctx, r.looks, key, saga.Current(ctx).IntentAt, read); ok {
			return slices.Clone(v.items), err
		}
	} else {
		lately := time.Now().Add(-crowdFor * r.looks.poll)
		if v, ok, err := ask(ctx, r.looks, r.asker, key+" of the last minute", lately, time.Now, read); ok && (err != nil || !v.began.IsZero()) {
			return slices.Clone(v.items), err
		}
	}
	l, err := read(ctx)
	return l.Items, err
}

// ask is shared for anybody. The view is empty, but for next, where there is no such list
// before then.
func ask[T any](ctx context.Context, l *looks, asker, key string, since time.Time, clock func() time.Time, read func(context.Context) (digitalocean.List[T], error)) (v view[T], ok bool, err error) {
	for {
		now := clock()
		l.mu.Lock()
		one := l.all[key]
		if one == nil {
			one = &look{askers: map[string]time.Time{}, pages: 1}
			l.all[key] = one
		}
		if !one.crowded(asker, now, crowdFor*l.poll) {
			l.mu.Unlock()
			return v, false, nil
		}
		next := one.tried.Add(one.pace(l.poll))
		if list, has := one.last.(digitalocean.List[T]); has && !one.began.Before(since) {
			l.mu.Unlock()
			return view[T]{list.Items, one.began, next}, true, nil
		}
		running := one.running
		switch {
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
			return view[T]{next: next}, true, nil
		}
		running = make(chan struct{})
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
func (l *look) crowded(of string, now time.Time, within time.Duration) bool {
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
