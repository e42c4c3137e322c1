package inventory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// listed are the documents of a kind as the cloud shows them now, by URN.
func (y *yard) listed(k *inventory.Kind) map[string]map[string]any {
	y.t.Helper()
	docs := map[string]map[string]any{}
	for _, l := range k.Lists {
		query := "?per_page=200"
		for key, values := range l.Query {
			query += "&" + key + "=" + values[0]
		}
		items, _ := y.do("GET", l.Path+query, nil)[l.Key].([]any)
		for _, item := range items {
			doc, _ := item.(map[string]any)
			id := doc[k.ID]
			if n, ok := id.(float64); ok {
				id = fmt.Sprintf("%.0f", n)
			}
			docs[k.URN("main", fmt.Sprint(id))] = doc
		}
	}
	return docs
}

// What the inventory says of a time is what the cloud said at that time, however
// much has changed since.
func TestAsOfIsWhatWas(t *testing.T) {
	for seed := range uint64(3) {
		bubble(t, dosim.Options{Seed: seed}, func(t *testing.T, y *yard) {
			if err := y.cloud.SetPreset("calm"); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(seed, 1))
			type moment struct {
				at   time.Time
				docs map[string]map[string]any
			}
			var moments []moment
			watched := []*inventory.Kind{inventory.KindNamed("droplet"), inventory.KindNamed("volume"), inventory.KindNamed("domain")}
			var droplets []string
			for i := range 40 {
				switch n := r.IntN(8); {
				case n < 2 || len(droplets) == 0:
					made, _ := y.do("POST", "/v2/droplets", map[string]any{
						"name": fmt.Sprintf("d-%d", i), "region": "nyc3", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64",
					})["droplet"].(map[string]any)
					droplets = append(droplets, fmt.Sprintf("%.0f", made["id"]))
				case n < 5:
					of := droplets[r.IntN(len(droplets))]
					act := []map[string]any{{"type": "rename", "name": fmt.Sprintf("renamed-%d", i)}, {"type": "power_off"}, {"type": "power_on"}}[r.IntN(3)]
					y.send("POST", "/v2/droplets/"+of+"/actions", act) // some are refused
				case n < 6:
					y.do("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("v-%d", i), "region": "nyc3", "size_gigabytes": 10})
				case n < 7:
					y.do("POST", "/v2/domains", map[string]any{"name": fmt.Sprintf("d%d.example.com", i)})
				default:
					k := r.IntN(len(droplets))
					y.do("DELETE", "/v2/droplets/"+droplets[k], nil)
					droplets = slices.Delete(droplets, k, k+1)
				}
				time.Sleep(2 * time.Minute)
				y.sync("action", "droplet", "volume", "domain")
				m := moment{y.Now("main").Add(time.Second), map[string]map[string]any{}}
				for _, k := range watched {
					maps.Copy(m.docs, y.listed(k))
				}
				moments = append(moments, m)
				time.Sleep(2 * time.Second) // nothing happens at the moment itself
			}
			y.settle("action", "droplet", "volume", "domain")
			compared := 0
			for _, m := range moments {
				for urn, want := range m.docs {
					got, err := y.Resource(t.Context(), urn, m.at)
					if err != nil {
						t.Fatalf("%s as of %s: %v", urn, m.at, err)
					}
					var doc map[string]any
					if err := json.Unmarshal(got.Doc, &doc); err != nil {
						t.Fatal(err)
					}
					hush(inventory.KindNamed(got.Kind), doc)
					hush(inventory.KindNamed(got.Kind), want)
					if diff := cmp.Diff(want, doc); diff != "" {
						t.Fatalf("%s as of %s (- what the cloud said, + what the inventory says):\n%s", urn, m.at, diff)
					}
					compared++
				}
			}
			if compared < 150 {
				t.Errorf("%d documents compared: the test shows nothing", compared)
			}
		})
	}
}

