package provisioning_test

import (
	"errors"
	"maps"
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
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
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

// TestATeardownKeepsAFinalBackup tears a stack down: its data are in a backup that can be
// restored, its name is held, and it can be taken all the same by who says so.
func TestATeardownKeepsAFinalBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		of := y.stack(s).ID
		y.write(s, "42 rows")
		y.apply(s, engine, on(provisioning.Teardown, "final_days", "9"), saga.Completed)
		all, err := s.Backups(ctx, of, false)
		if err != nil || len(all) != 1 || all[0].Reason != provisioning.FinalBackup || all[0].ExpiresAt.Sub(all[0].TakenAt) != 9*24*time.Hour {
			t.Fatalf("there are the backups %+v: %v", all, err)
		}
		again := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "everything", Tenant: "acme", Name: "web", Account: "main"}
		if _, err := s.PlanStack(ctx, again, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "held until") {
			t.Errorf("the name of a stack that is gone a moment ago: %v", err)
		}
		again.Options = map[string]string{"reuse_name": "true"}
		if _, err := s.PlanStack(ctx, again, "cli:test", time.Now()); err != nil {
			t.Errorf("told to, it is refused all the same: %v", err)
		}
		back := provisioning.PlanRequest{Verb: provisioning.Restore, Stack: string(of), Options: map[string]string{"into": "back", "dns": "true"}}
		p, _ := y.apply(s, engine, back, saga.Completed)
		if got := y.written(s, p.Stack); !maps.Equal(got, wasWritten) {
			t.Errorf("made of the final backup, the disks have %v", got)
		}
	})
}

// TestATeardownWaitsForItsGrace has a teardown, told nothing, wait as the settings say:
// cancelled meanwhile the stack stays, and after it the stack goes.
func TestATeardownWaitsForItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		p := bubblePace
		p.settings.Grace, p.options.Poll = 2*time.Hour, 5*time.Minute
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		there := y.kinds()
		begin := func() saga.ID {
			plan, err := s.PlanStack(ctx, on(provisioning.Teardown), "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(plan.Warnings, " "); !strings.Contains(said, "For 2h0m0s after it is applied nothing is destroyed") {
				t.Errorf("the plan says %q", said)
			}
			_, started, err := s.ApplyPlan(ctx, plan.ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(110 * time.Minute)
			if got := y.kinds(); !slices.Equal(got, there) {
				t.Errorf("ten minutes before that there is %q, want %q", got, there)
			}
			return started.ID
		}
		first := begin()
		if _, err := engine.Cancel(ctx, first, saga.Actor{Name: "cli:test"}); err != nil {
			t.Fatal(err)
		}
		settle(t, engine, first, saga.RolledBack)
		time.Sleep(time.Hour)
		if got, state := y.kinds(), y.stack(s).State; !slices.Equal(got, there) || state != provisioning.StackActive {
			t.Errorf("cancelled, the stack is %s and has %q, want %q", state, got, there)
		}
		settle(t, engine, begin(), saga.Completed)
	})
}

// TestHeldAddressesAreReleasedInTheEnd has a teardown keep its address for a day.
func TestHeldAddressesAreReleasedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		slow := y.options
		slow.Poll = 5 * time.Minute // it has a day to wait
		engine := y.engine(slow)
		s := y.serve(engine)
		p, err := s.PlanStack(t.Context(), on(provisioning.Teardown, "final_snapshot", "false", "quarantine_days", "1", "keep_addresses", "true"), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if got := untagged(y.kinds()); len(got) != 1 || got[0] != "reserved_ip" {
			t.Errorf("two hours later there is %q, want the address alone", got)
		}
		settle(t, engine, started.ID, saga.Completed)
		if got := untagged(y.kinds()); len(got) != 0 {
			t.Errorf("in the end there is %q", got)
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
