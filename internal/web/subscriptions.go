package web

import (
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A subscriptionList is what the page of subscriptions shows.
type subscriptionList struct {
	ui.Page
	table ui.Table
	twins ui.Twin
}

var subscriptionColumns = []ui.Column{
	{Key: "tenant", Title: "Tenant", Phone: ui.PhoneTitle},
	{Key: "items", Title: "In service", Phone: ui.PhoneState},
	{Key: "currency", Title: "Currency"},
	{Key: "zone", Title: "Zone"},
	{Key: "started", Title: "Since"},
	{Key: "changes", Title: "Changes", Number: true, Phone: ui.PhoneHide},
}

// subscriptions is the list of subscriptions.
func (s *Server) subscriptions(v *visit) error {
	all, err := s.o.Bills.Subscriptions(v.r.Context(), v.query.Get("tenant"))
	if err != nil {
		return err
	}
	if v.wants("json") {
		items := make([]client.Subscription, len(all))
		for i, a := range all {
			items[i] = wire.Subscription(a, v.now.Time)
		}
		return v.json(client.List[client.Subscription]{Items: items})
	}
	rows := make([]ui.Row, len(all))
	for i, a := range all {
		rows[i] = ui.Row{ID: string(a.ID), Cells: []templ.Component{
			subscriptionCell(a), itemsCell(a, v.now.Time), plain(string(a.Currency)), plain(a.Zone), plain(period.DayIn(a.StartedAt, a.Zone)), plain(ui.Number(int64(len(a.Changes)))),
		}}
	}
	page := subscriptionList{Page: v.page("Subscriptions", "/billing")}
	page.table = ui.Table{Caption: "Subscriptions", Columns: subscriptionColumns, Rows: rows, Query: v.query, Total: int64(len(all)), Unit: "subscriptions"}
	page.twins = ui.Twin{CLI: "arcadia subscription list", API: "curl http://" + v.r.Host + "/v1/subscriptions", JSON: v.twin("/subscriptions", "json")}
	return v.show(http.StatusOK, subscriptionsPage(page))
}

// A subscriptionView is what the page of a subscription shows.
type subscriptionView struct {
	ui.Page
	billing.Agreement
	items []billing.ItemState
	twins ui.Twin
}

// subscription is the page of one.
func (s *Server) subscription(v *visit) error {
	id, asJSON := strings.CutSuffix(v.r.PathValue("id"), ".json")
	a, err := s.o.Bills.Agreement(v.r.Context(), billing.SubscriptionID(id))
	if err != nil {
		return err
	}
	if asJSON {
		return v.json(wire.Subscription(a, v.now.Time))
	}
	view := subscriptionView{Page: v.page("Subscription of "+a.Slug, "/billing"), Agreement: a, items: a.Items(v.now.Time)}
	view.twins = ui.Twin{CLI: "arcadia subscription show " + id, API: "curl http://" + v.r.Host + "/v1/subscriptions/" + id, JSON: "/subscriptions/" + id + ".json"}
	return v.show(http.StatusOK, subscriptionPage(view))
}

// A catalogView is what the page of what is sold shows.
type catalogView struct {
	ui.Page
	catalogs []pricedCatalog
	twins    ui.Twin
}

// A pricedCatalog is a catalog with its entries.
type pricedCatalog struct {
	billing.CatalogOverview
	entries []versioned
}

// A versioned entry knows what its version changed of the one before.
type versioned struct {
	billing.Entry
	changes  []billing.FieldChange // of a plan against its version before; nil: it is the first
	holdings []billing.Holding
	newest   string // the last version of a plan that is offered; empty where it is that itself
}

// catalog is the page of what is sold.
func (s *Server) catalog(v *visit) error {
	ctx := v.r.Context()
	overviews, err := s.o.Bills.Catalogs(ctx)
	if err != nil {
		return err
	}
	view := catalogView{Page: v.page("Catalog", "/billing")}
	for _, o := range overviews {
		_, entries, err := s.o.Bills.Entries(ctx, string(o.Currency))
		if err != nil {
			return err
		}
		holdings, err := s.o.Bills.Holdings(ctx, o.Currency, v.now.Time)
		if err != nil {
			return err
		}
		view.catalogs = append(view.catalogs, pricedCatalog{o, versions(entries, holdings)})
	}
	if v.wants("json") {
		items := make([]client.CatalogOverview, len(overviews))
		for i, o := range overviews {
			items[i] = wire.CatalogOverview(o)
		}
		return v.json(client.List[client.CatalogOverview]{Items: items})
	}
	view.twins = ui.Twin{CLI: "arcadia catalog list", API: "curl http://" + v.r.Host + "/v1/catalogs", JSON: "/catalog.json"}
	return v.show(http.StatusOK, catalogPage(view))
}

// versions says of each entry what it changed of the one of its kind and id before it,
// and of a plan who has it.
func versions(entries []billing.Entry, holdings map[string][]billing.Holding) []versioned {
	before, newest := make(map[string]billing.Entry), make(map[string]string)
	for _, e := range entries {
		if e.Kind == billing.PlanEntry && e.Offered {
			newest[e.ID] = e.Ref()
		}
	}
	all := make([]versioned, len(entries))
	for i, e := range entries {
		all[i].Entry = e
		id := string(e.Kind) + " " + e.ID
		if old, ok := before[id]; ok {
			all[i].changes = billing.Differences(old.Document, e.Document)
		}
		before[id] = e
		if e.Kind == billing.PlanEntry {
			all[i].holdings = holdings[e.Ref()]
			if newest[e.ID] != e.Ref() {
				all[i].newest = newest[e.ID]
			}
		}
	}
	return all
}

// holdingText is what an item of a subscription has of a plan, and until when.
func holdingText(h billing.Holding) string {
	words := []string{h.Quantity.String() + " × " + h.Item}
	if !h.From.IsZero() {
		words = append(words, "from "+period.DayIn(h.From, h.Zone))
	}
	switch {
	case h.Next != "":
		words = append(words, "then "+h.Next+" from "+period.DayIn(h.Until, h.Zone))
	case !h.Until.IsZero():
		words = append(words, "until "+period.DayIn(h.Until, h.Zone))
	}
	return strings.Join(words, " · ")
}
