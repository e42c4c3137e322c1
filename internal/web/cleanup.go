package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

const cleanupPath = "/cleanup"

func (s *Server) cleanupRoutes(page func(string, func(*visit) error)) {
	page("GET /cleanup", s.cleanup)
	page("GET /cleanup.json", s.cleanup)
	page("GET /cleanup/plan", s.askCleanup)
	page("POST /cleanup/plan", s.planCleanup)
	page("GET /cleanup/keep", s.askKeep)
	page("POST /cleanup/keep", s.keep)
	page("GET /cleanup/unkeep", s.askUnkeep)
	page("POST /cleanup/unkeep", s.unkeep)
}

// keepPath asks to keep a thing, or to keep it no more.
func keepPath(verb, urn string) string {
	return cleanupPath + "/" + verb + "?" + url.Values{"urn": {urn}}.Encode()
}

// A cleanupView is what clean-ups are to delete, and what they never do.
type cleanupView struct {
	ui.Page
	marks []provisioning.Mark
	kept  []provisioning.Protection
	ended bool // marks that have ended are among them
	table ui.Table
	twins ui.Twin
}

// A cleanupTwin is the page's JSON.
type cleanupTwin struct {
	Marks []client.CleanupMark `json:"marks"`
	Kept  []client.Protection  `json:"kept"`
}

// standing are the marks of what is not deleted yet.
func (v cleanupView) standing() (all []provisioning.Mark) {
	for _, m := range v.marks {
		if m.EndedAt.IsZero() {
			all = append(all, m)
		}
	}
	return all
}

// saves is what the standing marks come to in a month, as far as prices are known.
func (v cleanupView) saves() string {
	var sum, unpriced int64
	for _, m := range v.standing() {
		if m.Monthly == nil {
			unpriced++
			continue
		}
		sum += *m.Monthly
	}
	words := dollars(inventory.Micros(sum))
	if unpriced > 0 {
		words += " + " + ui.Number(unpriced) + " without a price"
	}
	return words
}

// next is when something may be deleted first; zero: nothing waits for its time.
func (v cleanupView) next() (at time.Time) {
	for _, m := range v.standing() {
		if m.State == provisioning.Marked && (at.IsZero() || m.Due.Before(at)) {
			at = m.Due
		}
	}
	return at
}

// cleanup is the page of what nobody has.
func (s *Server) cleanup(v *visit) error {
	ctx := v.r.Context()
	at, err := s.position(ctx)
	if err != nil {
		return err
	}
	view := cleanupView{ended: v.query.Get("all") == "true"}
	if view.marks, err = s.o.Provisioning.Marks(ctx, v.query.Get("account"), view.ended); err != nil {
		return err
	}
	protected, err := s.o.Provisioning.Protections(ctx)
	if err != nil {
		return err
	}
	for _, p := range protected {
		if strings.HasPrefix(p.Subject, "do:") {
			view.kept = append(view.kept, p)
		}
	}
	if v.wants("json") {
		twin := cleanupTwin{Marks: make([]client.CleanupMark, len(view.marks)), Kept: wire.Protections(view.kept)}
		for i, m := range view.marks {
			twin.Marks[i] = wire.CleanupMark(m)
		}
		return v.json(twin)
	}
	view.Page = v.live("Clean-ups", "/stacks", "", at)
	rows := make([]ui.Row, len(view.marks))
	for i, m := range view.marks {
		rows[i] = ui.Row{ID: string(m.Saga) + "-" + m.URN, Cells: []templ.Component{
			markedThing(m), ui.Badge(string(m.State)), markReason(m), markCost(m.Monthly), ui.Ago(m.Since, v.now), markEnd(m, v.now), markVerb(m),
		}}
	}
	view.table = ui.Table{
		Caption: "What clean-ups are to delete", Rows: rows, Query: v.query, Total: int64(len(rows)), Unit: "marks", Columns: []ui.Column{
			{Key: "what", Title: "What", Phone: ui.PhoneTitle}, {Key: "state", Title: "State", Phone: ui.PhoneState}, {Key: "why", Title: "Why"},
			{Key: "monthly", Title: "A month", Number: true}, {Key: "since", Title: "Marked", Number: true, Phone: ui.PhoneHide},
			{Key: "due", Title: "Deleted", Number: true}, {Key: "keep", Title: "Keep"},
		},
	}
	view.twins = ui.Twin{CLI: "arcadia cleanup list", API: "curl http://" + v.r.Host + "/v1/cleanup/marks", JSON: v.twin(cleanupPath, "json")}
	if view.ended {
		view.twins.CLI += " --all"
		view.twins.API = "curl 'http://" + v.r.Host + "/v1/cleanup/marks?all=true'"
	}
	return v.show(http.StatusOK, cleanupPage(view))
}

var reasonsOfMarks = map[string]string{
	string(inventory.UnattachedVolume): "Attached to nothing", string(inventory.UnassignedIP): "Leads nowhere",
	string(inventory.OrphanSnapshot): "Its source is gone", "leftover": "Left over by a saga",
}

