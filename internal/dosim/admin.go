package dosim

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// maxState bounds what PUT /state takes, in bytes.
const maxState = 256 << 20

//go:embed admin.openapi.json
var adminDescription []byte

// An adminRoute is one operation of the simulator's own port.
type adminRoute struct {
	pattern string
	limit   int64 // of the body, in bytes
	serve   func(r *http.Request, body []byte) (any, error)
}

func (s *Sim) adminRoutes() []adminRoute {
	plain := func(pattern string, answer func() any) adminRoute {
		return adminRoute{pattern, maxBody, func(*http.Request, []byte) (any, error) { return answer(), nil }}
	}
	return []adminRoute{
		plain("GET /healthz", func() any { return map[string]string{"status": "ok"} }),
		plain("GET /openapi.json", func() any { return json.RawMessage(adminDescription) }),
		{"GET /clock", maxBody, s.adminClock},
		{"PUT /clock", maxBody, s.adminSetClock},
		{"POST /clock/advance", maxBody, s.adminAdvance},
		plain("GET /params", func() any { return s.ParamValues() }),
		{"PUT /params", maxBody, s.adminSetParams},
		plain("GET /presets", func() any { return items(Presets()) }),
		plain("GET /preset", func() any { return map[string]string{"name": s.Preset()} }),
		{"PUT /preset", maxBody, s.adminSetPreset},
		plain("GET /faults", func() any { return items(s.Faults()) }),
		{"POST /faults", maxBody, s.adminAddFault},
		{"DELETE /faults/{id}", maxBody, func(r *http.Request, _ []byte) (any, error) { return nil, s.DeleteFault(r.PathValue("id")) }},
		{"GET /requests", maxBody, s.adminRequests},
		plain("POST /marks", func() any { return map[string]int{"mark": s.Mark()} }),
		{"GET /leaks", maxBody, s.adminLeaks},
		{"GET /truth", maxBody, s.adminTruth},
		plain("GET /state", func() any { return s.exported() }),
		{"PUT /state", maxState, func(_ *http.Request, body []byte) (any, error) { return nil, s.Import(body) }},
		{"GET /recording", maxBody, func(*http.Request, []byte) (any, error) { return s.Recording() }},
		plain("POST /recording", func() any { s.Record(); return nil }),
		plain("DELETE /recording", func() any { s.StopRecording(); return nil }),
		{"POST /replay", maxState, s.adminReplay},
		plain("GET /tokens", func() any { return items(s.Tokens()) }),
		{"POST /tokens", maxBody, s.adminCreateToken},
		{"POST /billing/credits", maxBody, s.adminGrant},
		{"POST /billing/transfers", maxBody, s.adminTransfer},
		plain("GET /billing/prices", func() any { return items(s.Prices()) }),
		{"POST /billing/prices", maxBody, s.adminSetPrice},
		{"GET /billing/unpriced", maxBody, s.adminUnpriced},
		plain("GET /guests", func() any { return items(s.Guests()) }),
		{"GET /guests/{droplet}", maxBody, s.adminGuest},
		{"GET /disks/{urn}", maxBody, s.adminDisk},
		{"PUT /disks/{urn}", maxBody, s.adminWriteDisk},
		{"DELETE /tokens/{token}", maxBody, func(r *http.Request, _ []byte) (any, error) { return nil, s.RevokeToken(r.PathValue("token")) }},
	}
}

