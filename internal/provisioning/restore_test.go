package provisioning_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// urn is the URN of a resource of a stack.
func (y *yard) urn(s *provisioning.Service, of provisioning.StackID, key string) string {
	y.t.Helper()
	has, err := s.StackResources(y.t.Context(), of)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range has {
		if r.Key == key {
			return r.URN
		}
	}
	y.t.Fatalf("stack %s has no %s: %+v", of, key, has)
	return ""
}

// write writes a data marker on both disks of the stack web, and written reads them.
func (y *yard) write(s *provisioning.Service, text string) {
	y.t.Helper()
	of := y.stack(s).ID
	for _, key := range []string{"droplet.web", "volume.data"} {
		if err := y.cloud.WriteDisk(y.urn(s, of, key), map[string]string{"orders": text}); err != nil {
			y.t.Fatal(err)
		}
	}
}

func (y *yard) written(s *provisioning.Service, of provisioning.StackID) map[string]string {
	y.t.Helper()
	all := map[string]string{}
	for _, key := range []string{"droplet.web", "volume.data"} {
		files, err := y.cloud.Disk(y.urn(s, of, key))
		if err != nil {
			y.t.Fatal(err)
		}
		all[key] = files["orders"]
	}
	return all
}

var wasWritten = map[string]string{"droplet.web": "42 rows", "volume.data": "42 rows"}

// TestARestoreBringsTheDataBack writes a marker, backs up, writes another one over it and
// restores: in place the first is back on both disks, and the second is in the safety
// backup; into a new stack it is there too, and the old one stays as it is.
func TestARestoreBringsTheDataBack(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		_, started, err := s.ApplyPlan(ctx, y.plan(s).ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		settle(t, engine, started.ID, saga.Completed)
		of := y.stack(s).ID
		y.write(s, "42 rows")
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		y.write(s, "nothing")
		bare, err := s.PlanStack(ctx, on(provisioning.Restore, "safety_backup", "false"), "cli:test", time.Now())
		if err != nil || bare.Before < 6_000_000 || bare.Before != bare.After {
			t.Errorf("without a safety backup a month costs %d before and %d after, want what the stack costs: %v", bare.Before, bare.After, err)
		}
		if len(bare.Destroys()) != 2 || slices.ContainsFunc(bare.Destroys(), func(c provisioning.Change) bool { return !c.Stays || c.Monthly == nil || *c.Monthly != 0 }) {
			t.Errorf("what is written over changes what a month costs: %+v", bare.Destroys())
		}
		p, _ := y.apply(s, engine, on(provisioning.Restore), saga.Completed)
		if got := y.written(s, of); !maps.Equal(got, wasWritten) {
			t.Errorf("restored, the disks have %v", got)
		}
		if len(p.Destroys()) != 2 {
			t.Errorf("the plan destroys %+v, want what is on both disks", p.Destroys())
		}
		volume, err := y.client.Volume(ctx, strings.TrimPrefix(y.urn(s, of, "volume.data"), "do:volume:"))
		if err != nil || len(volume.Droplets) != 1 {
			t.Errorf("restored, the volume is %+v: %v", volume, err)
		}
		all, err := s.Backups(ctx, of, false)
		if err != nil || len(all) != 2 || all[0].Reason != provisioning.SafetyBackup {
			t.Fatalf("there are the backups %+v, want a safety backup too: %v", all, err)
		}
		into, _ := y.apply(s, engine, on(provisioning.Restore, "into", "copy", "backup", string(all[0].ID)), saga.Completed)
		want := map[string]string{"droplet.web": "nothing", "volume.data": "nothing"}
		if got := y.written(s, into.Stack); into.Stack == of || !maps.Equal(got, want) {
			t.Errorf("the new stack %s has %v, want what the safety backup has", into.Stack, got)
		}
		if got := y.written(s, of); !maps.Equal(got, wasWritten) {
			t.Errorf("the old stack has %v after it was copied", got)
		}
	})
}

