package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/origin"
)

// guarded is what every request passes before its route.
func (a *API) guarded(mux *http.ServeMux) http.Handler {
	routes := origin.Guard(a.papers(a.routed(mux)), func(w http.ResponseWriter, r *http.Request, why string) {
		a.writeProblem(w, r, newProblem(http.StatusForbidden, string(fault.Forbidden), why))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recovered(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		actor, p := actorOf(r)
		if p != nil {
			a.writeProblem(w, r, p)
			return
		}
		routes.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, actor)))
	})
}

// routed answers what the mux has no route for as every other refusal.
func (a *API) routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := &statusOnly{header: http.Header{}}
		mux.ServeHTTP(refusal, r)
		if refusal.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", refusal.header.Get("Allow"))
			a.writeProblem(w, r, newProblem(refusal.status, codeOf(refusal.status),
				r.Method+" is not for this address: it takes "+refusal.header.Get("Allow")+"."))
			return
		}
		a.writeProblem(w, r, newProblem(http.StatusNotFound, string(fault.NotFound),
			"Nothing is at this address. What there is stands in /v1/openapi.json."))
	})
}

// statusOnly takes a status and the headers of an answer and drops the rest.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

// recovered turns a panic of a handler into a logged refusal.
func (a *API) recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	a.log.ErrorContext(r.Context(), "request panicked", "method", r.Method, "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
	a.writeProblem(w, r, newProblem(http.StatusInternalServerError, string(fault.Internal), "Something went wrong. The server's log says what."))
}

type actorKey struct{}

// actor is who sent the request that ctx belongs to.
func actor(ctx context.Context) string {
	name, _ := ctx.Value(actorKey{}).(string)
	return name
}

// longestActor bounds what the events keep of a name.
const longestActor = 64

// actorOf believes the command line of this machine who it is. It is recorded and,
// until log-in exists, not proven.
func actorOf(r *http.Request) (string, *problem) {
	name := r.Header.Get(client.ActorHeader)
	if name == "" {
		return "api:local", nil
	}
	user, ok := strings.CutPrefix(name, "cli:")
	printable := strings.IndexFunc(user, func(c rune) bool { return c <= ' ' || c == 0x7f }) < 0
	if !ok || user == "" || !printable || len(name) > longestActor {
		return "", newProblem(http.StatusBadRequest, string(fault.Invalid),
			client.ActorHeader+" must be cli: and the name of a user, in at most 64 characters.")
	}
	if !origin.Local(r.RemoteAddr) {
		return "api:remote", nil
	}
	return name, nil
}
