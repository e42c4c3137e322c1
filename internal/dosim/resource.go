package dosim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A resource is one family of DigitalOcean's API. To add one: a file of its own,
// and a line in the resources of its group. See docs/adding-a-dosim-resource.md.
type resource struct {
	table  func(w *world) anyTable // makes the table of its kind in w; nil: it keeps none
	routes []route
	duties []duty
	params []Param
	found  func(c *call) // makes what an account begins with

	// gone is told of everything that is deleted, of any kind, and puts right
	// what this family had to do with it.
	gone func(c *call, urn string, e entity)
}

// resources are all families. A family may use at founding what those before it
// have founded.
func resources() []resource {
	return slices.Concat(coreResources(), computeResources(), networkResources(), listedResources(), billingResources())
}

func coreResources() []resource {
	return []resource{
		projectResource(), // first: what is founded is assigned to one
		accountResource(),
		regionResource(),
		sizeResource(),
		tagResource(),
		actionResource(),
		lateResource(),
		vanishResource(),
	}
}

// gone tells every family that e is no more.
func (s *Sim) gone(c *call, urn string, e entity) {
	for _, r := range s.resources {
		if r.gone != nil {
			r.gone(c, urn, e)
		}
	}
}

// A route is one operation.
type route struct {
	method, path string   // {name} stands for one segment of the path, as in http.ServeMux
	scopes       []string // the token must carry them all
	orScopes     []string // or all of these; nil: there is no other way
	serve        func(c *call) answer
	limit        *limit // beside the limits of every request
	alias        bool   // it is deprecated, and another route's under an older name
}

// op is the operation "GET /v2/droplets", with the scopes that the security list
// of DigitalOcean's OpenAPI description has for it.
func op(pattern string, serve func(c *call) answer, scopes ...string) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{method: method, path: path, scopes: scopes, serve: serve}
}

// readsAction reports whether the route is what clients poll an action by.
func (rt route) readsAction() bool {
	return rt.method == http.MethodGet && strings.HasSuffix(rt.path, "/actions/{action}")
}

// or is the route with other scopes that will do as well.
func (rt route) or(scopes ...string) route {
	rt.orScopes = scopes
	return rt
}

// limited is the route with a rate limit of its own.
func (rt route) limited(l limit) route {
	rt.limit = &l
	return rt
}

// aliases are the routes under an older prefix of their paths. Their handlers
// see it in call.alias.
func aliases(from, to string, routes []route) []route {
	var old []route
	for _, rt := range routes {
		if rest, ok := strings.CutPrefix(rt.path, from); ok && (rest == "" || rest[0] == '/') {
			rt.path, rt.alias = to+rest, true
			old = append(old, rt)
		}
	}
	return old
}

// An Operation is one that is served.
type Operation struct {
	Method string
	Path   string // {name} stands for one segment
	Scopes []string
}

// Operations returns every operation that is served.
func Operations() []Operation {
	var all []Operation
	for _, r := range resources() {
		for _, rt := range r.routes {
			all = append(all, Operation{rt.method, rt.path, rt.scopes})
		}
	}
	return all
}

// An answer is what a route says. A nil body is an answer without one.
type answer struct {
	status int
	body   any
}

// An Item is a thing as it is, whatever the API shows of it at this instant.
type Item struct {
	URN       string          `json:"urn"` // "do:droplet:1"
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Account   string          `json:"account"`
	CreatedAt time.Time       `json:"created_at"`
	Data      json.RawMessage `json:"data"` // as the API shows it

	seq     int64 // of the event that made it
	unasked bool
}

// An envelope is how DigitalOcean says no.
type envelope struct {
	ID        string `json:"id"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

func refusal(status int, id, message string) answer {
	return answer{status: status, body: envelope{ID: id, Message: message}}
}

func notFound() answer {
	return refusal(http.StatusNotFound, "not_found", "The resource you requested could not be found.")
}

func unprocessable(message string) answer {
	return refusal(http.StatusUnprocessableEntity, "unprocessable_entity", message)
}

func badRequest(message string) answer {
	return refusal(http.StatusBadRequest, "bad_request", message)
}

func pendingEvent() answer { return unprocessable("Droplet already has a pending event.") }

func invalidJSON() answer { return badRequest("The request body is not valid JSON.") }

// showing and created are the answers that show something under its key.
func showing(key string, wire any) answer { return answer{http.StatusOK, map[string]any{key: wire}} }

func created(key string, wire any) answer {
	return answer{http.StatusCreated, map[string]any{key: wire}}
}

func noContent() answer { return answer{status: http.StatusNoContent} }

func unauthorized() answer {
	return refusal(http.StatusUnauthorized, "unauthorized", "Unable to authenticate you.")
}

func forbidden() answer {
	return refusal(http.StatusForbidden, "forbidden", "You do not have access for the attempted action.")
}

func tooManyRequests() answer {
	return refusal(http.StatusTooManyRequests, "too_many_requests", "API Rate limit exceeded.")
}

// wireTime is how DigitalOcean writes an instant: whole seconds, UTC.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// wireTimeOrNull is wireTime, and null for the zero time.
func wireTimeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := wireTime(t)
	return &s
}
