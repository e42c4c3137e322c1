package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A lot is a yard in which somebody leaves things lying about.
type lot struct {
	*yard
	service *provisioning.Service
	engine  *saga.Engine
	book    *inventory.Service
}

// newLot is a yard whose steps look after marks through the service that is set last.
func newLot(t *testing.T, d *db.DB, cloud *dosimtest.Server, p pace, wrap func(http.RoundTripper) http.RoundTripper) *lot {
	t.Helper()
	l := &lot{}
	p.settings.Marks = func(ctx context.Context, of saga.ID, used map[string]string) ([]string, error) {
		return l.service.LookAfter(ctx, of, used)
	}
	p.settings.Protected = func(ctx context.Context, subjects []string) error {
		return provisioning.ProtectedBy(ctx, d.Read(), "It", subjects)
	}
	p.settings.Quote = func(_ context.Context, of tenant.ID, _ []provisioning.Change, _ time.Time) (q provisioning.Quote, err error) {
		if of == "" {
			t.Error("the invoices of no tenant are asked for: nobody's things are on none")
		}
		return q, nil
	}
	l.yard = newYard(t, d, cloud, p, wrap)
	return l
}

// open has an engine serve, and an inventory be kept.
func (l *lot) open() *lot {
	l.engine = l.yard.engine(l.options)
	l.service = l.serve(l.engine)
	l.book = l.watched(l.service, l.engine)
	return l
}

func (l *lot) volume(name string, tags ...string) string {
	l.t.Helper()
	quoted := ""
	for i, tag := range tags {
		quoted += strings.Repeat(",", min(i, 1)) + `"` + tag + `"`
	}
	return "do:volume:" + l.hand().ask("POST", "/v2/volumes", `{"name":"`+name+`","region":"nyc3","size_gigabytes":10,"tags":[`+quoted+`]}`, "volume", "id")
}

func (l *lot) address() string {
	l.t.Helper()
	return "do:reserved_ip:" + l.hand().ask("POST", "/v2/reserved_ips", `{"region":"nyc3"}`, "reserved_ip", "ip")
}

// snapshot is one of a volume that is gone.
func (l *lot) snapshot(name string) string {
	l.t.Helper()
	of := plainID(l.volume("of-" + name))
	id := l.hand().ask("POST", "/v2/volumes/"+of+"/snapshots", `{"name":"`+name+`"}`, "snapshot", "id")
	l.hand().ask("DELETE", "/v2/volumes/"+of, "")
	return "do:snapshot:" + id
}

func plainID(urn string) string { return urn[strings.LastIndex(urn, ":")+1:] }

func (l *lot) attach(volume string) {
	l.t.Helper()
	l.hand().ask("POST", "/v2/volumes/"+plainID(volume)+"/actions", fmt.Sprintf(`{"type":"attach","droplet_id":%d,"region":"nyc3"}`, l.droplet))
}

// wait is as short as a clean-up may be in a lot, with room for what is done meanwhile.
func (l *lot) wait() time.Duration { return 4 * l.horizon() }

func (l *lot) cleanup(options ...string) provisioning.PlanRequest {
	r := on(provisioning.CleanUp, append([]string{"wait", l.wait().String()}, options...)...)
	r.Stack, r.Account = "", "main"
	return r
}

