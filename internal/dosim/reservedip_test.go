package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// tellReservedIPs tells the same story in the present words and the older ones.
func tellReservedIPs(d driver, word string) {
	droplet := d.s.SeedDroplet(dosim.SeedDroplet{})
	all := "/v2/" + word + "s"
	made := d.want(202, "POST", all, object{"region": "nyc3"})
	d.lag()
	ip := fmt.Sprint(at(made.Body, word, "ip"))
	one := all + "/" + ip
	d.get(one)
	if n := len(list(d.get(all), word+"s")); n != 1 {
		d.Errorf("%d addresses listed", n)
	}
	started := d.want(201, "POST", one+"/actions", object{"type": "assign", "droplet_id": droplet})
	if got := at(started.Body, "action", "resource_type"); got != word {
		d.Errorf("the action is on a %v", got)
	}
	d.lag()
	if got := at(d.get(one).Body, word, "droplet", "id"); got != float64(droplet) {
		d.Errorf("assigned to %v", got)
	}
	d.get(one + "/actions")
	d.get(one + "/actions/" + idOf(started, "action", "id"))
	d.want(422, "DELETE", one, nil)
	d.want(422, "POST", all, object{"droplet_id": droplet})
	d.want(201, "POST", one+"/actions", object{"type": "unassign"})
	d.lag()
	d.want(422, "POST", one+"/actions", object{"type": "unassign"})
	d.want(422, "POST", one+"/actions", object{"type": "assign", "droplet_id": 1})
	urn := at(d.get("/v2/projects/default/resources").Body, "resources", 1, "urn")
	if urn != "do:floatingip:"+ip {
		d.Errorf("the project calls it %v", urn)
	}
	d.want(204, "DELETE", one, nil)
	d.want(404, "GET", one, nil)
	second := d.want(202, "POST", all, object{"droplet_id": droplet})
	if locked := at(second.Body, word, "locked"); locked != true {
		d.Errorf("locked = %v while it is assigned", locked)
	}
	if got := at(second.Body, "links", "droplets", 0, "id"); got != float64(droplet) {
		d.Errorf("links lead to droplet %v", got)
	}
	d.want(422, "POST", all, object{})
	d.want(422, "POST", all, object{"region": "moon"})
}

func TestReservedIPsFollowTheirDroplet(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		made := do(t, s, "POST", "/v2/reserved_ips", object{"droplet_id": d[len("/v2/droplets/"):]})
		ip := "/v2/reserved_ips/" + fmt.Sprint(at(made.Body, "reserved_ip", "ip"))
		assigned := func() any { return at(do(t, s, "GET", ip, nil).Body, "reserved_ip", "droplet", "name") }
		if assigned() != nil {
			t.Errorf("assigned to %v before the action has ended", assigned())
		}
		e := do(t, s, "POST", d+"/actions", object{"type": "reboot"})
		if e.Status != 422 || e.Body["message"] != "Droplet already has a pending event." {
			t.Errorf("an action on the droplet meanwhile: %d %v", e.Status, e.Body) // quirk 1
		}
		time.Sleep(5 * time.Second)
		if assigned() == nil {
			t.Error("it is not assigned")
		}
		other := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{Region: "fra1"}))
		wantStatus(t, "to another region", do(t, s, "POST", ip+"/actions", object{"type": "assign", "droplet_id": other[len("/v2/droplets/"):]}), 422)
		third := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{Name: "third"}))
		wantStatus(t, "to another droplet", do(t, s, "POST", ip+"/actions", object{"type": "assign", "droplet_id": third[len("/v2/droplets/"):]}), 201)
		time.Sleep(5 * time.Second)
		if got := assigned(); got != "third" {
			t.Errorf("it has moved to %v", got)
		}
		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", third, nil), 204)
		if got := assigned(); got != nil {
			t.Errorf("assigned to %v, which is gone", got)
		}
		wantStatus(t, "DELETE", do(t, s, "DELETE", ip, nil), 204)
	})
}
