package provisioning_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// onBoth runs a test in a yard on each database.
func onBoth(t *testing.T, run func(t *testing.T, y *yard)) {
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
	t.Run("postgres", func(t *testing.T) {
		run(t, newYard(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil))
	})
}

// snapshots are the kinds of the snapshots that were made since the yard began.
func (y *yard) snapshots() []string {
	return slices.DeleteFunc(y.kinds(), func(k string) bool { return !strings.Contains(k, "snapshot") })
}

// TestABackupIsVerifiedAndListed makes a backup: a snapshot of the droplet and one of the
// volume, which the list names with what a restore needs.
func TestABackupIsVerifiedAndListed(t *testing.T) {
	onBoth(t, func(t *testing.T, y *yard) {
		ctx := t.Context()
		engine := y.engine(y.options)
		s := y.serve(engine)
		_, started, err := s.ApplyPlan(ctx, y.plan(s).ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		settle(t, engine, started.ID, saga.Completed)
		p, started := y.apply(s, engine, on(provisioning.BackUp, "keep_days", "3"), saga.Completed)
		if len(p.Changes) != 2 || p.After < p.Before || p.Calls() != 2 {
			t.Errorf("the plan changes %+v in %d calls", p.Changes, p.Calls())
		}
		all, err := s.Backups(ctx, p.Stack, false)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		b := all[0]
		if b.Reason != provisioning.ManualBackup || b.Saga != started.ID || b.ExpiresAt.Sub(b.TakenAt) != 72*time.Hour {
			t.Errorf("the backup is %+v", b)
		}
		for i, kind := range []string{"droplet", "volume"} {
			if i >= len(b.Items) || b.Items[i].Kind != kind || b.Items[i].Snapshot == "" || b.Items[i].MinDiskGiB < 1 || b.Items[i].SizeGB == "" || b.Items[i].Region != "nyc3" {
				t.Errorf("item %d is not the verified snapshot of a %s: %+v", i, kind, b.Items)
			}
		}
		if got := y.snapshots(); len(got) != 2 {
			t.Errorf("there are the snapshots %q, want two", got)
		}
	})
}

// TestABadCopyIsNoBackup has the volume's snapshot vanish before it is verified: the
// backup fails, is not listed, and leaves nothing.
func TestABadCopyIsNoBackup(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		p, err := s.PlanStack(ctx, on(provisioning.BackUp), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for len(y.snapshots()) < 2 { // both are taken, and not looked at yet
			time.Sleep(time.Second)
		}
		gone := ""
		for _, l := range y.cloud.Leaks(y.mark) {
			if strings.HasPrefix(l.Name, "arcadia-snap-data-") {
				gone = l.URN[strings.LastIndex(l.URN, ":")+1:]
			}
		}
		y.remove("/v2/snapshots/" + gone)
		settle(t, engine, started.ID, saga.RolledBack)
		if all, err := s.Backups(ctx, p.Stack, true); err != nil || len(all) != 0 {
			t.Errorf("a backup without its volume counts: %+v %v", all, err)
		}
		if got := y.snapshots(); len(got) != 0 {
			t.Errorf("%q is left", got)
		}
	})
}

// TestLostAnswersMakeOneBackup loses the answer to each request of a backup three times.
func TestLostAnswersMakeOneBackup(t *testing.T) {
	for _, path := range []string{"/v2/volumes/*/snapshots", "/v2/droplets/*/actions"} {
		for _, kind := range []dosim.FaultKind{dosim.ResetAfter, dosim.ResetBefore} {
			t.Run(path+" "+string(kind), func(t *testing.T) {
				onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
					y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: path}, Kind: kind, Times: 3})
					y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
					if got := y.snapshots(); len(got) != 2 {
						t.Errorf("there are the snapshots %q, want two", got)
					}
				})
			})
		}
	}
}

