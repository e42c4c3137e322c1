package inventory_test

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// What others report is a finding from the next sync on, also one by which nothing else
// changed: it is worth what it is about, can be muted, and is over with its cause.
func TestReportsAreFindings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := cloud.SetPreset("calm"); err != nil {
			t.Fatal(err)
		}
		y, ctx := newYardOf(t, d, cloud, time.Millisecond, "main"), t.Context()
		made := y.do("POST", "/v2/volumes", map[string]any{"name": "data", "region": "nyc3", "size_gigabytes": 100})
		urn := "do:volume:" + made["volume"].(map[string]any)["id"].(string)
		find := func() []inventory.Finding {
			t.Helper()
			y.sync("volume")
			found, err := y.Findings(ctx, inventory.FindingFilter{Rule: inventory.BackupFailed})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if got := find(); len(got) > 0 {
			t.Errorf("without a report: %+v", got)
		}
		failed := []inventory.Report{{
			Rule: inventory.BackupFailed, Subject: "stack_1", Name: "acme/web", URNs: []string{urn, "do:droplet:404"}, Says: "It failed.", Mend: "arcadia stack backup acme/web",
		}}
		y.reported = failed
		got := find()
		if len(got) != 1 || got[0].Name != "acme/web" || got[0].Says != "It failed." || got[0].Mend != failed[0].Mend || got[0].Monthly != 10_000_000 || got[0].URN != "" {
			t.Fatalf("found %+v", got)
		}
		if _, err := y.Mute(ctx, got[0].ID, inventory.Mute{Reason: "known", Actor: "test", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got := find(); len(got) > 0 {
			t.Errorf("muted, and heard of: %+v", got)
		}
		y.reported = nil
		find()
		all, err := y.Findings(ctx, inventory.FindingFilter{Rule: inventory.BackupFailed, Muted: true})
		if err != nil || len(all) > 0 {
			t.Errorf("over, and still there: %+v, %v", all, err)
		}
		y.reported = failed
		find()
		all, err = y.Findings(ctx, inventory.FindingFilter{Rule: inventory.BackupFailed, Muted: true})
		if err != nil || len(all) != 1 || all[0].ID != got[0].ID || all[0].Mute == nil {
			t.Errorf("back again it is %+v, %v", all, err)
		}
	})
}
