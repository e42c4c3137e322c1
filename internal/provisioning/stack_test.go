package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// everything is a blueprint with one of each kind.
const everything = `name: everything
version: 1
region: nyc3
vpc: {}
tags: [test]
volumes:
  data: {size_gib: 10, filesystem: ext4, droplet: web}
droplets:
  web: {size: s-1vcpu-1gb, image: debian-12-x64, monitoring: true}
firewalls:
  edge:
    droplets: [web]
    inbound:
      - {protocol: tcp, ports: 443, addresses: [0.0.0.0/0]}
    outbound:
      - {protocol: tcp, ports: all, addresses: [0.0.0.0/0]}
reserved_ips:
  front: {droplet: web}
dns:
  domain: example.com
  records:
    a: {type: A, name: '${tenant.slug}', data: '${reserved_ip.front.address}', ttl: 300}
health:
  up: {type: tcp, target: '${reserved_ip.front.address}', port: 443, timeout: 10m}
`

// A yard is a world in which stacks are made.
type yard struct {
	*world
}

func newYard(t *testing.T, d *db.DB, cloud *dosimtest.Server, p pace, wrap func(http.RoundTripper) http.RoundTripper) *yard {
	t.Helper()
	if p.settings.Probe == nil {
		p.settings.Probe = reservedIPProbe(cloud)
	}
	w := newWorld(t, d, cloud, p, wrap)
	if !w.fresh {
		return &yard{world: w}
	}
	ask(t, cloud, "/v2/domains", `{"name":"example.com"}`)
	for {
		if _, err := w.client.Records(t.Context(), "example.com"); err == nil {
			break
		} else if !errors.Is(err, digitalocean.NotFound) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // the cloud does not show it yet
	}
	if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "acme", Name: "Acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	w.mark = cloud.Mark()
	return &yard{world: w}
}

// inYard runs fn in a bubble, in a yard in which an engine and a watcher serve.
func inYard(t *testing.T, fn func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := y.engine(y.options)
		fn(t, y, engine, y.serve(engine))
	})
}

// onStack is inYard once the stack web of the blueprint everything stands.
func onStack(t *testing.T, fn func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		engine := y.engine(y.options)
		fn(t, y, engine, y.serve(engine))
	})
}

// reservedIPProbe is content once a reserved IP is there.
func reservedIPProbe(cloud *dosimtest.Server) provisioning.Probe {
	return func(_ context.Context, _ blueprint.Probe, target string) (string, error) {
		for _, one := range cloud.Truth("reserved_ip") {
			if one.Name == target {
				return target + " is there", nil
			}
		}
		return "", fmt.Errorf("%s does not answer", target)
	}
}

// ask asks the cloud for something as somebody else.
func ask(t *testing.T, cloud *dosimtest.Server, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, cloud.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer dop_v1_somebody_else")
	req.Header.Set("Content-Type", "application/json")
	resp, err := cloud.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s: %d", path, resp.StatusCode)
	}
}

// plan plans the stack web of the tenant acme.
func (y *yard) plan(s *provisioning.Service) provisioning.Plan {
	y.t.Helper()
	ctx := y.t.Context()
	if _, err := s.AddBlueprint(ctx, "everything.yaml", []byte(everything), "cli:test", time.Now()); err != nil {
		y.t.Fatal(err)
	}
	p, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "everything", Tenant: "acme", Name: "web", Account: "main"}, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	return p
}

// kinds are the kinds of what was made since the yard began and is there.
func (y *yard) kinds() []string {
	kinds := []string{}
	for _, l := range y.cloud.Leaks(y.mark) {
		kind := strings.Split(l.URN, ":")[1]
		if kind == "tag" {
			kind += " " + strings.Split(l.Name, "-")[0]
		}
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// untagged are the kinds but for tags.
func untagged(kinds []string) []string {
	return slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return strings.HasPrefix(k, "tag ") })
}

var whole = []string{"domain_record", "droplet", "firewall", "reserved_ip", "volume", "vpc"}

