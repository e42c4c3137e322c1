package provisioning_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
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
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const apiKey = `planted' "$(id)" {{ .param.domain }} 9kx2`

// A booth is a yard in which sky-ai stacks are made, whose droplets ask for their
// secrets and call back.
type booth struct {
	*yard
	secrets *secret.Service
	silent  bool // droplets do not ask, and do not call

	mu     sync.Mutex
	bodies []string // user data of every request for a droplet that left
	got    []string // what droplets got
}

var oneTimeURL = regexp.MustCompile(`https://arcadia\.example\.com(/once/|/call/)([0-9a-f]+)`)

func newBooth(t *testing.T, d *db.DB, cloud *dosimtest.Server, p pace, wrap func(http.RoundTripper) http.RoundTripper) *booth {
	t.Helper()
	v, err := vault.Open(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	b := &booth{secrets: secret.New(d, v)}
	if _, err := b.secrets.Set(t.Context(), "", "sky-key", vault.NewSecret(apiKey), "cli:test", time.Now()); err != nil {
		t.Fatal(err)
	}
	p.settings.Secrets = b.secrets
	if p.settings.PublicURL == "" {
		p.settings.PublicURL = "https://arcadia.example.com"
	}
	p.settings.Probe = func(ctx context.Context, _ blueprint.Probe, target string) (string, error) {
		if !b.boot(ctx) {
			return "", fmt.Errorf("%s does not answer", target)
		}
		return target + " answers", nil
	}
	b.yard = newYard(t, d, cloud, p, func(next http.RoundTripper) http.RoundTripper {
		if wrap != nil {
			next = wrap(next)
		}
		return tap{next, b}
	})
	ask(t, cloud, "/v2/account/keys", `{"name":"operator","public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk0m0s0sVOXnVQsRGzc1wJ6mPZUGdPQrHYpAkGVm1rW operator"}`)
	for {
		if _, err := b.client.SSHKey(t.Context(), b.sshKey()); err == nil {
			break
		} else if !errors.Is(err, digitalocean.NotFound) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // the cloud does not show it yet
	}
	b.mark = cloud.Mark()
	return b
}

// A tap sees what is sent to make droplets.
type tap struct {
	http.RoundTripper
	*booth
}

func (t tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.URL.Path == "/v2/droplets" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var asked struct {
			UserData string `json:"user_data"`
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			return nil, err
		}
		t.mu.Lock()
		t.bodies = append(t.bodies, asked.UserData)
		t.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return t.RoundTripper.RoundTrip(r)
}

// boot does what a droplet does when it first starts: it asks each address of its user
// data once, in order. It reports whether it got what it needs.
func (b *booth) boot(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.silent || len(b.bodies) == 0 || len(b.got) > 0 {
		return len(b.got) > 0
	}
	for _, at := range oneTimeURL.FindAllStringSubmatch(b.bodies[len(b.bodies)-1], -1) {
		if at[1] == provisioning.CallInPath {
			if _, err := b.secrets.Call(ctx, at[2], "203.0.113.7:1", time.Now()); err != nil {
				b.t.Errorf("the call-back: %v", err)
			}
			continue
		}
		value, _, err := b.secrets.Take(ctx, at[2], "203.0.113.7:1", time.Now())
		if err != nil {
			b.t.Errorf("the secret: %v", err)
		}
		b.got = append(b.got, value.Reveal())
	}
	return len(b.got) > 0
}

func (b *booth) plan(s *provisioning.Service) (provisioning.Plan, error) {
	return s.PlanStack(b.t.Context(), provisioning.PlanRequest{
		Verb: provisioning.Provision, Blueprint: "sky-ai", Tenant: "acme", Name: "sky", Account: "main",
		Parameters: map[string]string{"domain": "example.com", "ssh_key": b.sshKey(), "api_key": "sky-key", "region": "nyc3"},
	}, "cli:test", time.Now())
}

func (b *booth) sshKey() string {
	keys := b.cloud.Truth("ssh_key")
	if len(keys) != 1 {
		b.t.Fatalf("the account has %d SSH keys", len(keys))
	}
	return keys[0].URN[strings.LastIndex(keys[0].URN, ":")+1:]
}

func (b *booth) apply(s *provisioning.Service) saga.ID {
	b.t.Helper()
	p, err := b.plan(s)
	if err != nil {
		b.t.Fatal(err)
	}
	_, started, err := s.ApplyPlan(b.t.Context(), p.ID, "cli:test", time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return started.ID
}

// inBooths runs fn on both databases.
func inBooths(t *testing.T, fn func(t *testing.T, b *booth)) {
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { fn(t, newBooth(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)) })
	})
	t.Run("postgres", func(t *testing.T) {
		fn(t, newBooth(t, dbtest.NewPostgres(t), dosimtest.Start(t), realPace, nil))
	})
}

