package digitalocean

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const (
	maxAnswer   = 16 << 20 // bytes of one body; a page of 200 droplets has about 2 MB
	maxAttempts = 4        // of a request that may be sent again
	firstPause  = 200 * time.Millisecond
	longPause   = 5 * time.Second
)

// transport is what stands between godo and the socket. It answers either a
// proper 2xx response, read to its end, or an *Error; godo sees nothing else.
// Redirects are among the errors, so that nobody follows one.
type transport struct {
	next         http.RoundTripper
	scheme, host string // the only place the token goes to
	account      string
	purpose      Purpose
	token        vault.Secret
	timeout      time.Duration
	pause        time.Duration // before the second try, about; doubled for each further one
	budget       *Budget
	freeze       func(ctx context.Context, account, tenant string) error
	destroys     func(context.Context, Destruction) error
	log          *slog.Logger
}

// RoundTrip sends a request: once if it is a POST or PATCH, else again, with
// jitter, while the answer is no proper one and the context's deadline allows.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	body, err := bodyOf(req)
	if err != nil {
		return nil, err
	}
	var unknown *Error // the first attempt whose outcome is not known
	for attempt := 1; ; attempt++ {
		call := Call{Method: req.Method, Path: req.URL.Path, Attempt: attempt}
		resp, e := t.attempt(req, body, &call)
		t.observed(ctx, call, e)
		if e == nil {
			return resp, nil
		}
		if e.Kind == Unknown && unknown == nil {
			unknown = e
		}
		pause, again := t.retryPause(e, attempt)
		if again && wait(ctx, pause) {
			t.log.Warn("digitalocean: trying again", "method", e.Method, "path", e.Path,
				"status", e.Status, "kind", string(e.Kind), "attempt", attempt+1)
			continue
		}
		if unknown != nil && e.Kind != NotFound {
			// What an earlier attempt left open, a later refusal does not settle.
			e = unknown
		}
		return nil, e.say(t.account, t.purpose)
	}
}

// attempt sends the request once, and writes into call how that went.
func (t *transport) attempt(req *http.Request, body []byte, call *Call) (*http.Response, *Error) {
	if req.URL.Scheme != t.scheme || req.URL.Host != t.host {
		return nil, refusal(req.Method, req.URL.Path, fault.New(fault.Internal, "The token does not go to %s.", req.URL.Host))
	}
	lane := reads
	if mutates(req.Method) {
		lane = writes
	}
	ended, err := t.budget.narrows.acquire(req.Context(), req.Method, req.URL.Path, t.timeout)
	if err != nil {
		err.Method, err.Path = req.Method, req.URL.Path
		return nil, err
	}
	defer ended()
	slot, err := t.budget.acquire(req.Context(), lane, t.timeout)
	if err != nil {
		err.Method, err.Path = req.Method, req.URL.Path
		return nil, err
	}
	var capability *Capability
	var change mutation
	if lane == writes {
		if capability, change, err = t.guard(req, body); err != nil {
			slot.unused()
			return nil, err
		}
	}
	began := time.Now()
	resp, answer, left, err := t.send(req, body, capability)
	if err == nil {
		err = t.judge(req, resp, answer, change)
	}
	if capability != nil && capability.Answered != nil {
		capability.Answered(err == nil || err.Kind != Unknown)
	}
	call.Took = time.Since(began)
	header := http.Header(nil)
	if resp != nil {
		call.Status, call.RequestID, header = resp.StatusCode, resp.Header.Get("X-Request-Id"), resp.Header
	}
	if left {
		slot.done(call.Status, header)
	} else {
		slot.unused()
	}
	t.log.Debug("digitalocean", "method", req.Method, "path", req.URL.Path, "status", call.Status, "took", call.Took)
	if err != nil {
		return nil, err
	}
	if change.things != nil {
		call.Things = change.things(gjson.ParseBytes(answer), gjson.ParseBytes(body))
	}
	resp.Request, resp.Body = req, io.NopCloser(bytes.NewReader(answer))
	return resp, nil
}

