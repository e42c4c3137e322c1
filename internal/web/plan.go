package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func planPath(id provisioning.PlanID) string { return "/plans/" + string(id) }

// A planView is a plan with whose it is, and beside it what happened.
type planView struct {
	ui.Page
	provisioning.Plan
	tenant   tenant.Tenant
	freezes  []provisioning.Freeze // that stop it
	became   saga.Saga             // of one that was applied
	happened story
	line     ui.Timeline
	urns     map[string]string // of what its saga made and is there, by key
	table    ui.Table
	twins    ui.Twin
}

func (s *Server) readPlan(v *visit) (p planView, asJSON bool, err error) {
	ref, asJSON := strings.CutSuffix(v.r.PathValue("plan"), ".json")
	if p.Plan, err = s.o.Provisioning.Plan(v.r.Context(), provisioning.PlanID(ref)); err != nil {
		return p, asJSON, err
	}
	if p.Tenant != "" { // else it is about an account
		if p.tenant, err = s.o.Tenants.Tenant(v.r.Context(), string(p.Tenant)); err != nil {
			return p, asJSON, err
		}
	}
	if p.Saga == "" {
		p.freezes, err = s.o.Provisioning.FreezesOf(v.r.Context(), p.Account, p.Tenant)
	}
	return p, asJSON, err
}

// title is what the plan does, for people.
func (p planView) title() string {
	switch p.Verb {
	case provisioning.Provision:
		return "Make " + p.Name
	case provisioning.Adopt:
		return "Adopt " + p.Name
	case provisioning.CleanUp:
		return "Clean up " + p.Name
	}
	return lifecycleOf(p.Verb).of + " " + p.Name
}

func (p planView) applied() bool { return p.Saga != "" }

// applying is the command that carries the plan out.
func (p planView) applying() string {
	if p.Verb == provisioning.CleanUp {
		return "arcadia cleanup apply " + string(p.ID)
	}
	return "arcadia stack apply " + string(p.ID)
}

// plan is the page of a plan: what would be done, or what was planned beside what happened.
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
	if p.applied() {
		if err := s.readOutcome(v, &p); err != nil {
			return err
		}
	}
	p.Page = v.live(p.title(), "/stacks", string(p.Saga), at)
	p.table = ui.Table{
		Caption: "What changes", Columns: []ui.Column{
			{Key: "key", Title: "Resource", Phone: ui.PhoneTitle}, {Key: "action", Title: "Planned", Phone: ui.PhoneState},
			{Key: "monthly", Title: "A month", Number: true}, {Key: "detail", Title: "Detail"},
		},
		Query: v.query, Total: int64(len(p.Changes)), Unit: "resources",
	}
	if p.applied() {
		p.table.Columns = append(p.table.Columns, ui.Column{Key: "happened", Title: "What happened"})
	}
	for _, c := range p.Changes {
		row := ui.Row{ID: c.Key + "-" + c.Action, Cells: []templ.Component{planResource(c), text(c.Action), planCost(c), text(c.Detail)}}
		if p.applied() {
			row.Cells = append(row.Cells, changeOutcome(p.outcome(c), p.urns[c.Key]))
		}
		p.table.Rows = append(p.table.Rows, row)
	}
	p.twins = ui.Twin{CLI: p.applying(), API: "curl -X POST http://" + v.r.Host + "/v1" + planPath(p.ID) + "/apply", JSON: planPath(p.ID) + ".json"}
	if p.applied() {
		p.twins.CLI, p.twins.API = "arcadia saga show "+string(p.Saga), "curl http://"+v.r.Host+"/v1/sagas/"+string(p.Saga)
	}
	return v.show(http.StatusOK, planPage(p))
}

// readOutcome reads what became of a plan.
func (s *Server) readOutcome(v *visit, p *planView) (err error) {
	ctx := v.r.Context()
	if p.became, err = s.o.Engine.Saga(ctx, p.Saga); err != nil {
		return err
	}
	events, _, err := s.allEvents(ctx, p.Saga)
	if err != nil {
		return err
	}
	p.happened = tell(events, p.became.State.Ended() || p.became.State == saga.Stuck, v.now.Time)
	p.line = p.happened.timeline(p.became, v.now.Time)
	has, err := s.o.Provisioning.StackResources(ctx, p.Stack)
	if err != nil {
		return err
	}
	p.urns = map[string]string{}
	for _, r := range has {
		if r.MadeBy == p.Saga {
			p.urns[r.Key] = r.URN
		}
	}
	return nil
}

