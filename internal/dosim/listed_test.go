package dosim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func listedStories() []story {
	return []story{
		{"what is only listed", tellListed},
		{"clusters and their parts", tellClusters},
		{"autoscale pools, checks and registries", tellListedParts},
		{"creates and deletes of databases and clusters", tellManaged},
	}
}

// seedThing seeds a thing that must be right, and returns its id.
func seedThing(t testing.TB, s *dosimtest.Server, seed dosim.SeedThing) string {
	t.Helper()
	id, err := s.SeedThing(seed)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func tellListed(d driver) {
	for _, k := range []struct {
		kind, path, list, one, shown string
		data                         object
	}{
		{"database", "/v2/databases", "databases", "database", "name", object{"name": "orders", "engine": "mysql", "tags": []string{"prod"}, "region": "fra1"}},
		{"kubernetes_cluster", "/v2/kubernetes/clusters", "kubernetes_clusters", "kubernetes_cluster", "name", object{"name": "prod"}},
		{"nat_gateway", "/v2/vpc_nat_gateways", "vpc_nat_gateways", "vpc_nat_gateway", "size", object{"size": 2,
			"vpcs": []object{{"vpc_uuid": "0eb1752f-807b-4562-a077-8018e13ab1fb", "gateway_ip": "10.118.0.35", "default_gateway": true}}}},
		{"vpc_peering", "/v2/vpc_peerings", "vpc_peerings", "vpc_peering", "name", object{"name": "nyc-fra"}},
		{"cdn_endpoint", "/v2/cdn/endpoints", "endpoints", "endpoint", "origin", object{"origin": "site.nyc3.digitaloceanspaces.com"}},
		{"registry", "/v2/registries", "registries", "registry", "name", object{"name": "images"}},
		{"alert_policy", "/v2/monitoring/alerts", "policies", "policy", "description", object{"description": "disk is full"}},
		{"uptime_check", "/v2/uptime/checks", "checks", "check", "name", object{"name": "landing page"}},
		{"autoscale_pool", "/v2/droplets/autoscale", "autoscale_pools", "autoscale_pool", "name", object{"name": "burst"}},
		{"app", "/v2/apps", "apps", "app", "tier_slug", object{"tier_slug": "professional"}},
		{"functions_namespace", "/v2/functions/namespaces", "namespaces", "namespace", "label", object{"label": "jobs"}},
		{"agent", "/v2/gen-ai/agents", "agents", "agent", "name", object{"name": "helper"}},
		{"nfs", "/v2/nfs", "shares", "share", "size_gib", object{"size_gib": 100}},
		{"spaces_key", "/v2/spaces/keys", "keys", "key", "name", object{"name": "backup", "access_key": "DO00EXAMPLE"}},
	} {
		id := seedThing(d, d.s, dosim.SeedThing{Kind: k.kind, Data: k.data})
		query := map[string]string{"nfs": "?region=nyc2"}[k.kind]
		all := list(d.get(k.path+query), k.list)
		if len(all) != 1 || fmt.Sprint(at(all[0], k.shown)) != fmt.Sprint(k.data[k.shown]) {
			d.Errorf("%s lists %v, want what was seeded", k.path, all)
		}
		if got := fmt.Sprint(at(d.get(k.path+"/"+id+query).Body, k.one, k.shown)); got != fmt.Sprint(k.data[k.shown]) {
			d.Errorf("%s of the %s is %s, want %v", k.shown, k.kind, got, k.data[k.shown])
		}
		d.want(404, "GET", k.path+"/00000000-0000-4000-8000-000000000000", nil)
		if _, err := d.s.SeedThing(dosim.SeedThing{Kind: k.kind, Data: object{"nonsense": 1}}); err == nil {
			d.Errorf("a %s may have a key that none has", k.kind)
		}
	}
	d.get("/v2/registry")
	if n := len(list(d.get("/v2/databases?tag_name=prod"), "databases")); n != 1 {
		d.Errorf("%d databases have the tag, want 1", n)
	}
	if n := len(list(d.get("/v2/vpc_nat_gateways?region=fra1"), "vpc_nat_gateways")); n != 0 {
		d.Errorf("%d gateways are in fra1, want none", n)
	}
}

func tellListedParts(d driver) {
	droplet := d.s.SeedDroplet(dosim.SeedDroplet{})
	pool := "/v2/droplets/autoscale/" + seedThing(d, d.s, dosim.SeedThing{Kind: "autoscale_pool", Data: object{
		"name": "burst", "active_resources_count": 1, "members": []object{{
			"droplet_id": droplet, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "health_status": "healthy", "status": "active",
			"current_utilization": object{"memory": 0.3, "cpu": 0.1},
		}},
	}})
	if members := list(d.get(pool+"/members"), "droplets"); len(members) != 1 || at(members[0], "droplet_id") != float64(droplet) {
		d.Errorf("the pool's members are %v", members)
	}
	if events := list(d.get(pool+"/history"), "history"); len(events) != 1 {
		d.Errorf("the pool's history is %v", events)
	}
	if shown := at(d.get(pool).Body, "autoscale_pool", "members"); shown != nil {
		d.Errorf("the pool itself shows its members: %v", shown)
	}
	d.want(404, "GET", "/v2/droplets/autoscale/none/members", nil)
	d.want(404, "GET", "/v2/droplets/autoscale/none/history", nil)
	if n := len(list(d.get("/v2/droplets/autoscale?name=calm"), "autoscale_pools")); n != 0 {
		d.Errorf("%d pools have another's name", n)
	}

	id := seedThing(d, d.s, dosim.SeedThing{Kind: "uptime_check", Data: object{"state": object{"regions": object{"eu_west": object{"status": "DOWN"}}}}})
	check := "/v2/uptime/checks/" + id
	if state := d.get(check + "/state").Body; at(state, "state", "regions", "eu_west", "status") != "DOWN" || at(state, "state", "regions", "us_east", "status") != "UP" {
		d.Errorf("the state is %v, want eu_west down alone", state)
	}
	alert := seedThing(d, d.s, dosim.SeedThing{Kind: "uptime_alert", Parent: id, Data: object{"type": "ssl_expiry", "threshold": 14}})
	if all := list(d.get(check+"/alerts"), "alerts"); len(all) != 1 || at(all[0], "type") != "ssl_expiry" {
		d.Errorf("the check's alerts are %v", all)
	}
	if got := at(d.get(check+"/alerts/"+strings.TrimPrefix(alert, id+"/")).Body, "alert", "threshold"); got != 14.0 {
		d.Errorf("the alert's threshold is %v", got)
	}
	d.want(404, "GET", check+"/alerts/none", nil)
	d.want(404, "GET", "/v2/uptime/checks/none/alerts", nil)
	d.want(404, "GET", "/v2/uptime/checks/none/state", nil)

	d.want(404, "GET", "/v2/registry/subscription", nil)
	seedThing(d, d.s, dosim.SeedThing{Kind: "registry", Data: object{"name": "images", "storage_usage_bytes": 600 << 20}})
	for _, path := range []string{"/v2/registry", "/v2/registries"} {
		if got := at(d.get(path+"/subscription").Body, "subscription", "tier", "slug"); got != "basic" {
			d.Errorf("the subscription is %v", got)
		}
		tiers := list(exchange{Body: at(d.get(path+"/options").Body, "options").(object)}, "subscription_tiers")
		if len(tiers) != 3 || at(tiers[0], "eligible") != false || at(tiers[1], "eligible") != true {
			d.Errorf("the tiers are %v, want the first too small", tiers)
		}
	}
}

func tellClusters(d driver) {
	db := seedThing(d, d.s, dosim.SeedThing{Kind: "database", Data: object{"name": "orders"}})
	replica := seedThing(d, d.s, dosim.SeedThing{Kind: "database_replica", Parent: db, Data: object{"name": "read-1"}})
	if replica != db+"/read-1" {
		d.Errorf("the replica's id is %s", replica)
	}
	if n := len(list(d.get("/v2/databases/"+db+"/replicas"), "replicas")); n != 1 {
		d.Errorf("%d replicas, want 1", n)
	}
	if got := at(d.get("/v2/databases/"+db+"/replicas/read-1").Body, "replica", "name"); got != "read-1" {
		d.Errorf("the replica's name is %v", got)
	}
	d.want(404, "GET", "/v2/databases/none/replicas", nil)
	cluster := "/v2/kubernetes/clusters/" + seedThing(d, d.s, dosim.SeedThing{Kind: "kubernetes_cluster", Data: object{"node_pools": []object{{
		"id": "cdda885e-7663-40c8-bc74-3a036c66545d", "name": "workers", "size": "s-2vcpu-4gb", "count": 1, "tags": []string{"k8s"}, "labels": nil, "taints": []object{},
		"auto_scale": false, "min_nodes": 0, "max_nodes": 0, "nodes": []object{},
	}}}})
	if n := len(list(d.get(cluster+"/node_pools"), "node_pools")); n != 1 {
		d.Errorf("%d node pools, want 1", n)
	}
	d.get(cluster + "/node_pools/cdda885e-7663-40c8-bc74-3a036c66545d")
	d.want(404, "GET", cluster+"/node_pools/none", nil)

	vpc := text(at(list(d.get("/v2/vpcs"), "vpcs")[0], "id"))
	if n := len(list(d.get("/v2/vpcs/"+vpc+"/members"), "members")); n != 2 {
		d.Errorf("the VPC has %d members, want database and cluster", n)
	}
	seedThing(d, d.s, dosim.SeedThing{Kind: "vpc_peering", Data: object{"vpc_ids": []string{vpc, "997615ce-132d-4bae-9270-9ee21b395e5d"}}})
	if n := len(list(d.get("/v2/vpcs/"+vpc+"/peerings"), "peerings")); n != 1 {
		d.Errorf("the VPC has %d peerings, want 1", n)
	}
	seedThing(d, d.s, dosim.SeedThing{Kind: "registry", Data: object{"name": "one"}})
	seedThing(d, d.s, dosim.SeedThing{Kind: "registry", Data: object{"name": "two"}})
	d.want(412, "GET", "/v2/registry", nil)
}

// DigitalOcean's description: without database:view_credentials there are none.
func TestDatabasePasswordsNeedTheirScope(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		id := seedThing(t, s, dosim.SeedThing{Kind: "database", Data: object{"name": "orders"}})
		for _, scopes := range [][]string{{"database:read"}, {"database:read", "database:view_credentials"}} {
			token := s.CreateToken(dosim.TokenSpec{Scopes: scopes})
			e := doAs(t, s, token, "GET", "/v2/databases/"+id, nil)
			shows := strings.Contains(fmt.Sprint(e.Body), "planted-secret-")
			if shows != (len(scopes) == 2) || at(e.Body, "database", "connection", "host") == nil {
				t.Errorf("with %v the passwords show: %v", scopes, shows)
			}
		}
	})
}

