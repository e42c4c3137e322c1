package dosim_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// laden is the path of a droplet with a reserved IP, a snapshot and a volume
// that has a snapshot.
func laden(t testing.TB, s *dosimtest.Server, name string) (droplet, snapshot string) {
	t.Helper()
	d := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{Name: name}))
	act(t, s, d, object{"type": "snapshot", "name": name})
	for _, i := range s.Truth("snapshot") {
		snapshot = i.ID
	}
	v := volumeOf(t, s, name)
	time.Sleep(5 * time.Second)
	wantStatus(t, "attach", do(t, s, "POST", v+"/actions", attachTo(d)), 202)
	wantStatus(t, "a volume's snapshot", do(t, s, "POST", v+"/snapshots", object{"name": name}), 201)
	time.Sleep(time.Minute)
	wantStatus(t, "a reserved IP", do(t, s, "POST", "/v2/reserved_ips", object{"droplet_id": d[len("/v2/droplets/"):]}), 202)
	time.Sleep(time.Minute)
	return d, snapshot
}

// dangerous destroys a droplet with all that belongs to it.
func dangerous(t testing.TB, s *dosimtest.Server, droplet string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "DELETE", s.URL+droplet+"/destroy_with_associated_resources/dangerous", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	r.Header.Set("X-Dangerous", "true")
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func tellDestroys(d driver) {
	one, snapshot := laden(d, d.s, "one")
	path := one + "/destroy_with_associated_resources"
	all := d.get(path)
	for kind, cost := range map[string]string{"reserved_ips": "5.00", "floating_ips": "5.00", "volumes": "1.00"} {
		if got := at(all.Body, kind, 0, "cost"); got != cost {
			d.Errorf("%s cost %v, want %s", kind, got, cost)
		}
	}
	d.want(404, "GET", path+"/status", nil)
	d.want(400, "DELETE", path+"/dangerous", nil)
	d.want(400, "DELETE", path+"/selective", "{")
	d.want(202, "DELETE", path+"/selective", object{"snapshots": []string{snapshot}})
	d.want(409, "DELETE", path+"/selective", object{})
	d.want(409, "POST", path+"/retry", nil)
	d.lag()
	d.get(path + "/status")
	d.want(404, "GET", one, nil)
	if v, s := len(d.s.Truth("volume")), len(d.s.Truth("snapshot")); v != 1 || s != 0 {
		d.Errorf("left over: %d volumes, %d snapshots; only the snapshot was named", v, s)
	}
	d.want(202, "POST", path+"/retry", nil)

	two, _ := laden(d, d.s, "two")
	if status := dangerous(d, d.s, two); status != 202 {
		d.Errorf("dangerous: %d", status)
	}
	d.lag()
	status := d.get(two + "/destroy_with_associated_resources/status")
	for _, kind := range []string{"reserved_ips", "snapshots", "volumes", "volume_snapshots"} {
		if at(status.Body, "resources", kind, 0, "destroyed_at") == nil {
			d.Errorf("of the %s nothing was destroyed: %v", kind, status.Body)
		}
	}
}

// A part that is busy stays, and the droplet with it, until it is tried again.
func TestADestroyThatFailsIsTriedAgain(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d, snapshot := laden(t, s, "one")
		status := d + "/destroy_with_associated_resources/status"
		wantStatus(t, "transfer", do(t, s, "POST", "/v2/images/"+snapshot+"/actions", object{"type": "transfer", "region": "fra1"}), 201)
		if got := dangerous(t, s, d); got != 202 {
			t.Fatalf("dangerous: %d", got)
		}
		time.Sleep(10 * time.Second)
		e := do(t, s, "GET", status, nil)
		if at(e.Body, "failures") != 1.0 || at(e.Body, "resources", "snapshots", 0, "error_message") == nil || at(e.Body, "droplet", "destroyed_at") != nil {
			t.Errorf("with a busy snapshot: %v", e.Body)
		}
		wantStatus(t, "the droplet", do(t, s, "GET", d, nil), 200)
		time.Sleep(2 * time.Minute)
		wantStatus(t, "retry", do(t, s, "POST", d+"/destroy_with_associated_resources/retry", nil), 202)
		time.Sleep(10 * time.Second)
		if e := do(t, s, "GET", status, nil); at(e.Body, "failures") != 0.0 || at(e.Body, "droplet", "destroyed_at") == nil {
			t.Errorf("after the retry: %v", e.Body)
		}
		if leaks := s.Leaks(0); len(leaks) != 0 {
			t.Errorf("left over: %v", leaks)
		}
	})
}
