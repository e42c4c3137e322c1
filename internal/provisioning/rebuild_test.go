package provisioning_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// disks are the URNs of a stack's droplet and volume.
func (y *yard) disks(s *provisioning.Service) (droplet, volume string) {
	y.t.Helper()
	has, err := s.StackResources(y.t.Context(), y.stack(s).ID)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range has {
		switch r.Key {
		case "droplet.web":
			droplet = r.URN
		case "volume.data":
			volume = r.URN
		}
	}
	return droplet, volume
}

// writeMarks writes something on the disks of the stack.
func (y *yard) writeMarks(s *provisioning.Service) {
	y.t.Helper()
	droplet, volume := y.disks(s)
	for urn, text := range map[string]string{droplet: "of the droplet", volume: "of the volume"} {
		if err := y.cloud.WriteDisk(urn, map[string]string{"marker": text}); err != nil {
			y.t.Fatal(err)
		}
	}
}

// marked asks that it is on them.
func (y *yard) marked(s *provisioning.Service, onDroplet bool) {
	y.t.Helper()
	droplet, volume := y.disks(s)
	want := map[string]map[string]string{droplet: {}, volume: {"marker": "of the volume"}}
	if onDroplet {
		want[droplet] = map[string]string{"marker": "of the droplet"}
	}
	for urn, files := range want {
		if is, err := y.cloud.Disk(urn); err != nil || !maps.Equal(is, files) {
			y.t.Errorf("on %s there is %v, want %v: %v", urn, is, files, err)
		}
	}
}

// TestRebuild writes a droplet's disk over: what was on it is in the backup alone, and
// its volume and its addresses stay.
func TestRebuild(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		stack := y.stand(s, engine, lasting)
		before := y.look(s)
		y.writeMarks(s)
		p, _ := y.apply(s, engine, on(provisioning.Rebuild, "image", "ubuntu-24-04-x64"), saga.Completed)
		if len(p.Destroys()) != 1 {
			t.Errorf("the plan destroys %+v", p.Destroys())
		}
		y.inService(s, before)
		y.marked(s, false)
		if r, _ := y.stack(s).Spec.Resource("droplet.web"); r.Droplet.Image != "ubuntu-24-04-x64" {
			t.Errorf("the spec says %s", r.Droplet.Image)
		}
		backups, err := s.Backups(ctx, stack.ID, false)
		if err != nil || len(backups) != 1 || len(backups[0].Items) != 2 {
			t.Fatalf("backups %+v, %v", backups, err)
		}
		y.writeMarks(s)
		y.apply(s, engine, on(provisioning.Rebuild, "backup", "false"), saga.Completed) // with the image that it has
		y.marked(s, false)
		if again, err := s.Backups(ctx, stack.ID, false); err != nil || len(again) != 1 {
			t.Errorf("without a backup there are %d: %v", len(again), err)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Rebuild, "image", "no-such"), "cli:test", time.Now()); !errors.Is(err, fault.NotFound) {
			t.Errorf("an image that there is not: %v", err)
		}
		p, err = s.PlanStack(ctx, on(provisioning.Rebuild), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Protect(ctx, "stack:"+string(stack.ID), "a customer's", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "protected") {
			t.Errorf("a protected stack was rebuilt: %v", err)
		}
	})
}

// TestARebuildIsDoneOnce loses the answers: what was written since the rebuild that came
// about would be lost by another one.
func TestARebuildIsDoneOnce(t *testing.T) {
	for _, kind := range []dosim.FaultKind{dosim.ResetAfter, dosim.ResetBefore, dosim.HTML504, dosim.ResetCommitLate} {
		t.Run(string(kind), func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
				y.stand(s, engine, lasting)
				y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: "/v2/droplets/*/actions"}, Kind: kind, Times: 1})
				y.apply(s, engine, on(provisioning.Rebuild, "backup", "false"), saga.Completed)
				if n := y.rebuilds(); n != 1 {
					t.Errorf("it was rebuilt %d times", n)
				}
			})
		})
	}
}

// rebuilds counts how often a droplet was rebuilt.
func (y *yard) rebuilds() (n int) {
	y.t.Helper()
	for _, one := range y.cloud.Truth("action") {
		var action struct{ Type string }
		if err := json.Unmarshal(one.Data, &action); err != nil {
			y.t.Fatal(err)
		}
		if action.Type == "rebuild" {
			n++
		}
	}
	return n
}

// TestUnwindRebuild cuts a rebuilding with its backup: undone, everything is there, and
// no snapshot; done, it was rebuilt once.
func TestUnwindRebuild(t *testing.T) {
	g := stage[view]{
		set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (before view, _ provisioning.PlanRequest) {
			y.stood(s, engine, lasting)
			before = y.look(s)
			before.droplet.Features = nil
			y.writeMarks(s)
			return before, on(provisioning.Rebuild)
		},
		check: func(t *testing.T, y *yard, s *provisioning.Service, before view, end saga.Saga) {
			y.inService(s, before)
			done, want := end.State == saga.Completed, slices.Clone(lastingWhole)
			if done {
				want = append(want, "snapshot", "volume_snapshot")
			}
			slices.Sort(want)
			if got := untagged(y.kinds()); !slices.Equal(got, want) {
				t.Errorf("%s, and there is %q, want %q", end.State, got, want)
			}
			y.marked(s, !done)
			if n := y.rebuilds(); done && n != 1 || !done && n != 0 {
				t.Errorf("%s, and it was rebuilt %d times", end.State, n)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Pivot: "rebuild", Within: 72 * time.Hour, Bubble: synctest.Test, Sample: 12, Presets: weathers, Build: g.build,
	})
}