func TestAppsTellTheirProjectOnlyWhenAsked(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		seedThing(t, s, dosim.SeedThing{Kind: "app"})
		for query, want := range map[string]bool{"": false, "?with_projects=true": true} {
			e := do(t, s, "GET", "/v2/apps"+query, nil)
			if got := at(e.Body, "apps", 0, "project_id"); (got != nil) != want {
				t.Errorf("%q: project_id = %v", query, got)
			}
		}
	})
}

// DigitalOcean's documentation: 5 requests per 10 seconds for all about CDN endpoints.
func TestCDNEndpointsHaveALimitOfTheirOwn(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		path := "/v2/cdn/endpoints/" + seedThing(t, s, dosim.SeedThing{Kind: "cdn_endpoint"})
		for range 3 {
			wantStatus(t, "GET", do(t, s, "GET", path, nil), 200)
		}
		for range 2 {
			wantStatus(t, "list", do(t, s, "GET", "/v2/cdn/endpoints", nil), 200)
		}
		wantStatus(t, "the sixth", do(t, s, "GET", path, nil), 429)
		time.Sleep(10 * time.Second)
		wantStatus(t, "after the window", do(t, s, "GET", path, nil), 200)
	})
}

func TestSeedsAreChecked(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		id := seedThing(t, s, dosim.SeedThing{Kind: "database", Data: object{"name": "orders"}})
		for what, seed := range map[string]dosim.SeedThing{
			"of no such kind": {Kind: "teapot"}, "that requests make": {Kind: "droplet"}, "without its parent": {Kind: "database_replica"},
			"with a number for a name": {Kind: "database", Data: object{"name": 1}}, "with a wrong inner key": {Kind: "database", Data: object{"connection": object{"pass": ""}}},
			"there already": {Kind: "database", Data: object{"id": id}}, "in a strange region": {Kind: "database", Data: object{"private_network_uuid": "none"}},
			"of the future": {Kind: "app", CreatedAt: time.Now().Add(time.Hour)}, "in no project": {Kind: "app", Data: object{"project_id": "none"}},
		} {
			if _, err := s.SeedThing(seed); err == nil {
				t.Errorf("a thing %s was seeded", what)
			}
		}
		if err := s.Import(s.Export()); err != nil {
			t.Errorf("what was exported is refused: %v", err)
		}
		wantStatus(t, "GET after an import", do(t, s, "GET", "/v2/databases/"+id, nil), 200)
	})
}

func TestScenariosSeedWhatNoRequestMakes(t *testing.T) {
	sc, err := dosim.ReadScenario([]byte(`
steps:
  - {seed: database, ago: 48h, body: {name: "db-{n}"}, count: 2, save: {db: id}}
  - {seed: database_replica, parent: "{db}", count: 2}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, with(nil))
	if err := s.Play(sc); err != nil {
		t.Fatal(err)
	}
	databases := list(do(t, s, "GET", "/v2/databases", nil), "databases")
	if len(databases) != 2 || at(databases[1], "name") != "db-2" || len(s.Truth("database_replica")) != 2 {
		t.Errorf("the scenario made %d databases and %d replicas", len(databases), len(s.Truth("database_replica")))
	}
	if _, err := dosim.ReadScenario([]byte(`steps: [{seed: teapot}]`)); err == nil {
		t.Error("a scenario may seed a teapot")
	}
}
