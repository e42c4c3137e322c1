package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellBackups(d driver) {
	d.s.SeedDroplet(dosim.SeedDroplet{Name: "none"})
	droplet := fmt.Sprintf("/v2/droplets/%d", d.s.SeedDroplet(dosim.SeedDroplet{Name: "web"}))
	d.want(422, "POST", droplet+"/actions", object{"type": "disable_backups"})
	d.want(422, "POST", droplet+"/actions", object{"type": "change_backup_policy", "backup_policy": object{"plan": "daily"}})
	d.want(422, "POST", droplet+"/actions", object{"type": "enable_backups", "backup_policy": object{"plan": "hourly"}})
	d.want(201, "POST", droplet+"/actions", object{"type": "enable_backups", "backup_policy": object{"plan": "weekly", "weekday": "SUN", "hour": 20}})
	d.lag()
	d.want(422, "POST", droplet+"/actions", object{"type": "enable_backups"})
	d.get(droplet)
	d.get(droplet + "/backups/policy")
	if n := at(d.get("/v2/droplets/backups/policies").Body, "meta", "total"); n != 2.0 {
		d.Errorf("policies of %v droplets, want 2", n)
	}
	d.get("/v2/droplets/backups/supported_policies")
	time.Sleep(8 * 24 * time.Hour)
	backups := d.get(droplet + "/backups")
	if n := len(list(backups, "backups")); n < 1 || n > 2 {
		d.Errorf("%d backups after eight days of a weekly policy", n)
	}
	backup := at(backups.Body, "backups", 0, "id")
	d.get(fmt.Sprintf("/v2/images/%.0f", backup))
	d.want(400, "GET", fmt.Sprintf("/v2/snapshots/%.0f", backup), nil)
	d.want(201, "POST", droplet+"/actions", object{"type": "restore", "image": backup})
	d.lag()
	d.want(201, "POST", droplet+"/actions", object{"type": "change_backup_policy", "backup_policy": object{"plan": "daily", "hour": 4}})
	d.lag()
	d.want(201, "POST", fmt.Sprintf("/v2/images/%.0f/actions", backup), object{"type": "convert"})
	d.lag()
	d.want(201, "POST", droplet+"/actions", object{"type": "disable_backups"})
	d.lag()
	if n := len(list(d.get(droplet+"/snapshots"), "snapshots")); n != 1 {
		d.Errorf("%d snapshots after a backup was converted", n)
	}
	d.want(204, "DELETE", droplet, nil)
}

func TestBackupsAreMadeAndKeptByTheirPolicy(t *testing.T) {
	for _, tt := range []struct {
		policy object
		kept   int // after five weeks
		hour   int
	}{
		{object{"plan": "daily", "hour": 8}, 7, 8},
		{object{"plan": "weekly", "weekday": "TUE", "hour": 16}, 4, 16},
	} {
		t.Run(fmt.Sprint(tt.policy["plan"]), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				made := do(t, s, "POST", "/v2/droplets", object{
					"name": "web", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "backups": true, "backup_policy": tt.policy,
				})
				d := "/v2/droplets/" + idOf(made, "droplet", "id")
				window, err := time.Parse(time.RFC3339, fmt.Sprint(at(do(t, s, "GET", d, nil).Body, "droplet", "next_backup_window", "start")))
				if err != nil || window.Hour() != tt.hour || !window.After(time.Now()) || tt.policy["plan"] == "weekly" && window.Weekday() != time.Tuesday {
					t.Errorf("the next window begins at %s, %v", window, err)
				}
				time.Sleep(time.Until(window) + 4*time.Hour)
				backups := list(do(t, s, "GET", d+"/backups", nil), "backups")
				if len(backups) != 1 || at(backups[0], "type") != "backup" {
					t.Fatalf("backups after the first window: %v", backups)
				}
				started, err := time.Parse(time.RFC3339, fmt.Sprint(at(backups[0], "created_at")))
				if err != nil || started.Before(window) || !started.Before(window.Add(4*time.Hour)) {
					t.Errorf("made at %s, %v; the window began at %s", started, err, window)
				}
				time.Sleep(5 * 7 * 24 * time.Hour)
				shown, _ := at(do(t, s, "GET", d, nil).Body, "droplet", "backup_ids").([]any)
				if n := len(list(do(t, s, "GET", d+"/backups", nil), "backups")); n != tt.kept || len(shown) != tt.kept {
					t.Errorf("%d backups after five weeks, %d ids, want %d", n, len(shown), tt.kept)
				}
				if n := len(list(do(t, s, "GET", "/v2/snapshots", nil), "snapshots")); n != 0 {
					t.Errorf("%d backups among the snapshots", n)
				}
				if n := len(list(do(t, s, "GET", "/v2/images?private=true", nil), "images")); n != tt.kept {
					t.Errorf("%d backups among the account's images, want %d", n, tt.kept)
				}
				if leaks := s.Leaks(0); len(leaks) != 1 {
					t.Errorf("leaks: %v, want the droplet alone: nobody asked for a backup", leaks)
				}
				wantStatus(t, "DELETE droplet", do(t, s, "DELETE", d, nil), 204)
				if n := len(s.Truth("snapshot")); n != 0 {
					t.Errorf("%d backups outlive their droplet", n)
				}
				time.Sleep(30 * 24 * time.Hour)
				if n := len(s.Truth("")); n != len(s.Truth("action"))+len(s.Truth("project"))+len(s.Truth("vpc")) {
					t.Errorf("after the droplet is gone there is still %v", s.Truth("snapshot"))
				}
			})
		})
	}
}

// A change of the policy ends the old one: there are not two series.
func TestAChangedPolicyReplacesTheOldOne(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		act(t, s, d, object{"type": "enable_backups", "backup_policy": object{"plan": "daily", "hour": 4}})
		act(t, s, d, object{"type": "change_backup_policy", "backup_policy": object{"plan": "daily", "hour": 12}})
		time.Sleep(5 * 24 * time.Hour)
		if n := len(list(do(t, s, "GET", d+"/backups", nil), "backups")); n != 5 {
			t.Errorf("%d backups in five days, want 5", n)
		}
		act(t, s, d, object{"type": "disable_backups"})
		if got := at(do(t, s, "GET", d, nil).Body, "droplet", "next_backup_window"); got != nil {
			t.Errorf("next window %v without backups", got)
		}
		time.Sleep(3 * 24 * time.Hour)
		if n := len(list(do(t, s, "GET", d+"/backups", nil), "backups")); n != 4 {
			t.Errorf("%d backups three days after they were disabled, want the 4 that are not a week old", n)
		}
	})
}