// hush takes out what a kind calls noise.
func hush(k *inventory.Kind, doc map[string]any) {
	for _, path := range k.Ignore {
		at := any(doc)
		keys := strings.Split(path, ".")
		for _, key := range keys[:len(keys)-1] {
			object, _ := at.(map[string]any)
			at = object[key]
		}
		if object, ok := at.(map[string]any); ok {
			delete(object, keys[len(keys)-1])
		}
	}
}

// Trap 5: a token goes to its own account and to no other, whatever runs beside it.
func TestTokensStayApart(t *testing.T) {
	const accounts = 6
	cloud := dosimtest.Start(t)
	d := dbtest.New(t)
	clients := map[string]*digitalocean.Client{}
	names := []string{}
	for i := range accounts {
		name := fmt.Sprintf("team-%d", i)
		names = append(names, name)
		token := cloud.CreateToken(dosim.TokenSpec{Account: name})
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: cloud.URL, Account: name, Purpose: digitalocean.Inventory, Token: vault.NewSecret(token), Transport: cloud.Client.Transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		clients[name] = c
		y := &yard{t: t, cloud: &dosimtest.Server{Sim: cloud.Sim, URL: cloud.URL, Token: token, Client: cloud.Client}}
		for n := range 3 {
			y.do("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("%s-%d", name, n), "region": "nyc3", "size_gigabytes": 1})
			y.do("POST", "/v2/tags", map[string]any{"name": "web"}) // the same name in each account
		}
	}
	time.Sleep(3 * time.Second) // what is new takes its time to be listed
	engine, err := saga.New(d, saga.Options{})
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{t: t, cloud: cloud, db: d, Service: inventory.New(d, engine, inventory.Settings{
		Horizon:  horizon,
		Client:   func(_ context.Context, account string) (*digitalocean.Client, error) { return clients[account], nil },
		Accounts: func(context.Context) ([]string, error) { return names, nil },
	})}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- y.Serve(ctx) }()
	defer func() { stop(); <-over }()
	var syncing sync.WaitGroup
	for _, name := range names {
		syncing.Go(func() { y.syncAccount(name, "volume", "tag", "project") })
	}
	syncing.Wait()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT account, name FROM inv_versions WHERE kind = 'volume'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	volumes := 0
	for rows.Next() {
		var account, name string
		if err := rows.Scan(&account, &name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, account+"-") {
			t.Errorf("account %s has the volume %s", account, name)
		}
		volumes++
	}
	if err := rows.Err(); err != nil || volumes != 3*accounts || len(y.live("tag")) != accounts {
		t.Errorf("%d volumes and %d tags, want %d and %d, %v", volumes, len(y.live("tag")), 3*accounts, accounts, err)
	}
}

