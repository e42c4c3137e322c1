package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func ssh() object {
	return object{"protocol": "tcp", "ports": "22", "sources": object{"addresses": []string{"0.0.0.0/0", "::/0"}}}
}

func web() object {
	return object{"protocol": "tcp", "ports": "8000-9000", "sources": object{"addresses": []string{"192.0.2.1"}}}
}

func everywhere() object {
	return object{"protocol": "icmp", "destinations": object{"addresses": []string{"0.0.0.0/0"}}}
}

func tellFirewalls(d driver) {
	droplet := d.s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
	other := d.s.SeedDroplet(dosim.SeedDroplet{})
	crud{
		path: "/v2/firewalls", key: "firewall", list: "firewalls", status: 202,
		create: object{"name": "one", "inbound_rules": []object{ssh()}, "outbound_rules": []object{everywhere()}, "droplet_ids": []int64{droplet}},
		update: object{"name": "two", "inbound_rules": []object{web()}},
		refused: []object{
			{"name": "a_b", "inbound_rules": []object{ssh()}}, {"inbound_rules": []object{ssh()}}, {"name": "a"},
			{"name": "a", "inbound_rules": []object{ssh()}, "droplet_ids": []int64{1}},
			{"name": "a", "inbound_rules": []object{ssh()}, "tags": []string{"nobody-has-it"}}, // poseidon/typhoon#709
			{"name": "a", "inbound_rules": []object{everywhere()}}, {"name": "a", "outbound_rules": []object{ssh()}},
			{"name": "a", "inbound_rules": []object{{"protocol": "gre", "ports": "1", "sources": object{"tags": []string{"web"}}}}},
			{"name": "a", "inbound_rules": []object{{"protocol": "tcp", "ports": "9-1", "sources": object{"tags": []string{"web"}}}}},
			{"name": "a", "inbound_rules": []object{{"protocol": "tcp", "ports": "1", "sources": object{"tags": []string{"nobody-has-it"}}}}},
			{"name": "a", "inbound_rules": []object{{"protocol": "tcp", "ports": "1", "sources": object{"addresses": []string{"home"}}}}},
			{"name": "a", "inbound_rules": []object{{"protocol": "tcp", "ports": "1", "sources": object{}}}},
		},
	}.tell(d)

	made := d.want(202, "POST", "/v2/firewalls", object{"name": "three", "inbound_rules": []object{ssh()}, "tags": []string{"web"}})
	d.want(409, "POST", "/v2/firewalls", object{"name": "three", "inbound_rules": []object{ssh()}})
	d.lag()
	f := "/v2/firewalls/" + text(at(made.Body, "firewall", "id"))
	show := func(key string) string { return fmt.Sprint(at(d.get(f).Body, "firewall", key)) }
	for _, step := range []struct {
		method, path string
		body         object
		key, want    string
	}{
		{"POST", "/droplets", object{"droplet_ids": []int64{other}}, "droplet_ids", fmt.Sprintf("[%v]", float64(other))},
		{"DELETE", "/droplets", object{"droplet_ids": []int64{other}}, "droplet_ids", "[]"},
		{"DELETE", "/tags", object{"tags": []string{"web"}}, "tags", "[]"},
		{"POST", "/tags", object{"tags": []string{"web"}}, "tags", "[web]"},
		{"POST", "/rules", object{"inbound_rules": []object{web(), ssh()}}, "inbound_rules", "[map[ports:22 protocol:tcp sources:map[addresses:[0.0.0.0/0 ::/0]]] " +
			"map[ports:8000-9000 protocol:tcp sources:map[addresses:[192.0.2.1]]]]"},
		{"DELETE", "/rules", object{"inbound_rules": []object{ssh()}}, "inbound_rules", "[map[ports:8000-9000 protocol:tcp sources:map[addresses:[192.0.2.1]]]]"},
		{"POST", "/rules", object{"outbound_rules": []object{everywhere()}}, "outbound_rules", "[map[destinations:map[addresses:[0.0.0.0/0]] ports:0 protocol:icmp]]"},
	} {
		d.want(204, step.method, f+step.path, step.body)
		if got := show(step.key); got != step.want {
			d.Errorf("%s after %s %s is %s, want %s", step.key, step.method, step.path, got, step.want)
		}
		d.want(422, step.method, f+step.path, object{})
	}
	if n := len(list(d.get(fmt.Sprintf("/v2/droplets/%d/firewalls", droplet)), "firewalls")); n != 1 {
		d.Errorf("%d firewalls cover the droplet by its tag, want 1", n)
	}
	if n := len(list(d.get(fmt.Sprintf("/v2/droplets/%d/firewalls", other)), "firewalls")); n != 0 {
		d.Errorf("%d firewalls cover a droplet without the tag", n)
	}
	d.want(422, "DELETE", f+"/rules", object{"inbound_rules": []object{web()}, "outbound_rules": []object{everywhere()}})
	d.want(404, "GET", "/v2/droplets/1/firewalls", nil)
	d.want(400, "POST", f+"/rules", "{")
}

