package provisioning_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// alarms are the alarms of the account at an instant, in words.
func (y *yard) alarms(s *provisioning.Service, at time.Time) (words []string) {
	y.t.Helper()
	found, err := s.Alarms(y.t.Context(), "main", at)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, a := range found {
		words = append(words, string(a.Kind)+" of "+a.Slug+"/"+a.Stack.Name+": "+a.Says)
		if !slices.Contains(a.URNs, y.urn(s, a.Stack.ID, "droplet.web")) {
			y.t.Errorf("%s is about %q, not about its droplet", a.Kind, a.URNs)
		}
	}
	return words
}

// TestABackupThatFailsIsAnAlarm has a schedule that nobody follows, one whose backup is
// undone, and one that cannot begin: each is told, once, until a backup was made.
func TestABackupThatFailsIsAnAlarm(t *testing.T) {
	onBoth(t, func(t *testing.T, y *yard) {
		ctx := t.Context()
		y.standing()
		engine := y.engine(y.options)
		s := provisioning.New(y.db, engine, y.steps)
		stack := y.stack(s)
		expect := func(when string, at time.Time, want ...string) { // parts of one, or none
			t.Helper()
			got := y.alarms(s, at)
			if len(got) != min(len(want), 1) {
				t.Errorf("%s the alarms are %q, want one like %q", when, got, want)
				return
			}
			for _, part := range want {
				if !strings.Contains(got[0], part) {
					t.Errorf("%s the alarm is %q, and lacks %q", when, got[0], part)
				}
			}
		}
		now := time.Now()
		expect("without a schedule", now.AddDate(1, 0, 0))
		set, err := s.SetBackupSchedule(ctx, stack, "0 * * * *", "UTC", blueprint.Retention{Daily: 2}, "cli:test", now.Add(-2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		expect("a while after it was due", set.NextAt.Add(2*time.Hour))
		expect("long after it was due", set.NextAt.Add(4*time.Hour), "backup_overdue of acme/web: ")
		if err := s.RunSchedules(ctx, now); err != nil {
			t.Fatal(err)
		}
		begun, err := s.BackupSchedules(ctx, stack.ID)
		if err != nil || begun[0].LastSaga == "" {
			t.Fatalf("no backup began: %+v, %v", begun, err)
		}
		expect("under way", now)
		if _, err := engine.Cancel(ctx, begun[0].LastSaga, saga.Actor{Name: "cli:test", Reason: "test"}); err != nil {
			t.Fatal(err)
		}
		s = y.serve(engine)
		settle(t, engine, begun[0].LastSaga, saga.RolledBack)
		expect("undone", now, "backup_failed of acme/web: The backup by schedule of ")
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		expect("after a backup by hand", time.Now())

		if err := s.Freeze(ctx, provisioning.AccountScope("main"), "the audit", "cli:test", now); err != nil {
			t.Fatal(err)
		}
		if err := s.RunSchedules(ctx, begun[0].NextAt); err != nil {
			t.Fatal(err)
		}
		expect("frozen", begun[0].NextAt, "backup_failed of acme/web: The backup that is due cannot begin: ", "the audit")
		if err := s.RemoveBackupSchedule(ctx, stack, "cli:test", now); err != nil {
			t.Fatal(err)
		}
		expect("once the schedule was taken away", begun[0].NextAt)
	})
}

// TestADrillThatFailsIsAnAlarm until another one passes.
func TestADrillThatFailsIsAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		p := bubblePace
		p.settings.Probe = func(context.Context, blueprint.Probe, string) (string, error) {
			if down {
				return "", errors.New("nobody answers")
			}
			return "it answers", nil
		}
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		for _, down = range []bool{false, true, false} {
			y.apply(s, engine, on(provisioning.TryOut), saga.Completed)
			got := y.alarms(s, time.Now())
			if down && (len(got) != 1 || !strings.HasPrefix(got[0], "drill_failed of acme/web: ") || !strings.Contains(got[0], "nobody answers")) || !down && len(got) > 0 {
				t.Errorf("after a drill with probes that are down (%t): %q", down, got)
			}
		}
	})
}
