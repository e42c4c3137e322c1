package provisioning_test

import (
	"errors"
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

// TestASnapshotWaitsWhileChangesAreFrozen: a freeze is no failure, however long it lasts.
func TestASnapshotWaitsWhileChangesAreFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		e := w.engine(w.options)
		s := w.serve(e)
		if err := s.Freeze(t.Context(), provisioning.FreezeAll, "look first", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		started, _, err := s.SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // longer than a step tries
		if row, err := e.Saga(t.Context(), started.ID); err != nil || row.State != saga.Waiting || w.posts() != 0 {
			t.Errorf("frozen, the saga is %s, %d requests were carried out: %v", row.State, w.posts(), err)
		}
		if err := s.Thaw(t.Context(), provisioning.FreezeAll); err != nil {
			t.Fatal(err)
		}
		await(t, e, started.ID, saga.Completed)
	})
}

// TestAProcessIsFrozenByItsEnvironment: what it plans it does not apply, and whoever
// asks is told why.
func TestAProcessIsFrozenByItsEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, p := t.Context(), bubblePace
		p.settings.Frozen = "DigitalOcean has an incident"
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		s := y.serve(y.engine(y.options))
		plan := y.plan(s)
		if len(plan.Warnings) == 0 || !strings.Contains(plan.Warnings[0], "ARCADIA_FROZEN") {
			t.Errorf("the plan does not say that changes are frozen: %q", plan.Warnings)
		}
		if _, _, err := s.ApplyPlan(ctx, plan.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "an incident") {
			t.Errorf("applied while frozen: %v", err)
		}
		if all, err := s.Freezes(ctx); err != nil || len(all) != 1 || all[0].Scope != provisioning.FreezeAll {
			t.Errorf("%+v: %v", all, err)
		}
	})
}
