package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A tenantList is what the page of tenants shows.
type tenantList struct {
	ui.Page
	table    ui.Table
	states   []ui.Choice
	any      bool // there are tenants at all
	coverage inventory.Coverage
	nobody   inventory.Cost // of what is nobody's
	total    inventory.Cost
	tags     int // tenants that tags name, where there are none yet
	twins    ui.Twin
}

// A tenantRow is a tenant with what its resources cost.
type tenantRow struct {
	tenant.Tenant
	cost inventory.Cost
}

// tenantOrders are what tenants can be sorted by; ties go by the slug.
var tenantOrders = map[string]func(a, b tenantRow) int{
	"tenant": func(a, b tenantRow) int {
		return cmp.Compare(strings.ToLower(tenantName(a.Tenant)), strings.ToLower(tenantName(b.Tenant)))
	},
	"state":     func(a, b tenantRow) int { return cmp.Compare(a.State, b.State) },
	"resources": func(a, b tenantRow) int { return cmp.Compare(a.cost.Resources, b.cost.Resources) },
	"monthly":   func(a, b tenantRow) int { return cmp.Compare(a.cost.Monthly, b.cost.Monthly) },
	"month":     func(a, b tenantRow) int { return cmp.Compare(a.cost.MonthToDate, b.cost.MonthToDate) },
	"end":       func(a, b tenantRow) int { return cmp.Compare(a.cost.MonthEnd, b.cost.MonthEnd) },
}

const dearestFirst = "-monthly"

// tenantRows are the tenants that an address selects, in its order, and the costs
// of all, of nobody's things and of everything.
func (s *Server) tenantRows(ctx context.Context, q ui.Query) (rows, all []tenantRow, nobody, total inventory.Cost, err error) {
	key, descending := strings.CutPrefix(sortOr(q, dearestFirst), "-")
	order, ok := tenantOrders[key]
	if !ok {
		return nil, nil, nobody, total, fault.New(fault.Invalid, "Tenants cannot be sorted by %q.", clip(key))
	}
	if state := tenant.State(q.Get("state")); state != "" && !slices.Contains(tenant.States(), state) {
		return nil, nil, nobody, total, fault.New(fault.Invalid, "There is no state %q of a tenant.", clip(string(state)))
	}
	tenants, err := s.o.Tenants.All(ctx)
	if err != nil {
		return nil, nil, nobody, total, err
	}
	groups, total, err := s.o.Inventory.Costs(ctx, "", inventory.PerTenant, time.Time{})
	if err != nil {
		return nil, nil, nobody, total, err
	}
	costs := map[string]inventory.Cost{}
	for _, g := range groups {
		costs[g.Key] = g.Cost
	}
	text := strings.ToLower(strings.TrimSpace(q.Get("q")))
	for _, t := range tenants {
		row := tenantRow{t, costs[string(t.ID)]}
		all = append(all, row)
		found := text == "" || strings.Contains(strings.ToLower(t.Slug+" "+t.Name+" "+t.Contact), text)
		if found && (q.Get("state") == "" || string(t.State) == q.Get("state")) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b tenantRow) int {
		by := order(a, b)
		if descending {
			by = -by
		}
		return cmp.Or(by, cmp.Compare(a.Slug, b.Slug))
	})
	return rows, all, costs[""], total, nil
}

