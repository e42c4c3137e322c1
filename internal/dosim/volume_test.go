package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellVolumes(d driver) {
	seeded := d.s.SeedDroplet(dosim.SeedDroplet{})
	body := object{
		"name": "data", "region": "nyc3", "size_gigabytes": 10, "description": "Block store", "filesystem_type": "ext4",
		"filesystem_label": "data", "tags": []string{"db"},
	}
	made := d.want(201, "POST", "/v2/volumes", body)
	d.lag()
	id := text(at(made.Body, "volume", "id"))
	volume := "/v2/volumes/" + id
	d.get(volume)
	for query, want := range map[string]int{"": 1, "?name=data&region=nyc3": 1, "?name=data&region=nyc1": 0, "?region=nyc3": 1, "?name=other": 0} {
		if n := len(list(d.get("/v2/volumes"+query), "volumes")); n != want {
			d.Errorf("%q lists %d volumes, want %d", query, n, want)
		}
	}
	attached := d.want(202, "POST", volume+"/actions", object{"type": "attach", "droplet_id": seeded, "region": "nyc3"})
	d.lag()
	d.get(volume + "/actions")
	d.get(volume + "/actions/" + idOf(attached, "action", "id"))
	d.want(202, "POST", volume+"/actions", object{"type": "resize", "size_gigabytes": 20, "region": "nyc3"})
	d.lag()
	d.want(202, "POST", "/v2/volumes/actions", object{"type": "detach", "volume_name": "data", "region": "nyc3", "droplet_id": fmt.Sprint(seeded)})
	d.lag()
	d.want(404, "POST", "/v2/volumes/actions", object{"type": "detach", "volume_name": "data", "region": "nyc1", "droplet_id": seeded})

	shot := d.want(201, "POST", volume+"/snapshots", object{"name": "before", "tags": []string{"k8s"}})
	snapshot := text(at(shot.Body, "snapshot", "id"))
	d.lag()
	d.get(volume + "/snapshots")
	d.get("/v2/volumes/snapshots/" + snapshot)
	d.get("/v2/snapshots/" + snapshot)
	if n := len(list(d.get("/v2/snapshots?resource_type=volume"), "snapshots")); n != 1 {
		d.Errorf("%d snapshots of volumes, want 1", n)
	}
	copied := d.want(201, "POST", "/v2/volumes", object{"name": "copy", "region": "nyc3", "size_gigabytes": 20, "snapshot_id": snapshot})
	if got := at(copied.Body, "volume", "filesystem_type"); got != "ext4" {
		d.Errorf("a volume from a snapshot has the filesystem %v", got)
	}
	d.want(201, "POST", volume+"/snapshots", object{"name": "after"})
	d.lag()
	d.want(204, "DELETE", "/v2/volumes/snapshots/"+snapshot, nil)
	d.want(404, "DELETE", "/v2/volumes/snapshots/"+snapshot, nil)
	d.want(204, "DELETE", "/v2/volumes?name=copy&region=nyc3", nil)
	d.want(404, "DELETE", "/v2/volumes?name=copy&region=nyc3", nil)
	d.want(204, "DELETE", volume, nil)
	d.want(404, "GET", volume, nil)
	d.want(404, "GET", volume+"/snapshots", nil)
	d.lag()
	if n := len(list(d.get("/v2/snapshots"), "snapshots")); n != 1 {
		d.Errorf("%d snapshots after the volume is gone, want the one that was left", n)
	}
	d.want(400, "POST", "/v2/volumes", "{")
}

// volumeOf creates a volume in nyc3 and returns its path.
func volumeOf(t testing.TB, s *dosimtest.Server, name string) string {
	t.Helper()
	made := do(t, s, "POST", "/v2/volumes", object{"name": name, "region": "nyc3", "size_gigabytes": 10})
	wantStatus(t, "POST volume", made, 201)
	return "/v2/volumes/" + text(at(made.Body, "volume", "id"))
}

func attachTo(droplet string) object {
	return object{"type": "attach", "droplet_id": droplet[len("/v2/droplets/"):]}
}