// Admin returns the handler that steers the simulator. It asks for no password:
// it belongs on a loopback address, apart from the API's. GET /openapi.json
// describes it. It is an HTTP proxy too, which leads to what runs in droplets.
func (s *Sim) Admin() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range append(s.adminRoutes(), adminRoute{"/", maxBody, noSuchAdminRoute}) {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rt.limit))
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				answerAdmin(w, nil, fault.New(fault.TooLarge, "The body is larger than %d bytes.", rt.limit))
				return
			}
			if err != nil {
				return // the client left
			}
			v, err := rt.serve(r, body)
			answerAdmin(w, v, err)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProxied(r) {
			s.proxy(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func noSuchAdminRoute(r *http.Request, _ []byte) (any, error) {
	return nil, fault.New(fault.NotFound, "There is no %s %s here.", r.Method, r.URL.Path)
}

// adminReplay makes this cloud what the recording leads to.
func (s *Sim) adminReplay(_ *http.Request, body []byte) (any, error) {
	var r Recording
	if err := read(body, &r); err != nil {
		return nil, err
	}
	next, err := Replay(r)
	if err != nil {
		return nil, err
	}
	if err := s.Import(next.Export()); err != nil {
		return nil, err
	}
	s.remember(next)
	return nil, nil
}

// answerAdmin writes v as JSON, 204 for a nil one, or err as a problem.
func answerAdmin(w http.ResponseWriter, v any, err error) {
	if err != nil {
		status := map[fault.Kind]int{
			fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound,
			fault.Conflict: http.StatusConflict, fault.Unavailable: http.StatusServiceUnavailable,
			fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Unprocessable: http.StatusUnprocessableEntity,
		}[fault.KindOf(err)]
		if status == 0 {
			status = http.StatusInternalServerError
		}
		answerProblem(w, status, fault.Code(err), fault.Message(err))
		return
	}
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", v)
}

func answerProblem(w http.ResponseWriter, status int, code, detail string) {
	writeJSON(w, status, "application/problem+json", map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": detail,
	})
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// items wraps a list, as every list of ours is.
func items[T any](all []T) map[string]any { return map[string]any{"items": all} }

// read decodes exactly one JSON value without unknown keys into v.
func read(body []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fault.Wrap(fault.Unprocessable, err, "The body does not fit: %s.", misfit(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Unprocessable, "The body goes on after its end.")
	}
	return nil
}

// misfit says what is wrong with a body in the words of JSON, not of Go.
func misfit(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		belongs := "an object"
		switch t.Type.Kind() {
		case reflect.String:
			belongs = "a string"
		case reflect.Bool:
			belongs = "true or false"
		case reflect.Slice, reflect.Array:
			belongs = "a list"
		case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
			belongs = "a number"
		}
		where := ""
		if t.Field != "" {
			where = " at " + t.Field
		}
		return t.Value + " stands where " + belongs + " belongs" + where
	}
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

type clockJSON struct {
	Mode  Mode      `json:"mode"`
	Speed float64   `json:"speed"`
	Now   time.Time `json:"now"`
}

func (s *Sim) adminClock(*http.Request, []byte) (any, error) {
	mode, speed := s.clock.Mode()
	return clockJSON{mode, speed, s.clock.Now()}, nil
}

func (s *Sim) adminSetClock(r *http.Request, body []byte) (any, error) {
	c := struct {
		Mode  Mode     `json:"mode"`
		Speed *float64 `json:"speed"`
	}{}
	if err := read(body, &c); err != nil {
		return nil, err
	}
	speed := 1.0
	if c.Speed != nil {
		speed = *c.Speed
	}
	if err := s.clock.SetMode(c.Mode, speed); err != nil {
		return nil, err
	}
	if err := s.keep(); err != nil {
		return nil, err
	}
	return s.adminClock(r, nil)
}

func (s *Sim) adminAdvance(r *http.Request, body []byte) (any, error) {
	var a struct {
		Seconds float64 `json:"seconds"`
	}
	if err := read(body, &a); err != nil {
		return nil, err
	}
	const most = 100 * 365 * 24 * 60 * 60
	if !(a.Seconds >= 0 && a.Seconds <= most) {
		return nil, fault.New(fault.Unprocessable, "The clock advances by 0 to %d seconds.", most)
	}
	s.clock.Advance(time.Duration(math.Round(a.Seconds * float64(time.Second))))
	if err := s.keep(); err != nil {
		return nil, err
	}
	return s.adminClock(r, nil)
}

func (s *Sim) adminSetParams(_ *http.Request, body []byte) (any, error) {
	var set map[string]string
	if err := read(body, &set); err != nil {
		return nil, err
	}
	if err := s.SetParams(set); err != nil {
		return nil, err
	}
	return s.ParamValues(), nil
}

func (s *Sim) adminSetPreset(r *http.Request, body []byte) (any, error) {
	var p struct {
		Name string `json:"name"`
	}
	if err := read(body, &p); err != nil {
		return nil, err
	}
	if err := s.SetPreset(p.Name); err != nil {
		return nil, err
	}
	return map[string]string{"name": p.Name}, nil
}

func (s *Sim) adminAddFault(_ *http.Request, body []byte) (any, error) {
	var f Fault
	if err := read(body, &f); err != nil {
		return nil, err
	}
	id, err := s.addFault(f)
	if err != nil {
		return nil, err
	}
	return map[string]string{"id": id}, nil
}

// adminRequests answers the journal after ?after=, of ?method= and ?path=, a glob.
func (s *Sim) adminRequests(r *http.Request, _ []byte) (any, error) {
	q := r.URL.Query()
	var after int64
	if a := q.Get("after"); a != "" {
		var err error
		if after, err = strconv.ParseInt(a, 10, 64); err != nil {
			return nil, fault.New(fault.Unprocessable, "after is the seq of a request, not %q.", a)
		}
	}
	path, method := glob(q.Get("path")), q.Get("method")
	found := []Request{}
	for _, req := range s.Requests(after) {
		if path.MatchString(req.Path) && (method == "" || strings.EqualFold(method, req.Method)) {
			found = append(found, req)
		}
	}
	answer := items(found)
	answer["unknown_paths"] = s.UnknownPaths()
	return answer, nil
}

func (s *Sim) adminLeaks(r *http.Request, _ []byte) (any, error) {
	mark, err := strconv.Atoi(r.URL.Query().Get("mark"))
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "mark is the number of a mark, not %q.", r.URL.Query().Get("mark"))
	}
	leaks, err := s.leaks(mark)
	if err != nil {
		return nil, err
	}
	return items(leaks), nil
}

func (s *Sim) adminTruth(r *http.Request, _ []byte) (any, error) {
	kind := r.URL.Query().Get("kind")
	kinds := kinds()
	if kind != "" && !slices.Contains(kinds, kind) {
		return nil, fault.New(fault.Unprocessable, "There is no kind %q. There are: %s.", kind, strings.Join(kinds, ", "))
	}
	return items(s.Truth(kind)), nil
}

func (s *Sim) adminCreateToken(_ *http.Request, body []byte) (any, error) {
	var spec TokenSpec
	if err := read(body, &spec); err != nil {
		return nil, err
	}
	if spec.Scopes != nil && len(spec.Scopes) == 0 { // and not left away, which means all
		return nil, fault.New(fault.Unprocessable, "A token without scopes may do nothing: name some, or leave scopes away for all of them.")
	}
	t, err := s.createToken(spec)
	if err != nil {
		return nil, err
	}
	return map[string]string{"token": t}, nil
}
