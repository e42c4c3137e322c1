package inventory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// live are the URNs of a kind that are there as far as the inventory knows.
func (y *yard) live(kind string) []string {
	y.t.Helper()
	rows, err := y.db.Read().QueryContext(y.t.Context(),
		`SELECT urn FROM inv_versions WHERE kind = $1 AND until IS NULL AND NOT gone ORDER BY urn`, kind)
	if err != nil {
		y.t.Fatal(err)
	}
	defer rows.Close()
	var urns []string
	for rows.Next() {
		var urn string
		if err := rows.Scan(&urn); err != nil {
			y.t.Fatal(err)
		}
		urns = append(urns, urn)
	}
	if err := rows.Err(); err != nil {
		y.t.Fatal(err)
	}
	return urns
}

// truth are the URNs of a kind that there really are.
func (y *yard) truth(kind string) []string {
	var urns []string
	for _, item := range y.cloud.Truth(kind) {
		urns = append(urns, item.URN)
	}
	slices.Sort(urns)
	return urns
}

// story is what happened to a resource, the oldest first, as "created by action".
func (y *yard) story(urn string) []string {
	y.t.Helper()
	changes, err := y.Changes(y.t.Context(), inventory.ChangeFilter{URN: urn})
	if err != nil {
		y.t.Fatal(err)
	}
	var told []string
	for _, c := range slices.Backward(changes) {
		told = append(told, fmt.Sprintf("%s by %s", c.Type, c.Cause.Type))
	}
	return told
}

func (y *yard) expect(what string, got, want []string) {
	y.t.Helper()
	if !slices.Equal(got, want) {
		y.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// settle syncs often enough, and long enough apart, for whatever is gone to be
// taken for gone.
func (y *yard) settle(kinds ...string) {
	for range 3 {
		time.Sleep(horizon + time.Minute)
		y.sync(kinds...)
	}
}

// Trap 1: GPU droplets are in no list but their own.
func TestGPUDropletsAreSeen(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		y.do("POST", "/v2/droplets", map[string]any{"name": "gpu", "region": "tor1", "size": "gpu-h100x1-80gb", "image": "gpu-h100x1-base"})
		y.droplet("web")
		y.sync("droplet")
		y.expect("droplets", y.live("droplet"), y.truth("droplet"))
		if n := len(y.live("droplet")); n != 2 {
			t.Errorf("%d droplets, want both", n)
		}
	})
}

// Trap 3: lists have pages, and pages shift.
func TestEveryPageIsRead(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		for i := range 450 {
			y.cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", i)})
		}
		time.Sleep(time.Hour)
		y.cloud.AddFault(dosim.Fault{Kind: dosim.MissingAcrossPages, Match: dosim.Match{Path: "/v2/droplets"}, Times: 1})
		r := y.sync("droplet")
		y.expect("droplets", y.live("droplet"), y.truth("droplet"))
		if got := r.Kinds[0]; got.Resources != 450 || got.Created != 450 || got.Requests < 7 { // three pages twice, and the list of GPUs
			t.Errorf("the listing was %+v", got)
		}
	})
}

// Trap 4: what changed is changed, and what is gone goes: once two lists a horizon
// apart lack it and its own address answers 404, and not before.
func TestNothingStale(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		kept, renamed, deleted := y.droplet("kept"), y.droplet("old"), y.droplet("deleted")
		y.sync("action", "droplet")
		y.do("POST", "/v2/droplets/"+strings.TrimPrefix(renamed, "do:droplet:")+"/actions", map[string]any{"type": "rename", "name": "new"})
		y.do("DELETE", "/v2/droplets/"+strings.TrimPrefix(deleted, "do:droplet:"), nil)
		removed := time.Now()
		time.Sleep(time.Minute)
		y.sync("action", "droplet")
		y.expect("droplets directly after the delete", y.live("droplet"), sorted(kept, renamed, deleted))
		if r, err := y.Resource(t.Context(), renamed, time.Time{}); err != nil || r.Name != "new" {
			t.Errorf("the renamed droplet is %q, %v", r.Name, err)
		}
		y.settle("action", "droplet")
		y.expect("droplets", y.live("droplet"), sorted(kept, renamed))
		y.expect("the story of the deleted", y.story(deleted), []string{"created by first_sight", "deleted by out_of_band"})
		y.expect("the story of the renamed", y.story(renamed), []string{"created by first_sight", "updated by action"})
		r, err := y.Resource(t.Context(), deleted, time.Time{})
		if err != nil || !r.Gone() || r.Ended.From.After(removed) || r.Ended.To.Before(removed.Truncate(time.Second)) {
			t.Errorf("the deleted droplet ended within %v, %v, but it was at %v", r.Ended, err, removed)
		}
	})
}

func sorted(urns ...string) []string { slices.Sort(urns); return urns }

// A failed list and one that the token may not read delete nothing and say so.
func TestAFailedListDeletesNothing(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		web := y.droplet("web")
		y.sync("droplet", "volume")
		for _, tt := range []struct {
			kind dosim.FaultKind
			want inventory.State
		}{
			{dosim.ServerErrorBefore, inventory.Failed},
			{dosim.HTML504, inventory.Failed}, // trap 10
			{dosim.TruncatedJSON, inventory.Failed},
			{dosim.Empty200, inventory.Failed},
			{dosim.Scope403, inventory.NotPermitted},
		} {
			id := y.cloud.AddFault(dosim.Fault{Kind: tt.kind, Match: dosim.Match{Path: "/v2/droplets"}})
			for range 3 {
				time.Sleep(2 * horizon)
				if r := y.sync("droplet"); r.Kinds[0].State != tt.want || r.Kinds[0].Problem == "" {
					t.Errorf("%s: the listing is %+v, want %s", tt.kind, r.Kinds[0], tt.want)
				}
			}
			if err := y.cloud.DeleteFault(id); err != nil {
				t.Fatal(err)
			}
			y.expect(string(tt.kind), y.live("droplet"), []string{web})
		}
		fresh, err := y.Freshness(t.Context(), "main")
		if err != nil || len(fresh) == 0 || fresh[0].Kind != "droplet" || fresh[0].State != inventory.NotPermitted || fresh[0].Resources != 1 {
			t.Errorf("freshness %+v, %v: the number of droplets is not known to be another", fresh, err)
		}
	})
}

