package inventory_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

func rulesOf(found []inventory.Finding) string {
	var rules []string
	for _, f := range found {
		rules = append(rules, string(f.Rule))
	}
	return strings.Join(rules, " ")
}

// TestFindingsLastAsLongAsWhatTheyAreOf follows a volume that nobody uses, on either
// engine: what is found stays the same finding, can be muted, and ends with its cause.
func TestFindingsLastAsLongAsWhatTheyAreOf(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := cloud.SetPreset("calm"); err != nil {
			t.Fatal(err)
		}
		if err := cloud.SetParams(map[string]string{"action.resize_volume": "0s"}); err != nil {
			t.Fatal(err)
		}
		y, ctx := newYardOf(t, d, cloud, time.Millisecond, "main"), t.Context()
		find := func(f inventory.FindingFilter) []inventory.Finding {
			t.Helper()
			found, err := y.Findings(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		made := y.do("POST", "/v2/volumes", map[string]any{"name": "data", "region": "nyc3", "size_gigabytes": 100})
		id := made["volume"].(map[string]any)["id"].(string)
		y.sync("volume")
		found := find(inventory.FindingFilter{})
		if rulesOf(found) != "unattached_volume unattributed" {
			t.Fatalf("found %s, want a volume that nobody uses and that is nobody's", rulesOf(found))
		}
		idle := found[0]
		if idle.URN != "do:volume:"+id || idle.Monthly != 10_000_000 || idle.Name != "data" || !strings.HasSuffix(idle.Mend, id) {
			t.Errorf("found %+v", idle)
		}

		// What is said shows at once, without a sync.
		addTenant(t, d, "acme")
		rule, _, err := y.AddRule(ctx, inventory.ByName, "data*", "acme", "cli:ops", time.Now(), false)
		if got := rulesOf(find(inventory.FindingFilter{})); err != nil || got != "unattached_volume" {
			t.Errorf("with a rule that says whose it is: %s, %v", got, err)
		}
		if _, err := y.Assign(ctx, []string{idle.URN}, "", "ours", "cli:ops", time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := rulesOf(find(inventory.FindingFilter{})); got != "contradiction unattached_volume" {
			t.Errorf("with a word by hand against the rule: %s", got)
		}
		if _, err := y.RemoveRule(ctx, rule.ID, false); err != nil {
			t.Fatal(err)
		}
		if got := rulesOf(find(inventory.FindingFilter{})); got != "unattached_volume" {
			t.Errorf("without the rule: %s", got)
		}
		var saying sync.WaitGroup
		for range 20 {
			saying.Go(func() {
				if _, err := y.Unassign(ctx, []string{idle.URN}, "cli:ops"); err != nil {
					t.Error(err)
				}
				if got := rulesOf(find(inventory.FindingFilter{})); got != "unattached_volume unattributed" {
					t.Errorf("when it was taken back: %s", got)
				}
			})
		}
		saying.Wait()

		now := time.Now().UTC().Truncate(time.Microsecond)
		for name, m := range map[string]inventory.Mute{
			"no reason": {Reason: " ", At: now}, "too long a reason": {Reason: strings.Repeat("x", 501), At: now}, "a time that is over": {Reason: "x", At: now, Until: now},
		} {
			if _, err := y.Mute(ctx, idle.ID, m); fault.KindOf(err) != fault.Invalid {
				t.Errorf("a mute with %s: %v", name, err)
			}
		}
		if _, err := y.Mute(ctx, "fnd_0", inventory.Mute{Reason: "x", At: now}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a mute of nothing: %v", err)
		}
		until := now.Add(time.Hour)
		muted, err := y.Mute(ctx, idle.ID, inventory.Mute{Reason: "kept for the audit", Actor: "cli:ops", At: now, Until: until})
		if err != nil || muted.Mute == nil || muted.Mute.Reason != "kept for the audit" || !muted.Mute.Until.Equal(until) {
			t.Fatalf("muted: %+v, %v", muted.Mute, err)
		}

		// It grows: the same finding says something else, and is still muted.
		y.do("POST", "/v2/volumes/"+id+"/actions", map[string]any{"type": "resize", "size_gigabytes": 200, "region": "nyc3"})
		y.sync("volume")
		if rulesOf(find(inventory.FindingFilter{})) != "unattributed" {
			t.Errorf("heard of %s, want no word of what is muted", rulesOf(find(inventory.FindingFilter{})))
		}
		all := find(inventory.FindingFilter{Muted: true, Rule: inventory.UnattachedVolume})
		if len(all) != 1 || all[0].ID != idle.ID || all[0].Monthly != 20_000_000 || !all[0].Since.Equal(idle.Since) || all[0].Mute == nil {
			t.Errorf("with what is muted: %+v, want the same as before at twice the price", all)
		}
		if later := find(inventory.FindingFilter{At: until}); len(later) != 2 {
			t.Errorf("when the mute is over one hears of %s", rulesOf(later))
		}
		if back, err := y.Unmute(ctx, idle.ID); err != nil || back.Mute != nil || len(find(inventory.FindingFilter{Account: "main"})) != 2 {
			t.Errorf("unmuted: %+v, %v", back, err)
		}
		if other := find(inventory.FindingFilter{Account: "other"}); len(other) != 0 {
			t.Errorf("in another account: %s", rulesOf(other))
		}

		y.do("DELETE", "/v2/volumes/"+id, nil)
		for range 3 {
			y.sync("volume")
		}
		if left := find(inventory.FindingFilter{Muted: true}); len(left) != 0 {
			t.Errorf("left when it is gone: %s", rulesOf(left))
		}
	})
}
