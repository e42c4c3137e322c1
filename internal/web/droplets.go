package web

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A dropletList is what the page of droplets shows.
type dropletList struct {
	ui.Page
	table   ui.Table
	problem *client.Problem // why there is no list, or none that is fresh
	at      time.Time       // when it was read
	regions []ui.Choice
	states  []ui.Choice
	twins   ui.Twin
}

// A dropletFilter is what an address asks for.
type dropletFilter struct {
	text, region, status, tag string
	sort                      string
	cursor                    dropletCursor
}

// A dropletCursor is the last row of the page before.
type dropletCursor struct {
	Key string `json:"k"`
	ID  int64  `json:"i"`
}

// dropletKeys are what droplets can be sorted by, as texts that sort as the values do.
var dropletKeys = map[string]func(digitalocean.Droplet) string{
	"name":    func(d digitalocean.Droplet) string { return strings.ToLower(d.Name) },
	"status":  func(d digitalocean.Droplet) string { return d.Status },
	"region":  func(d digitalocean.Droplet) string { return d.Region },
	"size":    func(d digitalocean.Droplet) string { return d.Size },
	"created": func(d digitalocean.Droplet) string { return stamp(d.CreatedAt) },
}

func readDropletFilter(q ui.Query) (dropletFilter, error) {
	f := dropletFilter{text: strings.TrimSpace(q.Get("q")), region: q.Get("region"), status: q.Get("status"), tag: q.Get("tag"), sort: sortOr(q, "name")}
	if _, ok := dropletKeys[strings.TrimPrefix(f.sort, "-")]; !ok {
		return f, fault.New(fault.Invalid, "Droplets cannot be sorted by %q.", clip(f.sort))
	}
	if c := q.Get("cursor"); c != "" {
		raw, err := base64.RawURLEncoding.DecodeString(c)
		if err != nil || json.Unmarshal(raw, &f.cursor) != nil {
			return f, fault.New(fault.Invalid, "This page's address is not as it must be: its cursor is none.")
		}
	}
	return f, nil
}

func (f dropletFilter) selects(d digitalocean.Droplet) bool {
	return (f.region == "" || d.Region == f.region) && (f.status == "" || d.Status == f.status) &&
		(f.tag == "" || slices.Contains(d.Tags, f.tag)) && (f.text == "" || f.found(d))
}

// found looks for the text in a droplet's name, its id and its tags.
func (f dropletFilter) found(d digitalocean.Droplet) bool {
	text := strings.ToLower(f.text)
	return strings.Contains(strings.ToLower(d.Name), text) || decimal(d.ID) == text ||
		slices.ContainsFunc(d.Tags, func(t string) bool { return strings.Contains(strings.ToLower(t), text) })
}

// sorted are the droplets that the filter selects, in its order.
func (f dropletFilter) sorted(all []digitalocean.Droplet) []digitalocean.Droplet {
	chosen := slices.DeleteFunc(slices.Clone(all), func(d digitalocean.Droplet) bool { return !f.selects(d) })
	slices.SortFunc(chosen, func(a, b digitalocean.Droplet) int { return f.compare(f.at(a), f.at(b)) })
	return chosen
}

func (f dropletFilter) at(d digitalocean.Droplet) dropletCursor {
	return dropletCursor{dropletKeys[strings.TrimPrefix(f.sort, "-")](d), d.ID}
}

func (f dropletFilter) compare(a, b dropletCursor) int {
	order := cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID))
	if strings.HasPrefix(f.sort, "-") {
		return -order
	}
	return order
}

// page is the rows after the cursor, and the next cursor. Keys and not numbers of
// rows say where a page begins: it stays there when droplets come and go.
func (f dropletFilter) page(sorted []digitalocean.Droplet) (rows []digitalocean.Droplet, next string) {
	if f.cursor != (dropletCursor{}) {
		sorted = slices.DeleteFunc(slices.Clone(sorted), func(d digitalocean.Droplet) bool { return f.compare(f.at(d), f.cursor) <= 0 })
	}
	if len(sorted) <= listPage {
		return sorted, ""
	}
	rows = sorted[:listPage]
	raw, err := json.Marshal(f.at(rows[listPage-1]))
	if err != nil {
		panic(err) // a text and a number always marshal
	}
	return rows, base64.RawURLEncoding.EncodeToString(raw)
}

