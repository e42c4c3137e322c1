package dosim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

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

func TestEveryOperationAnswersAsDescribed(t *testing.T) {
	switch _, err := description(); {
	case errors.Is(err, errNoDescription):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := pipe(t)
		seeded := s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
		s.SeedDroplet(dosim.SeedDroplet{Name: "trainer", Size: "gpu-h100x1-80gb", Region: "tor1", Image: "gpu-h100x1-base"})
		droplet := fmt.Sprintf("/v2/droplets/%d", seeded)

		expect := func(e exchange, status int) exchange {
			t.Helper()
			if e.Status != status || e.Err != nil {
				t.Errorf("status %d (%v), want %d: %v", e.Status, e.Err, status, e.Body)
			}
			return e
		}
		for _, path := range []string{"/v2/account", "/v2/regions", "/v2/sizes", "/v2/images", "/v2/images?private=true", "/v2/images/ubuntu-24-04-x64"} {
			expect(do(t, s, "GET", path, nil), 200)
		}
		made := expect(do(t, s, "POST", "/v2/droplets", object{
			"name": "db-1", "size": "s-2vcpu-4gb", "image": "debian-12-x64", "region": "fra", "ipv6": true, "backups": true, "tags": []string{"db"},
		}), 202)
		time.Sleep(30 * time.Second)
		expect(do(t, s, "GET", "/v2/droplets/"+idOf(made, "droplet", "id"), nil), 200)
		expect(do(t, s, "GET", "/v2/droplets", nil), 200)
		expect(do(t, s, "GET", "/v2/droplets?type=gpus", nil), 200)
		expect(do(t, s, "GET", "/v2/droplets?tag_name=web", nil), 200)
		shot := expect(do(t, s, "POST", droplet+"/actions", object{"type": "snapshot", "name": "one"}), 201)
		expect(do(t, s, "GET", droplet+"/actions", nil), 200)
		expect(do(t, s, "GET", droplet+"/actions/"+idOf(shot, "action", "id"), nil), 200)
		time.Sleep(2 * time.Minute)
		expect(do(t, s, "GET", droplet+"/actions/"+idOf(shot, "action", "id"), nil), 200)
		expect(do(t, s, "GET", "/v2/actions/"+idOf(shot, "action", "id"), nil), 200)
		expect(do(t, s, "GET", "/v2/actions", nil), 200)
		expect(do(t, s, "GET", droplet+"/snapshots", nil), 200)
		expect(do(t, s, "GET", "/v2/images?private=true", nil), 200)
		snapshots := expect(do(t, s, "GET", "/v2/snapshots?resource_type=droplet", nil), 200)
		snapshot := "/v2/snapshots/" + at(snapshots.Body, "snapshots", 0, "id").(string)
		expect(do(t, s, "GET", snapshot, nil), 200)
		expect(do(t, s, "DELETE", snapshot, nil), 204)
		expect(do(t, s, "DELETE", droplet, nil), 204)
		for _, kind := range []string{"power_off", "power_on", "shutdown"} {
			expect(do(t, s, "POST", "/v2/droplets/"+idOf(made, "droplet", "id")+"/actions", object{"type": kind}), 201)
			time.Sleep(time.Minute)
		}

		// Refusals.
		expect(do(t, s, "GET", droplet, nil), 404)
		expect(do(t, s, "GET", snapshot, nil), 404)
		expect(do(t, s, "DELETE", snapshot, nil), 404)
		expect(do(t, s, "GET", "/v2/snapshots/195932981", nil), 400) // an image that is no snapshot
		expect(do(t, s, "GET", "/v2/droplets/one", nil), 404)
		expect(do(t, s, "POST", "/v2/droplets", "{"), 400)
		expect(do(t, s, "POST", "/v2/droplets", object{"name": "no spaces", "size": "s-1vcpu-1gb", "image": "debian-12-x64"}), 422)
		expect(do(t, s, "GET", "/v2/nothing/here", nil), 404)
		expect(doAs(t, s, "", "GET", "/v2/account", nil), 401)

		// Each operation that is served has had a good answer checked.
		checks := s.Client.Transport.(*checkingTransport)
		for _, op := range []string{
			"GET /v2/account", "GET /v2/regions", "GET /v2/sizes", "GET /v2/images", "GET /v2/images/{image_id}",
			"GET /v2/droplets", "POST /v2/droplets", "GET /v2/droplets/{droplet_id}", "DELETE /v2/droplets/{droplet_id}",
			"GET /v2/droplets/{droplet_id}/actions", "POST /v2/droplets/{droplet_id}/actions", "GET /v2/droplets/{droplet_id}/actions/{action_id}",
			"GET /v2/droplets/{droplet_id}/snapshots", "GET /v2/actions", "GET /v2/actions/{action_id}",
			"GET /v2/snapshots", "GET /v2/snapshots/{snapshot_id}", "DELETE /v2/snapshots/{snapshot_id}",
		} {
			if checks.checked[op] == 0 {
				t.Errorf("no good answer of %s was checked", op)
			}
		}
	})
}

func TestUnknownPathsAreRefusedAndCounted(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/v2/volumes", "/", "/v2//droplets", "/v2/droplets/", "/v2/droplets/1/actions/2/3"} {
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
