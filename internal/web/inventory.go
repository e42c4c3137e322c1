package web

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// inventoryRoutes are the pages about what there is at DigitalOcean.
func (s *Server) inventoryRoutes(page func(string, func(*visit) error)) {
	page("GET /inventory", s.stock)
	page("GET /inventory.json", s.stock)
	page("GET /inventory.csv", s.stock)
	page("GET /inventory/{urn}", s.resource)
	page("GET /inventory/{urn}/{verb}", s.askStart)
	page("POST /inventory/{urn}/{verb}", s.start)
	page("GET /droplets", func(v *visit) error { return v.redirect(allDroplets) })
	page("GET /droplets/{id}", func(v *visit) error { return v.redirect(resourcePath("do:droplet:" + v.r.PathValue("id"))) })
	for _, verb := range []string{"assign", "unassign"} {
		page("GET /inventory/"+verb, s.askAssign)
		page("GET /inventory/"+verb+".json", s.askAssign)
		page("POST /inventory/"+verb, s.assign)
	}
	page("GET /inventory/undo", s.askUndo)
	page("POST /inventory/undo", s.undoAssign)
	page("GET /changes", s.changes)
	page("GET /changes.json", s.changes)
	page("GET /changes.csv", s.changes)
	page("GET /findings", s.findings)
	page("GET /findings.json", s.findings)
	page("GET /findings.csv", s.findings)
	page("GET /findings/{id}/mute", s.askMute)
	page("POST /findings/{id}/mute", s.mute)
	page("POST /findings/{id}/unmute", s.mute)
	page("GET /tenants", s.tenants)
	page("GET /tenants.json", s.tenants)
	page("GET /tenants.csv", s.tenants)
	page("GET /tenants/add", s.askTenant)
	page("POST /tenants/add", s.actTenant)
	page("GET /tenants/import", s.askImport)
	page("POST /tenants/import", s.importTenants)
	page("GET /tenants/{slug}", s.tenant)
	page("GET /tenants/{slug}/{verb}", s.askTenant)
	page("POST /tenants/{slug}/{verb}", s.actTenant)
	page("GET /account", func(v *visit) error { return v.redirect("/accounts") })
	page("GET /accounts", s.accountList)
	page("GET /accounts.json", s.accountList)
	page("GET /accounts/{account}", s.account)
	page("GET /accounts/{account}/sync", s.askSync)
	page("POST /accounts/{account}/sync", s.startSync)
	page("GET /syncs/{id}", s.sync)
}

// accounts are our names for the accounts.
func (s *Server) accounts(ctx context.Context) ([]string, error) {
	all, err := s.o.Access.Accounts(ctx)
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Name
	}
	return names, err
}

// allDroplets is the list of droplets.
const allDroplets = "/inventory?q=kind%3Adroplet"

// resourcePath is the page of a resource.
func resourcePath(urn string) string {
	return "/inventory/" + strings.ReplaceAll(url.PathEscape(urn), "%3A", ":")
}

// asOf is the time that an address asks for, zero for now. It is typed by people
// too: a day is its beginning, and what has no zone is UTC.
func asOf(q ui.Query) (time.Time, error) {
	text := strings.TrimSpace(q.Get("as_of"))
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() > 1999 && at.Year() < 2200 {
			return at.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "%q is no time to look at. Write a day, as 2026-11-01, or a time in UTC, as 2026-11-01 15:04.", clip(text))
}

// titleOf is a kind for people, in the singular.
func titleOf(kind string) string {
	if k := inventory.KindNamed(kind); k != nil {
		return k.Title
	}
	return ui.Upper(strings.ReplaceAll(kind, "_", " "))
}

// manyOf is a kind for people, in the plural.
func manyOf(kind string) string {
	if k := inventory.KindNamed(kind); k != nil {
		return k.Many
	}
	return ui.Upper(strings.ReplaceAll(kind, "_", " ")) + "s" // the list of actions is no kind
}

// nameOr is a resource's name, or its id where it has none.
func nameOr(name, urn string) string {
	if name != "" {
		return name
	}
	return urn[strings.LastIndexAny(urn, ":/")+1:]
}

// value is JSON as people read it: a text without its quotes.
func value(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if text == "" {
			return `""`
		}
		return text
	}
	return string(raw)
}