// TestUnwindBackup cuts the making of a backup: rolled back it leaves no snapshot, and
// completed exactly one of each disk.
func TestUnwindBackup(t *testing.T) {
	g := stage[struct{}]{
		set: func(y *yard, _ *provisioning.Service, _ *saga.Engine) (struct{}, provisioning.PlanRequest) {
			y.standing()
			return struct{}{}, on(provisioning.BackUp)
		},
		check: func(t *testing.T, y *yard, s *provisioning.Service, _ struct{}, end saga.Saga) {
			all, err := s.Backups(t.Context(), y.stack(s).ID, true)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if end.State == saga.Completed {
				want = 1
			}
			if left := y.snapshots(); len(left) != 2*want || len(all) != want {
				t.Errorf("it is %s, there is %q, and %d backups are recorded", end.State, left, len(all))
			}
			if left := untagged(y.kinds()); len(left) != len(whole)+2*want {
				t.Errorf("it is %s, and there is %q", end.State, left)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 15, Presets: weathers, Build: g.build,
	})
}

// TestTheLastBackupThatIsThereStays has somebody delete the snapshots of the newest backup:
// the one before it is all that there is, and stays, though its time is over.
func TestTheLastBackupThatIsThereStays(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		for range 2 {
			y.apply(s, engine, on(provisioning.BackUp, "keep_days", "1"), saga.Completed)
		}
		all, err := s.Backups(ctx, y.stack(s).ID, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range all[0].Items {
			y.remove("/v2/snapshots/" + i.Snapshot)
		}
		time.Sleep(25 * time.Hour)
		for _, r := range []provisioning.PlanRequest{on(provisioning.Prune), on(provisioning.Prune, "backup", string(all[1].ID))} {
			if _, err := s.PlanStack(ctx, r, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "None of the backups") {
				t.Errorf("the last backup that is there would be deleted: %v", err)
			}
		}
		if err := s.RunSchedules(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if got := y.snapshots(); len(got) != 2 {
			t.Errorf("there are the snapshots %q, want those of the older backup", got)
		}
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		y.apply(s, engine, on(provisioning.Prune), saga.Completed)
		if got := y.snapshots(); len(got) != 2 {
			t.Errorf("there are the snapshots %q, want those of the newest backup", got)
		}
	})
}

// TestAKeptSnapshotIsNotPruned: cleanup keep holds for backups whose time is over, too.
func TestAKeptSnapshotIsNotPruned(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		y.apply(s, engine, on(provisioning.BackUp, "keep_days", "1"), saga.Completed)
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		all, err := s.Backups(ctx, y.stack(s).ID, false)
		if err != nil {
			t.Fatal(err)
		}
		kept := "do:snapshot:" + all[1].Items[0].Snapshot
		if err := s.Keep(ctx, kept, "Ann's data", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		if _, err := s.PlanStack(ctx, on(provisioning.Prune, "backup", string(all[1].ID)), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a kept snapshot would be deleted: %v", err)
		}
		if err := s.RunSchedules(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if got := y.snapshots(); len(got) != 4 {
			t.Errorf("there are the snapshots %q, want all four", got)
		}
		if err := s.Unkeep(ctx, kept); err != nil {
			t.Fatal(err)
		}
		y.apply(s, engine, on(provisioning.Prune), saga.Completed)
		if got := y.snapshots(); len(got) != 2 {
			t.Errorf("there are the snapshots %q, want those of the newest backup", got)
		}
	})
}

// remove deletes something as somebody else does.
func (y *yard) remove(path string) {
	y.t.Helper()
	req, err := http.NewRequestWithContext(y.t.Context(), http.MethodDelete, y.cloud.URL+path, http.NoBody)
	if err != nil {
		y.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer dop_v1_somebody_else")
	resp, err := y.cloud.Client.Do(req)
	if err != nil {
		y.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		y.t.Fatalf("%s: %d", path, resp.StatusCode)
	}
}

// TestUnwindExpiry cuts the deleting of a backup: before its point of no return both are
// whole and listed, after it the one is gone with all that it was made of.
func TestUnwindExpiry(t *testing.T) {
	g := stage[[]provisioning.StackBackup]{
		set: func(y *yard, s *provisioning.Service, engine *saga.Engine) ([]provisioning.StackBackup, provisioning.PlanRequest) {
			y.standing()
			y.drive(s, engine, on(provisioning.BackUp))
			y.drive(s, engine, on(provisioning.BackUp))
			before, err := s.Backups(y.t.Context(), y.stack(s).ID, false)
			if err != nil || len(before) != 2 {
				y.t.Fatalf("there are the backups %+v: %v", before, err)
			}
			return before, on(provisioning.Prune, "backup", string(before[1].ID))
		},
		check: func(t *testing.T, y *yard, s *provisioning.Service, before []provisioning.StackBackup, end saga.Saga) {
			want := 2
			if end.State == saga.Completed {
				want = 1
			}
			left, err := s.Backups(t.Context(), y.stack(s).ID, false)
			if err != nil || len(left) != want || left[0].ID != before[0].ID {
				t.Errorf("it is %s, and there are the backups %+v: %v", end.State, left, err)
			}
			if got := y.snapshots(); len(got) != 2*want {
				t.Errorf("it is %s, and there are the snapshots %q of %d backups", end.State, got, want)
			}
			if got := untagged(y.kinds()); len(got) != len(whole)+2*want {
				t.Errorf("it is %s, and there is %q", end.State, got)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Pivot: "point_of_no_return", Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 8, Presets: weathers, Build: g.build,
	})
}
