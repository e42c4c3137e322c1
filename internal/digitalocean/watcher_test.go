package digitalocean_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// waits are open waits, each closed by its wake.
type waits struct {
	mu     sync.Mutex
	open   map[string]digitalocean.Watch
	woken  map[string]digitalocean.ActionStatus
	keep   bool // a wake does not close its wait
	wakes  int
	broken map[string]error // what Wake answers for a key
}

func newWaits(open ...digitalocean.Watch) *waits {
	w := &waits{open: make(map[string]digitalocean.Watch), woken: make(map[string]digitalocean.ActionStatus)}
	for _, one := range open {
		w.open[one.Key] = one
	}
	return w
}

func (w *waits) watcher(c *digitalocean.Client) *digitalocean.Watcher {
	return digitalocean.NewWatcher(c, digitalocean.WatcherOptions{
		Open: func(context.Context) ([]digitalocean.Watch, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Collect(maps.Values(w.open)), nil
		},
		Wake: func(_ context.Context, one digitalocean.Watch, a digitalocean.Action) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wakes++
			if err := w.broken[one.Key]; err != nil {
				return err
			}
			w.woken[one.Key] = a.Status
			if !w.keep {
				delete(w.open, one.Key)
			}
			return nil
		},
	})
}

func (w *waits) keys() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.woken))
}

// begin starts a snapshot of each of n new droplets.
func begin(t *testing.T, c *cloud, n int) (open []digitalocean.Watch) {
	t.Helper()
	for i := range n {
		c.droplet = c.SeedDroplet(dosim.SeedDroplet{})
		a := c.snapshot(t)
		open = append(open, digitalocean.Watch{Key: fmt.Sprintf("wait_%03d", i), Droplet: c.droplet, Action: a.ID, Since: a.StartedAt})
	}
	return open
}

func (c *cloud) paths(after int64) (paths []string) {
	for _, r := range c.Requests(after) {
		paths = append(paths, r.Method+" "+r.Path)
	}
	return paths
}

func TestAHundredWaitsCostOneCallAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		w := newWaits(begin(t, c, 100)...)
		c.arm(dosim.Fault{Kind: dosim.Hang, Match: dosim.Match{Path: "/none"}})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.watcher(c.Client).Run(ctx); err != nil {
				t.Errorf("Run = %v, want nil when its context ends", err)
			}
		})
		time.Sleep(59 * time.Second)
		if woken := w.keys(); len(woken) != 0 {
			t.Errorf("%v were woken before their action had ended", woken)
		}
		time.Sleep(8 * time.Second)
		if woken := w.keys(); len(woken) != 100 {
			t.Errorf("%d of 100 were woken within an interval of their action's end", len(woken))
		}
		if got := c.paths(c.seen); len(got) > 13 || slices.ContainsFunc(got, func(p string) bool { return p != "GET /v2/actions" }) {
			t.Errorf("in 65 s the API was asked %d times: %v; want GET /v2/actions at most 13 times", len(got), got)
		}
		asked := len(c.Requests(c.seen))
		time.Sleep(time.Hour)
		if again := len(c.Requests(c.seen)); again != asked {
			t.Errorf("%d calls were made while nothing waited", again-asked)
		}
		cancel()
		running.Wait()
	})
}

func TestAWakeIsRepeatedUntilTheWaitIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		w := newWaits(begin(t, c, 1)...)
		w.keep = true
		time.Sleep(2 * time.Minute)
		watcher := w.watcher(c.Client)
		for range 3 {
			if err := watcher.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if w.wakes != 3 {
			t.Errorf("%d wakes in 3 rounds, want 3: a wake may be lost", w.wakes)
		}
	})
}

