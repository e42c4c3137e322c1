package provisioning_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// watched has an inventory be kept of the yard's account, which a service goes by.
func (y *yard) watched(s *provisioning.Service, engine *saga.Engine) *inventory.Service {
	y.t.Helper()
	var tokens atomic.Int64
	i := inventory.New(y.db, engine, inventory.Settings{
		Horizon: y.horizon(),
		Client: func(context.Context, string) (*digitalocean.Client, error) {
			// With a token of its own each time: the limits of one would have a test at a real
			// pace wait for the end of the minute.
			token := vault.NewSecret(fmt.Sprintf("dop_v1_reads_%d", tokens.Add(1)))
			return digitalocean.New(digitalocean.Options{
				BaseURL: y.cloud.URL, Account: "main", Purpose: digitalocean.Inventory, Token: token, Transport: y.cloud.Client.Transport,
			})
		},
		Accounts: func(context.Context) ([]string, error) { return []string{"main"}, nil },
	})
	ctx, cancel := context.WithCancel(y.t.Context())
	done := make(chan error)
	go func() { done <- i.Serve(ctx) }()
	y.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			y.t.Errorf("inventory: %v", err)
		}
	})
	s.Observe(i)
	return i
}

// horizon is how long the yard's cloud may hide the truth.
func (y *yard) horizon() time.Duration {
	if y.options.Lease == realPace.options.Lease {
		return realPace.settings.Horizon
	}
	return 180 * time.Second
}

// list lists everything twice, a horizon apart, so that what is gone is known to be.
func (y *yard) list(i *inventory.Service) {
	y.t.Helper()
	for range 2 {
		time.Sleep(y.horizon() + y.horizon()/10)
		y.listOnce(i)
	}
}

func (y *yard) listOnce(i *inventory.Service) {
	y.t.Helper()
	r, err := i.StartSync(y.t.Context(), "main", nil, "test")
	for pause := 20 * time.Millisecond; err == nil && r.FinishedAt.IsZero(); pause = min(2*pause, 5*time.Second) {
		time.Sleep(pause)
		r, err = i.Run(y.t.Context(), r.ID)
	}
	if err != nil {
		y.t.Fatal(err)
	}
}