// Whatever is whose: what tenants cost and what nobody's costs is what the account
// costs, to the millionth, now and a while ago.
func TestCostsAddUp(t *testing.T) {
	for seed := range uint64(3) {
		bubble(t, dosim.Options{Seed: seed}, func(t *testing.T, y *yard) {
			r := rand.New(rand.NewPCG(seed, 3))
			tenants := tenant.New(y.db)
			for _, slug := range []string{"acme", "beta"} {
				if _, err := tenants.Add(t.Context(), tenant.Entry{Slug: slug, Name: slug}, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 30 {
				tags := [][]string{nil, {"tenant:acme"}, {"tenant:beta"}, {"tenant:gamma"}}[r.IntN(4)]
				if r.IntN(2) == 0 {
					y.do("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("v-%d", i), "region": "nyc3", "size_gigabytes": 1 + r.IntN(900), "tags": tags})
				} else {
					y.cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", i), Tags: tags})
				}
				time.Sleep(time.Duration(r.IntN(60)) * time.Minute)
				y.sync("action", "droplet", "volume")
			}
			for i, at := range []time.Time{y.Now("main"), time.Now().Add(-5 * time.Hour)} {
				all, whole, err := y.Costs(t.Context(), "main", inventory.PerAccount, at)
				if err != nil || len(all) != 1 || whole.MonthToDate == 0 || whole.Monthly == 0 || all[0].Cost != whole {
					t.Fatalf("the account costs %+v, %v", whole, err)
				}
				for _, by := range inventory.GroupBys() {
					groups, total, err := y.Costs(t.Context(), "", by, at)
					if err != nil {
						t.Fatal(err)
					}
					var sum inventory.Cost
					for _, g := range groups {
						sum.Monthly, sum.MonthToDate, sum.MonthEnd = sum.Monthly+g.Monthly, sum.MonthToDate+g.MonthToDate, sum.MonthEnd+g.MonthEnd
						sum.Resources, sum.Unpriced = sum.Resources+g.Resources, sum.Unpriced+g.Unpriced
					}
					if sum != total || total != whole {
						t.Errorf("by %s: groups %+v, total %+v, account %+v", by, sum, total, whole)
					}
					if by == inventory.PerTenant && i == 0 && (len(groups) != 3 || total.Unpriced != 0) {
						t.Errorf("groups by tenant: %+v, want two tenants and nobody", groups)
					}
				}
			}
		})
	}
}

// A list under one of several parents that fails leaves everything where it is, also
// what is under the others.
func TestAPartialListDeletesNothing(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		for _, name := range []string{"a.example.com", "b.example.com"} {
			y.do("POST", "/v2/domains", map[string]any{"name": name})
			time.Sleep(time.Minute)
			y.do("POST", "/v2/domains/"+name+"/records", map[string]any{"type": "A", "name": "www", "data": "192.0.2.1"})
		}
		time.Sleep(time.Minute)
		y.sync("domain", "domain_record")
		before := y.live("domain_record")
		fault := y.cloud.AddFault(dosim.Fault{Kind: dosim.ServerErrorBefore, Match: dosim.Match{Path: "/v2/domains/b.example.com/records", Method: "GET"}})
		records, _ := y.do("GET", "/v2/domains/a.example.com/records?type=A", nil)["domain_records"].([]any)
		record, _ := records[0].(map[string]any)
		y.do("DELETE", fmt.Sprintf("/v2/domains/a.example.com/records/%.0f", record["id"]), nil)
		for range 3 {
			time.Sleep(horizon + time.Minute)
			if r := y.sync("domain_record"); r.Kinds[0].State != inventory.Partial || r.State() == inventory.Complete {
				t.Errorf("the listing is %+v", r.Kinds[0])
			}
		}
		y.expect("records", y.live("domain_record"), before)
		if err := y.cloud.DeleteFault(fault); err != nil {
			t.Fatal(err)
		}
		y.settle("domain_record")
		y.expect("records", y.live("domain_record"), slices.DeleteFunc(before, func(urn string) bool {
			return urn == fmt.Sprintf("do:domain_record:%.0f", record["id"])
		}))
	})
}

// What changed is a hint to look at what hangs on it, and at nothing else: an account
// may have hundreds of domains.
func TestHintsAreNarrow(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
			y.do("POST", "/v2/domains", map[string]any{"name": name})
		}
		time.Sleep(time.Minute)
		y.sync()
		before := len(y.live("domain_record"))
		y.do("POST", "/v2/domains/b.example.com/records", map[string]any{"type": "A", "name": "www", "data": "192.0.2.1"})
		time.Sleep(time.Minute)
		web := y.droplet("web")
		r := y.sync("project", "droplet", "domain")
		asked := map[string]int{}
		for _, g := range r.Kinds {
			asked[g.Kind] = g.Requests
		}
		if asked["domain_record"] != 1 || asked["project_resource"] != 1 {
			t.Errorf("the requests were %v, want one for the records of the domain and one for the default project", asked)
		}
		if n := len(y.live("domain_record")); n != before+1 {
			t.Errorf("%d records, want %d", n, before+1)
		}
		relations, err := y.Relations(t.Context(), web, time.Time{})
		if err != nil || !slices.ContainsFunc(relations, func(r inventory.Relation) bool { return r.Other.Kind == "project" }) {
			t.Errorf("the new droplet's relations are %+v, %v, without its project", relations, err)
		}
	})
}
