package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (s *Server) freezeRoutes(page func(string, func(*visit) error)) {
	page("GET /freezes", s.freezes)
	page("GET /freezes.json", s.freezes)
	page("GET /freezes/new", s.askFreeze)
	page("POST /freezes/new", s.freeze)
	page("GET /freezes/{scope}/end", s.askThaw)
	page("POST /freezes/{scope}/end", s.thaw)
}

func thawPath(scope string) string { return "/freezes/" + url.PathEscape(scope) + "/end" }

// frozen are the freezes that stand, in a page's words.
func (s *Server) frozen(ctx context.Context) ([]ui.Freeze, error) {
	found, err := s.o.Provisioning.Freezes(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]ui.Freeze, len(found))
	for i, f := range found {
		what, scope, err := s.scopeWords(ctx, f.Scope)
		if err != nil {
			return nil, err
		}
		all[i] = ui.Freeze{What: what, Why: f.Reason, By: f.Actor, At: f.At, End: thawPath(f.Scope), Lift: "arcadia freeze end " + scope, Command: true}
		if f.Actor == provisioning.FrozenFromOutside {
			all[i].End, all[i].Command = "", false
			all[i].Lift = "This process was started so. It ends when Arcadia is started again without " + provisioning.FrozenFromOutside + "."
		}
	}
	return all, nil
}

// scopeWords is what a freeze covers, for people, and the scope as they would type it.
func (s *Server) scopeWords(ctx context.Context, scope string) (what, typed string, err error) {
	kind, of, _ := strings.Cut(scope, ":")
	switch kind {
	case "account":
		return "account " + of, scope, nil
	case "tenant":
		t, err := s.o.Tenants.Tenant(ctx, of)
		if errors.Is(err, fault.NotFound) {
			return "tenant " + of, scope, nil
		}
		return "stacks of tenant " + t.Slug, "tenant:" + t.Slug, err
	}
	return "everything", scope, nil
}

// freezes is the list of what is frozen.
func (s *Server) freezes(v *visit) error {
	found, err := s.o.Provisioning.Freezes(v.r.Context())
	if err != nil {
		return err
	}
	if v.wants("json") {
		page, err := wire.Freezes(found, func(scope string) (string, error) {
			_, typed, err := s.scopeWords(v.r.Context(), scope)
			return typed, err
		})
		if err != nil {
			return err
		}
		return v.json(page)
	}
	words, err := s.frozen(v.r.Context())
	if err != nil {
		return err
	}
	rows := make([]ui.Row, len(words))
	for i, f := range words {
		rows[i] = ui.Row{ID: found[i].Scope, Cells: []templ.Component{text(f.What), text(f.Why), text(f.By), ui.Ago(f.At, v.now), thawCell(f)}}
	}
	table := ui.Table{
		Caption: "What is frozen", Query: v.query, Rows: rows, Total: int64(len(rows)), Unit: "freezes", Columns: []ui.Column{
			{Key: "what", Title: "What", Phone: ui.PhoneTitle}, {Key: "why", Title: "Why"}, {Key: "by", Title: "By"},
			{Key: "at", Title: "Since", Number: true}, {Key: "end", Title: "End", Phone: ui.PhoneState},
		},
	}
	page := v.page("Freezes", "/stacks")
	page.Freezes = nil // the list says it
	return v.show(http.StatusOK, freezesPage(page, table, ui.Twin{CLI: "arcadia freeze list", API: "curl http://" + v.r.Host + "/v1/freezes", JSON: "/freezes.json"}))
}

// A freezeForm is what may be frozen, and what was given.
type freezeForm struct {
	accounts []string
	tenants  []tenant.Tenant
	scope    string
}

// askFreeze is the page that asks before changes are frozen.
func (s *Server) askFreeze(v *visit) error {
	return s.confirmFreeze(v, http.StatusOK, v.query.Get("scope"), nil)
}

func (s *Server) confirmFreeze(v *visit, status int, scope string, refusal error) error {
	ctx := v.r.Context()
	f := freezeForm{scope: scope}
	accounts, err := s.o.Access.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		f.accounts = append(f.accounts, a.Name)
	}
	if f.tenants, err = s.o.Tenants.All(ctx); err != nil {
		return err
	}
	f.tenants = slices.DeleteFunc(f.tenants, func(t tenant.Tenant) bool { return t.State == tenant.Closed })
	c := ui.Confirm{
		Title: "Freeze changes", About: "Nothing is changed at DigitalOcean while a freeze stands", Back: "/freezes", Action: "/freezes/new", Key: formKey(v), Verb: "Freeze changes",
		Danger: true, Hidden: url.Values{}, ReasonRequired: true, ReasonNote: "Every page says it while the freeze stands", Reason: v.r.PostFormValue("reason"),
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	twins := ui.Twin{CLI: "arcadia freeze begin all --reason WHY", API: "curl -X POST http://" + v.r.Host + "/v1/freezes -d " + quoted(`{"scope":"all","reason":"WHY"}`)}
	return v.show(status, freezePage(v.page(c.Title, "/stacks"), c, f, twins))
}

// freeze begins a freeze.
func (s *Server) freeze(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	scope := v.r.PostFormValue("scope")
	err := s.sent.once(v.r.PostFormValue("key"), func() error {
		return s.o.Provisioning.Freeze(v.r.Context(), scope, v.r.PostFormValue("reason"), actor, time.Now())
	})
	if err != nil {
		return s.confirmFreeze(v, v.problem(err).Status, scope, err)
	}
	return v.redirect("/freezes?did=freeze")
}

// askThaw is the page that asks before a freeze is ended.
func (s *Server) askThaw(v *visit) error { return s.confirmThaw(v, http.StatusOK, nil) }

func (s *Server) confirmThaw(v *visit, status int, refusal error) error {
	scope := v.r.PathValue("scope")
	found, err := s.o.Provisioning.Freezes(v.r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(found, func(f provisioning.Freeze) bool { return f.Scope == scope && f.Actor != provisioning.FrozenFromOutside })
	if i < 0 {
		return fault.New(fault.NotFound, "No such freeze stands that a page can end.")
	}
	what, typed, err := s.scopeWords(v.r.Context(), scope)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: "End the freeze", About: "Of " + what, Back: "/freezes", Action: thawPath(scope), Key: formKey(v), Verb: "End the freeze", NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	twins := ui.Twin{CLI: "arcadia freeze end " + typed, API: "curl -X DELETE http://" + v.r.Host + "/v1/freezes/" + url.PathEscape(scope)}
	return v.show(status, thawPage(v.page(c.Title, "/stacks"), c, found[i], twins))
}

// thaw ends a freeze.
func (s *Server) thaw(v *visit) error {
	err := s.sent.once(v.r.PostFormValue("key"), func() error {
		return s.o.Provisioning.Thaw(v.r.Context(), v.r.PathValue("scope"))
	})
	if err != nil {
		p := v.problem(err)
		if p.Status == http.StatusNotFound {
			return err
		}
		return s.confirmThaw(v, p.Status, err)
	}
	return v.redirect("/freezes?did=thaw")
}
