package provisioning_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestStacksOnPostgres does once on PostgreSQL, over sockets, what other tests do in
// bubbles, each to a stack of its own.
func TestStacksOnPostgres(t *testing.T) {
	t.Parallel() // it waits more than it works
	type act = func(t *testing.T, y *yard, s *provisioning.Service, do func(verb provisioning.Verb, options ...string), before view)
	suspended := func(level string) act {
		return func(_ *testing.T, y *yard, s *provisioning.Service, do func(provisioning.Verb, ...string), before view) {
			y.writeMarks(s)
			do(provisioning.Suspend, "level", level)
			y.suspended(s, level, before)
			do(provisioning.Resume)
			y.inService(s, before)
			y.marked(s, true)
		}
	}
	for name, act := range map[string]act{
		"suspended at level 1": suspended("1"),
		"suspended at level 2": suspended("2"),
		"suspended at level 3": suspended("3"),
		"resized": func(t *testing.T, y *yard, s *provisioning.Service, do func(provisioning.Verb, ...string), before view) {
			do(provisioning.Resize, "size", "s-2vcpu-4gb", "disk", "true")
			if v := y.look(s); v.droplet.Size != "s-2vcpu-4gb" || v.droplet.DiskGiB != 80 || v.droplet.ID != before.droplet.ID {
				t.Errorf("resized, the droplet is %+v", v.droplet)
			}
			y.inService(s, before)
		},
		"restored": func(t *testing.T, y *yard, s *provisioning.Service, do func(provisioning.Verb, ...string), before view) {
			y.write(s, "42 rows")
			do(provisioning.BackUp)
			y.write(s, "nothing")
			do(provisioning.Restore, "safety_backup", "false")
			y.inService(s, before)
			if got := y.written(s, y.stack(s).ID); !maps.Equal(got, wasWritten) {
				t.Errorf("restored, the disks have %v", got)
			}
		},
		"tried out": func(t *testing.T, y *yard, s *provisioning.Service, do func(provisioning.Verb, ...string), before view) {
			do(provisioning.BackUp)
			held := y.kinds()
			do(provisioning.TryOut)
			if got := y.kinds(); !slices.Equal(got, held) {
				t.Errorf("there was %q and there is %q", held, got)
			}
			if all, err := s.Drills(t.Context(), y.stack(s).ID); err != nil || len(all) != 1 || all[0].Outcome != "passed" {
				t.Errorf("the drills are %+v: %v", all, err)
			}
			y.inService(s, before)
		},
		"rebuilt": func(t *testing.T, y *yard, s *provisioning.Service, do func(provisioning.Verb, ...string), before view) {
			y.writeMarks(s)
			do(provisioning.Rebuild)
			y.inService(s, before)
			y.marked(s, false)
			if n := y.rebuilds(); n != 1 {
				t.Errorf("it was rebuilt %d times", n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y, _ := newProvingGround(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil)
			quick(t, y)
			engine := y.engine(y.options)
			s := y.serve(engine)
			y.stand(s, engine, lasting)
			before := y.look(s)
			act(t, y, s, func(verb provisioning.Verb, options ...string) {
				t.Helper()
				y.apply(s, engine, on(verb, options...), saga.Completed)
			}, before)
		})
	}
}
