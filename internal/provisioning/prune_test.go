package provisioning_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// backlog is a yard with a stack and n backups, of two snapshots each, of which the time of
// all but the newest is over; the newest first.
func backlog(t *testing.T, most provisioning.DestroyCap, n int) (*yard, *saga.Engine, *provisioning.Service, []provisioning.StackBackup) {
	t.Helper()
	p := bubblePace
	p.settings.Destroys = most
	y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
	s := y.standing()
	engine := y.engine(y.options)
	for range n {
		y.drive(s, engine, on(provisioning.BackUp, "keep_days", "1"))
	}
	all, err := s.Backups(t.Context(), y.stack(s).ID, false)
	if err != nil || len(all) != n {
		t.Fatal(all, err)
	}
	time.Sleep(25 * time.Hour) // no engine serves meanwhile
	return y, engine, s, all
}

// TestWhatCannotBeginRests: while an account is frozen no plan is made of what is due, and
// where nothing that would stay can be restored, DigitalOcean is asked every ten minutes and
// not at every look.
func TestWhatCannotBeginRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y, engine, s, all := backlog(t, provisioning.DestroyCap{}, 2)
		looks := func(n int) (plans, requests int) {
			t.Helper()
			before, err := s.Plans(ctx, "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			sent := len(y.cloud.Requests(0))
			for range n {
				if err := s.RunSchedules(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
			}
			after, err := s.Plans(ctx, "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			return len(after) - len(before), len(y.cloud.Requests(0)) - sent
		}
		if err := s.Freeze(ctx, provisioning.AccountScope("main"), "look first", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if plans, requests := looks(20); plans != 0 || requests != 0 {
			t.Errorf("frozen, %d plans were made with %d requests, want none", plans, requests)
		}
		if err := s.Thaw(ctx, provisioning.AccountScope("main")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		for _, i := range all[0].Items {
			y.hand().ask("DELETE", "/v2/snapshots/"+i.Snapshot, "")
		}
		time.Sleep(10 * time.Minute)
		_, once := looks(1)
		if _, requests := looks(9); once == 0 || requests != 0 {
			t.Errorf("nothing that stays can be restored: one look took %d requests and the nine after it %d, want some and none", once, requests)
		}
		if _, again := looks(1); again != once {
			t.Errorf("ten minutes later it took %d requests, want %d again", again, once)
		}
		y.drive(s, engine, on(provisioning.BackUp))
		time.Sleep(10 * time.Minute)
		if plans, _ := looks(1); plans != 1 {
			t.Errorf("once there is a good backup %d plans were made, want one", plans)
		}
	})
}

// TestAPruneDoesWhatOneOperationMay has a backlog that is more than one saga may destroy:
// each run takes the oldest that it may, until only the newest is left. One backup that
// is by itself too much is refused, with the cap.
func TestAPruneDoesWhatOneOperationMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y, engine, s, all := backlog(t, provisioning.DestroyCap{Operation: 5}, 6)
		p, err := s.PlanStack(ctx, on(provisioning.Prune), "cli:test", time.Now())
		if err != nil {
			t.Fatalf("a backlog is refused as a whole: %v", err)
		}
		var planned []string
		for _, one := range p.Destroys() {
			planned = append(planned, plainID(one.URN))
		}
		var oldest []string
		for _, b := range all[4:] {
			for _, i := range b.Items {
				oldest = append(oldest, i.Snapshot)
			}
		}
		slices.Sort(planned)
		slices.Sort(oldest)
		if !slices.Equal(planned, oldest) || !strings.Contains(strings.Join(p.Warnings, " "), "3 more backups whose time is over stay until the next pruning") {
			t.Errorf("it would delete %q with the warning %q, want the two oldest: %q", planned, p.Warnings, oldest)
		}
		for _, left := range []int{8, 4, 2, 2} {
			if err := s.RunSchedules(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
			y.serveFor(engine, 5*time.Minute)
			if got := y.snapshots(); len(got) != left {
				t.Errorf("after a run there are %d snapshots, want %d", len(got), left)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		_, _, s, all := backlog(t, provisioning.DestroyCap{Operation: 1}, 2)
		for _, r := range []provisioning.PlanRequest{on(provisioning.Prune), on(provisioning.Prune, "backup", string(all[1].ID))} {
			if _, err := s.PlanStack(t.Context(), r, "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), "ARCADIA_DESTROY_CAP_OPERATION") {
				t.Errorf("a backup of more than one operation may destroy: %v", err)
			}
		}
	})
}

// TestAPruneWaitsForTheCapOfAnHour has a prune reach its account's cap after its pivot: it
// waits, begins no second one beside it, and goes on within the next hour by itself.
func TestAPruneWaitsForTheCapOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y, engine, s, _ := backlog(t, provisioning.DestroyCap{Hour: 3}, 4)
		for range 3 {
			if err := s.RunSchedules(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
			y.serveFor(engine, 5*time.Minute)
		}
		sagas, _, err := engine.Sagas(ctx, saga.Filter{Kind: provisioning.ExpireBackupsKind})
		if err != nil || len(sagas) != 1 || sagas[0].State != saga.Waiting {
			t.Fatalf("at the cap of an hour there are %d sagas, the first %s: %v; want one that waits", len(sagas), sagas[0].State, err)
		}
		if got := y.snapshots(); len(got) != 5 {
			t.Errorf("within the first hour %d of 8 snapshots are left, want 5", len(got))
		}
		y.serveFor(engine, time.Hour)
		if got := y.snapshots(); len(got) != 2 {
			t.Errorf("within the second hour %d snapshots are left, want those of the newest backup", len(got))
		}
	})
}