// TestANewVolumeIsNotKnownEverywhere: the volume that a restore has just made is not there yet
// for the request that attaches it. Behind the point of no return it waits and asks again.
func TestANewVolumeIsNotKnownEverywhere(t *testing.T) {
	onStack(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: "/v2/volumes/*/actions", Nth: 2}, Kind: dosim.NotFound404, Times: 1}) // the first detaches
		y.apply(s, engine, on(provisioning.Restore, "safety_backup", "false"), saga.Completed)
		volume, err := y.client.Volume(t.Context(), strings.TrimPrefix(y.urn(s, y.stack(s).ID, "volume.data"), "do:volume:"))
		if err != nil || len(volume.Droplets) != 1 {
			t.Errorf("restored, the volume is %+v: %v", volume, err)
		}
	})
}

// TestUnwindRestore cuts a restore in place: before its point of no return the disks stay
// as they are, after it they are what the backup has.
func TestUnwindRestore(t *testing.T) {
	g := stage[struct{}]{
		set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (struct{}, provisioning.PlanRequest) {
			y.standing()
			y.write(s, "42 rows")
			y.drive(s, engine, on(provisioning.BackUp))
			y.write(s, "nothing")
			return struct{}{}, on(provisioning.Restore)
		},
		check: func(t *testing.T, y *yard, s *provisioning.Service, _ struct{}, end saga.Saga) {
			want, snapshots := wasWritten, 4
			if end.State == saga.RolledBack {
				want, snapshots = map[string]string{"droplet.web": "nothing", "volume.data": "nothing"}, 2
			}
			if got := y.written(s, y.stack(s).ID); !maps.Equal(got, want) {
				t.Errorf("it is %s, and the disks have %v", end.State, got)
			}
			if left := y.snapshots(); len(left) != snapshots {
				t.Errorf("it is %s, and there are the snapshots %q, want %d", end.State, left, snapshots)
			}
			if left := untagged(y.kinds()); len(left) != len(whole)+snapshots {
				t.Errorf("it is %s, and there is %q", end.State, left)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Pivot: "point_of_no_return", Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 10, Presets: weathers, Build: g.build,
	})
}

// TestUnwindRestoreInto cuts the making of a new stack of a backup: it is there whole, with
// what was backed up on its disks, or nothing of it is; the old one and the backup stay.
func TestUnwindRestoreInto(t *testing.T) {
	g := stage[[]string]{
		set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (held []string, _ provisioning.PlanRequest) {
			y.standing()
			y.write(s, "42 rows")
			y.drive(s, engine, on(provisioning.BackUp))
			y.write(s, "more")
			return untagged(y.kinds()), on(provisioning.Restore, "into", "copy")
		},
		check: func(t *testing.T, y *yard, s *provisioning.Service, held []string, end saga.Saga) {
			copied, err := s.Stack(t.Context(), "copy")
			if err != nil {
				t.Fatal(err)
			}
			want := held
			if end.State == saga.Completed {
				// Its records would be those of the stack that has them.
				want = slices.Sorted(slices.Values(append(slices.Clone(held), whole[1:]...)))
				if got := y.written(s, copied.ID); !maps.Equal(got, wasWritten) {
					t.Errorf("the new stack's disks have %v", got)
				}
			}
			if got := untagged(y.kinds()); !slices.Equal(got, want) {
				t.Errorf("it is %s, and there is %q, want %q", end.State, got, want)
			}
			if (copied.State == provisioning.StackActive) != (end.State == saga.Completed) {
				t.Errorf("it is %s, and the new stack is %s", end.State, copied.State)
			}
			if got := y.written(s, y.stack(s).ID); got["volume.data"] != "more" || got["droplet.web"] != "more" {
				t.Errorf("the old stack's disks have %v", got)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 8, Presets: weathers, Build: g.build,
	})
}
