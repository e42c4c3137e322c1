package dosim

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A shelf that has settled is shown as it stands. Whatever is made, renamed,
// tagged and deleted in whatever order, that is what looking at each would show.
func TestListsAreWhatEachThingShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{Seed: rapid.Uint64().Draw(t, "seed"), Clock: NewClock(Stepped), Params: map[string]string{
			"lag.list_after_create": rapid.SampledFrom([]string{"0s", "3s", "20s"}).Draw(t, "create lag"),
			"lag.list_after_delete": rapid.SampledFrom([]string{"0s", "5s", "30s"}).Draw(t, "delete lag"),
			"replicas":              rapid.SampledFrom([]string{"1", "3"}).Draw(t, "replicas"), "lag.replica": "4s",
		}})
		tagsOf := func() []string {
			return rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.ID).Draw(t, "tags")
		}
		look := func() *call {
			c := s.callAs(FirstAccount, s.now())
			c.replica = rapid.IntRange(0, s.params.number(paramReplicas)-1).Draw(t, "replica")
			if s.params.number(paramReplicas) > 1 {
				c.widest = s.params.duration(paramReplica)
			}
			if c.replica > 0 {
				c.spread = c.widest
			}
			return c
		}
		ids := func(all []*droplet) (ids []string) {
			for _, d := range all {
				ids = append(ids, d.ID)
			}
			return ids
		}
		droplets := s.world.droplets
		there := func() []*droplet { return droplets.under(s.callAs(FirstAccount, s.now()), wholeAccount) }
		t.Repeat(map[string]func(*rapid.T){
			"make": func(t *rapid.T) {
				c := s.callAs(FirstAccount, s.now())
				network, err := c.networkIn("nyc3", "")
				if err != nil {
					t.Fatal(err)
				}
				droplets.create(c, &droplet{Name: "d", Region: "nyc3", Size: "s-1vcpu-1gb", Image: "195932981", tagged: tagged{Tags: tagsOf()}, networked: network})
			},
			"tag": func(t *rapid.T) {
				if all := there(); len(all) > 0 {
					droplets.retag(s.callAs(FirstAccount, s.now()), rapid.SampledFrom(all).Draw(t, "droplet"), "a", rapid.Bool().Draw(t, "with"))
				}
			},
			"delete": func(t *rapid.T) {
				if all := there(); len(all) > 0 {
					droplets.remove(s.callAs(FirstAccount, s.now()), rapid.SampledFrom(all).Draw(t, "droplet"))
				}
			},
			"wait": func(t *rapid.T) {
				s.clock.Advance(time.Duration(rapid.IntRange(0, 15).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				c := look()
				want := only(droplets.all, func(d *droplet) bool { return c.listed(&d.thing) })
				if got := ids(droplets.listed(c)); !slices.Equal(got, ids(want)) {
					t.Fatalf("listed %v, want %v", got, ids(want))
				}
				for _, tag := range []string{"a", "b", "c"} {
					tagged := only(want, func(d *droplet) bool { return slices.Contains(d.Tags, tag) })
					if got := ids(droplets.listedUnder(c, tagKey(tag))); !slices.Equal(got, ids(tagged)) {
						t.Fatalf("listed with tag %s: %v, want %v", tag, got, ids(tagged))
					}
				}
				if w, _, err := replay(s.seed, s.events); err != nil {
					t.Fatalf("the log cannot be replayed: %v", err)
				} else if got := ids(w.droplets.listed(c)); !slices.Equal(got, ids(want)) {
					t.Fatalf("replayed, listed %v, want %v", got, ids(want))
				}
			},
		})
	})
}

// Duties are done in the order in which they fall due, each at its instant, and
// a duty may appoint others.
func TestDutiesAreDoneInOrder(t *testing.T) {
	s := New(Options{Clock: NewClock(Stepped)})
	began := s.clock.Now()
	var done []string
	say := func(c *call, arg string) { done = append(done, fmt.Sprintf("%s at %s", arg, c.at.Sub(began))) }
	s.world.duties["test"] = func(c *call, arg json.RawMessage) {
		say(c, string(arg))
		if string(arg) == `"b"` {
			c.later(time.Second, "test", "d")
		}
	}
	c := s.callAs(FirstAccount, began)
	c.later(5*time.Second, "test", "c")
	c.later(2*time.Second, "test", "b")
	c.later(time.Second, "test", "a")
	c.later(time.Hour, "test", "e")
	s.clock.Advance(10 * time.Second)
	s.Mark() // anybody who looks
	if got, want := fmt.Sprint(done), `["a" at 1s "b" at 2s "d" at 3s "c" at 5s]`; got != want {
		t.Errorf("done %s, want %s", got, want)
	}
	if left := len(s.world.due); left != 1 {
		t.Errorf("%d duties left, want the one that is not due", left)
	}
}
