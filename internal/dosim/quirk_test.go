package dosim_test

// Each test is one row of the ledger of DigitalOcean's quirks, by its number
// there, and names where the behaviour was reported. Each shows the quirk, and
// that it goes away when its knob is turned.

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/godo"
	"golang.org/x/oauth2"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// inBubble runs a test against a cloud in a bubble of simulated time.
func inBubble(t *testing.T, o dosim.Options, test func(t *testing.T, s *dosimtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, pipe(t, o)) })
}

// knob runs a test with a parameter off and on.
func knob(t *testing.T, param, off, on string, test func(t *testing.T, s *dosimtest.Server, on bool)) {
	t.Helper()
	for value, isOn := range map[string]bool{off: false, on: true} {
		t.Run(fmt.Sprintf("%s=%s", param, value), func(t *testing.T) {
			inBubble(t, with(map[string]string{param: value}), func(t *testing.T, s *dosimtest.Server) { test(t, s, isOn) })
		})
	}
}

// seeded is the path of a new, active droplet.
func seeded(s *dosimtest.Server) string {
	return fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{}))
}

func snapshotAction(t *testing.T, s *dosimtest.Server, droplet string) exchange {
	t.Helper()
	e := do(t, s, "POST", droplet+"/actions", object{"type": "snapshot", "name": "keepsake"})
	if e.Status != 201 {
		t.Fatalf("snapshot action answered %d: %v", e.Status, e.Body)
	}
	return e
}

func wantStatus(t testing.TB, what string, e exchange, want int) {
	t.Helper()
	if e.Status != want {
		t.Errorf("%s: status %d (%v), want %d", what, e.Status, e.Body, want)
	}
}

// Quirk 1: hashicorp/packer#1814, digitalocean/terraform-provider-digitalocean#1034.
func TestQuirk01OnePendingEventPerDroplet(t *testing.T) {
	knob(t, "pending_event", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		snapshotAction(t, s, d)
		e := do(t, s, "POST", d+"/actions", object{"type": "power_off"})
		if !on {
			wantStatus(t, "a second action", e, 201)
			return
		}
		wantStatus(t, "a second action", e, 422)
		if e.Body["id"] != "unprocessable_entity" || e.Body["message"] != "Droplet already has a pending event." {
			t.Errorf("refusal = %v", e.Body)
		}
		wantStatus(t, "a delete", do(t, s, "DELETE", d, nil), 422)
		if locked := at(do(t, s, "GET", d, nil).Body, "droplet", "locked"); locked != true {
			t.Errorf("locked = %v while an event is pending, want true", locked)
		}
		time.Sleep(60 * time.Second)
		wantStatus(t, "an action after the first", do(t, s, "POST", d+"/actions", object{"type": "power_off"}), 201)
	})
}

// Quirk 2: hashicorp/terraform#481, digitalocean/terraform-provider-digitalocean#378.
func TestQuirk02CreatedDropletIsNotFoundForAWhile(t *testing.T) {
	knob(t, "lag.get_after_create", "0s", "30s", func(t *testing.T, s *dosimtest.Server, on bool) {
		made := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
		wantStatus(t, "create", made, 202)
		path := "/v2/droplets/" + idOf(made, "droplet", "id")
		if on {
			for _, sub := range []string{"", "/actions", "/snapshots"} {
				wantStatus(t, "GET at once"+sub, do(t, s, "GET", path+sub, nil), 404)
			}
			time.Sleep(29 * time.Second)
			wantStatus(t, "GET after 29 s", do(t, s, "GET", path, nil), 404)
			time.Sleep(time.Second)
		}
		wantStatus(t, "GET", do(t, s, "GET", path, nil), 200)
	})
}

func TestQuirk02CreatedDropletIsMissingFromListsForAWhile(t *testing.T) {
	for param, path := range map[string]string{"lag.list_after_create": "/v2/droplets", "lag.tag": "/v2/droplets?tag_name=web"} {
		knob(t, param, "0s", "10s", func(t *testing.T, s *dosimtest.Server, on bool) {
			do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": []string{"web"}})
			if on {
				time.Sleep(10*time.Second - time.Millisecond)
				if n := len(list(do(t, s, "GET", path, nil), "droplets")); n != 0 {
					t.Errorf("%d droplets listed within the lag, want 0", n)
				}
				time.Sleep(time.Millisecond)
			}
			if n := len(list(do(t, s, "GET", path, nil), "droplets")); n != 1 {
				t.Errorf("%d droplets listed, want 1", n)
			}
		})
	}
}

