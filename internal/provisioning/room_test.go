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

// TestAFullAccountIsForeseen: an account without room is refused a plan, and one that was
// filled since its plan was applied ends the saga at its first step, with nothing made.
func TestAFullAccountIsForeseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		s := provisioning.New(y.db, y.engine(y.options), y.steps)
		most := func(droplets string) {
			t.Helper()
			if err := y.cloud.SetParams(map[string]string{"limit.droplets": droplets}); err != nil {
				t.Fatal(err)
			}
		}
		p := y.plan(s)
		request := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "everything", Tenant: "acme", Name: "more", Account: "main"}
		most("1") // the yard has one
		if _, err := s.PlanStack(ctx, request, "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), "The account has 1 of 1 droplets, and the stack needs 1 more") {
			t.Errorf("in a full account a stack is planned: %v", err)
		}
		if _, _, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("in a full account a plan from before is applied: %v", err)
		}
		most("2")
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		most("1")
		sent := len(y.cloud.Requests(0))
		engine := y.engine(y.options)
		y.serve(engine)
		end := settle(t, engine, started.ID, saga.RolledBack)
		if end.Error == nil || !strings.Contains(end.Error.Message, "Ask DigitalOcean to raise the limit, or make room, and plan again") {
			t.Errorf("it ended with %+v, want how to go on", end.Error)
		}
		for _, r := range y.cloud.Requests(0)[sent:] {
			if r.Method != "GET" {
				t.Errorf("%s %s was sent to a full account", r.Method, r.Path)
			}
		}
		if left := y.kinds(); len(left) != 0 {
			t.Errorf("there is %q", left)
		}
	})
}
