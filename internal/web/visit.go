package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/origin"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// policy allows what this server itself serves, and no inline style or script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the most that is read of a form, in bytes.
const maxForm = 384 << 10

// guarded is what every request passes before its route.
func (s *Server) guarded(routes http.Handler) http.Handler {
	let := origin.Guard(routes, func(w http.ResponseWriter, r *http.Request, why string) {
		s.visit(w, r, func(*visit) error { return fault.New(fault.Forbidden, "%s", why) })
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		defer s.recovered(w, r)
		let.ServeHTTP(w, r)
	})
}

// recovered turns a panic of a page into a logged refusal.
func (s *Server) recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	s.log.ErrorContext(r.Context(), "page panicked", "method", r.Method, "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
	s.visit(w, r, func(*visit) error { return errAccident })
}

var errAccident = errors.New("a page panicked")

// A visit is one request for a page.
type visit struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	now   ui.Clock
	query ui.Query
}

// visit shows a page, or the problem that kept it from being shown.
func (s *Server) visit(w http.ResponseWriter, r *http.Request, show func(*visit) error) {
	ctx, cancel := context.WithTimeout(r.Context(), readTime)
	defer cancel()
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := &visit{s: s, w: w, r: r, now: ui.Clock{Time: time.Now()}, query: ui.QueryOf(r)}
	w.Header().Set("Cache-Control", "private, no-cache")
	if err := show(v); err != nil {
		v.refuse(err)
	}
}

// page is what the shell needs to know. here is the entry of the navigation.
func (v *visit) page(title, here string) ui.Page {
	p := ui.Page{
		Title: title, Here: here, Query: v.query, Now: v.now, Flash: flashes[v.r.URL.Query().Get("did")],
		Assets: v.s.assets.address, Simulated: v.s.o.Simulated, Filling: v.s.o.Filling != nil && v.s.o.Filling(), Version: v.s.o.Version,
	}
	if p.Flash != "" {
		p.Undo = v.undoable()
	}
	var err error
	if p.ReadOnly, err = v.s.readOnly(v.r.Context()); err != nil {
		v.s.log.WarnContext(v.r.Context(), "whether anything can be changed is not known", "err", err)
	}
	if p.Freezes, err = v.s.frozen(v.r.Context()); err != nil {
		v.s.log.WarnContext(v.r.Context(), "whether anything is frozen is not known", "err", err)
	}
	if c, err := v.r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		p.Theme = c.Value
	}
	return p
}

// live is page of one that follows along: what changes after it was read, of one
// saga first where of names one, is told at that address.
func (v *visit) live(title, here, of string, position string) ui.Page {
	stands, err := v.s.lookout.position(v.r.Context(), "")
	if err != nil {
		v.s.log.WarnContext(v.r.Context(), "whether anything is frozen is not known", "err", err)
	}
	p := v.page(title, here)
	p.Live = ui.Query{Path: "/events"}.With("after", position, "saga", of, "stood", stands).String()
	return p
}

// follow is live of a page about the inventory, made before any of it is read.
func (v *visit) follow(title, here string, of topic) (ui.Page, error) {
	at, err := v.s.position(v.r.Context())
	if err != nil {
		return ui.Page{}, err
	}
	stands, err := v.s.lookout.position(v.r.Context(), of)
	if err != nil {
		return ui.Page{}, err
	}
	p := v.page(title, here)
	p.Live = ui.Query{Path: "/events"}.With("after", at, "topic", string(of), "stood", stands).String()
	return p, nil
}

// flashes are what the last request came to, by what the address says. They are
// fixed texts: an address can be made by anybody.
var flashes = map[string]string{
	"snapshot": "The snapshot was asked for.", "smoke": "The smoke test has begun.",
	"start": "It was started.", "pause": "It pauses at its next boundary.", "resume": "It goes on.",
	"cancel": "It turns back at its next boundary and undoes what it did.", "retry": "It looks again now.",
	"skip": "The step was passed over.", "mark-done": "The step was marked done.", "force-release": "It was taken from its owner.", "sync": "The sync was asked for.",
	"assign": "It was assigned.", "unassign": "The rules decide again.", "undo": "It is as it was before.", "add": "The tenant was added.", "change": "It was changed.",
	"suspend": "The tenant is suspended.", "unsuspend": "The tenant is active again.", "close": "The tenant is closed.",
	"import": "The tenants were imported.", "mute": "It is muted.", "unmute": "It is heard of again.",
	"apply": "The plan is being carried out.", "freeze": "Changes are frozen.", "thaw": "The freeze is over.", "protect": "It is protected.", "unprotect": "The protection is over.",
	"keep": "It is kept.", "unkeep": "It is not kept any more.",
}

// wants reports whether the request is for the page's twin in another form.
func (v *visit) wants(form string) bool { return strings.HasSuffix(v.r.URL.Path, "."+form) }

// twin is this page's address in another form.
func (v *visit) twin(path, form string) string { return v.query.At(path + "." + form).String() }

// show writes a page.
func (v *visit) show(status int, page templ.Component) error {
	var b bytes.Buffer
	if err := page.Render(v.r.Context(), &b); err != nil {
		return err
	}
	return v.write(status, "text/html; charset=utf-8", b.Bytes())
}

// json writes a page's twin.
func (v *visit) json(body any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(body); err != nil {
		return err
	}
	return v.write(http.StatusOK, "application/json", b.Bytes())
}

