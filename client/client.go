// Package client speaks to Arcadia's REST API, and holds its wire types.
//
// The types are the contract: fields are added and never renamed, times are
// RFC 3339 in UTC with microseconds, and what is not there is null. Every refusal
// is a [*Problem] (RFC 9457) with a sentence for a person and a code for programs.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ActorHeader names who acts. The server believes it where the request comes
// from its own machine, and there only what begins with "cli:".
const ActorHeader = "Arcadia-Actor"

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 32 << 20

// Options are what a Client may be given beside its address.
type Options struct {
	HTTP   *http.Client // what sends; default: one with a time limit of 60 s for each answer to begin
	APIKey string       // sent as a bearer token; empty: none
	Actor  string       // "cli:<user>"; empty: the server decides
}

// A Client calls one server. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	key   string
	actor string
}

// New returns a client of the server at base: a scheme, a host and a port. It
// sends nothing.
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &AddressError{Address: base}
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment = strings.TrimSuffix(u.Path, "/"), "", "", ""
	if o.HTTP == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.ResponseHeaderTimeout = time.Minute
		o.HTTP = &http.Client{Transport: own, CheckRedirect: noRedirect}
	}
	return &Client{base: u, http: o.HTTP, key: o.APIKey, actor: o.Actor}, nil
}

// noRedirect makes a redirect an answer like any other: ours never sends one,
// and following it would carry the key elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// URL is the address of the server.
func (c *Client) URL() string { return c.base.String() }

// An AddressError says that an address cannot be a server's.
type AddressError struct{ Address string }

// Error is a sentence for a person.
func (e *AddressError) Error() string {
	return fmt.Sprintf("%q is no address of a server: it must be a scheme, a host and a port, as http://127.0.0.1:4000.", e.Address)
}

// An UnreachableError says that a request got no answer.
type UnreachableError struct {
	URL   string
	Sent  bool // the request may have arrived
	cause error
}

// Error is a sentence for a person.
func (e *UnreachableError) Error() string {
	if e.Sent {
		return fmt.Sprintf("The server at %s broke off its answer (%v).", e.URL, root(e.cause))
	}
	return fmt.Sprintf("No server answers at %s (%v).", e.URL, root(e.cause))
}

// Unwrap returns the transport's error.
func (e *UnreachableError) Unwrap() error { return e.cause }

// root is the innermost error, without the operations and addresses around it.
func root(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// A Problem is a refusal, in the form of RFC 9457.
type Problem struct {
	Type   string `json:"type"`   // "about:blank": the status says it
	Title  string `json:"title"`  // the status in words
	Status int    `json:"status"` // the HTTP status
	Code   string `json:"code"`   // for programs: "not_found", "conflict" …
	Detail string `json:"detail"` // a sentence for a person
}

// Error is the sentence.
func (p *Problem) Error() string { return p.Detail }

// call sends a request and decodes the answer into out, which may be nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, header http.Header, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	res, err := c.send(ctx, method, path, query, header, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if out == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, c.stranger(res)
	}
	return res.Header, nil
}

// send answers the response when its status is 2xx, and an error otherwise.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, header http.Header, body io.Reader) (*http.Response, error) {
	u := *c.base
	u.RawPath = c.base.Path + path // path is escaped
	u.Path, _ = url.PathUnescape(u.RawPath)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json, application/problem+json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.actor != "" {
		req.Header.Set(ActorHeader, c.actor)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	var p Problem
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &p) != nil || p.Detail == "" {
		return nil, c.stranger(res)
	}
	return nil, &p
}

// unreachable says what a failed exchange means; the end of ctx is only that.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var op *net.OpError
	dial := errors.As(err, &op) && op.Op == "dial"
	return &UnreachableError{URL: c.URL(), Sent: !dial, cause: err}
}

func (c *Client) stranger(res *http.Response) error {
	return &StrangerError{URL: c.URL(), Status: res.StatusCode, ContentType: or(res.Header.Get("Content-Type"), "no content type")}
}

// A StrangerError says that what answers does not answer as Arcadia does.
type StrangerError struct {
	URL         string
	Status      int
	ContentType string
}

// Error is a sentence for a person.
func (e *StrangerError) Error() string {
	return fmt.Sprintf("What answers at %s is not Arcadia (HTTP %d, %s).", e.URL, e.Status, e.ContentType)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// set adds a query parameter unless it is empty.
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
