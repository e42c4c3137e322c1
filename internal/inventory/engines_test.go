package inventory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// TestBothEngines follows a fleet that changes, on either engine, with two processes
// that both carry out syncs.
func TestBothEngines(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := errors.Join(cloud.SetPreset("calm"), cloud.SetParams(map[string]string{"action.power_off": "0s"})); err != nil {
			t.Fatal(err)
		}
		y := newYardOf(t, d, cloud, time.Millisecond, "main")
		newYardOf(t, d, cloud, time.Millisecond, "main")
		var made []string
		for i := range 600 { // more than one chunk
			made = append(made, fmt.Sprintf("do:droplet:%d", cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", i)})))
		}
		y.sync("action", "droplet")
		y.expect("droplets", y.live("droplet"), sorted(slices.Clone(made)...))
		for _, urn := range made[:3] {
			y.do("DELETE", "/v2/droplets/"+strings.TrimPrefix(urn, "do:droplet:"), nil)
		}
		y.do("POST", "/v2/droplets/"+strings.TrimPrefix(made[4], "do:droplet:")+"/actions", map[string]any{"type": "power_off"})
		for range 3 {
			y.sync("action", "droplet")
		}
		y.expect("droplets", y.live("droplet"), y.truth("droplet"))
		if r, err := y.Resource(t.Context(), made[4], time.Time{}); err != nil || r.Status != "off" || r.Version < 2 {
			t.Errorf("the one that was switched off is %q, version %d, %v", r.Status, r.Version, err)
		}
		y.checkFeed()
	})
}

// TestTheFeedSkipsNothing follows the feed while several syncs write to it: what a
// follower gets is every change once, in order.
func TestTheFeedSkipsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := cloud.SetPreset("calm"); err != nil {
			t.Fatal(err)
		}
		accounts := []string{"a", "b", "c", "d"}
		y := newYardOf(t, d, cloud, time.Millisecond, accounts...)
		for i := range 100 {
			cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", i)})
			y.do("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("v-%d", i), "region": "nyc3", "size_gigabytes": 1})
			y.do("POST", "/v2/tags", map[string]any{"name": fmt.Sprintf("t-%d", i)})
		}
		var syncing sync.WaitGroup
		for _, account := range accounts { // tags are each account's own
			syncing.Go(func() { y.syncAccount(account, "droplet", "volume", "tag") })
		}
		over := make(chan struct{})
		go func() { syncing.Wait(); close(over) }()
		var seq int64
		for ended := false; ; {
			changes, err := y.Changes(t.Context(), inventory.ChangeFilter{Follow: true, After: seq})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				if c.Seq != seq+1 {
					t.Fatalf("change %d follows %d: a follower would have missed what is between", c.Seq, seq)
				}
				seq = c.Seq
			}
			if ended && len(changes) == 0 {
				break
			}
			select {
			case <-over:
				ended = true
			default:
			}
		}
		if seq < 400 {
			t.Errorf("%d changes: the test shows nothing", seq)
		}
	})
}
