package dosim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func write(t testing.TB, s *dosimtest.Server, urn, content string) {
	t.Helper()
	ok(t, s, "PUT", "/disks/"+urn, object{"orders": content})
}

// onDisk is what somebody has written there, "" when that is gone.
func onDisk(t testing.TB, s *dosimtest.Server, urn string) any {
	t.Helper()
	files := ok(t, s, "GET", "/disks/"+urn, nil)
	if files["orders"] == nil {
		return ""
	}
	return files["orders"]
}

func TestWhatIsOnADropletsDiskComesBack(t *testing.T) {
	guests(t, nil, func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		urn := "do:droplet:" + strings.TrimPrefix(d, "/v2/droplets/")
		want := func(when, urn, want string) {
			t.Helper()
			if got := onDisk(t, s, urn); got != want {
				t.Errorf("%s there is %q on the disk, want %q", when, got, want)
			}
		}
		want("at first", urn, "")
		write(t, s, urn, "one")
		wantStatus(t, "snapshot", do(t, s, "POST", d+"/actions", object{"type": "snapshot", "name": "keepsake"}), 201)
		write(t, s, urn, "two") // while the picture develops: it was taken
		time.Sleep(61 * time.Second)
		image := idOf(do(t, s, "GET", d, nil), "droplet", "snapshot_ids", 0)
		want("since the snapshot", urn, "two")
		want("in the snapshot", "do:snapshot:"+image, "one")

		act(t, s, d, object{"type": "rename", "name": "other"})
		act(t, s, d, object{"type": "reboot"})
		want("after a reboot", urn, "two")
		wantStatus(t, "restore", do(t, s, "POST", d+"/actions", object{"type": "restore", "image": number(t, image)}), 201)
		want("while it is restored", urn, "two")
		time.Sleep(61 * time.Second)
		want("after the restore", urn, "one")
		act(t, s, d, object{"type": "rebuild", "image": "debian-12-x64"})
		want("after a rebuild of a public image", urn, "")
		act(t, s, d, object{"type": "rebuild", "image": number(t, image)})
		want("after a rebuild of the snapshot", urn, "one")

		wantStatus(t, "delete", do(t, s, "DELETE", d, nil), 204)
		if e := admin(t, s, "GET", "/disks/"+urn, nil); e.Status != 404 {
			t.Errorf("the disk of a droplet that is gone: %d", e.Status)
		}
		again := do(t, s, "POST", "/v2/droplets", object{"name": "again", "size": "s-1vcpu-1gb", "region": "nyc3", "image": number(t, image)})
		want("of a droplet made of the snapshot", "do:droplet:"+idOf(again, "droplet", "id"), "one")
		if e := admin(t, s, "PUT", "/disks/do:snapshot:"+image, object{"orders": "forged"}); e.Status != 409 {
			t.Errorf("writing to a snapshot: %d", e.Status)
		}
	})
}

func TestWhatIsOnAVolumeComesBack(t *testing.T) {
	guests(t, nil, func(t *testing.T, s *dosimtest.Server) {
		droplet := s.SeedDroplet(dosim.SeedDroplet{})
		volume := text(at(do(t, s, "POST", "/v2/volumes", object{"name": "data", "region": "nyc3", "size_gigabytes": 10}).Body, "volume", "id"))
		attach := func(kind string) {
			wantStatus(t, kind, do(t, s, "POST", "/v2/volumes/"+volume+"/actions", object{"type": kind, "droplet_id": droplet}), 202)
			time.Sleep(6 * time.Second)
		}
		seen := func() any {
			return at(ok(t, s, "GET", fmt.Sprintf("/guests/%d", droplet), nil), "volumes", "data", "orders")
		}
		write(t, s, "do:volume:"+volume, "one")
		if got := seen(); got != nil {
			t.Errorf("the droplet sees %v on a volume that is not attached", got)
		}
		attach("attach")
		if got := seen(); got != "one" {
			t.Errorf("the droplet sees %v on its volume", got)
		}
		snapshot := text(at(do(t, s, "POST", "/v2/volumes/"+volume+"/snapshots", object{"name": "keepsake"}).Body, "snapshot", "id"))
		write(t, s, "do:volume:"+volume, "two")
		attach("detach")
		wantStatus(t, "delete", do(t, s, "DELETE", "/v2/volumes/"+volume, nil), 204)
		copied := do(t, s, "POST", "/v2/volumes", object{"name": "data", "size_gigabytes": 10, "snapshot_id": snapshot})
		wantStatus(t, "create of the snapshot", copied, 201)
		volume = text(at(copied.Body, "volume", "id"))
		attach("attach")
		if got := seen(); got != "one" {
			t.Errorf("the droplet sees %v on a volume made of the snapshot", got)
		}
	})
}

func TestDisksThatCannotBe(t *testing.T) {
	s := start(t, dosim.Options{Params: calm()})
	urn := "do:droplet:" + strings.TrimPrefix(seeded(s), "/v2/droplets/")
	write(t, s, urn, "one")
	for urn, body := range map[string]any{
		"do:droplet:1": object{"orders": "two"}, "do:vpc:1": object{}, "orders": object{},
		urn: object{"orders": strings.Repeat("x", 64<<10)},
	} {
		if e := admin(t, s, "PUT", "/disks/"+urn, body); e.Status != 404 && e.Status != 422 {
			t.Errorf("PUT /disks/%s: %d", urn, e.Status)
		}
	}
	if got := onDisk(t, s, urn); got != "one" {
		t.Errorf("a refusal has left %q", got)
	}
}