// begin plans a clean-up and has it start.
func (l *lot) begin(options ...string) (provisioning.Plan, saga.ID) {
	l.t.Helper()
	p, err := l.service.PlanStack(l.t.Context(), l.cleanup(options...), "cli:test", time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	_, started, err := l.service.ApplyPlan(l.t.Context(), p.ID, "cli:test", time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	return p, started.ID
}

// there are those of the things that DigitalOcean has.
func (l *lot) there(urns map[string]string) (names []string) {
	for name, urn := range urns {
		if slices.ContainsFunc(l.cloud.Truth(""), func(o dosim.Item) bool { return o.ID == plainID(urn) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// became is what became of the newest mark of each thing, with why.
func (l *lot) became() map[string]string {
	l.t.Helper()
	marks, err := l.service.Marks(l.t.Context(), "main", true)
	if err != nil {
		l.t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range marks {
		if all[m.URN] == "" { // the newest
			all[m.URN] = strings.TrimSuffix(string(m.State)+" "+m.Why, " ")
		}
	}
	return all
}

func inLot(t *testing.T, run func(t *testing.T, l *lot)) {
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil).open()) })
	})
	t.Run("postgres", func(t *testing.T) {
		l := newLot(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil)
		if err := l.cloud.SetParams(map[string]string{"action.resize_volume": "30ms"}); err != nil {
			t.Fatal(err)
		}
		run(t, l.open())
	})
}

// TestWhatNobodyHasIsDeleted: of what lies about, only that is deleted which nobody uses,
// keeps or owns until its time is over; what somebody has is never in the plan.
func TestWhatNobodyHasIsDeleted(t *testing.T) {
	inLot(t, func(t *testing.T, l *lot) {
		ctx := t.Context()
		things := map[string]string{
			"volume": l.volume("old"), "address": l.address(), "snapshot": l.snapshot("copy"),
			"attached": l.volume("attached"), "led": l.address(), "tagged": l.volume("tagged"), "kept": l.volume("kept"), "muted": l.volume("muted"), "grown": l.volume("grown"), "golden": l.snapshot("golden"),
			"owned": l.volume("owned", "tenant:acme"), "keep": l.volume("keep", "keep:for-ann"), "protected": l.volume("protected"), "foreign": l.volume("foreign", "arcadia:00c0ffee-volume-data"),
		}
		named := strings.NewReplacer("name: everything", "name: named\ndescription: made of "+plainID(things["golden"])).Replace(everything)
		if _, err := l.service.AddBlueprint(ctx, "b.yaml", []byte(named), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		l.list(l.book)
		if err := l.service.Keep(ctx, things["protected"], "the contract says so", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		p, started := l.begin()
		for _, name := range []string{"golden", "owned", "keep", "protected", "foreign"} {
			if _, planned := p.Read[things[name]]; planned || !strings.Contains(p.Warnings[2], things[name]) {
				t.Errorf("%s is somebody's, and the plan is to delete it, or does not tell: %q", name, p.Warnings)
			}
		}
		if n := len(p.Destroys()); n != 9 || p.Calls() != 9 || p.After != 0 || p.Before == 0 && len(p.Unpriced) == 0 {
			t.Errorf("the plan destroys %d in %d calls, of %d micro-dollars; unpriced %q", n, p.Calls(), p.Before, p.Unpriced)
		}
		if _, err := l.service.PlanStack(ctx, l.cleanup(), "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("what is marked was planned again: %v", err)
		}
		l.attach(things["attached"])
		l.hand().ask("POST", "/v2/volumes/"+plainID(things["grown"])+"/actions", `{"type":"resize","size_gigabytes":20,"region":"nyc3"}`)
		l.hand().ask("POST", "/v2/reserved_ips/"+plainID(things["led"])+"/actions", fmt.Sprintf(`{"type":"assign","droplet_id":%d}`, l.droplet))
		l.hand().ask("POST", "/v2/tags", `{"name":"keep"}`)
		l.hand().ask("POST", "/v2/tags/keep/resources", `{"resources":[{"resource_id":"`+plainID(things["tagged"])+`","resource_type":"volume"}]}`)
		if err := l.service.Keep(ctx, things["kept"], "Ann asked", "cli:ann", time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, f := range must(l.book.Findings(ctx, inventory.FindingFilter{URN: things["muted"], Rule: inventory.UnattachedVolume})) {
			if _, err := l.book.Mute(ctx, f.ID, inventory.Mute{Reason: "spare", Actor: "cli:test", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		sent := l.changes()
		settle(t, l.engine, started, saga.Completed)
		if n := l.changes() - sent; n != 3 {
			t.Errorf("%d changes were sent, want 3", n)
		}
		want := []string{"attached", "foreign", "golden", "grown", "keep", "kept", "led", "muted", "owned", "protected", "tagged"}
		if got := l.there(things); !slices.Equal(got, want) {
			t.Errorf("there is %q, want %q", got, want)
		}
		became := l.became()
		for name, why := range map[string]string{
			"volume": "deleted", "address": "deleted", "snapshot": "deleted", "attached": fmt.Sprintf("spared droplet %d uses it", l.droplet),
			"led": fmt.Sprintf("spared it leads to droplet %d", l.droplet), "tagged": "spared it is tagged to be kept", "kept": "spared cli:ann has it kept: Ann asked", "muted": "spared its finding is over, or muted",
		} {
			if name == "led" && became[things[name]] == "spared an action is at work on it" {
				continue // a look came while it was being led
			}
			if became[things[name]] != why {
				t.Errorf("%s: %q, want %q", name, became[things[name]], why)
			}
		}
		for _, m := range must(l.service.Marks(ctx, "main", true)) {
			if m.URN == things["attached"] && m.EndedAt.After(m.Due.Add(-l.wait()/8)) && l.horizon() > time.Minute {
				t.Errorf("the mark of what is used stood until %s, and was due at %s", m.EndedAt, m.Due)
			}
		}
		if got := became[things["grown"]]; !strings.HasPrefix(got, "spared it changed: it was grown, 10 GiB,") {
			t.Errorf("grown: %q", got)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestAPlanToCleanUpGoesStale: what changed since is said, one operation destroys no more
// than its cap, and no wait is shorter than lists may be old.
func TestAPlanToCleanUpGoesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, p := t.Context(), bubblePace
		p.settings.Destroys = provisioning.DestroyCap{Operation: 2}
		l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), p, nil).open()
		one := l.volume("one")
		l.volume("two")
		l.list(l.book)
		plan := must(l.service.PlanStack(ctx, l.cleanup(), "cli:test", time.Now()))
		l.attach(one)
		time.Sleep(l.horizon())
		if _, _, err := l.service.ApplyPlan(ctx, plan.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), one+" was unattached_volume") {
			t.Errorf("a stale plan: %v", err)
		}
		l.volume("three")
		l.volume("four")
		l.list(l.book)
		if _, err := l.service.PlanStack(ctx, l.cleanup(), "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("three things under a cap of two: %v", err)
		}
		short := l.cleanup("wait", (l.horizon() - time.Second).String())
		if _, err := l.service.PlanStack(ctx, short, "cli:test", time.Now()); !errors.Is(err, fault.Invalid) {
			t.Errorf("a wait below the horizon: %v", err)
		}
		if _, err := l.service.PlanStack(ctx, l.cleanup("only", one), "cli:test", time.Now()); !errors.Is(err, fault.NotFound) {
			t.Errorf("what is attached was chosen: %v", err)
		}
		if n := len(must(l.service.Marks(ctx, "", true))); n > 0 {
			t.Errorf("%d things were marked by plans that were refused", n)
		}
	})
}

// TestACleanUpIsFrozenAndCancelled: a freeze stops the deleting and no more; a cancelled
// clean-up ends its marks and deletes nothing.
func TestACleanUpIsFrozenAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil).open()
		things := map[string]string{"one": l.volume("one"), "two": l.address(), "three": l.volume("three")}
		l.list(l.book)
		_, cancelled := l.begin()
		time.Sleep(time.Minute)
		if _, err := l.engine.Cancel(ctx, cancelled, saga.Actor{Name: "cli:test", Reason: "not now"}); err != nil {
			t.Fatal(err)
		}
		settle(t, l.engine, cancelled, saga.RolledBack)
		if n := len(must(l.service.Marks(ctx, "main", false))); n != 0 {
			t.Errorf("cancelled, and %d marks stand", n)
		}
		_, started := l.begin()
		if err := l.service.Freeze(ctx, provisioning.AccountScope("main"), "look first", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(l.wait() + time.Hour)
		if got := l.there(things); len(got) != 3 || l.became()[things["three"]] != "claimed" {
			t.Errorf("frozen, there is %q, and of three: %q", got, l.became()[things["three"]])
		}
		l.hand().ask("POST", "/v2/tags", `{"name":"keep"}`)
		l.hand().ask("POST", "/v2/tags/keep/resources", `{"resources":[{"resource_id":"`+plainID(things["three"])+`","resource_type":"volume"}]}`)
		time.Sleep(l.horizon())
		if err := l.service.Thaw(ctx, provisioning.AccountScope("main")); err != nil {
			t.Fatal(err)
		}
		settle(t, l.engine, started, saga.Completed)
		if got := l.there(things); !slices.Equal(got, []string{"three"}) {
			t.Errorf("at the end there is %q, want what was tagged after it was claimed", got)
		}
	})
}

// A meddler does something once, between an answer to a read of a path and the request
// that follows it.
type meddler struct {
	next http.RoundTripper
	path atomic.Pointer[string]
	do   func()
}

func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(r)
	if path := m.path.Load(); path != nil && r.Method == http.MethodGet && r.URL.Path == *path && m.path.CompareAndSwap(path, nil) {
		m.do()
	}
	return resp, err
}

// TestUsedInTheLastMoment: what is attached, or led somewhere, between the last read of it
// and its deletion is there afterwards, and so is what is protected after it was claimed.
func TestUsedInTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, use := range map[string]func(l *lot, urn string){
			"attached":  func(l *lot, urn string) { l.attach(urn) },
			"protected": func(l *lot, urn string) { _ = l.service.Protect(t.Context(), urn, "r", "cli:test", time.Now()) },
			"adopted": func(l *lot, urn string) {
				if err := l.service.Keep(t.Context(), urn, "r", "cli:test", time.Now()); !errors.Is(err, fault.Conflict) {
					t.Errorf("what is claimed was kept: %v", err)
				}
				_ = l.service.Protect(t.Context(), urn, "r", "cli:test", time.Now())
			},
		} {
			m := &meddler{}
			l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, func(next http.RoundTripper) http.RoundTripper { m.next = next; return m }).open()
			urn := l.volume("late")
			l.list(l.book)
			m.do = func() { use(l, urn) }
			path := "/v2/volumes/" + plainID(urn)
			m.path.Store(&path)
			_, started := l.begin()
			settle(t, l.engine, started, saga.Completed)
			if got := l.there(map[string]string{name: urn}); len(got) != 1 || m.path.Load() != nil {
				t.Errorf("%s in the last moment, and deleted: %q", name, l.became())
			}
			if got := l.became()[urn]; !strings.HasPrefix(got, "spared ") {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// TestAnAdoptionEndsMarks: what becomes a stack's is no orphan, from the first moment on.
func TestAnAdoptionEndsMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil).open()
		o := l.withEstate(l.service)
		loose := strings.NewReplacer("name: everything", "name: loose", ", droplet: web}\ndroplets", "}\ndroplets").Replace(everything)
		if _, err := l.service.AddBlueprint(t.Context(), "b.yaml", []byte(loose), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		volume := "do:volume:" + o.volume
		l.hand().ask("POST", "/v2/volumes/"+o.volume+"/actions", `{"type":"detach","droplet_id":`+o.droplet+`,"region":"nyc3"}`)
		other := l.volume("other")
		l.list(l.book)
		_, started := l.begin()
		adopt := adopting(o.take() + ",volume.data=" + volume)
		adopt.Blueprint = "loose"
		p := must(l.service.PlanStack(t.Context(), adopt, "cli:test", time.Now()))
		if _, _, err := l.service.ApplyPlan(t.Context(), p.ID, "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := l.became()[volume]; got != "spared Stack web adopts it." {
			t.Errorf("adopted: %q", got)
		}
		if _, err := l.service.PlanStack(t.Context(), l.cleanup("only", volume), "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "is at work with it") {
			t.Errorf("what a saga is at work with was planned: %v", err)
		}
		settle(t, l.engine, started, saga.Completed)
		if got := l.there(map[string]string{"adopted": volume, "other": other}); !slices.Equal(got, []string{"adopted"}) {
			t.Errorf("there is %q", got)
		}
	})
}

