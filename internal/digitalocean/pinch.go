package digitalocean

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A pinch is a limit of its own that DigitalOcean sets on a few paths, beside
// those on everything (reference B).
type pinch struct {
	method string // empty: every method
	path   string // every path that begins so
	limit  int    // requests in any span
	span   time.Duration
}

// pinches are one request below what DigitalOcean says: its windows are
// described, not measured.
var pinches = []pinch{
	{http.MethodGet, "/v2/account/keys", 9, time.Minute},
	{"", "/v2/cdn/endpoints", 4, 10 * time.Second},
}

func (p pinch) covers(method, path string) bool {
	return (p.method == "" || p.method == method) && (path == p.path || strings.HasPrefix(path, p.path+"/"))
}

// A narrows keeps requests within the pinches, for one token.
type narrows struct {
	mu       sync.Mutex
	inFlight []int
	ended    [][]time.Time // when answers came in the last span, oldest first
	freed    chan struct{} // closed, and made anew, when a request has ended
}

func newNarrows() *narrows {
	return &narrows{
		inFlight: make([]int, len(pinches)), ended: make([][]time.Time, len(pinches)), freed: make(chan struct{}),
	}
}

// acquire waits until a request may go, and returns what to call once it has
// ended. Like Budget.acquire it refuses at once what would have to wait for too
// long.
func (n *narrows) acquire(ctx context.Context, method, path string, answer time.Duration) (done func(), _ *Error) {
	for i, p := range pinches {
		if p.covers(method, path) {
			return n.await(ctx, i, p, answer)
		}
	}
	return func() {}, nil
}

func (n *narrows) await(ctx context.Context, i int, p pinch, answer time.Duration) (func(), *Error) {
	for {
		n.mu.Lock()
		now := time.Now()
		for len(n.ended[i]) > 0 && !n.ended[i][0].Add(p.span).After(now) {
			n.ended[i] = n.ended[i][1:]
		}
		if n.inFlight[i]+len(n.ended[i]) < p.limit {
			n.inFlight[i]++
			n.mu.Unlock()
			return func() { n.done(i) }, nil
		}
		pause := p.span // for one that is under way to end and grow old
		if len(n.ended[i]) > 0 {
			pause = n.ended[i][0].Add(p.span).Sub(now)
		}
		freed := n.freed
		n.mu.Unlock()
		if deadline, bounded := ctx.Deadline(); bounded && now.Add(pause+answer).After(deadline) {
			return nil, &Error{Kind: RateLimited, Unsent: true, RetryAfter: pause, Message: "our own budget for " + p.path + " is used up"}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-freed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil, &Error{Kind: RateLimited, Unsent: true, Message: "our own budget for " + p.path + " is used up", cause: ctx.Err()}
		}
	}
}

func (n *narrows) done(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inFlight[i]--
	n.ended[i] = append(n.ended[i], time.Now())
	close(n.freed)
	n.freed = make(chan struct{})
}
