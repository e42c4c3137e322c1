package digitalocean

import (
	"cmp"
	"context"
	"time"
)

// A Call is one sending of a request, for whoever keeps a record of them: what
// went over the wire or was refused before it, without token, query and body.
type Call struct {
	Method    string
	Path      string // "/v2/droplets/1/actions"
	Attempt   int    // from 1; a request that may be sent again is another Call each time
	Status    int    // HTTP status; 0 when there was no answer
	RequestID string // x-request-id; empty when there was none
	Took      time.Duration
	Unsent    bool   // nothing left this process
	Kind      Kind   // of the failure; empty when the answer was proper
	Error     string // DigitalOcean's words or ours, as in Error.Message

	// Things are what a change made, or is about beside what its path names, as
	// "do:droplet:1"; empty unless it was accepted.
	Things []string
}

type observerKey struct{}

// WithObserver returns a context whose calls are told to see, each when it has
// ended, in the goroutine of its caller. see must not block and must not panic.
// Like a Capability it travels in the context, so that the verbs stay plain
// functions and the client knows nothing of who asks.
func WithObserver(ctx context.Context, see func(Call)) context.Context {
	return context.WithValue(ctx, observerKey{}, see)
}

// observed tells ctx's observer, if there is one, how a call ended.
func (t *transport) observed(ctx context.Context, c Call, e *Error) {
	see, ok := ctx.Value(observerKey{}).(func(Call))
	if !ok {
		return
	}
	secret := t.token.Reveal()
	c.Path, c.RequestID = clean(c.Path, secret), clean(c.RequestID, secret)
	if e != nil {
		c.Kind, c.Unsent = e.Kind, e.Unsent
		c.Error = cmp.Or(clean(e.Message, secret), string(e.Kind))
	}
	see(c)
}
