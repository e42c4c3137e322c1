package provisioning_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// follow lists everything again and again until a saga has ended.
func (y *yard) follow(i *inventory.Service, engine *saga.Engine, of saga.ID) {
	y.t.Helper()
	for {
		y.listOnce(i)
		s, err := engine.Saga(y.t.Context(), of)
		if err != nil {
			y.t.Fatal(err)
		}
		if s.State.Ended() {
			if s.State != saga.Completed {
				y.t.Fatalf("%s is %s: %+v", s.Kind, s.State, s.Error)
			}
			return
		}
		time.Sleep(15 * time.Second)
	}
}

// TestWhatSagasDoIsTheirs has a stack live its life under the inventory's eyes: each
// change of each kind is the saga's that did it, however seldom lists are read, and what
// somebody does by hand meanwhile is not.
func TestWhatSagasDoIsTheirs(t *testing.T) {
	short := []provisioning.PlanRequest{on(provisioning.Suspend, "level", "1"), on(provisioning.Suspend, "level", "3"), on(provisioning.Teardown)}
	long := []provisioning.PlanRequest{
		on(provisioning.BackUp), on(provisioning.Suspend, "level", "3"), on(provisioning.Resume), on(provisioning.Resize, "size", "s-2vcpu-4gb"),
		on(provisioning.Restore), on(provisioning.Teardown),
	}
	source := "project: Customers\n" + drifting
	run := func(t *testing.T, y *yard, life []provisioning.PlanRequest, often bool) {
		engine := y.engine(y.options)
		s := y.serve(engine)
		i := y.watched(s, engine)
		ask(t, y.cloud, "/v2/projects", `{"name":"Customers","purpose":"Web"}`)
		time.Sleep(time.Minute)
		y.list(i) // what is there at first sight
		since, err := i.FeedEnd(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bp, err := s.AddBlueprint(t.Context(), "b.yaml", []byte(source), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		first := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: bp.Name, Tenant: "acme", Name: "web", Account: "main"}
		for _, r := range append([]provisioning.PlanRequest{first}, life...) {
			p, err := s.PlanStack(t.Context(), r, "cli:test", time.Now())
			if err != nil {
				t.Fatal(r.Verb, err)
			}
			_, started, err := s.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(r.Verb, err)
			}
			if often {
				y.follow(i, engine, started.ID)
			} else {
				settle(t, engine, started.ID, saga.Completed)
				time.Sleep(20 * time.Minute)
				y.list(i)
			}
		}
		y.list(i)
		ask(t, y.cloud, "/v2/domains/example.com/records", `{"type":"A","name":"by-hand","data":"192.0.2.1","ttl":300}`)
		y.list(i)
		kinds, byHand := map[string]bool{}, 0
		changes, err := i.Changes(t.Context(), inventory.ChangeFilter{Follow: true, After: since, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			switch {
			case c.Name == "by-hand.example.com A" && c.Cause.Type == inventory.OutOfBand:
				byHand++
			case c.Cause.Drift():
				t.Errorf("%s %s (%s) is %+v: %s", c.URN, c.Type, c.Name, c.Cause, c.Fields)
			case c.Cause.Type == inventory.BySaga:
				kinds[c.Kind+" "+string(c.Type)] = true
			}
		}
		if byHand != 1 {
			t.Errorf("%d changes by hand were seen, want 1", byHand)
		}
		for _, want := range []string{
			"droplet created", "droplet updated", "droplet deleted", "volume created", "volume deleted", "vpc created", "firewall created", "firewall updated",
			"firewall deleted", "reserved_ip created", "reserved_ip updated", "reserved_ip deleted", "domain_record created", "domain_record deleted", "tag created",
			"tag deleted", "project_resource created", "snapshot created",
		} {
			if !kinds[want] {
				t.Errorf("no saga was seen to be why: %s", want)
			}
		}
	}
	t.Run("often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil), short, true) })
	})
	t.Run("stormy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			run(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t, dosim.Options{Preset: "stormy", Seed: 3}), bubblePace, nil), long, false)
		})
	})
}
