package provisioning_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// TestATeardownKeepsAFinalBackup tears a stack down that is in service, and one that is
// archived: its data are in a backup that can be restored, its name is held, and it can be
// taken all the same by who says so.
func TestATeardownKeepsAFinalBackup(t *testing.T) {
	for _, archived := range []bool{false, true} {
		t.Run(fmt.Sprintf("archived %v", archived), func(t *testing.T) { keepsAFinalBackup(t, archived) })
	}
}

func keepsAFinalBackup(t *testing.T, archived bool) {
	t.Helper()
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		of := y.stack(s).ID
		if _, err := s.SetBackupSchedule(ctx, y.stack(s), "0 3 * * *", "UTC", blueprint.Retention{Daily: 2}, "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		y.write(s, "42 rows")
		if archived {
			y.apply(s, engine, on(provisioning.Suspend, "level", "3"), saga.Completed)
		}
		began := time.Now()
		plan, _ := y.apply(s, engine, on(provisioning.Teardown, "final_days", "9"), saga.Completed)
		all, err := s.Backups(ctx, of, false)
		if err != nil || len(all) != 1 || all[0].Reason != provisioning.FinalBackup || len(all[0].Items) != 2 || all[0].ExpiresAt.Sub(began).Round(time.Hour) != 9*24*time.Hour {
			t.Fatalf("there are the backups %+v: %v", all, err)
		}
		if archived != all[0].TakenAt.Before(began) {
			t.Errorf("the backup was taken at %s, and the teardown began at %s", all[0].TakenAt, began)
		}
		if slices.ContainsFunc(plan.Destroys(), func(c provisioning.Change) bool { return c.Kind == "snapshot" }) {
			t.Errorf("the plan destroys %+v, and keeps its snapshots", plan.Destroys())
		}
		if by, err := s.BackupSchedules(ctx, ""); err != nil || len(by) != 0 {
			t.Errorf("torn down, it is to be backed up by %+v, %v", by, err)
		}
		if left := y.snapshots(); len(left) != 2 {
			t.Errorf("torn down, there are the snapshots %q, want the two of the backup", left)
		}
		if gone, err := s.Stack(ctx, string(of)); err != nil || gone.State != provisioning.StackGone || gone.Level != 0 {
			t.Errorf("torn down, it is %s at level %d, %v", gone.State, gone.Level, err)
		}
		if _, err := s.Stack(ctx, "acme/web"); !errors.Is(err, fault.NotFound) || !strings.Contains(fault.Message(err), "arcadia stack backups "+string(of)) {
			t.Errorf("asked for by its name, it is answered with %v, want where its backups are", err)
		}
		again := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "everything", Tenant: "acme", Name: "web", Account: "main"}
		if _, err := s.PlanStack(ctx, again, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "held until") {
			t.Errorf("the name of a stack that is gone a moment ago: %v", err)
		}
		again.Options = map[string]string{"reuse_name": "true"}
		if _, err := s.PlanStack(ctx, again, "cli:test", time.Now()); err != nil {
			t.Errorf("told to, it is refused all the same: %v", err)
		}
		back := provisioning.PlanRequest{Verb: provisioning.Restore, Stack: string(of), Options: map[string]string{"into": "back", "dns": "true"}}
		p, _ := y.apply(s, engine, back, saga.Completed)
		if got := y.written(s, p.Stack); !maps.Equal(got, wasWritten) {
			t.Errorf("made of the final backup, the disks have %v", got)
		}
	})
}

// TestATeardownPassesOverWhatIsGone: the plan says which droplet somebody has destroyed
// already, and the final backup is of what is left. One that goes while the teardown waits
// for its grace leaves the stack as it is, until it is planned anew.
func TestATeardownPassesOverWhatIsGone(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		of := y.stand(s, engine, everything).ID
		time.Sleep(y.horizon())
		early, err := s.PlanStack(ctx, on(provisioning.Teardown, "grace", "1h"), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		stale, err := s.PlanStack(ctx, on(provisioning.Teardown), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, early.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		y.meddle(s, "DELETE", "/v2/droplets/{droplet.web}", "")
		end := settle(t, engine, started.ID, saga.RolledBack)
		if end.Error == nil || !strings.Contains(end.Error.Message, "Plan the teardown anew") {
			t.Errorf("its droplet went while it waited, and it ended with %+v", end.Error)
		}
		time.Sleep(y.horizon())
		if _, _, err := s.ApplyPlan(ctx, stale.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "is not there any more") {
			t.Errorf("a plan from before the droplet went: %v", err)
		}
		p, _ := y.apply(s, engine, on(provisioning.Teardown), saga.Completed)
		if said := strings.Join(p.Warnings, " "); !strings.Contains(said, "droplet.web (do:droplet:") || !strings.Contains(said, "is not there any more") {
			t.Errorf("the plan says %q", said)
		}
		if slices.ContainsFunc(p.Changes, func(c provisioning.Change) bool { return c.Kind == "droplet" || c.Key == "snapshot.droplet.web" }) {
			t.Errorf("the plan of what has no droplet changes %+v", p.Changes)
		}
		all, err := s.Backups(ctx, of, false)
		if err != nil || len(all) != 1 || len(all[0].Items) != 1 || all[0].Items[0].Key != "volume.data" {
			t.Errorf("the backups are %+v, %v; want one of the volume", all, err)
		}
		if left := untagged(y.kinds()); len(left) != 1 || len(y.snapshots()) != 1 {
			t.Errorf("torn down, there is %q, want the volume's snapshot", left)
		}
		time.Sleep(y.horizon()) // until its record is listed no more
		back := provisioning.PlanRequest{Verb: provisioning.Restore, Stack: string(of), Options: map[string]string{"into": "back", "dns": "true"}}
		if p, _ := y.apply(s, engine, back, saga.Completed); len(p.Changes) == 0 {
			t.Errorf("a stack of that backup changes nothing")
		}
	})
}