func TestVolumesThatCannotBe(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		for what, change := range map[string]object{
			"a capital in the name": {"name": "Data"}, "a digit first": {"name": "1data"}, "no name": {"name": ""}, "no region": {"region": ""},
			"no size": {"size_gigabytes": 0}, "too large": {"size_gigabytes": 16385}, "an unknown filesystem": {"filesystem_type": "zfs"},
			"a label without a filesystem": {"filesystem_label": "data"}, "a label too long for xfs": {"filesystem_type": "xfs", "filesystem_label": "thirteen-long"},
			"an unknown snapshot": {"snapshot_id": "none"}, "no tag": {"tags": []string{"a b"}},
		} {
			body := object{"name": "data", "region": "nyc3", "size_gigabytes": 10}
			for k, v := range change {
				body[k] = v
			}
			if e := do(t, s, "POST", "/v2/volumes", body); e.Status != 422 || e.Body["id"] != "unprocessable_entity" {
				t.Errorf("%s: %d %v", what, e.Status, e.Body)
			}
		}
		if n := len(s.Truth("volume")); n != 0 {
			t.Errorf("refused creates made %d volumes", n)
		}
	})
}

// Quirk 1: digitalocean/csi-digitalocean#32. An attachment is an event of the droplet.
func TestQuirk01AttachingAVolumeIsAnEventOfItsDroplet(t *testing.T) {
	knob(t, "pending_event", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		d, one, two := seeded(s), volumeOf(t, s, "one"), volumeOf(t, s, "two")
		want := 202
		if on {
			want = 422
		}
		wantStatus(t, "attach", do(t, s, "POST", one+"/actions", attachTo(d)), 202)
		e := do(t, s, "POST", two+"/actions", attachTo(d))
		wantStatus(t, "a second attach", e, want)
		if on && e.Body["message"] != "Droplet already has a pending event." {
			t.Errorf("the refusal says %v", e.Body["message"])
		}
		if on {
			wantStatus(t, "an action on the droplet", do(t, s, "POST", d+"/actions", object{"type": "reboot"}), 422)
		}
		time.Sleep(5 * time.Second)
		if ids := at(do(t, s, "GET", d, nil).Body, "droplet", "volume_ids").([]any); len(ids) == 0 || "/v2/volumes/"+fmt.Sprint(ids[0]) != one {
			t.Errorf("the droplet has the volumes %v", ids)
		}
	})
}

// Quirk 12: digitalocean/godo#146, terraform-provider-digitalocean#19, #283.
func TestQuirk12VolumeStaysAttachedToADeletedDroplet(t *testing.T) {
	knob(t, "lag.detach_after_delete", "0s", "4s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d, v := seeded(s), volumeOf(t, s, "data")
		wantStatus(t, "attach", do(t, s, "POST", v+"/actions", attachTo(d)), 202)
		time.Sleep(5 * time.Second)
		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", d, nil), 204)
		if ids := at(do(t, s, "GET", v, nil).Body, "volume", "droplet_ids").([]any); (len(ids) == 1) != on {
			t.Errorf("attached to %v after the delete", ids)
		}
		if on {
			e := do(t, s, "DELETE", v, nil)
			if e.Status != 409 || e.Body["id"] != "conflict" || e.Body["message"] != "A volume that's attached to a Droplet cannot be deleted. Please detach it first before deleting." {
				t.Errorf("DELETE at once: %d %v", e.Status, e.Body)
			}
			time.Sleep(4 * time.Second)
		}
		wantStatus(t, "DELETE", do(t, s, "DELETE", v, nil), 204)
	})
}

