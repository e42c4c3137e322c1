package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// mostStory is how many changes and versions of a resource its page shows.
const mostStory = 200

// A resourceView is what the page of a resource shows.
type resourceView struct {
	ui.Page
	inventory.Resource
	kind      *inventory.Kind // nil for a kind that is not kept any more
	at        time.Time       // that it is shown as of; zero: as it is
	addresses []string
	changes   []inventory.Change
	cut       bool // there are more changes
	why       sagaNames
	sagas     []saga.Saga
	owner     owner
	charges   []inventory.PricedCharge
	cost      *inventory.Cost // of the month; nil where it is not known
	bonds     []bond
	around    neighbourhood
	twins     ui.Twin
}

// resource is the page of one resource.
func (s *Server) resource(v *visit) error {
	urn, asJSON := strings.CutSuffix(v.r.PathValue("urn"), ".json")
	at, err := asOf(v.query)
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	follow, err := v.follow("Resource", "/inventory", changesTopic)
	if err != nil {
		return err
	}
	view := resourceView{Page: follow, at: at}
	if view.Resource, err = s.o.Inventory.Resource(ctx, urn, at); err != nil {
		return err
	}
	view.Title = nameOr(view.Name, urn)
	if _, view.ReadOnly, err = s.o.Access.Writable(ctx, view.Account); err != nil {
		return err
	}
	if view.changes, err = s.o.Inventory.Changes(ctx, inventory.ChangeFilter{URN: urn, Limit: mostStory + 1}); err != nil {
		return err
	}
	if view.cut = len(view.changes) > mostStory; view.cut {
		view.changes = view.changes[:mostStory]
	}
	if !at.IsZero() { // what came later was not known then
		view.changes = slices.DeleteFunc(view.changes, func(c inventory.Change) bool { return c.At.After(at) })
	}
	if view.why, err = s.sagaNames(ctx, view.changes); err != nil {
		return err
	}
	if view.owner, err = s.readOwner(ctx, urn, at); err != nil {
		return err
	}
	if err := s.readCost(ctx, &view); err != nil {
		return err
	}
	relations, err := s.o.Inventory.Relations(ctx, urn, at)
	if err != nil {
		return err
	}
	view.bonds = bonds(relations)
	if asJSON {
		return v.json(view.twin())
	}
	if at.IsZero() {
		hops := 1
		if v.query.Get("hops") == "2" {
			hops = 2
		}
		g, err := s.o.Inventory.Graph(ctx, urn, hops)
		if err != nil {
			return err
		}
		view.around = picture(g)
	}
	if view.sagas, _, err = s.o.Engine.Sagas(ctx, saga.Filter{Subject: urn, Limit: 10}); err != nil {
		return err
	}
	if view.kind = inventory.KindNamed(view.Kind); view.kind != nil && view.Doc != nil {
		doc, err := inventory.ParseDoc(view.Doc)
		if err != nil {
			return err
		}
		view.addresses = view.kind.Look(doc).Addresses
	}
	query := ui.Query{Path: "/v1" + strings.Replace(resourcePath(urn), "/inventory/", "/resources/", 1)}
	view.twins = ui.Twin{
		CLI: "arcadia inventory show " + quoted(urn), API: "curl http://" + v.r.Host + query.String(),
		JSON: ui.Query{Path: resourcePath(urn) + ".json"}.With("as_of", v.query.Get("as_of")).String(),
	}
	if !at.IsZero() {
		view.twins.CLI += " --as-of " + at.Format(time.RFC3339)
		view.twins.API = "curl 'http://" + v.r.Host + query.With("as_of", at.Format(time.RFC3339)).String() + "'"
	}
	return v.show(http.StatusOK, resourcePage(view))
}

// readCost reads what the resource is billed for, and what that comes to in the month.
func (s *Server) readCost(ctx context.Context, view *resourceView) (err error) {
	if view.charges, err = view.Charges(); err != nil {
		return err
	}
	costs, err := s.o.Inventory.ResourceCosts(ctx, view.Account, view.URN, view.at)
	for _, c := range costs {
		view.cost = &c.Cost
	}
	return err
}

// A resourceTwin is the page's JSON.
type resourceTwin struct {
	Resource client.Resource `json:"resource"`
	Changes  []client.Change `json:"changes"`
	Cut      bool            `json:"changes_cut"`
}

func (v resourceView) twin() resourceTwin {
	t := resourceTwin{Resource: v.wire(), Changes: make([]client.Change, len(v.changes)), Cut: v.cut}
	for i, c := range v.changes {
		t.Changes[i] = wire.Change(c)
	}
	return t
}

// wire is the resource with whose it is and what it costs.
func (v resourceView) wire() client.Resource {
	r := wire.Resource(v.Resource)
	if v.owner.verdict.Decided() {
		r.Tenant = wire.Text(v.owner.tenant.Slug)
		r.Attribution = &client.Attribution{Rule: string(v.owner.verdict.Rule), Evidence: v.owner.verdict.Evidence, Confidence: v.owner.verdict.Confidence}
	}
	if v.Monthly != nil && v.cost != nil {
		r.Cost = &client.Cost{Currency: "USD", Monthly: inventory.Micros(*v.Monthly).String(), MonthToDate: v.cost.MonthToDate.String()}
	}
	return r
}

// title is the kind for people.
func (v resourceView) title() string { return titleOf(v.Kind) }

// isDroplet reports whether it is a droplet that sagas can do something with.
func (v resourceView) isDroplet() bool { return v.Kind == "droplet" && !v.Gone() && v.at.IsZero() }

// then is this page as it was when a change had come into force.
func (v resourceView) then(c inventory.Change) ui.Query {
	return ui.Query{Path: resourcePath(v.URN)}.With("as_of", c.At.UTC().Format(time.RFC3339Nano))
}

// pretty is a document with a line per value.
func pretty(doc json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, doc, "", "  ") != nil {
		return string(doc)
	}
	return b.String()
}

// boundsWords say when something happened, as far as it is known.
func boundsWords(b inventory.Bounds) string {
	switch {
	case b.To.IsZero():
		return ""
	case b.From.IsZero():
		return "before " + ui.Absolute(b.To)
	case b.From.Equal(b.To):
		return ui.Absolute(b.To)
	}
	return "between " + ui.Absolute(b.From) + " and " + ui.Absolute(b.To)
}

// evidence is what shows when something happened.
func evidence(by string) string {
	words := map[string]string{
		"document": "its document says so", "lists": "seen between two lists", "saga": "one of our sagas did it", "action": "an action at DigitalOcean",
		"first_sight": "it was there at the first look", inventory.Unobserved: "its account was removed",
	}
	if text, ok := words[by]; ok {
		return text
	}
	return wire.Words(by)
}

// earlier are the changes that made a version, the newest first.
func (v resourceView) earlier() []inventory.Change {
	made := slices.DeleteFunc(slices.Clone(v.changes), func(c inventory.Change) bool {
		return c.Type == inventory.Deleted || c.Type == inventory.Assigned
	})
	return made[:min(len(made), 8)]
}
