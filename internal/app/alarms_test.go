package app

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A backup that nobody makes is reported to the inventory, with the command that mends it.
func TestAlarmsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, d, cloud := t.Context(), dbtest.New(t), dosimtest.Pipe(t, dosim.Options{})
		a := sold(t, d, cloud)
		a.withStacks(t, d, cloud)
		p, err := a.provisioning.PlanStack(ctx, provisioning.PlanRequest{
			Verb: provisioning.Provision, Blueprint: "minimal", Tenant: "acme", Name: "edge", Parameters: map[string]string{"region": "nyc3"},
		}, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := a.provisioning.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		serving, stop := context.WithTimeout(ctx, time.Hour)
		defer stop()
		if err := a.engine.Serve(serving); err != nil {
			t.Fatal(err)
		}
		if made, err := a.engine.Saga(ctx, started.ID); err != nil || made.State != saga.Completed {
			t.Fatal(made.State, err)
		}
		stack, err := a.provisioning.Stack(ctx, "acme/edge")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.provisioning.SetBackupSchedule(ctx, stack, "0 * * * *", "UTC", blueprint.Retention{Daily: 1}, "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if got, err := a.reports(ctx, account); err != nil || len(got) > 0 {
			t.Errorf("before it is due: %+v, %v", got, err)
		}
		time.Sleep(5 * time.Hour)
		got, err := a.reports(ctx, account)
		if err != nil || len(got) != 1 {
			t.Fatalf("after hours: %+v, %v", got, err)
		}
		if r := got[0]; r.Rule != inventory.BackupOverdue || r.Subject != string(stack.ID) || r.Mend != "arcadia stack backup acme/edge" || !strings.HasPrefix(r.Says, "A backup is due since ") || len(r.URNs) == 0 {
			t.Errorf("reported %+v", r)
		}
		if got, err := a.reports(ctx, "another"); err != nil || len(got) > 0 {
			t.Errorf("in another account: %+v, %v", got, err)
		}
	})
}