// tenants is the list of tenants with what they cost.
func (s *Server) tenants(v *visit) error {
	ctx := v.r.Context()
	follow, err := v.follow("Tenants", "/tenants", changesTopic)
	if err != nil {
		return err
	}
	page := tenantList{Page: follow}
	rows, all, nobody, total, err := s.tenantRows(ctx, v.query)
	if err != nil {
		return err
	}
	page.any, page.nobody, page.total = len(all) > 0, nobody, total
	if v.wants("csv") {
		return tenantsCSV(v, rows)
	}
	if page.coverage, err = s.o.Inventory.Coverage(ctx, ""); err != nil {
		return err
	}
	shown, next := afterSlug(rows, v.query.Get("cursor"))
	if v.wants("json") {
		body := tenantsTwin{Items: make([]tenantTwin, len(shown)), Next: wire.Text(next), Total: len(rows), Unattributed: costTwinOf(nobody), All: costTwinOf(total)}
		for i, r := range shown {
			body.Items[i] = r.twin()
		}
		return v.json(body)
	}
	if !page.any {
		named, err := s.o.Inventory.TenantsFromTags(ctx)
		if err != nil {
			return err
		}
		page.tags = len(named)
	}
	page.table = ui.Table{
		Caption: "Tenants", Columns: tenantColumns, Rows: tenantCells(shown), Query: v.query, Sort: sortOr(v.query, dearestFirst), Total: int64(len(rows)),
		Unit: "tenants", Next: next, CSV: v.query.With("cursor", "").At("/tenants.csv").String(),
	}
	page.states = []ui.Choice{{Value: "", Text: "All", Count: int64(len(all))}}
	for _, state := range tenant.States() {
		n := int64(0)
		for _, r := range all {
			if r.State == state {
				n++
			}
		}
		page.states = append(page.states, ui.Choice{Value: string(state), Text: ui.Upper(string(state)), Count: n})
	}
	page.twins = ui.Twin{CLI: "arcadia tenant list", API: "curl http://" + v.r.Host + "/v1/tenants", JSON: v.twin("/tenants", "json")}
	return v.show(http.StatusOK, tenantListPage(page))
}

// afterSlug is the page of rows that comes after a tenant. It stays where it is
// when tenants come and go, but for that one.
func afterSlug(rows []tenantRow, cursor string) (page []tenantRow, next string) {
	if i := slices.IndexFunc(rows, func(r tenantRow) bool { return r.Slug == cursor }); cursor != "" && i >= 0 {
		rows = rows[i+1:]
	}
	if len(rows) <= listPage {
		return rows, ""
	}
	return rows[:listPage], rows[listPage-1].Slug
}

var tenantColumns = []ui.Column{
	{Key: "tenant", Title: "Tenant", Sortable: true, Phone: ui.PhoneTitle},
	{Key: "state", Title: "State", Sortable: true, Phone: ui.PhoneState},
	{Key: "resources", Title: "Resources", Sortable: true, Number: true},
	{Key: "monthly", Title: "A month", Sortable: true, Number: true},
	{Key: "month", Title: "This month so far", Sortable: true, Number: true, Phone: ui.PhoneHide},
	{Key: "end", Title: "By its end", Sortable: true, Number: true, Phone: ui.PhoneHide},
}

func tenantCells(rows []tenantRow) []ui.Row {
	cells := make([]ui.Row, len(rows))
	for i, r := range rows {
		cells[i] = ui.Row{ID: r.Slug, Cells: []templ.Component{
			tenantCell(r.Tenant), ui.Badge(string(r.State)), resourcesCell(r.cost.Resources), monthlyCell(r.cost), plain(dollars(r.cost.MonthToDate)),
			plain(dollars(r.cost.MonthEnd)),
		}}
	}
	return cells
}

// A tenantsTwin is the list's JSON.
type tenantsTwin struct {
	Items        []tenantTwin `json:"items"`
	Next         *string      `json:"next"`
	Total        int          `json:"total"`
	Unattributed costTwin     `json:"unattributed"`
	All          costTwin     `json:"all"`
}

type tenantTwin struct {
	ID      string   `json:"id"`
	Slug    string   `json:"slug"`
	Name    string   `json:"name"`
	Contact string   `json:"contact"`
	State   string   `json:"state"`
	Cost    costTwin `json:"cost"`
}

type costTwin struct {
	Resources   int    `json:"resources"`
	Currency    string `json:"currency"`
	Monthly     string `json:"monthly"`
	MonthToDate string `json:"month_to_date"`
	MonthEnd    string `json:"month_end"`
	Unpriced    int    `json:"unpriced"`
}

func (r tenantRow) twin() tenantTwin {
	return tenantTwin{string(r.ID), r.Slug, r.Name, r.Contact, string(r.State), costTwinOf(r.cost)}
}

