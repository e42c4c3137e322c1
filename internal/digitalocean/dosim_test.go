package digitalocean_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A cloud is a simulated DigitalOcean in the test's bubble, with one droplet.
type cloud struct {
	*dosimtest.Server
	*digitalocean.Client
	droplet int64
	log     *bytes.Buffer
	seen    int64 // the last request before the part under test
}

func newCloud(t *testing.T, o ...dosim.Options) *cloud {
	t.Helper()
	c := &cloud{Server: dosimtest.Pipe(t, o...), log: &bytes.Buffer{}}
	c.droplet = c.SeedDroplet(dosim.SeedDroplet{Name: "web"})
	var err error
	c.Client, err = digitalocean.New(digitalocean.Options{
		BaseURL: c.URL, Account: "main", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(c.Token),
		Transport: c.Server.Client.Transport, Logger: slog.New(slog.NewTextHandler(c.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cloud) marker() string { return fmt.Sprintf("arcadia-snap-%d-cafe0001", c.droplet) }

// may is leave to take that snapshot and to delete the given ones.
func (c *cloud) may(snapshots ...string) *leave {
	l := may()
	l.Permits = []digitalocean.Permit{digitalocean.DropletSnapshotPermit(c.droplet, c.marker())}
	for _, id := range snapshots {
		l.Permits = append(l.Permits, digitalocean.DeleteSnapshotPermit(id))
	}
	return l
}

func (c *cloud) snapshot(t *testing.T) digitalocean.Action {
	t.Helper()
	a, err := c.CreateDropletSnapshot(c.may().in(t.Context()), c.droplet, c.marker())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// arm arms a fault and forgets the requests so far.
func (c *cloud) arm(f dosim.Fault) {
	for _, r := range c.Requests(0) {
		c.seen = r.Seq
	}
	c.AddFault(f)
}

// sent counts the requests with a method since arm.
func (c *cloud) sent(method string) (n int) {
	for _, r := range c.Requests(c.seen) {
		if r.Method == method {
			n++
		}
	}
	return n
}

// What each of the simulator's faults, struck without end, does to a read, a
// POST and a DELETE. nil is success.
var struck = map[dosim.FaultKind]struct{ read, create, destroy error }{
	dosim.ServerErrorBefore: {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.Unknown},
	dosim.ServerErrorAfter:  {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.NotFound},
	dosim.HTML504:           {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.NotFound},
	dosim.HTML504Before:     {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.Unknown},
	dosim.ResetBefore:       {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.Unknown},
	dosim.ResetAfter:        {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.NotFound},
	dosim.ResetCommitLate:   {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.Unknown},
	dosim.Hang:              {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.Unknown},
	dosim.HangAfter:         {digitalocean.Unavailable, digitalocean.Unknown, digitalocean.NotFound},
	dosim.Slow:              {nil, nil, nil},
	dosim.Burst429:          {digitalocean.RateLimited, digitalocean.RateLimited, digitalocean.RateLimited},
	dosim.Hourly429:         {digitalocean.RateLimited, digitalocean.RateLimited, digitalocean.RateLimited},
	dosim.ResetInPast:       {digitalocean.RateLimited, digitalocean.RateLimited, digitalocean.RateLimited},
	dosim.Expired401:        {digitalocean.Unauthorized, digitalocean.Unauthorized, digitalocean.Unauthorized},
	dosim.Scope403:          {digitalocean.Forbidden, digitalocean.Forbidden, digitalocean.Forbidden},
	dosim.NotFound404:       {digitalocean.NotFound, digitalocean.NotFound, digitalocean.NotFound},
	dosim.Conflict409:       {digitalocean.Conflict, digitalocean.Conflict, digitalocean.Conflict},
	dosim.Precondition412:   {digitalocean.Conflict, digitalocean.Conflict, digitalocean.Conflict},
	dosim.Pending422:        {digitalocean.PendingEvent, digitalocean.PendingEvent, digitalocean.PendingEvent},
	dosim.TruncatedJSON:     {digitalocean.Unavailable, digitalocean.Unknown, nil}, // a DELETE has no body to cut
	dosim.Empty200:          {digitalocean.Unavailable, digitalocean.Unknown, nil},

	// These change what an answer holds, which nobody here reads.
	dosim.UnknownFields: {},
	dosim.PriceChange:   {},

	// These say something about an action or a list: see below.
	dosim.ActionPoll404:        {},
	dosim.ActionPoll500:        {},
	dosim.CreateVanishes:       {},
	dosim.ActionErrored:        {},
	dosim.ActionStuck:          {},
	dosim.UnknownStatus:        {},
	dosim.CompletedAtNull:      {},
	dosim.DuplicateAcrossPages: {},
	dosim.MissingAcrossPages:   {},
}

func TestEveryFaultOfTheSimulatorHasItsMeaning(t *testing.T) {
	for _, kind := range dosim.FaultKinds() {
		want, known := struck[kind]
		if !known {
			t.Errorf("no test says what %s means", kind)
			continue
		}
		t.Run(string(kind)+"/read", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.arm(dosim.Fault{Kind: kind, Match: dosim.Match{Method: "GET"}})
				if _, err := c.Droplet(t.Context(), c.droplet); !errors.Is(err, want.read) {
					t.Errorf("Droplet = %v, want %v", err, want.read)
				}
			})
		})
		t.Run(string(kind)+"/create", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.arm(dosim.Fault{Kind: kind, Match: dosim.Match{Method: "POST"}})
				l := c.may()
				_, err := c.CreateDropletSnapshot(l.in(t.Context()), c.droplet, c.marker())
				if !errors.Is(err, want.create) {
					t.Errorf("CreateDropletSnapshot = %v, want %v", err, want.create)
				}
				if n := c.sent("POST"); n != 1 {
					t.Errorf("the POST reached DigitalOcean %d times, want once", n)
				}
				if known := !errors.Is(err, digitalocean.Unknown); !slices.Equal(l.answered, []bool{known}) {
					t.Errorf("Answered %v, want [%v]", l.answered, known)
				}
				time.Sleep(5 * time.Minute) // whatever was begun has ended
				made := len(c.Truth("snapshot"))
				if refused := want.create != nil && want.create != digitalocean.Unknown; refused && made != 0 || made > 1 {
					t.Errorf("%d snapshots are there after %v", made, err)
				}
			})
		})
		t.Run(string(kind)+"/destroy", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.snapshot(t)
				time.Sleep(2 * time.Minute)
				id := snapshotID(t, c)
				c.arm(dosim.Fault{Kind: kind, Match: dosim.Match{Method: "DELETE"}})
				err := c.DeleteSnapshot(c.may(id).in(t.Context()), id)
				if !errors.Is(err, want.destroy) {
					t.Errorf("DeleteSnapshot = %v, want %v", err, want.destroy)
				}
				left := len(c.Truth("snapshot"))
				if gone := err == nil || errors.Is(err, digitalocean.NotFound) && kind != dosim.NotFound404; gone != (left == 0) {
					t.Errorf("%d snapshots are left after %v", left, err)
				}
			})
		})
	}
}

