package api_test

import (
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

func other() dosim.SeedDroplet { return dosim.SeedDroplet{Name: "web-2"} }

const noSaga = "/v1/sagas/saga_00000000000000000000000000000000"

// What cannot be done is refused with one sentence, and changes nothing.
func TestRefusals(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code, says               string
	}{
		{"no such page", "GET", "/v1/nothing", "", nil, 404, "not_found", "openapi.json"},
		{"the root", "GET", "/", "", nil, 404, "not_found", "openapi.json"},
		{"a wrong method", "PATCH", "/v1/sagas", "", nil, 405, "method_not_allowed", "GET"},
		{"no such saga", "GET", noSaga, "", nil, 404, "not_found", "There is no saga"},
		{"no such saga to act on", "POST", noSaga + "/pause", "{}", nil, 404, "not_found", "There is no saga"},
		{"no such saga's events", "GET", noSaga + "/events", "", nil, 404, "not_found", "There is no saga"},
		{"a malformed id", "GET", "/v1/sagas/saga_12", "", nil, 400, "invalid", "32 hexadecimal digits"},
		{"a malformed id with SQL", "GET", "/v1/sagas/saga_'%20OR%201=1", "", nil, 400, "invalid", "32 hexadecimal digits"},
		{"a state that is none", "GET", "/v1/sagas?state=done", "", nil, 400, "invalid", "rolled_back"},
		{"a limit too large", "GET", "/v1/sagas?limit=1000", "", nil, 400, "invalid", "limit"},
		{"a limit that is no number", "GET", "/v1/sagas?limit=many", "", nil, 400, "invalid", "limit"},
		{"a cursor that is none", "GET", "/v1/sagas?cursor=x", "", nil, 400, "invalid", "cursor"},
		{"a filter that is none", "GET", "/v1/sagas?sate=stuck", "", nil, 400, "invalid", "sate"},
		{"no droplet of this name", "POST", "/v1/droplets/web-9/snapshot", "{}", nil, 404, "not_found", "web-9"},
		{"no droplet of this id", "POST", "/v1/droplets/17/snapshot", "{}", nil, 404, "digitalocean_not_found", "17"},
		{"a droplet that cannot be", "POST", "/v1/droplets/-4/snapshot", "{}", nil, 400, "invalid", "positive"},
		{"a rule of findings that is none", "GET", "/v1/findings?rule=idle", "", nil, 400, "invalid", "unattached_volume"},
		{"a mute of nothing", "PUT", "/v1/findings/fnd_1/mute", `{"reason":"x"}`, nil, 404, "not_found", "no finding"},
		{"a mute without a reason", "PUT", "/v1/findings/fnd_1/mute", `{"reason":""}`, nil, 400, "invalid", "reason"},
		{"a mute that is over", "PUT", "/v1/findings/fnd_1/mute", `{"reason":"x","until":"2020-01-01T00:00:00Z"}`, nil, 400, "invalid", "later"},
		{"an unmute of nothing", "DELETE", "/v1/findings/fnd_1/mute", "", nil, 404, "not_found", "no finding"},
		{"a freeze of no account", "POST", "/v1/freezes", `{"scope":"account:typo","reason":"x"}`, nil, 404, "not_found", "typo"},
		{"bad JSON", "POST", "/v1/sagas", `{"kind":`, nil, 400, "invalid", "body"},
		{"no body", "POST", "/v1/sagas", "", nil, 400, "invalid", "body"},
		{"a field too many", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","inptu":{}}`, nil, 400, "invalid", "inptu"},
		{"a field of another type", "POST", "/v1/sagas", `{"kind":7}`, nil, 400, "invalid", "kind"},
		{"no such kind", "POST", "/v1/sagas", `{"kind":"make_tea"}`, nil, 400, "invalid", "make_tea"},
		{"an input that does not fit", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":{"droplet_id":"x"}}`, nil, 400, "invalid", "does not fit"},
		{"an input of the program's words", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":{"droplet_id":"x"}}`, nil, 400, "invalid", "saga: droplet_id cannot be a string."},
		{"an input field too many", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":{"drop":1}}`, nil, 400, "invalid", `no field "drop"`},
		{"an input that is no object", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":7}`, nil, 400, "invalid", "not an object"},
		{"a snapshot of nothing", "POST", "/v1/sagas", `{"kind":"snapshot_droplet"}`, nil, 400, "invalid", "droplet_id"},
		{"a droplet id that cannot be", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":{"droplet_id":-4}}`, nil, 400, "invalid", "-4"},
		// Cancelled, it would delete a snapshot that was never its own.
		{"a snapshot that somebody else made", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":{"droplet_id":1,"snapshot_id":"77"}}`, nil, 400, "invalid", "by itself"},
		{"smoke is not created", "POST", "/v1/sagas", `{"kind":"smoke"}`, nil, 422, "unprocessable", "/smoke"},
		{"a state too large", "POST", "/v1/sagas", `{"kind":"snapshot_droplet","input":{"droplet_name":"` + strings.Repeat("x", 260<<10) + `"}}`, nil, 413, "too_large", "at most"},
		{"a body too large", "POST", "/v1/sagas", `{"kind":"` + strings.Repeat("x", 400<<10) + `"}`, nil, 413, "too_large", "320 KiB"},
		{"a key too long", "POST", "/v1/droplets/web-1/snapshot", "{}", []string{"Idempotency-Key", strings.Repeat("k", 300)}, 400, "invalid", "Idempotency-Key"},
		{"a name that points here", "GET", "/v1/sagas", "", []string{"Host", "rebound.example:4000"}, 403, "forbidden", "loopback"},
		{"a page of another origin", "POST", "/v1/droplets/web-1/snapshot", "{}", []string{"Origin", "https://elsewhere.example"}, 403, "forbidden", "origin"},
		{"a form of another site", "POST", "/v1/droplets/web-1/snapshot", "{}", []string{"Sec-Fetch-Site", "cross-site"}, 403, "forbidden", "origin"},
		{"an actor that is none", "GET", "/v1/sagas", "", []string{"Arcadia-Actor", "root"}, 400, "invalid", "cli:"},
		{"a purpose that is none", "PUT", "/v1/tokens/writing", `{"token":"dop_v1_a"}`, nil, 400, "invalid", "provisioning"},
		{"an empty token", "PUT", "/v1/tokens/billing", `{"token":""}`, nil, 400, "invalid", "empty"},
		{"no token to forget", "DELETE", "/v1/tokens/billing", "", nil, 404, "not_found", "billing"},
		{"a last event that is none", "GET", "/v1/events", "", []string{"Last-Event-ID", "x"}, 400, "invalid", "Last-Event-ID"},
		{"a clean-up of a time too short", "POST", "/v1/plans", `{"verb":"cleanup","options":{"wait":"1ms"}}`, nil, 400, "invalid", "`wait` is a time from 300ms"},
		{"a clean-up of a time that is none", "POST", "/v1/plans", `{"verb":"cleanup","options":{"wait":"soon"}}`, nil, 400, "invalid", "like 168h"},
		{"a clean-up of nothing", "POST", "/v1/plans", `{"verb":"cleanup"}`, nil, 422, "unprocessable", "nothing that is nobody's"},
		{"a clean-up of what is not there", "POST", "/v1/plans", `{"verb":"cleanup","options":{"only":"do:volume:7"}}`, nil, 404, "not_found", "do:volume:7"},
		{"an option that a clean-up has not", "POST", "/v1/plans", `{"verb":"cleanup","options":{"force":"true"}}`, nil, 400, "invalid", "force"},
		{"marks by a filter that is none", "GET", "/v1/cleanup/marks?state=marked", "", nil, 400, "invalid", "state"},
		{"a protection without a reason", "PUT", "/v1/resources/do:volume:7/protection", `{"reason":" "}`, nil, 400, "invalid", "Say why"},
		{"a protection of what has no URN", "PUT", "/v1/resources/web-1/protection", `{"reason":"x"}`, nil, 400, "invalid", "URN"},
		{"no protection to end", "DELETE", "/v1/resources/do:volume:7/protection", "", nil, 404, "not_found", "not protected"},
		{"a stack's protection, ended as a resource's", "DELETE", "/v1/resources/stack:stack_1/protection", "", nil, 400, "invalid", "URN"},
		{"drift of no stack", "GET", "/v1/stacks/nosuch/drift", "", nil, 404, "not_found", "nosuch"},
		{"a difference of no stack, ignored", "PUT", "/v1/stacks/nosuch/drift/drift_1/ignore", `{"until":"2030-01-01T00:00:00Z","reason":"x"}`, nil, 404, "not_found", "nosuch"},
		{"a difference of no stack, heard", "DELETE", "/v1/stacks/nosuch/drift/drift_1/ignore", "", nil, 404, "not_found", "nosuch"},
		{"events of a malformed id", "GET", "/v1/events?saga=7", "", nil, 400, "invalid", "32 hexadecimal digits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, header, text := s.do(t, tt.method, tt.path, tt.body, tt.header...)
			p := exactly[wireProblem](t, text)
			if status != tt.status || p.Status != tt.status || p.Code != tt.code || !strings.Contains(p.Detail, tt.says) {
				t.Errorf("got %d %+v, want %d %s about %q", status, p, tt.status, tt.code, tt.says)
			}
			if p.Type == "" || p.Title == "" || header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("the problem is %+v as %q", p, header.Get("Content-Type"))
			}
			if !strings.HasSuffix(p.Detail, ".") && !strings.Contains(p.Detail, ". See: arcadia ") {
				t.Errorf("%q is no sentence", p.Detail)
			}
		})
	}
	if page, err := s.client.Sagas(t.Context(), clientFilter()); err != nil || len(page.Items) != 0 {
		t.Errorf("after refusals there are %d sagas, %v; want none", len(page.Items), err)
	}
	for _, r := range s.requests(t) {
		if r.Method != "GET" {
			t.Errorf("a refusal sent %s %s", r.Method, r.Path)
		}
	}
}

// Programs on this machine send no Origin, and what curl -d calls a form is JSON.
func TestCurlIsWelcome(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	status, _, text := s.do(t, "POST", "/v1/droplets/web-1/snapshot", "{}", "Content-Type", "application/x-www-form-urlencoded")
	if status != 202 {
		t.Errorf("curl -d '{}' = %d %s, want 202", status, text)
	}
}