func costTwinOf(c inventory.Cost) costTwin {
	return costTwin{c.Resources, "USD", c.Monthly.String(), c.MonthToDate.String(), c.MonthEnd.String(), c.Unpriced}
}

func tenantsCSV(v *visit, rows []tenantRow) error {
	heading := []string{"id", "slug", "name", "contact", "state", "resources", "monthly", "month_to_date", "month_end", "unpriced", "created_at"}
	done := false
	return v.csv("tenants", heading, func() ([][]string, error) {
		if done {
			return nil, nil
		}
		done = true
		cells := make([][]string, len(rows))
		for i, r := range rows {
			cells[i] = []string{
				string(r.ID), r.Slug, r.Name, r.Contact, string(r.State), decimal(int64(r.cost.Resources)), r.cost.Monthly.String(),
				r.cost.MonthToDate.String(), r.cost.MonthEnd.String(), decimal(int64(r.cost.Unpriced)), stamp(r.CreatedAt),
			}
		}
		return cells, nil
	})
}

// A tenantView is what the page of a tenant shows.
type tenantView struct {
	ui.Page
	tenant.Tenant
	cost   inventory.Cost
	kinds  []inventory.CostGroup // the dearest first
	share  int64                 // of everything's monthly cost, in tenths of a percent
	deeds  []deed                // that changed what it has, the newest first
	why    sagaNames
	rules  []inventory.Rule // that name it
	guards []provisioning.Protection
	twins  ui.Twin
}

// tenant is the page of one tenant.
func (s *Server) tenant(v *visit) error {
	slug, asJSON := strings.CutSuffix(v.r.PathValue("slug"), ".json")
	ctx := v.r.Context()
	follow, err := v.follow(slug, "/tenants", changesTopic)
	if err != nil {
		return err
	}
	view := tenantView{Page: follow}
	if view.Tenant, err = s.o.Tenants.Tenant(ctx, slug); err != nil {
		return err
	}
	if view.Slug != slug { // it was named by its id
		return v.redirect(tenantPath(view.Slug))
	}
	view.Title = tenantName(view.Tenant)
	if err := s.readSpend(ctx, &view); err != nil {
		return err
	}
	changes, err := s.o.Inventory.Changes(ctx, inventory.ChangeFilter{Tenant: view.ID, Kinds: ownKinds(), Untagged: true, Limit: lookedThrough})
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, firstOwned)
	view.deeds, changes = fold(changes, mostChanges)
	if view.why, err = s.sagaNames(ctx, changes); err != nil {
		return err
	}
	if view.guards, err = s.o.Provisioning.Protections(ctx, provisioning.TenantScope(view.ID)); err != nil {
		return err
	}
	rules, err := s.o.Inventory.Rules(ctx)
	if err != nil {
		return err
	}
	view.rules = slices.DeleteFunc(rules, func(r inventory.Rule) bool { return r.Tenant != view.ID })
	if asJSON {
		return v.json(view.twin())
	}
	view.twins = ui.Twin{
		CLI: "arcadia tenant show " + slug, API: "curl http://" + v.r.Host + "/v1" + tenantPath(slug), JSON: tenantPath(slug) + ".json",
	}
	return v.show(http.StatusOK, tenantPage(view))
}

// readSpend reads what a tenant costs, by kind.
func (s *Server) readSpend(ctx context.Context, view *tenantView) error {
	costs, err := s.o.Inventory.ResourceCosts(ctx, "", "", time.Time{})
	if err != nil {
		return err
	}
	var all inventory.Micros
	for _, c := range costs {
		all += c.Monthly
		if c.Tenant != string(view.ID) {
			continue
		}
		i := slices.IndexFunc(view.kinds, func(g inventory.CostGroup) bool { return g.Key == c.Kind })
		if i < 0 {
			i = len(view.kinds)
			view.kinds = append(view.kinds, inventory.CostGroup{Key: c.Kind})
		}
		view.kinds[i].Cost = view.kinds[i].Plus(c.Cost)
		view.cost = view.cost.Plus(c.Cost)
	}
	slices.SortFunc(view.kinds, func(a, b inventory.CostGroup) int {
		return cmp.Or(cmp.Compare(b.MonthEnd, a.MonthEnd), cmp.Compare(b.Resources, a.Resources), cmp.Compare(a.Key, b.Key))
	})
	if all > 0 {
		view.share = int64(view.cost.Monthly) * 1000 / int64(all)
	}
	return nil
}

