package dosim_test

import (
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

func TestScenarioMakesWhatItSays(t *testing.T) {
	sc, err := dosim.ReadScenario([]byte(`
preset: calm
params: {lag.tag: 3s}
values: {sizes: [s-1vcpu-1gb, s-1vcpu-2gb]}
tokens:
  - {token: dop_v1_reader, account: acme, scopes: ["droplet:read", "snapshot:read"]}
faults:
  - {kind: 5xx_before, match: {method: DELETE}}
steps:
  - count: 3
    ago: 48h
    over: 3h
    account: acme
    request: POST /v2/droplets
    body: {name: "web-{n}", region: nyc3, size: "{sizes}", image: ubuntu-24-04-x64, tags: ["shard:{n%2}"]}
    save: {webs: droplet.id}
  - count: 4
    ago: 24h
    account: acme
    request: POST /v2/droplets/{webs}/actions
    body: {type: snapshot, name: "of-{webs}"}
  - {request: "POST /v2/tags", account: acme, ago: 2h, body: {name: "{uuid}"}}
  - {request: "POST /v2/tags", account: acme, ago: 2h, body: {name: "{text webs}"}}
  - {request: "DELETE /v2/droplets/{webs}", account: acme, ago: 1h}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, dosim.Options{Clock: dosim.NewClock(dosim.Stepped)})
	err = s.Play(sc)
	if !errors.Is(err, fault.Unprocessable) || !strings.Contains(err.Error(), "Step 2 (POST /v2/droplets/{webs}/actions), time 4") || !s.Empty() {
		t.Errorf("the first droplet's second snapshot at once: %v; want it refused, and the cloud empty", err)
	}
	kept := start(t, dosim.Options{Clock: dosim.NewClock(dosim.Stepped), Data: filepath.Join(t.TempDir(), "cloud")})
	sc.Preset, sc.Params, sc.Tokens = "stormy", map[string]string{"limit.droplets": "9"}, []dosim.ScenarioToken{{Token: "dop_v1_known"}}
	if err := kept.Play(sc); !errors.Is(err, fault.Unprocessable) || kept.Preset() != "" || kept.ParamValues()["limit.droplets"] != "100000" || len(kept.Tokens()) != 0 {
		t.Errorf("refused where data is kept: %v, preset %q, limit %s, tokens %v", err, kept.Preset(), kept.ParamValues()["limit.droplets"], kept.Tokens())
	}
	sc.Preset, sc.Params, sc.Tokens = "", nil, nil
	sc.Steps[1].Count = 2
	if err := s.Play(sc); err != nil {
		t.Fatal(err)
	}
	if err := s.Play(sc); !errors.Is(err, fault.Conflict) {
		t.Errorf("played once more: %v, want a conflict", err)
	}
	left := list(doAs(t, s, "dop_v1_reader", "GET", "/v2/droplets", nil), "droplets")
	if len(left) != 2 || at(left[0], "name") != "web-2" || at(left[0], "status") != "active" || at(left[0], "tags", 0) != "shard:0" {
		t.Errorf("droplets: %v, want web-2 and web-3", left)
	}
	if at(left[0], "size_slug") != "s-1vcpu-2gb" || at(left[1], "size_slug") != "s-1vcpu-1gb" {
		t.Errorf("the sizes are %v and %v, want the second and again the first", at(left[0], "size_slug"), at(left[1], "size_slug"))
	}
	if got, want := at(left[0], "created_at"), s.Clock().Now().Add(-47*time.Hour).Format(time.RFC3339); got != want {
		t.Errorf("created at %v, want %s", got, want)
	}
	shots := list(doAs(t, s, "dop_v1_reader", "GET", "/v2/snapshots", nil), "snapshots")
	if len(shots) != 2 || at(shots[1], "name") != "of-"+text(at(left[0], "id")) {
		t.Errorf("snapshots: %v, want two, the second of web-2", shots)
	}
	var tags []string
	for _, tag := range s.Truth("tag") {
		tags = append(tags, tag.Name)
	}
	if len(tags) != 4 || len(tags[2]) != 36 || !strings.HasPrefix(tags[3], "4") {
		t.Errorf("tags: %q, want two shards, a UUID and the number of a droplet", tags)
	}
	wantStatus(t, "DELETE under the fault", do(t, s, "DELETE", "/v2/droplets/1", nil), 503)
	if got := s.ParamValues()["lag.tag"]; got != "3s" || s.Preset() != "calm" {
		t.Errorf("lag.tag is %s under %q", got, s.Preset())
	}
}

func TestScenariosThatCannotBe(t *testing.T) {
	for text, says := range map[string]string{
		"steps: [{request: DELETE}]":                                                              "step 1",
		"steps: [{request: GET /v2/sizes, ago: soon}]":                                            "soon",
		"steps: [{request: GET /v2/sizes}, {request: GET /v2/sizes, ago: 1h}]":                    "Step 2 comes before",
		"steps: [{request: GET /v2/sizes, count: -1}]":                                            "-1 times",
		"tokens: [{token: secret}]":                                                               "dop_v1_",
		"steps: [{request: GET /v2/sizes, ago: 1h, over: 2h}]":                                    "beyond now",
		"steps: [{request: GET /v2/sizes, ago: 2h, over: 2h}, {request: GET /v2/sizes, ago: 1h}]": "Step 2 comes before",
		"values: {n: [1]}":    `"n"`,
		"values: {empty: []}": `"empty"`,
		"weather: fine":       "weather",
		"preset: [":           "no scenario",
	} {
		if _, err := dosim.ReadScenario([]byte(text)); !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), says) {
			t.Errorf("%s: %v, want it refused with %q", text, err, says)
		}
	}
	for text, says := range map[string]string{
		"preset: mild": "mild", "params: {x: 1s}": "\"x\"", "faults: [{kind: gremlin}]": "gremlin",
		"steps: [{request: \"GET /v2/droplets/{x}\"}]":                "{x}",
		"steps: [{request: GET /v2/droplets, save: {x: droplet.id}}]": "no droplet.id",
		"steps: [{request: GET /v2/nothing}]":                         "404",
		"steps: [{request: GET /v2/sizes, account: No Such Name}]":    "account",
		"tokens: [{token: dop_v1_x, scopes: [\"droplet:fly\"]}]":      "droplet:fly",
	} {
		sc, err := dosim.ReadScenario([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		s := dosim.New(dosim.Options{})
		if err := s.Play(sc); !errors.Is(err, fault.Unprocessable) || !strings.Contains(err.Error(), says) || !s.Empty() {
			t.Errorf("%s: %v, want it refused with %q, and the cloud empty", text, err, says)
		}
	}
	if _, err := dosim.NamedScenario("atlantis"); !errors.Is(err, fault.Unprocessable) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestFleetOfAThousand(t *testing.T) {
	sc, err := dosim.NamedScenario("fleet-1000")
	if err != nil {
		t.Fatal(err)
	}
	clock := dosim.NewClock(dosim.Stepped)
	clock.Set(time.Date(2060, 1, 7, 12, 0, 0, 0, time.UTC)) // a Wednesday: how many backups there are depends on it
	s := start(t, dosim.Options{Clock: clock})
	began := time.Now()
	if err := s.Play(sc); err != nil {
		t.Fatal(err)
	}
	t.Logf("played in %s", time.Since(began))
	kinds, droplets, others := map[string]int{}, map[string]int{}, 0
	attached, assigned, projects := map[bool]int{}, map[bool]int{}, map[any]int{}
	for _, i := range s.Truth("") {
		kinds[i.Kind]++
		var shown map[string]any
		if err := json.Unmarshal(i.Data, &shown); err != nil {
			t.Fatal(err)
		}
		switch i.Kind {
		case "droplet":
			droplets[text(shown["status"])]++
			if shown["gpu_info"] != nil {
				droplets["gpu"]++
			}
			if !strings.Contains(string(i.Data), `"tenant:`) {
				droplets["nobody's"]++
			}
		case "volume":
			attached[len(list(exchange{Body: shown}, "droplet_ids")) > 0]++
		case "reserved_ip":
			assigned[shown["droplet"] != nil]++
			projects[shown["project_id"]]++
		}
		if i.Kind != "droplet" && i.Kind != "action" {
			others++
		}
	}
	delete(kinds, "action")
	if want := map[string]int{
		"droplet": 1000, "snapshot": 4210, "domain_record": 2200, "volume_snapshot": 1200, "volume": 413, "reserved_ip": 260, "tag": 219,
		"firewall": 205, "project": 201, "domain": 200, "uptime_check": 200, "certificate": 120, "load_balancer": 102, "database": 80,
		"ssh_key": 70, "alert_policy": 40, "cdn_endpoint": 40, "app": 30, "database_replica": 30, "vpc": 27, "spaces_key": 25, "image": 20,
		"functions_namespace": 15, "nfs": 12, "kubernetes_cluster": 10, "agent": 8, "nat_gateway": 6, "vpc_peering": 5, "registry": 1,
		"reserved_ipv6": 25, "uptime_alert": 20, "autoscale_pool": 6,
	}; !maps.Equal(kinds, want) || others != 10_000 {
		t.Errorf("%d others than droplets: %v, want 10,000: %v", others, kinds, want)
	}
	for _, list := range []string{ // each answer is held against the description
		"droplets?type=gpus&", "volumes?", "snapshots?", "reserved_ips?", "reserved_ipv6?", "load_balancers?", "certificates?", "databases?", "kubernetes/clusters?",
		"droplets/autoscale?", "vpc_nat_gateways?", "vpc_peerings?", "nfs?region=nyc2&", "uptime/checks?", "monitoring/alerts?", "firewalls?", "apps?", "images?private=true&",
	} {
		if e := do(t, s, "GET", "/v2/"+list+"per_page=20", nil); e.Status != 200 {
			t.Errorf("%s is answered %d", list, e.Status)
		}
	}
	if want := map[string]int{"active": 957, "off": 43, "gpu": 10, "nobody's": 44}; !maps.Equal(droplets, want) {
		t.Errorf("droplets: %v, want %v", droplets, want)
	}
	if attached[true] != 300 || assigned[true] != 200 || len(projects) != 201 {
		t.Errorf("%d volumes are attached and %d addresses assigned, in %d projects; want 300, 200 and 201", attached[true], assigned[true], len(projects))
	}
}