// A list that lies about what it lacks is not believed where the thing itself
// still answers.
func TestAListThatHidesSomethingIsNotBelieved(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		web := y.droplet("web")
		y.sync("droplet")
		if err := y.cloud.SetParams(map[string]string{"lag.list_after_create": "8760h"}); err != nil {
			t.Fatal(err)
		}
		hidden := y.droplet("hidden")
		y.settle("droplet")
		y.expect("droplets", y.live("droplet"), []string{web})
		_ = hidden
	})
}

// What was taken for gone and is back goes on with the same lifetime.
func TestReappearance(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		web := y.droplet("web")
		y.sync("droplet")
		exported := y.cloud.Export()
		y.do("DELETE", "/v2/droplets/"+strings.TrimPrefix(web, "do:droplet:"), nil)
		y.settle("droplet")
		y.expect("droplets", y.live("droplet"), nil)
		if err := y.cloud.Import(exported); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		y.sync("droplet")
		y.expect("droplets", y.live("droplet"), []string{web})
		r, err := y.Resource(t.Context(), web, time.Time{})
		if err != nil || r.Gone() || r.Version != 3 {
			t.Errorf("it is %+v, %v", r, err)
		}
		y.expect("its story", y.story(web), []string{"created by first_sight", "deleted by out_of_band", "reappeared by out_of_band"})
	})
}

// A droplet that lived and died between two lists is billed, and only the list of
// actions tells of it.
func TestAShortLifeIsFound(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		y.sync()
		time.Sleep(time.Minute)
		begun := time.Now().UTC().Truncate(time.Second)
		brief := y.droplet("brief")
		y.do("DELETE", "/v2/droplets/"+strings.TrimPrefix(brief, "do:droplet:"), nil)
		y.settle()
		y.expect("its story", y.story(brief), []string{"created by action", "deleted by out_of_band"})
		r, err := y.Resource(t.Context(), brief, time.Time{})
		if err != nil || !r.Gone() || r.Born.From != begun || r.Born.To != begun {
			t.Errorf("it was born within %v and is gone: %v, %v; it was made at %v", r.Born, r.Gone(), err, begun)
		}
		y.expect("droplets", y.live("droplet"), nil)
	})
}

// Whatever happens, in whatever weather, the inventory comes to what is true, and
// the feed tells how, without a gap.
func TestRandomSchedulesConverge(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, dosim.Options{Seed: seed}, func(t *testing.T, y *yard) {
				if err := y.cloud.SetPreset([]string{"realistic", "stormy"}[seed%2]); err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(seed, 7))
				var made []string
				for i := range 60 {
					switch n := r.IntN(10); {
					case n < 4:
						made = append(made, fmt.Sprintf("do:droplet:%d", y.cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", i)})))
					case n < 6 && len(made) > 0:
						k := r.IntN(len(made))
						y.try("DELETE", "/v2/droplets/"+strings.TrimPrefix(made[k], "do:droplet:"), nil)
						made = slices.Delete(made, k, k+1)
					case n < 8:
						y.try("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("v-%d", i), "region": "nyc3", "size_gigabytes": 10})
					default:
						y.sync()
					}
					time.Sleep(time.Duration(r.IntN(120)) * time.Second)
				}
				if err := y.cloud.SetPreset("calm"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				y.settle()
				for _, kind := range []string{"droplet", "volume", "snapshot"} {
					y.expect(kind, y.live(kind), y.truth(kind))
				}
				y.checkFeed()
			})
		})
	}
}

// checkFeed sees that the feed has every number once, and that playing it gives
// what there is.
func (y *yard) checkFeed() {
	y.t.Helper()
	var seq int64
	alive := map[string]bool{}
	for {
		changes, err := y.Changes(y.t.Context(), inventory.ChangeFilter{Follow: true, After: seq, Limit: 50})
		if err != nil {
			y.t.Fatal(err)
		}
		if len(changes) == 0 {
			break
		}
		for _, c := range changes {
			if c.Seq != seq+1 {
				y.t.Fatalf("change %d follows %d", c.Seq, seq)
			}
			seq = c.Seq
			switch c.Type {
			case inventory.Created, inventory.Reappeared:
				alive[c.URN] = true
			case inventory.Deleted:
				delete(alive, c.URN)
			}
		}
	}
	if end, err := y.FeedEnd(y.t.Context()); err != nil || end != seq {
		y.t.Errorf("the feed ends with %d, %v; its last change is %d", end, err, seq)
	}
	var now []string
	for _, kind := range inventory.Kinds() {
		now = append(now, y.live(kind.Name)...)
	}
	slices.Sort(now)
	played := []string{}
	for urn := range alive {
		played = append(played, urn)
	}
	slices.Sort(played)
	y.expect("the feed, played", played, now)
}

// try is do for a request that the weather may spoil.
func (y *yard) try(method, path string, body any) { y.send(method, path, body) }