func (v tenantView) twin() any {
	type kindTwin struct {
		Kind string   `json:"kind"`
		Cost costTwin `json:"cost"`
	}
	kinds := make([]kindTwin, len(v.kinds))
	for i, g := range v.kinds {
		kinds[i] = kindTwin{g.Key, costTwinOf(g.Cost)}
	}
	return struct {
		Tenant tenantTwin `json:"tenant"`
		Kinds  []kindTwin `json:"kinds"`
	}{tenantRow{v.Tenant, v.cost}.twin(), kinds}
}

// A tenantForm is a form about a tenant, or about a new one.
type tenantForm struct {
	verb                tenantVerb
	tenant              tenant.Tenant
	slug, name, contact string // as they were sent before they were refused
}

// A tenantVerb is what a page can do with a tenant.
type tenantVerb struct {
	name, title, button string
	danger              bool
	happens             string
}

var tenantVerbs = []tenantVerb{
	{name: "change", title: "Edit the tenant", button: "Save"},
	{name: "suspend", title: "Suspend the tenant", button: "Suspend", happens: "It is noted that the tenant is not served for the time being. Nothing is changed at DigitalOcean: what is its own runs on, and costs."},
	{name: "resume", title: "Make the tenant active again", button: "Make active", happens: "It is noted that the tenant is served again. Nothing is changed at DigitalOcean."},
	{name: "close", title: "Close the tenant", button: "Close for good", danger: true, happens: "It is noted that the tenant has left. That cannot be taken back. While it still has resources it cannot be closed."},
}

var addTenant = tenantVerb{name: "add", title: "Add a tenant", button: "Add tenant"}

// may reports whether the verb fits a tenant as it is.
func (d tenantVerb) may(t tenant.Tenant) bool {
	switch d.name {
	case "suspend":
		return t.State == tenant.Active
	case "resume":
		return t.State == tenant.Suspended
	case "close":
		return t.State != tenant.Closed
	}
	return true
}

func (s *Server) askTenant(v *visit) error { return s.confirmTenant(v, http.StatusOK, nil) }

// readTenantForm reads which form the address is about.
func (s *Server) readTenantForm(v *visit) (f tenantForm, err error) {
	f.verb, f.slug, f.name, f.contact = addTenant, v.r.PostFormValue("slug"), v.r.PostFormValue("name"), v.r.PostFormValue("contact")
	slug := v.r.PathValue("slug")
	if slug == "" {
		return f, nil
	}
	i := slices.IndexFunc(tenantVerbs, func(d tenantVerb) bool { return d.name == strings.TrimSuffix(v.r.PathValue("verb"), ".json") })
	if i < 0 {
		return f, errNowhere
	}
	f.verb = tenantVerbs[i]
	if f.tenant, err = s.o.Tenants.Tenant(v.r.Context(), slug); err == nil && v.r.Method == http.MethodGet {
		f.name, f.contact = f.tenant.Name, f.tenant.Contact
	}
	return f, err
}

func (s *Server) confirmTenant(v *visit, status int, refusal error) error {
	f, err := s.readTenantForm(v)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: f.verb.title, About: "Whom the product is hosted for", Back: "/tenants", Action: "/tenants/add", Key: formKey(v), Verb: f.verb.button,
		Danger: f.verb.danger, NoReason: true, Hidden: url.Values{},
	}
	t := ui.Twin{CLI: "arcadia tenant add SLUG --name NAME", API: "curl -X POST http://" + v.r.Host + `/v1/tenants -d '{"slug":"SLUG","name":"NAME"}'`}
	if f.tenant.Slug != "" {
		c.About, c.Back = tenantName(f.tenant), tenantPath(f.tenant.Slug)
		c.Action = c.Back + "/" + f.verb.name
		t = ui.Twin{CLI: "arcadia tenant " + f.verb.name + " " + f.tenant.Slug}
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	return v.show(status, tenantFormPage(v.page(c.Title, "/tenants"), c, f, t))
}