// TestAStackComesAndGoes makes a stack and tears it down: exactly what was planned is
// there in between, and nothing after.
func TestAStackComesAndGoes(t *testing.T) {
	run := func(t *testing.T, y *yard) {
		engine := y.engine(y.options)
		s := y.serve(engine)
		p := y.plan(s)
		if got := p.After; got != 7_000_000 && len(p.Unpriced) == 0 { // the price of volumes is not known in a bubble's year 2000
			t.Errorf("the plan costs %d micro-dollars a month, want 7000000 (a droplet of $6 and 10 GiB); unpriced %q", got, p.Unpriced)
		}
		if left := y.kinds(); len(left) != 0 {
			t.Fatalf("planning made %q", left)
		}
		p, started, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		settle(t, engine, started.ID, saga.Completed)
		if got := y.kinds(); !slices.Equal(untagged(got), whole) {
			t.Fatalf("there is %q, want %q and tags", got, whole)
		}
		stack, err := s.Stack(t.Context(), "acme/web")
		if err != nil || stack.State != provisioning.StackActive {
			t.Fatal(stack.State, err)
		}
		if _, _, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now()); err == nil {
			t.Error("one plan was applied twice")
		}
		down, err := s.PlanStack(t.Context(), on(provisioning.Teardown, "final_snapshot", "false"), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, started, err = s.ApplyPlan(t.Context(), down.ID, "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		settle(t, engine, started.ID, saga.Completed)
		if left := untagged(y.kinds()); len(left) != 0 {
			t.Errorf("torn down, and %q is left", left)
		}
		for _, tag := range y.kinds() {
			if strings.Contains(tag, "stack") {
				t.Errorf("torn down, and %q is left", tag)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
	t.Run("postgres", func(t *testing.T) {
		run(t, newYard(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil))
	})
}

// settle waits for a saga's end, and says which steps went wrong if that is another.
func settle(t *testing.T, e *saga.Engine, id saga.ID, want saga.State) saga.Saga {
	t.Helper()
	for pause := time.Second; ; pause = min(2*pause, time.Minute) { // some sagas wait for days
		told := e.Changed()
		s, err := e.Saga(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if s.State == want {
			return s
		}
		if s.State.Ended() || s.State == saga.Stuck {
			for _, step := range s.Steps {
				if step.Error != nil {
					t.Errorf("%s is %s: %s", step.Name, step.State, step.Error.Message)
				} else {
					t.Logf("%s is %s", step.Name, step.State)
				}
			}
			t.Fatalf("the saga is %s, want %s: %+v", s.State, want, s.Error)
		}
		select {
		case <-told:
			pause = time.Second
		case <-time.After(pause):
		}
	}
}

// TestWhatKeepsAStack: a protection and a freeze stop what they are for, a stale plan is
// refused with what changed, and of two plans for one name one wins.
func TestWhatKeepsAStack(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		p := y.plan(s)
		if err := s.Freeze(ctx, provisioning.AccountScope("main"), "look first", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("applied while frozen: %v", err)
		}
		if err := s.Thaw(ctx, provisioning.AccountScope("main")); err != nil {
			t.Fatal(err)
		}
		stale := y.plan(s)
		newer := strings.Replace(everything, "version: 1", "version: 2", 1)
		if _, err := s.AddBlueprint(ctx, "everything.yaml", []byte(newer), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, stale.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "blueprint everything@2 was nothing and is") {
			t.Errorf("a stale plan: %v", err)
		}
		p = y.plan(s)
		second := y.plan(s)
		y.mark = y.cloud.Mark()
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, second.ID, "cli:other", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("two stacks of one name: %v", err)
		}
		settle(t, engine, started.ID, saga.Completed)
		stack, err := s.Stack(ctx, "web")
		if err != nil {
			t.Fatal(err)
		}
		down, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Teardown, Stack: "web"}, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Protect(ctx, "stack:"+string(stack.ID), "a customer's", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, down.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a protected stack was torn down: %v", err)
		}
		if err := s.Unprotect(ctx, "stack:"+string(stack.ID)); err != nil {
			t.Fatal(err)
		}
		if err := s.Protect(ctx, provisioning.TenantScope(stack.Tenant), "their audit runs", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, down.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "arcadia tenant unprotect") {
			t.Errorf("a stack of a protected tenant was torn down: %v", err)
		}
		if got := untagged(y.kinds()); !slices.Equal(got, whole) {
			t.Errorf("there is %q, want %q", got, whole)
		}
	})
}

// TestAFreezeStopsASagaAndLetsItGoOn freezes the tenant while its stack is made: nothing
// is sent from then on, and the saga ends well once the freeze does.
func TestAFreezeStopsASagaAndLetsItGoOn(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		p := y.plan(s)
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second) // in the middle
		if err := s.Freeze(ctx, provisioning.TenantScope(p.Tenant), "look first", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		sent := y.changes()
		time.Sleep(time.Hour)
		if now := y.changes(); now != sent {
			t.Errorf("%d changes were sent while the tenant was frozen", now-sent)
		}
		if row, err := engine.Saga(ctx, started.ID); err != nil || row.State != saga.Waiting {
			t.Errorf("frozen, the saga is %s: %v", row.State, err)
		}
		if err := s.Thaw(ctx, provisioning.TenantScope(p.Tenant)); err != nil {
			t.Fatal(err)
		}
		settle(t, engine, started.ID, saga.Completed)
		if got := untagged(y.kinds()); !slices.Equal(got, whole) {
			t.Errorf("there is %q, want %q", got, whole)
		}
	})
}

