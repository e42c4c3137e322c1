package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestDestroyCaps: what one saga, an account in an hour, in a day, and a part of an
// account may lose, each by its own cap, and the same thing counts once.
func TestDestroyCaps(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		size := func(context.Context, string) (int, error) { return 300, nil }
		most := provisioning.DestroyCap{Operation: 3, Hour: 10, Day: 60, Percent: 20}
		take := func(account, saga, target string) error {
			return provisioning.Destroys(t.Context(), d, most, size, digitalocean.Destruction{Account: account, Saga: saga, Target: target}, at)
		}
		allowed := func(account string, sagas, each int) (n int) {
			for s := range sagas {
				for i := range each {
					if err := take(account, fmt.Sprintf("saga_%s_%s_%d", account, at.Format("0215"), s), fmt.Sprintf("do:droplet:%s%d-%d-%d", account, at.Unix(), s, i)); err == nil {
						n++
					} else if !errors.Is(err, fault.Forbidden) {
						t.Fatal(err)
					}
				}
			}
			return n
		}
		if n := allowed("a", 1, 5); n != 3 {
			t.Errorf("one saga destroyed %d things, want 3", n)
		}
		if err := take("a", "saga_a_0100_0", fmt.Sprintf("do:droplet:a%d-0-1", at.Unix())); err != nil {
			t.Errorf("the same thing again: %v", err)
		}
		if n := allowed("b", 20, 2); n != 10 {
			t.Errorf("in an hour %d things were destroyed, want 10", n)
		}
		at = at.Add(time.Hour)
		if n := allowed("b", 20, 2); n != 10 {
			t.Errorf("in the next hour %d things were destroyed, want 10", n)
		}
		total := 20
		for range 10 {
			at = at.Add(time.Hour)
			total += allowed("b", 20, 2)
		}
		if total != 60 {
			t.Errorf("in a day %d things were destroyed, want 60", total)
		}
		most.Day, most.Percent = 1000, 15 // of 300 and those that are gone
		at = at.Add(time.Minute)
		if err := take("b", "saga_other", "do:droplet:one-more"); !errors.Is(err, fault.Forbidden) {
			t.Errorf("more than the part of the account: %v", err)
		}
		at = at.Add(25 * time.Hour)
		if err := take("b", "saga_other", "do:droplet:one-more"); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}

// TestDestroyCapsHoldAgainstMany: however many ask at once, the cap is the cap.
func TestDestroyCapsHoldAgainstMany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		at := time.Now()
		size := func(context.Context, string) (int, error) { return 0, nil }
		var n atomic.Int64
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				what := digitalocean.Destruction{Account: "main", Saga: fmt.Sprintf("saga_%d", i), Target: fmt.Sprintf("do:droplet:%d", i)}
				switch err := provisioning.Destroys(t.Context(), d, provisioning.DestroyCap{Hour: 7}, size, what, at); {
				case err == nil:
					n.Add(1)
				case !errors.Is(err, fault.Forbidden):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n.Load() != 7 {
			t.Errorf("%d things were destroyed, want 7", n.Load())
		}
	})
}

// TestAGateCountsForNoCap: what a saga puts before droplets only until their firewalls are
// there is taken away again, though the account may lose nothing more within the hour.
func TestAGateCountsForNoCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePace
		p.settings.Destroys = provisioning.DestroyCap{Hour: 1}
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		size := func(context.Context, string) (int, error) { return 0, nil }
		what := digitalocean.Destruction{Account: "main", Saga: "saga_other", Target: "do:droplet:1"}
		if err := provisioning.Destroys(t.Context(), y.db, p.settings.Destroys, size, what, time.Now()); err != nil {
			t.Fatal(err)
		}
		y.standing()
		if got := untagged(y.kinds()); !slices.Equal(got, whole) {
			t.Errorf("there is %q, want %q and no gate", got, whole)
		}
	})
}

// TestATeardownAtTheCapGoesOn: behind its point of no return a teardown that meets the cap of
// an hour is left to somebody to look at, who is told which cap and how to go on; tried again
// in the next hour it ends, and nothing is left.
func TestATeardownAtTheCapGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bubblePace
		p.settings.Destroys = provisioning.DestroyCap{Hour: 3}
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), p, nil)
		s := y.standing()
		engine := y.engine(y.options)
		id := y.begin(s, on(provisioning.Teardown, "final_snapshot", "false"))
		tries, within := 0, 25*time.Hour // its grace is a day
		for ; ; tries++ {
			y.serveFor(engine, within)
			at, err := engine.Saga(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if at.State != saga.Stuck || tries == 20 {
				break
			}
			if at.Error == nil || !strings.Contains(at.Error.Message, "ARCADIA_DESTROY_CAP_HOUR") || !strings.Contains(at.Error.Message, "retry") {
				t.Errorf("it is stuck, and says %+v", at.Error)
			}
			within = 2 * time.Hour
			if _, err := engine.Retry(t.Context(), id, saga.Actor{Name: "cli:test", Reason: "the hour is over"}); err != nil {
				t.Fatal(err)
			}
		}
		if tries == 0 {
			t.Error("the cap stopped nothing")
		}
		end, err := engine.Saga(t.Context(), id)
		if err != nil || end.State != saga.Completed || len(untagged(y.kinds())) != 0 {
			t.Errorf("it is %s with %q left: %+v %v", end.State, y.kinds(), end.Error, err)
		}
	})
}