// send writes one request and reads its answer to the end, all within the
// timeout. left reports whether anything can have left this process.
func (t *transport) send(req *http.Request, body []byte, capability *Capability) (resp *http.Response, answer []byte, left bool, _ *Error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	out := req.Clone(ctx)
	out.Header.Set("Authorization", "Bearer "+t.token.Reveal())
	out.Body, out.ContentLength = http.NoBody, 0
	if len(body) > 0 {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	out.GetBody = nil // so that net/http cannot send it again by itself

	if capability != nil && capability.Sent != nil {
		capability.Sent()
	}
	resp, err := t.next.RoundTrip(out)
	if _, std := t.next.(*http.Transport); !std && !failedToConnect(err) {
		connected.Store(true) // a transport of the caller's own need not report its connections
	}
	if err == nil {
		answer, err = readAnswer(resp)
	}
	if err != nil {
		return resp, nil, connected.Load(), t.broken(req, resp, err, connected.Load())
	}
	return resp, answer, true, nil
}

// failedToConnect reports whether err alone shows that there was no connection.
func failedToConnect(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

var errTooLong = errors.New("the answer is longer than 16 MiB")

func readAnswer(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }() // it has been read; there is nothing to act on
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = errTooLong
	}
	return answer, err
}

// broken is the error of a request that got no whole answer.
func (t *transport) broken(req *http.Request, resp *http.Response, err error, connected bool) *Error {
	e := &Error{Kind: Unavailable, Method: req.Method, Path: req.URL.Path, Unsent: !connected, cause: req.Context().Err()}
	if connected && mutates(req.Method) {
		e.Kind = Unknown
	}
	if resp != nil {
		e.Status = resp.StatusCode
	}
	text := err.Error()
	switch {
	case req.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded):
		text = fmt.Sprintf("no answer within %s", t.timeout)
	case !connected:
		text = fmt.Sprintf("%s cannot be reached (%s)", t.host, innermost(err))
	}
	e.Message = clean(text, t.token.Reveal())
	return e
}

// innermost is an error without the operations and addresses around it.
func innermost(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// judge says what a whole answer means: nil for a proper 2xx.
func (t *transport) judge(req *http.Request, resp *http.Response, answer []byte, change mutation) *Error {
	e := &Error{
		Status: resp.StatusCode, Method: req.Method, Path: req.URL.Path,
		RequestID: clean(resp.Header.Get("X-Request-Id"), t.token.Reveal()),
	}
	unclear := Unavailable
	if mutates(req.Method) {
		unclear = Unknown
	}
	if status := resp.StatusCode; status >= 200 && status < 300 {
		if flaw := flawOf(req, resp, answer, change); flaw != "" {
			e.Kind, e.Message = unclear, flaw
			return e
		}
		return nil
	}
	words, proper := envelope(resp, answer)
	e.Message = clean(words, t.token.Reveal())

	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests: // whoever says so did not carry it out
		e.Kind, e.RetryAfter = RateLimited, retryAfter(resp.Header)
	case status < 400 || status >= 500 || status == http.StatusRequestTimeout || !proper:
		e.Kind = unclear
		if !proper {
			e.Message = fmt.Sprintf("status %d with a body that is not DigitalOcean's (%s, %d bytes)", status, sortOf(answer), len(answer))
		}
	case spoken(status, e.Message) != "":
		e.Kind = spoken(status, e.Message)
	case status == http.StatusUnauthorized:
		e.Kind = Unauthorized
	case status == http.StatusForbidden:
		e.Kind = Forbidden
	case status == http.StatusNotFound:
		e.Kind = NotFound
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		e.Kind = Conflict
	default:
		e.Kind = Unprocessable
	}
	return e
}