// TestLeftovers: what carries the marker of a saga that is long over and does not have it
// is deleted, also a droplet; a stack's own things, a snapshot that somebody asked for and
// what a stack let go are not.
func TestLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil).open()
		stack := l.stand(l.service, l.engine, everything)
		taken, _, err := l.service.SnapshotDroplet(ctx, l.request())
		if err != nil {
			t.Fatal(err)
		}
		settle(t, l.engine, taken.ID, saga.Completed)
		l.apply(l.service, l.engine, on(provisioning.BackUp), saga.Completed)
		time.Sleep(12 * time.Minute) // until nothing sweeps any more what was made until now
		_, backup := l.apply(l.service, l.engine, on(provisioning.BackUp), saga.Completed)
		l.meddle(l.service, "POST", "/v2/volumes/{volume.data}/actions", `{"type":"detach","droplet_id":{droplet.web},"region":"nyc3"}`)
		marker := "arcadia:" + stack.Saga.Marker8() + "-"
		things := map[string]string{
			"volume":  l.volume("left", marker+"volume-data", "tenant:acme"),
			"droplet": "do:droplet:" + l.hand().ask("POST", "/v2/droplets", `{"name":"left","region":"nyc3","size":"s-1vcpu-1gb","image":"debian-12-x64","tags":["`+marker+`droplet-web"]}`, "droplet", "id"),
		}
		fresh := l.volume("fresh", "arcadia:"+backup.ID.Marker8()+"-volume-data")
		l.list(l.book)
		p, started := l.begin()
		if n := len(p.Destroys()); n != 2 {
			t.Errorf("the plan destroys %+v, and not what sweeps may yet (%s)", p.Destroys(), fresh)
		}
		settle(t, l.engine, started, saga.Completed)
		if got := l.there(things); len(got) != 0 {
			t.Errorf("there is %q: %q", got, l.became())
		}
		if got := untagged(l.kinds()); !slices.Equal(got, []string{"domain_record", "droplet", "firewall", "reserved_ip", "snapshot", "snapshot", "snapshot", "volume", "volume", "volume_snapshot", "volume_snapshot", "vpc"}) {
			t.Errorf("of the stack there is %q", got)
		}
		l.apply(l.service, l.engine, on(provisioning.Release), saga.Completed)
		l.volume("released", marker+"volume-data")
		l.list(l.book)
		if p, err := l.service.PlanStack(ctx, l.cleanup(), "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("what a stack let go is to be deleted: %+v, %v", p.Destroys(), err)
		}
	})
}