// csv writes a list, a page of rows at a time until more answers none.
func (v *visit) csv(name string, heading []string, more func() ([][]string, error)) error {
	rows, err := more() // before anything is sent: a refusal can still be a proper one
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	c := csv.NewWriter(v.w)
	_ = c.Write(heading) // its error is kept, and looked at below
	for len(rows) > 0 {
		for _, row := range rows {
			_ = c.Write(safeCells(row))
		}
		c.Flush()
		if err := c.Error(); err != nil {
			panic(http.ErrAbortHandler) // a cut list must not pass for a whole one
		}
		if rows, err = more(); err != nil {
			v.s.log.ErrorContext(v.r.Context(), "list broke off", "path", v.r.URL.Path, "err", err)
			panic(http.ErrAbortHandler)
		}
	}
	c.Flush()
	return nil
}

// safeCells keeps a spreadsheet from taking a name for a formula.
func safeCells(row []string) []string {
	for i, cell := range row {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			row[i] = "'" + cell
		}
	}
	return row
}

var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// write sends a whole answer, made small where the client takes that.
func (v *visit) write(status int, kind string, body []byte) error {
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	if len(body) < 1000 || !takesGzip(v.r) {
		v.w.WriteHeader(status)
		_, _ = v.w.Write(body) // who does not read it needs no word of that
		return nil
	}
	h.Set("Content-Encoding", "gzip")
	v.w.WriteHeader(status)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(v.w)
	_, _ = z.Write(body)
	_ = z.Close()
	return nil
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// redirect answers a form: the browser reads the page that it came to, and reading
// it again sends nothing again.
func (v *visit) redirect(to string) error {
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// refuse shows what went wrong, in the form that was asked for.
func (v *visit) refuse(err error) { v.tell(v.problem(err)) }

func (v *visit) tell(p client.Problem) {
	v.w.Header().Set("Cache-Control", "no-store")
	if v.wants("json") || v.wants("csv") {
		body, err := json.Marshal(p)
		if err != nil {
			panic(err) // strings and a number always marshal
		}
		_ = v.write(p.Status, "application/problem+json", body) // it never fails
		return
	}
	if err := v.show(p.Status, ui.ProblemPage(v.page(p.Title, ""), p)); err != nil {
		v.s.log.ErrorContext(v.r.Context(), "show a problem", "err", err)
		http.Error(v.w, p.Detail, p.Status)
	}
}

// problem is what an error says to whoever looks at a page. What is no fault is an
// accident: it is logged, and the reader learns only that.
func (v *visit) problem(err error) client.Problem {
	kind := fault.KindOf(err)
	p := client.Problem{Type: "about:blank", Title: titles[kind], Status: statuses[kind], Code: fault.Code(err), Detail: fault.Message(err)}
	if title, ok := titlesByCode[p.Code]; ok {
		p.Title = title
	}
	if kind == fault.Internal {
		p.Detail += " The server's log says what."
		if !errors.Is(err, context.Canceled) {
			v.s.log.ErrorContext(v.r.Context(), "page failed", "method", v.r.Method, "path", v.r.URL.Path, "err", err)
		}
	}
	return p
}

var statuses = map[fault.Kind]int{
	fault.Invalid: 400, fault.Unauthorized: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
	fault.TooLarge: 413, fault.Unprocessable: 422, fault.TooMany: 429, fault.Internal: 500, fault.Unavailable: 503,
}

var titles = map[fault.Kind]string{
	fault.Invalid: "That is not as it must be", fault.Unauthorized: "Not signed in", fault.Forbidden: "Not allowed", fault.NotFound: "Not found",
	fault.Conflict: "Not possible now", fault.TooLarge: "Too large", fault.Unprocessable: "That cannot be done", fault.TooMany: "Too many requests",
	fault.Internal: "Something went wrong", fault.Unavailable: "Out of reach at the moment",
}

var titlesByCode = map[string]string{
	"no_token": "There is no token yet", access.ReadOnly: "This account is read-only", "digitalocean_unauthorized": "DigitalOcean does not accept the token",
	"digitalocean_forbidden": "The token may not do that", "digitalocean_unavailable": "DigitalOcean does not answer properly",
	"digitalocean_not_found": "DigitalOcean does not know it", "digitalocean_rate_limited": "The token's rate limit is used up",
}

var errNowhere = fault.New(fault.NotFound, "There is no page at this address.")

// stray answers what no route takes: the address may be one for another method.
func (s *Server) stray(v *visit, routes *http.ServeMux) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		as := v.r.Clone(v.r.Context())
		as.Method = method
		if _, pattern := routes.Handler(as); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return errNowhere
	}
	v.w.Header().Set("Allow", strings.Join(allowed, ", "))
	v.tell(client.Problem{
		Type: "about:blank", Title: "Not possible here", Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
		Detail: fmt.Sprintf("This address does not take %s, but %s.", clip(v.r.Method), strings.Join(allowed, " and ")),
	})
	return nil
}

const themeCookie = "theme"

// theme keeps the choice of colours in a cookie and goes back to the page.
func (s *Server) theme(v *visit) error {
	choice := v.r.PostFormValue("theme")
	c := &http.Cookie{Name: themeCookie, Value: choice, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch choice {
	case "light", "dark":
	case "":
		c.MaxAge = -1
	default:
		return fault.New(fault.Invalid, "The colours are light, dark or the system's.")
	}
	http.SetCookie(v.w, c)
	return v.redirect(localPath(v.r.PostFormValue("back")))
}

// localPath is a path of this server, whatever the form said.
func localPath(back string) string {
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n") {
		return "/"
	}
	return back
}
