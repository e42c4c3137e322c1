package dosim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// An object is a decoded JSON object.
type object = map[string]any

// An exchange is what one request got.
type exchange struct {
	Status int
	Header http.Header
	Body   object // nil when there was none
	Err    error  // of the transport, or of a body that is no JSON
}

// do sends a request with the server's own token.
func do(t testing.TB, s *dosimtest.Server, method, path string, body any) exchange {
	t.Helper()
	return doAs(t, s, s.Token, method, path, body)
}

func doAs(t testing.TB, s *dosimtest.Server, token, method, path string, body any) exchange {
	t.Helper()
	return send(t, s, s.URL+path, token, method, body)
}

// admin sends a request to the simulator's own port.
func admin(t testing.TB, s *dosimtest.Server, method, path string, body any) exchange {
	t.Helper()
	return send(t, s, s.AdminURL+path, "", method, body)
}

func send(t testing.TB, s *dosimtest.Server, url, token, method string, body any) exchange {
	t.Helper()
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		payload = bytes.NewReader([]byte(b))
	default:
		j, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.NewReader(j)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, payload)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.Client.Do(r)
	if err != nil {
		return exchange{Err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	e := exchange{Status: resp.StatusCode, Header: resp.Header, Err: err}
	if e.Err == nil && len(raw) > 0 {
		e.Err = json.Unmarshal(raw, &e.Body)
	} else if e.Err == nil && resp.StatusCode == http.StatusOK && method != http.MethodHead {
		e.Err = errors.New("the body is empty")
	}
	return e
}

// at follows keys and indices into decoded JSON.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(object)
			v = o[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func list(e exchange, key string) []any {
	l, _ := e.Body[key].([]any)
	return l
}

// idOf returns the number under path as an id that fits into a URL.
func idOf(e exchange, path ...any) string { return fmt.Sprintf("%.0f", at(e.Body, path...)) }

// calm has no lag at all and actions that take a minute.
func calm() map[string]string {
	return map[string]string{
		"droplet.create": "0s", "action.snapshot": "60s", "lag.snapshot_visible": "0s", "lag.list_after_delete": "0s",
		"lag.get_after_create": "0s", "lag.list_after_create": "0s", "lag.tag": "0s",
	}
}

// with is calm with some parameters in place of its own.
func with(set map[string]string) dosim.Options {
	p := calm()
	for k, v := range set {
		p[k] = v
	}
	return dosim.Options{Params: p}
}

func TestUnknownPathsAreRefusedAndCounted(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/v2/nothing", "/", "/v2//droplets", "/v2/droplets/", "/v2/droplets/1/actions/2/3"} {
		if e := do(t, s, "GET", path, nil); e.Status != 404 || e.Body["id"] != "not_found" {
			t.Errorf("GET %s = %d %v, want the 404 envelope", path, e.Status, e.Body)
		}
	}
	if e := do(t, s, "PATCH", "/v2/account", nil); e.Status != 404 {
		t.Errorf("PATCH /v2/account = %d, want 404", e.Status)
	}
	if n := s.UnknownPaths(); n != 6 {
		t.Errorf("unknown paths = %d, want 6", n)
	}
	do(t, s, "GET", "/v2/droplets/1", nil) // known, though it finds nothing
	if n := s.UnknownPaths(); n != 6 {
		t.Errorf("unknown paths after a droplet that is not there = %d, want 6", n)
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	s := start(t)
	if e := do(t, s, "HEAD", "/v2/account", nil); e.Status != 200 || e.Body != nil || e.Err != nil || e.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD = %d %v %v %v, want the headers of a GET", e.Status, e.Body, e.Err, e.Header)
	}
	if n := s.UnknownPaths(); n != 0 {
		t.Errorf("unknown paths = %d, want none", n)
	}
}
