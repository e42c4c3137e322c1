package provisioning_test

import (
	"context"
	"errors"
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
)

// TestAScheduleBacksUpAndForgets follows a daily schedule that keeps two days: what is due
// begins once whoever asks, what was missed is made up once, what is not kept goes, and the
// last one never does.
func TestAScheduleBacksUpAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		engine := y.engine(y.options)
		s := provisioning.New(y.db, engine, y.steps)
		stack := y.stack(s)
		if _, err := s.SetBackupSchedule(ctx, stack, "0 3 * * *", "Europe/Berlin", blueprint.Retention{}, "cli:test", time.Now()); !errors.Is(err, fault.Invalid) {
			t.Errorf("a schedule that keeps nothing: %v", err)
		}
		set, err := s.SetBackupSchedule(ctx, stack, "0 3 * * *", "Europe/Berlin", blueprint.Retention{Daily: 2}, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		run := func() (backups []provisioning.StackBackup) {
			t.Helper()
			for range 2 { // as two processes do
				if err := s.RunSchedules(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			y.serveFor(engine, 20*time.Minute)
			if err := s.RunSchedules(ctx, time.Now()); err != nil { // what is not kept any more
				t.Fatal(err)
			}
			y.serveFor(engine, 20*time.Minute)
			backups, err := s.Backups(ctx, stack.ID, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := y.snapshots(); len(got) != 2*len(backups) {
				t.Errorf("there are the snapshots %q of %d backups", got, len(backups))
			}
			return backups
		}
		if all := run(); len(all) != 0 {
			t.Errorf("before it is due there is %+v", all)
		}
		time.Sleep(time.Until(set.NextAt))
		if all := run(); len(all) != 1 || all[0].Reason != provisioning.ScheduledBackup {
			t.Fatalf("when it was due there is %+v, want one scheduled backup", all)
		}
		time.Sleep(5 * 24 * time.Hour) // nobody ran it
		if all := run(); len(all) != 2 {
			t.Errorf("after five days that were missed there is %+v, want one more", all)
		}
		time.Sleep(24 * time.Hour)
		all := run()
		if len(all) != 2 || time.Since(all[0].TakenAt) > 3*time.Hour {
			t.Errorf("a day later there is %+v, want two with a new one", all)
		}
		if err := s.RemoveBackupSchedule(ctx, stack, "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * 24 * time.Hour)
		if all := run(); len(all) != 2 {
			t.Errorf("without a schedule there is %+v, want the two that were there", all)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Prune, "backup", string(all[0].ID)), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("to delete the last good backup: %v", err)
		}
		p, err := s.PlanStack(ctx, on(provisioning.Prune, "backup", string(all[1].ID)), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		y.run(engine, started.ID)
		if got := y.snapshots(); len(got) != 2 {
			t.Errorf("after one was deleted by hand there is %q", got)
		}
	})
}

// TestADueBackupBeginsOnce where two processes saw that it is due, and the second goes on
// only when the first one's backup has been made, whether it had planned its own by then or
// not.
func TestADueBackupBeginsOnce(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		set, err := s.SetBackupSchedule(ctx, y.stack(s), "0 3 * * *", "UTC", blueprint.Retention{Daily: 2}, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(set.NextAt))
		due := on(provisioning.BackUp)
		due.Due = set.NextAt
		planned := func() provisioning.PlanID {
			t.Helper()
			p, err := s.PlanStack(ctx, due, "schedule", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return p.ID
		}
		first, before := planned(), planned()
		_, begun, err := s.ApplyPlan(ctx, first, "schedule", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		settle(t, engine, begun.ID, saga.Completed)
		for name, plan := range map[string]provisioning.PlanID{"before": before, "after": planned()} {
			if _, _, err := s.ApplyPlan(ctx, plan, "schedule", time.Now()); !errors.Is(err, fault.Conflict) {
				t.Errorf("planned %s the first backup: %v", name, err)
			}
		}
		if all := y.snapshots(); len(all) != 2 {
			t.Errorf("there are %q", all)
		}
	})
}

// TestABlueprintsPolicyIsFollowed has a stack whose blueprint asks for backups and for
// drills: both begin by themselves, and what somebody took away does not come back.
func TestABlueprintsPolicyIsFollowed(t *testing.T) {
	onBoth(t, func(t *testing.T, y *yard) {
		ctx := t.Context()
		engine := y.engine(y.options)
		s := y.serve(engine)
		source := strings.Replace(everything, "name: everything", "name: careful", 1) + "backup_policy: {schedule: 30 3 * * *, keep: {daily: 3}, drill: 0 5 1 * *}\n"
		if _, err := s.AddBlueprint(ctx, "careful.yaml", []byte(source), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		y.apply(s, engine, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "careful", Tenant: "acme", Name: "web", Account: "main", Zone: "Asia/Tokyo"}, saga.Completed)
		stack := y.stack(s)
		now := time.Now()
		if err := s.RunSchedules(ctx, now); err != nil {
			t.Fatal(err)
		}
		found, err := s.BackupSchedules(ctx, stack.ID)
		if err != nil || len(found) != 1 || found[0].Actor != "blueprint" || found[0].Zone != "Asia/Tokyo" || found[0].Keep.Daily != 3 || !found[0].NextAt.After(now) {
			t.Fatalf("the schedules are %+v: %v", found, err)
		}
		if err := s.RunSchedules(ctx, found[0].NextAt); err != nil {
			t.Fatal(err)
		}
		found, err = s.BackupSchedules(ctx, stack.ID)
		if err != nil || found[0].LastSaga == "" {
			t.Fatalf("when it was due no backup began: %+v %v", found, err)
		}
		settle(t, engine, found[0].LastSaga, saga.Completed)
		if err := s.RemoveBackupSchedule(ctx, stack, "cli:test", now); err != nil {
			t.Fatal(err)
		}
		if err := s.RunSchedules(ctx, now.AddDate(0, 0, 40)); err != nil { // a drill is due
			t.Fatal(err)
		}
		if found, err = s.BackupSchedules(ctx, ""); err != nil || len(found) != 0 {
			t.Errorf("what was taken away is back: %+v %v", found, err)
		}
		drills, err := s.Drills(ctx, stack.ID)
		if err != nil || len(drills) != 1 || drills[0].Outcome != "running" {
			t.Errorf("when one was due there are the drills %+v: %v", drills, err)
		}
	})
}

// serveFor runs an engine for a while.
func (y *yard) serveFor(engine *saga.Engine, d time.Duration) {
	y.t.Helper()
	ctx, stop := context.WithTimeout(y.t.Context(), d)
	defer stop()
	if err := engine.Serve(ctx); err != nil {
		y.t.Fatal(err)
	}
}
