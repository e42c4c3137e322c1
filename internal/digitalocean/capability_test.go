package digitalocean_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

func TestTheGuardIsTheLastAct(t *testing.T) {
	var order []string
	note := func(what string) { order = append(order, what) }
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		note("arrived")
		answer(w, 201, snapshotAction)
	})
	c := client(t, s.URL, func(o *digitalocean.Options) {
		o.Freeze = func(_ context.Context, account, tenant string) error {
			note("frozen? " + account + " " + tenant)
			return nil
		}
	})
	l := may()
	l.Tenant = "tenant_1"
	l.Valid = func() error { note("valid?"); return nil }
	l.Sent = func() { note("sent") }
	l.Answered = func(bool) { note("answered") }
	if _, err := c.CreateDropletSnapshot(l.in(t.Context()), 1, "arcadia-snap-1-cafe0001"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"frozen? main tenant_1", "valid?", "sent", "arrived", "answered"}; !slices.Equal(order, want) {
		t.Errorf("order = %v, want %v", order, want)
	}
}

// TestAFreezeHoldsBetweenTwoAttempts begins a freeze, and ends a lease, while a deletion is
// about to be sent again: it is not.
func TestAFreezeHoldsBetweenTwoAttempts(t *testing.T) {
	for _, what := range []string{"freeze", "lease"} {
		over := false
		s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			over = true
			refuse(w, 503, "service_unavailable", "try again")
		})
		c := client(t, s.URL, func(o *digitalocean.Options) {
			o.Freeze = func(context.Context, string, string) error {
				if over && what == "freeze" {
					return errors.New("frozen")
				}
				return nil
			}
		})
		l := may()
		l.Valid = func() error {
			if over && what == "lease" {
				return errors.New("the lease is over")
			}
			return nil
		}
		if err := c.DeleteSnapshot(l.in(t.Context()), "77"); !errors.Is(err, digitalocean.Unknown) || l.sent != 1 {
			t.Errorf("a %s between two attempts: %v, sent %d times; want once, with an outcome that is not known", what, err, l.sent)
		}
	}
}

// A change that is cut off on its way is one whose outcome nobody knows: it leaves
// only while there is time for its answer.
func TestAChangeLeavesOnlyWithTimeForItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, leaves := range map[time.Duration]bool{
			digitalocean.DefaultTimeout - time.Nanosecond: false,
			digitalocean.DefaultTimeout:                   true,
		} {
			c, err := digitalocean.New(digitalocean.Options{
				Account: "main", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(planted), Transport: gone{},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), left)
			l := may()
			err = c.DeleteSnapshot(l.in(ctx), "77")
			cancel()
			if got := !errors.Is(err, digitalocean.NotSent); got != leaves || got != (l.sent == 1) {
				t.Errorf("with %s left: %v, sent %d times; want it to leave: %t", left, err, l.sent, leaves)
			}
		}
	})
}

func TestRefusalsSayWhy(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, 201, snapshotAction) })
	frozen, over := errors.New("frozen by ops"), errors.New("the lease is over")
	for _, tt := range []struct {
		name string
		call func(t *testing.T) error
		says string
		is   error
	}{
		{"no capability", func(t *testing.T) error {
			return client(t, s.URL).DeleteSnapshot(t.Context(), "77")
		}, "no saga step asked for it", fault.Forbidden},
		{"another snapshot", func(t *testing.T) error {
			return client(t, s.URL).DeleteSnapshot(may().in(t.Context()), "78")
		}, "may not send DELETE /v2/snapshots/78", fault.Forbidden},
		{"another name", func(t *testing.T) error {
			_, err := client(t, s.URL).CreateDropletSnapshot(may().in(t.Context()), 1, "arcadia-snap-1-cafe0002")
			return err
		}, "may not send POST", fault.Forbidden},
		{"the lease is over", func(t *testing.T) error {
			l := may()
			l.Valid = func() error { return over }
			return client(t, s.URL).DeleteSnapshot(l.in(t.Context()), "77")
		}, "may no longer act", over},
		{"a frozen account", func(t *testing.T) error {
			c := client(t, s.URL, func(o *digitalocean.Options) {
				o.Freeze = func(context.Context, string, string) error { return frozen }
			})
			return c.DeleteSnapshot(may().in(t.Context()), "77")
		}, "Changes to account main are frozen", frozen},
		{"the inventory token", func(t *testing.T) error {
			c := client(t, s.URL, func(o *digitalocean.Options) { o.Purpose = digitalocean.Inventory })
			return c.DeleteSnapshot(may().in(t.Context()), "77")
		}, "arcadia token set provisioning", fault.Forbidden},
		{"an id of no snapshot", func(t *testing.T) error {
			return client(t, s.URL).DeleteSnapshot(may().in(t.Context()), "77/../../droplets/1")
		}, "no id of a snapshot", fault.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t)
			if !errors.Is(err, digitalocean.NotSent) || !errors.Is(err, tt.is) || !strings.Contains(fault.Message(err), tt.says) {
				t.Errorf("%v; want NotSent, %v, and a sentence that says %q", err, tt.is, tt.says)
			}
		})
	}
	if got := s.requests(); len(got) != 0 {
		t.Errorf("refused requests arrived: %v", got)
	}
}

