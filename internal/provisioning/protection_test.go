package provisioning_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestProtectedWhileItIsCopied protects a stack while the saga that is to destroy it, or
// what is on it, takes its snapshots: it undoes itself, and says why.
func TestProtectedWhileItIsCopied(t *testing.T) {
	for _, r := range []provisioning.PlanRequest{
		on(provisioning.Teardown), on(provisioning.Suspend, "level", "3"), on(provisioning.Restore), on(provisioning.Rebuild),
	} {
		t.Run(string(r.Verb), func(t *testing.T) {
			onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
				if r.Verb == provisioning.Restore {
					y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
				}
				before, sent := y.snapshots(), len(y.cloud.Requests(0))
				id := y.begin(s, r)
				for len(y.snapshots()) == len(before) {
					time.Sleep(time.Second)
				}
				if err := s.Protect(t.Context(), "stack:"+string(y.stack(s).ID), "stop", "cli:test", time.Now()); err != nil {
					t.Fatal(err)
				}
				end := settle(t, engine, id, saga.RolledBack)
				if end.Error == nil || !strings.Contains(end.Error.Message, "is protected (stack:") {
					t.Errorf("it says %+v, and not why it turned back", end.Error)
				}
				if got := y.kinds(); !slices.Contains(got, "droplet") || !slices.Contains(got, "volume") {
					t.Errorf("there is %q", got)
				}
				if got := y.snapshots(); !slices.Equal(got, before) {
					t.Errorf("there are the snapshots %q, want %q", got, before)
				}
				for _, request := range y.cloud.Requests(0)[sent:] {
					if request.Method == "DELETE" && !strings.HasPrefix(request.Path, "/v2/snapshots/") {
						t.Errorf("%s %s was sent", request.Method, request.Path)
					}
				}
			})
		})
	}
}

// TestProtectedWhileItIsTornDown protects what is left of a stack behind the point of no
// return, by its tenant: the write guard lets nothing more of it go, until that ends.
func TestProtectedWhileItIsTornDown(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		id := y.begin(s, on(provisioning.Teardown, "final_snapshot", "false"))
		for slices.Contains(y.kinds(), "domain_record") {
			time.Sleep(time.Second)
		}
		of := "tenant:" + string(y.stack(s).Tenant)
		if err := s.Protect(t.Context(), of, "stop", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		left := y.kinds()
		time.Sleep(time.Hour)
		if now := y.kinds(); !slices.Equal(now, left) || !slices.Contains(now, "droplet") {
			t.Errorf("of %q there is %q left", left, now)
		}
		if row, err := engine.Saga(t.Context(), id); err != nil || row.State != saga.Waiting || row.Wait == nil || !strings.Contains(row.Wait.Reason, "is protected") {
			t.Errorf("protected, the saga is %s, waits for %+v: %v", row.State, row.Wait, err)
		}
		if err := s.Unprotect(t.Context(), of); err != nil {
			t.Fatal(err)
		}
		settle(t, engine, id, saga.Completed)
		if now := untagged(y.kinds()); len(now) != 0 {
			t.Errorf("torn down, and %q is left", now)
		}
	})
}

// TestAProtectedStackIsResumed: what a suspension added to a stack goes, whatever protects
// the stack; snapshots stay as a backup of it.
func TestAProtectedStackIsResumed(t *testing.T) {
	for level, kept := range map[string]int{"1": 0, "3": 2} {
		inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
			of := y.stand(s, engine, lasting)
			y.apply(s, engine, on(provisioning.Suspend, "level", level), saga.Completed)
			if err := s.Protect(t.Context(), "stack:"+string(of.ID), "a customer's", "cli:test", time.Now()); err != nil {
				t.Fatal(err)
			}
			y.apply(s, engine, on(provisioning.Resume), saga.Completed)
			if got, all := y.snapshots(), must(s.Backups(t.Context(), of.ID, false)); len(got) != kept || len(all) != kept/2 {
				t.Errorf("resumed from level %s, %q is left, and %d backups", level, got, len(all))
			}
		})
	}
}