// Quirk 6: api-v2#98, digitalocean/doctl#312. There is no knob: it never is.
func TestQuirk06SnapshotActionHasNoImageID(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		started := snapshotAction(t, s, d)
		time.Sleep(61 * time.Second)
		snap, _ := at(do(t, s, "GET", "/v2/snapshots", nil).Body, "snapshots", 0).(object)
		id, _ := snap["id"].(string)
		if id == "" {
			t.Fatal("there is no snapshot")
		}
		for _, path := range []string{"/v2/actions/", d + "/actions/"} {
			e := do(t, s, "GET", path+idOf(started, "action", "id"), nil)
			text, err := json.Marshal(e.Body)
			if err != nil || strings.Contains(string(text), id) || strings.Contains(string(text), "keepsake") {
				t.Errorf("%s tells of snapshot %s: %s %v", path, id, text, err)
			}
			if got := "/v2/droplets/" + idOf(e, "action", "resource_id"); got != d {
				t.Errorf("resource_id leads to %s, want %s", got, d)
			}
		}
		// What the official Terraform provider finds the snapshot by.
		if created, start := snap["created_at"], at(started.Body, "action", "started_at"); created != start {
			t.Errorf("snapshot.created_at = %v, action.started_at = %v; want them equal", created, start)
		}
	})
}

// Quirk 7: Gamocosm#113, marketplace-partners#130.
func TestQuirk07SnapshotIsListedAfterItsActionCompleted(t *testing.T) {
	knob(t, "lag.snapshot_visible", "0s", "60s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		started := snapshotAction(t, s, d)
		time.Sleep(60*time.Second - time.Millisecond)
		if n := len(s.Truth("snapshot")); n != 0 {
			t.Errorf("%d snapshots in truth before the action's end, want 0", n)
		}
		time.Sleep(time.Millisecond)
		if status := at(do(t, s, "GET", "/v2/actions/"+idOf(started, "action", "id"), nil).Body, "action", "status"); status != "completed" {
			t.Fatalf("action is %v, want completed", status)
		}
		if n := len(s.Truth("snapshot")); n != 1 {
			t.Errorf("%d snapshots in truth, want 1", n)
		}
		listed := func() int {
			n := len(list(do(t, s, "GET", "/v2/snapshots", nil), "snapshots"))
			if own := len(list(do(t, s, "GET", d+"/snapshots", nil), "snapshots")); own != n {
				t.Errorf("the account lists %d snapshots and the droplet %d", n, own)
			}
			return n
		}
		if on {
			time.Sleep(60*time.Second - time.Millisecond)
			if n := listed(); n != 0 {
				t.Errorf("%d snapshots listed within the lag, want 0", n)
			}
			time.Sleep(time.Millisecond)
		}
		if n := listed(); n != 1 {
			t.Errorf("%d snapshots listed, want 1", n)
		}
	})
}

// Quirk 8: api-v2#199.
func TestQuirk08DropletsViewOfAnActionHasNoCompletedAt(t *testing.T) {
	knob(t, "quirk.completed_at_null", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		started := snapshotAction(t, s, d)
		time.Sleep(61 * time.Second)
		id := idOf(started, "action", "id")
		account, droplet := do(t, s, "GET", "/v2/actions/"+id, nil), do(t, s, "GET", d+"/actions/"+id, nil)
		for _, e := range []exchange{account, droplet} {
			if status := at(e.Body, "action", "status"); status != "completed" {
				t.Errorf("status = %v, want completed", status)
			}
		}
		if at(account.Body, "action", "completed_at") == nil {
			t.Error("the account's view has no completed_at")
		}
		if got := at(droplet.Body, "action", "completed_at"); (got == nil) != on {
			t.Errorf("completed_at in the droplet's view = %v", got)
		}
	})
}