// Each verb is called with each purpose: what is not covered is not sent, and
// the sentence says which token to set.
func TestPurposes(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, 404, "not_found", "") })
	only := []digitalocean.Purpose{digitalocean.Provisioning}
	read := []digitalocean.Purpose{digitalocean.Inventory, digitalocean.Provisioning}
	for _, tt := range []struct {
		verb    string
		call    func(context.Context, *digitalocean.Client) error
		allowed []digitalocean.Purpose
	}{
		{"Account", func(ctx context.Context, c *digitalocean.Client) error { _, err := c.Account(ctx); return err }, digitalocean.Purposes()},
		{"Droplets", func(ctx context.Context, c *digitalocean.Client) error { _, err := c.Droplets(ctx); return err }, read},
		{"Droplet", func(ctx context.Context, c *digitalocean.Client) error { _, err := c.Droplet(ctx, 1); return err }, read},
		{"DropletByName", func(ctx context.Context, c *digitalocean.Client) error {
			_, err := c.DropletByName(ctx, "web")
			return err
		}, read},
		{"Actions", func(ctx context.Context, c *digitalocean.Client) error {
			_, err := c.Actions(ctx, time.Now())
			return err
		}, read},
		{"CreateDropletSnapshot", func(ctx context.Context, c *digitalocean.Client) error {
			_, err := c.CreateDropletSnapshot(ctx, 1, "arcadia-snap-1-cafe0001")
			return err
		}, only},
		{"DropletAction", func(ctx context.Context, c *digitalocean.Client) error {
			_, err := c.DropletAction(ctx, 1, 2)
			return err
		}, only},
		{"DropletActions", func(ctx context.Context, c *digitalocean.Client) error {
			_, err := c.DropletActions(ctx, 1)
			return err
		}, only},
		{"DropletSnapshots", func(ctx context.Context, c *digitalocean.Client) error {
			_, err := c.DropletSnapshots(ctx, 1)
			return err
		}, only},
		{"Snapshots", func(ctx context.Context, c *digitalocean.Client) error { _, err := c.Snapshots(ctx); return err }, only},
		{"Snapshot", func(ctx context.Context, c *digitalocean.Client) error { _, err := c.Snapshot(ctx, "77"); return err }, only},
		{"DeleteSnapshot", func(ctx context.Context, c *digitalocean.Client) error { return c.DeleteSnapshot(ctx, "77") }, only},
	} {
		for _, purpose := range digitalocean.Purposes() {
			t.Run(tt.verb+" with "+string(purpose), func(t *testing.T) {
				c := client(t, s.URL, func(o *digitalocean.Options) { o.Purpose = purpose })
				before := len(s.requests())
				err := tt.call(may().in(t.Context()), c)
				if slices.Contains(tt.allowed, purpose) {
					if !errors.Is(err, digitalocean.NotFound) || len(s.requests()) != before+1 {
						t.Errorf("%v after %d requests; want the server's NotFound after 1", err, len(s.requests())-before)
					}
					return
				}
				if !errors.Is(err, digitalocean.NotSent) || len(s.requests()) != before {
					t.Errorf("%v after %d requests; want NotSent after none", err, len(s.requests())-before)
				}
				if want := "arcadia token set " + string(tt.allowed[0]); !strings.Contains(fault.Message(err), want) {
					t.Errorf("the sentence %q does not say %q", fault.Message(err), want)
				}
			})
		}
	}
}

// TestWhatIsDestroyed: every request that destroys something asks first, and none
// leaves that is refused.
func TestWhatIsDestroyed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNoContent) })
	enough := fault.New(fault.Forbidden, "Enough was destroyed.")
	var asked []digitalocean.Destruction
	c := client(t, s.URL, func(o *digitalocean.Options) {
		o.Destroys = func(_ context.Context, what digitalocean.Destruction) error {
			if asked = append(asked, what); len(asked) > 1 {
				return enough
			}
			return nil
		}
	})
	l := may()
	l.Permits = append(l.Permits, digitalocean.DeleteSnapshotPermit("78"))
	if err := c.DeleteSnapshot(l.in(t.Context()), "77"); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteSnapshot(l.in(t.Context()), "78"); !errors.Is(err, digitalocean.NotSent) || !errors.Is(err, enough) {
		t.Errorf("%v, want it not to be sent", err)
	}
	if got := s.requests(); len(got) != 1 {
		t.Errorf("%d requests arrived, want 1", len(got))
	}
	want := []digitalocean.Destruction{{Account: "main", Saga: asked[0].Saga, Target: "do:snapshot:77"}, {Account: "main", Saga: asked[0].Saga, Target: "do:snapshot:78"}}
	if !slices.Equal(asked, want) || asked[0].Saga == "" {
		t.Errorf("it was asked for %+v, want %+v", asked, want)
	}
}

// gone answers every request with 204.
type gone struct{}

func (gone) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
}