// meddle does something to what the stack has, as somebody who knows of no stacks.
func (y *yard) meddle(s *provisioning.Service, method, path, body string) {
	y.t.Helper()
	has, err := s.StackResources(y.t.Context(), y.stack(s).ID)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range has {
		id := r.URN[strings.LastIndexAny(r.URN, ":/")+1:]
		path, body = strings.ReplaceAll(path, "{"+r.Key+"}", id), strings.ReplaceAll(body, "{"+r.Key+"}", id)
	}
	req, err := http.NewRequestWithContext(y.t.Context(), method, y.cloud.URL+path, strings.NewReader(body))
	if err != nil {
		y.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+y.cloud.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := y.cloud.Client.Do(req)
	if err != nil {
		y.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		y.t.Fatalf("%s %s: %d", method, path, resp.StatusCode)
	}
	time.Sleep(y.horizon() / 2) // until an action has ended
}

// drift is the drift of the stack web, all of which is known.
func (y *yard) drift(s *provisioning.Service) provisioning.Drift {
	y.t.Helper()
	d, err := s.Drift(y.t.Context(), y.stack(s), time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	if len(d.Unknown) > 0 || d.AsOf.IsZero() {
		y.t.Errorf("of this nothing is known, as of %s: %q", d.AsOf, d.Unknown)
	}
	return d
}

// points are the differences that are heard, in words.
func points(d provisioning.Drift) (all []string) {
	for _, one := range d.Heard() {
		key := one.Key
		if key == "" {
			key = one.Kind
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", key, one.What, one.Field)))
	}
	slices.Sort(all)
	return all
}

// drifting is lasting with backups by DigitalOcean.
var drifting = strings.NewReplacer("name: lasting", "name: drifting", "monitoring: true}", "monitoring: true, backups: {plan: weekly, weekday: SUN, hour: 4}}").Replace(lasting)

// meddling is what somebody may do to a stack by hand: each makes a difference.
var meddling = []struct{ point, method, path, body string }{
	{"domain_record.a changed data", "PUT", "/v2/domains/example.com/records/{domain_record.a}", `{"type":"A","data":"192.0.2.99"}`},
	{"domain_record.own missing", "DELETE", "/v2/domains/example.com/records/{domain_record.own}", ""},
	{"droplet.web changed backups", "POST", "/v2/droplets/{droplet.web}/actions", `{"type":"disable_backups"}`},
	{"droplet.web changed name", "POST", "/v2/droplets/{droplet.web}/actions", `{"type":"rename","name":"by-hand"}`},
	{"droplet.web changed tags", "DELETE", "/v2/tags/test/resources", `{"resources":[{"resource_id":"{droplet.web}","resource_type":"droplet"}]}`},
	{"firewall.edge changed inbound", "POST", "/v2/firewalls/{firewall.edge}/rules", `{"inbound_rules":[{"protocol":"tcp","ports":"22","sources":{"addresses":["0.0.0.0/0"]}}]}`},
	{"firewall.edge changed droplets", "DELETE", "/v2/firewalls/{firewall.edge}/droplets", `{"droplet_ids":[{droplet.web}]}`},
	{"reserved_ip.front changed leads_to", "POST", "/v2/reserved_ips/{reserved_ip.front}/actions", `{"type":"unassign"}`},
	{"volume.data changed attached", "POST", "/v2/volumes/{volume.data}/actions", `{"type":"detach","droplet_id":{droplet.web}}`},
	{"droplet.web changed power", "POST", "/v2/droplets/{droplet.web}/actions", `{"type":"power_off"}`},
	{"droplet.web changed size", "POST", "/v2/droplets/{droplet.web}/actions", `{"type":"resize","size":"s-2vcpu-4gb","disk":false}`},
}

// TestDrift does one thing after the other to a stack by hand: the drift has each, and
// nothing else; what is ignored is heard again at its time.
func TestDrift(t *testing.T) {
	run := func(t *testing.T, y *yard) {
		ctx := t.Context()
		engine := y.engine(y.options)
		s := y.serve(engine)
		stack := y.stand(s, engine, drifting)
		if d, err := s.Drift(ctx, stack, time.Now()); err != nil || len(d.Unknown) == 0 || len(d.Differences) > 0 {
			t.Errorf("without an inventory: %+v, %v", d, err)
		}
		i := y.watched(s, engine)
		if d, err := s.Drift(ctx, stack, time.Now()); err != nil || len(d.Unknown) == 0 || len(d.Differences) > 0 {
			t.Errorf("before anything was listed: %+v, %v", d, err)
		}
		y.list(i)
		if got := points(y.drift(s)); len(got) != 0 {
			t.Fatalf("a stack that was just made differs in %q", got)
		}
		var want []string
		for _, one := range meddling {
			y.meddle(s, one.method, one.path, one.body)
			want = append(want, one.point)
		}
		y.meddle(s, "POST", "/v2/volumes", `{"name":"stray","region":"nyc3","size_gigabytes":5,"tags":["arcadia:stack:`+string(stack.ID)+`"]}`)
		want = append(want, "volume extra")
		slices.Sort(want)
		y.list(i)
		d := y.drift(s)
		if got := points(d); !slices.Equal(got, want) {
			t.Fatalf("the drift is %q, want %q", got, want)
		}
		for _, one := range d.Differences {
			// With weekly backups, of a fifth; their prices are not known in a bubble's year 2000.
			want, priced := map[string]int64{"size": 21_600_000, "backups": -4_800_000, "name": 0, "inbound": 0, "data": 0}[one.Field]
			if priced && (one.Monthly == nil && y.horizon() < time.Minute || one.Monthly != nil && *one.Monthly != want) {
				t.Errorf("%s of %s adds %v, want %d", one.Field, one.Key, one.Monthly, want)
			}
			if one.Field == "size" && (one.Expected != "s-1vcpu-1gb" || one.Is != "s-2vcpu-4gb") {
				t.Errorf("the size is %s in place of %s", one.Is, one.Expected)
			}
			if one.Repair == "" == (one.RepairNot == "") {
				t.Errorf("%s %s: a repair does %q, and not: %q", one.Key, one.Field, one.Repair, one.RepairNot)
			}
		}

		size := d.Differences[slices.IndexFunc(d.Differences, func(one provisioning.Difference) bool { return one.Field == "size" })]
		now := time.Now()
		for _, wrong := range []provisioning.Ignore{{Until: now.Add(time.Hour), At: now}, {Reason: "r", Until: now, At: now}, {Reason: "r", Until: now.AddDate(2, 0, 0), At: now}} {
			if _, err := s.IgnoreDrift(ctx, stack, size.ID, wrong); fault.KindOf(err) != fault.Invalid {
				t.Errorf("ignored with %+v: %v", wrong, err)
			}
		}
		if _, err := s.IgnoreDrift(ctx, stack, "drift_none", provisioning.Ignore{Reason: "r", Until: now.Add(time.Hour), At: now}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a difference that there is not was ignored: %v", err)
		}
		if _, err := s.IgnoreDrift(ctx, stack, size.ID, provisioning.Ignore{Reason: "a trial", Actor: "cli:test", Until: now.Add(time.Hour), At: now}); err != nil {
			t.Fatal(err)
		}
		if got := points(y.drift(s)); slices.Contains(got, "droplet.web changed size") || len(got) != len(want)-1 {
			t.Errorf("ignored, and the drift is %q", got)
		}
		later, err := s.Drift(ctx, stack, now.Add(time.Hour))
		if got := points(later); err != nil || !slices.Equal(got, want) {
			t.Errorf("an hour later the drift is %q, %v", got, err)
		}
		if _, err := s.HearDrift(ctx, stack, size.ID, now); err != nil {
			t.Fatal(err)
		}
		if got := points(y.drift(s)); !slices.Equal(got, want) {
			t.Errorf("heard again, and the drift is %q", got)
		}
		all, err := s.Drifts(ctx, []provisioning.Stack{y.stack(s)}, now)
		if got := points(all[stack.ID]); err != nil || !slices.Equal(got, want) {
			t.Errorf("among all stacks the drift is %q, %v", got, err)
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