// Quirk 29: digitalocean/godo#161. A tag that a droplet is made with reaches the
// firewall late; until then the firewall claims that all is well.
func TestQuirk29TagsReachFirewallsLate(t *testing.T) {
	knob(t, "lag.tag", "0s", "20s", func(t *testing.T, s *dosimtest.Server, on bool) {
		if err := s.SetParams(map[string]string{"firewall.apply": "5s"}); err != nil {
			t.Fatal(err)
		}
		do(t, s, "POST", "/v2/tags", object{"name": "web"})
		time.Sleep(time.Minute)
		made := do(t, s, "POST", "/v2/firewalls", object{"name": "one", "inbound_rules": []object{ssh()}, "tags": []string{"web"}})
		path := "/v2/firewalls/" + text(at(made.Body, "firewall", "id"))
		time.Sleep(time.Minute)
		create := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": []string{"web"}})
		droplet := idOf(create, "droplet", "id")
		covered := func() (pending, covering int, status any) {
			f := do(t, s, "GET", path, nil)
			changes, _ := at(f.Body, "firewall", "pending_changes").([]any)
			return len(changes), len(list(do(t, s, "GET", "/v2/droplets/"+droplet+"/firewalls", nil), "firewalls")), at(f.Body, "firewall", "status")
		}
		if pending, covering, status := covered(); on && (pending != 0 || covering != 0 || status != "succeeded") || !on && (pending != 1 || status != "waiting") {
			t.Errorf("at once: %d changes pending, %d firewalls, %v", pending, covering, status)
		}
		if on {
			time.Sleep(20 * time.Second)
			if pending, covering, status := covered(); pending != 1 || covering != 1 || status != "waiting" {
				t.Errorf("after the lag: %d changes pending, %d firewalls, %v", pending, covering, status)
			}
		}
		time.Sleep(5 * time.Second)
		if pending, covering, status := covered(); pending != 0 || covering != 1 || status != "succeeded" {
			t.Errorf("when it is in force: %d changes pending, %d firewalls, %v", pending, covering, status)
		}
	})
}

func TestFirewallsTellWhatIsNotInForceYet(t *testing.T) {
	knob(t, "firewall.apply", "0s", "10s", func(t *testing.T, s *dosimtest.Server, on bool) {
		droplet := s.SeedDroplet(dosim.SeedDroplet{})
		made := do(t, s, "POST", "/v2/firewalls", object{"name": "one", "inbound_rules": []object{ssh()}, "droplet_ids": []int64{droplet}})
		path := "/v2/firewalls/" + text(at(made.Body, "firewall", "id"))
		want := func(what, changes, status string) {
			t.Helper()
			f := do(t, s, "GET", path, nil)
			if got := fmt.Sprint(at(f.Body, "firewall", "pending_changes")); got != changes || at(f.Body, "firewall", "status") != status {
				t.Errorf("%s: %s, %v; want %s, %s", what, got, at(f.Body, "firewall", "status"), changes, status)
			}
		}
		id := float64(droplet)
		if on {
			want("made", fmt.Sprintf("[map[droplet_id:%v removing:false status:waiting]]", id), "waiting")
			time.Sleep(10 * time.Second)
		}
		want("in force", "[]", "succeeded")
		do(t, s, "DELETE", path+"/droplets", object{"droplet_ids": []int64{droplet}})
		if on {
			want("droplet removed", fmt.Sprintf("[map[droplet_id:%v removing:true status:waiting]]", id), "waiting")
			time.Sleep(10 * time.Second)
		}
		want("removed", "[]", "succeeded")
	})
}

func TestFirewallsForgetWhatIsDeleted(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		droplet := s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
		made := do(t, s, "POST", "/v2/firewalls", object{"name": "one", "inbound_rules": []object{ssh()}, "droplet_ids": []int64{droplet}, "tags": []string{"web"}})
		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", fmt.Sprintf("/v2/droplets/%d", droplet), nil), 204)
		wantStatus(t, "DELETE tag", do(t, s, "DELETE", "/v2/tags/web", nil), 204)
		f := do(t, s, "GET", "/v2/firewalls/"+text(at(made.Body, "firewall", "id")), nil)
		if got := fmt.Sprint(at(f.Body, "firewall", "droplet_ids"), at(f.Body, "firewall", "tags")); got != "[] []" {
			t.Errorf("droplets and tags after they are gone: %s", got)
		}
	})
}