// Quirk 9: digitalocean/terraform-provider-digitalocean#712. The knob is the fault.
func TestQuirk09ActionStatusOutsideTheEnumeration(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		s.AddFault(dosim.Fault{Kind: dosim.UnknownStatus, Match: dosim.Match{Path: "/v2/actions/*"}, Times: 1})
		id := idOf(snapshotAction(t, s, d), "action", "id")
		time.Sleep(61 * time.Second)
		for _, want := range []string{"done", "completed"} {
			if status := at(do(t, s, "GET", "/v2/actions/"+id, nil).Body, "action", "status"); status != want {
				t.Errorf("status = %v, want %s", status, want)
			}
		}
	})
}

// Quirk 10: digitalocean/terraform-provider-digitalocean#1557, PR 1277.
func TestQuirk10ActionPollFails(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		path := "/v2/actions/" + idOf(snapshotAction(t, s, seeded(s)), "action", "id")
		s.AddFault(dosim.Fault{Kind: dosim.NotFound404, Match: dosim.Match{Method: "GET", Path: "/v2/actions/*"}, Times: 1})
		s.AddFault(dosim.Fault{Kind: dosim.ServerErrorBefore, Status: 500, Match: dosim.Match{Method: "GET", Path: "/v2/actions/*"}, Times: 1})
		for _, want := range []int{404, 500, 200} {
			wantStatus(t, "poll", do(t, s, "GET", path, nil), want)
		}
	})
}

// Quirk 11: do_snapshot#9, python-digitalocean#116.
func TestQuirk11DropletStatusLagsBehindItsAction(t *testing.T) {
	knob(t, "lag.status", "0s", "20s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		status := func() any { return at(do(t, s, "GET", d, nil).Body, "droplet", "status") }
		do(t, s, "POST", d+"/actions", object{"type": "shutdown"})
		time.Sleep(10 * time.Second)
		if on {
			if got := status(); got != "active" {
				t.Errorf("status = %v within the lag, want active", got)
			}
			time.Sleep(20 * time.Second)
		}
		if got := status(); got != "off" {
			t.Errorf("status = %v, want off", got)
		}
		do(t, s, "POST", d+"/actions", object{"type": "power_on"})
		time.Sleep(30 * time.Second)
		if got := status(); got != "active" {
			t.Errorf("status after power_on = %v, want active", got)
		}
	})
}

// Quirk 18: crossplane-do#58, digitalocean-cloud-controller-manager PR 408. There is no knob.
func TestQuirk18NamesOfDropletsAndSnapshotsRepeat(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		s.SeedDroplet(dosim.SeedDroplet{Name: "twin"})
		d := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{Name: "TWIN"}))
		if n := len(list(do(t, s, "GET", "/v2/droplets?name=Twin", nil), "droplets")); n != 2 {
			t.Errorf("%d droplets of one name, want 2", n)
		}
		for range 2 {
			snapshotAction(t, s, d)
			time.Sleep(61 * time.Second)
		}
		if n := len(list(do(t, s, "GET", d+"/snapshots", nil), "snapshots")); n != 2 {
			t.Errorf("%d snapshots of one name, want 2", n)
		}
	})
}