// check looks at what left and at what was kept: every request for the droplet carries
// the same one-time addresses and no secret, and the ledger has neither.
func (b *booth) check(t *testing.T, e *saga.Engine, id saga.ID) (tokens []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	row, err := e.Saga(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	events, err := e.Events(t.Context(), id, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal([]any{row, events, string(row.Data)})
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range b.bodies {
		if body != b.bodies[0] {
			t.Errorf("request %d for the droplet is another than the first:\n%s", i+1, body)
		}
	}
	for _, at := range oneTimeURL.FindAllStringSubmatch(strings.Join(b.bodies, "\n"), -1) {
		if !slices.Contains(tokens, at[2]) {
			tokens = append(tokens, at[2])
		}
	}
	for _, planted := range append([]string{apiKey, "9kx2"}, tokens...) {
		if bytes.Contains(kept, []byte(planted)) {
			t.Errorf("%q is in the ledger", planted)
		}
	}
	if all := strings.Join(b.bodies, ""); strings.Contains(all, "9kx2") {
		t.Errorf("the secret is in the user data: %s", all)
	}
	return tokens
}

// closed asks every address again.
func (b *booth) closed(t *testing.T, tokens []string) {
	t.Helper()
	for _, token := range tokens {
		if _, _, err := b.secrets.Take(t.Context(), token, "", time.Now()); !errors.Is(err, secret.ErrGone) && !errors.Is(err, secret.ErrUnknown) {
			t.Errorf("an address gives something again: %v", err)
		}
	}
}

// TestSkyAIComesToLife makes a stack of the shipped sky-ai, whose droplet asks for its
// key and calls back, while the answer to its create is lost once.
func TestSkyAIComesToLife(t *testing.T) {
	inBooths(t, func(t *testing.T, b *booth) {
		engine := b.engine(b.options)
		s := b.serve(engine)
		b.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}, Kind: dosim.ResetBefore, Times: 1})
		id := b.apply(s)
		settle(t, engine, id, saga.Completed)
		tokens := b.check(t, engine, id)
		if len(tokens) != 2 || len(b.bodies) < 2 {
			t.Errorf("%d addresses in %d requests for the droplet, want 2 in at least 2", len(tokens), len(b.bodies))
		}
		if !slices.Equal(b.got, []string{apiKey}) {
			t.Errorf("the droplet got %q", b.got)
		}
		b.closed(t, tokens)
		if stack, err := s.Stack(t.Context(), "acme/sky"); err != nil || stack.State != provisioning.StackActive {
			t.Errorf("the stack is %s: %v", stack.State, err)
		}
	})
}

// TestASilentDropletIsUndone has a droplet that never calls: when its probe's time is
// over all is taken back, and its addresses give nothing any more.
func TestASilentDropletIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		b.silent = true
		engine := b.engine(b.options)
		s := b.serve(engine)
		began := time.Now()
		id := b.apply(s)
		end := settle(t, engine, id, saga.RolledBack)
		if took := time.Since(began); took < 20*time.Minute || took > 40*time.Minute {
			t.Errorf("it took %s, want the probe's 20 minutes and a little", took)
		}
		if end.Error == nil || !strings.Contains(end.Error.Message, "Probe boot was not content within 20m0s: droplet.web has not called yet") {
			t.Errorf("it says %+v", end.Error)
		}
		for _, token := range b.check(t, engine, id) {
			if _, _, err := b.secrets.Take(t.Context(), token, "", time.Now()); err == nil {
				t.Error("rolled back, a secret is handed out")
			}
			if _, err := b.secrets.Call(t.Context(), token, "", time.Now()); err == nil {
				t.Error("rolled back, a call is heard")
			}
		}
		if left := b.kinds(); len(left) != 0 {
			t.Errorf("rolled back and left %q", left)
		}
	})
}

