package digitalocean

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"
)

// DigitalOcean's limits per token: a sliding hour and a sliding minute of a
// twentieth of it (reference B; docs.digitalocean.com, rate limit). The reserves stay free for changes, so that a sweep of reads
// never keeps a saga from cleaning up. The minute's reserve costs the reads
// nothing that lasts: what is left to them spends the hour in half of it.
const (
	hourlyLimit = 5000
	minuteLimit = 250

	hourlyReserve = 250
	minuteReserve = 60

	hourlyMargin = 50 // never used: the server's windows are not measured, only described
	minuteMargin = 5
)

const (
	soonProbe = 5 * time.Second  // how long others' use is believed while some of the limit is left
	lateProbe = 10 * time.Second // how long a refusal is believed that names no time to come
	crowdStep = 10               // requests a minute that a further refusal leaves to others, at least
	crowdFor  = 10 * time.Minute // how long others are believed to crowd the minute; then half of them
)

// A lane is a class of requests, each with a line of its own. A read goes only
// while more than the reserve is free: when writes have to wait, every read does.
type lane int

const (
	writes lane = iota
	reads
)

// A Budget keeps the requests of one token inside DigitalOcean's limits, so that
// none is refused for its rate: it lets a request go only when the limits have
// room, whichever way the requests under way are counted. Share one among all
// clients of a token, and use it for that token alone. It is safe for
// concurrent use.
//
// A request counts from when it is let go until an hour (a minute) after its
// answer: it reached the server somewhere between, so that no window of the
// server's can hold more than ours does.
type Budget struct {
	mu       sync.Mutex
	limit    int         // requests an hour, as the server last said
	inFlight int         // let go and not answered
	ended    []time.Time // when answers came in the last hour, oldest first

	// What others use of the same token, as the remaining count betrays.
	others     int
	othersSeen time.Time // the sending of the request whose answer said so
	review     time.Time // from when on one request may go to ask again

	// The same for the minute. Its remaining count is not told: others are
	// noticed by a refusal only.
	crowd       int
	crowdSeen   time.Time
	crowdReview time.Time

	closedUntil time.Time // a 429 said to wait
	queues      [2][]*waiter

	narrows *narrows // limits of single paths
}

type waiter struct {
	turn chan struct{} // a hint that the waiter may be the first now
}

// NewBudget returns a budget that assumes the default limits until an answer
// says otherwise.
func NewBudget() *Budget { return &Budget{limit: hourlyLimit, narrows: newNarrows()} }

// A slot is leave for one request. Exactly one of done and unused is called.
type slot struct {
	budget *Budget
	sent   time.Time
}

// acquire waits for leave to send. When the wait would leave less than answer of
// the context's time, or the context ends, it answers RateLimited, not sent, at
// once: a request whose answer nobody can wait for is sent for nothing.
func (b *Budget) acquire(ctx context.Context, l lane, answer time.Duration) (slot, *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	me := &waiter{turn: make(chan struct{}, 1)}
	b.queues[l] = append(b.queues[l], me)
	for {
		now := time.Now()
		ahead := slices.Index(b.queues[l], me)
		free := b.free(now, l, ahead+1)
		if ahead == 0 && !free.After(now) && ctx.Err() == nil {
			b.leave(me, l)
			b.inFlight++
			return slot{b, now}, nil
		}
		deadline, bounded := ctx.Deadline()
		if ctx.Err() != nil || bounded && free.After(now) && free.Add(answer).After(deadline) {
			b.leave(me, l)
			return slot{}, &Error{
				Kind: RateLimited, Unsent: true, RetryAfter: free.Sub(now),
				Message: "our own budget for this token is used up", cause: ctx.Err(),
			}
		}
		b.await(ctx, me, ahead == 0, free.Sub(now))
	}
}

// await unlocks until something may have changed for me.
func (b *Budget) await(ctx context.Context, me *waiter, first bool, pause time.Duration) {
	b.mu.Unlock()
	defer b.mu.Lock()
	var due <-chan time.Time // only the first of the line watches the clock
	if first {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-me.turn:
	case <-ctx.Done():
	}
}

// leave takes a waiter out of its line and tells the next.
func (b *Budget) leave(me *waiter, l lane) {
	if i := slices.Index(b.queues[l], me); i == 0 {
		b.queues[l] = b.queues[l][1:]
	} else if i > 0 {
		b.queues[l] = slices.Delete(b.queues[l], i, i+1)
	}
	b.hint()
}

// hint tells the first of each line to look again.
func (b *Budget) hint() {
	for _, line := range b.queues {
		if len(line) > 0 {
			select {
			case line[0].turn <- struct{}{}:
			default:
			}
		}
	}
}