func TestTheWatcherLooksAtStatusAlone(t *testing.T) {
	for kind, want := range map[dosim.FaultKind]digitalocean.ActionStatus{
		dosim.ActionErrored:   digitalocean.ActionErrored,
		dosim.CompletedAtNull: digitalocean.ActionCompleted,
		dosim.UnknownStatus:   "",
		dosim.ActionStuck:     "",
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.arm(dosim.Fault{Kind: kind, Match: dosim.Match{Method: "POST"}})
				w := newWaits(begin(t, c, 1)...)
				time.Sleep(2 * time.Minute)
				if err := w.watcher(c.Client).Tick(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := w.woken["wait_000"]; got != want {
					t.Errorf("woken with %q, want %q", got, want)
				}
			})
		})
	}
}

func TestWhatTheListDoesNotShowIsReadById(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, dosim.Options{Params: map[string]string{"lag.action_list": "1h"}})
		w := newWaits(begin(t, c, 1)...)
		c.arm(dosim.Fault{Kind: dosim.Hang, Match: dosim.Match{Path: "/none"}})
		watcher := w.watcher(c.Client)
		tick := func() {
			t.Helper()
			if err := watcher.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		if tick(); slices.ContainsFunc(c.paths(c.seen), func(p string) bool { return strings.Contains(p, "/droplets/") }) {
			t.Errorf("an action too young to be listed was read by id: %v", c.paths(c.seen))
		}
		time.Sleep(2 * time.Minute)
		if tick(); len(w.keys()) != 1 {
			t.Errorf("an ended action that is not listed was not found; requests %v", c.paths(c.seen))
		}
	})
}

// An action of a volume or an address is found in the same list, or by its id alone.
func TestTheWatcherFollowsActionsOfEverything(t *testing.T) {
	for _, lag := range []string{"0s", "1h"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud(t, dosim.Options{Params: map[string]string{"lag.action_list": lag}})
			r := digitalocean.ReservedIPCreate{Droplet: c.droplet}
			_, action, err := c.CreateReservedIP(c.leave(t, r.Permit("main")), r)
			if err != nil {
				t.Fatal(err)
			}
			w := newWaits(digitalocean.Watch{Key: "address", Action: action})
			time.Sleep(2 * time.Minute)
			if err := w.watcher(c.Client).Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.woken["address"] != digitalocean.ActionCompleted {
				t.Errorf("with a list that lags %s the wait was woken with %q", lag, w.woken["address"])
			}
		})
	}
}

func TestAnOldWaitDoesNotCostTheWholeHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.AddFault(dosim.Fault{Kind: dosim.ActionStuck, Times: 1, Match: dosim.Match{Method: "POST"}})
		open := begin(t, c, 1)
		time.Sleep(time.Hour)
		for range 1500 { // each leaves a "create" action
			c.SeedDroplet(dosim.SeedDroplet{})
		}
		c.arm(dosim.Fault{Kind: dosim.Hang, Match: dosim.Match{Path: "/none"}})
		if err := newWaits(open...).watcher(c.Client).Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.paths(c.seen); len(got) > 2 {
			t.Errorf("one wait beneath 1,500 newer actions cost %d calls: %v; want 2", len(got), got)
		}
	})
}

func TestOneBadWaitDoesNotKeepTheOthersAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		open := begin(t, c, 3)
		open = append(open, digitalocean.Watch{Key: "unknown", Droplet: c.droplet, Action: 12345, Since: open[0].Since})
		w := newWaits(open...)
		bad := errors.New("the database is busy")
		w.broken = map[string]error{"wait_001": bad}
		time.Sleep(2 * time.Minute)
		watcher := w.watcher(c.Client)
		err := watcher.Tick(t.Context())
		if !errors.Is(err, bad) || !errors.Is(err, digitalocean.NotFound) {
			t.Errorf("Tick = %v, want both failures", err)
		}
		if got, want := w.keys(), []string{"wait_000", "wait_002"}; !slices.Equal(got, want) {
			t.Errorf("woken %v, want %v", got, want)
		}
		c.AddFault(dosim.Fault{Kind: dosim.ServerErrorBefore, Match: dosim.Match{Path: "/v2/actions"}})
		if err := watcher.Tick(t.Context()); !errors.Is(err, digitalocean.Unavailable) {
			t.Errorf("Tick while the list fails = %v, want Unavailable", err)
		}
	})
}