// TestACallWakesItsSaga: a saga that only waits for a call goes on when it comes, not
// when it would have looked.
func TestACallWakesItsSaga(t *testing.T) {
	const caller = `name: caller
version: 1
region: nyc3
droplets:
  web:
    size: s-1vcpu-1gb
    image: debian-12-x64
    cloud_init: |
      #!/bin/sh
      curl --retry 5 --request POST {{ .callback.boot }}
health:
  boot: {type: callback, droplet: web, timeout: 15m}
`
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := newBooth(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := b.engine(b.options)
		s := b.serve(engine)
		if _, err := s.AddBlueprint(ctx, "caller.yaml", []byte(caller), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		p, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "caller", Tenant: "acme", Name: "caller", Account: "main"}, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, started, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		time.Sleep(10 * time.Second) // it looks every half a minute by itself
		row, err := engine.Saga(ctx, started.ID)
		if err != nil || row.State != saga.Waiting || row.Wait == nil || !strings.Contains(row.Wait.Reason, "boot: droplet.web has not called yet") {
			t.Fatalf("the saga is %s, waiting %+v: %v", row.State, row.Wait, err)
		}
		token := oneTimeURL.FindStringSubmatch(b.bodies[0])[2]
		called := time.Now()
		for range 3 {
			if err := s.CallIn(ctx, token, "203.0.113.7:1", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, engine, started.ID, saga.Completed)
		if took := time.Since(called); took > 2*time.Second {
			t.Errorf("it went on %s after the call", took)
		}
	})
}

// TestWhatAPlanSaysOfSecrets: what droplets could not ask for is refused before anything
// is made, with what to do; and a plan knows which value it was made for.
func TestWhatAPlanSaysOfSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := newBooth(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		engine := b.engine(b.options)
		s := b.serve(engine)
		p, err := b.plan(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Read["secret sky-key"]; got != "version 1 of every tenant" || p.Read["address of this server"] != "https://arcadia.example.com" {
			t.Errorf("the plan read %q", p.Read)
		}
		if _, err := b.secrets.Set(ctx, p.Tenant, "sky-key", vault.NewSecret("own"), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now()); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "version 1 of the tenant") {
			t.Errorf("a plan for another value: %v", err)
		}
		for _, of := range []string{"", string(p.Tenant)} {
			if _, err := b.secrets.Remove(ctx, tenant.ID(of), "sky-key", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.plan(s); !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), "arcadia secret set sky-key --tenant acme") {
			t.Errorf("a plan without the secret: %v", err)
		}
		mute := strings.Replace(everything, "health:\n", "health:\n  boot: {type: callback, droplet: web}\n", 1)
		if _, err := s.AddBlueprint(ctx, "mute.yaml", []byte(strings.Replace(mute, "everything", "mute", 1)), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PlanStack(ctx, provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "mute", Tenant: "acme", Name: "mute", Account: "main"}, "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("a plan that waits for a call that nothing makes: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		s := provisioning.New(y.db, y.engine(y.options), y.steps)
		_, err := s.PlanStack(t.Context(), provisioning.PlanRequest{
			Verb: provisioning.Provision, Blueprint: "sky-ai", Tenant: "acme", Name: "sky", Account: "main",
			Parameters: map[string]string{"domain": "example.com", "ssh_key": "1", "api_key": "sky-key"},
		}, "cli:test", time.Now())
		if !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), "ARCADIA_PUBLIC_URL") {
			t.Errorf("a plan without an address: %v", err)
		}
	})
}

// A door is what droplets reach of Arcadia: its two paths, by HTTP.
type door struct {
	*booth
	service *provisioning.Service
	asked   []string // for secrets, what was answered
}

func (d *door) dial(_ context.Context, _, address string) (net.Conn, error) {
	if address != "arcadia.example.com:80" {
		return nil, fmt.Errorf("%s is not reached from here", address)
	}
	droplet, here := net.Pipe()
	go func() {
		defer here.Close()
		r, err := http.ReadRequest(bufio.NewReader(here))
		if err != nil {
			return
		}
		status := http.StatusNoContent
		if err := d.hear(r); err != nil {
			status = http.StatusGone
		}
		_, _ = fmt.Fprintf(here, "HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n", status) // a guest that is gone hears nothing
	}()
	return droplet, nil
}

