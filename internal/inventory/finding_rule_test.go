package inventory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

var sceneNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// sceneOf is an account with resources, each as "kind id monthly document"; everything
// is a tenant's and a month old, and every kind is listed.
func sceneOf(t *testing.T, resources ...string) scene {
	t.Helper()
	s := scene{account: "main", at: sceneNow, listed: map[string]bool{}, index: map[string]int{}, guarded: map[string]bool{}, guards: map[string][]string{}}
	for _, k := range kinds {
		s.listed[k.Name] = true
	}
	for _, text := range resources {
		var kind, id string
		var monthly int64
		head, doc, _ := strings.Cut(text, "{")
		if _, err := fmt.Sscan(head, &kind, &id, &monthly); err != nil {
			t.Fatal(err)
		}
		d, err := ParseDoc([]byte("{" + doc))
		if err != nil {
			t.Fatal(err)
		}
		k := KindNamed(kind)
		o := object{urn: k.URN("main", id), id: id, kind: k, doc: d, monthly: Micros(monthly), priced: true, owned: true, tenant: true, born: sceneNow.AddDate(0, -1, 0)}
		s.index[o.urn] = len(s.objects)
		s.objects = append(s.objects, o)
		if kind == "droplet" {
			s.guarded[o.urn] = true
			s.guards["do:firewall:f"] = append(s.guards["do:firewall:f"], o.urn)
		}
	}
	return s
}

const (
	backedUp = `droplet 1 6000000 {"features":["backups"]}`
	plain    = `droplet 1 6000000 {"features":[]}`
)