// actTenant carries out a form about a tenant.
func (s *Server) actTenant(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	f, err := s.readTenantForm(v)
	if err != nil {
		return err
	}
	to := f.tenant.Slug
	err = s.sent.once(v.r.PostFormValue("key"), func() (err error) {
		ctx, at := v.r.Context(), v.now.Time
		var done tenant.Tenant
		switch f.verb.name {
		case "add":
			if done, err = s.o.Tenants.Add(ctx, tenant.Entry{Slug: strings.TrimSpace(f.slug), Name: f.name, Contact: f.contact}, at); err == nil {
				_, err = s.o.Inventory.Attribute(ctx, "", time.Time{}) // tags may name it already
			}
			to = done.Slug
		case "change":
			_, err = s.o.Tenants.Change(ctx, to, tenant.Edit{Name: &f.name, Contact: &f.contact}, at)
		case "suspend":
			_, err = s.o.Tenants.Suspend(ctx, to, at)
		case "resume":
			_, err = s.o.Tenants.Resume(ctx, to, at)
		case "close":
			if err = s.o.Bills.CheckClose(ctx, to); err == nil {
				_, err = s.o.Inventory.CloseTenant(ctx, to, false, at)
			}
		}
		return err
	})
	if err != nil {
		return s.confirmTenant(v, v.problem(err).Status, err)
	}
	if to == "" { // it was sent before
		return v.redirect("/tenants")
	}
	did := f.verb.name
	if did == "resume" {
		did = "unsuspend"
	}
	return v.redirect(tenantPath(to) + "?did=" + did)
}

// askImport shows what an import of tenants would do.
func (s *Server) askImport(v *visit) error { return s.confirmImport(v, http.StatusOK, nil) }

func (s *Server) confirmImport(v *visit, status int, refusal error) error {
	from := v.r.FormValue("from")
	plan, err := s.importFrom(v, from, true)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: "Import tenants", About: "From " + from + " at DigitalOcean", Back: "/tenants", Action: "/tenants/import", Key: formKey(v), Verb: "Import",
		NoReason: true, Hidden: url.Values{"from": {from}},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	return v.show(status, importPage(v.page(c.Title, "/tenants"), c, plan, ui.Twin{CLI: "arcadia tenant import --from " + from + " --dry-run"}))
}

func (s *Server) importFrom(v *visit, from string, dry bool) (tenant.Import, error) {
	ctx := v.r.Context()
	switch from {
	case "tags":
		rows, err := s.o.Inventory.TenantsFromTags(ctx)
		if err != nil {
			return tenant.Import{}, err
		}
		return s.o.Tenants.Import(ctx, rows, dry, v.now.Time)
	case "projects":
		return s.o.Inventory.ImportProjects(ctx, actor, v.now.Time, dry)
	}
	return tenant.Import{}, fault.New(fault.Invalid, "Tenants are imported from tags or from projects, not from %q.", clip(from))
}

// importTenants imports tenants and says anew whose everything is.
func (s *Server) importTenants(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	err := s.sent.once(v.r.PostFormValue("key"), func() error {
		done, err := s.importFrom(v, v.r.PostFormValue("from"), false)
		if err == nil && !done.Done {
			err = fault.New(fault.Unprocessable, "Nothing was imported: %d are refused. What is wrong stands beside each.", done.Count(tenant.Refused))
		}
		if err == nil {
			_, err = s.o.Inventory.Attribute(v.r.Context(), "", time.Time{})
		}
		return err
	})
	if err != nil {
		return s.confirmImport(v, v.problem(err).Status, err)
	}
	return v.redirect("/tenants?did=import")
}
