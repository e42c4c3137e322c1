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
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestNoDropletStandsWithoutAFirewall looks every second while a stack is made and torn
// down.
func TestNoDropletStandsWithoutAFirewall(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
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
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
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

// TestNoDropletIsUndoneBare has stacks undone whose probe is never content, one with a gate and
// one that has none since its second droplet has no firewall: from when on a droplet is
// behind a firewall it is until its end.
func TestNoDropletIsUndoneBare(t *testing.T) {
	half := strings.NewReplacer("name: everything", "name: half", "firewalls:", "  open: {size: s-1vcpu-1gb, image: debian-12-x64}\nfirewalls:").Replace(everything)
	for name, source := range map[string]string{"gated": everything, "half": half} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				p := bubblePace
				p.settings.Probe = func(context.Context, blueprint.Probe, string) (string, error) { return "", errors.New("no answer") }
				y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
				engine := y.engine(y.options)
				s := y.serve(engine)
				bp, err := s.AddBlueprint(ctx, "b.yaml", []byte(source), "cli:test", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				id := y.begin(s, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main"})
				covered, bare := 0, 0
				for {
					var web, walls int
					for _, l := range y.cloud.Leaks(y.mark) {
						switch {
						case l.Name == "web-web":
							web++
						case strings.HasPrefix(l.Name, "web-edge") || strings.HasPrefix(l.Name, "web-gate"):
							walls++
						}
					}
					switch {
					case web > 0 && walls > 0:
						covered++
					case web > 0 && covered > 0:
						bare++
					}
					row, err := engine.Saga(ctx, id)
					if err != nil {
						t.Fatal(err)
					}
					if row.State.Ended() || row.State == saga.Stuck {
						if row.State != saga.RolledBack || covered == 0 || bare > 0 {
							t.Errorf("it is %s; of %d seconds behind a firewall, %d more were without one", row.State, covered, bare)
						}
						break
					}
					time.Sleep(time.Second)
				}
				if left := untagged(y.kinds()); len(left) != 0 {
					t.Errorf("%q is left", left)
				}
				undone, err := s.Stack(ctx, "acme/web")
				listed, listErr := s.Stacks(ctx, provisioning.StackFilter{})
				if err != nil || listErr != nil || undone.State != provisioning.StackFailed || !strings.Contains(undone.Failure, "no answer") || len(listed) != 1 || listed[0].Failure != undone.Failure {
					t.Errorf("the stack is %s because of %q (%v), and listed: %v", undone.State, undone.Failure, err, listErr)
				}
				if _, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main"}, "cli:test", time.Now()); err != nil {
					t.Errorf("its name is not free: %v", err)
				}
				if _, err := s.PlanStack(ctx, on(provisioning.BackUp), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "is failed") {
					t.Errorf("what there is not is backed up: %v", err)
				}
			})
		})
	}
}
