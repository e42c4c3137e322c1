package inventory_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// newMonth is an inventory of which nobody carries out syncs but month.see: a month
// would else be a million looks for one.
func newMonth(t *testing.T, cloud *dosimtest.Server) *yard {
	t.Helper()
	d := dbtest.New(t)
	sagas, err := saga.New(d, saga.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: "main", Purpose: digitalocean.Inventory, Token: vault.NewSecret(cloud.Token), Transport: cloud.Client.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &yard{t: t, cloud: cloud, db: d, sagas: sagas, Service: inventory.New(d, sagas, inventory.Settings{
		Horizon:  horizon,
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return reader, nil },
		Accounts: func(context.Context) ([]string, error) { return []string{"main"}, nil },
	})}
}

// see lets some minutes pass and looks at what costs something, twice: what is gone
// must be missed twice.
func (y *yard) see() {
	y.t.Helper()
	ctx, stop := context.WithCancel(y.t.Context())
	over := make(chan error, 1)
	go func() { over <- y.Serve(ctx) }()
	for range 2 {
		time.Sleep(horizon + time.Minute)
		y.sync("action", "backup_policy", "droplet", "volume", "reserved_ip", "load_balancer", "database", "database_replica", "image")
	}
	stop()
	if err := <-over; err != nil {
		y.t.Error(err)
	}
}

func number(v any) string { return strconv.FormatFloat(v.(float64), 'f', 0, 64) }

