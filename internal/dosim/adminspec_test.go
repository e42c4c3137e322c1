package dosim_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// adminDocument is the description of the simulator's own port, as it serves it.
var adminDocument = sync.OnceValues(func() (*openapi3.T, error) {
	served := ask(dosim.New(dosim.Options{}).Admin(), "GET", "/openapi.json", nil)
	doc, err := openapi3.NewLoader().LoadFromData(served.Body.Bytes())
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(openapi3.NewLoader().Context); err != nil {
		return nil, err
	}
	return doc, nil
})

var adminRouter = sync.OnceValues(func() (routers.Router, error) {
	doc, err := adminDocument()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// checkAdmin holds an answer of the simulator's own port, which every test's
// passes here, against its description.
func (c *checkingTransport) checkAdmin(r *http.Request, resp *http.Response) error {
	router, err := adminRouter()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := router.FindRoute(r)
	if err != nil {
		if resp.StatusCode != http.StatusNotFound {
			c.t.Errorf("%s %s answered %d and is not described: %v", r.Method, r.URL, resp.StatusCode, err)
		}
		return nil
	}
	opts := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: opts},
		Status:                 resp.StatusCode, Header: resp.Header, Options: opts, Body: io.NopCloser(bytes.NewReader(body)),
	})
	if err != nil {
		c.t.Errorf("%s %s answered %d, not as described: %v", r.Method, r.URL, resp.StatusCode, err)
	}
	if resp.StatusCode < 300 {
		c.count(route)
	}
	return nil
}

func TestTheAdminPortIsDescribed(t *testing.T) {
	doc, err := adminDocument()
	if err != nil {
		t.Fatal(err)
	}
	var described []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(described)
	served := dosim.AdminPatterns()
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described:\n%s\nserved:\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
	var kinds []string
	for _, k := range doc.Components.Schemas["Fault"].Value.Properties["kind"].Value.Enum {
		kinds = append(kinds, fmt.Sprint(k))
	}
	var there []string
	for _, k := range dosim.FaultKinds() {
		there = append(there, string(k))
	}
	slices.Sort(there)
	if !slices.Equal(kinds, there) {
		t.Errorf("described kinds of fault:\n%v\nthere are:\n%v", kinds, there)
	}
}

// Every operation of the simulator's own port, each with a good answer that the
// transport has held against the description.
func TestAdminAnswersAsDescribed(t *testing.T) {
	s := start(t, dosim.Options{Seed: 4, Clock: dosim.NewClock(dosim.Stepped), Params: calm()})
	ok(t, s, "POST", "/recording", nil)
	d := seeded(s)
	token := ok(t, s, "POST", "/tokens", `{"account":"other","purpose":"billing","scopes":["account:read"]}`)["token"].(string)
	ok(t, s, "PUT", "/clock", `{"mode":"stepped"}`)
	ok(t, s, "POST", "/clock/advance", `{"seconds":60}`)
	ok(t, s, "PUT", "/preset", `{"name":"stormy"}`)
	ok(t, s, "PUT", "/preset", `{"name":"calm"}`)
	ok(t, s, "PUT", "/params", `{"action.snapshot":"90s"}`)
	ok(t, s, "POST", "/marks", nil)
	ok(t, s, "POST", "/billing/credits", `{"amount":"25","description":"Sorry"}`)
	ok(t, s, "POST", "/billing/transfers", `{"gib":1000}`)
	ok(t, s, "POST", "/billing/prices", `{"sku":"s-1vcpu-1gb","monthly":"7"}`)
	id := ok(t, s, "POST", "/faults", `{"kind":"409","times":1,"match":{"method":"PUT","purpose":"*"}}`)["id"].(string)
	do(t, s, "GET", d, nil)
	snapshotAction(t, s, d)
	guest := strings.TrimPrefix(d, "/v2/droplets/")
	ok(t, s, "PUT", "/disks/do:droplet:"+guest, `{"orders":"42 rows"}`)
	for _, path := range []string{
		"/guests", "/guests/" + guest, "/disks/do:droplet:" + guest,
		"/healthz", "/openapi.json", "/clock", "/params", "/presets", "/preset", "/faults", "/requests", "/leaks?mark=0", "/truth", "/state", "/tokens",
		"/billing/prices", "/billing/unpriced",
	} {
		ok(t, s, "GET", path, nil)
	}
	ok(t, s, "PUT", "/state", ok(t, s, "GET", "/state", nil))
	ok(t, s, "DELETE", "/tokens/"+token, nil)
	wantStatus(t, "the revoked token", doAs(t, s, token, "GET", "/v2/account", nil), 401)
	ok(t, s, "DELETE", "/faults/"+id, nil)
	ok(t, s, "POST", "/replay", ok(t, s, "GET", "/recording", nil))
	wantStatus(t, "the droplet after the replay", do(t, s, "GET", d, nil), 200)
	ok(t, s, "DELETE", "/recording", nil)
	if e := admin(t, s, "GET", "/recording", nil); e.Status != 404 {
		t.Errorf("a recording that was forgotten: %d %v", e.Status, e.Body)
	}
	checks, _ := s.Client.Transport.(*checkingTransport)
	for _, pattern := range dosim.AdminPatterns() {
		if checks.checked[pattern] == 0 {
			t.Errorf("%s had no good answer", pattern)
		}
	}
}
