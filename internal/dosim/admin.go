package dosim

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// maxState bounds what PUT /state takes, in bytes.
const maxState = 256 << 20

// Admin returns the handler that steers the simulator. It asks for no password:
// it belongs on a loopback address, apart from the API's.
func (s *Sim) Admin() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, limit int64, serve func(r *http.Request, body []byte) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				answerAdmin(w, nil, fault.New(fault.TooLarge, "The body is larger than %d bytes.", limit))
				return
			}
			if err != nil {
				return // the client left
			}
			v, err := serve(r, body)
			answerAdmin(w, v, err)
		})
	}
	handle("GET /healthz", maxBody, func(*http.Request, []byte) (any, error) { return map[string]string{"status": "ok"}, nil })
	handle("GET /clock", maxBody, s.adminClock)
	handle("PUT /clock", maxBody, s.adminSetClock)
	handle("POST /clock/advance", maxBody, s.adminAdvance)
	handle("GET /params", maxBody, func(*http.Request, []byte) (any, error) { return s.ParamValues(), nil })
	handle("PUT /params", maxBody, s.adminSetParams)
	handle("GET /presets", maxBody, func(*http.Request, []byte) (any, error) { return items(Presets()), nil })
	handle("GET /preset", maxBody, func(*http.Request, []byte) (any, error) { return map[string]string{"name": s.Preset()}, nil })
	handle("PUT /preset", maxBody, s.adminSetPreset)
	handle("GET /faults", maxBody, func(*http.Request, []byte) (any, error) { return items(s.Faults()), nil })
	handle("POST /faults", maxBody, s.adminAddFault)
	handle("DELETE /faults/{id}", maxBody, func(r *http.Request, _ []byte) (any, error) { return nil, s.DeleteFault(r.PathValue("id")) })
	handle("GET /requests", maxBody, s.adminRequests)
	handle("POST /marks", maxBody, func(*http.Request, []byte) (any, error) { return map[string]int{"mark": s.Mark()}, nil })
	handle("GET /leaks", maxBody, s.adminLeaks)
	handle("GET /truth", maxBody, s.adminTruth)
	handle("GET /state", maxBody, func(*http.Request, []byte) (any, error) { return s.exported(), nil })
	handle("PUT /state", maxState, func(_ *http.Request, body []byte) (any, error) { return nil, s.Import(body) })
	handle("GET /tokens", maxBody, func(*http.Request, []byte) (any, error) { return items(s.Tokens()), nil })
	handle("POST /tokens", maxBody, s.adminCreateToken)
	handle("DELETE /tokens/{token}", maxBody, func(r *http.Request, _ []byte) (any, error) { return nil, s.RevokeToken(r.PathValue("token")) })
	handle("/", maxBody, func(r *http.Request, _ []byte) (any, error) {
		return nil, fault.New(fault.NotFound, "There is no %s %s here.", r.Method, r.URL.Path)
	})
	return mux
}

// answerAdmin writes v as JSON, 204 for a nil one, or err as a problem.
func answerAdmin(w http.ResponseWriter, v any, err error) {
	status, contentType := http.StatusOK, "application/json"
	if err != nil {
		contentType = "application/problem+json"
		status = map[fault.Kind]int{
			fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound,
			fault.Conflict: http.StatusConflict, fault.Unavailable: http.StatusServiceUnavailable,
			fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Unprocessable: http.StatusUnprocessableEntity,
		}[fault.KindOf(err)]
		if status == 0 {
			status = http.StatusInternalServerError
		}
		v = map[string]any{
			"type": "about:blank", "title": http.StatusText(status), "status": status,
			"code": fault.Code(err), "detail": fault.Message(err),
		}
	}
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
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
		return fault.Wrap(fault.Unprocessable, err, "The body does not fit: %s.", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Unprocessable, "The body goes on after its end.")
	}
	return nil
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
	t, err := s.createToken(spec)
	if err != nil {
		return nil, err
	}
	return map[string]string{"token": t}, nil
}
