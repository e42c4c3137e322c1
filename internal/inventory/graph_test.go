package inventory_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// everything is a cloud with one of every kind, at a time that stands still.
func everything(t *testing.T) *dosimtest.Server {
	t.Helper()
	text, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	scenario, err := dosim.ReadScenario(text)
	if err != nil {
		t.Fatal(err)
	}
	clock := dosim.NewClock(dosim.Stepped)
	clock.Set(time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC))
	cloud := dosimtest.Start(t, dosim.Options{Clock: clock})
	if err := cloud.Play(scenario); err != nil {
		t.Fatal(err)
	}
	return cloud
}

// named is the URN of what has a kind and a name.
func (y *yard) named(kind, name string) (urn string) {
	y.t.Helper()
	err := y.db.Read().QueryRowContext(y.t.Context(), `SELECT urn FROM inv_versions WHERE kind = $1 AND name = $2 AND until IS NULL`, kind, name).Scan(&urn)
	if err != nil {
		y.t.Fatalf("the %s %s: %v", kind, name, err)
	}
	return urn
}

// only is the name of the only one of a kind.
func (y *yard) only(kind string) (name string) {
	y.t.Helper()
	err := y.db.Read().QueryRowContext(y.t.Context(), `SELECT name FROM inv_versions WHERE kind = $1 AND until IS NULL`, kind).Scan(&name)
	if err != nil {
		y.t.Fatalf("the only %s: %v", kind, err)
	}
	return name
}

// relations are a resource's, in words.
func (y *yard) relations(urn string, at time.Time) (told []string) {
	y.t.Helper()
	all, err := y.Relations(y.t.Context(), urn, at)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range all {
		way := "is what is"
		if r.Out {
			way = "is"
		}
		told = append(told, fmt.Sprintf("%s %s %s %s", way, r.Type, r.Other.Kind, r.Other.Name))
	}
	return told
}

func (y *yard) wantRelations(urn string, at time.Time, want ...string) {
	y.t.Helper()
	if got := y.relations(urn, at); !slices.Equal(got, want) {
		y.t.Errorf("%s:\n  %s\nwant:\n  %s", urn, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestRelations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := everything(t)
		y := newYard(t, d, cloud)
		if r := y.sync(); r.State() != inventory.Complete {
			t.Fatalf("the sync is %s: %+v", r.State(), r)
		}
		web, brain, wall := y.named("droplet", "web"), y.named("droplet", "brain"), y.named("firewall", "by-tag")
		before := []string{
			"is member_of project acme",
			"is member_of vpc inner",
			"is what is attached_to reserved_ip 247.114.146.117",
			"is what is attached_to reserved_ipv6 " + y.only("reserved_ipv6"),
			"is what is attached_to volume data",
			"is what is protects backup_policy Droplet " + strings.TrimPrefix(web, "do:droplet:"),
			"is what is protects firewall wall",
			"is what is serves load_balancer front",
			"is what is serves load_balancer tagged",
			"is what is snapshot_of image web- 2026-11-01",
			"is what is snapshot_of image web- 2026-11-08",
			"is what is snapshot_of image web- 2026-11-15",
			"is what is snapshot_of image web- 2026-11-22",
			"is what is snapshot_of snapshot before",
			"is what is watches alert_policy busy",
		}
		y.wantRelations(web, time.Time{}, before...)
		y.wantRelations(web, cloud.Clock().Now(), before...)
		y.wantRelations(y.named("domain_record", "www.acme.example A"), time.Time{},
			"is depends_on domain acme.example", "is points_to reserved_ip 247.114.146.117",
			"is what is points_to domain_record blog.acme.example CNAME", "is what is watches uptime_check landing")
		y.wantRelations(wall, time.Time{}, "is protects droplet brain")
		then := cloud.Clock().Now()

		cloud.Clock().Advance(time.Hour)
		resource := map[string]any{"resources": []map[string]any{{"resource_id": strings.TrimPrefix(web, "do:droplet:"), "resource_type": "droplet"}}}
		y.do("POST", "/v2/tags/ml/resources", resource)
		cloud.Clock().Advance(time.Hour)
		y.sync("droplet")
		y.wantRelations(wall, time.Time{}, "is protects droplet brain", "is protects droplet web")
		y.wantRelations(wall, then, "is protects droplet brain")

		y.do("DELETE", "/v2/tags/ml/resources", resource)
		y.do("DELETE", "/v2/tags/ml/resources", map[string]any{"resources": []map[string]any{
			{"resource_id": strings.TrimPrefix(brain, "do:droplet:"), "resource_type": "droplet"}}})
		cloud.Clock().Advance(time.Hour)
		y.sync("droplet")
		y.wantRelations(wall, time.Time{})

		if _, err := y.Relations(t.Context(), "do:droplet:1", time.Time{}); !errors.Is(err, fault.NotFound) {
			t.Errorf("relations of what there never was: %v, want not found", err)
		}
		if _, err := y.Relations(t.Context(), web, then.Add(-24*time.Hour)); !errors.Is(err, fault.NotFound) {
			t.Errorf("relations before anything was seen: %v, want not found", err)
		}
	})
}