// free is the earliest time at which the n-th request from now on may go: now
// itself, or a lower bound that gets exact as the request comes to the front.
func (b *Budget) free(now time.Time, l lane, n int) time.Time {
	b.prune(now)
	hour, minute := b.limit-hourlyMargin*b.limit/hourlyLimit, b.perMinute()-minuteMargin
	if l == reads {
		hour -= hourlyReserve * b.limit / hourlyLimit
		minute -= minuteReserve
	}
	own := b.inFlight + len(b.ended)
	if b.others > 0 && !now.Before(b.review) {
		// It may be long ago that others used it: one request may ask.
		b.others = min(b.others, max(0, hour-own-1))
		b.review = now.Add(lateProbe)
	}
	if b.crowd > 0 && !now.Before(b.crowdReview) {
		b.crowd /= 2
		b.crowdReview = now.Add(crowdFor)
	}
	at := now
	if b.closedUntil.After(at) {
		at = b.closedUntil
	}
	hourly := b.window(now, time.Hour, hour-b.others, n)
	if b.others > 0 && hourly.After(b.review) {
		hourly = b.review
	}
	for _, t := range []time.Time{hourly, b.window(now, time.Minute, minute-b.crowd, n)} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// perMinute is the limit of a minute. No answer says it: who was given more an hour has
// as much more a minute, and a refusal tells where that is not so.
func (b *Budget) perMinute() int { return max(minuteLimit, b.limit*minuteLimit/hourlyLimit) }

// window is free for one limit over one sliding span.
func (b *Budget) window(now time.Time, span time.Duration, limit, n int) time.Time {
	recent := b.ended[b.since(now.Add(-span)):]
	short := b.inFlight + len(recent) + n - limit // how many have to leave the window first
	switch {
	case short <= 0:
		return now
	case short <= len(recent):
		return recent[short-1].Add(span)
	}
	// Requests under way, or still in line, have to end and grow old first.
	return now.Add(span * time.Duration(1+(short-len(recent)-1)/max(limit, 1)))
}

// since is the index of the first answer after at.
func (b *Budget) since(at time.Time) int {
	return sort.Search(len(b.ended), func(i int) bool { return b.ended[i].After(at) })
}

// prune forgets answers that are older than the longest window.
func (b *Budget) prune(now time.Time) {
	b.ended = b.ended[b.since(now.Add(-time.Hour)):]
}

// unused gives the slot back: nothing was sent.
func (s slot) unused() {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.inFlight--
	s.budget.hint()
}

// done counts the request as answered, or given up, now and learns from the
// answer's headers; status is 0 and h nil when there was none.
func (s slot) done(status int, h http.Header) {
	b, now := s.budget, time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	b.ended = append(b.ended, now)
	b.learn(s.sent, now, status, h)
	b.hint()
}

func (b *Budget) learn(sent, now time.Time, status int, h http.Header) {
	refused := status == http.StatusTooManyRequests
	if after := retryAfter(h); refused && after > 0 {
		// The burst's refusal: its remaining count is not the hour's.
		b.closedUntil = latest(b.closedUntil, now.Add(after))
		if !sent.Before(b.crowdSeen) { // the first of several that were under way
			own := b.inFlight + len(b.ended) - b.since(now.Add(-time.Minute))
			b.crowd = min(max(b.crowd+crowdStep, b.perMinute()-own), b.perMinute()-minuteReserve-crowdStep)
			b.crowdSeen, b.crowdReview = now, now.Add(crowdFor)
		}
		return
	}
	if limit, err := strconv.Atoi(h.Get("Ratelimit-Limit")); err == nil && limit > 0 {
		b.limit = limit
	}
	remaining, err := strconv.Atoi(h.Get("Ratelimit-Remaining"))
	if err != nil || remaining < 0 {
		if refused {
			b.closedUntil = latest(b.closedUntil, now.Add(lateProbe))
		}
		return
	}
	if sent.Before(b.othersSeen) {
		return // an older view than the one we have
	}
	// Ours that the server had surely counted when it answered: those answered
	// before this one was sent, and this one. What was under way beside it may
	// pass for others' until the next answer; that errs to the safe side.
	ours := 1 + b.since(sent)
	b.others, b.othersSeen = max(0, b.limit-remaining-ours), sent
	b.review = now.Add(soonProbe)
	if remaining == 0 {
		// The reset is when the oldest request leaves the window; it may lie in
		// the past.
		b.review = now.Add(lateProbe)
		if reset, err := strconv.ParseInt(h.Get("Ratelimit-Reset"), 10, 64); err == nil {
			b.review = earliest(latest(b.review, time.Unix(reset, 0)), now.Add(time.Hour))
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