// TestAMonthCostsWhatItsInvoiceSays holds the inventory's costs against an invoice of
// the simulator, which counts by its own log and shares no rule with the inventory:
// of things that were resized, came, went and were given away within the month.
func TestAMonthCostsWhatItsInvoiceSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC) // 31 days: the cap counts
		time.Sleep(time.Until(began.Add(-48 * time.Hour)))
		cloud := dosimtest.Pipe(t, dosim.Options{Preset: "calm", Params: map[string]string{"billing.preview_hours": "0"}})
		y := newMonth(t, cloud)
		droplet := func(name, size string) string {
			answer := y.do("POST", "/v2/droplets", map[string]any{"name": name, "region": "nyc3", "size": size, "image": "ubuntu-24-04-x64"})
			return number(answer["droplet"].(map[string]any)["id"])
		}
		act := func(id string, action map[string]any) {
			y.do("POST", "/v2/droplets/"+id+"/actions", action)
			y.see()
		}
		day := func(n int) { time.Sleep(time.Until(began.AddDate(0, 0, n))) }

		daily, switched := droplet("daily", "s-1vcpu-2gb"), droplet("switched", "s-2vcpu-4gb")
		steady, backed, grown := droplet("steady", "s-1vcpu-1gb"), droplet("backed", "s-1vcpu-2gb"), droplet("grown", "s-1vcpu-1gb")
		volume := y.do("POST", "/v2/volumes", map[string]any{"name": "data", "region": "nyc3", "size_gigabytes": 100})["volume"].(map[string]any)["id"].(string)
		address := y.do("POST", "/v2/reserved_ips", map[string]any{"region": "nyc3"})["reserved_ip"].(map[string]any)["ip"].(string)
		image := number(y.do("POST", "/v2/images", map[string]any{"name": "mine", "url": "http://example.com/a.img", "region": "nyc3", "distribution": "Ubuntu"})["image"].(map[string]any)["id"])
		urns := []string{"do:image:" + image}
		for range 2 { // each with a replica of the same name
			cluster := seedThing(t, cloud, dosim.SeedThing{Kind: "database", Data: map[string]any{"name": "orders", "size": "db-s-2vcpu-4gb", "num_nodes": 2}})
			seedThing(t, cloud, dosim.SeedThing{Kind: "database_replica", Parent: cluster, Data: map[string]any{"name": "read-1"}})
			replicas := y.do("GET", "/v2/databases/"+cluster+"/replicas", nil)["replicas"].([]any)
			urns = append(urns, "do:database:"+cluster, "do:database_replica:"+replicas[0].(map[string]any)["id"].(string))
		}
		y.see()
		day(2)
		short := droplet("short", "s-2vcpu-4gb")
		y.see()
		day(3)
		act(backed, map[string]any{"type": "enable_backups", "backup_policy": map[string]any{"plan": "weekly", "weekday": "SUN", "hour": 4}})
		act(daily, map[string]any{"type": "enable_backups", "backup_policy": map[string]any{"plan": "daily", "hour": 4}})
		act(switched, map[string]any{"type": "enable_backups", "backup_policy": map[string]any{"plan": "weekly", "weekday": "SUN", "hour": 4}})
		day(4)
		y.do("DELETE", "/v2/droplets/"+short, nil)
		y.see()
		day(5)
		act(grown, map[string]any{"type": "power_off"})
		act(grown, map[string]any{"type": "resize", "size": "s-2vcpu-4gb"})
		day(10)
		act(switched, map[string]any{"type": "change_backup_policy", "backup_policy": map[string]any{"plan": "daily", "hour": 4}})
		day(12)
		y.do("POST", "/v2/reserved_ips/"+address+"/actions", map[string]any{"type": "assign", "droplet_id": mustInt(t, steady)})
		y.see()
		day(20)
		y.do("POST", "/v2/volumes/"+volume+"/actions", map[string]any{"type": "resize", "size_gigabytes": 250, "region": "nyc3"})
		y.see()
		day(30)
		y.see()
		at := began.AddDate(0, 0, 31).Add(-time.Minute)
		time.Sleep(time.Until(at))

		theirs := map[string]int64{} // cents
		lines := map[string]int64{}
		items := y.do("GET", "/v2/customers/my/invoices/preview?per_page=200", nil)["invoice_items"].([]any)
		for _, item := range items {
			i := item.(map[string]any)
			cents := mustInt(t, strings.Replace(i["amount"].(string), ".", "", 1))
			urn := "do:droplet:" + i["resource_id"].(string)
			switch i["product"] {
			case "Volumes":
				urn = "do:volume:" + i["resource_uuid"].(string)
			case "Custom Images":
				urn = "do:image:" + i["resource_id"].(string)
			case "Database Clusters":
				if urn = "do:database:" + i["resource_uuid"].(string); strings.HasPrefix(i["description"].(string), "read-1") {
					urn = "do:database_replica:" + i["resource_uuid"].(string)
				}
			case "Floating IPs":
				urn = "do:reserved_ip:" + address
			}
			theirs[urn] += cents
			lines[urn]++
		}
		costs, err := y.ResourceCosts(t.Context(), "main", "", at)
		if err != nil {
			t.Fatal(err)
		}
		ours := map[string]inventory.Micros{}
		for _, c := range costs {
			if ours[c.URN] = c.MonthToDate; c.Unpriced > 0 {
				t.Errorf("%s has no price", c.URN)
			}
		}
		urns = append(urns, "do:droplet:"+steady, "do:droplet:"+backed, "do:droplet:"+daily, "do:droplet:"+switched, "do:droplet:"+grown, "do:droplet:"+short, "do:volume:"+volume, "do:reserved_ip:"+address)
		for _, urn := range urns {
			// A line is rounded to the cent, and where it ends is known to some minutes.
			off, most := theirs[urn]*10_000-int64(ours[urn]), lines[urn]*15_000
			if lines[urn] == 0 || max(off, -off) > most {
				t.Errorf("%s costs %s, its %d lines of the invoice %d cents", urn, ours[urn], lines[urn], theirs[urn])
			}
		}
		// What is grouped adds up to the whole, to the micro-dollar.
		for _, by := range inventory.GroupBys() {
			groups, total, err := y.Costs(t.Context(), "main", by, at)
			if err != nil {
				t.Fatal(err)
			}
			var sum, each inventory.Micros
			for _, g := range groups {
				sum += g.MonthToDate
			}
			for _, c := range costs {
				each += c.MonthToDate
			}
			if sum != total.MonthToDate || sum != each || total.MonthEnd < total.MonthToDate {
				t.Errorf("by %s: %s, in all %s, each %s, at the end %s", by, sum, total.MonthToDate, each, total.MonthEnd)
			}
		}
		bill, err := digitalocean.New(digitalocean.Options{
			BaseURL: cloud.URL, Account: "main", Purpose: digitalocean.Billing, Token: vault.NewSecret(cloud.Token), Transport: cloud.Client.Transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		if c, err := y.ComparePreview(t.Context(), "main", bill); err != nil || c.Unexplained() != 0 || c.Month != "2026-10" || len(c.Lines) < 3 {
			t.Errorf("beside the preview: %+v, %v; want nothing unexplained", c, err)
		}
		// Who looks later for the first time knows what was there already, and since when.
		late := newMonth(t, cloud)
		late.see()
		known, err := late.ResourceCosts(t.Context(), "main", "do:droplet:"+steady, at)
		if err != nil || len(known) != 1 || known[0].MonthToDate != ours["do:droplet:"+steady] {
			t.Errorf("as of before the first look it costs %+v, %v; want %s", known, err, ours["do:droplet:"+steady])
		}
		for _, c := range costs { // it is gone, and was in nyc3 none the less
			if c.URN == "do:droplet:"+short && (c.Region != "nyc3" || c.Resources != 0) {
				t.Errorf("the one that is gone: %+v", c)
			}
		}
	})
}

