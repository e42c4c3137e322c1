package dosim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellDropletActions(d driver) {
	droplet := fmt.Sprintf("/v2/droplets/%d", d.s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}}))
	for _, body := range []object{
		{"type": "rename", "name": "renamed"}, {"type": "reboot"}, {"type": "power_cycle"}, {"type": "password_reset"},
		{"type": "enable_ipv6"}, {"type": "rebuild", "image": "debian-12-x64"}, {"type": "power_off"},
		{"type": "resize", "size": "s-2vcpu-4gb", "disk": true}, {"type": "power_on"},
	} {
		d.want(201, "POST", droplet+"/actions", body)
		d.lag()
		d.get(droplet)
	}
	started := d.want(201, "POST", "/v2/droplets/actions?tag_name=web", object{"type": "snapshot", "name": "all"})
	if n := len(list(started, "actions")); n != 1 {
		d.Errorf("%d actions on one droplet with the tag", n)
	}
	d.want(422, "POST", "/v2/droplets/actions?tag_name=web", object{"type": "rename", "name": "same"})
	d.want(400, "POST", "/v2/droplets/actions", object{"type": "power_off"})
	d.want(422, "POST", droplet+"/actions", object{"type": "fly"})
	d.lag()
	d.want(422, "POST", droplet+"/actions", object{"type": "change_kernel", "kernel": 1})
}

// act starts an action on a droplet, which must be accepted, and lets it end.
func act(t testing.TB, s *dosimtest.Server, droplet string, body object) {
	t.Helper()
	wantStatus(t, fmt.Sprint(body), do(t, s, "POST", droplet+"/actions", body), 201)
	time.Sleep(61 * time.Second)
}

