package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
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
	sizes := os.Getenv("ARCADIA_STACKS")
	if sizes == "" {
		sizes = "1,20"
	}
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		per := callsPerStack(t, n)
		if n >= 20 && per > 2 {
			t.Errorf("%d stacks took %.2f calls for each that changes something: they do not share their looks", n, per)
		}
		if n >= 100 && per > 1.3 {
			t.Errorf("%d stacks took %.2f calls for each that changes something, and 1.3 is the goal", n, per)
		}
	}
}

// callsPerStack makes n stacks at once, and returns how many calls they took for each
// that changes something.
func callsPerStack(t *testing.T, n int) (ratio float64) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), pace{options: saga.Options{Sole: true}}, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
		ctx := t.Context()
		if _, err := s.AddBlueprint(ctx, "fleet.yaml", []byte(fleet), "cli:bench", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // what was asked for until now counts against no limit
		before := len(y.cloud.Requests(0))
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

		calls := y.cloud.Requests(0)[before:]
		changes, refused := 0, 0
		for _, r := range calls {
			if r.Method != http.MethodGet {
				changes++
			}
			if r.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused > 0 {
			t.Errorf("%d of %d calls were refused for their rate", refused, len(calls))
		}
		ratio = float64(len(calls)) / float64(changes)
		limit := time.Duration(float64(changes) / 5000 * float64(time.Hour))
		t.Logf("%4d stacks at once: %.1f API calls each, %.1f of them changes, %.2f calls a change; all done after %s, %.2f of the changes at 5,000 an hour",
			n, float64(len(calls))/float64(n), float64(changes)/float64(n), ratio, took.Round(time.Second), took.Seconds()/limit.Seconds())
	})
	return ratio
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
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
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
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
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
