package digitalocean_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A meter counts the answers that pass through it.
type meter struct {
	next          http.RoundTripper
	sent, refused atomic.Int64 // refused: 429
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	m.sent.Add(1)
	resp, err := m.next.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		m.refused.Add(1)
	}
	return resp, err
}

// offer makes calls at a steady rate, a given number each second, for a span,
// and waits for the last.
func offer(span time.Duration, perSecond int, call func(context.Context) error) {
	var calls sync.WaitGroup
	for range int(span / time.Second) {
		for range perSecond {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				_ = call(ctx) // most are refused by our own budget, as they should
			})
		}
		time.Sleep(time.Second)
	}
	calls.Wait()
}

func TestTenTimesTheLoadMakesNo429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dosimtest.Pipe(t)
		m := &meter{next: sim.Client.Transport}
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: sim.URL, Account: "main", Purpose: digitalocean.Provisioning,
			Token: vault.NewSecret(sim.Token), Transport: m,
		})
		if err != nil {
			t.Fatal(err)
		}
		// The hour's limit is spent within half an hour. In the last ten minutes
		// those requests expire, and the minute's limit is what holds.
		span, least := 70*time.Minute, int64((5000+10*250)*8/10)
		if testing.Short() {
			span, least = 30*time.Minute, 5000*8/10
		}
		var lanes sync.WaitGroup
		lanes.Go(func() { // 14 a second are 50,400 an hour
			offer(span, 13, func(ctx context.Context) error { _, err := c.Account(ctx); return err })
		})
		lanes.Go(func() {
			offer(span, 1, func(ctx context.Context) error {
				if err := c.DeleteSnapshot(may().in(ctx), "77"); !errors.Is(err, digitalocean.NotFound) {
					return err
				}
				return nil
			})
		})
		lanes.Wait()
		if n := m.refused.Load(); n != 0 {
			t.Errorf("%d of %d requests were answered 429, want none", n, m.sent.Load())
		}
		if m.sent.Load() < least {
			t.Errorf("%d requests were sent in %s, want at least %d: the budget wastes what it has", m.sent.Load(), span, least)
		}
	})
}

// A limit that was raised is used, by the minute too.
func TestARaisedLimitIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dosimtest.Pipe(t, dosim.Options{Params: map[string]string{"ratelimit.hourly": "20000", "ratelimit.burst": "1000"}})
		m := &meter{next: sim.Client.Transport}
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: sim.URL, Account: "main", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(sim.Token), Transport: m,
		})
		if err != nil {
			t.Fatal(err)
		}
		offer(time.Minute, 15, func(ctx context.Context) error { _, err := c.Account(ctx); return err })
		if m.refused.Load() != 0 || m.sent.Load() != 15*60 {
			t.Errorf("of 900 requests in a minute that may have 1,000, %d were sent and %d refused", m.sent.Load(), m.refused.Load())
		}
	})
}

func TestWritesGoBeforeReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dosimtest.Pipe(t)
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: sim.URL, Account: "main", Purpose: digitalocean.Provisioning,
			Token: vault.NewSecret(sim.Token), Transport: sim.Client.Transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		const span = 15 * time.Minute // less than it takes to spend the hour's limit
		var lanes sync.WaitGroup
		lanes.Go(func() {
			offer(span, 13, func(ctx context.Context) error { _, err := c.Account(ctx); return err })
		})
		var late atomic.Int64
		lanes.Go(func() {
			offer(span, 1, func(ctx context.Context) error {
				began := time.Now()
				if err := c.DeleteSnapshot(may().in(ctx), "77"); !errors.Is(err, digitalocean.NotFound) || time.Since(began) > 2*time.Second {
					late.Add(1)
				}
				return nil
			})
		})
		lanes.Wait()
		if n := late.Load(); n != 0 {
			t.Errorf("%d of 900 writes were refused or late beside ten times the reads that the limit allows, want none", n)
		}
	})
}

func TestOthersOfTheSameTokenAreMadeRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dosimtest.Pipe(t)
		open := func(m *meter) *digitalocean.Client {
			c, err := digitalocean.New(digitalocean.Options{
				BaseURL: sim.URL, Account: "main", Purpose: digitalocean.Provisioning,
				Token: vault.NewSecret(sim.Token), Transport: m,
			})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		ours, theirs := &meter{next: sim.Client.Transport}, &meter{next: sim.Client.Transport}
		us, they := open(ours), open(theirs)
		var both sync.WaitGroup
		both.Go(func() {
			offer(70*time.Minute, 3, func(ctx context.Context) error { _, err := they.Account(ctx); return err })
		})
		both.Go(func() {
			offer(70*time.Minute, 10, func(ctx context.Context) error { _, err := us.Account(ctx); return err })
		})
		both.Wait()
		// Nothing tells that others fill the minute until it is full; that the
		// hour fills is seen in the remaining count.
		sent, refused := ours.sent.Load()+theirs.sent.Load(), ours.refused.Load()+theirs.refused.Load()
		if refused > sent/100 {
			t.Errorf("%d of %d requests were answered 429, want less than one in a hundred", refused, sent)
		}
		if sent < (5000+10*250)*8/10 {
			t.Errorf("%d requests were sent, want at least 6,000: the budgets fear each other too much", sent)
		}
	})
}

func TestTheSpentHourOfAnotherProgramIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dosimtest.Pipe(t, dosim.Options{Params: map[string]string{"ratelimit.hourly": "100"}})
		for range 100 { // another program, with the same token
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sim.URL+"/v2/account", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+sim.Token)
			resp, err := sim.Client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			time.Sleep(time.Second)
		}
		m := &meter{next: sim.Client.Transport}
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: sim.URL, Account: "main", Purpose: digitalocean.Billing, Token: vault.NewSecret(sim.Token), Transport: m,
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Account(t.Context())
		wantKind(t, err, digitalocean.RateLimited)

		// From the first refusal on, the client knows: what cannot wait is told
		// so at once, what can wait waits until the oldest request expires.
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.Account(short)
		var e *digitalocean.Error
		if !errors.Is(err, digitalocean.RateLimited) || !errors.As(err, &e) || !e.Unsent || e.RetryAfter < 50*time.Minute {
			t.Errorf("a call that cannot wait so long = %v, want RateLimited, not sent, with a retry after some 58 minutes", err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it was told so after %s, want at once", waited)
		}
		if _, err = c.Account(t.Context()); err != nil {
			t.Errorf("a call that can wait: %v", err)
		}
		if waited := time.Since(began); waited < 58*time.Minute || waited > time.Hour {
			t.Errorf("it waited %s, want until the oldest request expired after some 58 minutes", waited)
		}
		if n := m.refused.Load(); n != 1 {
			t.Errorf("%d requests were answered 429, want the first alone", n)
		}
	})
}

// Who has to wait for the minute to pass needs time for the answer too: else the
// request would leave at the very end of its time, for nothing.
func TestAWaitLeavesTimeForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dosimtest.Pipe(t)
		m := &meter{next: sim.Client.Transport}
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: sim.URL, Account: "main", Purpose: digitalocean.Billing, Token: vault.NewSecret(sim.Token), Transport: m,
		})
		if err != nil {
			t.Fatal(err)
		}
		read := func(within time.Duration) (took time.Duration, err error) {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			began := time.Now()
			_, err = c.Account(ctx)
			return time.Since(began), err
		}
		for err == nil {
			_, err = read(time.Second)
		}
		spent := m.sent.Load()
		for _, within := range []time.Duration{time.Minute, time.Minute + digitalocean.DefaultTimeout - time.Nanosecond} {
			if took, err := read(within); !errors.Is(err, digitalocean.NotSent) || took != 0 || m.sent.Load() != spent {
				t.Errorf("a read within %s: %v after %s; want it refused at once and not sent", within, err, took)
			}
		}
		if took, err := read(time.Minute + digitalocean.DefaultTimeout); err != nil || took != time.Minute {
			t.Errorf("a read with time for its answer: %v after %s, want it after a minute", err, took)
		}
	})
}
