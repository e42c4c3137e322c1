package provisioning_test

import (
	"errors"
	"fmt"
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

// picture is all that a repair may change at DigitalOcean, once it shows, without the ids
// of what can be made again.
func (y *yard) picture() (all []string) {
	y.t.Helper()
	ctx, c := y.t.Context(), y.client
	time.Sleep(2 * y.horizon())
	unmarked := func(tags []string) []string {
		tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return strings.HasPrefix(tag, "arcadia:") && !strings.Contains(tag, "stack_") })
		slices.Sort(tags)
		return tags
	}
	droplets, err := c.Droplets(ctx)
	volumes, err2 := c.Volumes(ctx)
	addresses, err3 := c.ReservedIPs(ctx)
	records, err4 := c.Records(ctx, "example.com")
	firewalls, err5 := c.Firewalls(ctx)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		y.t.Fatal(err)
	}
	for _, d := range droplets.Items {
		slices.Sort(d.Features)
		all = append(all, fmt.Sprint("droplet ", d.ID, d.Name, d.Status, d.Size, d.Features, unmarked(d.Tags), d.VolumeIDs))
	}
	for _, v := range volumes.Items {
		all = append(all, fmt.Sprint("volume ", v.ID, v.SizeGiB, v.Droplets, unmarked(v.Tags)))
	}
	for _, a := range addresses.Items {
		all = append(all, fmt.Sprint("address ", a.IP, a.Droplet))
	}
	for _, r := range records.Items {
		all = append(all, fmt.Sprint("record ", r.Type, r.Name, r.Data, r.TTL))
	}
	for _, f := range firewalls.Items {
		all = append(all, fmt.Sprint("firewall ", f.Name, f.Droplets, f.Tags, f.Inbound, f.Outbound))
	}
	slices.Sort(all)
	return all
}

// differ says what of two pictures is not in the other.
func differ(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, one := range got {
		if !slices.Contains(want, one) {
			t.Errorf("%s: there is %s", what, one)
		}
	}
	for _, one := range want {
		if !slices.Contains(got, one) {
			t.Errorf("%s: there is no %s", what, one)
		}
	}
}

// TestRepair has a stack be repaired after all that somebody may do to it by hand: it is as
// it was, and nothing differs any more.
func TestRepair(t *testing.T) {
	run := func(t *testing.T, y *yard) {
		engine := y.engine(y.options)
		s := y.serve(engine)
		y.stand(s, engine, drifting)
		i := y.watched(s, engine)
		y.list(i)
		before := y.picture()
		for _, one := range meddling {
			y.meddle(s, one.method, one.path, one.body)
		}
		y.list(i)
		p, err := s.PlanStack(t.Context(), on(provisioning.Repair), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if p.Before == 0 && len(p.Unpriced) == 0 || p.After > p.Before || p.Calls() != 10 {
			t.Errorf("the plan has %d requests, and costs %d after %d; unpriced %q", p.Calls(), p.After, p.Before, p.Unpriced)
		}
		y.meddle(s, "PUT", "/v2/domains/example.com/records/{domain_record.a}", `{"type":"A","data":"192.0.2.100"}`)
		y.list(i)
		if _, _, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "domain_record.a data was 192.0.2.99 and is 192.0.2.100") {
			t.Errorf("a stale plan: %v", err)
		}
		y.apply(s, engine, on(provisioning.Repair), saga.Completed)
		if d, err := s.Drift(t.Context(), y.stack(s), time.Now()); err != nil || len(d.Differences) > 0 || len(d.Unknown) == 0 {
			t.Errorf("lists from before the repair are believed: %q, %v", points(d), err)
		}
		differ(t, "repaired", y.picture(), before)
		y.list(i)
		if got := points(y.drift(s)); len(got) > 0 {
			t.Errorf("repaired, it differs in %q", got)
		}
		if _, err := s.PlanStack(t.Context(), on(provisioning.Repair), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a repair of nothing: %v", err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
	t.Run("postgres", func(t *testing.T) {
		y := newYard(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil)
		quick(t, y)
		run(t, y)
	})
}

// quick has the cloud do at a real pace what others wait for in a bubble.
func quick(t *testing.T, y *yard) {
	t.Helper()
	params := map[string]string{}
	for _, one := range []string{"power_off", "power_on", "shutdown", "resize", "rename", "enable_backups", "disable_backups"} {
		params["action."+one] = "30ms"
	}
	if err := y.cloud.SetParams(params); err != nil {
		t.Fatal(err)
	}
}

// TestRepairOfWhatIsGone: an address is reserved anew, and records say the new one; a
// droplet is not made again empty, and what refers to it is left alone.
func TestRepairOfWhatIsGone(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		y.stand(s, engine, drifting)
		i := y.watched(s, engine)
		y.list(i)
		old := y.look(s).reserved.IP
		y.meddle(s, "POST", "/v2/reserved_ips/{reserved_ip.front}/actions", `{"type":"unassign"}`)
		y.meddle(s, "DELETE", "/v2/reserved_ips/{reserved_ip.front}", "")
		y.meddle(s, "DELETE", "/v2/firewalls/{firewall.edge}", "")
		y.list(i)
		if got := points(y.drift(s)); !slices.Equal(got, []string{"firewall.edge missing", "reserved_ip.front missing"}) {
			t.Fatalf("the drift is %q", got)
		}
		y.apply(s, engine, on(provisioning.Repair), saga.Completed)
		if v := y.look(s); v.reserved.IP == old || v.reserved.Droplet != v.droplet.ID || v.front != v.reserved.IP || !slices.Equal(v.firewalls, []string{"firewall.edge"}) {
			t.Errorf("repaired, it is %+v", v)
		}
		y.list(i)
		if got := points(y.drift(s)); len(got) > 0 {
			t.Fatalf("repaired, it differs in %q", got)
		}
		y.meddle(s, "DELETE", "/v2/droplets/{droplet.web}", "")
		y.meddle(s, "PUT", "/v2/domains/example.com/records/{domain_record.a}", `{"type":"A","data":"192.0.2.99"}`)
		y.list(i)
		if got := points(y.drift(s)); !slices.Equal(got, []string{"domain_record.a changed data", "droplet.web missing"}) {
			t.Fatalf("without its droplet the drift is %q", got)
		}
		_, err := s.PlanStack(ctx, on(provisioning.Repair, "only", "droplet.web"), "cli:test", time.Now())
		if !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), "not made again empty") {
			t.Errorf("a droplet that is gone: %v", err)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Absorb, "reason", "r", "only", "droplet.web"), "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("a droplet that others need was to be absorbed: %v", err)
		}
		y.apply(s, engine, on(provisioning.Repair, "skip_probe", "true"), saga.Completed)
		y.list(i)
		if got := points(y.drift(s)); !slices.Equal(got, []string{"droplet.web missing"}) {
			t.Errorf("repaired but for its droplet, the drift is %q", got)
		}
	})
}