// outcome is what became of a planned change. A saga does all of it or takes it back.
func (p planView) outcome(c provisioning.Change) string {
	switch p.became.State {
	case saga.Completed:
		if done, ok := map[string]string{"create": "made", "change": "changed", "destroy": "destroyed"}[c.Action]; ok {
			return done
		}
		return "done"
	case saga.RolledBack:
		return "as it was before"
	case saga.Stuck:
		return "not settled: a person must look"
	}
	return "under way"
}

// A planStep is a step as it was planned, and what happened in it.
type planStep struct {
	provisioning.PlanStep
	row  saga.StepRow // zero while the plan is not applied
	sent int          // requests that change something
}

// beside are the planned steps, each with what happened, and behind the one before it each
// that the plan did not name and that did something.
func (p planView) beside() []planStep {
	all := make([]planStep, 0, len(p.Steps))
	for _, s := range p.Steps {
		all = append(all, planStep{PlanStep: s})
	}
	next := 0
	for _, row := range p.became.Steps {
		step := planStep{PlanStep: provisioning.PlanStep{Name: row.Name}, row: row}
		if c := p.happened.steps[row.Name]; c != nil {
			for _, one := range c.calls {
				if one.Method != http.MethodGet && one.Method != http.MethodHead {
					step.sent++
				}
			}
		}
		i := slices.IndexFunc(all, func(s planStep) bool { return s.Name == row.Name })
		switch {
		case i >= 0:
			step.PlanStep, next = all[i].PlanStep, i+1
			all[i] = step
		case step.sent > 0 || row.Error != nil:
			all = slices.Insert(all, next, step)
			next++
		}
	}
	return all
}

// sent is how many requests that change something the saga sent, those to undo too.
func (p planView) sent() (n int) {
	for _, s := range p.beside() {
		n += s.sent
	}
	return n
}

// took is how long the step took; empty where it did not end.
func (s planStep) took() string {
	if s.row.StartedAt.IsZero() || s.row.FinishedAt.IsZero() {
		return ""
	}
	return wire.Took(s.row.FinishedAt.Sub(s.row.StartedAt))
}

// planned are the step's requests in words: "2 × POST /v2/volumes".
func (s planStep) planned() string {
	var order []string
	n := map[string]int{}
	for _, call := range s.Calls {
		if n[call]++; n[call] == 1 {
			order = append(order, call)
		}
	}
	for i, call := range order {
		if n[call] > 1 {
			order[i] = strconv.Itoa(n[call]) + " × " + call
		}
	}
	return strings.Join(order, ", ")
}

// askApply is the page that asks before a plan is carried out.
func (s *Server) askApply(v *visit) error { return s.confirmApply(v, http.StatusOK, nil) }

func (s *Server) confirmApply(v *visit, status int, refusal error) error {
	p, _, err := s.readPlan(v)
	if err != nil {
		return err
	}
	back, about := planPath(p.ID), "A stack of "+p.tenant.Slug
	if p.Tenant == "" {
		about = "What nobody has in an account"
	}
	c := ui.Confirm{
		Title: p.title(), About: about, Back: back, Action: back + "/apply", Key: formKey(v), Verb: p.title(),
		Danger: len(p.Destroys()) > 0, NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = inTitles(v.problem(refusal).Detail)
	}
	twins := ui.Twin{CLI: p.applying(), API: "curl -X POST http://" + v.r.Host + "/v1" + c.Action}
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
	err = s.sent.once(v.r.PostFormValue("key"), func() error {
		if err := s.o.Access.MustWrite(v.r.Context(), cmp.Or(p.Account, s.o.Account)); err != nil {
			return err
		}
		_, _, err := s.o.Provisioning.ApplyPlan(v.r.Context(), p.ID, actor, time.Now())
		return err
	})
	if err != nil {
		return s.confirmApply(v, v.problem(err).Status, err)
	}
	return v.redirect(planPath(p.ID) + "?did=apply")
}

// monthlyOf is what a change adds to a month, in words.
func monthlyOf(c provisioning.Change) string {
	if c.Monthly == nil {
		return "no price"
	}
	return dollars(inventory.Micros(*c.Monthly))
}
