package dosim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func aDatabase(name string) object {
	return object{"name": name, "engine": "mysql", "region": "fra1", "size": "db-s-2vcpu-4gb", "num_nodes": 2, "storage_size_mib": 61440, "tags": []string{"production"}}
}

func tellManaged(d driver) {
	change := func(key string, v any) object {
		body := aDatabase("other")
		body[key] = v
		return body
	}
	crud{
		path: "/v2/databases", key: "database", list: "databases", create: aDatabase("backend"),
		refused: []object{
			change("name", "No Name"), change("engine", "dbase"), change("region", "atlantis"), change("size", "s-1vcpu-1gb"), change("num_nodes", 0),
			change("storage_size_mib", -1), change("tags", []string{"a b"}), change("private_network_uuid", "none"), change("project_id", "none"),
			change("backup_restore", object{"database_name": "nothing"}),
		},
	}.tell(d)
	made := d.want(201, "POST", "/v2/databases", aDatabase("orders"))
	d.lag()
	d.want(422, "POST", "/v2/databases", aDatabase("orders"))
	fork := change("backup_restore", object{"database_name": "orders"})
	d.want(201, "POST", "/v2/databases", fork)
	db := "/v2/databases/" + text(at(made.Body, "database", "id"))
	if status, uri := at(made.Body, "database", "status"), fmt.Sprint(at(made.Body, "database", "connection", "uri")); status != "creating" || !strings.HasPrefix(uri, "mysql://doadmin:") {
		d.Errorf("a new database is %v at %s", status, uri)
	}
	seedThing(d, d.s, dosim.SeedThing{Kind: "database_replica", Parent: strings.TrimPrefix(db, "/v2/databases/"), Data: object{"name": "read-1"}})
	time.Sleep(5 * time.Minute)
	if status := at(d.get(db).Body, "database", "status"); status != "online" {
		d.Errorf("after five minutes the database is %v", status)
	}
	d.want(204, "DELETE", db, nil)
	if n := len(d.s.Truth("database_replica")); n != 0 {
		d.Errorf("%d replicas outlive their database", n)
	}

	cluster, left := aCluster(d, d.s)
	parts := d.get(cluster + "/destroy_with_associated_resources")
	for key := range left {
		if n := len(list(parts, key)); n != 1 {
			d.Errorf("the cluster has %d %s, want 1", n, key)
		}
	}
	d.want(400, "DELETE", cluster+"/destroy_with_associated_resources/selective", "{")
	d.want(204, "DELETE", cluster+"/destroy_with_associated_resources/selective", object{"volumes": []string{left["volumes"]}})
	d.want(404, "GET", "/v2/volumes/"+left["volumes"], nil)
	d.get("/v2/load_balancers/" + left["load_balancers"])
	cluster, left = aCluster(d, d.s)
	d.want(204, "DELETE", cluster+"/destroy_with_associated_resources/dangerous", nil)
	d.want(404, "GET", "/v2/load_balancers/"+left["load_balancers"], nil)
	plain, _ := aCluster(d, d.s)
	d.want(204, "DELETE", plain, nil)
	for _, method := range []string{"DELETE", "GET"} {
		d.want(404, method, cluster, nil)
		d.want(404, method, cluster+"/destroy_with_associated_resources"+map[string]string{"DELETE": "/dangerous"}[method], nil)
	}
}

// aCluster is the path of a cluster with a node, and the ids of what it has had made.
func aCluster(t testing.TB, s *dosimtest.Server) (path string, parts map[string]string) {
	t.Helper()
	id := seedThing(t, s, dosim.SeedThing{Kind: "kubernetes_cluster", Data: object{"name": "prod", "region": "fra1"}})
	tag, short := "k8s:"+id, id[:8]
	s.SeedDroplet(dosim.SeedDroplet{Name: "node-" + short, Region: "fra1", Tags: []string{"k8s", tag}})
	made := func(path, key string, body object) string {
		e := do(t, s, "POST", path, body)
		if e.Status >= 300 {
			t.Fatalf("POST %s: %d %v", path, e.Status, e.Body)
		}
		time.Sleep(time.Minute)
		return text(at(e.Body, key, "id"))
	}
	parts = map[string]string{
		"load_balancers": made("/v2/load_balancers", "load_balancer", object{
			"name": "lb-" + short, "region": "fra1", "tag": tag,
			"forwarding_rules": []object{{"entry_protocol": "tcp", "entry_port": 80, "target_protocol": "tcp", "target_port": 30080}},
		}),
		"volumes": made("/v2/volumes", "volume", object{"name": "pvc-" + short, "region": "fra1", "size_gigabytes": 10, "tags": []string{tag}}),
	}
	parts["volume_snapshots"] = made("/v2/volumes/"+parts["volumes"]+"/snapshots", "snapshot", object{"name": "shot-" + short})
	return "/v2/kubernetes/clusters/" + id, parts
}

// Quirk 5: digitalocean/terraform-provider-digitalocean#728, #361.
func TestQuirk05CreatedDatabaseIsNotFoundForAWhile(t *testing.T) {
	knob(t, "lag.get_after_create.database", "0s", "30s", func(t *testing.T, s *dosimtest.Server, on bool) {
		made := do(t, s, "POST", "/v2/databases", aDatabase("backend"))
		wantStatus(t, "create", made, 201)
		path := "/v2/databases/" + text(at(made.Body, "database", "id"))
		wantStatus(t, "GET at once", do(t, s, "GET", path, nil), map[bool]int{true: 404, false: 200}[on])
		time.Sleep(30 * time.Second)
		wantStatus(t, "GET after the lag", do(t, s, "GET", path, nil), 200)
	})
}

// Quirk 30: digitalocean/doctl#437, digitalocean/terraform-provider-digitalocean PR 1007.
func TestQuirk30DeletedClusterLeavesItsBalancersAndVolumes(t *testing.T) {
	for how, leaves := range map[string]int{"": 200, "/destroy_with_associated_resources/dangerous": 404} {
		inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
			cluster, parts := aCluster(t, s)
			wantStatus(t, "delete", do(t, s, "DELETE", cluster+how, nil), 204)
			time.Sleep(time.Minute)
			wantStatus(t, "the cluster", do(t, s, "GET", cluster, nil), 404)
			if n := len(s.Truth("droplet")); n != 0 {
				t.Errorf("%d nodes outlive the cluster", n)
			}
			for key, path := range map[string]string{"load_balancers": "/v2/load_balancers/", "volumes": "/v2/volumes/", "volume_snapshots": "/v2/snapshots/"} {
				wantStatus(t, "what belonged to a cluster that was deleted by "+how, do(t, s, "GET", path+parts[key], nil), leaves)
			}
		})
	}
}