// sayings are refusals whose status says something else than they mean: all of them
// end when what they speak of has ended. The number is the quirk's (reference C).
var sayings = []struct {
	status int
	words  string
	kind   Kind
}{
	{http.StatusUnprocessableEntity, "pending event", PendingEvent},                // 1
	{http.StatusForbidden, "while it processes previous actions", PendingEvent},    // 16
	{http.StatusForbidden, "can not delete vpc with members", Conflict},            // 15: members that are long gone
	{http.StatusUnprocessableEntity, "already attached", Conflict},                 // 13: maybe to what it should be
	{http.StatusUnprocessableEntity, "attachment not found", Conflict},             // 13: maybe it is detached already
	{http.StatusNotFound, "not attached to droplet", Conflict},                     // 13
	{http.StatusBadRequest, "assigned flip cannot be released", Conflict},          // 27
	{http.StatusUnprocessableEntity, "assigned flip cannot be released", Conflict}, // 27
	{http.StatusUnprocessableEntity, "name is not unique", Conflict},               // 17: maybe it is ours
	{http.StatusUnprocessableEntity, "duplicate name", Conflict},                   // 17, as firewalls say it
	{http.StatusUnprocessableEntity, "already exists", Conflict},                   // 17
	{http.StatusUnprocessableEntity, "is assigned to a droplet", Conflict},         // 27, as IPv4 says it
	{http.StatusUnprocessableEntity, "will exceed your droplet limit", Quota},
	{http.StatusUnprocessableEntity, "reserved ip limit", Quota},
	{http.StatusForbidden, "limit exceeded", Quota}, // of volumes
}

// spoken is what a refusal's words say, "" where its status says it.
func spoken(status int, message string) Kind {
	message = strings.ToLower(message)
	for _, s := range sayings {
		if s.status == status && strings.Contains(message, s.words) {
			return s.kind
		}
	}
	return ""
}

// flawOf says what is wrong with the body of a 2xx answer, "" for nothing.
func flawOf(req *http.Request, resp *http.Response, answer []byte, change mutation) string {
	switch {
	case change.silent && (resp.StatusCode != http.StatusNoContent || len(answer) > 0):
		return fmt.Sprintf("status %d and %d bytes where 204 and nothing is due", resp.StatusCode, len(answer))
	case len(answer) == 0 && (change.silent || req.Method == http.MethodDelete):
		return ""
	}
	if !isJSON(resp, answer) {
		return fmt.Sprintf("status %d with a body that is not whole JSON (%s, %d bytes)", resp.StatusCode, sortOf(answer), len(answer))
	}
	if change.proves != nil && !change.proves(answer, req.URL.Path, change.sent) {
		return fmt.Sprintf("status %d with a body that does not say what was done", resp.StatusCode)
	}
	return ""
}

// envelope reads DigitalOcean's error form; proper is false for anything else,
// whose text is never kept.
func envelope(resp *http.Response, answer []byte) (message string, proper bool) {
	var form struct{ ID, Message string }
	if !isJSON(resp, answer) || json.Unmarshal(answer, &form) != nil || form.ID == "" {
		return "", false
	}
	if form.Message == "" {
		return form.ID, true
	}
	return form.Message, true
}

// isJSON reports whether the body is one whole JSON object and not declared to
// be something else.
func isJSON(resp *http.Response, body []byte) bool {
	declared := resp.Header.Get("Content-Type")
	body = bytes.TrimSpace(body)
	return (declared == "" || strings.Contains(declared, "json")) && bytes.HasPrefix(body, []byte("{")) && json.Valid(body)
}

// sortOf names the sort of a body without quoting it.
func sortOf(body []byte) string {
	switch body = bytes.TrimSpace(body); {
	case len(body) == 0:
		return "empty"
	case body[0] == '<':
		return "HTML"
	case body[0] == '{' && !json.Valid(body):
		return "cut short"
	case json.Valid(body):
		return "JSON"
	}
	return "text"
}

// retryPause says whether a request that ended so is sent again, and when.
func (t *transport) retryPause(e *Error, attempt int) (time.Duration, bool) {
	if e.Method == http.MethodPost || e.Method == http.MethodPatch || attempt >= maxAttempts || e.cause != nil {
		return 0, false
	}
	switch e.Kind {
	case RateLimited: // the hourly limit gives no retry-after: that is for the caller to wait out
		return e.RetryAfter, !e.Unsent && e.RetryAfter > 0
	case Unavailable, Unknown:
		most := min(t.pause<<(attempt-1), longPause)
		return most/2 + rand.N(most/2), true
	}
	return 0, false
}

// wait pauses, unless the context would end before the pause does.
func wait(ctx context.Context, pause time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the header's seconds; 0 when there is none. The hourly 429
// has only ratelimit-reset, which may lie in the past (reference B).
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Hour)
}

// bodyOf takes a request's body out, bounded as our own few are small.
func bodyOf(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }() // it is a buffer of godo's
	body, err := io.ReadAll(io.LimitReader(req.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("request body: %w", err)
	}
	return body, nil
}
