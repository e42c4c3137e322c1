package dosim_test

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellReservedIPv6s(d driver) {
	const all = "/v2/reserved_ipv6"
	droplet := d.s.SeedDroplet(dosim.SeedDroplet{})
	made := d.want(201, "POST", all, object{"region_slug": "nyc3"})
	d.want(422, "POST", all, object{"region_slug": "moon"})
	d.lag()
	ip := text(at(made.Body, "reserved_ipv6", "ip"))
	one := all + "/" + ip
	if n := len(list(d.get(all), "reserved_ipv6s")); n != 1 || at(d.get(one).Body, "reserved_ipv6", "region_slug") != "nyc3" {
		d.Errorf("%d addresses listed, want 1 of nyc3", n)
	}
	d.want(404, "GET", all+"/2001:db8::1", nil)
	d.want(404, "GET", all+"/none", nil)
	d.want(422, "POST", one+"/actions", object{"type": "unassign"})
	d.want(422, "POST", one+"/actions", object{"type": "assign", "droplet_id": 1})
	d.want(422, "POST", one+"/actions", object{"type": "fly"})
	d.want(422, "POST", one+"/actions", object{"type": "assign", "droplet_id": d.s.SeedDroplet(dosim.SeedDroplet{Region: "fra1"})})
	started := d.want(201, "POST", one+"/actions", object{"type": "assign", "droplet_id": droplet})
	d.want(422, "POST", one+"/actions", object{"type": "unassign"}) // an event is pending
	d.get("/v2/actions/" + idOf(started, "action", "id"))
	d.lag()
	if got := at(d.get(one).Body, "reserved_ipv6", "droplet", "id"); got != float64(droplet) {
		d.Errorf("assigned to %v", got)
	}
	other := text(at(d.want(201, "POST", all, object{"region_slug": "nyc3"}).Body, "reserved_ipv6", "ip"))
	d.lag()
	d.want(422, "POST", all+"/"+other+"/actions", object{"type": "assign", "droplet_id": droplet})
	d.want(204, "DELETE", all+"/"+other, nil)
	d.want(201, "POST", one+"/actions", object{"type": "unassign"})
	d.lag()
	if got := at(d.get(one).Body, "reserved_ipv6", "droplet"); got != nil {
		d.Errorf("still assigned to %v", got)
	}
	d.want(204, "DELETE", one, nil)
	d.want(404, "GET", one, nil)
}

func TestReservedIPv6sFollowTheirDroplet(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		made := do(t, s, "POST", "/v2/reserved_ipv6", object{"region_slug": "nyc3"})
		ip := "/v2/reserved_ipv6/" + text(at(made.Body, "reserved_ipv6", "ip"))
		wantStatus(t, "assign", do(t, s, "POST", ip+"/actions", object{"type": "assign", "droplet_id": d[len("/v2/droplets/"):]}), 201)
		e := do(t, s, "POST", d+"/actions", object{"type": "reboot"})
		if e.Status != 422 || e.Body["message"] != "Droplet already has a pending event." {
			t.Errorf("an action on the droplet meanwhile: %d %v", e.Status, e.Body) // quirk 1
		}
		time.Sleep(5 * time.Second)
		wantStatus(t, "delete of the droplet", do(t, s, "DELETE", d, nil), 204)
		if got := at(do(t, s, "GET", ip, nil).Body, "reserved_ipv6", "droplet"); got != nil {
			t.Errorf("it is assigned to %v, which is gone", got)
		}
		wantStatus(t, "delete", do(t, s, "DELETE", ip, nil), 204)
	})
}

// digitalocean/terraform-provider-digitalocean PR 1277: an address that is
// assigned, or not quite unassigned yet, is not released.
func TestQuirk27ReservedIPv6IsNotReleasedWhileAssigned(t *testing.T) {
	knob(t, "quirk.reserved_ipv6_release", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		made := do(t, s, "POST", "/v2/reserved_ipv6", object{"region_slug": "nyc3"})
		ip := "/v2/reserved_ipv6/" + text(at(made.Body, "reserved_ipv6", "ip"))
		wantStatus(t, "assign", do(t, s, "POST", ip+"/actions", object{"type": "assign", "droplet_id": d[len("/v2/droplets/"):]}), 201)
		time.Sleep(5 * time.Second)
		refused := map[bool]int{true: 400, false: 422}[on]
		if e := do(t, s, "DELETE", ip, nil); e.Status != refused || e.Body["message"] != "assigned FLIP cannot be released" {
			t.Errorf("the delete is answered %d %v, want %d", e.Status, e.Body, refused)
		}
		wantStatus(t, "unassign", do(t, s, "POST", ip+"/actions", object{"type": "unassign"}), 201)
		wantStatus(t, "delete at once", do(t, s, "DELETE", ip, nil), refused)
		time.Sleep(5 * time.Second)
		wantStatus(t, "delete afterwards", do(t, s, "DELETE", ip, nil), 204)
	})
}
