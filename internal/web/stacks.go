package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (s *Server) stackRoutes(page func(string, func(*visit) error)) {
	page("GET /stacks", s.stackList)
	page("GET /stacks.json", s.stackList)
	page("GET /stacks/{stack}", s.stack)
	page("GET /stacks/new", s.newStack)
	page("POST /stacks/new", s.planNewStack)
	page("GET /stacks/{stack}/plan/{verb}", s.askVerb)
	page("POST /stacks/{stack}/plan/{verb}", s.planVerb)
	page("GET /plans/{plan}", s.plan)
	page("GET /plans/{plan}/apply", s.askApply)
	page("POST /plans/{plan}/apply", s.applyPlan)
}

func stackPath(id provisioning.StackID) string { return "/stacks/" + string(id) }
func planPath(id provisioning.PlanID) string   { return "/plans/" + string(id) }

// A stackView is a stack with what there is to say of it.
type stackView struct {
	ui.Page
	provisioning.Stack
	tenant    tenant.Tenant
	last      saga.Saga
	resources []provisioning.StackResource
	protected []provisioning.Protection
	plans     []provisioning.Plan
	freezes   []provisioning.Freeze // that stop it
	table     ui.Table
	twins     ui.Twin
}

// stands is how the stack stands, in a word that has a colour: what is under way counts
// more than what was.
func (v stackView) stands() string {
	if !v.last.State.Ended() {
		return string(v.last.State)
	}
	if v.State == provisioning.StackNew {
		return string(v.last.State)
	}
	return string(v.State)
}

// A stackListView is what the page of all stacks shows.
type stackListView struct {
	ui.Page
	stacks  []stackView
	freezes []provisioning.Freeze
	table   ui.Table
	twins   ui.Twin
}

func (s *Server) readStack(ctx context.Context, one provisioning.Stack) (v stackView, err error) {
	v.Stack = one
	if v.tenant, err = s.o.Tenants.Tenant(ctx, string(one.Tenant)); err != nil {
		return v, err
	}
	if v.last, err = s.o.Engine.Saga(ctx, one.Saga); err != nil {
		return v, err
	}
	v.protected, err = s.o.Provisioning.Protections(ctx, "stack:"+string(one.ID), "tenant:"+string(one.Tenant))
	return v, err
}

// stackList is the list of stacks.
func (s *Server) stackList(v *visit) error {
	ctx := v.r.Context()
	at, err := s.position(ctx) // before anything is read: what comes after is told
	if err != nil {
		return err
	}
	all, err := s.o.Provisioning.Stacks(ctx, provisioning.StackFilter{})
	if err != nil {
		return err
	}
	page := stackListView{Page: v.live("Stacks", "/stacks", "", at), stacks: make([]stackView, len(all))}
	for i, one := range all {
		if page.stacks[i], err = s.readStack(ctx, one); err != nil {
			return err
		}
	}
	if v.wants("json") {
		items := make([]client.Stack, len(all))
		for i, one := range page.stacks {
			items[i] = one.twin()
		}
		return v.json(client.List[client.Stack]{Items: items})
	}
	if page.freezes, err = s.o.Provisioning.Freezes(ctx); err != nil {
		return err
	}
	rows := make([]ui.Row, len(page.stacks))
	for i, one := range page.stacks {
		rows[i] = ui.Row{ID: string(one.ID), Cells: []templ.Component{
			stackName(one), stackState(one), text(one.Blueprint), text(one.Account), protection(one), ui.Ago(one.UpdatedAt, v.now),
		}}
	}
	page.table = ui.Table{Caption: "Stacks", Columns: stackColumns, Rows: rows, Query: v.query, Total: int64(len(all)), Unit: "stacks"}
	page.twins = ui.Twin{CLI: "arcadia stack list", API: "curl http://" + v.r.Host + "/v1/stacks", JSON: "/stacks.json"}
	return v.show(http.StatusOK, stacksPage(page))
}

var stackColumns = []ui.Column{
	{Key: "name", Title: "Stack", Phone: ui.PhoneTitle},
	{Key: "state", Title: "State", Phone: ui.PhoneState},
	{Key: "blueprint", Title: "Blueprint"},
	{Key: "account", Title: "Account", Phone: ui.PhoneHide},
	{Key: "protected", Title: "Protected"},
	{Key: "changed", Title: "Changed", Number: true},
}

func (v stackView) twin() client.Stack {
	w := wire.Stack(v.Stack, v.tenant.Slug, string(v.last.State))
	w.Protected, w.Resources = wire.Protections(v.protected), wire.StackResources(v.resources)
	return w
}

