package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

func clientFilter() client.SagaFilter { return client.SagaFilter{} }

type request struct{ Method, Path string }

// requests are those that the simulated cloud got.
func (s *server) requests(t *testing.T) []request {
	t.Helper()
	res, err := s.cloud.Client.Get(s.cloud.AdminURL + "/requests")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct{ Items []request }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got.Items
}

func TestDescription(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	status, _, text := s.do(t, "GET", "/v1/openapi.json", "")
	var d struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(text, &d); err != nil || status != 200 {
		t.Fatalf("%d, %v", status, err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s, want 3.1", d.OpenAPI)
	}
	for path, methods := range map[string][]string{
		"/v1/sagas": {"get", "post"}, "/v1/sagas/{id}": {"get"}, "/v1/sagas/{id}/events": {"get"}, "/v1/events": {"get"},
		"/v1/sagas/{id}/mark-done": {"post"}, "/v1/droplets/{id}/snapshot": {"post"}, "/v1/tokens/{purpose}": {"put", "delete"},
		"/v1/tenants/{tenant}/protection": {"put", "delete"}, "/v1/cleanup/marks": {"get"}, "/v1/resources/{urn}/protection": {"put", "delete"}, "/v1/drift": {"get"}, "/v1/stacks/{stack}/drift": {"get"}, "/v1/stacks/{stack}/drift/{difference}/ignore": {"put", "delete"},
	} {
		for _, m := range methods {
			if d.Paths[path][m] == nil {
				t.Errorf("%s %s is not described", m, path)
			}
		}
	}
	for path, methods := range d.Paths {
		for m, op := range methods {
			if !strings.Contains(string(op), "application/problem+json") {
				t.Errorf("%s %s does not describe its refusals", m, path)
			}
		}
	}
	// Every reference of the description leads somewhere.
	for part := range strings.SplitSeq(string(text), `"$ref":"#/components/schemas/`) {
		name, _, _ := strings.Cut(part, `"`)
		if !strings.HasPrefix(part, "{") && d.Components.Schemas[name] == nil {
			t.Errorf("the description refers to %s, which it does not hold", name)
		}
	}
	if !strings.Contains(string(d.Components.Schemas["Saga"]), `{"type":"null"}`) {
		t.Error("a saga's wait is not described as nullable")
	}
	if status, _, _ := s.do(t, "GET", "/v1/docs", ""); status != 404 {
		t.Errorf("/v1/docs = %d: huma's pages load scripts from elsewhere", status)
	}
}

func TestHealth(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _, text := s.do(t, "GET", path, ""); status != 200 || string(text) != "ok\n" {
			t.Errorf("%s = %d %q, want 200 ok", path, status, text)
		}
	}
}
