package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// mostAssigned is how many resources one form gives to somebody.
const mostAssigned = 200

// An owner is whose a resource is, and was.
type owner struct {
	verdict inventory.Verdict
	tenant  tenant.Tenant // zero: nobody
	before  []tenure      // the newest first, the present one too
}

// A tenure is a time for which a resource was somebody's.
type tenure struct {
	inventory.Tenure
	tenant tenant.Tenant
}

// readOwner reads whose a resource is, or was at a time where at is not zero.
func (s *Server) readOwner(ctx context.Context, urn string, at time.Time) (o owner, err error) {
	if o.verdict, err = s.o.Inventory.Attribution(ctx, urn, at); err != nil {
		return o, err
	}
	if o.tenant, err = s.tenantOf(ctx, o.verdict.Tenant); err != nil || !at.IsZero() {
		return o, err
	}
	tenures, err := s.o.Inventory.Tenures(ctx, urn)
	if err != nil {
		return o, err
	}
	for _, t := range tenures[:min(len(tenures), 10)] {
		of, err := s.tenantOf(ctx, t.Tenant)
		if err != nil {
			return o, err
		}
		o.before = append(o.before, tenure{t, of})
	}
	return o, nil
}

// tenantOf is the tenant with an id, a zero one for none.
func (s *Server) tenantOf(ctx context.Context, of tenant.ID) (tenant.Tenant, error) {
	if of == "" {
		return tenant.Tenant{}, nil
	}
	return s.o.Tenants.Tenant(ctx, string(of))
}

func assignPath(urns ...string) string   { return aboutPath("/inventory/assign", urns) }
func unassignPath(urns ...string) string { return aboutPath("/inventory/unassign", urns) }

func aboutPath(path string, urns []string) string {
	return ui.Query{Path: path, Values: url.Values{"urn": urns}}.String()
}

// An assigning is a form that gives resources to somebody, or back to the rules.
type assigning struct {
	back      bool // to the rules
	all       bool // it is about all that a query finds
	query     inventory.Query
	matched   []string // URNs of what it is about, where the resources themselves are not read
	resources []inventory.Resource
	tenants   []tenant.Tenant
	chosen    string
	listed    bool // it came from the list
}

// noTenant is what the form says for nobody, on purpose. No tenant's slug is that.
const noTenant = "none"

func (s *Server) askAssign(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	return s.confirmAssign(v, http.StatusOK, nil)
}

// readAssigning reads which resources the request is about.
func (s *Server) readAssigning(v *visit) (a assigning, err error) {
	a.back = strings.HasPrefix(v.r.URL.Path, "/inventory/unassign")
	a.listed, a.chosen = v.r.Form.Get("from") != "", v.r.PostFormValue("tenant")
	all, err := s.o.Tenants.All(v.r.Context())
	if err != nil {
		return a, err
	}
	a.tenants = slices.DeleteFunc(all, func(t tenant.Tenant) bool { return t.State == tenant.Closed })
	if a.all = v.r.Form.Get("all") != ""; a.all {
		if a.query, err = inventory.ParseQuery(v.r.Form.Get("q")); err != nil {
			return a, err
		}
		a.listed = true
		if a.matched, err = s.o.Inventory.Assignable(v.r.Context(), a.query); err == nil && len(a.matched) == 0 {
			err = fault.New(fault.Invalid, "Nothing that could be somebody's matches this search.")
		}
		return a, err
	}
	urns := slices.Compact(slices.Sorted(slices.Values(v.r.Form["urn"])))
	switch {
	case len(urns) == 0:
		return a, fault.New(fault.Invalid, "No resource is chosen. Tick those that it is about, then try again.")
	case len(urns) > mostAssigned:
		return a, fault.New(fault.Invalid, "At most %d resources are taken at once, and these are %d. For more, search for them and assign all that match.", mostAssigned, len(urns))
	}
	a.listed = a.listed || len(urns) > 1
	for _, urn := range urns {
		r, err := s.o.Inventory.Resource(v.r.Context(), urn, time.Time{})
		if err != nil {
			return a, err
		}
		a.resources = append(a.resources, r)
	}
	return a, nil
}

func (a assigning) urns() (urns []string) {
	if a.matched != nil {
		return a.matched
	}
	for _, r := range a.resources {
		urns = append(urns, r.URN)
	}
	return urns
}

func (a assigning) slugs() []string {
	slugs := make([]string, len(a.tenants))
	for i, t := range a.tenants {
		slugs[i] = t.Slug
	}
	return slugs
}

// about is what the form is about, in words.
func (a assigning) about() string {
	switch {
	case a.all && len(a.query.Terms) == 0:
		return "All " + ui.Number(int64(len(a.matched))) + " resources"
	case a.all:
		return "All " + ui.Number(int64(len(a.matched))) + " resources that match " + a.query.String()
	case len(a.resources) == 1:
		return titleOf(a.resources[0].Kind) + " " + nameOr(a.resources[0].Name, a.resources[0].URN)
	}
	return ui.Number(int64(len(a.urns()))) + " resources"
}

// backTo is the page that the form was opened from.
func (a assigning) backTo(v *visit) string {
	if from := v.r.Form.Get("from"); from != "" {
		return localPath(from)
	}
	if !a.listed {
		return resourcePath(a.resources[0].URN)
	}
	return "/inventory"
}

