package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A newStackForm asks for what a plan of a new stack needs.
type newStackForm struct {
	drafts   []provisioning.Draft
	draft    provisioning.Draft // that was chosen, if one was
	names    []string           // of its parameters, sorted
	tenants  []tenant.Tenant
	accounts []string
	given    url.Values
}

func (f newStackForm) chosen() bool { return f.draft.Blueprint != nil }

// parameter is what the form shows in a parameter's field.
func (f newStackForm) parameter(name string) string {
	if f.given.Has("set." + name) {
		return f.given.Get("set." + name)
	}
	if p := f.draft.Parameters[name]; p.Default != nil {
		return string(*p.Default)
	}
	return ""
}

// newStack asks which blueprint, and then for the values of its parameters.
func (s *Server) newStack(v *visit) error {
	return s.askNewStack(v, http.StatusOK, v.r.URL.Query(), nil)
}

// readStackForm reads what a form about a new stack offers.
func (s *Server) readStackForm(ctx context.Context, given url.Values) (f newStackForm, err error) {
	f.given = given
	if f.drafts, err = s.o.Provisioning.Blueprints(ctx); err != nil {
		return f, err
	}
	if ref := given.Get("blueprint"); ref != "" {
		if f.draft, err = s.o.Provisioning.Blueprint(ctx, ref); err != nil {
			return f, err
		}
		for name := range f.draft.Parameters {
			f.names = append(f.names, name)
		}
		slices.Sort(f.names)
	}
	all, err := s.o.Tenants.All(ctx)
	if err != nil {
		return f, err
	}
	for _, t := range all {
		if t.State == tenant.Active {
			f.tenants = append(f.tenants, t)
		}
	}
	slices.SortFunc(f.tenants, func(a, b tenant.Tenant) int { return strings.Compare(a.Slug, b.Slug) })
	accounts, err := s.o.Access.Accounts(ctx)
	if err != nil {
		return f, err
	}
	for _, a := range accounts {
		f.accounts = append(f.accounts, a.Name)
	}
	return f, nil
}

func (s *Server) askNewStack(v *visit, status int, given url.Values, refusal error) error {
	f, err := s.readStackForm(v.r.Context(), given)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: "Plan a stack", About: "A plan says what would be made and what it costs. Nothing is done before it is applied.", Back: "/stacks", Action: "/stacks/new",
		Key: formKey(v), Verb: "Make the plan", NoReason: true, Hidden: url.Values{},
	}
	if f.chosen() {
		c.About, c.Hidden = f.draft.Description, url.Values{"blueprint": {f.draft.Ref()}}
	}
	if refusal != nil {
		c.Refusal = inTitles(v.problem(refusal).Detail)
	}
	twins := ui.Twin{CLI: "arcadia stack plan BLUEPRINT --tenant TENANT --name NAME", API: "curl -X POST http://" + v.r.Host + "/v1/plans"}
	return v.show(status, newStackPage(v.page(c.Title, "/stacks"), c, f, twins))
}

// planNewStack makes the plan of a new stack, and shows it.
func (s *Server) planNewStack(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	given := v.r.Form
	order := orderOf(provisioning.Provision, given)
	p, err := s.o.Provisioning.PlanStack(v.r.Context(), order, actor, time.Now())
	if err != nil {
		return s.askNewStack(v, v.problem(err).Status, given, err)
	}
	return v.redirect(planPath(p.ID))
}

// orderOf is what the fields of a form about a new stack ask for.
func orderOf(verb provisioning.Verb, given url.Values) provisioning.PlanRequest {
	order := provisioning.PlanRequest{
		Verb: verb, Blueprint: given.Get("blueprint"), Tenant: given.Get("tenant"), Name: strings.TrimSpace(given.Get("name")),
		Account: given.Get("account"), Zone: strings.TrimSpace(given.Get("zone")), Parameters: map[string]string{},
	}
	for name, values := range given {
		if of, ok := strings.CutPrefix(name, "set."); ok && values[0] != "" {
			order.Parameters[of] = values[0]
		}
	}
	return order
}

// offered are the operations that a stack can be planned now.
func (v stackView) offered() (all []provisioning.Operation) {
	if v.ReadOnly != "" || !v.last.State.Ended() {
		return nil
	}
	for _, o := range provisioning.Operations() {
		if slices.Contains(o.From, v.State) && (o.Verb != provisioning.Teardown || len(v.protected) == 0) {
			all = append(all, o)
		}
	}
	return all
}

func verbPath(of provisioning.StackID, v provisioning.Verb) string {
	return stackPath(of) + "/plan/" + string(v)
}

// askVerb asks for the options of an operation on a stack.
func (s *Server) askVerb(v *visit) error { return s.askOptions(v, http.StatusOK, url.Values{}, nil) }