// reasonOfMark is why a thing is nobody's, in a few words.
func reasonOfMark(m provisioning.Mark) string {
	if words := reasonsOfMarks[m.Reason]; words != "" {
		return words
	}
	return ui.Upper(wire.Words(m.Reason))
}

// askCleanup asks of which account, how long things stay marked, and which.
func (s *Server) askCleanup(v *visit) error {
	return s.askCleanupOf(v, http.StatusOK, v.r.URL.Query(), nil)
}

func (s *Server) askCleanupOf(v *visit, status int, given url.Values, refusal error) error {
	accounts, err := s.o.Access.Accounts(v.r.Context())
	if err != nil {
		return err
	}
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = a.Name
	}
	o, err := provisioning.OperationOf(provisioning.CleanUp)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: "Plan a clean-up", About: o.Help, Back: cleanupPath, Action: cleanupPath + "/plan", Key: formKey(v), Verb: "Make the plan", NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	twins := ui.Twin{CLI: "arcadia cleanup plan --wait 168h", API: "curl -X POST http://" + v.r.Host + "/v1/plans -d " + quoted(`{"verb":"cleanup","options":{"wait":"168h"}}`)}
	return v.show(status, planCleanupPage(v.page(c.Title, "/stacks"), c, o, names, given, twins))
}

// planCleanup plans a clean-up, and shows the plan: nothing is marked yet.
func (s *Server) planCleanup(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	o, err := provisioning.OperationOf(provisioning.CleanUp)
	if err != nil {
		return err
	}
	order := provisioning.PlanRequest{Verb: provisioning.CleanUp, Account: v.r.Form.Get("account"), Options: optionsOf(o, v.r.Form)}
	p, err := s.o.Provisioning.PlanStack(v.r.Context(), order, actor, time.Now())
	if err != nil {
		return s.askCleanupOf(v, v.problem(err).Status, v.r.Form, err)
	}
	return v.redirect(planPath(p.ID))
}

// askKeep is the page that asks before a thing is kept.
func (s *Server) askKeep(v *visit) error { return s.confirmKeep(v, http.StatusOK, true, nil) }

// askUnkeep is the page that asks before a thing is kept no more.
func (s *Server) askUnkeep(v *visit) error { return s.confirmKeep(v, http.StatusOK, false, nil) }

func (s *Server) confirmKeep(v *visit, status int, keep bool, refusal error) error {
	urn := v.r.FormValue("urn")
	if urn == "" {
		return fault.New(fault.Invalid, "Say which thing, by its URN: urn=do:volume:…")
	}
	found, err := s.o.Provisioning.Protections(v.r.Context(), urn)
	if err != nil {
		return err
	}
	var by provisioning.Protection
	if len(found) > 0 {
		by = found[0]
	}
	if !keep && len(found) == 0 && refusal == nil {
		return fault.New(fault.NotFound, "%s is not kept.", clip(urn))
	}
	endpoint := "http://" + v.r.Host + "/v1/resources/" + url.PathEscape(urn) + "/protection"
	c := ui.Confirm{
		Title: "Keep it", About: urn, Back: cleanupPath, Action: cleanupPath + "/keep", Key: formKey(v), Verb: "Keep it",
		Hidden: url.Values{"urn": {urn}}, ReasonRequired: true, ReasonNote: "Who wants to destroy it is told", Reason: v.r.PostFormValue("reason"),
	}
	twins := ui.Twin{CLI: "arcadia cleanup keep " + urn + " --reason WHY", API: "curl -X PUT " + endpoint + " -d " + quoted(`{"reason":"WHY"}`)}
	if !keep {
		c.Title, c.Action, c.Verb = "Keep it no more", cleanupPath+"/unkeep", "Keep it no more"
		c.Danger, c.NoReason, c.ReasonRequired = true, true, false
		twins = ui.Twin{CLI: "arcadia cleanup unkeep " + urn, API: "curl -X DELETE " + endpoint}
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	return v.show(status, keepPage(v.page(c.Title, "/stacks"), c, by, keep, twins))
}

// keep has a thing never be destroyed, and ends its mark.
func (s *Server) keep(v *visit) error {
	return s.setKept(v, true, func(urn string) error {
		return s.o.Provisioning.Keep(v.r.Context(), urn, v.r.PostFormValue("reason"), actor, time.Now())
	})
}

// unkeep ends that.
func (s *Server) unkeep(v *visit) error {
	return s.setKept(v, false, func(urn string) error { return s.o.Provisioning.Unkeep(v.r.Context(), urn) })
}

func (s *Server) setKept(v *visit, keep bool, set func(urn string) error) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	urn := v.r.PostFormValue("urn")
	if err := s.sent.once(v.r.PostFormValue("key"), func() error { return set(urn) }); err != nil {
		return s.confirmKeep(v, v.problem(err).Status, keep, err)
	}
	did := "keep"
	if !keep {
		did = "unkeep"
	}
	return v.redirect(cleanupPath + "?did=" + did)
}
