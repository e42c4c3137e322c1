package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

const problemType = "application/problem+json"

// A problem is a refusal on its way to the wire. huma writes it as it is.
type problem struct{ client.Problem }

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return problemType }

func newProblem(status int, code, detail string) *problem {
	return &problem{client.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
	}}
}

// codeOf is the code of a refusal that knows only its status.
func codeOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return string(fault.NotFound)
	case http.StatusMethodNotAllowed:
		return "method_not_allowed"
	case http.StatusRequestEntityTooLarge:
		return string(fault.TooLarge)
	case http.StatusRequestTimeout:
		return "timeout"
	case http.StatusInternalServerError:
		return string(fault.Internal)
	}
	return string(fault.Invalid)
}

// problem is the refusal that err means. What is no fault is an accident: it is
// logged, and the person asking learns only that.
func (a *API) problem(ctx context.Context, route string, err error) *problem {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return newProblem(http.StatusServiceUnavailable, string(fault.Unavailable), "The request was given up before its answer.")
	}
	kind := fault.KindOf(err)
	detail := fault.Message(err)
	if kind == fault.Internal {
		a.log.ErrorContext(ctx, "request failed", "route", route, "err", err)
		detail += " The server's log says what."
	}
	return &problem{wire.Problem(kind, fault.Code(err), detail)}
}

func unavailable(err error) *problem {
	detail := "The database does not answer."
	if fault.KindOf(err) != fault.Internal {
		detail = fault.Message(err)
	}
	return newProblem(http.StatusServiceUnavailable, string(fault.Unavailable), detail)
}

// writeProblem answers a request outside of huma's routes.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	if err := json.NewEncoder(w).Encode(p.Problem); err != nil {
		a.log.DebugContext(r.Context(), "answer not taken", "err", err)
	}
}

// strict wraps each exchange so that what huma refuses by itself is shaped as
// our refusals are.
func strict(ctx huma.Context, next func(huma.Context)) { next(&exchange{humaContext: ctx}) }

type exchange struct {
	humaContext
	status int // instead of huma's, unless 0
}

// humaContext is huma's Context under a name that does not hide its method Context.
type humaContext huma.Context

// Unwrap lets the adapter find its own context.
func (e *exchange) Unwrap() huma.Context { return e.humaContext }

// Header leaves the content type out: every body is JSON, whatever curl -d calls
// it. Forms of other origins are refused before they come here.
func (e *exchange) Header(name string) string {
	if strings.EqualFold(name, "Content-Type") {
		return ""
	}
	return e.humaContext.Header(name)
}

// SetStatus writes the status.
func (e *exchange) SetStatus(code int) {
	if e.status != 0 {
		code = e.status
	}
	e.humaContext.SetStatus(code)
}

// toProblem turns huma's own refusals into ours. huma calls what does not fit the
// description 422; here that is 400, and 422 is for what is well formed.
func toProblem(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	status := m.Status
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	if e, ok := ctx.(*exchange); ok {
		e.status = status
	}
	ctx.SetHeader("Content-Type", problemType)
	return newProblem(status, codeOf(status), sentence(m)).Problem, nil
}

// sentence says what huma found wrong. It leaves out the values: one may be a secret.
func sentence(m *huma.ErrorModel) string {
	switch m.Status {
	case http.StatusRequestEntityTooLarge:
		return "The request is too large: at most 320 KiB are taken."
	case http.StatusRequestTimeout:
		return "The request's body did not arrive in time: send it again."
	}
	var found []string
	for _, e := range m.Errors {
		if e == nil {
			continue
		}
		found = append(found, strings.TrimSpace(strings.TrimPrefix(e.Location+": ", ": ")+e.Message))
	}
	if len(found) == 0 {
		found = append(found, m.Detail)
	}
	return "The request is not as it must be: " + strings.Join(found, "; ") + "."
}

// describeProblem puts the shape of refusals into the description.
func (a *API) describeProblem(h huma.API) {
	h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[client.Problem](), true, "Problem")
}

// nullable says in the description that an object that a pointer holds may be
// null, which huma cannot say of what it refers to.
func nullable(o *huma.OpenAPI) {
	schemas := o.Components.Schemas
	for name, fields := range map[string][]string{"Saga": {"wait", "error"}, "Step": {"error"}} {
		for _, field := range fields {
			p := schemas.Map()[name].Properties[field]
			schemas.Map()[name].Properties[field] = &huma.Schema{
				Description: p.Description,
				AnyOf:       []*huma.Schema{{Ref: p.Ref}, {Type: "null"}},
			}
		}
	}
}