// droplets is the list of droplets, from DigitalOcean's API.
func (s *Server) droplets(v *visit) error {
	f, err := readDropletFilter(v.query)
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	at, err := s.position(ctx)
	if err != nil {
		return err
	}
	list, err := s.fleet.droplets(ctx, fleetAge)
	page := dropletList{Page: v.live("Droplets", "/inventory", "", at), at: list.at}
	switch {
	case err != nil && (v.wants("csv") || v.wants("json")):
		return err
	case err != nil:
		p := v.problem(err)
		page.problem = &p
		return v.show(http.StatusOK, dropletListPage(page))
	}
	chosen := f.sorted(list.items)
	switch {
	case v.wants("csv"):
		return dropletsCSV(v, chosen)
	case v.wants("json"):
		rows, next := f.page(chosen)
		return v.json(dropletTwin{Items: wireDroplets(rows), Next: wire.Text(next), Total: len(chosen), ReadAt: client.Time{Time: list.at}})
	}
	if list.late != nil {
		p := v.problem(list.late)
		page.problem = &p
	}
	rows, next := f.page(chosen)
	busy, err := s.openByDroplet(v)
	if err != nil {
		return err
	}
	page.table = ui.Table{
		Caption: "Droplets", Columns: dropletColumns, Rows: dropletRows(page.Page, rows, busy), Query: v.query, Sort: f.sort,
		Total: int64(len(chosen)), Unit: "droplets", Next: next, CSV: v.query.With("cursor", "").At("/droplets.csv").String(),
	}
	page.regions = counted("All regions", list.items, func(d digitalocean.Droplet) string { return d.Region })
	page.states = counted("Any status", list.items, func(d digitalocean.Droplet) string { return d.Status })
	page.twins = ui.Twin{API: "curl http://" + v.r.Host + "/v1/droplets", JSON: v.twin("/droplets", "json")}
	return v.show(http.StatusOK, dropletListPage(page))
}

type dropletTwin struct {
	Items  []client.Droplet `json:"items"`
	Next   *string          `json:"next"`
	Total  int              `json:"total"`
	ReadAt client.Time      `json:"read_at"`
}

func wireDroplets(rows []digitalocean.Droplet) []client.Droplet {
	out := make([]client.Droplet, len(rows))
	for i, d := range rows {
		out[i] = wire.Droplet(d)
	}
	return out
}

// counted are the values that droplets have, with how many have each.
func counted(all string, items []digitalocean.Droplet, of func(digitalocean.Droplet) string) []ui.Choice {
	counts := map[string]int64{}
	for _, d := range items {
		counts[of(d)]++
	}
	choices := []ui.Choice{{Value: "", Text: all, Count: int64(len(items))}}
	for value, n := range counts {
		choices = append(choices, ui.Choice{Value: value, Text: value, Count: n})
	}
	slices.SortFunc(choices, func(a, b ui.Choice) int { return cmp.Compare(a.Value, b.Value) })
	return choices
}

// openByDroplet are the open sagas by the droplet that they are about; the one
// whose turn it is where there are several.
func (s *Server) openByDroplet(v *visit) (map[string]saga.Saga, error) {
	open, _, err := s.o.Engine.Sagas(v.r.Context(), saga.Filter{States: saga.Open(), Limit: 200})
	if err != nil {
		return nil, err
	}
	by := map[string]saga.Saga{}
	for _, one := range open { // the newest first: the oldest stays
		for _, subject := range one.Subjects {
			by[subject] = one
		}
	}
	return by, nil
}