// TestAbsorb has a stack expect what somebody did by hand: nothing is asked of DigitalOcean,
// and what cannot be expected stays a difference.
func TestAbsorb(t *testing.T) {
	run := func(t *testing.T, y *yard) {
		ctx := t.Context()
		engine := y.engine(y.options)
		s := y.serve(engine)
		stack := y.stand(s, engine, drifting)
		i := y.watched(s, engine)
		y.list(i)
		for _, one := range meddling {
			y.meddle(s, one.method, one.path, one.body)
		}
		y.list(i)
		sent := y.changes()
		if _, err := s.PlanStack(ctx, on(provisioning.Absorb), "cli:test", time.Now()); !errors.Is(err, fault.Invalid) {
			t.Errorf("absorbed without a reason: %v", err)
		}
		p, done := y.apply(s, engine, on(provisioning.Absorb, "reason", "as the customer asked"), saga.Completed)
		if p.Calls() != 0 || p.Reason != "as the customer asked" || p.Before != p.After || done.RequestedBy != "cli:test" {
			t.Errorf("absorbed by %+v", p)
		}
		if now := y.changes(); now != sent {
			t.Errorf("%d requests were sent", now-sent)
		}
		is := y.stack(s)
		droplet, _ := is.Spec.Resource("droplet.web")
		volume, _ := is.Spec.Resource("volume.data")
		if _, own := is.Spec.Resource("domain_record.own"); own || droplet.Name != "by-hand" || droplet.Droplet.Size != "s-2vcpu-4gb" || droplet.Droplet.Backups != nil || volume.Volume.Droplet != "" {
			t.Errorf("the stack expects %+v and %+v", droplet, volume)
		}
		if !is.UpdatedAt.After(stack.UpdatedAt.Add(-time.Microsecond)) || is.Rev <= stack.Rev {
			t.Errorf("revision %d after %d", is.Rev, stack.Rev)
		}
		if got, want := points(y.drift(s)), []string{"droplet.web changed power", "reserved_ip.front changed leads_to"}; !slices.Equal(got, want) {
			t.Errorf("absorbed, the drift is %q, want %q", got, want)
		}
		y.apply(s, engine, on(provisioning.Repair), saga.Completed)
		y.list(i)
		if got := points(y.drift(s)); len(got) > 0 {
			t.Errorf("repaired, it differs in %q", got)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
	t.Run("postgres", func(t *testing.T) {
		y := newYard(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil)
		quick(t, y)
		run(t, y)
	})
}

// TestUnwindRepair cuts a repair of everything in each way: it ends as the stack was made,
// or as it was found.
func TestUnwindRepair(t *testing.T) {
	g := stage[map[saga.State][]string]{
		set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (map[saga.State][]string, provisioning.PlanRequest) {
			y.stood(s, engine, drifting)
			made := y.picture()
			i := y.watched(s, engine)
			y.list(i)
			for _, one := range meddling {
				y.meddle(s, one.method, one.path, one.body)
			}
			y.list(i)
			return map[saga.State][]string{saga.Completed: made, saga.RolledBack: y.picture()}, on(provisioning.Repair)
		},
		check: func(t *testing.T, y *yard, _ *provisioning.Service, want map[saga.State][]string, end saga.Saga) {
			differ(t, string(end.State), y.picture(), want[end.State])
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Within: 72 * time.Hour, Bubble: synctest.Test, Sample: 25, Presets: weathers, Build: g.build,
	})
}