// snapshotID is the id of the one snapshot that the account has.
func snapshotID(t *testing.T, c *cloud) string {
	t.Helper()
	list, err := c.Snapshots(t.Context())
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("Snapshots = %v, %v; want one", list.Items, err)
	}
	return list.Items[0].ID
}

func TestOneFaultDoesNotFailWhatMayBeRepeated(t *testing.T) {
	for _, kind := range []dosim.FaultKind{
		dosim.ServerErrorBefore, dosim.ServerErrorAfter, dosim.HTML504, dosim.ResetBefore, dosim.Hang, dosim.TruncatedJSON, dosim.Empty200, dosim.Burst429,
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.snapshot(t)
				time.Sleep(2 * time.Minute)
				id := snapshotID(t, c)
				c.arm(dosim.Fault{Kind: kind, Times: 1})
				if _, err := c.Droplet(t.Context(), c.droplet); err != nil {
					t.Errorf("Droplet = %v, want success at the second try", err)
				}
				if n := c.sent("GET"); n != 2 {
					t.Errorf("%d GETs, want 2", n)
				}
				c.arm(dosim.Fault{Kind: kind, Times: 1, Match: dosim.Match{Method: "DELETE"}})
				if err := c.DeleteSnapshot(c.may(id).in(t.Context()), id); err != nil && !errors.Is(err, digitalocean.NotFound) {
					t.Errorf("DeleteSnapshot = %v, want success or NotFound at the second try", err)
				}
				if n := len(c.Truth("snapshot")); n != 0 {
					t.Errorf("%d snapshots are left", n)
				}
			})
		})
	}
}

