//go:build unix

package provisioning_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// TestKilledStacks kills the processes that drive a stack's sagas with SIGKILL, several times
// in each, from its making to its end: an undone one leaves nothing, and each other what was
// planned, with the data on its disks, and a ledger that one owner at a time has written. On
// SQLite one process at a time holds the database; on PostgreSQL, where there are fewer
// sagas, two work side by side.
func TestKilledStacks(t *testing.T) {
	t.Parallel()
	for engine, workers := range map[db.Engine]int{db.SQLite: 1, db.Postgres: 2} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			killedStacks(t, engine, workers)
		})
	}
}

func killedStacks(t *testing.T, engine db.Engine, workers int) {
	t.Helper()
	p := newPlace(t, engine, 1) // whose droplet has the region's default network
	quick := maps.Clone(realPace.params)
	for _, action := range []string{"resize", "shutdown", "power_off", "power_on", "rebuild"} {
		quick["action."+action] = "40ms"
	}
	// The domain is everybody's at once: what shows late is what the sagas make.
	if err := p.cloud.SetParams(map[string]string{"lag.replica": "0s", "lag.get_after_create": "0s", "lag.list_after_create": "0s"}); err != nil {
		t.Fatal(err)
	}
	ask(t, p.cloud, "/v2/domains", `{"name":"example.com"}`)
	if err := p.cloud.SetParams(quick); err != nil {
		t.Fatal(err)
	}
	y := &yard{&world{t: t, cloud: p.cloud, mark: p.cloud.Mark()}}
	quiet, _, _ := strings.Cut(everything, "health:") // a process of its own has nobody to ask
	p.opened(func(d *db.DB, _ *saga.Engine, s *provisioning.Service) {
		if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "acme", Name: "Acme"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AddBlueprint(t.Context(), "everything.yaml", []byte(quiet), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	makes := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "everything", Tenant: "acme", Name: "web", Account: "main"}

	kills, recovered := 0, 0
	// drive has a plan carried out by processes that are killed, and then checks what there is.
	drive := func(r provisioning.PlanRequest, cancel bool, want []string, check func(s *provisioning.Service)) {
		t.Helper()
		var id saga.ID
		p.opened(func(_ *db.DB, _ *saga.Engine, s *provisioning.Service) {
			plan, err := s.PlanStack(t.Context(), r, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			_, started, err := s.ApplyPlan(t.Context(), plan.ID, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			id = started.ID
		})
		n := 2 + p.chance.IntN(3)
		kills += n
		ends := saga.Completed
		if cancel {
			ends = saga.RolledBack
			w := p.start("", 0)
			p.until(20*time.Second, "a droplet is there", func() bool { return len(p.cloud.Truth("droplet")) > 0 })
			w.kill()
			p.opened(func(_ *db.DB, e *saga.Engine, _ *provisioning.Service) {
				if _, err := e.Cancel(t.Context(), id, saga.Actor{Name: "cli:test", Reason: "test"}); err != nil {
					t.Fatal(err)
				}
			})
		}
		o := &ordered{order: order{Key: fmt.Sprintf("%s-%d", r.Verb, len(p.orders)), Saga: id}}
		p.mu.Lock()
		p.orders = append(p.orders, o)
		p.mu.Unlock()
		p.killingWith(workers, n, func() {})
		p.opened(func(_ *db.DB, e *saga.Engine, s *provisioning.Service) {
			end, err := e.Saga(t.Context(), id)
			if err != nil || end.State != ends {
				t.Fatalf("%s is %s, want %s: %v; %+v", r.Verb, end.State, ends, err, end.Steps)
			}
			recovered += p.auditEvents(e, end)
			p.until(10*time.Second, "every sweep is due and made", func() bool {
				return time.Now().After(end.FinishedAt.Add(processPace.options.Sweeps[0])) && s.Sweep(t.Context()) == nil
			})
			got := untagged(y.kinds())
			if cancel {
				got = y.kinds() // not one tag either
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s is %s, and there is %q, want %q", r.Verb, end.State, got, want)
			}
			if check != nil {
				check(s)
			}
		})
	}
	with := func(more ...string) []string { return slices.Sorted(slices.Values(slices.Concat(whole, more))) }
	has := func(s *provisioning.Service) {
		if got := y.written(s, y.stack(s).ID); !maps.Equal(got, wasWritten) {
			t.Errorf("the disks have %v", got)
		}
	}

	drive(makes, true, []string{}, nil)
	drive(makes, false, whole, func(s *provisioning.Service) { y.write(s, "42 rows") })
	backup := []string{"snapshot", "volume_snapshot"}
	archived := []string{"domain_record", "firewall", "reserved_ip", "snapshot", "snapshot", "volume_snapshot", "volume_snapshot", "vpc"}
	left := []string{}
	if !testing.Short() {
		left = backup
		drive(on(provisioning.BackUp), false, with(backup...), has)
		drive(on(provisioning.Suspend, "level", "1"), false, with("firewall", "snapshot", "volume_snapshot"), has)
		drive(on(provisioning.Resume), false, with(backup...), has)
	}
	if !testing.Short() && engine == db.SQLite {
		drive(on(provisioning.Resize, "size", "s-2vcpu-4gb"), false, with(backup...), has)
		drive(on(provisioning.TryOut), false, with(backup...), has)
		drive(on(provisioning.Suspend, "level", "2"), false, with(backup...), has)
		drive(on(provisioning.Resume), false, with(backup...), has)
		drive(on(provisioning.Suspend, "level", "3"), false, archived, nil)
		backup = slices.Concat(backup, backup) // what it was resumed of is one more
		left = slices.Sorted(slices.Values(backup))
		drive(on(provisioning.Resume), false, with(backup...), func(s *provisioning.Service) {
			has(s)
			y.write(s, "nothing")
		})
		drive(on(provisioning.Rebuild, "backup", "false"), false, with(backup...), func(s *provisioning.Service) {
			if got := y.written(s, y.stack(s).ID); got["droplet.web"] != "" || got["volume.data"] != "nothing" {
				t.Errorf("rebuilt, the disks have %v", got)
			}
			if n := y.rebuilds(); n != 1 {
				t.Errorf("it was rebuilt %d times", n)
			}
		})
		drive(on(provisioning.Restore, "safety_backup", "false"), false, with(backup...), has)
	}
	drive(on(provisioning.Teardown, "final_snapshot", "false"), false, left, nil)
	t.Logf("%d sagas of a stack and %d kills; %d entries were recovered from a dead owner", len(p.orders), kills, recovered)
	if kills > 0 && recovered == 0 {
		t.Error("no kill has hit a saga inside a step")
	}
}

// opened opens the database while no worker does, and closes it again.
func (p *place) opened(fn func(d *db.DB, e *saga.Engine, s *provisioning.Service)) {
	p.t.Helper()
	if p.directory != "" {
		held, err := datadir.Hold(p.directory)
		if err != nil {
			p.t.Fatal(err)
		}
		defer held.Close()
	}
	d, err := db.Open(p.t.Context(), p.url, db.Options{ReadConns: 4, WriteConns: 4})
	if err != nil {
		p.t.Fatal(err)
	}
	defer d.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	steps := provisioning.NewSteps(cloudAt(p.cloud.URL, p.cloud.Token, transport), processPace.settings, nil)
	e, err := saga.New(d, processPace.options, steps.Kinds()...)
	if err != nil {
		p.t.Fatal(err)
	}
	fn(d, e, provisioning.New(d, e, steps))
}
