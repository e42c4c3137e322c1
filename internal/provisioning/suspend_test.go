package provisioning_test

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// lasting is a blueprint with a record of the droplet's own address beside that of the
// reserved one.
var lasting = strings.NewReplacer("name: everything", "name: lasting", "    a: {", "    own: {type: A, name: own, data: '${droplet.web.public_ip}', ttl: 300}\n    a: {").Replace(everything)

// stand makes the stack web of a blueprint, while an engine serves.
func (y *yard) stand(s *provisioning.Service, engine *saga.Engine, source string) provisioning.Stack {
	y.t.Helper()
	ctx := y.t.Context()
	bp, err := s.AddBlueprint(ctx, "b.yaml", []byte(source), "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	y.apply(s, engine, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main"}, saga.Completed)
	return y.stack(s)
}

func (y *yard) stack(s *provisioning.Service) provisioning.Stack {
	y.t.Helper()
	stack, err := s.Stack(y.t.Context(), "web")
	if err != nil {
		y.t.Fatal(err)
	}
	return stack
}

// apply plans something and has it done.
func (y *yard) apply(s *provisioning.Service, engine *saga.Engine, r provisioning.PlanRequest, ends saga.State) (provisioning.Plan, saga.Saga) {
	y.t.Helper()
	p, err := s.PlanStack(y.t.Context(), r, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	_, started, err := s.ApplyPlan(y.t.Context(), p.ID, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	return p, settle(y.t, engine, started.ID, ends)
}

// on is a request for the stack web.
func on(verb provisioning.Verb, options ...string) provisioning.PlanRequest {
	r := provisioning.PlanRequest{Verb: verb, Stack: "web", Options: map[string]string{}}
	for i := 0; i < len(options); i += 2 {
		r.Options[options[i]] = options[i+1]
	}
	return r
}

// A view is what a stack's users see of it.
type view struct {
	droplet        digitalocean.Droplet
	reserved       digitalocean.ReservedIP
	own, front     string   // what its records say
	firewalls      []string // that cover its droplet, without the markers in their names
	volumes, snaps int
	resources      int // of its spec
}

// look reads what there is of the stack web, once it shows.
func (y *yard) look(s *provisioning.Service) (v view) {
	y.t.Helper()
	ctx, c := y.t.Context(), y.client
	time.Sleep(12 * y.options.Poll) // until lists show it
	v.resources = len(y.stack(s).Spec.Resources)
	has, err := s.StackResources(ctx, y.stack(s).ID)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range has {
		id := r.URN[strings.LastIndexAny(r.URN, ":/")+1:]
		n, _ := strconv.ParseInt(id, 10, 64)
		switch {
		case r.Key == "droplet.web":
			v.droplet, err = c.Droplet(ctx, n)
		case r.Key == "reserved_ip.front":
			v.reserved, err = c.ReservedIP(ctx, id)
		case strings.HasPrefix(r.Key, "domain_record."):
			var record digitalocean.Record
			record, err = c.Record(ctx, "example.com", n)
			if r.Key == "domain_record.own" {
				v.own = record.Data
			} else {
				v.front = record.Data
			}
		case r.Kind == "firewall":
			var f digitalocean.Firewall
			if f, err = c.Firewall(ctx, id); len(f.Droplets) > 0 {
				v.firewalls = append(v.firewalls, r.Key)
			}
		case r.Kind == "volume":
			v.volumes++
		case r.Kind == "snapshot":
			v.snaps++
		}
		if err != nil {
			y.t.Fatalf("%s: %v", r.Key, err)
		}
	}
	return v
}

// answers reports whether what runs on the droplet that an address leads to answers
// there.
func (y *yard) answers(address string) bool {
	resp, err := y.cloud.Guests.Get("http://" + net.JoinHostPort(address, "443") + "/")
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

// inService asks that the stack works as it did when it was made.
func (y *yard) inService(s *provisioning.Service, before view) {
	y.t.Helper()
	is := y.look(s)
	if is.droplet.Status != "active" || len(is.droplet.VolumeIDs) != 1 || !slices.Equal(is.firewalls, before.firewalls) || is.snaps != 0 {
		y.t.Errorf("in service it is %+v", is)
	}
	if is.reserved.IP != before.reserved.IP || is.reserved.Droplet != is.droplet.ID || is.front != before.front {
		y.t.Errorf("address %s leads to %d, the record says %s; it was %s, and the droplet is %d", is.reserved.IP, is.reserved.Droplet, is.front, before.reserved.IP, is.droplet.ID)
	}
	if is.own != is.droplet.PublicIPv4 {
		y.t.Errorf("the record of the droplet's own address says %s, and it is %s", is.own, is.droplet.PublicIPv4)
	}
	for _, tag := range before.droplet.Tags {
		if !strings.HasPrefix(tag, "arcadia:") || strings.Contains(tag, "stack") {
			if !slices.Contains(is.droplet.Tags, tag) {
				y.t.Errorf("the droplet has not tag %s any more", tag)
			}
		}
	}
	if stack := y.stack(s); stack.State != provisioning.StackActive || stack.Level != 0 || len(stack.Spec.Resources) != before.resources {
		y.t.Errorf("the stack is %s at level %d with %d resources", stack.State, stack.Level, len(stack.Spec.Resources))
	}
}

var lastingWhole = append([]string{"domain_record"}, whole...)

// TestSuspendAndResume suspends a stack at each level, and at each further one from
// there, and resumes it: addresses, records, firewalls and tags are as before.
func TestSuspendAndResume(t *testing.T) {
	run := func(t *testing.T, y *yard) {
		ctx := t.Context()
		engine := y.engine(y.options)
		s := y.serve(engine)
		y.stand(s, engine, lasting)
		y.writeMarks(s)
		before := y.look(s)
		if !slices.Equal(before.firewalls, []string{"firewall.edge"}) || before.own != before.droplet.PublicIPv4 {
			t.Fatalf("it begins with %+v", before)
		}
		for _, levels := range [][]string{{"1"}, {"2"}, {"3"}, {"1", "2", "3"}} {
			for _, level := range levels {
				p, _ := y.apply(s, engine, on(provisioning.Suspend, "level", level), saga.Completed)
				if destroys := len(p.Destroys()); (level == "3") != (destroys > 0) {
					t.Errorf("level %s destroys %d things", level, destroys)
				}
				if level != "3" && p.Before != p.After {
					t.Errorf("level %s costs %d after %d", level, p.After, p.Before)
				}
				y.suspended(s, level, before)
				if _, err := s.PlanStack(ctx, on(provisioning.Suspend, "level", level), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
					t.Errorf("suspended at level %s once more: %v", level, err)
				}
			}
			y.apply(s, engine, on(provisioning.Resume), saga.Completed)
			y.inService(s, before)
			y.marked(s, true)
			if !y.answers(before.reserved.IP) {
				t.Errorf("resumed from %s, nothing answers at %s", levels[len(levels)-1], before.reserved.IP)
			}
			if got := withoutCopies(untagged(y.kinds())); !slices.Equal(got, lastingWhole) {
				t.Errorf("after levels %q there is %q, want %q", levels, got, lastingWhole)
			}
		}
		if tags := y.kinds(); len(tags)-len(untagged(tags)) > 8 {
			t.Errorf("each time some tags are left: %q", tags)
		}
		kept, err := s.Backups(ctx, y.stack(s).ID, false)
		if err != nil || len(kept) != 2 || kept[0].Reason != provisioning.FinalBackup || len(kept[0].Items) != 2 || kept[0].ExpiresAt.Sub(kept[0].TakenAt) < 7*24*time.Hour {
			t.Fatalf("resumed twice from level 3 it has %d backups, %v: want two final ones of two snapshots for a week", len(kept), err)
		}
		y.apply(s, engine, on(provisioning.Restore, "backup", string(kept[1].ID), "safety_backup", "false"), saga.Completed) // of droplets that are gone
		y.marked(s, true)
		y.apply(s, engine, on(provisioning.Suspend, "level", "3"), saga.Completed)
		y.apply(s, engine, on(provisioning.Teardown, "final_snapshot", "false"), saga.Completed)
		if left := withoutCopies(untagged(y.kinds())); len(left) != 0 {
			t.Errorf("torn down while archived, and %q is left", left)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
}

// withoutCopies are the kinds of what is no snapshot.
func withoutCopies(kinds []string) []string {
	return slices.DeleteFunc(kinds, func(k string) bool { return strings.Contains(k, "snapshot") })
}

// suspended asks that the stack is as it is to be at a level.
func (y *yard) suspended(s *provisioning.Service, level string, before view) {
	y.t.Helper()
	is := y.look(s)
	if stack := y.stack(s); stack.State != provisioning.StackSuspended || strconv.Itoa(stack.Level) != level {
		y.t.Errorf("the stack is %s at level %d, want %s", stack.State, stack.Level, level)
	}
	if is.reserved.IP != before.reserved.IP || is.front != before.front {
		y.t.Errorf("at level %s the address is %s and the record says %s", level, is.reserved.IP, is.front)
	}
	if y.answers(before.reserved.IP) {
		y.t.Errorf("suspended at level %s, it answers at %s", level, before.reserved.IP)
	}
	switch level {
	case "1":
		if !slices.Equal(is.firewalls, []string{"firewall.arcadia-quarantine"}) || is.droplet.Status != "active" {
			y.t.Errorf("quarantined, firewalls %q cover its droplet, which is %s", is.firewalls, is.droplet.Status)
		}
	case "2":
		if is.droplet.Status != "off" {
			y.t.Errorf("powered off, it is %s", is.droplet.Status)
		}
	case "3":
		if is.droplet.ID != 0 || is.volumes != 0 || is.snaps != 2 || is.reserved.Droplet != 0 || len(is.firewalls) > 0 {
			y.t.Errorf("archived, there is %+v", is)
		}
		if got := withoutCopies(untagged(y.kinds())); !slices.Equal(got, []string{"domain_record", "domain_record", "firewall", "reserved_ip", "vpc"}) {
			y.t.Errorf("archived, there is %q", got)
		}
	}
}

// TestUnwindSuspension cuts the suspending of a stack at each level, and the resuming
// from each: undone, it is as it was; done, it is as planned.
func TestUnwindSuspension(t *testing.T) {
	for _, level := range []string{"1", "2", "3"} {
		for _, resumes := range []bool{false, true} {
			name, request := "to level "+level, on(provisioning.Suspend, "level", level)
			if resumes {
				name = "from level " + level
			}
			g := stage[view]{
				set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (before view, _ provisioning.PlanRequest) {
					y.stood(s, engine, lasting)
					y.writeMarks(s)
					before = y.look(s)
					if resumes {
						y.drive(s, engine, request)
						return before, on(provisioning.Resume)
					}
					return before, request
				},
				check: func(t *testing.T, y *yard, s *provisioning.Service, before view, end saga.Saga) {
					if resumes != (end.State == saga.Completed) {
						y.suspended(s, level, before)
						return
					}
					y.inService(s, before)
					y.marked(s, true)
					if got := withoutCopies(untagged(y.kinds())); !slices.Equal(got, lastingWhole) {
						t.Errorf("there is %q, want %q", got, lastingWhole)
					}
				},
			}
			t.Run(name, func(t *testing.T) {
				sagatest.Unwind(t, sagatest.Case{
					Ends: saga.Completed, Pivot: "point_of_no_return", Within: 72 * time.Hour, Bubble: synctest.Test, Sample: 5, Presets: weathers, Build: g.build,
				})
			})
		}
	}
}

// stood makes the stack web of a blueprint, with an engine that is stopped then.
func (y *yard) stood(s *provisioning.Service, engine *saga.Engine, source string) {
	y.t.Helper()
	bp, err := s.AddBlueprint(y.t.Context(), "b.yaml", []byte(source), "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	y.drive(s, engine, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main"})
}

// drive applies a plan, with an engine that is stopped then.
func (y *yard) drive(s *provisioning.Service, engine *saga.Engine, r provisioning.PlanRequest) {
	y.t.Helper()
	y.run(engine, y.begin(s, r))
}

// TestWhatASuspensionMinds: a protection keeps what would be destroyed, what a quarantine
// is to let in is an address, and a firewall that is not the stack's is told of.
func TestWhatASuspensionMinds(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		stack := y.stand(s, engine, lasting)
		droplet, _ := y.disks(s)
		ask(t, y.cloud, "/v2/firewalls", `{"name":"foreign","inbound_rules":[{"protocol":"tcp","ports":"22","sources":{"addresses":["0.0.0.0/0"]}}],"tags":["test"]}`)
		time.Sleep(time.Minute)
		p, err := s.PlanStack(ctx, on(provisioning.Suspend, "ssh_from", "198.51.100.7, 192.0.2.0/24"), "cli:test", time.Now())
		if err != nil || !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "Firewall foreign") }) {
			t.Errorf("a plan warns of %q, %v: want of the firewall", p.Warnings, err)
		}
		for level, options := range map[string][]string{"no address": {"ssh_from", "me"}, "no level for it": {"level", "2", "ssh_from", "192.0.2.1"}, "no level": {"level", "4"}} {
			if _, err := s.PlanStack(ctx, on(provisioning.Suspend, options...), "cli:test", time.Now()); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", level, err)
			}
		}
		third, err := s.PlanStack(ctx, on(provisioning.Suspend, "level", "3"), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Protect(ctx, droplet, "a customer's", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, third.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a protected droplet was archived: %v", err)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Suspend, "level", "2"), "cli:test", time.Now()); err != nil {
			t.Errorf("level 2 destroys nothing, and is refused: %v", err)
		}
		if _, err := s.PlanStack(ctx, on(provisioning.Resume), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("what is in service was resumed: %v, stack %s", err, stack.State)
		}
		y.apply(s, engine, on(provisioning.Suspend, "level", "2"), saga.Completed)
		if _, err := s.PlanStack(ctx, on(provisioning.Rebuild), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "Resume it first: arcadia stack resume web") {
			t.Errorf("a stack that is off is refused a rebuild with %v, want how to go on", err)
		}
	})
}