func (s *Server) confirmAssign(v *visit, status int, refusal error) error {
	a, err := s.readAssigning(v)
	if err != nil {
		return err
	}
	return s.showAssign(v, a, status, refusal)
}

func (s *Server) showAssign(v *visit, a assigning, status int, refusal error) error {
	c := ui.Confirm{
		Title: "Assign to a tenant", Verb: "Assign", About: a.about(), Back: a.backTo(v), Action: "/inventory/assign", Key: formKey(v),
		Hidden: a.hidden(), ReasonRequired: true, Reason: v.r.PostFormValue("reason"), ReasonNote: "It is kept with the assignment",
	}
	if a.back {
		c.Title, c.Verb, c.Action, c.NoReason = "Give back to the rules", "Give back", "/inventory/unassign", true
	}
	if from := v.r.Form.Get("from"); from != "" {
		c.Hidden.Set("from", localPath(from))
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	if a.all {
		c.Verb = "See what would change"
	}
	if v.wants("json") {
		return v.json(assignTwin{c.Title, a.urns(), http.MethodPost, "/v1/assignments", a.slugs()})
	}
	return v.show(status, assignPage(v.page(c.Title, "/inventory"), c, a, assignTwins(v, a)))
}

// hidden are the fields that say what the form is about.
func (a assigning) hidden() url.Values {
	if a.all {
		return url.Values{"all": {"yes"}, "q": {a.query.String()}}
	}
	return url.Values{"urn": a.urns()}
}

// An assignTwin is the form's twin.
type assignTwin struct {
	Title     string   `json:"title"`
	Resources []string `json:"resources"`
	Method    string   `json:"method"`
	Path      string   `json:"path"`
	Tenants   []string `json:"tenants"` // to choose from
}

func assignTwins(v *visit, a assigning) ui.Twin {
	words := make([]string, len(a.resources))
	for i, r := range a.resources {
		words[i] = quoted(r.URN)
	}
	which, body := strings.Join(words, " "), map[string]any{"urns": a.urns()}
	if a.all {
		which, body = "--query "+quoted(a.query.String()), map[string]any{"q": a.query.String(), "dry_run": true}
	}
	t := ui.Twin{
		CLI:  "arcadia inventory assign SLUG " + which + " --reason WHY",
		JSON: v.query.At(strings.TrimSuffix(v.r.URL.Path, ".json") + ".json").String(),
	}
	if a.back {
		t.CLI, body["unassign"] = "arcadia inventory unassign "+which, true
	} else {
		body["tenant"], body["reason"] = "SLUG", "WHY"
	}
	if a.all {
		t.CLI += " --dry-run"
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts always marshal
	}
	t.API = "curl -X POST http://" + v.r.Host + "/v1/assignments -d " + quoted(string(text))
	return t
}

// assign gives resources to a tenant, to nobody, or back to the rules.
func (s *Server) assign(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	a, err := s.readAssigning(v)
	if err != nil {
		return err
	}
	if a.all && v.r.PostFormValue("sure") != a.digest() {
		return s.previewAssign(v, a)
	}
	key := formKey(v)
	err = s.sent.once(key, func() error { return s.carryOutAssign(v, a, key) })
	if err != nil {
		return s.showAssign(v, a, v.problem(err).Status, err)
	}
	did := "assign"
	if a.back {
		did = "unassign"
	}
	return v.redirect(withDid(a.backTo(v), did, key))
}

// withDid is an address that says what was done, and by which form where that can
// be taken back.
func withDid(address, did, undo string) string {
	at, err := url.Parse(address)
	if err != nil {
		return "/"
	}
	q := at.Query()
	q.Set("did", did)
	if undo != "" {
		q.Set("undo", undo)
	}
	at.RawQuery = q.Encode()
	return at.String()
}

// asked is what an assigning form says: the tenant's slug, empty for nobody, and why.
func (a assigning) asked(v *visit) (to, reason string, err error) {
	if a.back {
		return "", "", nil
	}
	to, reason = v.r.PostFormValue("tenant"), strings.TrimSpace(v.r.PostFormValue("reason"))
	switch {
	case to == "":
		return to, reason, fault.New(fault.Invalid, "Choose whose it is: a tenant's, or nobody's on purpose.")
	case reason == "":
		return to, reason, fault.New(fault.Invalid, "Say why: the reason is kept with the assignment, for whoever looks at it later.")
	case to == noTenant:
		to = ""
	}
	return to, reason, nil
}

// carryOutAssign does what the form says, and keeps what was said before.
func (s *Server) carryOutAssign(v *visit, a assigning, key string) error {
	ctx := v.r.Context()
	to, reason, err := a.asked(v)
	if err != nil {
		return err
	}
	said, err := s.o.Inventory.Said(ctx, a.urns())
	if err != nil {
		return err
	}
	if a.back {
		_, err = s.o.Inventory.Unassign(ctx, a.urns(), actor)
	} else {
		_, err = s.o.Inventory.Assign(ctx, a.urns(), to, reason, actor, v.now.Time)
	}
	if err == nil {
		s.undos.put(key, undo{a.urns(), said, a.backTo(v), v.now.Time})
	}
	return err
}

func tenantPath(slug string) string { return "/tenants/" + url.PathEscape(slug) }
