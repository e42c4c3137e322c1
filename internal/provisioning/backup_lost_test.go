package provisioning_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestALostBackup has somebody delete a snapshot of the newest backup at DigitalOcean: it
// is told as an alarm, nothing is restored from it, and the one before is the last good
// one.
func TestALostBackup(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		i := y.watched(s, engine)
		of := y.stack(s).ID
		for range 2 {
			y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
			time.Sleep(time.Minute)
		}
		y.list(i)
		good, err := s.Backups(ctx, of, false)
		if err != nil || len(good) != 2 || len(good[0].Lost)+len(good[1].Lost) > 0 {
			t.Fatalf("of whole backups there are %+v: %v", good, err)
		}
		if got := y.alarms(s, time.Now()); len(got) != 0 {
			t.Errorf("nothing is lost, and there are the alarms %q", got)
		}
		gone := good[0].Items[0]
		y.meddle(s, "DELETE", "/v2/snapshots/"+gone.Snapshot, "")
		y.list(i)
		all, err := s.Backups(ctx, of, false)
		if err != nil || !slices.Equal(all[0].Lost, []string{gone.Key}) || len(all[1].Lost) > 0 {
			t.Fatalf("after a snapshot of %s was deleted there are %+v: %v", gone.Key, all, err)
		}
		if got := y.alarms(s, time.Now()); len(got) != 1 || !strings.HasPrefix(got[0], "backup_lost of acme/web: ") || !strings.Contains(got[0], gone.Key) {
			t.Errorf("the alarms are %q", got)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Restore, "backup", string(all[0].ID)), "cli:test", time.Now()); !errors.Is(err, fault.NotFound) {
			t.Errorf("a restore from what is lost: %v", err)
		}
		p, err := s.PlanStack(ctx, on(provisioning.Restore), "cli:test", time.Now())
		if err != nil || p.Read["backup"] != string(all[1].ID) {
			t.Errorf("a restore from the newest that is whole reads %q: %v", p.Read, err)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Prune, "backup", string(all[1].ID)), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("the last good backup may be deleted: %v", err)
		}
		y.apply(s, engine, on(provisioning.Prune, "backup", string(all[0].ID)), saga.Completed)
		if left, err := s.Backups(ctx, of, false); err != nil || len(left) != 1 || left[0].ID != all[1].ID {
			t.Errorf("after pruning there are %+v, %v; want the one that is whole", left, err)
		}
		if got := y.alarms(s, time.Now()); len(got) != 0 {
			t.Errorf("once the lost one is deleted too, there are the alarms %q", got)
		}
	})
}
