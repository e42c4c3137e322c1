package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (s *Server) blueprintRoutes(page func(string, func(*visit) error)) {
	page("GET /blueprints", s.blueprints)
	page("GET /blueprints.json", s.blueprints)
	page("GET /blueprints/{ref}", s.blueprint)
}

func blueprintPath(ref string) string { return "/blueprints/" + url.PathEscape(ref) }

// blueprints is the list of what stacks can be made from.
func (s *Server) blueprints(v *visit) error {
	ctx := v.r.Context()
	all, err := s.o.Provisioning.Blueprints(ctx)
	if err != nil {
		return err
	}
	if v.wants("json") {
		items := make([]client.Blueprint, len(all))
		for i, d := range all {
			items[i] = wire.Blueprint(d, false)
		}
		return v.json(client.List[client.Blueprint]{Items: items})
	}
	slices.SortFunc(all, func(a, b provisioning.Draft) int { // the newest version of each first
		if a.Name == b.Name {
			return b.Version - a.Version
		}
		return strings.Compare(a.Name, b.Name)
	})
	stacks, err := s.o.Provisioning.Stacks(ctx, provisioning.StackFilter{})
	if err != nil {
		return err
	}
	used := map[string]int{}
	for _, one := range stacks {
		used[one.Blueprint]++
	}
	rows := make([]ui.Row, len(all))
	for i, d := range all {
		rows[i] = ui.Row{ID: d.Ref(), Cells: []templ.Component{
			blueprintName(d), text(d.Description), text(makesBriefly(d)), text(madeBy(d)), number0(used[d.Ref()]),
		}}
	}
	table := ui.Table{
		Caption: "Blueprints", Query: v.query, Rows: rows, Total: int64(len(rows)), Unit: "blueprints", Columns: []ui.Column{
			{Key: "name", Title: "Blueprint", Phone: ui.PhoneTitle}, {Key: "about", Title: "What it is for", Phone: ui.PhoneMeta},
			{Key: "makes", Title: "Makes", Phone: ui.PhoneMeta}, {Key: "from", Title: "From", Phone: ui.PhoneHide}, {Key: "stacks", Title: "Stacks", Number: true, Phone: ui.PhoneState},
		},
	}
	return v.show(http.StatusOK, blueprintsPage(v.page("Blueprints", "/stacks"), table, ui.Twin{
		CLI: "arcadia blueprint list", API: "curl http://" + v.r.Host + "/v1/blueprints", JSON: "/blueprints.json",
	}))
}

// madeBy says where a blueprint comes from.
func madeBy(d provisioning.Draft) string {
	if d.Shipped {
		return "part of Arcadia"
	}
	return "added by " + d.Actor
}

// A blueprintView is one version of a blueprint, with its others and what is made of it.
type blueprintView struct {
	ui.Page
	provisioning.Draft
	others []provisioning.Draft
	stacks []stackView
	names  []string // of its parameters
	twins  ui.Twin
}

// blueprint is the page of one blueprint: the newest version, or the one that is named.
func (s *Server) blueprint(v *visit) error {
	ctx := v.r.Context()
	ref, asJSON := strings.CutSuffix(v.r.PathValue("ref"), ".json")
	d, err := s.o.Provisioning.Blueprint(ctx, ref)
	if err != nil {
		return err
	}
	if asJSON {
		return v.json(wire.Blueprint(d, true))
	}
	view := blueprintView{Page: v.page(d.Name, "/stacks"), Draft: d, names: slices.Sorted(maps.Keys(d.Parameters))}
	all, err := s.o.Provisioning.Blueprints(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Name == d.Name && other.Version != d.Version {
			view.others = append(view.others, other)
		}
	}
	stacks, err := s.o.Provisioning.Stacks(ctx, provisioning.StackFilter{})
	if err != nil {
		return err
	}
	for _, one := range stacks {
		if one.Blueprint != d.Ref() {
			continue
		}
		of, err := s.readStack(ctx, one)
		if err != nil {
			return err
		}
		view.stacks = append(view.stacks, of)
	}
	view.twins = ui.Twin{
		CLI: "arcadia blueprint show " + d.Ref(), API: "curl http://" + v.r.Host + "/v1/blueprints/" + d.Ref(), JSON: blueprintPath(d.Ref()) + ".json",
	}
	return v.show(http.StatusOK, blueprintPage(view))
}

// A making is one sort of thing that a blueprint makes.
type making struct {
	many, one string
	keys      []string
}

// makes is what a stack of the blueprint has, by sort, in the order in which it is made.
func makes(d provisioning.Draft) (all []making) {
	var network, records []string
	if d.VPC != nil {
		network = []string{"a network of its own"}
	}
	if d.DNS != nil {
		records = slices.Sorted(maps.Keys(d.DNS.Records))
	}
	for _, m := range []making{
		{"networks", "network", network},
		{"volumes", "volume", slices.Sorted(maps.Keys(d.Volumes))},
		{"droplets", "droplet", slices.Sorted(maps.Keys(d.Droplets))},
		{"reserved addresses", "reserved address", slices.Sorted(maps.Keys(d.ReservedIPs))},
		{"firewalls", "firewall", slices.Sorted(maps.Keys(d.Firewalls))},
		{"DNS records", "DNS record", records},
		{"health probes", "health probe", slices.Sorted(maps.Keys(d.Health))},
	} {
		if len(m.keys) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// says is how many of a sort are made.
func (m making) says() string {
	if len(m.keys) == 1 {
		return "1 " + m.one
	}
	return fmt.Sprintf("%d %s", len(m.keys), m.many)
}

func makesBriefly(d provisioning.Draft) string {
	var parts []string
	for _, m := range makes(d) {
		parts = append(parts, m.says())
	}
	return strings.Join(parts, ", ")
}

// bounds are what a parameter's value must be, in words; empty where its type says it all.
func bounds(p *blueprint.Parameter) string {
	var parts []string
	if len(p.Enum) > 0 {
		values := make([]string, len(p.Enum))
		for i, one := range p.Enum {
			values[i] = string(one)
		}
		parts = append(parts, "one of "+strings.Join(values, ", "))
	}
	if p.Min != nil {
		parts = append(parts, fmt.Sprintf("at least %d", *p.Min))
	}
	if p.Max != nil {
		parts = append(parts, fmt.Sprintf("at most %d", *p.Max))
	}
	if p.Pattern != "" {
		parts = append(parts, "of the form "+p.Pattern)
	}
	return strings.Join(parts, "; ")
}
