package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// fleet is sky-ai's set of resources, without what its machine does when it begins.
const fleet = `name: fleet
version: 1
region: fra1
tags: [sky-ai]
vpc: {}
volumes:
  data: {size_gib: 100, filesystem: ext4, droplet: web}
droplets:
  web: {size: s-4vcpu-8gb, image: debian-12-x64, monitoring: true, ipv6: true, tags: [web]}
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
    ipv4: {type: A, name: '${stack.name}', data: '${reserved_ip.front.address}', ttl: 300}
health:
  web: {type: tcp, target: '${reserved_ip.front.address}', port: 443, timeout: 20m}
`

// TestCallsPerStack counts the API calls of stacks that are made at once, from the plan
// to the last step, with every default as in production and DigitalOcean's limits as they are. The figures
// are for 1 and 20, or for what ARCADIA_STACKS names, as in make bench: 1,100,1000.
func TestCallsPerStack(t *testing.T) {
	for _, n := range howMany(t, "1,20") {
		calls, took := callsPerStack(t, n)
		if n >= 20 && calls > 2 {
			t.Errorf("%d stacks took %.2f calls for each that changes something: they do not share their looks", n, calls)
		}
		if n >= 100 && calls > 1.3 {
			t.Errorf("%d stacks took %.2f calls for each that changes something, and 1.3 is the goal", n, calls)
		}
		if n >= 1000 && took > 1.15 {
			t.Errorf("%d stacks took %.2f of the time that their changes take at DigitalOcean's rate, and 1.15 is the goal", n, took)
		}
	}
}

// callsPerStack makes n stacks at once, and returns how many calls they took for each
// that changes something, and what part of the time that these take at least at
// DigitalOcean's hourly limit.
func callsPerStack(t *testing.T, n int) (perChange, ofLimit float64) {
	synctest.Test(t, func(t *testing.T) {
		sent := &tally{}
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), pace{options: saga.Options{Sole: true}}, func(next http.RoundTripper) http.RoundTripper {
			sent.RoundTripper = next
			return sent
		})
		engine := y.engine(y.options)
		s := y.serve(engine)
		ctx := t.Context()
		if _, err := s.AddBlueprint(ctx, "fleet.yaml", []byte(fleet), "cli:bench", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // what was asked for until now counts against no limit
		sent.calls, sent.changes = 0, nil
		began := time.Now()
		var ended sync.WaitGroup
		for i := range n {
			ended.Go(func() {
				if err := makeStack(ctx, s, engine, fmt.Sprintf("stack-%d", i)); err != nil {
					t.Error(err)
				}
			})
		}
		ended.Wait()
		took := time.Since(began)

		sent.mu.Lock()
		defer sent.mu.Unlock()
		if sent.refused > 0 {
			t.Errorf("%d of %d calls were refused for their rate", sent.refused, sent.calls)
		}
		changes := float64(len(sent.changes))
		perChange = float64(sent.calls) / changes
		ofLimit = took.Seconds() / (changes / hourly * time.Hour.Seconds())
		t.Logf("%4d stacks at once: %.1f API calls each, %.1f of them changes, %.2f calls a change; all done after %s, %.2f of the changes at 5,000 an hour",
			n, float64(sent.calls)/float64(n), changes/float64(n), perChange, took.Round(time.Second), ofLimit)
		polls := len(sent.changes) + pollsOf(sent.changes, y.cloud.ParamValues())
		t.Logf("     polling each resource every 10 s, computed: %.1f API calls each, %.2f calls a change; not done before %s, %.2f of the changes at 5,000 an hour",
			float64(polls)/float64(n), float64(polls)/changes, timeOf(polls), timeOf(polls).Hours()*hourly/changes)
	})
	return perChange, ofLimit
}

// DigitalOcean's limits of requests, in any hour and in any minute.
const hourly, minutely = 5000, 250

// timeOf is how long so many requests take at least, within the limits.
func timeOf(requests int) time.Duration {
	last := requests - 1
	return time.Duration(last/hourly)*time.Hour + time.Duration(last%hourly/minutely)*time.Minute
}

// pollsOf is how many requests it takes to ask every 10 s for each thing that was changed
// until it works, as DigitalOcean's provider for Terraform does: one at least.
func pollsOf(changes []string, cloud map[string]string) (polls int) {
	for _, one := range changes {
		lasts := time.Duration(0)
		for _, slow := range []struct{ path, param string }{
			{"/v2/droplets", "droplet.create"},
			{"/v2/firewalls", "firewall.apply"},
			{"/v2/reserved_ips", "action.assign_ip"},
			{"/v2/volumes/*/actions", "action.attach_volume"},
		} {
			if ok, _ := path.Match(slow.path, one); ok {
				lasts, _ = time.ParseDuration(cloud[slow.param])
			}
		}
		polls += max(1, int(math.Ceil(lasts.Seconds()/10)))
	}
	return polls
}

// makeStack plans and applies a stack, and waits until it is there.
func makeStack(ctx context.Context, s *provisioning.Service, e *saga.Engine, name string) error {
	p, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "fleet", Tenant: "acme", Name: name, Account: "main"}, "cli:bench", time.Now())
	if err != nil {
		return err
	}
	_, started, err := s.ApplyPlan(ctx, p.ID, "cli:bench", time.Now())
	if err != nil {
		return err
	}
	end, err := e.Wait(ctx, started.ID)
	if err == nil && end.State != saga.Completed {
		err = fmt.Errorf("stack %s: its saga is %s: %+v", name, end.State, end.Error)
	}
	return err
}

// TestTwoStacksOfOneName in DNS: both are planned before either has its record. One is
// made, the other is refused, and the name leads to one stack.
func TestTwoStacksOfOneName(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		first := y.plan(s)
		second, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "everything", Tenant: "acme", Name: "other", Account: "main"}, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, first.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		refused := func(when string) {
			t.Helper()
			if _, _, err := s.ApplyPlan(ctx, second.ID, "cli:other", time.Now()); !errors.Is(err, fault.Conflict) {
				t.Errorf("%s: %v, want a conflict", when, err)
			}
		}
		refused("while the first is made")
		settle(t, engine, started.ID, saga.Completed)
		refused("after the first was made")
		if got := untagged(y.kinds()); !slices.Equal(got, whole) {
			t.Errorf("there is %q, want %q", got, whole)
		}
	})
}

// TestARecordMadeByHandIsNotJoined: a record that somebody makes at a stack's name after
// the plan was applied ends the saga, which takes back what it made.
func TestARecordMadeByHandIsNotJoined(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		_, started, err := s.ApplyPlan(ctx, y.plan(s).ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		ask(t, y.cloud, "/v2/domains/example.com/records", `{"type":"A","name":"acme","data":"192.0.2.1"}`)
		end := settle(t, engine, started.ID, saga.RolledBack)
		if got := untagged(y.kinds()); !slices.Equal(got, []string{"domain_record"}) {
			t.Errorf("there is %q, want the record that was made by hand; the saga says %+v", got, end.Error)
		}
	})
}
