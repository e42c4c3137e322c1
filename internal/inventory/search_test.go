package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// names are those of what a query finds, in the order of the list, however many
// pages that takes.
func (y *yard) names(text string, p inventory.Page) []string {
	y.t.Helper()
	q, err := inventory.ParseQuery(text)
	if err != nil {
		y.t.Fatal(err)
	}
	names, total := []string{}, 0
	for {
		l, err := y.Resources(y.t.Context(), q, p)
		if err != nil {
			y.t.Fatalf("%s: %v", text, err)
		}
		total = l.Total
		for _, f := range l.Items {
			names = append(names, f.Name)
		}
		if p.Cursor = l.Next; l.Next == "" {
			break
		}
	}
	if len(names) != total {
		y.t.Errorf("%s: %d on all pages, %d in total", text, len(names), total)
	}
	return names
}

// TestSearch asks for everything that the grammar knows, on both engines, and pages
// through each answer two by two.
func TestSearch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := errors.Join(cloud.SetPreset("calm"), cloud.SetParams(map[string]string{"action.power_off": "0s", "droplet.create": "0s"})); err != nil {
			t.Fatal(err)
		}
		y := newYardOf(t, d, cloud, time.Millisecond, "main")
		if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "acme", Name: "Acme"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		droplet := func(name, size string, tags ...string) string {
			made, _ := y.do("POST", "/v2/droplets", map[string]any{
				"name": name, "region": "nyc3", "size": size, "image": "ubuntu-24-04-x64", "tags": append([]string{}, tags...),
			})["droplet"].(map[string]any)
			return fmt.Sprintf("%.0f", made["id"])
		}
		droplet("web-1", "s-1vcpu-1gb", "tenant:acme", "env:production")
		off := droplet("web-2", "s-2vcpu-4gb", "tenant:acme", "web")
		gone := droplet("old", "s-1vcpu-1gb")
		y.do("POST", "/v2/volumes", map[string]any{"name": "data", "region": "nyc3", "size_gigabytes": 100, "tags": []string{"tenant:acme"}})
		y.do("POST", "/v2/volumes", map[string]any{"name": "spare", "region": "fra1", "size_gigabytes": 500})
		kinds := []string{"action", "project", "droplet", "volume", "project_resource"}
		time.Sleep(2100 * time.Millisecond) // the clock of answers has seconds
		y.sync(kinds...)
		before := y.Now("main").Add(time.Second)
		time.Sleep(2100 * time.Millisecond)
		y.do("POST", "/v2/droplets/"+off+"/actions", map[string]any{"type": "power_off"})
		y.do("DELETE", "/v2/droplets/"+gone, nil)
		for range 3 {
			y.sync(kinds...)
		}
		was := before.Format(time.RFC3339)
		for query, want := range map[string][]string{
			"kind:droplet":                          {"web-1", "web-2"},
			"kind:droplet,volume":                   {"data", "spare", "web-1", "web-2"},
			"-kind:droplet kind:droplet,volume":     {"data", "spare"},
			"kind:volume region:nyc3":               {"data"},
			"kind:volume -region:nyc3":              {"spare"},
			"tenant:acme":                           {"data", "web-1", "web-2"},
			"tenant:none kind:volume":               {"spare"},
			"-tenant:acme kind:volume":              {"spare"},
			"tag:web":                               {"web-2"}, // and not what has the word in its name
			"tag:env:*":                             {"web-1"},
			"TAG:ENV:Production":                    {"web-1"},
			"status:off":                            {"web-2"},
			"size:s-2vcpu-*":                        {"web-2"},
			"name:web-*":                            {"web-1", "web-2"},
			"name:web_*":                            {}, // _ is itself
			"name:WEB*":                             {"web-1", "web-2"},
			"cost>20 kind:droplet,volume":           {"spare", "web-2"},
			"cost<=6 kind:droplet":                  {"web-1"},
			"cost:unknown":                          {},
			"web kind:droplet":                      {"web-1", "web-2"},
			"-web kind:volume":                      {"data", "spare"},
			"id:" + off:                             {"web-2"},
			"urn:do:droplet:" + off:                 {"web-2"},
			"deleted:yes":                           {"old"},
			"deleted:any kind:droplet":              {"old", "web-1", "web-2"},
			"managed:yes":                           {},
			"missing:yes":                           {},
			"age<1h kind:volume":                    {"data", "spare"},
			"age>1h kind:volume":                    {},
			"created<2026-01-01":                    {},
			"changed<1h kind:volume":                {"data", "spare"},
			"project:first* kind:volume":            {"data", "spare"},
			"account:main kind:volume":              {"data", "spare"},
			"account:other":                         {},
			"kind:droplet as-of:" + was:             {"old", "web-1", "web-2"},
			"status:off as-of:" + was:               {},
			"tenant:acme as-of:" + was:              {"data", "web-1", "web-2"},
			"kind:droplet as-of:2026-01-01":         {},
			"deleted:yes kind:droplet as-of:" + was: {"old"},
		} {
			got := y.names(query, inventory.Page{Limit: 2})
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
		for sort, want := range map[inventory.Sort][]string{
			inventory.SortCost: {"web-1", "data", "web-2", "spare"},
			inventory.SortKind: {"web-1", "web-2", "data", "spare"},
		} {
			got := y.names("kind:droplet,volume", inventory.Page{Sort: sort, Limit: 1})
			desc := y.names("kind:droplet,volume", inventory.Page{Sort: sort, Limit: 1, Desc: true})
			slices.Reverse(desc)
			if sort == inventory.SortKind { // those of one kind follow each other by their URNs
				slices.Sort(got[:2])
				slices.Sort(got[2:])
				slices.Sort(desc[:2])
				slices.Sort(desc[2:])
			}
			if !slices.Equal(got, want) || !slices.Equal(desc, want) {
				t.Errorf("by %s: got %q, and backwards %q, want %q", sort, got, desc, want)
			}
		}
		if all, without := y.names("", inventory.Page{}), y.names("-urn:x", inventory.Page{}); !slices.Equal(all, without) {
			t.Errorf("all but one that is not there: %q, all: %q", without, all)
		}
		y.checkFacets()
	})
}

