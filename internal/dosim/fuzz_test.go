package dosim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// ask serves one request without a socket. A panic of the handler, but the one
// that cuts a connection, is the test's.
func ask(h http.Handler, method, target string, body []byte) (w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	r, err := http.NewRequest(method, "http://dosim"+target, bytes.NewReader(body))
	if err != nil {
		return w // no client could send it
	}
	r.Header.Set("Authorization", "Bearer dop_v1_fuzz")
	defer func() {
		if p := recover(); p != nil && fmt.Sprint(p) != http.ErrAbortHandler.Error() {
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return w
}

// wellFormed fails the test when an answer is neither empty nor JSON nor a file,
// or is an error of ours.
func wellFormed(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if body := w.Body.Bytes(); w.Code >= 500 || len(body) > 0 && isJSON(w.Header()) && !json.Valid(body) {
		t.Errorf("answer %d: %q", w.Code, body)
	}
}

func fuzzed() (*dosim.Sim, string) {
	s := dosim.New(dosim.Options{Seed: 3, Clock: dosim.NewClock(dosim.Stepped), Params: calm()})
	id := s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
	for _, r := range []string{
		`/v2/domains {"name":"example.com"}`, `/v2/vpcs {"name":"b","region":"nyc3"}`, `/v2/projects {"name":"b","purpose":"c"}`,
		`/v2/firewalls {"name":"b","outbound_rules":[{"protocol":"icmp","destinations":{"tags":["web"]}}],"tags":["web"]}`,
		`/v2/load_balancers {"name":"b","region":"nyc3","forwarding_rules":[{"entry_protocol":"tcp","entry_port":1,"target_protocol":"tcp","target_port":1}]}`,
	} {
		path, body, _ := strings.Cut(r, " ")
		ask(s.API(), "POST", path, []byte(body))
	}
	for _, kind := range []string{"registry", "database", "kubernetes_cluster", "agent"} {
		if _, err := s.SeedThing(dosim.SeedThing{Kind: kind}); err != nil {
			panic(err)
		}
	}
	return s, fmt.Sprintf("/v2/droplets/%d", id)
}

var variables = regexp.MustCompile(`\{[^}]*\}`)

// pathOf is an operation's path with the newest thing of each variable's kind in
// it, and 1 where there is none.
func pathOf(s *dosim.Sim, op dosim.Operation) string {
	return variables.ReplaceAllStringFunc(op.Path, func(v string) string {
		if all := s.Truth(strings.Trim(v, "{}")); len(all) > 0 {
			return url.PathEscape(all[len(all)-1].ID)
		}
		return "1"
	})
}

// teamOf is the UUID of the fuzzed account's team.
func teamOf(s *dosim.Sim) string {
	var account struct {
		Account struct {
			Team struct{ UUID string }
		}
	}
	_ = json.Unmarshal(ask(s.API(), "GET", "/v2/account", nil).Body.Bytes(), &account)
	return account.Account.Team.UUID
}

func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","size":"s-1vcpu-1gb","image":"debian-12-x64","region":"nyc3","tags":["a","b"],"ipv6":true}`,
		`{"name":"a","size":"s-1vcpu-1gb","image":192843022,"region":"nyc"}`, `{"image":{}}`, `{"image":"\""}`,
		`{"name":"key","public_key":"` + publicKey + `"}`, `{"resources":[{"resource_id":1,"resource_type":"droplet"}]}`,
		`{"name":"example.com","ip_address":"192.0.2.1"}`, `{"type":"SRV","name":"_a","data":"b.","priority":1,"weight":-1,"port":2}`,
		`{"name":"a","region":"nyc3","ip_range":"10.0.0.0/28","default":true}`, `{"resources":["do:droplet:1","do:domain:"]}`,
		`{"name":"a","inbound_rules":[{"protocol":"tcp","ports":"1-2","sources":{"addresses":["::/0"]}},{}],"droplet_ids":[-1],"tags":[""]}`,
		`{"name":"a","region":"nyc3","forwarding_rules":[{"entry_protocol":"tcp","entry_port":1,"target_protocol":"tcp","target_port":1}],"firewall":null}`,
		`{"name":"a","purpose":"b","environment":"c","is_default":true}`, `{"name":"a","type":"lets_encrypt","dns_names":["*.","a.b"]}`,
		`{"type":"snapshot","name":"x"}`, `{"type":"power_off"}`, `{"type":1}`, `null`, `[]`, `{`, ``, "\x00", `{"name":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, _ := fuzzed()
		for _, op := range dosim.Operations() {
			if op.Method != "GET" {
				wellFormed(t, ask(s.API(), op.Method, pathOf(s, op), body))
			}
		}
		for _, op := range dosim.Operations() {
			if op.Method == "GET" && !strings.Contains(op.Path, "{") {
				if w := ask(s.API(), "GET", op.Path, nil); w.Code != 200 {
					t.Errorf("GET %s after %q: %d", op.Path, body, w.Code)
				}
			}
		}
	})
}

func FuzzQueries(f *testing.F) {
	for _, seed := range []string{
		"page=2&per_page=1", "page=99999999999999999999&per_page=-1", "page=2147483647&per_page=200", "tag_name=web", "name=a&type=gpus",
		"resource_type=volume", "private=true", "type=application&tag_name=", ";", "%", "page=%zz", "a=b&a=c", "page=1&page=2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, "#") {
			return // a fragment stays with the client
		}
		s, _ := fuzzed()
		for _, op := range dosim.Operations() {
			if op.Method == "GET" {
				wellFormed(t, ask(s.API(), "GET", pathOf(s, op)+"?"+query, nil))
			}
		}
		wellFormed(t, ask(s.API(), "GET", "/v2/droplets/"+query, nil))
		s.Clock().Advance(40 * 24 * time.Hour)
		team := "/v2/billing/do:team:" + teamOf(s) + "/insights/"
		for _, path := range []string{"preview", "preview/summary", "preview/csv", "preview/pdf", query} {
			wellFormed(t, ask(s.API(), "GET", "/v2/customers/my/invoices/"+path+"?"+query, nil))
		}
		for _, path := range []string{team + query + "/2026-01-01", team + "2026-01-01/" + query, "/v2/billing/" + query + "/insights/2026-01-01/2026-01-02"} {
			wellFormed(t, ask(s.API(), "GET", path, nil))
		}
		today := s.Clock().Now().Format(time.DateOnly)
		wellFormed(t, ask(s.API(), "GET", team+today+"/"+today+"?"+query, nil))
		for _, path := range []string{"/requests", "/leaks", "/truth", "/billing/unpriced"} {
			wellFormed(t, ask(s.Admin(), "GET", path+"?"+query, nil))
		}
	})
}

func FuzzAdminBodies(f *testing.F) {
	for _, seed := range []string{
		`{"mode":"scaled","speed":20}`, `{"mode":"scaled","speed":1e308}`, `{"seconds":60}`, `{"seconds":1e300}`, `{"action.snapshot":"60s"}`,
		`{"replicas":"16","lag.replica":"8760h"}`, `{"match":{"method":"POST","path":"**","token":"*","nth":2,"probability":0.5},"kind":"html_504","times":1}`,
		`{"kind":"reset_commit_late","delay":"1s"}`, `{"account":"other","scopes":["droplet:read"],"expires_at":"2030-01-01T00:00:00Z"}`,
		`{"amount":"25.00","description":"Sorry"}`, `{"sku":"s-1vcpu-1gb","monthly":"7.5","since":"2030-01-01T00:00:00Z"}`, `{"gib":5000}`,
		`{"billing.tax":"625","billing.issue":"8000h","billing.outbound_gib":"5000"}`, `{"version":2,"clock":{"mode":"stepped","now":"2026-01-01T00:00:00Z"}}`,
		`{"state":{"version":2,"clock":{"mode":"stepped","now":"2026-01-01T00:00:00Z"}},"inputs":[{"at":"2026-01-01T00:00:00Z","seq":1,"method":"GET","target":"/v2/account"}]}`,
		`{"state":{"version":2,"clock":{"now":"2026-01-01T00:00:00Z"}},"inputs":[{"at":"2026-01-01T00:00:00Z","change":{"marks":[0],"disarmed":["x"]}}]}`, `null`, `[]`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, d := fuzzed()
		for _, to := range []string{
			"PUT /clock", "POST /clock/advance", "PUT /params", "POST /faults", "POST /tokens", "PUT /state", "POST /replay",
			"POST /billing/credits", "POST /billing/prices", "POST /billing/transfers",
		} {
			method, path, _ := strings.Cut(to, " ")
			wellFormed(t, ask(s.Admin(), method, path, body))
		}
		for _, f := range s.Faults() {
			if f.Kind == dosim.Hang || f.Kind == dosim.HangAfter || f.Kind == dosim.Slow {
				_ = s.DeleteFault(f.ID) // nobody is there to go or to advance the clock
			}
		}
		ask(s.API(), "POST", d+"/actions", []byte(`{"type":"snapshot"}`))
		ask(s.API(), "GET", "/v2/droplets", nil)
		ask(s.API(), "GET", "/v2/customers/my/balance", nil)
		wellFormed(t, ask(s.Admin(), "GET", "/truth", nil))
		wellFormed(t, ask(s.Admin(), "GET", "/state", nil))
	})
}

func FuzzStates(f *testing.F) {
	// Short ones: the fuzzer shortens what it finds interesting, and that takes
	// it the square of the length.
	const head = `{"version":2,"clock":{"mode":"stepped","now":"2026-01-01T00:00:00Z"},`
	s, _ := fuzzed()
	var exported struct {
		Events json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(s.Export(), &exported); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(head + `"seed":3,"events":` + string(exported.Events) + `}`))
	f.Add([]byte(head + `"events":[{"seq":1,"at":"2025-12-31T23:58:00Z","type":"duty_appointed","data":{"due":"2025-12-31T23:59:00Z","account":"first","duty":"request",` +
		`"arg":{"method":"POST","target":"/v2/droplets","token":"dop_v1_x","body":"e30="}}}]}`))
	f.Add([]byte(head + `"tokens":[{"token":"dop_v1_x","account":"a","scopes":["droplet:read"]}],"quotas":[{"token":"dop_v1_x","requests":["2025-12-31T23:59:00Z"]}]}`))
	f.Add([]byte(head + `"faults":[{"id":"fault_1","kind":"404_flap","times":2,"seen":1}],"armed":1,"marks":[0]}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		s := dosim.New(dosim.Options{Clock: dosim.NewClock(dosim.Stepped)})
		if s.Import(state) != nil {
			return
		}
		for _, fault := range s.Faults() {
			_ = s.DeleteFault(fault.ID)
		}
		for _, path := range []string{"/v2/droplets", "/v2/droplets?type=gpus", "/v2/images", "/v2/snapshots", "/v2/actions", "/v2/customers/my/invoices", "/v2/customers/my/invoices/preview"} {
			if w := ask(s.API(), "GET", path, nil); w.Code != 200 && w.Code != 401 && w.Code != 403 && w.Code != 429 {
				t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
			}
		}
		if err := s.Import(s.Export()); err != nil {
			t.Errorf("what was exported is refused: %v", err)
		}
	})
}
