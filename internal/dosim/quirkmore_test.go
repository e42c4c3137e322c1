package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// Quirk 3: digitalocean/terraform-provider-digitalocean#1486. What was promised with
// 202, or an action that completes, is gone without a word.
func TestQuirk03WhatWasCreatedVanishes(t *testing.T) {
	for _, armed := range []bool{false, true} {
		t.Run(fmt.Sprint("armed=", armed), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				d := seeded(s)
				if armed {
					s.AddFault(dosim.Fault{Kind: dosim.CreateVanishes, Match: dosim.Match{Method: "POST"}})
				}
				made := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
				wantStatus(t, "create", made, 202)
				action := snapshotAction(t, s, d)
				time.Sleep(10 * time.Minute)
				status, left := 200, 1
				if armed {
					status, left = 404, 0
				}
				wantStatus(t, "the droplet", do(t, s, "GET", "/v2/droplets/"+idOf(made, "droplet", "id"), nil), status)
				if got := at(do(t, s, "GET", "/v2/actions/"+idOf(action, "action", "id"), nil).Body, "action", "status"); got != "completed" {
					t.Errorf("the action is %v, want completed", got)
				}
				if n := len(list(do(t, s, "GET", "/v2/snapshots", nil), "snapshots")); n != left {
					t.Errorf("%d snapshots, want %d", n, left)
				}
			})
		})
	}
}

// Quirk 25: digitalocean/terraform-provider-digitalocean#925. The create took effect,
// its answer says that it did not, and the next one is refused because it did.
func TestQuirk25CreatedThenRefused(t *testing.T) {
	for _, armed := range []bool{false, true} {
		t.Run(fmt.Sprint("armed=", armed), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				first := 201
				if armed {
					first = 503
					s.AddFault(dosim.Fault{Kind: dosim.ServerErrorAfter, Match: dosim.Match{Method: "POST", Path: "/v2/volumes"}, Times: 1})
				}
				body := object{"name": "data", "region": "nyc3", "size_gigabytes": 1}
				wantStatus(t, "create", do(t, s, "POST", "/v2/volumes", body), first)
				wantStatus(t, "again", do(t, s, "POST", "/v2/volumes", body), 409)
				if n := len(s.Truth("volume")); n != 1 {
					t.Errorf("there are %d volumes, want 1", n)
				}
			})
		})
	}
}

// Quirk 26: digitalocean/terraform-provider-digitalocean#1264. A project lists a
// reserved IP by the name that such addresses had before.
func TestQuirk26ReservedIPHasAnOlderNameInItsProject(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		made := do(t, s, "POST", "/v2/reserved_ips", object{"region": "nyc3"})
		wantStatus(t, "reserve", made, 202)
		ip := text(at(made.Body, "reserved_ip", "ip"))
		time.Sleep(time.Minute)
		var urns []string
		for _, r := range list(do(t, s, "GET", "/v2/projects/default/resources", nil), "resources") {
			urns = append(urns, text(at(r, "urn")))
		}
		if got, want := fmt.Sprint(urns), "[do:floatingip:"+ip+"]"; got != want {
			t.Errorf("the project lists %s, want %s", got, want)
		}
	})
}

// And one that is assigned to a droplet does not move alone.
func TestQuirk26AssignedReservedIPDoesNotMove(t *testing.T) {
	knob(t, "quirk.reserved_ip_move", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		other := do(t, s, "POST", "/v2/projects", object{"name": "other", "purpose": "IoT"})
		made := do(t, s, "POST", "/v2/reserved_ips", object{"region": "nyc3"})
		ip := text(at(made.Body, "reserved_ip", "ip"))
		time.Sleep(time.Minute)
		wantStatus(t, "assign to the droplet", do(t, s, "POST", "/v2/reserved_ips/"+ip+"/actions", object{"type": "assign", "droplet_id": d[len("/v2/droplets/"):]}), 201)
		time.Sleep(time.Minute)
		move := func() exchange {
			return do(t, s, "POST", "/v2/projects/"+text(at(other.Body, "project", "id"))+"/resources", object{"resources": []string{"do:reservedip:" + ip}})
		}
		if !on {
			wantStatus(t, "the move", move(), 200)
			return
		}
		if e := move(); e.Status != 412 || e.Body["message"] != "Cannot move a Reserved IP with an associated Droplet. Move the Droplet instead." {
			t.Errorf("the move: %d %v", e.Status, e.Body)
		}
		wantStatus(t, "unassign", do(t, s, "POST", "/v2/reserved_ips/"+ip+"/actions", object{"type": "unassign"}), 201)
		time.Sleep(time.Minute)
		wantStatus(t, "the move of an unassigned one", move(), 200)
	})
}

// Quirk 28: digitalocean/terraform-provider-digitalocean#276, #445. An assignment is
// answered with 200 and a status for each, some of which are no success.
func TestQuirk28SomeOfWhatIsAssignedIsNot(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := fmt.Sprintf("do:droplet:%d", s.SeedDroplet(dosim.SeedDroplet{}))
		e := do(t, s, "POST", "/v2/projects/default/resources", object{"resources": []string{d, "do:volume:none"}})
		wantStatus(t, "assign", e, 200)
		if got := fmt.Sprint(at(e.Body, "resources", 0, "status"), " ", at(e.Body, "resources", 1, "status")); got != "already_assigned not_found" {
			t.Errorf("the statuses are %s", got)
		}
	})
}

// Quirk 32: api-v2#84. A delete that is answered with 204 has not yet been seen by
// everybody.
func TestQuirk32DeletedDropletLingers(t *testing.T) {
	knob(t, "lag.list_after_delete", "0s", "10s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		wantStatus(t, "delete", do(t, s, "DELETE", d, nil), 204)
		want := 0
		if on {
			want = 1
		}
		if n := len(list(do(t, s, "GET", "/v2/droplets", nil), "droplets")); n != want {
			t.Errorf("%d droplets listed after the delete, want %d", n, want)
		}
		wantStatus(t, "its own address", do(t, s, "GET", d, nil), 404)
		time.Sleep(10 * time.Second)
		if n := len(list(do(t, s, "GET", "/v2/droplets", nil), "droplets")); n != 0 {
			t.Errorf("%d droplets listed after the lag", n)
		}
	})
}