// TestWhatIsKeptWhileAPruneRunsStays: before its pivot a prune lets a whole backup be of
// which a snapshot is kept since, and after it the one snapshot, without waiting for it.
func TestWhatIsKeptWhileAPruneRunsStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y, engine, s, all := backlog(t, provisioning.DestroyCap{Hour: 1}, 3)
		p, err := s.PlanStack(ctx, on(provisioning.Prune), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Keep(ctx, "do:snapshot:"+all[2].Items[1].Snapshot, "Ann's data", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		y.serveFor(engine, 5*time.Minute)
		if left, err := s.Backups(ctx, y.stack(s).ID, false); err != nil || len(left) != 2 || left[1].ID != all[2].ID {
			t.Errorf("there are %d backups, %v; want the newest and the one that is kept", len(left), err)
		}
		if got := y.snapshots(); len(got) != 5 {
			t.Errorf("%d of 6 snapshots are left, want 5: the cap is one an hour", len(got))
		}
		there := 0
		for _, i := range all[1].Items {
			switch err := s.Keep(ctx, "do:snapshot:"+i.Snapshot, "Ann's data", "cli:test", time.Now()); {
			case err == nil:
				there++
			case !errors.Is(err, fault.NotFound):
				t.Error(err)
			}
		}
		if there != 1 {
			t.Errorf("%d snapshots of the second can be kept, want the one that is there", there)
		}
		y.serveFor(engine, time.Hour)
		if end, err := engine.Saga(ctx, started.ID); err != nil || end.State != saga.Completed {
			t.Errorf("the prune is %s, and not completed: %+v %v", end.State, end.Wait, err)
		}
		if got := y.snapshots(); len(got) != 5 {
			t.Errorf("%d of 6 snapshots are left, want 5: the second is kept", len(got))
		}
	})
}

// TestAPruneDeletesOnlyWhatTheBackupWasMadeOf: a snapshot that does not have the name that
// the backup's saga gave it is somebody's, and nothing of the backup is deleted.
func TestAPruneDeletesOnlyWhatTheBackupWasMadeOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y, engine, s, all := backlog(t, provisioning.DestroyCap{}, 2)
		if err := y.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE stack_backup_items SET marker = 'another' WHERE backup_id = $1 AND kind = 'volume'`, string(all[1].ID))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		id := y.begin(s, on(provisioning.Prune))
		y.serveFor(engine, 5*time.Minute)
		end, err := engine.Saga(ctx, id)
		left, listErr := s.Backups(ctx, y.stack(s).ID, false)
		if err != nil || listErr != nil || end.State != saga.RolledBack || len(left) != 2 || len(y.snapshots()) != 4 {
			t.Errorf("the prune is %s (%v), and %d backups (%v) of %d snapshots are left; want both of all four", end.State, err, len(left), listErr, len(y.snapshots()))
		}
	})
}

// TestABlueprintThatIsUsedNeverChanges: until a stack is made of a version it may be given
// anew, and from then on only as it was.
func TestABlueprintThatIsUsedNeverChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		s := provisioning.New(y.db, y.engine(y.options), y.steps)
		add := func(tags string) error {
			_, err := s.AddBlueprint(t.Context(), "b.yaml", []byte(strings.Replace(everything, "tags: [test]", "tags: ["+tags+"]", 1)), "cli:test", time.Now())
			return err
		}
		for _, tags := range []string{"before", "test"} {
			if err := add(tags); err != nil {
				t.Errorf("before it is used: %v", err)
			}
		}
		y.standing()
		if err := add("after"); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "version 2") {
			t.Errorf("what a stack was made of is changed: %v", err)
		}
		if err := add("test"); err != nil {
			t.Errorf("the same once more: %v", err)
		}
	})
}
