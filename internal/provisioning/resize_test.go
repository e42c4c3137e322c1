package provisioning_test

import (
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

// sized is lasting with a parameter for the droplet's size.
var sized = strings.NewReplacer("name: lasting", "name: sized\nparameters:\n  size: {type: size, default: s-1vcpu-1gb, changeable: resize}",
	"{size: s-1vcpu-1gb,", "{size: '${param.size}',").Replace(lasting)

// TestResize gives a droplet another size and back, grows its disk and a volume, and is
// refused what cannot be.
func TestResize(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		y.stand(s, engine, sized)
		before := y.look(s)
		is := func(size string, disk int, volume int64, parameter string) {
			t.Helper()
			v := y.look(s)
			got, err := y.client.Volume(ctx, v.droplet.VolumeIDs[0])
			if err != nil {
				t.Fatal(err)
			}
			if v.droplet.Size != size || v.droplet.DiskGiB != disk || v.droplet.Status != "active" || got.SizeGiB != volume || v.droplet.ID != before.droplet.ID {
				t.Errorf("the droplet is %s, %s with %d GiB and a volume of %d, want %s with %d and %d", v.droplet.Status, v.droplet.Size, v.droplet.DiskGiB, got.SizeGiB, size, disk, volume)
			}
			stack := y.stack(s)
			spec, _ := stack.Spec.Resource("droplet.web")
			if spec.Droplet.Size != size || stack.Parameters["size"] != parameter || stack.Spec.Parameters["size"].Value != parameter {
				t.Errorf("the stack's spec says %s, its parameter %s", spec.Droplet.Size, stack.Parameters["size"])
			}
		}
		is("s-1vcpu-1gb", 25, 10, "s-1vcpu-1gb")
		p, _ := y.apply(s, engine, on(provisioning.Resize, "size", "s-2vcpu-4gb"), saga.Completed)
		if p.After-p.Before != 18_000_000 && len(p.Unpriced) == 0 {
			t.Errorf("it costs %d more a month, want 18000000: $24 in place of $6", p.After-p.Before)
		}
		is("s-2vcpu-4gb", 25, 10, "s-2vcpu-4gb")
		y.apply(s, engine, on(provisioning.Resize, "droplet", "web", "size", "s-1vcpu-1gb"), saga.Completed)
		is("s-1vcpu-1gb", 25, 10, "s-1vcpu-1gb")
		y.apply(s, engine, on(provisioning.Resize, "size", "s-2vcpu-4gb", "disk", "true"), saga.Completed)
		is("s-2vcpu-4gb", 80, 10, "s-2vcpu-4gb")
		y.apply(s, engine, on(provisioning.Resize, "size_gib", "20"), saga.Completed)
		is("s-2vcpu-4gb", 80, 20, "s-2vcpu-4gb")

		for _, wrong := range []struct {
			says string
			r    provisioning.PlanRequest
		}{
			{"does not get smaller", on(provisioning.Resize, "size", "s-1vcpu-1gb")},
			{"sells no size", on(provisioning.Resize, "size", "s-9")},
			{"of size s-2vcpu-4gb already", on(provisioning.Resize, "size", "s-2vcpu-4gb")},
			{"only grows", on(provisioning.Resize, "volume", "data", "size_gib", "20")},
			{"no droplet", on(provisioning.Resize, "droplet", "db", "size", "s-4vcpu-8gb")},
			{"either", on(provisioning.Resize)},
			{"either", on(provisioning.Resize, "size", "s-4vcpu-8gb", "size_gib", "30")},
			{"a whole number", on(provisioning.Resize, "size_gib", "-1")},
		} {
			_, err := s.PlanStack(ctx, wrong.r, "cli:test", time.Now())
			if k := fault.KindOf(err); err == nil || k == fault.Internal || !strings.Contains(fault.Message(err), wrong.says) {
				t.Errorf("%v: %v, want one that says %q", wrong.r.Options, err, wrong.says)
			}
		}
	})
}

// TestAResizeEndsOneWayOrTheOther has actions fail, or their answers get lost: the droplet
// is on, and of the one size or the other.
func TestAResizeEndsOneWayOrTheOther(t *testing.T) {
	actions := dosim.Match{Method: "POST", Path: "/v2/droplets/*/actions"}
	resizing := actions
	resizing.Nth = 2 // after the shutdown
	for name, f := range map[string]dosim.Fault{
		"the action ends as errored, each time": {Match: resizing, Kind: dosim.ActionErrored, Times: 3},
		"answers are lost, three times":         {Match: actions, Kind: dosim.ResetAfter, Times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
				y.stand(s, engine, sized)
				y.cloud.AddFault(f)
				ends, size := saga.RolledBack, "s-1vcpu-1gb"
				if f.Kind == dosim.ResetAfter {
					ends, size = saga.Completed, "s-2vcpu-4gb"
				}
				y.apply(s, engine, on(provisioning.Resize, "size", "s-2vcpu-4gb"), ends)
				if v := y.look(s); v.droplet.Size != size || v.droplet.Status != "active" {
					t.Errorf("the droplet is %s and %s", v.droplet.Size, v.droplet.Status)
				}
			})
		})
	}
}

// TestUnwindResize cuts resizing in each way.
func TestUnwindResize(t *testing.T) {
	for name, c := range map[string]struct {
		r    provisioning.PlanRequest
		size string
		disk int
	}{
		"reversible": {on(provisioning.Resize, "size", "s-2vcpu-4gb"), "s-2vcpu-4gb", 25},
		"disk":       {on(provisioning.Resize, "size", "s-2vcpu-4gb", "disk", "true"), "s-2vcpu-4gb", 80},
		"volume":     {on(provisioning.Resize, "size_gib", "20"), "s-1vcpu-1gb", 25},
	} {
		g := stage[struct{}]{
			set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (struct{}, provisioning.PlanRequest) {
				y.stood(s, engine, sized)
				return struct{}{}, c.r
			},
			check: func(t *testing.T, y *yard, s *provisioning.Service, _ struct{}, end saga.Saga) {
				want, disk, volume := c.size, c.disk, int64(10)
				if c.r.Options["size_gib"] != "" {
					volume = 20
				}
				if end.State == saga.RolledBack {
					want, disk, volume = "s-1vcpu-1gb", 25, 10
				}
				v := y.look(s)
				got, err := y.client.Volume(t.Context(), v.droplet.VolumeIDs[0])
				if err != nil {
					t.Fatal(err)
				}
				spec, _ := y.stack(s).Spec.Resource("droplet.web")
				if v.droplet.Size != want || v.droplet.DiskGiB != disk || v.droplet.Status != "active" || got.SizeGiB != volume || spec.Droplet.Size != want {
					t.Errorf("%s, and the droplet is %s, %s with %d GiB, the volume has %d; the spec says %s", end.State, v.droplet.Status, v.droplet.Size, v.droplet.DiskGiB, got.SizeGiB, spec.Droplet.Size)
				}
				if kinds := untagged(y.kinds()); !slices.Equal(kinds, lastingWhole) {
					t.Errorf("there is %q", kinds)
				}
			},
		}
		t.Run(name, func(t *testing.T) {
			sagatest.Unwind(t, sagatest.Case{
				Ends: saga.Completed, Pivot: "grow_disk", Within: 72 * time.Hour, Bubble: synctest.Test, Sample: 6, Presets: weathers, Build: g.build,
			})
		})
	}
}
