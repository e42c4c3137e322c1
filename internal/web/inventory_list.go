package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A stockList is what the page of the inventory shows.
type stockList struct {
	ui.Page
	accounts []string
	query    inventory.Query
	at       time.Time // that it is shown as of; zero: as it is
	refusal  string    // why there is no list
	caret    string    // the query with the word that is wrong marked
	list     inventory.ResourceList
	table    ui.Table
	facets   []facet
	deleted  []ui.Choice
	twins    ui.Twin
}

// A facet is a key with the values that what was found has of it.
type facet struct {
	name, key string
	chosen    string // empty: any
	any       ui.Query
	values    []facetValue
	more      int // values that are not shown
}

type facetValue struct {
	text  string
	count int
	to    ui.Query
}

const mostFacet = 40 // values of a facet that a page shows

var facetNames = []struct{ key, name string }{
	{"kind", "Kind"}, {"tenant", "Tenant"}, {"region", "Region"}, {"account", "Account"}, {"status", "Status"}, {"tag", "Tag"},
	{"managed", "Made by Arcadia"},
}

// stockQuery is the query that an address asks for: what was typed, the time, and
// whether what is gone is meant.
func stockQuery(q ui.Query) (inventory.Query, error) {
	asked, err := inventory.ParseQuery(strings.TrimSpace(q.Get("q")))
	if err != nil {
		return asked, err
	}
	at, err := asOf(q)
	if err != nil {
		return asked, err
	}
	if !at.IsZero() {
		asked.AsOf = at
	}
	switch deleted := q.Get("deleted"); deleted {
	case "":
	case "yes", "any":
		asked.Terms = append(asked.Terms, inventory.Term{Key: "deleted", Op: ":", Values: []string{deleted}})
	default:
		return asked, fault.New(fault.Invalid, "What is deleted is shown alone (yes) or beside the rest (any), and not %q.", clip(deleted))
	}
	return asked, nil
}

// stockPage is which part of the list an address asks for.
func stockPage(q ui.Query) inventory.Page {
	key, descending := strings.CutPrefix(sortOr(q, string(inventory.SortName)), "-")
	return inventory.Page{Sort: inventory.Sort(key), Desc: descending, Limit: listPage, Cursor: q.Get("cursor")}
}

// stock is the list of all that there is at DigitalOcean.
func (s *Server) stock(v *visit) error {
	ctx := v.r.Context()
	asked, err := stockQuery(v.query)
	part := stockPage(v.query)
	if err != nil && (v.wants("csv") || v.wants("json")) {
		return err
	}
	if v.wants("csv") {
		return s.stockCSV(v, asked, part)
	}
	follow, failed := v.follow("Inventory", "/inventory", changesTopic)
	if failed != nil {
		return failed
	}
	page := stockList{Page: follow, query: asked, at: asked.AsOf}
	if page.accounts, failed = s.accounts(ctx); failed != nil {
		return failed
	}
	if err == nil {
		page.list, err = s.o.Inventory.Resources(ctx, asked, part)
	}
	if v.wants("json") {
		if err != nil {
			return err
		}
		return v.json(wire.ResourcePage(page.list))
	}
	status := http.StatusOK
	if err != nil {
		if fault.KindOf(err) != fault.Invalid {
			return err
		}
		status, page.Live = http.StatusBadRequest, ""
		page.refusal = v.problem(err).Detail
		var wrong *inventory.QueryError
		if errors.As(err, &wrong) {
			page.refusal, page.caret = wrong.Error(), wrong.Caret()
		}
		return v.show(status, stockPageOf(page))
	}
	page.table = ui.Table{
		Caption: "Resources", Columns: stockColumns, Rows: stockRows(page.list.Items, v), Query: v.query, Sort: sortOr(v.query, string(inventory.SortName)),
		Total: int64(page.list.Total), Unit: "resources", Next: page.list.Next, CSV: v.query.With("cursor", "").At("/inventory.csv").String(),
	}
	page.facets = facetsOf(v.query, page.list)
	page.deleted = []ui.Choice{{Value: "", Text: "There", Count: -1}, {Value: "any", Text: "With deleted", Count: -1}, {Value: "yes", Text: "Deleted only", Count: -1}}
	page.twins = stockTwins(v, asked, part)
	return v.show(status, stockPageOf(page))
}

func stockTwins(v *visit, asked inventory.Query, part inventory.Page) ui.Twin {
	api := ui.Query{Path: "/v1/resources"}.With("q", asked.String(), "sort", string(part.Sort))
	cli := "arcadia inventory list " + quoted(asked.String())
	if part.Desc {
		api = api.With("desc", "true")
	}
	return ui.Twin{CLI: strings.TrimSuffix(cli, " ''"), API: "curl '" + "http://" + v.r.Host + api.String() + "'", JSON: v.twin("/inventory", "json")}
}