// TestATeardownWaitsForItsGrace has a teardown, told nothing, wait as the settings say:
// cancelled meanwhile the stack stays, and after it the stack goes.
func TestATeardownWaitsForItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		p := bubblePace
		p.settings.Grace, p.options.Poll = 2*time.Hour, 5*time.Minute
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		there := y.kinds()
		begin := func() saga.ID {
			plan, err := s.PlanStack(ctx, on(provisioning.Teardown), "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(plan.Warnings, " "); !strings.Contains(said, "For 2h0m0s after it is applied nothing is destroyed") {
				t.Errorf("the plan says %q", said)
			}
			_, started, err := s.ApplyPlan(ctx, plan.ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(110 * time.Minute)
			if got := y.kinds(); !slices.Equal(got, there) {
				t.Errorf("ten minutes before that there is %q, want %q", got, there)
			}
			return started.ID
		}
		first := begin()
		if _, err := engine.Cancel(ctx, first, saga.Actor{Name: "cli:test"}); err != nil {
			t.Fatal(err)
		}
		settle(t, engine, first, saga.RolledBack)
		time.Sleep(time.Hour)
		if got, state := y.kinds(), y.stack(s).State; !slices.Equal(got, there) || state != provisioning.StackActive {
			t.Errorf("cancelled, the stack is %s and has %q, want %q", state, got, there)
		}
		settle(t, engine, begin(), saga.Completed)
	})
}

// TestHeldAddressesAreReleasedInTheEnd has a teardown keep its address for a day.
func TestHeldAddressesAreReleasedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		slow := y.options
		slow.Poll = 5 * time.Minute // it has a day to wait
		engine := y.engine(slow)
		s := y.serve(engine)
		p, err := s.PlanStack(t.Context(), on(provisioning.Teardown, "final_snapshot", "false", "quarantine_days", "1", "keep_addresses", "true"), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if got := untagged(y.kinds()); len(got) != 1 || got[0] != "reserved_ip" {
			t.Errorf("two hours later there is %q, want the address alone", got)
		}
		settle(t, engine, started.ID, saga.Completed)
		if got := untagged(y.kinds()); len(got) != 0 {
			t.Errorf("in the end there is %q", got)
		}
	})
}

// TestUnwindTeardown cuts the tearing down of a stack: before its point of no return the
// stack stays whole, after it nothing stays but its final backup.
func TestUnwindTeardown(t *testing.T) {
	for _, archived := range []bool{false, true} {
		g := stage[[]string]{
			set: func(y *yard, s *provisioning.Service, engine *saga.Engine) ([]string, provisioning.PlanRequest) {
				y.standing()
				if archived {
					y.drive(s, engine, on(provisioning.Suspend, "level", "3"))
					time.Sleep(12 * y.options.Poll) // until lists show it
				}
				return untagged(y.kinds()), on(provisioning.Teardown)
			},
			check: func(t *testing.T, y *yard, s *provisioning.Service, before []string, end saga.Saga) {
				left := untagged(y.kinds())
				if end.State == saga.Completed && (len(left) != 2 || len(y.snapshots()) != 2) || end.State == saga.RolledBack && !slices.Equal(left, before) {
					t.Errorf("it is %s, and there is %q", end.State, left)
				}
				kept, err := s.Backups(t.Context(), "", false)
				if err != nil || end.State == saga.Completed && len(kept) != 1 || end.State == saga.RolledBack && len(kept) != 0 {
					t.Errorf("it is %s, and has %d backups, %v", end.State, len(kept), err)
				}
				if end.State != saga.RolledBack || archived {
					return
				}
				if is := y.look(s); is.droplet.Status != "active" {
					t.Errorf("it was taken back, and the droplet is %s", is.droplet.Status)
				}
			},
		}
		t.Run(fmt.Sprintf("archived %v", archived), func(t *testing.T) {
			sagatest.Unwind(t, sagatest.Case{
				Ends: saga.Completed, Pivot: "point_of_no_return", Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 15, Presets: weathers, Build: g.build,
			})
		})
	}
}