func TestActionsOnDropletsChangeThem(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s) // s-1vcpu-1gb, whose disk is 25 GB
		show := func(keys ...string) string {
			var all []string
			droplet := at(do(t, s, "GET", d, nil).Body, "droplet")
			for _, k := range keys {
				all = append(all, fmt.Sprint(at(droplet, k)))
			}
			return strings.Join(all, " ")
		}
		refuse := func(what string, body object, message string) {
			t.Helper()
			if e := do(t, s, "POST", d+"/actions", body); e.Status != 422 || e.Body["message"] != message {
				t.Errorf("%s: %d %v, want 422 %q", what, e.Status, e.Body, message)
			}
		}
		act(t, s, d, object{"type": "rename", "name": "new.example.com"})
		if got := show("name"); got != "new.example.com" {
			t.Errorf("after a rename: %s", got)
		}
		refuse("a name with a space", object{"type": "rename", "name": "new name"}, "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")

		refuse("a resize while it runs", object{"type": "resize", "size": "s-2vcpu-4gb"}, "Droplet must be powered off before resizing.")
		act(t, s, d, object{"type": "power_off"})
		act(t, s, d, object{"type": "resize", "size": "s-2vcpu-4gb"})
		if got := show("size_slug", "memory", "vcpus", "disk"); got != "s-2vcpu-4gb 4096 2 25" {
			t.Errorf("after a resize without the disk: %s", got)
		}
		if local := at(do(t, s, "GET", d, nil).Body, "droplet", "disk_info", 0, "size", "amount"); local != 25.0 {
			t.Errorf("disk_info says %v after a resize without the disk", local)
		}
		if size := at(do(t, s, "GET", d, nil).Body, "droplet", "size", "disk"); size != 80.0 {
			t.Errorf("the size itself has a disk of %v", size)
		}
		act(t, s, d, object{"type": "resize", "size": "s-1vcpu-1gb"}) // back again: the disk did not grow
		act(t, s, d, object{"type": "resize", "size": "s-2vcpu-4gb", "disk": true})
		if got := show("disk"); got != "80" {
			t.Errorf("after a resize with the disk: %s", got)
		}
		refuse("a smaller disk", object{"type": "resize", "size": "s-1vcpu-1gb"}, "This size is not available because it has a smaller disk.")
		refuse("an unknown size", object{"type": "resize", "size": "huge"}, "You specified an invalid size for Droplet resize.")
		if got := show("status"); got != "off" {
			t.Errorf("a resized droplet is %s", got)
		}
		act(t, s, d, object{"type": "snapshot", "name": "big"})
		if got := at(do(t, s, "GET", "/v2/snapshots", nil).Body, "snapshots", 0, "min_disk_size"); got != 80.0 {
			t.Errorf("min_disk_size of a snapshot is %v, want the droplet's disk", got)
		}
		act(t, s, d, object{"type": "rebuild", "image": "debian-12-x64"})
		if got := at(do(t, s, "GET", d, nil).Body, "droplet", "image", "slug"); got != "debian-12-x64" || show("status") != "active" {
			t.Errorf("after a rebuild: image %v, %s", got, show("status"))
		}
		refuse("an unknown image", object{"type": "rebuild", "image": "beos"}, "You specified an invalid image for Droplet creation.")

		if got := at(do(t, s, "GET", d, nil).Body, "droplet", "networks", "v6"); len(got.([]any)) != 0 {
			t.Errorf("v6 addresses before they are enabled: %v", got)
		}
		act(t, s, d, object{"type": "enable_ipv6"})
		if got := at(do(t, s, "GET", d, nil).Body, "droplet", "networks", "v6"); len(got.([]any)) != 1 || !strings.Contains(show("features"), "ipv6") {
			t.Errorf("v6 addresses %v, features %s", got, show("features"))
		}
		refuse("IPv6 again", object{"type": "enable_ipv6"}, "IPv6 is already enabled on this Droplet.")

		snapshot := at(do(t, s, "GET", "/v2/snapshots", nil).Body, "snapshots", 0, "id")
		var id int
		if _, err := fmt.Sscan(fmt.Sprint(snapshot), &id); err != nil {
			t.Fatal(err)
		}
		act(t, s, d, object{"type": "restore", "image": id})
		if got := at(do(t, s, "GET", d, nil).Body, "droplet", "image", "name"); got != "big" {
			t.Errorf("after a restore the image is %v", got)
		}
		other := seeded(s)
		wantStatus(t, "another's snapshot", do(t, s, "POST", other+"/actions", object{"type": "restore", "image": id}), 422)
	})
}

// An action that fails, or that never ends, changes nothing.
func TestActionsThatFailChangeNothing(t *testing.T) {
	for kind, want := range map[dosim.FaultKind]string{"": "new", dosim.ActionErrored: "old", dosim.ActionStuck: "old", dosim.UnknownStatus: "new"} {
		t.Run("fault="+string(kind), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				if kind != "" {
					s.AddFault(dosim.Fault{Kind: kind, Times: 1, Match: dosim.Match{Method: "POST"}})
				}
				d := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{Name: "old"}))
				act(t, s, d, object{"type": "rename", "name": "new"})
				if got := at(do(t, s, "GET", d, nil).Body, "droplet", "name"); got != want {
					t.Errorf("the name is %v, want %s", got, want)
				}
			})
		})
	}
}

// The scopes of some actions stand in the description's prose alone.
func TestSomeActionsNeedMoreScopes(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		plain := s.CreateToken(dosim.TokenSpec{Scopes: []string{"droplet:update"}})
		more := s.CreateToken(dosim.TokenSpec{Scopes: []string{"droplet:update", "droplet:admin", "droplet:create", "image:create"}})
		for _, body := range []object{
			{"type": "snapshot"}, {"type": "password_reset"}, {"type": "rebuild", "image": "debian-12-x64"}, {"type": "resize", "size": "s-1vcpu-2gb"},
		} {
			if e := doAs(t, s, plain, "POST", d+"/actions", body); e.Status != 403 {
				t.Errorf("%v with droplet:update alone: %d", body, e.Status)
			}
			if e := doAs(t, s, more, "POST", d+"/actions", body); e.Status == 403 {
				t.Errorf("%v with every scope: %d %v", body, e.Status, e.Body)
			}
			time.Sleep(61 * time.Second)
		}
		wantStatus(t, "reboot", doAs(t, s, plain, "POST", d+"/actions", object{"type": "reboot"}), 201)
	})
}