// facetsOf are what the list can be narrowed by. A value's link puts a term into the
// query in place of those with its key.
func facetsOf(q ui.Query, l inventory.ResourceList) (all []facet) {
	typed, err := inventory.ParseQuery(strings.TrimSpace(q.Get("q")))
	if err != nil {
		return nil
	}
	for _, one := range facetNames {
		counted := l.Facets[one.key]
		f := facet{name: one.name, key: one.key}
		without := typed
		without.Terms = slices.DeleteFunc(slices.Clone(typed.Terms), func(t inventory.Term) bool { return t.Key == one.key })
		for _, t := range typed.Terms {
			if t.Key == one.key && !t.Not {
				f.chosen = strings.Join(t.Values, ", ")
			}
		}
		f.any = q.With("q", without.String(), "cursor", "")
		for _, c := range counted {
			if len(f.values) == mostFacet {
				f.more = len(counted) - mostFacet
				break
			}
			value, text := facetText(one.key, c)
			if value == "" {
				continue // it has none, and no term says so
			}
			with := without
			with.Terms = append(slices.Clone(without.Terms), inventory.Term{Key: one.key, Op: ":", Values: []string{value}})
			f.values = append(f.values, facetValue{text, c.Count, q.With("q", with.String(), "cursor", "")})
		}
		if len(f.values) > 1 || f.chosen != "" {
			all = append(all, f)
		}
	}
	return all
}

// facetText is a value as a query has it, and as people read it.
func facetText(key string, c inventory.Facet) (value, text string) {
	switch {
	case key == "kind":
		return c.Value, manyOf(c.Value)
	case key == "managed":
		return c.Value, map[string]string{"yes": "Yes", "no": "No"}[c.Value]
	case key == "tenant" && c.Value == "":
		return "none", "Nobody"
	case c.Name != "":
		return c.Value, c.Name
	}
	return c.Value, c.Value
}

var stockColumns = []ui.Column{
	{Key: "name", Title: "Resource", Sortable: true, Phone: ui.PhoneTitle},
	{Key: "status", Title: "Status", Phone: ui.PhoneState},
	{Key: "kind", Title: "Kind", Sortable: true},
	{Key: "tenant", Title: "Tenant"},
	{Key: "region", Title: "Region"},
	{Key: "size", Title: "Size", Phone: ui.PhoneHide},
	{Key: "cost", Title: "A month", Sortable: true, Number: true},
	{Key: "changed", Title: "Changed", Sortable: true, Number: true, Phone: ui.PhoneHide},
	{Key: "tags", Title: "Tags", Phone: ui.PhoneHide}, // last: where the table is wider than the page, they are what is cut off
}

func stockRows(items []inventory.Found, v *visit) []ui.Row {
	rows := make([]ui.Row, len(items))
	for i, f := range items {
		rows[i] = ui.Row{ID: f.URN, Cells: []templ.Component{
			stockName(f, v.query.Get("as_of")), stockStatus(f), plain(titleOf(f.Kind)), stockTenant(f), monoOrNone(f.Region), monoOrNone(f.Size), stockCost(f),
			ui.Ago(f.LastChanged, v.now), stockTags(f.Tags, v.query),
		}}
	}
	return rows
}

// assignAll is the form that assigns all that the list finds.
func (p stockList) assignAll() ui.Query {
	return ui.Query{Path: "/inventory/assign"}.With("all", "yes", "q", p.query.String(), "from", p.Query.String())
}

// stockCSV writes every resource that the query finds.
func (s *Server) stockCSV(v *visit, asked inventory.Query, part inventory.Page) error {
	part.Limit = 500
	over := false
	heading := wire.ResourceRows(nil)[0]
	return v.csv("inventory", heading, func() ([][]string, error) {
		if over {
			return nil, nil
		}
		l, err := s.o.Inventory.Resources(v.r.Context(), asked, part)
		if err != nil {
			return nil, err
		}
		part.Cursor, over = l.Next, l.Next == ""
		return wire.ResourceRows(wire.ResourcePage(l).Items)[1:], nil
	})
}

// tenantStock is the list of what a tenant has.
func tenantStock(slug string, more ...string) ui.Query {
	return ui.Query{Path: "/inventory", Values: url.Values{"q": {strings.Join(append([]string{"tenant:" + slug}, more...), " ")}}}
}
