package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/cli"
)

// hostOf is a host whose commands talk to a server.
func hostOf(server *httptest.Server) cli.Host {
	return cli.Host{Connect: func(context.Context, cli.Place, bool) (*cli.Connection, error) {
		c, err := client.New(server.URL, client.Options{})
		return &cli.Connection{Client: c, Close: func() error { return nil }}, err
	}}
}

// What the service calls size_gib is --size-gib on a command line, also where a plan that was
// made is refused.
func TestARefusalOfAPlanNamesFlags(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_ = json.NewEncoder(w).Encode(client.Plan{ID: "plan_1", Verb: "resize", Stack: "stack_1"})
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(client.Problem{Status: 400, Code: "invalid", Detail: "Say either a droplet's new size (`size`) or a volume's (`size_gib`), not \"size_gib\"."})
	}))
	defer server.Close()
	for _, command := range [][]string{{"stack", "resize", "edge"}, {"stack", "apply", "plan_1", "--yes"}} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), hostOf(server), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, command)
		if want := "arcadia: Say either a droplet's new size (--size) or a volume's (--size-gib), not \"size_gib\".\n"; code != 2 || errs.String() != want {
			t.Errorf("%q: exit %d: %q, want %q", command, code, errs.String(), want)
		}
	}
}

// Who means to mark what nobody has and types the plan of a teardown must not destroy a
// stack by it.
func TestACommandAppliesOnlyItsOwnPlans(t *testing.T) {
	for _, test := range []struct{ command, verb, want string }{
		{"cleanup", "teardown", "not to clean up"},
		{"cleanup", "provision", "not to clean up"},
		{"stack", "cleanup", "arcadia cleanup apply plan_1"},
		{"cleanup", "cleanup", ""},
		{"stack", "teardown", ""},
	} {
		t.Run(test.command+" "+test.verb, func(t *testing.T) {
			applied := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				p := client.Plan{ID: "plan_1", Verb: test.verb, Account: "default"}
				if test.verb != "cleanup" {
					p.Stack, p.Name, p.Tenant = "stack_1", "edge", "acme"
				}
				var answer any = p
				if r.Method == http.MethodPost {
					applied, answer = true, client.PlanApplied{Plan: p, Saga: client.Saga{ID: "saga_1"}}
				}
				_ = json.NewEncoder(w).Encode(answer)
			}))
			defer server.Close()
			var out, errs bytes.Buffer
			code := cli.Run(t.Context(), hostOf(server), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, []string{test.command, "apply", "plan_1", "--yes"})
			if refused := test.want != ""; applied == refused || (code != 0) != refused || !strings.Contains(errs.String(), test.want) {
				t.Errorf("exit %d, applied %t: %s%s", code, applied, out.String(), errs.String())
			}
		})
	}
}

// A tag's key is its name with a word before it: a line has it once.
func TestATagIsNamedOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(client.Stack{ID: "stack_1", Name: "edge", Tenant: "acme", State: "active", Resources: []client.StackResource{
			{Key: "droplet.web", Name: "web", URN: "do:droplet:1"}, {Key: "tag.arcadia:tenant:acme", Name: "arcadia:tenant:acme", URN: "do:tag:default/arcadia:tenant:acme"},
		}})
	}))
	defer server.Close()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), hostOf(server), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, []string{"stack", "show", "edge"})
	if code != 0 || !strings.Contains(out.String(), "\ntag ") || !strings.Contains(out.String(), "\ndroplet.web ") {
		t.Errorf("exit %d, %s:\n%s", code, errs.String(), out.String())
	}
}