// stack is the page of one stack.
func (s *Server) stack(v *visit) error {
	ctx := v.r.Context()
	ref, asJSON := strings.CutSuffix(v.r.PathValue("stack"), ".json")
	at, err := s.position(ctx)
	if err != nil {
		return err
	}
	one, err := s.o.Provisioning.Stack(ctx, ref)
	if err != nil {
		return err
	}
	view, err := s.readStack(ctx, one)
	if err != nil {
		return err
	}
	if view.resources, err = s.o.Provisioning.StackResources(ctx, one.ID); err != nil {
		return err
	}
	if asJSON {
		return v.json(view.twin())
	}
	if view.plans, err = s.o.Provisioning.Plans(ctx, one.ID, 20); err != nil {
		return err
	}
	if view.freezes, err = s.o.Provisioning.FreezesOf(ctx, one.Account, one.Tenant); err != nil {
		return err
	}
	view.Page = v.live(one.Name, "/stacks", "", at)
	if _, why, err := s.o.Access.Writable(ctx, one.Account); err != nil {
		return err
	} else if why != "" {
		view.ReadOnly = why
	}
	rows := make([]ui.Row, len(view.resources))
	for i, r := range view.resources {
		rows[i] = ui.Row{ID: r.Key, Cells: []templ.Component{stackResource(r), text(r.Kind), text(r.Name)}}
	}
	view.table = ui.Table{
		Caption: "What it has at DigitalOcean", Columns: []ui.Column{
			{Key: "key", Title: "Resource", Phone: ui.PhoneTitle}, {Key: "kind", Title: "Kind"}, {Key: "name", Title: "Name"},
		},
		Rows: rows, Query: v.query, Total: int64(len(rows)), Unit: "resources",
	}
	view.twins = ui.Twin{CLI: "arcadia stack show " + string(one.ID), API: "curl http://" + v.r.Host + "/v1/stacks/" + string(one.ID), JSON: stackPath(one.ID) + ".json"}
	return v.show(http.StatusOK, stackPage(view))
}

// A planView is a plan with whose it is.
type planView struct {
	ui.Page
	provisioning.Plan
	tenant  tenant.Tenant
	freezes []provisioning.Freeze // that stop it
	table   ui.Table
	twins   ui.Twin
}

func (s *Server) readPlan(v *visit) (p planView, asJSON bool, err error) {
	ref, asJSON := strings.CutSuffix(v.r.PathValue("plan"), ".json")
	if p.Plan, err = s.o.Provisioning.Plan(v.r.Context(), provisioning.PlanID(ref)); err != nil {
		return p, asJSON, err
	}
	if p.tenant, err = s.o.Tenants.Tenant(v.r.Context(), string(p.Tenant)); err != nil {
		return p, asJSON, err
	}
	if p.Saga == "" {
		p.freezes, err = s.o.Provisioning.FreezesOf(v.r.Context(), p.Account, p.Tenant)
	}
	return p, asJSON, err
}

// title is what the plan does, for people.
func (p planView) title() string {
	if p.Verb == provisioning.Provision {
		return "Make " + p.Name
	}
	return verbWords(p.Verb) + " " + p.Name
}

// plan is the page of a plan: what would be done, or what was.
func (s *Server) plan(v *visit) error {
	at, err := s.position(v.r.Context())
	if err != nil {
		return err
	}
	p, asJSON, err := s.readPlan(v)
	if err != nil {
		return err
	}
	if asJSON {
		return v.json(wire.Plan(p.Plan, p.tenant.Slug))
	}
	p.Page = v.live(p.title(), "/stacks", "", at)
	rows := make([]ui.Row, len(p.Changes))
	for i, c := range p.Changes {
		rows[i] = ui.Row{ID: c.Key, Cells: []templ.Component{planResource(c), text(c.Action), planCost(c), text(c.Detail)}}
	}
	p.table = ui.Table{
		Caption: "What changes", Columns: []ui.Column{
			{Key: "key", Title: "Resource", Phone: ui.PhoneTitle}, {Key: "action", Title: "Action", Phone: ui.PhoneState},
			{Key: "monthly", Title: "A month", Number: true}, {Key: "detail", Title: "Detail"},
		},
		Rows: rows, Query: v.query, Total: int64(len(rows)), Unit: "resources",
	}
	p.twins = ui.Twin{CLI: "arcadia stack apply " + string(p.ID), API: "curl -X POST http://" + v.r.Host + "/v1" + planPath(p.ID) + "/apply", JSON: planPath(p.ID) + ".json"}
	return v.show(http.StatusOK, planPage(p))
}

// askApply is the page that asks before a plan is carried out.
func (s *Server) askApply(v *visit) error { return s.confirmApply(v, http.StatusOK, nil) }

func (s *Server) confirmApply(v *visit, status int, refusal error) error {
	p, _, err := s.readPlan(v)
	if err != nil {
		return err
	}
	back := planPath(p.ID)
	c := ui.Confirm{
		Title: p.title(), About: "A stack of " + p.tenant.Slug, Back: back, Action: back + "/apply", Key: formKey(v), Verb: p.title(),
		Danger: len(p.Destroys()) > 0, NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	twins := ui.Twin{CLI: "arcadia stack apply " + string(p.ID), API: "curl -X POST http://" + v.r.Host + "/v1" + c.Action}
	return v.show(status, applyForm(v.page(c.Title, "/stacks"), c, p, twins))
}

// applyPlan starts a plan's saga, and shows it. A form that is sent again leads to the
// same saga.
func (s *Server) applyPlan(v *visit) error {
	p, _, err := s.readPlan(v)
	if err != nil {
		return err
	}
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	to := planPath(p.ID)
	err = s.sent.once(v.r.PostFormValue("key"), func() error {
		if err := s.o.Access.MustWrite(v.r.Context(), cmp.Or(p.Account, s.o.Account)); err != nil {
			return err
		}
		_, started, err := s.o.Provisioning.ApplyPlan(v.r.Context(), p.ID, actor, time.Now())
		to = "/sagas/" + string(started.ID)
		return err
	})
	if err != nil {
		return s.confirmApply(v, v.problem(err).Status, err)
	}
	return v.redirect(to)
}

// monthlyOf is what a change adds to a month, in words.
func monthlyOf(c provisioning.Change) string {
	if c.Monthly == nil {
		return "no price"
	}
	return dollars(inventory.Micros(*c.Monthly))
}
