// Package feed reads the feed of all sagas once for everybody in this process who
// follows along, whatever surface they look at.
package feed

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Page is how many notes one look reads.
const Page = 500

const (
	poll     = 400 * time.Millisecond // other nodes' commits are found by looking
	rest     = 20 * time.Millisecond  // between two looks, however much changes
	buffer   = 256                    // notes that a listener may be behind
	patience = 5 * time.Second        // how long a missing number may still be on its way
)

// A Feed passes on what changes to whoever listens. Run has to run beside it.
//
// Numbers are given before their commit, so a later one may be seen first. It goes
// on only up to the first missing number, and gives that up when it has been
// missing for longer than a commit may take: else a listener that resumes after the
// last number that it got would miss what came late.
type Feed struct {
	engine *saga.Engine
	log    *slog.Logger

	mu        sync.Mutex
	at        int64 // everything up to here was passed on or given up; -1 before the first look
	listeners map[*Listener]struct{}
	ready     chan struct{} // closed after the first look
	over      bool

	passed map[int64]time.Time // when a number beyond the first missing one was first seen
}

// A Listener gets what comes after the number that it began at.
type Listener struct {
	Notes chan saga.Note // closed when it fell behind or the feed ended

	saga saga.ID // empty: all
}

// New returns the feed of an engine's sagas.
func New(e *saga.Engine, log *slog.Logger) *Feed {
	return &Feed{
		engine: e, log: log, at: -1, ready: make(chan struct{}),
		listeners: map[*Listener]struct{}{}, passed: map[int64]time.Time{},
	}
}

// Listen returns a listener of one saga, or of all where of is empty, and the number
// after which its notes begin. It waits for the feed's first look. Whoever listens
// ends that with Leave.
func (f *Feed) Listen(ctx context.Context, of saga.ID) (l *Listener, after int64, err error) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l = &Listener{saga: of, Notes: make(chan saga.Note, buffer)}
	if f.over {
		close(l.Notes)
	} else {
		f.listeners[l] = struct{}{}
	}
	return l, f.at, nil
}

// Leave ends a listener; it may have ended already.
func (f *Feed) Leave(l *Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, l)
}

// Position is the number up to which everything was passed on.
func (f *Feed) Position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// Run reads what changes until ctx is done, and then ends every listener.
func (f *Feed) Run(ctx context.Context) {
	defer f.end()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		changed := f.engine.Changed()
		more, err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.log.WarnContext(ctx, "read the feed of sagas", "err", err)
		}
		if more {
			continue
		}
		t.Reset(poll)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			continue
		case <-changed:
		}
		t.Reset(rest)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// look reads what is new and passes it on, and reports whether there is more.
func (f *Feed) look(ctx context.Context) (more bool, err error) {
	at := f.Position()
	if at < 0 {
		if at, err = f.begin(ctx); err != nil {
			return false, err
		}
	}
	notes, err := f.engine.Feed(ctx, at, Page)
	if err != nil {
		return false, err
	}
	settled := f.settled(at, notes, time.Now())
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range notes[:settled] {
		f.at = n.Feed
		for l := range f.listeners {
			f.pass(l, n)
		}
	}
	return settled == Page, nil
}

// begin finds where the feed stands: before whatever number is missing among the
// newest, for it may still be on its way.
func (f *Feed) begin(ctx context.Context) (int64, error) {
	end, err := f.engine.FeedEnd(ctx)
	if err != nil {
		return 0, err
	}
	newest, err := f.engine.Feed(ctx, max(0, end-Page), Page)
	if err != nil {
		return 0, err
	}
	at := end
	for i := 1; i < len(newest); i++ {
		if newest[i].Feed != newest[i-1].Feed+1 {
			at = newest[i-1].Feed
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = at
	close(f.ready)
	return at, nil
}

// settled counts how many of the notes after at may be passed on: up to the first
// missing number, unless what stands behind it has been seen for long enough.
func (f *Feed) settled(at int64, notes []saga.Note, now time.Time) int {
	n := 0
	for ; n < len(notes); n++ {
		number := notes[n].Feed
		seen, ok := f.passed[number]
		if number != at+1 && (!ok || now.Sub(seen) < patience) {
			break
		}
		delete(f.passed, number)
		at = number
	}
	for _, late := range notes[n:] {
		if _, ok := f.passed[late.Feed]; !ok {
			f.passed[late.Feed] = now
		}
	}
	return n
}

// pass gives a note to a listener, or ends the listener when it fell behind: it
// comes back and says what it got last.
func (f *Feed) pass(l *Listener, n saga.Note) {
	if l.saga != "" && l.saga != n.ID {
		return
	}
	select {
	case l.Notes <- n:
	default:
		close(l.Notes)
		delete(f.listeners, l)
	}
}

func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for l := range f.listeners {
		close(l.Notes)
		delete(f.listeners, l)
	}
	if f.at < 0 {
		f.at = 0
		close(f.ready)
	}
}
