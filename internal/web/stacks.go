package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
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
	page("GET /stacks/adopt", s.adopt)
	page("POST /stacks/adopt", s.planAdopt)
	s.driftRoutes(page)
	page("GET /stacks/{stack}/plan/{verb}", s.askVerb)
	page("POST /stacks/{stack}/plan/{verb}", s.planVerb)
	s.protectionRoutes(page)
	s.blueprintRoutes(page)
	page("GET /backups", s.backups)
	page("GET /backups.json", s.backups)
	page("GET /plans/{plan}", s.plan)
	page("GET /plans/{plan}/apply", s.askApply)
	page("POST /plans/{plan}/apply", s.applyPlan)
}

func stackPath(id provisioning.StackID) string { return "/stacks/" + string(id) }

// A stackView is a stack with what there is to say of it.
type stackView struct {
	ui.Page
	provisioning.Stack
	tenant    tenant.Tenant
	last      saga.Saga
	line      ui.Timeline // of the last saga, while it is under way
	resources []provisioning.StackResource
	tags      []provisioning.StackResource
	topology  topology
	custody   custody
	protected []provisioning.Protection
	plans     []provisioning.Plan
	drift     driftPanel
	table     ui.Table
	twins     ui.Twin
}

// underWay reports whether a saga of the stack has not ended.
func (v stackView) underWay() bool { return !v.last.State.Ended() }

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

// failed is why the stack's last saga did not end well, or cannot go on; empty where it did
// and can.
func (v stackView) failed() string {
	switch v.last.State {
	case saga.RolledBack, saga.Stuck, saga.Compensating:
		if v.last.Error != nil {
			return v.last.Error.Message
		}
		return "Somebody asked it to turn back."
	}
	return ""
}

// failedWords says how, after the saga's name.
func failedWords(s saga.State) string {
	return map[saga.State]string{saga.RolledBack: "was rolled back", saga.Stuck: "is stuck", saga.Compensating: "is being undone"}[s]
}

// failedHue is the colour of it: what was undone is as it was, what is stuck wants a person.
func failedHue(s saga.State) wire.Hue {
	if s == saga.Stuck {
		return wire.Bad
	}
	return wire.Attention
}

// A stackListView is what the page of all stacks shows.
type stackListView struct {
	ui.Page
	stacks []stackView
	table  ui.Table
	twins  ui.Twin
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
	drifts, err := s.o.Provisioning.Drifts(ctx, all, v.now.Time)
	if err != nil {
		return err
	}
	for i, one := range all {
		if page.stacks[i], err = s.readStack(ctx, one); err != nil {
			return err
		}
		page.stacks[i].drift.Drift = drifts[one.ID]
	}
	if v.wants("json") {
		items := make([]client.Stack, len(all))
		for i, one := range page.stacks {
			items[i] = one.twin()
		}
		return v.json(client.List[client.Stack]{Items: items})
	}
	rows := make([]ui.Row, len(page.stacks))
	for i, one := range page.stacks {
		rows[i] = ui.Row{ID: string(one.ID), Cells: []templ.Component{
			stackName(one), stackState(one), text(one.Blueprint), text(one.Account), protection(one), drifted(one.drift.Drift), ui.Ago(one.UpdatedAt, v.now),
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
	{Key: "drift", Title: "Drift"},
	{Key: "changed", Title: "Changed", Number: true},
}

func (v stackView) twin() client.Stack {
	w := wire.Stack(v.Stack, v.tenant.Slug, string(v.last.State))
	w.Protected, w.Resources, w.Drift = wire.Protections(v.protected), wire.StackResources(v.resources), wire.Drifting(v.drift.Drift)
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
	if view.drift, err = s.driftPanel(ctx, view, v.now); err != nil {
		return err
	}
	if asJSON {
		return v.json(view.twin())
	}
	if view.plans, err = s.o.Provisioning.Plans(ctx, one.ID, 20); err != nil {
		return err
	}
	if view.topology, err = s.topology(ctx, one, view.resources); err != nil {
		return err
	}
	if view.custody, err = s.custody(ctx, one.ID, v.now.Time); err != nil {
		return err
	}
	if view.underWay() {
		events, _, err := s.allEvents(ctx, view.last.ID)
		if err != nil {
			return err
		}
		view.line = tell(events, view.last.State == saga.Stuck, v.now.Time).timeline(view.last, v.now.Time)
	}
	view.Page = v.live(one.Name, "/stacks", string(view.last.ID), at)
	if _, why, err := s.o.Access.Writable(ctx, one.Account); err != nil {
		return err
	} else if why != "" {
		view.ReadOnly = why
	}
	var rows []ui.Row
	for _, r := range view.resources {
		if r.Kind == string(blueprint.TagKind) {
			view.tags = append(view.tags, r)
			continue
		}
		rows = append(rows, ui.Row{ID: r.Key, Cells: []templ.Component{stackResource(r), text(titleOf(r.Kind)), text(r.Key), ui.ID(r.URN, r.URN, "")}})
	}
	view.table = ui.Table{
		Caption: "What it has at DigitalOcean", Columns: []ui.Column{
			{Key: "name", Title: "Resource", Phone: ui.PhoneTitle}, {Key: "kind", Title: "Kind", Phone: ui.PhoneState}, {Key: "key", Title: "In the blueprint", Phone: ui.PhoneHide}, {Key: "id", Title: "At DigitalOcean"},
		},
		Rows: rows, Query: v.query, Total: int64(len(rows)), Unit: "resources",
	}
	view.twins = ui.Twin{CLI: "arcadia stack show " + string(one.ID), API: "curl http://" + v.r.Host + "/v1/stacks/" + string(one.ID), JSON: stackPath(one.ID) + ".json"}
	return v.show(http.StatusOK, stackPage(view))
}