func (s *Server) askOptions(v *visit, status int, given url.Values, refusal error) error {
	one, o, err := s.operation(v)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: lifecycleOf(o.Verb).of + " " + one.Name, About: o.Help, Back: stackPath(one.ID), Action: verbPath(one.ID, o.Verb), Key: formKey(v), Verb: "Make the plan",
		NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = inTitles(v.problem(refusal).Detail)
	}
	named, err := s.named(v, one)
	if err != nil {
		return err
	}
	twins := ui.Twin{CLI: "arcadia stack " + string(o.Verb) + " " + string(one.ID), API: "curl -X POST http://" + v.r.Host + "/v1/plans"}
	return v.show(status, operationPage(v.page(c.Title, "/stacks"), c, o, named, given, twins))
}

// A choice is a value of an option with the words for it.
type choice struct{ value, words string }

// named are the things of a stack that options name, by the option: its backups, droplets
// and volumes.
func (s *Server) named(v *visit, one provisioning.Stack) (map[string][]choice, error) {
	all := map[string][]choice{}
	backups, err := s.o.Provisioning.Backups(v.r.Context(), one.ID, false)
	if err != nil {
		return nil, err
	}
	for _, b := range backups {
		if len(b.Lost) > 0 {
			continue
		}
		words := b.TakenAt.UTC().Format("2 January 2006 15:04 UTC") + ", " + lower(reasonWords[b.Reason])
		if len(all["backup"]) == 0 {
			all["backup"] = append(all["backup"], choice{"", "The newest: " + words})
			continue
		}
		all["backup"] = append(all["backup"], choice{string(b.ID), words})
	}
	for _, r := range one.Spec.Resources {
		option := string(r.Kind)
		if r.Droplet == nil && r.Volume == nil {
			continue
		}
		if len(all[option]) == 0 {
			all[option] = []choice{{"", "–"}}
		}
		all[option] = append(all[option], choice{r.Key, r.Name})
	}
	return all, nil
}

func (s *Server) operation(v *visit) (one provisioning.Stack, o provisioning.Operation, err error) {
	if one, err = s.o.Provisioning.Stack(v.r.Context(), v.r.PathValue("stack")); err != nil {
		return one, o, err
	}
	verb := v.r.PathValue("verb")
	i := slices.IndexFunc(provisioning.Operations(), func(o provisioning.Operation) bool { return string(o.Verb) == verb && len(o.From) > 0 })
	if i < 0 {
		return one, o, fault.New(fault.NotFound, "A stack has no verb %q.", verb)
	}
	return one, provisioning.Operations()[i], nil
}

// planVerb plans an operation on a stack, and shows the plan: nothing is done yet.
func (s *Server) planVerb(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	one, o, err := s.operation(v)
	if err != nil {
		return err
	}
	order := provisioning.PlanRequest{Verb: o.Verb, Stack: string(one.ID), Options: optionsOf(o, v.r.Form)}
	p, err := s.o.Provisioning.PlanStack(v.r.Context(), order, actor, time.Now())
	if err != nil {
		return s.askOptions(v, v.problem(err).Status, v.r.Form, err)
	}
	return v.redirect(planPath(p.ID))
}

// optionsOf are the options of an operation that a form gives.
func optionsOf(o provisioning.Operation, given url.Values) map[string]string {
	options := map[string]string{}
	for _, option := range o.Options {
		value := strings.TrimSpace(given.Get(option.Name))
		if option.Type == provisioning.SwitchOption && value == "" {
			value = "false" // a box without its tick is not sent
		}
		if value != "" {
			options[option.Name] = value
		}
	}
	return options
}

// optionValue is what the form shows in an option's field.
func optionValue(o provisioning.Option, given url.Values) string {
	if given.Has(o.Name) || len(given) > 0 && o.Type == provisioning.SwitchOption {
		return given.Get(o.Name)
	}
	return o.Default
}

// optionTitle is an option's name for people.
func optionTitle(o provisioning.Option) string {
	if title := map[string]string{"dns": "DNS", "size_gib": "Size in GiB", "ssh_from": "SSH from"}[o.Name]; title != "" {
		return title
	}
	return ui.Upper(strings.ReplaceAll(o.Name, "_", " "))
}

// inTitles has a refusal name options as forms do.
func inTitles(refusal string) string {
	return wire.NameOptions(refusal, func(option string) string { return "“" + optionTitle(provisioning.Option{Name: option}) + "”" })
}

// inputOf is the type of the field of a parameter.
func inputOf(p *blueprint.Parameter) string {
	if p.Type == blueprint.Integer {
		return "number"
	}
	return "text"
}
