package dosim

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A cut says how an exchange ends that has no full answer.
type cut int

const (
	cutNone  cut = iota
	cutReset     // the connection is reset
	cutHang      // nothing is said until the client goes
	cutShort     // half of the announced body, then the end
)

// A response is what is sent, byte for byte.
type response struct {
	status int
	header http.Header
	body   []byte
	cut    cut
}

// render turns an answer into DigitalOcean's bytes and headers.
func (c *call) render(a answer) response {
	if e, ok := a.body.(envelope); ok {
		e.RequestID = c.id
		a.body = e
	}
	h := http.Header{}
	h.Set("Date", c.at.Format(http.TimeFormat))
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Request-Id", c.id)
	h.Set("X-Gateway", "Edge-Gateway")
	h.Set("X-Response-From", "service")
	h.Set("Ratelimit-Limit", strconv.Itoa(c.quota.Limit))
	h.Set("Ratelimit-Remaining", strconv.Itoa(c.quota.Remaining))
	h.Set("Ratelimit-Reset", strconv.FormatInt(c.quota.Reset.Unix(), 10))
	if c.quota.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(c.quota.RetryAfter.Seconds()))))
	}
	switch body := a.body.(type) {
	case nil:
		return response{status: a.status, header: h}
	case file:
		h.Set("Content-Type", body.contentType)
		h.Set("Content-Disposition", `attachment; filename="`+body.name+`"`)
		return response{status: a.status, header: h, body: body.data}
	}
	return response{status: a.status, header: h, body: marshal(a.body)}
}

// A jsonAppender appends itself as json.Marshal would write it.
type jsonAppender interface{ appendJSON(b []byte) []byte }

// scratch are buffers in which answers are put together.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// marshal is v as JSON, in no more memory than it takes.
func marshal(v any) []byte {
	buffer := scratch.Get().(*[]byte)
	defer scratch.Put(buffer)
	*buffer = appendJSON((*buffer)[:0], v)
	return bytes.Clone(*buffer)
}

// appendJSON appends v as json.Marshal writes it.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case jsonAppender:
		return v.appendJSON(b)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, key), ':')
			b = appendJSON(b, v[key])
		}
		return append(b, '}')
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("dosim: an answer is no JSON: " + err.Error())
	}
	return append(b, text...)
}

// failBefore is the answer to a request that a fault stops before its effect.
func (c *call) failBefore(f *armedFault) response {
	switch f.Kind {
	case ServerErrorBefore:
		return c.render(serverError(f.Status))
	case HTML504Before:
		return c.html504()
	case ResetBefore:
		return response{cut: cutReset}
	case ResetCommitLate:
		c.putOff(f)
		return response{cut: cutReset}
	case Hang:
		return response{cut: cutHang}
	case Burst429:
		c.quota.Remaining, c.quota.RetryAfter = 0, time.Minute
		return c.render(tooManyRequests())
	case Hourly429:
		c.quota.Remaining = 0
		return c.render(tooManyRequests())
	case ResetInPast:
		c.quota.Remaining, c.quota.Reset = 0, c.at.Add(-136*time.Second)
		return c.render(tooManyRequests())
	case Expired401:
		return c.render(unauthorized())
	case Scope403:
		return c.render(forbidden())
	case NotFound404:
		return c.render(notFound())
	case Conflict409:
		return c.render(refusal(http.StatusConflict, "conflict", "The resource is being changed by another request."))
	case Precondition412:
		return c.render(refusal(http.StatusPreconditionFailed, "precondition_failed", "The resource is not ready for the attempted action."))
	case Pending422:
		return c.render(pendingEvent())
	}
	panic("dosim: " + string(f.Kind) + " does not strike before the effect")
}

// failAfter spoils the answer to a request that has had its effect.
func (c *call) failAfter(good response) response {
	kinds := []FaultKind{ServerErrorAfter, HTML504, ResetAfter, HangAfter}
	if len(good.body) > 0 {
		kinds = append(kinds, TruncatedJSON, Empty200, UnknownFields)
	}
	if bytes.Contains(good.body, []byte(`"price_monthly"`)) {
		kinds = append(kinds, PriceChange)
	}
	f := c.bitten(kinds...)
	if f == nil {
		return good
	}
	switch f.Kind {
	case ServerErrorAfter:
		return c.render(serverError(f.Status))
	case HTML504:
		return c.html504()
	case ResetAfter:
		return response{cut: cutReset}
	case HangAfter:
		return response{cut: cutHang}
	case TruncatedJSON:
		good.cut = cutShort
		return good
	case Empty200:
		return response{status: http.StatusOK, header: good.header}
	case UnknownFields:
		good.body = rewritten(good.body, addUnknown)
		return good
	case PriceChange:
		good.body = rewritten(good.body, raisePrices)
		return good
	}
	panic("dosim: " + string(f.Kind) + " does not strike after the effect")
}

func serverError(status int) answer {
	switch status {
	case http.StatusInternalServerError:
		return refusal(status, "server_error", "Unexpected server-side error")
	case http.StatusBadGateway:
		return refusal(status, "bad_gateway", "Bad gateway.")
	case http.StatusGatewayTimeout:
		return refusal(status, "gateway_timeout", "Gateway timeout.")
	}
	return refusal(http.StatusServiceUnavailable, "service_unavailable", "Service is currently unavailable.")
}

// html504 is what the proxy in front of the API says when it has waited too long.
func (c *call) html504() response {
	page := "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>api.digitalocean.com | 504: Gateway time-out</title></head>\n" +
		"<body><h1>Gateway time-out <span>Error code 504</span></h1><p>The web server reported a gateway time-out error.</p></body>\n</html>\n"
	return response{
		status: http.StatusGatewayTimeout,
		header: http.Header{
			"Date":         {c.at.Format(http.TimeFormat)},
			"Content-Type": {"text/html; charset=UTF-8"},
			"Server":       {"cloudflare"},
			"Cf-Ray":       {c.id[:8] + c.id[9:13] + c.id[14:18] + "-EWR"},
		},
		body: []byte(page),
	}
}

// to sends the response, or fails to in the way that it says.
func (p response) to(ctx context.Context, w http.ResponseWriter, c *call) {
	switch p.cut {
	case cutHang:
		<-ctx.Done()
		reset(w)
		return
	case cutReset:
		reset(w)
		return
	}
	for k, v := range p.header {
		w.Header()[k] = v
	}
	if len(p.body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	}
	if p.cut == cutShort {
		w.WriteHeader(p.status)
		_, _ = w.Write(p.body[:len(p.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(p.status)
	if c.r.Method != http.MethodHead {
		_, _ = w.Write(p.body)
	}
}

// reset ends the connection without a word: with a TCP reset where there is
// TCP, else by closing it.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection, without logging it
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
