package dosim

import (
	"encoding/json"
	"net/http"
	"time"
)

// A resource is one family of DigitalOcean's API. To add one: a file that has
// its wire types, its changes and its routes, and a line in resources.
type resource struct {
	kind    string // what /truth calls it, "" when it has no truth of its own
	routes  []route
	changes []func() change // to read a log from outside: one empty change of each kind
	truth   func(s *Sim, at time.Time) []Item
}

func resources() []resource {
	return []resource{
		accountResource(),
		regionResource(),
		sizeResource(),
		imageResource(),
		dropletResource(),
		dropletActionResource(),
		actionResource(),
		snapshotResource(),
	}
}

// A route is one operation. Its pattern is a method and a path, in which
// {name} stands for one segment, as in http.ServeMux; scopes are all
// those that the token must carry, as the security lists of DigitalOcean's
// OpenAPI description have them.
type route struct {
	pattern string
	scopes  []string
	serve   func(c *call) answer
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

	seq int64 // of the event that made it
}

func item(kind, id, name, account string, l life, createdAt time.Time, wire any) Item {
	data, err := json.Marshal(wire)
	if err != nil {
		panic("dosim: " + kind + " is no JSON: " + err.Error())
	}
	return Item{"do:" + kind + ":" + id, kind, id, name, account, createdAt, data, l.Seq}
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