func TestAnActionsStatusDecides(t *testing.T) {
	for _, tt := range []struct {
		kind     dosim.FaultKind // of the POST; empty: none
		want     digitalocean.ActionStatus
		terminal bool
	}{
		{"", digitalocean.ActionCompleted, true},
		{dosim.CompletedAtNull, digitalocean.ActionCompleted, true},
		{dosim.ActionErrored, digitalocean.ActionErrored, true},
		{dosim.ActionStuck, digitalocean.ActionInProgress, false},
		{dosim.UnknownStatus, "done", false},
	} {
		t.Run("action "+string(tt.kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				if tt.kind != "" {
					c.arm(dosim.Fault{Kind: tt.kind, Match: dosim.Match{Method: "POST"}})
				}
				begun := c.snapshot(t)
				if begun.Status != digitalocean.ActionInProgress || begun.Type != "snapshot" || begun.Resource != c.droplet || begun.ResourceType != "droplet" {
					t.Errorf("action as begun = %+v", begun)
				}
				time.Sleep(10 * time.Minute)
				one, err := c.DropletAction(t.Context(), c.droplet, begun.ID)
				if err != nil {
					t.Fatal(err)
				}
				ofDroplet, err := c.DropletActions(t.Context(), c.droplet)
				if err != nil {
					t.Fatal(err)
				}
				ofAccount, err := c.Actions(t.Context(), begun.StartedAt)
				if err != nil {
					t.Fatal(err)
				}
				for view, a := range map[string]digitalocean.Action{"by id": one, "droplet's": find(ofDroplet, begun.ID), "account's": find(ofAccount, begun.ID)} {
					if a.ID != begun.ID || a.Status != tt.want || a.Status.Terminal() != tt.terminal || !a.StartedAt.Equal(begun.StartedAt) {
						t.Errorf("%s view = %+v; want status %s, terminal %v", view, a, tt.want, tt.terminal)
					}
					if passed := a.At.Sub(begun.At); passed < 10*time.Minute || passed > 11*time.Minute {
						t.Errorf("%s view was read %s after the start by DigitalOcean's clock, want 10 minutes", view, passed)
					}
				}
				if !one.CompletedAt.IsZero() {
					t.Errorf("CompletedAt of the droplet's view = %s, want null (quirk 8)", one.CompletedAt)
				}
				if warned := strings.Contains(c.log.String(), "not documented"); warned != (tt.want == "done") {
					t.Errorf("warned of an undocumented status: %v, want %v", warned, tt.want == "done")
				}
			})
		})
	}
}

// The read of one action may fail while the action list shows it: it is the
// list that decides, and a poll that finds nothing proves nothing (quirk 10).
func TestAPollThatFailsSaysNothingOfItsAction(t *testing.T) {
	for kind, want := range map[dosim.FaultKind]error{
		dosim.ActionPoll404: digitalocean.NotFound,
		dosim.ActionPoll500: digitalocean.Unavailable,
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				begun := c.snapshot(t)
				c.arm(dosim.Fault{Kind: kind})
				time.Sleep(2 * time.Minute)
				if _, err := c.DropletAction(t.Context(), c.droplet, begun.ID); !errors.Is(err, want) {
					t.Errorf("DropletAction = %v, want %v", err, want)
				}
				list, err := c.DropletActions(t.Context(), c.droplet)
				if a := find(list, begun.ID); err != nil || a.Status != digitalocean.ActionCompleted {
					t.Errorf("the droplet's list shows %+v, %v; want the action completed", a, err)
				}
			})
		})
	}
}

// What was made and vanishes is missed by its own address and by its list.
func TestWhatVanishesIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.arm(dosim.Fault{Kind: dosim.CreateVanishes, Match: dosim.Match{Method: "POST"}})
		begun := c.snapshot(t)
		time.Sleep(10 * time.Minute)
		list, err := c.DropletSnapshots(t.Context(), c.droplet)
		if err != nil || len(list.Items) != 0 || len(c.Truth("snapshot")) != 0 {
			t.Errorf("DropletSnapshots = %v, %v; want none, for what action %d made has vanished (quirk 3)", list.Items, err, begun.ID)
		}
	})
}