// Quirk 19: python-digitalocean#252, doctl#78, doctl#84.
func TestQuirk19ListsAreCutIntoPages(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		for range 205 {
			s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
		}
		for _, tt := range []struct {
			query       string
			items       int
			links       []string
			first, last string // queries that the links must have
		}{
			{"", 20, []string{"last", "next"}, "", "page=11&per_page=20"},
			{"?per_page=200", 200, []string{"last", "next"}, "", "page=2&per_page=200"},
			{"?per_page=500", 200, []string{"last", "next"}, "", "page=2&per_page=200"},
			{"?per_page=200&page=2", 5, []string{"first", "prev"}, "page=1&per_page=200", ""},
			{"?page=5", 20, []string{"first", "last", "next", "prev"}, "page=1&per_page=20", "page=11&per_page=20"},
			{"?page=99", 0, []string{"first", "prev"}, "page=1&per_page=20", ""},
			{"?tag_name=web&per_page=150", 150, []string{"last", "next"}, "", "page=2&per_page=150&tag_name=web"},
			{"?per_page=0&page=-1", 20, []string{"last", "next"}, "", "page=11&per_page=20"},
			{"?name=droplet-7", 1, nil, "", ""},
		} {
			e := do(t, s, "GET", "/v2/droplets"+tt.query, nil)
			if n := len(list(e, "droplets")); n != tt.items {
				t.Errorf("%s: %d droplets, want %d", tt.query, n, tt.items)
			}
			pages, _ := at(e.Body, "links", "pages").(object)
			if len(pages) != len(tt.links) {
				t.Errorf("%s: links %v, want %v", tt.query, pages, tt.links)
			}
			for _, l := range tt.links {
				link, _ := pages[l].(string)
				if !strings.HasPrefix(link, s.URL+"/v2/droplets?") {
					t.Errorf("%s: link %s = %q does not lead back", tt.query, l, link)
				}
			}
			for link, want := range map[string]string{"first": tt.first, "last": tt.last} {
				if got, _ := pages[link].(string); want != "" && !strings.HasSuffix(got, "?"+want) {
					t.Errorf("%s: link %s = %q, want its query to be %q", tt.query, link, got, want)
				}
			}
			if total := at(e.Body, "meta", "total"); tt.links != nil && total != 205.0 {
				t.Errorf("%s: meta.total = %v, want 205", tt.query, total)
			}
		}
	})
}

func TestQuirk19PagesShiftUnderMutation(t *testing.T) {
	for kind, want := range map[dosim.FaultKind]int{"": 45, dosim.DuplicateAcrossPages: 44, dosim.MissingAcrossPages: 44} {
		t.Run("fault="+string(kind), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				for range 45 {
					s.SeedDroplet(dosim.SeedDroplet{})
				}
				if kind != "" {
					s.AddFault(dosim.Fault{Kind: kind, Times: 1})
				}
				ids, items := map[any]bool{}, 0
				for page := 1; page <= 3; page++ {
					for _, d := range list(do(t, s, "GET", fmt.Sprintf("/v2/droplets?page=%d", page), nil), "droplets") {
						ids[at(d, "id")] = true
						items++
					}
				}
				// A page that shifts shows one item twice and another never.
				if items != 45 || len(ids) != want {
					t.Errorf("%d items of %d droplets, want 45 of %d", items, len(ids), want)
				}
			})
		})
	}
}

// faulty runs a test without the fault and with it, struck once.
func faulty(t *testing.T, f dosim.Fault, test func(t *testing.T, s *dosimtest.Server, on bool)) {
	t.Helper()
	f.Times = 1
	for name, on := range map[string]bool{"without": false, "with": true} {
		t.Run(name+" "+string(f.Kind), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				if on {
					s.AddFault(f)
				}
				test(t, s, on)
			})
		})
	}
}

// Quirk 20: external-dns#503, #487.
func TestQuirk20FailedListLooksEmptyToTheCareless(t *testing.T) {
	faulty(t, dosim.Fault{Kind: dosim.ServerErrorBefore, Match: dosim.Match{Path: "/v2/droplets"}}, func(t *testing.T, s *dosimtest.Server, on bool) {
		seeded(s)
		e := do(t, s, "GET", "/v2/droplets", nil)
		if n := len(list(e, "droplets")); (n == 0) != on || (e.Status == 503) != on || e.Err != nil {
			t.Errorf("answer %d with %d droplets, %v", e.Status, n, e.Err)
		}
	})
}

// Quirk 22: digitalocean/terraform-provider-digitalocean#794.
func TestQuirk22ProxyAnswersInHTML(t *testing.T) {
	faulty(t, dosim.Fault{Kind: dosim.HTML504, Match: dosim.Match{Method: "POST"}}, func(t *testing.T, s *dosimtest.Server, on bool) {
		e := do(t, s, "POST", seeded(s)+"/actions", object{"type": "snapshot"})
		if (e.Status == 504) != on || (e.Err != nil) != on {
			t.Errorf("answer %d, %v", e.Status, e.Err)
		}
		if on && !strings.Contains(e.Err.Error(), "invalid character '<'") {
			t.Errorf("error %v, want what JSON says to HTML", e.Err)
		}
		if n := len(s.Truth("action")); n != 2 {
			t.Errorf("%d actions, want create and snapshot: the proxy gave up, the API did not", n)
		}
	})
}