func TestWhatIsWorthALook(t *testing.T) {
	first := func(change func(*object)) func(*scene) { return func(s *scene) { change(&s.objects[0]) } }
	wall := func(rule string) string { return `firewall f 0 {"inbound_rules":[` + rule + `]}` }
	for _, tt := range []struct {
		name      string
		resources []string
		change    func(*scene)
		want      string // rules and URNs
	}{
		{"nothing", []string{backedUp}, nil, ""},
		{"nobody's", []string{backedUp}, first(func(o *object) { o.owned, o.tenant = false, false }), "unattributed 1"},
		{"nobody's on purpose", []string{backedUp}, first(func(o *object) { o.tenant = false }), ""},
		{"nobody's and free", []string{`ssh_key 1 0 {}`}, first(func(o *object) { o.owned = false }), ""},
		{"without a price", []string{backedUp}, first(func(o *object) { o.priced, o.monthly = false, 0 }), "unpriced 1"},
		{"a volume at work", []string{`volume v 10 {"droplet_ids":[1]}`}, nil, ""},
		{"an idle volume", []string{`volume v 10 {"droplet_ids":[]}`}, nil, "unattached_volume v"},
		{"an idle address", []string{`reserved_ip 192.0.2.1 10 {"droplet":null}`}, nil, "unassigned_ip 192.0.2.1"},
		{"an address at work", []string{`reserved_ip 192.0.2.1 0 {"droplet":{"id":1}}`}, nil, ""},
		{"a snapshot of what there is", []string{`snapshot s 10 {"resource_type":"droplet","resource_id":"1"}`, backedUp}, nil, ""},
		{"an old one", []string{`snapshot s 10 {"resource_type":"droplet","resource_id":"1"}`, backedUp}, first(func(o *object) { o.born = sceneNow.AddDate(0, 0, -91) }), "old_snapshot s"},
		{"of what is gone", []string{`snapshot s 10 {"resource_type":"volume","resource_id":"v"}`}, nil, "orphan_snapshot s"},
		{"of what was never listed", []string{`snapshot s 10 {"resource_type":"volume","resource_id":"v"}`}, func(s *scene) { s.listed["volume"] = false }, ""},
		{"off for a week", []string{backedUp}, first(func(o *object) { o.offSince = sceneNow.AddDate(0, 0, -7) }), "droplet_off 1"},
		{"off for a day", []string{backedUp}, first(func(o *object) { o.offSince = sceneNow.AddDate(0, 0, -1) }), ""},
		{"a certificate for long", []string{`certificate c 0 {"not_after":"2027-01-01T00:00:00Z"}`}, nil, ""},
		{"for a week", []string{`certificate c 0 {"not_after":"2026-11-27T00:00:00Z"}`}, nil, "certificate_expires c"},
		{"no backup", []string{plain}, nil, "no_backup 1"},
		{"a fresh snapshot", []string{plain, `snapshot s 1 {"resource_type":"droplet","resource_id":"1"}`}, func(s *scene) { s.objects[1].born = sceneNow.AddDate(0, 0, -6) }, ""},
		{"a stale snapshot", []string{plain, `snapshot s 1 {"resource_type":"droplet","resource_id":"1"}`}, func(s *scene) { s.objects[1].born = sceneNow.AddDate(0, 0, -8) }, "no_backup 1"},
		{"no backup of nobody's", []string{plain}, first(func(o *object) { o.tenant = false }), ""},
		{"no backup of what is new", []string{plain}, first(func(o *object) { o.born = sceneNow.Add(-time.Hour) }), ""},
		{"no backup of a node", []string{`droplet 1 6 {"tags":["k8s","k8s:c"]}`}, nil, ""},
		{"no backup known", []string{plain}, func(s *scene) { s.listed["snapshot"] = false }, ""},
		{"no firewall", []string{backedUp}, func(s *scene) { s.guarded = nil }, "no_firewall 1"},
		{"no firewall known", []string{backedUp}, func(s *scene) { s.guarded, s.listed["firewall"] = nil, false }, ""},
		{"SSH to the world", []string{backedUp, wall(`{"protocol":"tcp","ports":"22","sources":{"addresses":["0.0.0.0/0"]}}`)}, nil, "firewall_open f"},
		{"a range with a database", []string{backedUp, wall(`{"protocol":"tcp","ports":"5000-6000","sources":{"addresses":["::/0"]}}`)}, nil, "firewall_open f"},
		{"everything", []string{backedUp, wall(`{"protocol":"tcp","ports":"0","sources":{"addresses":["::/0"]}}`)}, nil, "firewall_open f"},
		{"SSH to one", []string{backedUp, wall(`{"protocol":"tcp","ports":"22","sources":{"addresses":["192.0.2.1"]}}`)}, nil, ""},
		{"the web to the world", []string{backedUp, wall(`{"protocol":"tcp","ports":"443","sources":{"addresses":["0.0.0.0/0"]}}`)}, nil, ""},
		{"a firewall of nothing", []string{wall(`{"protocol":"tcp","ports":"22","sources":{"addresses":["0.0.0.0/0"]}}`)}, nil, ""},
		{"a quota", []string{backedUp}, func(s *scene) { s.limits.Droplets = 1 }, "quota "},
		{"a quota with room", []string{backedUp}, func(s *scene) { s.limits.Droplets = 2 }, ""},
		{"two quotas", []string{backedUp, `volume v 1 {"droplet_ids":[1]}`}, func(s *scene) { s.limits = digitalocean.Limits{Droplets: 1, Volumes: 1} }, "quota , quota "},
		{"a token for a week", nil, func(s *scene) {
			s.tokens = []access.Token{{Account: "main", Purpose: "billing", ExpiresAt: sceneNow.AddDate(0, 0, 7)}}
		}, "token_expires "},
		{"tokens for long", nil, func(s *scene) {
			s.tokens = []access.Token{{Account: "main"}, {Account: "main", ExpiresAt: sceneNow.AddDate(0, 0, 15)}, {Account: "other", ExpiresAt: sceneNow}}
		}, ""},
		{"a contradiction", []string{backedUp}, func(s *scene) { s.against = []Verdict{{URN: "do:droplet:1", AgainstWhy: "Its tag says so."}} }, "contradiction 1"},
		{"the dearest first", []string{`volume a 10 {}`, `volume b 30 {}`, `volume c 20 {}`}, nil, "unattached_volume b, unattached_volume c, unattached_volume a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sceneOf(t, tt.resources...)
			if tt.change != nil {
				tt.change(&s)
			}
			var got []string
			ids := map[string]bool{}
			for _, f := range s.findings() {
				if ids[f.ID] {
					t.Errorf("two findings have the id of %q", f.Says)
				}
				ids[f.ID] = true
				got = append(got, string(f.Rule)+" "+f.URN[strings.LastIndex(f.URN, ":")+1:])
				if f.Says == "" || f.Mend == "" || !strings.HasSuffix(f.Says, ".") || strings.Contains(f.Says+f.Mend, "%!") || f.Account != "main" {
					t.Errorf("it says %q and %q", f.Says, f.Mend)
				}
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("found %q, want %q", strings.Join(got, ", "), tt.want)
			}
		})
	}
}

// A mute holds on to the id: it must be the same for the same, and no other's.
func TestAFindingHasOneID(t *testing.T) {
	seen := map[string]string{}
	for _, rule := range FindingRules() {
		for _, account := range []string{"main", "other"} {
			for _, urn := range []string{"", "do:droplet:1", "do:droplet:11"} {
				id, what := findingID(rule, account, urn), fmt.Sprint(rule, account, urn)
				if other, taken := seen[id]; taken || id != findingID(rule, account, urn) {
					t.Errorf("%s has the id of %s", what, other)
				}
				seen[id] = what
			}
		}
	}
}