// TestUnwindCleanup cuts a clean-up in each way: before it has claimed what it marked
// nothing is deleted, after it everything is that nobody uses.
func TestUnwindCleanup(t *testing.T) {
	var l *lot // of the yard that was raised last
	g := stage[map[string]string]{
		raise: func(t *testing.T, d *db.DB, cloud *dosimtest.Server, wrap func(http.RoundTripper) http.RoundTripper) *yard {
			t.Helper()
			l = newLot(t, d, cloud, bubblePace, wrap)
			l.service = provisioning.New(l.db, l.yard.engine(l.options), l.steps)
			l.book = l.watched(l.service, l.yard.engine(l.options))
			return l.yard
		},
		set: func(_ *yard, s *provisioning.Service, _ *saga.Engine) (things map[string]string, _ provisioning.PlanRequest) {
			s.Observe(l.book)
			things = map[string]string{"volume": l.volume("one"), "address": l.address(), "snapshot": l.snapshot("copy"), "used": l.volume("used")}
			l.list(l.book)
			return things, l.cleanup()
		},
		then: func(_ *yard, things map[string]string) { l.attach(things["used"]) },
		check: func(t *testing.T, _ *yard, s *provisioning.Service, things map[string]string, end saga.Saga) {
			want := []string{"used"}
			if end.State == saga.RolledBack {
				want = []string{"address", "snapshot", "used", "volume"}
			}
			if got := l.there(things); !slices.Equal(got, want) {
				t.Errorf("it is %s, and there is %q, want %q", end.State, got, want)
			}
			if n := len(must(s.Marks(t.Context(), "main", false))); n != 0 {
				t.Errorf("it is %s, and %d marks stand", end.State, n)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Pivot: "claim_orphans", Within: 72 * time.Hour, Bubble: synctest.Test, Sample: 25, Presets: weathers, Build: g.build,
	})
}