func find(list digitalocean.List[digitalocean.Action], id int64) digitalocean.Action {
	for _, a := range list.Items {
		if a.ID == id {
			return a
		}
	}
	return digitalocean.Action{}
}

func TestPagesThatShiftDoNotShortenAList(t *testing.T) {
	for _, kind := range []dosim.FaultKind{dosim.DuplicateAcrossPages, dosim.MissingAcrossPages} {
		for _, times := range []int{1, 0} { // once, and without end
			t.Run(fmt.Sprint(kind, times), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCloud(t)
					for range 449 {
						c.SeedDroplet(dosim.SeedDroplet{})
					}
					gpu := c.SeedDroplet(dosim.SeedDroplet{Name: "gpu", Size: "gpu-h100x1-80gb", Region: "nyc2"})
					c.arm(dosim.Fault{Kind: kind, Times: times, Match: dosim.Match{Path: "/v2/droplets"}})
					list, err := c.Droplets(t.Context())
					if err != nil {
						if times == 1 || !errors.Is(err, digitalocean.Unavailable) || len(list.Items) != 0 {
							t.Fatalf("Droplets = %d items, %v", len(list.Items), err)
						}
						return
					}
					seen := make(map[int64]bool)
					for _, d := range list.Items {
						seen[d.ID] = true
					}
					if len(list.Items) != 451 || len(seen) != 451 || !seen[gpu] {
						t.Errorf("%d droplets, %d different, the GPU droplet among them: %v; want 451", len(list.Items), len(seen), seen[gpu])
					}
				})
			})
		}
	}
}

func TestSnapshotFromBeginningToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		if a, err := c.Account(t.Context()); err != nil || a.UUID == "" || a.Status != "active" {
			t.Errorf("Account = %+v, %v", a, err)
		}
		if ds, err := c.DropletByName(t.Context(), "WEB"); err != nil || len(ds) != 1 || ds[0].ID != c.droplet {
			t.Errorf("DropletByName = %+v, %v; want the droplet, whatever the case", ds, err)
		}
		begun := c.snapshot(t)
		if _, err := c.CreateDropletSnapshot(c.may().in(t.Context()), c.droplet, c.marker()); !errors.Is(err, digitalocean.PendingEvent) {
			t.Errorf("a second snapshot while the first is made = %v, want PendingEvent", err)
		}
		time.Sleep(61 * time.Second)
		if list, err := c.DropletSnapshots(t.Context(), c.droplet); err != nil || len(list.Items) != 0 {
			t.Errorf("right after its action DropletSnapshots = %v, %v; want none yet (quirk 7)", list.Items, err)
		}
		time.Sleep(10 * time.Second)
		list, err := c.DropletSnapshots(t.Context(), c.droplet)
		if err != nil || len(list.Items) != 1 {
			t.Fatalf("DropletSnapshots = %v, %v; want one", list.Items, err)
		}
		s := list.Items[0]
		if s.Name != c.marker() || s.Resource != strconv.FormatInt(c.droplet, 10) || s.ResourceType != "droplet" || !s.CreatedAt.Equal(begun.StartedAt) {
			t.Errorf("snapshot = %+v; want the marker, the droplet, and created_at == started_at %s", s, begun.StartedAt)
		}
		one, err := c.Snapshot(t.Context(), s.ID)
		if err != nil || fmt.Sprint(one) != fmt.Sprint(s) {
			t.Errorf("Snapshot = %+v, %v; want what the list shows: %+v", one, err, s)
		}
		if err := c.DeleteSnapshot(c.may(s.ID).in(t.Context()), s.ID); err != nil {
			t.Errorf("DeleteSnapshot = %v", err)
		}
		if _, err := c.Snapshot(t.Context(), s.ID); !errors.Is(err, digitalocean.NotFound) {
			t.Errorf("Snapshot after its deletion = %v, want NotFound", err)
		}
		if list, err := c.Snapshots(t.Context()); err != nil || len(list.Items) != 1 {
			t.Errorf("right after the deletion Snapshots = %v, %v; want it to linger (quirk 31)", list.Items, err)
		}
		if err := c.DeleteSnapshot(c.may(s.ID).in(t.Context()), s.ID); !errors.Is(err, digitalocean.NotFound) {
			t.Errorf("a second DeleteSnapshot = %v, want NotFound", err)
		}
	})
}
