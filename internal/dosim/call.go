package dosim

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A call is one request on its way through the simulator. Everything that reads
// or changes the world does so with Sim.mu held.
type call struct {
	sim      *Sim
	r        *http.Request
	id       string // the answer's x-request-id
	body     []byte
	bearer   string
	token    Token
	at       time.Time     // the instant at which it is served
	replica  int           // which replica answers, from 0
	spread   time.Duration // how far it may trail; 0: not at all
	widest   time.Duration // how far any replica may trail
	founding bool          // it makes what the account begins with
	quota    quota
	log      *Request
	values   map[string]string // of the path's variables
	alias    bool              // the path is a deprecated one
	send     response          // what it is answered, once it is served
}

// account is whose things the call sees.
func (c *call) account() string { return c.token.Account }

// serveAPI is DigitalOcean's front door.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		return // the client left in the middle of its own request
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()

	c, wait := s.begin(r, body)
	if wait > 0 {
		if s.clock.sleep(ctx, wait) == nil {
			s.resume(c)
		} else {
			c.send = response{cut: cutReset}
		}
	}
	s.logger.DebugContext(ctx, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", c.send.status), slog.String("request_id", c.id))
	c.send.to(ctx, w, c)
}

// begin enters the request in the journal, finds out who asks for what, and
// serves it unless a fault has it wait: then it is to be resumed after that time.
func (s *Sim) begin(r *http.Request, body []byte) (c *call, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c = &call{sim: s, r: r, body: body, at: s.now()}
	c.id = uuid(s.seed, "request", strconv.FormatInt(s.journal.seq+1, 10))
	c.log = s.journal.begin(Request{At: c.at, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, RequestID: c.id})
	c.bearer, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.chooseReplica()
	if s.recording != nil {
		s.hear(Input{
			At: c.at, Seq: c.log.Seq, Method: r.Method, Target: r.URL.RequestURI(), Token: c.bearer, Header: withoutToken(r), Body: body,
		})
	}

	before := c.bitten(beforeKinds()...)
	if before != nil && before.Kind == Slow {
		return c, max(before.delay(3*time.Second), 1)
	}
	c.serve(before)
	return c, 0
}

// resume serves a request that has waited.
func (s *Sim) resume(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.at = s.now()
	s.hear(Input{At: c.at, Seq: c.log.Seq, Resumed: true})
	c.serve(nil)
}

// chooseReplica settles which replica answers: any, or always the token's own.
func (c *call) chooseReplica() {
	p := c.sim.params
	by := strconv.FormatInt(c.log.Seq, 10)
	if p.on(paramSticky) {
		by = c.bearer
	}
	c.replica = int(hash(c.sim.seed, "replica", by) % uint64(p.number(paramReplicas)))
	if p.number(paramReplicas) > 1 {
		c.widest = p.duration(paramReplica)
	}
	if c.replica > 0 {
		c.spread = c.widest
	}
}

// serve decides what is sent back, faults included.
func (c *call) serve(before *armedFault) {
	s := c.sim
	known := c.identify()
	var send response
	switch {
	case s.broken():
		send = c.render(serverError(http.StatusInternalServerError))
	case before != nil:
		send = c.failBefore(before)
	case c.quota.Refused:
		send = c.render(tooManyRequests())
	case !known:
		send = c.render(unauthorized())
	default:
		a := c.perform()
		send = c.render(a)
		if a.status < 400 {
			send = c.failAfter(send)
		}
	}
	if s.save(entry{}) != nil {
		send = c.render(serverError(http.StatusInternalServerError))
	}
	c.log.Status = send.status
	c.send = send
}

// identify finds the token and counts the request against its limits. It
// reports whether the token is good.
func (c *call) identify() bool {
	s := c.sim
	t, known := s.tokens[c.bearer]
	if !known && !s.knownTokensOnly && strings.HasPrefix(c.bearer, tokenPrefix) {
		t, known = Token{TokenSpec: TokenSpec{Account: FirstAccount}}, true
	}
	key := c.bearer
	if !known {
		key = "" // strangers share one window
	}
	c.quota = s.bucket(key, "").take(c.at, s.params.number(paramHourly), s.params.number(paramBurst))
	c.token = t
	return known && t.good(c.at)
}

// perform finds the operation and lets it happen, if the token may.
func (c *call) perform() answer {
	rt, values, found := c.sim.router.find(c.r.Method, c.r.URL.Path)
	if !found {
		c.sim.journal.unknownPaths++
		return notFound()
	}
	if rt.limit != nil && !c.within(*rt.limit) {
		return tooManyRequests()
	}
	if !c.token.may(rt.scopes) && (rt.orScopes == nil || !c.token.may(rt.orScopes)) {
		return forbidden()
	}
	if len(c.body) > maxBody {
		return refusal(http.StatusRequestEntityTooLarge, "request_entity_too_large", "The request is too large.")
	}
	c.open()
	c.values, c.alias = values, rt.alias
	if rt.readsAction() {
		if f := c.bitten(ActionPoll404, ActionPoll500); f != nil {
			return map[FaultKind]answer{
				ActionPoll404: notFound(), ActionPoll500: serverError(http.StatusInternalServerError),
			}[f.Kind]
		}
	}
	events := len(c.sim.events)
	a := rt.serve(c)
	c.log.Committed = len(c.sim.events) > events
	c.vanish(events)
	return a
}

// record appends a change to the log, at the instant of the call.
func (c *call) record(ch change) { c.sim.record(c.at, ch) }

// callAs is a call that nobody sends: it sees the truth, and may everything.
func (s *Sim) callAs(account string, at time.Time) *call {
	return &call{sim: s, at: at, token: Token{TokenSpec: TokenSpec{Account: account}}, log: &Request{}}
}

// decode reads the request's JSON object into v. Keys that v does not have are
// ignored, as DigitalOcean does.
func (c *call) decode(v any) bool { return json.Unmarshal(c.body, v) == nil }

// A lateCall is a request whose client was told nothing and that takes effect later.
type lateCall struct {
	Method string      `json:"method"`
	Target string      `json:"target"`
	Token  string      `json:"token"`
	Header http.Header `json:"header,omitempty"` // but for the token
	Body   []byte      `json:"body"`
}

const dutyRequest = "request"

func lateResource() resource { return resource{duties: []duty{{dutyRequest, serveLate}}} }

// putOff has the call take effect when the fault's delay has passed.
func (c *call) putOff(f *armedFault) {
	seq := c.later(f.delay(10*time.Second), dutyRequest, lateCall{c.r.Method, c.r.URL.RequestURI(), c.bearer, withoutToken(c.r), c.body})
	c.sim.late[seq] = c.log
}

func serveLate(c *call, arg json.RawMessage) {
	var l lateCall
	if json.Unmarshal(arg, &l) != nil {
		return
	}
	u, err := url.ParseRequestURI(l.Target)
	if err != nil {
		return
	}
	c.r = &http.Request{Method: l.Method, URL: u, Header: l.Header, Body: http.NoBody}
	c.bearer, c.body = l.Token, l.Body
	seq := c.sim.world.due[0].seq
	if log := c.sim.late[seq]; log != nil {
		c.log = log
		delete(c.sim.late, seq)
	}
	if c.identify() && !c.quota.Refused {
		c.perform()
	}
}