// Quirk 13: digitalocean/doctl#358, libstorage#433, csi-digitalocean. The knob is
// the view of the volume, which is stale for a while.
func TestQuirk13AttachmentsAreShownLate(t *testing.T) {
	knob(t, "lag.update.volume", "0s", "10s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d, v := seeded(s), volumeOf(t, s, "data")
		shown := func() int { return len(at(do(t, s, "GET", v, nil).Body, "volume", "droplet_ids").([]any)) }
		detach := attachTo(d)
		detach["type"] = "detach"
		if e := do(t, s, "POST", v+"/actions", detach); e.Status != 422 || e.Body["message"] != "Attachment not found" {
			t.Errorf("detach of what is not attached: %d %v", e.Status, e.Body)
		}
		wantStatus(t, "attach", do(t, s, "POST", v+"/actions", attachTo(d)), 202)
		time.Sleep(5 * time.Second)
		if n := shown(); (n == 0) != on {
			t.Errorf("attached to %d droplets right after the action", n)
		}
		if e := do(t, s, "POST", v+"/actions", attachTo(d)); e.Status != 422 || e.Body["message"] != "This volume is already attached" {
			t.Errorf("a second attach: %d %v", e.Status, e.Body)
		}
		wantStatus(t, "DELETE while attached", do(t, s, "DELETE", v, nil), 409)
		time.Sleep(10 * time.Second)
		if n := shown(); n != 1 {
			t.Errorf("attached to %d droplets after the lag", n)
		}
		wantStatus(t, "detach", do(t, s, "POST", v+"/actions", detach), 202)
		time.Sleep(5 * time.Second)
		if n := shown(); (n == 1) != on {
			t.Errorf("attached to %d droplets right after it was detached", n)
		}
		if e := do(t, s, "POST", v+"/actions", detach); e.Status != 422 || e.Body["message"] != "Attachment not found" {
			t.Errorf("a second detach: %d %v", e.Status, e.Body)
		}
		wantStatus(t, "DELETE", do(t, s, "DELETE", v, nil), 204)
	})
}

// Quirk 14: hashicorp/terraform#8023, csi-digitalocean. There is no knob.
func TestQuirk14NamesOfVolumesAreTheirOwn(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		v := volumeOf(t, s, "data")
		body := object{"name": "data", "region": "nyc3", "size_gigabytes": 1}
		if e := do(t, s, "POST", "/v2/volumes", body); e.Status != 409 || e.Body["id"] != "conflict" {
			t.Errorf("the same name in the region: %d %v", e.Status, e.Body)
		}
		body["region"] = "nyc1"
		wantStatus(t, "the same name in another region", do(t, s, "POST", "/v2/volumes", body), 201)
		wantStatus(t, "a snapshot", do(t, s, "POST", v+"/snapshots", object{"name": "shot"}), 201)
		wantStatus(t, "a snapshot of the same name", do(t, s, "POST", v+"/snapshots", object{"name": "shot"}), 409)
		wantStatus(t, "DELETE", do(t, s, "DELETE", v, nil), 204)
		body["region"] = "nyc3"
		wantStatus(t, "the name of one that is gone", do(t, s, "POST", "/v2/volumes", body), 201)
	})
}

func TestDropletsAreCreatedWithVolumes(t *testing.T) {
	inBubble(t, with(map[string]string{"droplet.create": "25s"}), func(t *testing.T, s *dosimtest.Server) {
		v := volumeOf(t, s, "data")
		body := object{"name": "db", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "nyc1", "volumes": []any{object{"id": v[len("/v2/volumes/"):]}}}
		wantStatus(t, "in another region", do(t, s, "POST", "/v2/droplets", body), 422)
		body["region"], body["volumes"] = "nyc3", []any{object{"name": "none"}}
		wantStatus(t, "a name of none", do(t, s, "POST", "/v2/droplets", body), 422)
		body["volumes"] = []any{v[len("/v2/volumes/"):]}
		made := do(t, s, "POST", "/v2/droplets", body)
		wantStatus(t, "POST droplet", made, 202)
		wantStatus(t, "the same volume again", do(t, s, "POST", "/v2/droplets", body), 422)
		time.Sleep(25 * time.Second)
		if got := at(do(t, s, "GET", v, nil).Body, "volume", "droplet_ids", 0); got != at(made.Body, "droplet", "id") {
			t.Errorf("the volume is attached to %v", got)
		}
		wantStatus(t, "a resize that shrinks", do(t, s, "POST", v+"/actions", object{"type": "resize", "size_gigabytes": 9}), 422)
	})
}