func (y *yard) checkFacets() {
	y.t.Helper()
	q, err := inventory.ParseQuery("kind:droplet,volume")
	if err != nil {
		y.t.Fatal(err)
	}
	l, err := y.Resources(y.t.Context(), q, inventory.Page{})
	if err != nil {
		y.t.Fatal(err)
	}
	for name, want := range map[string]map[string]int{
		"kind": {"droplet": 2, "volume": 2}, "region": {"nyc3": 3, "fra1": 1}, "tenant": {"acme": 3, "": 1},
	} {
		got := map[string]int{}
		for _, f := range l.Facets[name] {
			got[f.Value] = f.Count
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			y.t.Errorf("by %s: %v, want %v", name, got, want)
		}
	}
	var monthly inventory.Micros
	for _, f := range l.Items {
		monthly += f.Cost.Monthly
		if f.Tenant == "acme" && (f.Verdict.Rule != inventory.ByTag || f.Verdict.Evidence == "") {
			y.t.Errorf("%s is acme's by %+v", f.Name, f.Verdict)
		}
	}
	if l.Cost.Monthly != monthly || monthly == 0 || l.Cost.MonthToDate == 0 {
		y.t.Errorf("all cost %+v, the page %s a month", l.Cost, monthly)
	}
}

func TestAQueryForATenantThatThereIsNot(t *testing.T) {
	s := inventory.New(dbtest.New(t), nil, inventory.Settings{Accounts: func(context.Context) ([]string, error) { return nil, nil }})
	q, err := inventory.ParseQuery("tenant:nobody-of-that-name")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Resources(t.Context(), q, inventory.Page{}); !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "nobody-of-that-name") {
		t.Errorf("got %v", err)
	}
	for _, cursor := range []string{"x", "W10", "WyJuYW1lIixmYWxzZSwiYSIsIiJd"} {
		if _, err := s.Resources(t.Context(), inventory.Query{}, inventory.Page{Cursor: cursor}); !errors.Is(err, fault.Invalid) {
			t.Errorf("cursor %s: %v", cursor, err)
		}
	}
}