// changes counts the requests that the cloud got to change something.
func (y *yard) changes() (n int) {
	for _, r := range y.cloud.Requests(0) {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// TestThreeLostAnswersMakeOneDroplet loses the answer to the create of a droplet three
// times over, in each way in which one can be lost.
func TestThreeLostAnswersMakeOneDroplet(t *testing.T) {
	for _, kind := range []dosim.FaultKind{dosim.ResetAfter, dosim.ResetBefore, dosim.ServerErrorAfter, dosim.HTML504, dosim.HangAfter, dosim.ResetCommitLate} {
		t.Run(string(kind), func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
				p := y.plan(s)
				y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}, Kind: kind, Times: 3})
				_, started, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				settle(t, engine, started.ID, saga.Completed)
				if got := untagged(y.kinds()); !slices.Equal(got, whole) {
					t.Errorf("there is %q, want %q", got, whole)
				}
			})
		})
	}
}

// TestOnePassing404IsNotBelieved has one read of the address, and one of each shared tag,
// say that it is not there while a stack is taken back: nothing stays, for an address is
// paid for.
func TestOnePassing404IsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := bubblePace
		silent.settings.Probe = func(context.Context, blueprint.Probe, string) (string, error) { return "", errors.New("no answer") }
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), silent, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
		_, started, err := s.ApplyPlan(t.Context(), y.plan(s).ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute) // its probe waits a minute more; a new thing's 404 would be waited out
		for _, path := range []string{"/v2/reserved_ips/*", "/v2/tags/test", "/v2/tags/tenant:acme"} {
			y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "GET", Path: path}, Kind: dosim.NotFound404, Times: 1})
		}
		settle(t, engine, started.ID, saga.RolledBack)
		if left := y.kinds(); len(left) != 0 {
			t.Errorf("rolled back and left %q", left)
		}
	})
}

// TestTheFirstNetworkOfARegionStays: DigitalOcean makes it the region's default, and lets it go
// no more. That keeps no stack from being undone, and none from being torn down.
func TestTheFirstNetworkOfARegionStays(t *testing.T) {
	elsewhere := strings.NewReplacer("name: everything", "name: elsewhere", "region: nyc3", "region: fra1").Replace(everything)
	for _, ends := range []saga.State{saga.Completed, saga.RolledBack} {
		synctest.Test(t, func(t *testing.T) {
			p := bubblePace
			if ends == saga.RolledBack {
				p.settings.Probe = func(context.Context, blueprint.Probe, string) (string, error) { return "", errors.New("no answer") }
			}
			y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
			engine := y.engine(y.options)
			s := y.serve(engine)
			bp, err := s.AddBlueprint(t.Context(), "b.yaml", []byte(elsewhere), "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			y.apply(s, engine, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main"}, ends)
			if ends == saga.Completed {
				y.apply(s, engine, on(provisioning.Teardown, "final_snapshot", "false"), saga.Completed)
			}
			time.Sleep(y.options.Sweeps[0] + time.Minute)
			if err := s.Sweep(t.Context()); err != nil {
				t.Errorf("the sweep: %v", err)
			}
			if got := untagged(y.kinds()); !slices.Equal(got, []string{"vpc"}) {
				t.Errorf("there is %q, want the region's default network alone", got)
			}
			again := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main", Options: map[string]string{"reuse_name": "true"}}
			if _, err := s.PlanStack(t.Context(), again, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "default of fra1") {
				t.Errorf("a stack of the name whose network stays: %v", err)
			}
		})
	}
}