func TestSeveralDropletsAreCreatedAtOnce(t *testing.T) {
	inBubble(t, with(map[string]string{"limit.droplets": "11"}), func(t *testing.T, s *dosimtest.Server) {
		body := func(names ...string) object {
			return object{"names": names, "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "nyc3", "tags": []string{"web"}}
		}
		many := strings.Split("a b c d e f g h i j k", " ")
		wantStatus(t, "eleven names", do(t, s, "POST", "/v2/droplets", body(many...)), 422)
		wantStatus(t, "one name that is none", do(t, s, "POST", "/v2/droplets", body("a", "b c")), 422)
		if n := len(s.Truth("droplet")); n != 0 {
			t.Errorf("a refused create made %d droplets", n)
		}
		made := do(t, s, "POST", "/v2/droplets", body(many[:10]...))
		wantStatus(t, "ten names", made, 202)
		var names []string
		for _, d := range list(made, "droplets") {
			names = append(names, fmt.Sprint(at(d, "name")))
		}
		if !slices.Equal(names, many[:10]) || len(droplets(t, s, "web")) != 10 {
			t.Errorf("made %v", names)
		}
		e := do(t, s, "POST", "/v2/droplets", body("k", "l"))
		if e.Status != 422 || e.Body["message"] != "creating this/these droplet(s) will exceed your droplet limit" {
			t.Errorf("twelve droplets of eleven: %d %v", e.Status, e.Body)
		}
		wantStatus(t, "the eleventh", do(t, s, "POST", "/v2/droplets", body("k")), 202)
	})
}

// Quirk 4, further on: a key that was added a moment ago is no key to a create
// (digitalocean/terraform-provider-digitalocean#1163).
func TestCreatesWithKeysThatAreNotShown(t *testing.T) {
	knob(t, "lag.get_after_create.ssh_key", "0s", "20s", func(t *testing.T, s *dosimtest.Server, on bool) {
		key := do(t, s, "POST", "/v2/account/keys", object{"name": "one", "public_key": publicKey})
		body := object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "ssh_keys": []any{at(key.Body, "ssh_key", "id")}}
		e := do(t, s, "POST", "/v2/droplets", body)
		want := idOf(key, "ssh_key", "id") + " are invalid key identifiers for Droplet creation."
		if (e.Status == 422 && e.Body["message"] == want) != on {
			t.Errorf("create at once: %d %v", e.Status, e.Body)
		}
		time.Sleep(20 * time.Second)
		body["ssh_keys"] = []any{at(key.Body, "ssh_key", "fingerprint")}
		wantStatus(t, "create after the lag", do(t, s, "POST", "/v2/droplets", body), 202)
	})
}

func TestNeighborsShareAMachine(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		for range 40 {
			s.SeedDroplet(dosim.SeedDroplet{})
		}
		sets := list(do(t, s, "GET", "/v2/reports/droplet_neighbors_ids", nil), "neighbor_ids")
		if len(sets) == 0 {
			t.Fatal("of 40 droplets on 24 machines none has a neighbor")
		}
		for _, set := range sets {
			ids, _ := set.([]any)
			var others []any
			for _, d := range list(do(t, s, "GET", fmt.Sprintf("/v2/droplets/%.0f/neighbors", ids[0]), nil), "droplets") {
				others = append(others, at(d, "id"))
			}
			if fmt.Sprint(others) != fmt.Sprint(ids[1:]) {
				t.Errorf("neighbors of %.0f: %v, the report says %v", ids[0], others, ids)
			}
		}
	})
}