func (d *door) hear(r *http.Request) error {
	if token, ok := strings.CutPrefix(r.URL.Path, provisioning.CallInPath); ok {
		return d.service.CallIn(r.Context(), token, "203.0.113.7:1", time.Now())
	}
	value, err := d.service.HandOut(r.Context(), strings.TrimPrefix(r.URL.Path, provisioning.HandOutPath), "203.0.113.7:1", time.Now())
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.asked = append(d.asked, err.Error())
		return err
	}
	d.asked, d.got = append(d.asked, value.Reveal()), append(d.got, value.Reveal())
	return nil
}

// TestARebuiltDropletAsksOnceMore has DigitalOcean run the user data of a droplet again, with
// the addresses in it that have answered: for the rebuild they answer once more, with the
// value that the secret has by then, and for nothing after it.
func TestARebuiltDropletAsksOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		d := &door{}
		cloud := dosimtest.Pipe(t, dosim.Options{GuestDial: d.dial, Params: map[string]string{"guest.boot": "1"}})
		p := bubblePace
		p.settings.PublicURL = "http://arcadia.example.com"
		d.booth = newBooth(t, dbtest.New(t), cloud, p, nil)
		d.silent = true // its droplets ask by themselves
		engine := d.engine(d.options)
		s := d.serve(engine)
		d.service = s
		settle(t, engine, d.apply(s), saga.Completed)
		if _, err := d.secrets.Set(ctx, "", "sky-key", vault.NewSecret("the next one"), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		r := on(provisioning.Rebuild, "backup", "false")
		r.Stack = "sky"
		plan, end := d.yard.apply(s, engine, r, saga.Completed)
		if said := strings.Join(plan.Warnings, " "); !strings.Contains(said, "answer once more, for this rebuild alone: callback.boot, secret.sky-key") || plan.Read["secret sky-key"] != "version 2 of every tenant" {
			t.Errorf("the plan says %q, and read %q", said, plan.Read)
		}
		if want := []string{apiKey, "the next one"}; !slices.Equal(d.asked, want) {
			t.Errorf("droplets got %q, want %q", d.asked, want)
		}
		uses, err := d.secrets.Uses(ctx, string(end.ID))
		if err != nil || len(uses) != 2 || uses[0].At.Before(end.CreatedAt) || uses[1].At.Before(end.CreatedAt) {
			t.Errorf("the rebuild has seen %+v: %v", uses, err)
		}
		var tokens []string
		for _, at := range regexp.MustCompile(`http://arcadia\.example\.com/(?:once|call)/([0-9a-f]+)`).FindAllStringSubmatch(d.bodies[0], -1) {
			tokens = append(tokens, at[1])
		}
		if len(tokens) != 2 {
			t.Fatalf("the user data has %d addresses", len(tokens))
		}
		d.closed(t, tokens)
		if _, err := d.secrets.Remove(ctx, "", "sky-key", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PlanStack(ctx, r, "cli:test", time.Now()); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("a rebuild whose droplet would ask for what is not there: %v", err)
		}
	})
}

// TestUnwindSkyAI cuts the making of a stack whose droplet asks for a secret: whatever
// happens, every request for the droplet is the same, the secret is handed out at most
// once, and what was undone hands out nothing.
func TestUnwindSkyAI(t *testing.T) {
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 40, Presets: weathers,
		Build: func(t *testing.T, net *sagatest.Net) sagatest.World {
			defer net.Aside()()
			b := newBooth(t, dbtest.New(t), dosimtest.Pipe(t, dosim.Options{Seed: net.Seed}), bubblePace, net.Transport)
			time.Sleep(5 * time.Second) // until the account has its key everywhere
			engine := b.engine(b.options)
			s := provisioning.New(b.db, engine, b.steps)
			w := b.unwound(bubblePace, s, b.apply(s))
			check := w.Check
			w.Check = func(t *testing.T, end saga.Saga) {
				check(t, end)
				tokens := b.check(t, engine, end.ID)
				if len(b.got) > 1 {
					t.Errorf("the secret was handed out %d times", len(b.got))
				}
				if end.State == saga.RolledBack {
					b.closed(t, tokens)
				}
			}
			return w
		},
	})
}
