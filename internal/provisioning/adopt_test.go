package provisioning_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A hand is somebody who makes things at DigitalOcean without Arcadia.
type hand struct {
	t     *testing.T
	cloud *dosimtest.Server
	pause time.Duration // before it looks again
}

func (y *yard) hand() hand { return hand{y.t, y.cloud, y.options.Poll} }

// ask asks for something, and reads a word of the answer; it asks again while what it
// names does not show yet.
func (h hand) ask(method, path, body string, words ...string) string {
	h.t.Helper()
	for range 200 {
		req, err := http.NewRequestWithContext(h.t.Context(), method, h.cloud.URL+path, strings.NewReader(body))
		if err != nil {
			h.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer dop_v1_somebody_else")
		req.Header.Set("Content-Type", "application/json")
		resp, err := h.cloud.Client.Do(req)
		if err != nil {
			h.t.Fatal(err)
		}
		var answer any
		decoder := json.NewDecoder(resp.Body)
		decoder.UseNumber()
		_ = decoder.Decode(&answer)
		resp.Body.Close()
		if resp.StatusCode < 300 {
			for _, word := range words {
				answer = answer.(map[string]any)[word]
			}
			return fmt.Sprint(answer)
		}
		time.Sleep(h.pause)
	}
	h.t.Fatalf("%s %s is not answered", method, path)
	return ""
}

// An old estate is what the blueprint everything describes, made by hand: of another
// size, under other names, with other rules.
type old struct{ vpc, volume, droplet, ip, firewall, record string }

func (h hand) estate(domain string) (o old) {
	o.vpc = h.ask("POST", "/v2/vpcs", `{"name":"old-net","region":"nyc3"}`, "vpc", "id")
	o.volume = h.ask("POST", "/v2/volumes", `{"name":"old-data","region":"nyc3","size_gigabytes":20,"tags":["kept"]}`, "volume", "id")
	o.droplet = h.ask("POST", "/v2/droplets", `{"name":"old-web","region":"nyc3","size":"s-2vcpu-4gb","image":"ubuntu-24-04-x64","vpc_uuid":"`+o.vpc+`","volumes":["`+o.volume+`"]}`, "droplet", "id")
	for h.ask("GET", "/v2/droplets/"+o.droplet, "", "droplet", "status") != "active" {
		time.Sleep(h.pause)
	}
	for h.ask("GET", "/v2/volumes/"+o.volume, "", "volume", "droplet_ids") != "["+o.droplet+"]" {
		time.Sleep(h.pause)
	}
	o.ip = h.ask("POST", "/v2/reserved_ips", `{"droplet_id":`+o.droplet+`}`, "reserved_ip", "ip")
	o.firewall = h.ask("POST", "/v2/firewalls", `{"name":"old-wall","droplet_ids":[`+o.droplet+`],"inbound_rules":[{"protocol":"tcp","ports":"22","sources":{"addresses":["0.0.0.0/0"]}}],
		"outbound_rules":[{"protocol":"tcp","ports":"all","destinations":{"addresses":["0.0.0.0/0"]}}]}`, "firewall", "id")
	o.record = h.ask("POST", "/v2/domains/"+domain+"/records", `{"type":"A","name":"acme","data":"`+o.ip+`","ttl":600}`, "domain_record", "id")
	return o
}

// take names what cannot be found by itself.
func (o old) take() string { return "droplet.web=do:droplet:" + o.droplet }

func adopting(take string) provisioning.PlanRequest {
	return provisioning.PlanRequest{Verb: provisioning.Adopt, Blueprint: "everything", Tenant: "acme", Name: "web", Account: "main", Options: map[string]string{"take": take}}
}

// told are the requests since the first n that changed something, without their ids.
func (y *yard) told(n int) (words []string) {
	for _, r := range y.cloud.Requests(0)[n:] {
		if r.Method != http.MethodGet {
			words = append(words, r.Method+" "+strings.Join(strings.Split(r.Path, "/")[:3], "/"))
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// truth is everything of some kinds as it is, but for tags.
func (y *yard) truth() (words []string) {
	for _, kind := range []string{"droplet", "volume", "vpc", "firewall", "reserved_ip", "domain_record"} {
		for _, one := range y.cloud.Truth(kind) {
			words = append(words, one.URN+" "+one.Name)
		}
	}
	return words
}

// withEstate adds the blueprint everything, and an estate that was made by hand.
func (y *yard) withEstate(s *provisioning.Service) old {
	y.t.Helper()
	if _, err := s.AddBlueprint(y.t.Context(), "everything.yaml", []byte(everything), "cli:test", time.Now()); err != nil {
		y.t.Fatal(err)
	}
	o := y.hand().estate("example.com")
	time.Sleep(12 * y.options.Poll) // until lists show it
	y.mark = y.cloud.Mark()
	return o
}

// eachYard runs fn on both databases, as each does.
func eachYard(t *testing.T, fn func(t *testing.T, y *yard)) {
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { fn(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
	t.Run("postgres", func(t *testing.T) {
		fn(t, newYard(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil))
	})
}

// TestAdoptAndRelease takes an estate that was made by hand into a stack, lets it go, takes
// it again, and tears it down: until then nothing of it changes but tags.
func TestAdoptAndRelease(t *testing.T) {
	eachYard(t, func(t *testing.T, y *yard) {
		ctx := t.Context()
		engine := y.engine(y.options)
		s := y.serve(engine)
		o := y.withEstate(s)
		before, sent := y.truth(), len(y.cloud.Requests(0))
		p, _ := y.apply(s, engine, adopting(o.take()), saga.Completed)
		details := map[string]provisioning.Change{}
		for _, c := range p.Changes {
			details[c.Key] = c
		}
		for key, want := range map[string][2]string{
			"droplet.web":       {"do:droplet:" + o.droplet, "the record takes over: "},
			"volume.data":       {"do:volume:" + o.volume, "size_gib is 20, not 10"},
			"vpc.net":           {"do:vpc:" + o.vpc, "name is old-net, not web-net"},
			"firewall.edge":     {"do:firewall:" + o.firewall, "stays another than the blueprint: inbound is "},
			"reserved_ip.front": {"do:reserved_ip:" + o.ip, "as the blueprint has it"},
			"domain_record.a":   {"do:domain_record:" + o.record, "ttl is 600, not 300"},
		} {
			if c := details[key]; c.URN != want[0] || !strings.Contains(c.Detail, want[1]) || c.Action != "adopt" {
				t.Errorf("%s: %s %s, %q, want %s with %q", key, c.Action, c.URN, c.Detail, want[0], want[1])
			}
		}
		if p.Before != p.After {
			t.Errorf("adopting costs %d", p.After-p.Before)
		}
		stack := y.stack(s)
		spec, _ := stack.Spec.Resource("droplet.web")
		if stack.State != provisioning.StackActive || spec.Droplet.Size != "s-2vcpu-4gb" || spec.Name != "old-web" || spec.Droplet.Image != "ubuntu-24-04-x64" {
			t.Errorf("the stack is %s, its droplet %s, %s, %s", stack.State, spec.Name, spec.Droplet.Size, spec.Droplet.Image)
		}
		is := y.hand().ask("GET", "/v2/droplets/"+o.droplet, "", "droplet", "tags")
		if !strings.Contains(is, "arcadia:stack:"+string(stack.ID)) || !strings.Contains(is, "-droplet-web") {
			t.Errorf("the droplet's tags are %s", is)
		}
		if _, err := s.SetBackupSchedule(ctx, stack, "0 3 * * *", "UTC", blueprint.Retention{Daily: 2}, "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		_, released := y.apply(s, engine, on(provisioning.Release), saga.Completed)
		if by, err := s.BackupSchedules(ctx, ""); err != nil || len(by) != 0 {
			t.Errorf("released, it is to be backed up by %+v, %v", by, err)
		}
		if kinds := y.kinds(); len(kinds) != 0 {
			t.Errorf("released, and %q is left", kinds)
		}
		if got, err := s.Stack(ctx, string(stack.ID)); err != nil || got.State != provisioning.StackReleased || got.Saga != released.ID {
			t.Errorf("the stack is %s: %v", got.State, err)
		}
		if has, err := s.StackResources(ctx, stack.ID); err != nil || len(has) != 0 {
			t.Errorf("released, and it has %v: %v", has, err)
		}
		if told := y.told(sent); !slices.Equal(told, []string{"DELETE /v2/tags", "POST /v2/tags"}) {
			t.Errorf("it was changed by %q", told)
		}
		if after := y.truth(); !slices.Equal(before, after) {
			t.Errorf("there was %q and there is %q", before, after)
		}
		if is := y.hand().ask("GET", "/v2/volumes/"+o.volume, "", "volume", "tags"); is != "[kept]" {
			t.Errorf("the volume's tags are %s", is)
		}
		y.apply(s, engine, adopting(o.take()), saga.Completed)
		y.apply(s, engine, on(provisioning.Teardown, "final_snapshot", "false"), saga.Completed)
		for _, gone := range []string{"firewall", "reserved_ip", "domain_record", "volume"} {
			for _, one := range y.cloud.Truth(gone) {
				if slices.Contains([]string{o.firewall, o.ip, o.record, o.volume}, one.URN[strings.LastIndexAny(one.URN, ":/")+1:]) {
					t.Errorf("torn down, and %s is there", one.URN)
				}
			}
		}
		if kinds := y.kinds(); len(kinds) != 0 {
			t.Errorf("torn down, and %q is left", kinds)
		}
	})
}

// TestAdoptRefuses what is another's, what others use, and what could be several things.
func TestAdoptRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		p := bubblePace
		whose := map[string]provisioning.Owner{}
		p.settings.Whose = func(context.Context, string) (map[string]provisioning.Owner, error) { return whose, nil }
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
		o := y.withEstate(s)
		h := y.hand()
		refused := func(when, says string, r provisioning.PlanRequest) {
			t.Helper()
			_, err := s.PlanStack(ctx, r, "cli:test", time.Now())
			if k := fault.KindOf(err); err == nil || k == fault.Internal || !strings.Contains(fault.Message(err), says) {
				t.Errorf("%s: %v, want one that says %q", when, err, says)
			}
		}
		found := func(when string, r provisioning.PlanRequest) {
			t.Helper()
			if _, err := s.PlanStack(ctx, r, "cli:test", time.Now()); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		refused("nothing says which droplet", "droplet.web: no droplet is", adopting(""))
		acme, err := tenant.New(y.db).Tenant(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		whose["do:droplet:"+o.droplet] = provisioning.Owner{Tenant: acme.ID, Slug: "acme", Why: "It is tagged so."}
		found("the one droplet of the tenant", adopting(""))
		twin := h.ask("POST", "/v2/droplets", `{"name":"twin","region":"nyc3","size":"s-1vcpu-1gb","image":"debian-12-x64"}`, "droplet", "id")
		time.Sleep(time.Minute)
		whose["do:droplet:"+twin] = whose["do:droplet:"+o.droplet]
		refused("two droplets of the tenant", "droplet.web could be any of 2", adopting(""))
		found("one of the two is named", adopting(o.take()))
		refused("it is in another network", "vpc.net: do:vpc:"+o.vpc+" has nothing to do with droplet "+twin, adopting("droplet.web=do:droplet:"+twin+",vpc.net=do:vpc:"+o.vpc))
		refused("the volume is attached to another", "volume.data: do:volume:"+o.volume+" has nothing to do with droplet "+twin, adopting("droplet.web="+twin+",volume.data="+o.volume))

		whose["do:volume:"+o.volume] = provisioning.Owner{Tenant: "tenant_other", Slug: "other", Why: "Somebody said so."}
		refused("another tenant's", "is tenant other's: Somebody said so.", adopting(o.take()))
		delete(whose, "do:volume:"+o.volume)

		refused("what there is not", "no droplet do:droplet:1 that", adopting("droplet.web=do:droplet:1"))
		refused("what the blueprint has not", "no droplet.db", adopting(o.take()+",droplet.db=do:droplet:1"))
		refused("what is not named as it has to be", "not \"droplet.web\"", adopting("droplet.web"))
		elsewhere := adopting(o.take())
		if _, err := s.AddBlueprint(ctx, "b.yaml", []byte(strings.NewReplacer("name: everything", "name: elsewhere", "nyc3", "fra1").Replace(everything)), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		elsewhere.Blueprint = "elsewhere"
		refused("a region's default network", "is the network that DigitalOcean gives", adopting("droplet.web="+twin))
		refused("another region", "nothing moves to another region", elsewhere)
		h.ask("POST", "/v2/firewalls/"+o.firewall+"/droplets", `{"droplet_ids":[`+twin+`]}`)
		time.Sleep(time.Minute)
		refused("a firewall that others use", "is for droplet "+twin+" too", adopting(o.take()))
		h.ask("DELETE", "/v2/firewalls/"+o.firewall+"/droplets", `{"droplet_ids":[`+twin+`]}`)
		time.Sleep(time.Minute)

		stale, err := s.PlanStack(ctx, adopting(o.take()), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		h.ask("PUT", "/v2/domains/example.com/records/"+o.record, `{"type":"A","ttl":900}`)
		time.Sleep(time.Minute)
		if _, _, err := s.ApplyPlan(ctx, stale.ID, "cli:test", time.Now()); fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.Message(err), "domain_record.a was") {
			t.Errorf("a stale plan: %v", err)
		}
		second := adopting(o.take())
		second.Name = "second"
		other, err := s.PlanStack(ctx, second, "cli:other", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.PlanStack(ctx, adopting(o.take()), "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, first.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, other.ID, "cli:other", time.Now()); fault.KindOf(err) != fault.Conflict {
			t.Errorf("two adopt one thing at once: %v", err)
		}
		settle(t, engine, started.ID, saga.Completed)
		refused("another stack's", "belongs to stack web", second)
		third := adopting("droplet.web=" + twin)
		third.Name = "third"
		h.ask("POST", "/v2/tags", `{"name":"arcadia:stack:stack_elsewhere"}`)
		h.ask("POST", "/v2/tags/arcadia:stack:stack_elsewhere/resources", `{"resources":[{"resource_id":"`+twin+`","resource_type":"droplet"}]}`)
		time.Sleep(time.Minute)
		refused("of a stack that is not known", "arcadia:stack:stack_elsewhere", third)
	})
}

// TestAdoptLosesARace: while one plan is applied, and has read whose everything is, another
// makes a stack of it. What is another's by then is not adopted.
func TestAdoptLosesARace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		p, meanwhile := bubblePace, func() {}
		p.settings.Whose = func(context.Context, string) (map[string]provisioning.Owner, error) {
			then := meanwhile
			meanwhile = func() {}
			then()
			return nil, nil
		}
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		engine := y.engine(y.options)
		s := y.serve(engine)
		o := y.withEstate(s)
		slow := adopting(o.take())
		slow.Name = "slow"
		plan, err := s.PlanStack(ctx, slow, "cli:other", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		meanwhile = func() { y.apply(s, engine, adopting(o.take()), saga.Completed) }
		if _, _, err := s.ApplyPlan(ctx, plan.ID, "cli:other", time.Now()); fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.Message(err), "belongs to stack web") {
			t.Errorf("what another stack has by now was adopted: %v", err)
		}
		if all, err := s.Stacks(ctx, provisioning.StackFilter{}); err != nil || len(all) != 1 {
			t.Errorf("there are %d stacks, %v; want the one that was faster", len(all), err)
		}
	})
}

// TestAnAdoptedStackIsOneAsAnyOther: archived and resumed, it has what it had.
func TestAnAdoptedStackIsOneAsAnyOther(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		o := y.withEstate(s)
		y.apply(s, engine, adopting(o.take()), saga.Completed)
		y.apply(s, engine, on(provisioning.Suspend, "level", "3"), saga.Completed)
		y.apply(s, engine, on(provisioning.Resume), saga.Completed)
		v := y.look(s)
		volume, err := y.client.Volume(t.Context(), v.droplet.VolumeIDs[0])
		if err != nil {
			t.Fatal(err)
		}
		if v.droplet.Name != "old-web" || v.droplet.Size != "s-2vcpu-4gb" || v.droplet.VPC != o.vpc || volume.Name != "old-data" || volume.SizeGiB != 20 || v.front != o.ip || v.reserved.Droplet != v.droplet.ID {
			t.Errorf("resumed, it is %+v with %+v", v, volume)
		}
	})
}

// TestUnwindAdoption cuts adopting and releasing: what is taken back leaves no tag, and
// nothing else is ever changed.
func TestUnwindAdoption(t *testing.T) {
	type observed struct {
		estate old
		truth  []string
	}
	for _, verb := range []provisioning.Verb{provisioning.Adopt, provisioning.Release} {
		g := stage[observed]{
			set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (observed, provisioning.PlanRequest) {
				o := y.withEstate(s)
				r := adopting(o.take())
				if verb == provisioning.Release {
					y.drive(s, engine, r)
					r = on(provisioning.Release)
				}
				return observed{o, y.truth()}, r
			},
			check: func(t *testing.T, y *yard, _ *provisioning.Service, before observed, end saga.Saga) {
				tags := 0
				if (verb == provisioning.Adopt) == (end.State == saga.Completed) {
					tags = 3
				}
				if kinds := y.kinds(); len(kinds) != tags || len(untagged(kinds)) != 0 {
					t.Errorf("%s, and there is %q, want %d tags", end.State, kinds, tags)
				}
				want := tags / 3 * 2 // the stack's tag and the marker
				is := y.hand().ask("GET", "/v2/droplets/"+before.estate.droplet, "", "droplet", "tags")
				if strings.Count(is, "arcadia:") != want {
					t.Errorf("%s, and the droplet's tags are %s", end.State, is)
				}
				if after := y.truth(); !slices.Equal(before.truth, after) {
					t.Errorf("%s: there was %q and there is %q", end.State, before.truth, after)
				}
			},
		}
		t.Run(string(verb), func(t *testing.T) {
			c := sagatest.Case{Ends: saga.Completed, Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 12, Presets: weathers, Build: g.build}
			if verb == provisioning.Release {
				c.Pivot = "record_release"
			}
			sagatest.Unwind(t, c)
		})
	}
}