// Quirk 23: digitalocean/terraform-provider-digitalocean#1034.
func TestQuirk23ConnectionIsReset(t *testing.T) {
	for kind, actions := range map[dosim.FaultKind]int{dosim.ResetBefore: 1, dosim.ResetAfter: 2} {
		faulty(t, dosim.Fault{Kind: kind, Match: dosim.Match{Method: "POST"}}, func(t *testing.T, s *dosimtest.Server, on bool) {
			e := do(t, s, "POST", seeded(s)+"/actions", object{"type": "snapshot"})
			want := 2
			if on {
				want = actions
			}
			if n := len(s.Truth("action")); (e.Err != nil) != on || n != want {
				t.Errorf("error %v and %d actions, want %d", e.Err, n, want)
			}
		})
	}
}

// Quirk 24: Gamocosm#96. A client that sends a POST again makes another droplet.
func TestQuirk24RetriedPostMakesMoreDroplets(t *testing.T) {
	for times, want := range map[int]int{0: 1, 2: 3} {
		t.Run(fmt.Sprintf("%d lost answers", times), func(t *testing.T) {
			s := start(t, with(nil))
			if times > 0 {
				s.AddFault(dosim.Fault{Kind: dosim.ServerErrorAfter, Times: times, Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}})
			}
			wait := 0.001 // seconds
			client := oauth2.NewClient(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.Token}))
			g, err := godo.New(client, godo.SetBaseURL(s.URL), godo.WithRetryAndBackoffs(godo.RetryConfig{RetryMax: 4, RetryWaitMin: &wait, RetryWaitMax: &wait}))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := g.Droplets.Create(t.Context(), &godo.DropletCreateRequest{
				Name: "one", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "debian-12-x64"},
			}); err != nil {
				t.Fatal(err)
			}
			if n := len(s.Truth("droplet")); n != want {
				t.Errorf("one create by godo made %d droplets, want %d", n, want)
			}
		})
	}
}

func TestStartedActionIsMissingFromListsForAWhile(t *testing.T) {
	knob(t, "lag.action_list", "0s", "10s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		id := idOf(snapshotAction(t, s, d), "action", "id")
		wantStatus(t, "the action's own address", do(t, s, "GET", "/v2/actions/"+id, nil), 200)
		for _, path := range []string{"/v2/actions", d + "/actions"} {
			if n := len(list(do(t, s, "GET", path, nil), "actions")); (n == 1) != on {
				t.Errorf("%s lists %d actions at once", path, n)
			}
		}
		time.Sleep(10 * time.Second)
		for _, path := range []string{"/v2/actions", d + "/actions"} {
			if actions := list(do(t, s, "GET", path, nil), "actions"); len(actions) != 2 || at(actions[0], "type") != "snapshot" {
				t.Errorf("%s lists %v, want snapshot before create", path, actions)
			}
		}
	})
}

// Quirk 31: digitalocean/doctl#495, api-v2#53.
func TestQuirk31DeletedThingsLingerInLists(t *testing.T) {
	knob(t, "lag.list_after_delete", "0s", "60s", func(t *testing.T, s *dosimtest.Server, on bool) {
		d := seeded(s)
		snapshotAction(t, s, d)
		time.Sleep(61 * time.Second)
		snap := "/v2/snapshots/" + at(do(t, s, "GET", "/v2/snapshots", nil).Body, "snapshots", 0, "id").(string)

		wantStatus(t, "DELETE snapshot", do(t, s, "DELETE", snap, nil), 204)
		listed := func(path, key string) int { return len(list(do(t, s, "GET", path, nil), key)) }
		lingering := 0
		if on {
			lingering = 1
		}
		for _, path := range []string{"/v2/snapshots", d + "/snapshots"} {
			if n := listed(path, "snapshots"); n != lingering {
				t.Errorf("%s lists %d snapshots after the delete, want %d", path, n, lingering)
			}
		}
		wantStatus(t, "GET deleted snapshot", do(t, s, "GET", snap, nil), 404)
		wantStatus(t, "DELETE deleted snapshot", do(t, s, "DELETE", snap, nil), 404)

		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", d, nil), 204)
		if n := listed("/v2/droplets", "droplets"); n != lingering {
			t.Errorf("%d droplets listed after the delete, want %d", n, lingering)
		}
		wantStatus(t, "GET deleted droplet", do(t, s, "GET", d, nil), 404)
		if n := len(s.Leaks(0)); n != 0 {
			t.Errorf("%d things are there in truth, want none", n)
		}
		time.Sleep(60 * time.Second)
		if n := listed("/v2/snapshots", "snapshots") + listed("/v2/droplets", "droplets"); n != 0 {
			t.Errorf("%d things listed after the lag, want none", n)
		}
	})
}

