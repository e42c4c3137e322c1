package dosim_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// A story drives the operations of one family, every one of them to a good answer
// at least once. All answers are checked against DigitalOcean's description on
// the way. It is told in a bubble, in a cloud of its own, with the default lags.
type story struct {
	family string
	tell   func(d driver)
}

// stories are of every family: a family without one fails the test below.
func stories() []story {
	return slices.Concat(coreStories(), computeStories(), networkStories(), listedStories(), billingStories())
}

// A driver sends a story's requests.
type driver struct {
	testing.TB
	s *dosimtest.Server
}

// want sends a request that must be answered with this status.
func (d driver) want(status int, method, path string, body any) exchange {
	d.Helper()
	e := do(d, d.s, method, path, body)
	if e.Err != nil || e.Status != status {
		d.Errorf("%s %s: status %d (%v), want %d: %v", method, path, e.Status, e.Err, status, e.Body)
	}
	return e
}

// get is want for a read that finds something.
func (d driver) get(path string) exchange {
	d.Helper()
	return d.want(http.StatusOK, "GET", path, nil)
}

// lag lets every default lag pass.
func (d driver) lag() { time.Sleep(time.Minute) }

// A crud is a family's plain operations, for which it needs no story by hand.
type crud struct {
	path    string // of the list and the create, "/v2/account/keys"
	key     string // around one, "ssh_key"
	list    string // around many, "ssh_keys"
	id      string // the key of its id; empty: "id"
	create  object
	update  object   // the body of a PUT; nil: there is none
	refused []object // creates that answer 422
	status  int      // of the create; 0: 201
}

// tell creates, reads, lists, updates and deletes one, and returns its path, at
// which nothing is any more.
func (p crud) tell(d driver) string {
	d.Helper()
	id := p.id
	if id == "" {
		id = "id"
	}
	status := p.status
	if status == 0 {
		status = http.StatusCreated
	}
	for _, body := range p.refused {
		d.want(http.StatusUnprocessableEntity, "POST", p.path, body)
	}
	d.want(http.StatusBadRequest, "POST", p.path, "{")
	made := d.want(status, "POST", p.path, p.create)
	d.lag()
	one := p.path + "/" + text(at(made.Body, p.key, id))
	d.get(one)
	if n := len(list(d.get(p.path), p.list)); n == 0 {
		d.Errorf("GET %s lists nothing after the create", p.path)
	}
	if p.update != nil {
		d.want(http.StatusOK, "PUT", one, p.update)
		after := d.get(one)
		for k, v := range p.update {
			if got := at(after.Body, p.key, k); fmt.Sprint(got) != fmt.Sprint(v) {
				d.Errorf("%s of %s is %v after the update, want %v", k, one, got, v)
			}
		}
	}
	d.want(http.StatusNoContent, "DELETE", one, nil)
	d.want(http.StatusNotFound, "GET", one, nil)
	d.want(http.StatusNotFound, "DELETE", one, nil)
	return one
}

// text is an id as it stands in a path.
func text(id any) string {
	if n, ok := id.(float64); ok {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprint(id)
}

func TestEveryOperationAnswersAsDescribed(t *testing.T) {
	described := operationsDescribed(t)
	checked := map[string]bool{}
	for _, st := range stories() {
		t.Run(st.family, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := pipe(t)
				if err := s.SetParams(map[string]string{"ratelimit.burst": "5000"}); err != nil {
					t.Fatal(err)
				}
				st.tell(driver{t, s})
				checks, _ := s.Client.Transport.(*checkingTransport)
				for op := range checks.checked {
					checked[bare(op)] = true
				}
			})
		})
	}
	for _, op := range dosim.Operations() {
		name := bare(op.Method + " " + op.Path)
		if _, ok := described[name]; !ok {
			t.Errorf("%s %s is served and not described", op.Method, op.Path)
		} else if !checked[name] {
			t.Errorf("no story gets a good answer of %s %s", op.Method, op.Path)
		}
	}
}

// The scopes of an operation are those of its security entry. What stands in the
// description's prose alone is tested with its family.
func TestScopesAreTheDescriptions(t *testing.T) {
	described := operationsDescribed(t)
	for _, op := range dosim.Operations() {
		o := described[bare(op.Method+" "+op.Path)]
		if o == nil || o.Security == nil {
			t.Errorf("%s %s has no scopes in the description", op.Method, op.Path)
			continue
		}
		var ways []string
		for _, requirement := range *o.Security {
			ways = append(ways, strings.Join(slices.Sorted(slices.Values(requirement["bearer_auth"])), " "))
		}
		if got := strings.Join(slices.Sorted(slices.Values(op.Scopes)), " "); !slices.Contains(ways, got) {
			t.Errorf("%s %s asks for %q, want one of %q", op.Method, op.Path, got, ways)
		}
	}
}

// operationsDescribed are the description's operations by their bare names.
func operationsDescribed(t *testing.T) map[string]*openapi3.Operation {
	t.Helper()
	doc, err := document()
	switch {
	case errors.Is(err, errNoDescription):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	all := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			all[bare(method+" "+path)] = o
		}
	}
	return all
}

// bare is an operation without the names of its path's variables, which are
// nobody's business.
func bare(operation string) string { return variables.ReplaceAllString(operation, "{}") }
