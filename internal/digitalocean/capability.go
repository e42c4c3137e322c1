package digitalocean

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Capability is a saga step's leave to change things at DigitalOcean. It
// travels in the context of the call; the write guard lets nothing pass that it
// does not name.
type Capability struct {
	Saga  string // id
	Step  string // name
	Epoch int64  // the lease under which the step runs
	Kind  string // of the saga

	Tenant string // whose stack it changes, for a freeze of the tenant; empty: nobody's

	Permits []Permit

	// Valid answers nil while the step may still act: its lease lasts and it is
	// not cancelled. It is the last thing asked before the request goes to the
	// socket. nil means never allowed.
	Valid func() error
	// Sent is called when a request is about to leave. A retried DELETE calls
	// it, and Answered, once for each time that it is sent.
	Sent func()
	// Answered is called after Sent with whether the outcome is known: true for
	// every definite answer, refusals included, and when no connection came
	// about; false after a timeout, a reset, a 5xx, HTML, an empty or a cut body.
	Answered func(known bool)
}

// A Permit names one change exactly. Requests know their own.
type Permit struct {
	Method   string // "POST"
	Template string // "/v2/droplets/{id}/actions"
	Target   string // the thing in the path, "do:droplet:123"; where the path names none, the account, "account:main"
	Name     string // for a create, the full marker that the new thing gets; empty where nothing can carry one
	Body     []byte // exactly what is sent; empty: nothing

	// Temporary is set for a deletion of what the saga put up only for its own time, and
	// nobody has data on: no cap counts it.
	Temporary bool
}

type capabilityKey struct{}

// WithCapability returns a context whose calls may change what capability names.
func WithCapability(ctx context.Context, capability *Capability) context.Context {
	return context.WithValue(ctx, capabilityKey{}, capability)
}

func mutates(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// guard is the write guard: it answers nil when the request, as it will be
// written, may leave now. It is called directly before the socket.
func (t *transport) guard(req *http.Request, body []byte) (*Capability, mutation, *Error) {
	ctx := req.Context()
	path := req.URL.Path
	refuse := func(kind fault.Kind, format string, args ...any) (*Capability, mutation, *Error) {
		return nil, mutation{}, refusal(req.Method, path, fault.New(kind, format, args...))
	}
	m, target, known := mutationOf(t.account, req.Method, path)
	if !known || req.URL.RawQuery != "" || req.URL.ForceQuery || req.URL.RawPath != "" {
		return refuse(fault.Forbidden, "Arcadia does not send %s %s.", req.Method, path)
	}
	if t.purpose != Provisioning {
		return refuse(fault.Forbidden, "A change needs the provisioning token, not the %s token: arcadia token set provisioning", t.purpose)
	}
	capability, _ := ctx.Value(capabilityKey{}).(*Capability)
	if capability == nil || capability.Valid == nil {
		return refuse(fault.Forbidden, "%s %s changes something and no saga step asked for it.", req.Method, path)
	}
	permit, permitted := capability.permits(m, target, body)
	if !permitted {
		return refuse(fault.Forbidden, "Step %s of saga %s may not send %s %s as it stands.", capability.Step, capability.Saga, req.Method, path)
	}
	if t.freeze != nil {
		if err := t.freeze(ctx, t.account, capability.Tenant); err != nil {
			e := refusal(req.Method, path, fault.Wrap(fault.Conflict, err, "Changes to account %s are frozen.", t.account))
			return nil, mutation{}, e
		}
	}
	if t.destroys != nil && m.destructive(body) {
		if err := t.destroys(ctx, Destruction{Account: t.account, Saga: capability.Saga, Target: target, Temporary: permit.Temporary}); err != nil {
			return nil, mutation{}, refusal(req.Method, path, err)
		}
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < t.timeout {
		// Cut off on its way, it would be one more whose outcome nobody knows.
		return refuse(fault.Unavailable, "%s %s was not sent: its answer might come after the time that is left for it.", req.Method, path)
	}
	if err := capability.Valid(); err != nil {
		e := refusal(req.Method, path, fault.Wrap(fault.Conflict, err, "Step %s of saga %s may no longer act: %v.", capability.Step, capability.Saga, err))
		return nil, mutation{}, e
	}
	m.sent = body
	return capability, m, nil
}

// permits finds the permit that names exactly this change.
func (c *Capability) permits(m mutation, target string, body []byte) (Permit, bool) {
	for _, p := range c.Permits {
		if p.Method != m.method || p.Template != m.template || p.Target != target {
			continue
		}
		if bytes.Equal(body, p.Body) && m.carries(p) {
			return p, true
		}
	}
	return Permit{}, false
}

// A Destruction is about to happen: a thing is deleted, or what is on its disk is
// written over.
type Destruction struct {
	Account string
	Saga    string
	Target  string // "do:droplet:123"

	Temporary bool // the saga put it up for its own time
}