var dropletColumns = []ui.Column{
	{Key: "name", Title: "Droplet", Sortable: true, Phone: ui.PhoneTitle},
	{Key: "status", Title: "Status", Sortable: true, Phone: ui.PhoneState},
	{Key: "region", Title: "Region", Sortable: true},
	{Key: "size", Title: "Size", Sortable: true},
	{Key: "tags", Title: "Tags"},
	{Key: "saga", Title: "Saga"},
	{Key: "created", Title: "Created", Sortable: true, Number: true, Phone: ui.PhoneHide},
	{Key: "act", Title: "Action", Phone: ui.PhoneHide},
}

func dropletRows(p ui.Page, rows []digitalocean.Droplet, busy map[string]saga.Saga) []ui.Row {
	out := make([]ui.Row, len(rows))
	for i, d := range rows {
		open, isBusy := busy["do:droplet:"+decimal(d.ID)]
		out[i] = ui.Row{ID: decimal(d.ID), Cells: []templ.Component{
			dropletName(d), ui.Badge(d.Status), mono(d.Region), mono(d.Size), tags(d.Tags), dropletSaga(open, isBusy), ui.Ago(d.CreatedAt, p.Now), dropletVerb(p, d),
		}}
	}
	return out
}

func dropletsCSV(v *visit, all []digitalocean.Droplet) error {
	done := false
	return v.csv("droplets", []string{"id", "name", "status", "region", "size", "tags", "created_at"}, func() ([][]string, error) {
		if done {
			return nil, nil
		}
		done = true
		rows := make([][]string, len(all))
		for i, d := range all {
			rows[i] = []string{decimal(d.ID), d.Name, d.Status, d.Region, d.Size, strings.Join(d.Tags, " "), stamp(d.CreatedAt)}
		}
		return rows, nil
	})
}

// A dropletView is what the page of a droplet shows.
type dropletView struct {
	ui.Page
	droplet digitalocean.Droplet
	table   ui.Table // of its sagas
	twins   ui.Twin
}

// droplet is the page of one droplet.
func (s *Server) droplet(v *visit) error {
	ref, asJSON := strings.CutSuffix(v.r.PathValue("id"), ".json")
	ctx := v.r.Context()
	f, err := sagaFilter(ui.Query{}.With("sort", v.query.Get("sort"), "cursor", v.query.Get("cursor")))
	if err != nil {
		return err
	}
	at, err := s.position(ctx)
	if err != nil {
		return err
	}
	d, err := s.fleet.one(ctx, ref)
	if err != nil {
		return err
	}
	f.Subject = "do:droplet:" + decimal(d.ID)
	list, next, err := s.o.Engine.Sagas(ctx, f)
	if err != nil {
		return err
	}
	if asJSON {
		body := struct {
			Droplet client.Droplet `json:"droplet"`
			Sagas   []client.Saga  `json:"sagas"`
			Next    *string        `json:"next"`
		}{wire.Droplet(d), make([]client.Saga, len(list)), wire.Text(next)}
		for i, one := range list {
			body.Sagas[i] = wire.Saga(one)
		}
		return v.json(body)
	}
	total, err := s.o.Engine.Count(ctx, f)
	if err != nil {
		return err
	}
	view := dropletView{Page: v.live(d.Name, "/inventory", "", at), droplet: d}
	view.table = ui.Table{
		Caption: "Sagas of this droplet", Columns: sagaColumns, Rows: sagaRows(list, v.now), Query: v.query, Sort: sortOr(v.query, newestFirst), Total: total, Unit: "sagas",
		Next: next, CSV: ui.Query{Path: "/sagas.csv"}.With("subject", f.Subject, "sort", v.query.Get("sort")).String(),
	}
	view.twins = ui.Twin{
		CLI: "arcadia snapshot " + decimal(d.ID), API: "curl -X POST http://" + v.r.Host + "/v1/droplets/" + decimal(d.ID) + "/snapshot -d '{}'",
		JSON: dropletPath(d) + ".json",
	}
	return v.show(http.StatusOK, dropletPage(view))
}