// A snapshot outlives its droplet, whose own list of snapshots does not.
func TestSnapshotsOutliveTheirDroplet(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		snapshotAction(t, s, d)
		time.Sleep(61 * time.Second)
		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", d, nil), 204)
		wantStatus(t, "the droplet's snapshots", do(t, s, "GET", d+"/snapshots", nil), 404)
		wantStatus(t, "the droplet's actions", do(t, s, "GET", d+"/actions", nil), 404)
		if n := len(list(do(t, s, "GET", "/v2/snapshots?resource_type=droplet", nil), "snapshots")); n != 1 {
			t.Errorf("the account lists %d snapshots, want 1", n)
		}
		if n := len(list(do(t, s, "GET", "/v2/snapshots?resource_type=volume", nil), "snapshots")); n != 0 {
			t.Errorf("the account lists %d snapshots of volumes, want 0", n)
		}
		if n := len(list(do(t, s, "GET", "/v2/actions", nil), "actions")); n != 2 {
			t.Errorf("the account lists %d actions, want create and snapshot", n)
		}
	})
}

func TestGPUDropletsAreListedOnlyByType(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		s.SeedDroplet(dosim.SeedDroplet{Name: "web"})
		s.SeedDroplet(dosim.SeedDroplet{Name: "trainer", Size: "gpu-h100x1-80gb", Region: "tor1", Tags: []string{"ml"}})
		for query, want := range map[string]string{"": "web", "?type=droplets": "web", "?type=gpus": "trainer", "?tag_name=ml": "trainer"} {
			found := list(do(t, s, "GET", "/v2/droplets"+query, nil), "droplets")
			if len(found) != 1 || at(found[0], "name") != want {
				t.Errorf("%q lists %d droplets, want %s alone", query, len(found), want)
				continue
			}
			if gpu := at(found[0], "gpu_info", "model"); (gpu != nil) != (want == "trainer") {
				t.Errorf("gpu_info of %s = %v", want, gpu)
			}
		}
	})
}

// Replicas that are behind one another make reads go back and forth.
func TestReplicasMakeReadsNonMonotonic(t *testing.T) {
	knob(t, "replicas", "1", "5", func(t *testing.T, s *dosimtest.Server, on bool) {
		if err := s.SetParams(map[string]string{"lag.replica": "30s"}); err != nil {
			t.Fatal(err)
		}
		made := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
		views := map[string]func() bool{
			"its own address": func() bool { return do(t, s, "GET", "/v2/droplets/"+idOf(made, "droplet", "id"), nil).Status == 200 },
			"the list":        func() bool { return len(list(do(t, s, "GET", "/v2/droplets", nil), "droplets")) == 1 },
		}
		vanished, was := map[string]int{}, map[string]bool{}
		for range 60 {
			for name, shows := range views {
				is := shows()
				if was[name] && !is {
					vanished[name]++
				}
				was[name] = is
			}
			time.Sleep(time.Second)
		}
		for name := range views {
			if (vanished[name] > 0) != on {
				t.Errorf("the droplet vanished %d times from %s", vanished[name], name)
			}
			if !was[name] {
				t.Errorf("%s does not show the droplet after every replica has caught up", name)
			}
		}
	})
}