// What a resource said is not said any more when it is gone; what others say of
// it stays.
func TestWhatIsGoneSaysNothing(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		web := y.droplet("web")
		id := strings.TrimPrefix(web, "do:droplet:")
		made := y.do("POST", "/v2/firewalls", map[string]any{
			"name": "wall", "droplet_ids": []json.Number{json.Number(id)}, "inbound_rules": []map[string]any{{"protocol": "tcp", "ports": "22", "sources": map[string]any{"addresses": []string{"0.0.0.0/0"}}}},
		})
		wall, _ := made["firewall"].(map[string]any)
		y.do("POST", "/v2/droplets/"+id+"/actions", map[string]any{"type": "snapshot", "name": "last"})
		time.Sleep(5 * time.Minute)
		y.sync()
		y.wantRelations(web, time.Time{}, "is member_of project first-project", "is member_of vpc default-nyc3",
			"is what is protects backup_policy Droplet "+id, "is what is protects firewall wall", "is what is snapshot_of snapshot last")
		y.do("DELETE", fmt.Sprint("/v2/firewalls/", wall["id"]), nil)
		y.do("DELETE", "/v2/droplets/"+id, nil)
		y.settle()
		y.wantRelations(web, time.Time{}, "is what is snapshot_of snapshot last")
		y.wantRelations(y.named("snapshot", "last"), time.Time{}, "is snapshot_of droplet web")
		all, err := y.Relations(t.Context(), y.named("snapshot", "last"), time.Time{})
		if err != nil || !all[0].Other.Gone {
			t.Errorf("the snapshot's droplet is %+v, %v; want it gone", all, err)
		}
	})
}

func TestGraph(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		y := newYard(t, d, everything(t))
		y.sync()
		web := y.named("droplet", "web")
		for hops, want := range map[int]int{1: 16, 2: 22, 3: 22} {
			g, err := y.Graph(t.Context(), web, hops)
			if err != nil {
				t.Fatal(err)
			}
			if g.Center != web || g.Nodes[0].URN != web || len(g.Nodes) < want {
				t.Errorf("%d hops around web: %d nodes, the first %s; want at least %d", hops, len(g.Nodes), g.Nodes[0].Name, want)
			}
			in := map[string]bool{}
			for _, n := range g.Nodes {
				in[n.URN] = true
			}
			for _, e := range g.Edges {
				if !in[e.From] || !in[e.To] {
					t.Errorf("%d hops: the edge %+v leads out of the graph", hops, e)
				}
			}
			if len(in) != len(g.Nodes) || len(g.Nodes) > 60 {
				t.Errorf("%d hops: %d nodes, %d of them different", hops, len(g.Nodes), len(in))
			}
		}
		for _, hops := range []int{0, 4} {
			if _, err := y.Graph(t.Context(), web, hops); !errors.Is(err, fault.Invalid) {
				t.Errorf("%d hops: %v, want it refused", hops, err)
			}
		}
	})
}

// A network with many droplets is not what they have in common.
func TestAHubLeadsNoFurther(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		for i := range 100 {
			y.cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprint("d-", i)})
		}
		y.sync("vpc", "droplet")
		g, err := y.Graph(t.Context(), y.named("droplet", "d-0"), 3)
		if err != nil || len(g.Nodes) != 2 || g.Nodes[1].More != 99 {
			t.Errorf("around a droplet: %+v, %v; want it and its network, with 99 more", g.Nodes, err)
		}
		g, err = y.Graph(t.Context(), y.named("vpc", "default-nyc3"), 1)
		if err != nil || len(g.Nodes) != 60 || g.Nodes[0].More != 41 {
			t.Errorf("around the network: %d nodes, %+v, %v; want 60, and 41 more", len(g.Nodes), g.Nodes[0], err)
		}
	})
}

func TestDeletionOrder(t *testing.T) {
	y := newYard(t, dbtest.New(t), everything(t))
	y.sync()
	vpc, certificate, balancer, web := y.named("vpc", "inner"), y.named("certificate", "site"), y.named("load_balancer", "front"), y.named("droplet", "web")
	database, replica := y.named("database", "orders"), y.named("database_replica", "orders-ro")
	got, err := y.DeletionOrder(t.Context(), []string{vpc, certificate, database, web, balancer, replica, web})
	if want := []string{replica, database, web, balancer, vpc, certificate}; err != nil || !slices.Equal(got, want) {
		t.Errorf("the order is %q, %v; want %q", got, err, want)
	}
	if _, err := y.DeletionOrder(t.Context(), []string{vpc, "do:vpc:none"}); !errors.Is(err, fault.NotFound) {
		t.Errorf("an unknown network: %v, want not found", err)
	}
	// DigitalOcean has no circle; should it ever have one, it is told of.
	err = y.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO inv_edges (owner, source, type, target, "first") VALUES ($1, $2, 'depends_on', $1, true)`, web, vpc)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = y.DeletionOrder(t.Context(), []string{certificate, vpc, web})
	if !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), web) || !strings.Contains(fault.Message(err), vpc) || strings.Contains(fault.Message(err), certificate) {
		t.Errorf("a circle: %v; want the network and the droplet named, and nothing else", err)
	}
}