func seedThing(t *testing.T, cloud *dosimtest.Server, thing dosim.SeedThing) string {
	t.Helper()
	id, err := cloud.SeedThing(thing)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustInt(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("%q: %w", text, err))
	}
	return n
}

// TestBackupsBeforeTheFirstLook has backups switched on after a droplet was made and
// before anybody looked: the action says since when they cost.
func TestBackupsBeforeTheFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		time.Sleep(time.Until(began.Add(-48 * time.Hour)))
		cloud := dosimtest.Pipe(t, dosim.Options{Preset: "calm"})
		y := newMonth(t, cloud)
		answer := y.do("POST", "/v2/droplets", map[string]any{"name": "late", "region": "nyc3", "size": "s-2vcpu-4gb", "image": "ubuntu-24-04-x64"})
		id := number(answer["droplet"].(map[string]any)["id"])
		time.Sleep(time.Until(began.AddDate(0, 0, 10)))
		y.do("POST", "/v2/droplets/"+id+"/actions", map[string]any{"type": "enable_backups", "backup_policy": map[string]any{"plan": "daily", "hour": 4}})
		time.Sleep(72 * time.Hour)
		y.see()
		for _, tt := range []struct {
			day     int
			backups time.Duration
			monthly inventory.Micros
		}{{5, 0, 24_000_000}, {20, 240 * time.Hour, 31_200_000}} {
			costs, err := y.ResourceCosts(t.Context(), "main", "do:droplet:"+id, began.AddDate(0, 0, tt.day))
			if err != nil || len(costs) != 1 {
				t.Fatalf("%v, %v", costs, err)
			}
			want := inventory.CostOf(24_000_000, time.Duration(tt.day)*24*time.Hour) + inventory.CostOf(7_200_000, tt.backups)
			if got := costs[0]; max(got.MonthToDate-want, want-got.MonthToDate) > 10_000 || got.Monthly != tt.monthly {
				t.Errorf("on day %d it has cost %s at %s a month, want %s at %s", tt.day, got.MonthToDate, got.Monthly, want, tt.monthly)
			}
		}
	})
}

// TestCostsCountWhatASearchFinds compares the number of resources that cost with that
// of a search, as of now and as of before the first look, when nothing was known.
func TestCostsCountWhatASearchFinds(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		y.cloud.SeedDroplet(dosim.SeedDroplet{Name: "early"})
		time.Sleep(time.Hour)
		before := y.Now("")
		time.Sleep(time.Hour)
		y.sync()
		for _, tt := range []struct {
			at   time.Time
			some bool
		}{{before, false}, {time.Time{}, true}} {
			_, total, err := y.Costs(t.Context(), "", inventory.PerKind, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			found, err := y.Resources(t.Context(), inventory.Query{AsOf: tt.at}, inventory.Page{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if total.Resources != found.Total || total.Monthly != found.Cost.Monthly || tt.some != (found.Total > 0) {
				t.Errorf("as of %v %d resources cost %s a month, a search finds %d for %s", tt.at, total.Resources, total.Monthly, found.Total, found.Cost.Monthly)
			}
		}
	})
}
