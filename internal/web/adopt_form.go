package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

const (
	adoptPath    = "/stacks/adopt"
	mostToAdopt  = 100 // things that a field offers
	takePrefix   = "take."
	searchToFind = "q"
)

// adoptableKinds are those that a form asks for. Records are found by type and name.
var adoptableKinds = []blueprint.Kind{blueprint.DropletKind, blueprint.VPCKind, blueprint.VolumeKind, blueprint.FirewallKind, blueprint.ReservedIPKind}

// An adoptForm asks which of the things that there are a stack is to be made of.
type adoptForm struct {
	newStackForm
	parts []adoptPart
	reuse bool
}

// An adoptPart is a resource of the blueprint, with what it could be.
type adoptPart struct {
	id     string // like droplet.web
	chosen string // URN; empty: it is found
	found  []choice
	more   int // that the search found, and the field does not offer
}

// adopt asks for a blueprint, and then which thing each of its resources is.
func (s *Server) adopt(v *visit) error { return s.askAdopt(v, http.StatusOK, v.r.URL.Query(), nil) }

func (s *Server) askAdopt(v *visit, status int, given url.Values, refusal error) error {
	base, err := s.readStackForm(v.r.Context(), given)
	if err != nil {
		return err
	}
	f := adoptForm{newStackForm: base, reuse: given.Get("reuse_name") == "true"}
	if f.chosen() {
		search, err := inventory.ParseQuery(strings.TrimSpace(given.Get(searchToFind)))
		if err == nil {
			f.parts, err = s.adoptParts(v, f.draft.Blueprint, search, given)
		}
		if fault.KindOf(err) == fault.Invalid && err != nil { // the rest of what was given stays
			status, refusal = http.StatusBadRequest, err
			f.parts, err = s.adoptParts(v, f.draft.Blueprint, inventory.Query{}, given)
		}
		if err != nil {
			return err
		}
	}
	c := ui.Confirm{
		Title: "Adopt a stack", About: "A plan says which things it is made of, and in what they are not as the blueprint says. They get tags; nothing else of them is changed.",
		Back: "/stacks", Action: adoptPath, Key: formKey(v), Verb: "Make the plan", NoReason: true, Hidden: url.Values{},
	}
	if f.chosen() {
		c.Hidden = url.Values{"blueprint": {f.draft.Ref()}}
	}
	if refusal != nil {
		c.Refusal = inTitles(v.problem(refusal).Detail)
	}
	twins := ui.Twin{
		CLI: "arcadia stack adopt BLUEPRINT --tenant TENANT --name NAME --take droplet.KEY=URN",
		API: "curl -X POST http://" + v.r.Host + "/v1/plans -d " + quoted(`{"verb":"adopt","blueprint":"…","tenant":"…","name":"…","options":{"take":"droplet.KEY=URN"}}`),
	}
	return v.show(status, adoptPage(v.page(c.Title, "/stacks"), c, f, twins))
}

// adoptParts reads what each resource of a blueprint could be: things of its kind in the
// account that the search finds.
func (s *Server) adoptParts(v *visit, b *blueprint.Blueprint, search inventory.Query, given url.Values) (parts []adoptPart, err error) {
	account := given.Get("account")
	if account == "" {
		account = s.o.Account
	}
	for _, kind := range adoptableKinds {
		ids := b.IDs(kind)
		if len(ids) == 0 {
			continue
		}
		q := search
		q.Terms = append(slices.Clone(search.Terms),
			inventory.Term{Key: "kind", Op: ":", Values: []string{string(kind)}}, inventory.Term{Key: "account", Op: ":", Values: []string{account}})
		list, err := s.o.Inventory.Resources(v.r.Context(), q, inventory.Page{Limit: mostToAdopt})
		if err != nil {
			return nil, err
		}
		var found []choice
		for _, one := range list.Items {
			found = append(found, choice{one.URN, adoptWords(one)})
		}
		for _, id := range ids {
			p := adoptPart{id: id, chosen: given.Get(takePrefix + id), found: found, more: list.Total - len(found)}
			if p.chosen != "" && !slices.ContainsFunc(found, func(c choice) bool { return c.value == p.chosen }) {
				p.found = append([]choice{{p.chosen, p.chosen}}, found...)
			}
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// adoptWords tell a thing from others of its kind.
func adoptWords(one inventory.Found) string {
	words := []string{nameOr(one.Name, one.URN)}
	for _, word := range []string{one.Region, one.Size, one.Tenant, one.ID} {
		if word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " · ")
}

// planAdopt makes the plan of an adoption, and shows it.
func (s *Server) planAdopt(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	given := v.r.Form
	order := orderOf(provisioning.Adopt, given)
	order.Options = map[string]string{}
	var take []string
	for name, values := range given {
		id, ok := strings.CutPrefix(name, takePrefix)
		if urn := strings.TrimSpace(values[0]); ok && urn != "" {
			if strings.ContainsAny(urn, ",= ") {
				return s.askAdopt(v, http.StatusBadRequest, given, fault.New(fault.Invalid, "%s is named by a URN, like do:droplet:1.", id))
			}
			take = append(take, id+"="+urn)
		}
	}
	slices.Sort(take)
	order.Options["take"] = strings.Join(take, ",")
	if given.Get("reuse_name") == "true" {
		order.Options["reuse_name"] = "true"
	}
	p, err := s.o.Provisioning.PlanStack(v.r.Context(), order, actor, time.Now())
	if err != nil {
		return s.askAdopt(v, v.problem(err).Status, given, err)
	}
	return v.redirect(planPath(p.ID))
}

// partKind is the kind in the id of a resource.
func partKind(id string) string {
	kind, _, _ := strings.Cut(id, ".")
	return kind
}
