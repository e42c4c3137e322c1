package provisioning_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestNoDropletStandsWithoutAFirewall looks every second while a stack is made and torn
// down.
func TestNoDropletStandsWithoutAFirewall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
		run := func(p provisioning.Plan) {
			t.Helper()
			_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			bare, stood := 0, 0
			for {
				there := y.kinds()
				if slices.Contains(there, "droplet") {
					stood++
					if !slices.Contains(there, "firewall") {
						bare++
					}
				}
				row, err := engine.Saga(ctx, started.ID)
				if err != nil {
					t.Fatal(err)
				}
				if row.State.Ended() || row.State == saga.Stuck {
					if row.State != saga.Completed || bare > 0 || stood == 0 {
						t.Errorf("%s is %s, and of %d seconds with a droplet %d were without a firewall: %+v", row.Kind, row.State, stood, bare, row.Error)
					}
					return
				}
				time.Sleep(time.Second)
			}
		}
		run(y.plan(s))
		if got := untagged(y.kinds()); !slices.Equal(got, whole) {
			t.Errorf("there is %q, want %q", got, whole)
		}
		down, err := s.PlanStack(ctx, on(provisioning.Teardown, "final_snapshot", "false"), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		run(down)
	})
}

// TestAResumedDropletIsBehindAGate resumes from the level at which droplets are gone:
// whatever has the stack's tag is shut off before the first is there, until the stack's
// own firewalls are for it.
func TestAResumedDropletIsBehindAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		y.apply(s, engine, on(provisioning.Suspend, "level", "3"), saga.Completed)
		before := len(y.cloud.Requests(0))
		y.apply(s, engine, on(provisioning.Resume), saga.Completed)
		var order []string
		for _, r := range y.cloud.Requests(0)[before:] {
			kind, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/v2/"), "/")
			if r.Committed && (kind == "firewalls" || r.Path == "/v2/droplets") {
				order = append(order, r.Method+" "+kind)
			}
		}
		if want := []string{"POST firewalls", "POST droplets", "PUT firewalls", "DELETE firewalls"}; !slices.Equal(order, want) {
			t.Errorf("it asked for %q, want %q", order, want)
		}
	})
}