// TestALateDropletIsSwept has a droplet come to be under the marker of a saga that has
// undone itself, as a request does that was frozen on its way.
func TestALateDropletIsSwept(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		p := y.plan(s)
		y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}, Kind: dosim.ResetAfter, Times: 1})
		_, started, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := engine.Cancel(t.Context(), started.ID, saga.Actor{Name: "cli:test", Reason: "test"}); err != nil {
			t.Fatal(err)
		}
		settle(t, engine, started.ID, saga.RolledBack)
		if left := y.kinds(); len(left) != 0 {
			t.Fatalf("rolled back and left %q", left)
		}
		marker := "arcadia:" + started.ID.Marker8() + "-droplet-web"
		ask(t, y.cloud, "/v2/droplets", `{"name":"web-web","region":"nyc3","size":"s-1vcpu-1gb","image":"debian-12-x64","tags":["`+marker+`"]}`)
		time.Sleep(bubblePace.options.Sweeps[0] + time.Minute)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if left := untagged(y.kinds()); len(left) != 0 {
			t.Errorf("swept, and %q is left", left)
		}
	})
}

// TestUnwindStacks cuts the making of a stack before and after commits and requests
// (all of them with ARCADIA_ALL_CUTS=1): what is rolled back leaves nothing, what completes leaves
// exactly what was planned.
func TestUnwindStacks(t *testing.T) {
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 50, Presets: weathers,
		Build: func(t *testing.T, net *sagatest.Net) sagatest.World {
			defer net.Aside()()
			y := newYard(t, dbtest.New(t), dosimtest.Pipe(t, dosim.Options{Seed: net.Seed}), bubblePace, net.Transport)
			s := provisioning.New(y.db, y.engine(y.options), y.steps)
			_, started, err := s.ApplyPlan(t.Context(), y.plan(s).ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return y.unwound(bubblePace, s, started.ID)
		},
	})
}

// TestUnwindStacksOnPostgres cuts the making of a stack at a few points, over sockets and
// at a pace that a test can wait for.
func TestUnwindStacksOnPostgres(t *testing.T) {
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Sample: 6, Parallel: 6, Within: 3 * time.Minute,
		Build: func(t *testing.T, net *sagatest.Net) sagatest.World {
			defer net.Aside()()
			y := newYard(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, net.Transport)
			s := provisioning.New(y.db, y.engine(y.options), y.steps)
			_, started, err := s.ApplyPlan(t.Context(), y.plan(s).ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return y.unwound(realPace, s, started.ID)
		},
	})
}

// unwound makes the world of one run of sagatest.Unwind, in which a plan was applied.
func (y *yard) unwound(p pace, s *provisioning.Service, begun saga.ID) sagatest.World {
	return sagatest.World{
		DB: y.db, Options: y.options, Kinds: y.steps.Kinds(), Begun: begun, Weather: y.cloud.SetPreset,
		Sweep: func(ctx context.Context, e *saga.Engine) error {
			time.Sleep(p.options.Sweeps[0] + time.Millisecond) // until they are due
			return provisioning.New(y.db, e, y.steps).Sweep(ctx)
		},
		Check: func(t *testing.T, end saga.Saga) {
			left := y.kinds()
			stacks, err := s.Stacks(t.Context(), provisioning.StackFilter{})
			if err != nil || len(stacks) != 1 {
				t.Fatal(stacks, err)
			}
			switch end.State {
			case saga.Completed:
				if !slices.Equal(untagged(left), whole) || stacks[0].State != provisioning.StackActive {
					t.Errorf("completed with %q, want %q; the stack is %s", left, whole, stacks[0].State)
				}
			case saga.RolledBack:
				if len(left) != 0 || stacks[0].State != provisioning.StackFailed {
					t.Errorf("rolled back and left %q; the stack is %s", left, stacks[0].State)
				}
			}
		},
	}
}

// standing makes the stack web with an engine of its own, which is stopped then.
func (y *yard) standing() *provisioning.Service {
	y.t.Helper()
	engine := y.engine(y.options)
	s := provisioning.New(y.db, engine, y.steps)
	_, started, err := s.ApplyPlan(y.t.Context(), y.plan(s).ID, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	y.run(engine, started.ID)
	return s
}

// run drives a saga to its completion.
func (y *yard) run(engine *saga.Engine, id saga.ID) saga.Saga {
	y.t.Helper()
	ctx, stop := context.WithCancel(y.t.Context())
	done := make(chan error, 1)
	go func() { done <- engine.Serve(ctx) }()
	end := settle(y.t, engine, id, saga.Completed)
	stop()
	if err := <-done; err != nil {
		y.t.Fatal(err)
	}
	return end
}

// begin plans something and has it begin, with no engine that serves.
func (y *yard) begin(s *provisioning.Service, r provisioning.PlanRequest) saga.ID {
	y.t.Helper()
	p, err := s.PlanStack(y.t.Context(), r, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	_, started, err := s.ApplyPlan(y.t.Context(), p.ID, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	return started.ID
}
