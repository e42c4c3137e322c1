package main_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mark := h.cloud.Mark()
	got := exactly[wireSmoke](t, h.run(t, "smoke", "--droplet", h.droplet(), "--json").want(t, 0).out)
	if got.Saga.State != "rolled_back" || len(got.Saga.Steps) != 2 || got.Saga.Steps[0].State != "compensated" || got.Saga.Steps[1].State != "failed" {
		t.Errorf("the ledger reads %s %+v", got.Saga.State, got.Saga.Steps)
	}
	if got.LeftOver == nil || len(got.LeftOver) != 0 || got.VerifiedAt.IsZero() {
		t.Errorf("left over is %v, verified at %s; want an empty list and a time", got.LeftOver, got.VerifiedAt)
	}
	if leaks := h.cloud.Leaks(mark); len(leaks) != 0 {
		t.Errorf("the cloud still has %v", leaks)
	}
	if h.posted() != 1 {
		t.Errorf("%d snapshots were asked for; want 1, else nothing was proven", h.posted())
	}
	text := h.run(t, "smoke", "--droplet", "web-1").want(t, 0).out
	for _, want := range []string{"create_droplet_snapshot  compensated", "fail                     failed", "Nothing is left over"} {
		if !strings.Contains(text, want) {
			t.Errorf("what people read does not say %q:\n%s", want, text)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	h := newHouse(t).with("ARCADIA_DO_API_URL", "ARCADIA_DO_TOKEN_PROVISIONING", "ARCADIA_DATA_DIR")
	got := exactly[wireSmoke](t, h.run(t, "smoke", "--demo", "--json").want(t, 0).out)
	if got.Saga.State != "rolled_back" || len(got.LeftOver) != 0 {
		t.Errorf("the demonstration ended %s with %v left over", got.Saga.State, got.LeftOver)
	}
	if h.posted() != 0 {
		t.Error("the demonstration spoke to a cloud that is not its own")
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	got := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--json", "--key", "monday").want(t, 0).out)
	want := "arcadia-snap-" + h.droplet() + "-" + got.ID[len(got.ID)-8:]
	if got.State != "completed" || got.Data["snapshot_name"] != want || !slices.Equal(h.snapshots(), []string{want}) {
		t.Errorf("%s with %v; the cloud has %v, want %s", got.State, got.Data["snapshot_name"], h.snapshots(), want)
	}
	if !strings.HasPrefix(got.RequestedBy, "cli:") || got.RequestedBy == "cli:" {
		t.Errorf("asked for by %q, want cli: and a user", got.RequestedBy)
	}
	again := exactly[wireSaga](t, h.run(t, "snapshot", h.droplet(), "--json", "--key", "monday").want(t, 0).out)
	if again.ID != got.ID || len(h.snapshots()) != 1 {
		t.Errorf("the same key gave saga %s and %d snapshots, want %s and 1", again.ID, len(h.snapshots()), got.ID)
	}
	shown := exactly[wireSaga](t, h.run(t, "saga", "show", got.ID, "--json").want(t, 0).out)
	if shown.Rev != again.Rev || shown.State != "completed" {
		t.Errorf("saga show gives rev %d %s, want %d completed", shown.Rev, shown.State, again.Rev)
	}
	if text := h.run(t, "saga", "list").want(t, 0).out; !strings.Contains(text, got.ID) {
		t.Errorf("saga list does not show %s:\n%s", got.ID, text)
	}
	if text := h.run(t, "saga", "show", got.ID, "--events").want(t, 0).out; !strings.Contains(text, "completed") {
		t.Errorf("the events do not tell the end:\n%s", text)
	}
}

// Whatever a saga comes to, scripts can tell by the exit code.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	t.Run("rolled back", func(t *testing.T) {
		h := newHouse(t)
		h.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST"}, Kind: dosim.ActionErrored, Times: 1})
		got := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--json").want(t, 3).out)
		if got.State != "rolled_back" || got.Error == nil {
			t.Errorf("%s, error %v", got.State, got.Error)
		}
	})
	t.Run("stuck", func(t *testing.T) {
		h := newHouse(t, "lag.snapshot_visible", "1h")
		got := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--json").want(t, 4).out)
		if got.State != "stuck" || got.Error == nil {
			t.Errorf("%s, error %v", got.State, got.Error)
		}
		// The verb that puts it right, once the cloud shows the snapshot.
		if err := h.cloud.SetParams(map[string]string{"lag.snapshot_visible": "0s"}); err != nil {
			t.Fatal(err)
		}
		text := h.run(t, "saga", "mark-done", got.ID, "--reason", "deleted by hand").want(t, 3).out
		if !strings.Contains(text, "Rolled back") {
			t.Errorf("after mark-done:\n%s", text)
		}
	})
	t.Run("smoke with something left over", func(t *testing.T) {
		h := newHouse(t, "lag.snapshot_visible", "1h")
		h.run(t, "smoke", "--droplet", "web-1").want(t, 4)
	})
}

// A killed command leaves a ledger from which the next one goes on, and the cloud
// ends with exactly one snapshot, at whatever point the kill came.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		at   func(h *house) bool
	}{
		{"before the request", func(h *house) bool { return len(h.cloud.Requests(0)) > 0 }},
		{"as the request leaves", func(h *house) bool { return h.posted() > 0 }},
		{"after the action has ended", func(h *house) bool { return len(h.snapshots()) > 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Who holds the directory waits for no lease: its owner is dead.
			h := newHouse(t, "lag.snapshot_visible", "300ms").with("ARCADIA_LEASE=10m")
			c := h.command(t, "snapshot", "web-1", "--key", "k")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, tt.name, func() bool { return tt.at(h) })
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err == nil {
				t.Fatal("the command ended before it was killed")
			}
			got := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--key", "k", "--json").want(t, 0).out)
			if got.State != "completed" || len(h.snapshots()) != 1 || h.snapshots()[0] != got.Data["snapshot_name"] {
				t.Errorf("%s with %v; the cloud has %v", got.State, got.Data["snapshot_name"], h.snapshots())
			}
		})
	}
}

// A command finds whoever serves the data: a server by its address, the holder of
// the data directory, or nobody, and then it does the work itself.
func TestWhoServes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alone := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--json").want(t, 0).out)

	s := h.serve(t)
	held := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--json").want(t, 0).out)
	if text := h.run(t, "saga", "show", alone.ID).want(t, 0).out; !strings.Contains(text, "Completed") {
		t.Errorf("through the holder:\n%s", text)
	}
	// Elsewhere, with the address alone.
	far := h.with("ARCADIA_DATA_DIR="+t.TempDir(), "ARCADIA_URL="+s.url, "ARCADIA_DO_TOKEN_PROVISIONING")
	if text := far.run(t, "saga", "list").want(t, 0).out; !strings.Contains(text, held.ID) || !strings.Contains(text, alone.ID) {
		t.Errorf("through ARCADIA_URL the list is\n%s", text)
	}
	started := exactly[wireSaga](t, far.run(t, "snapshot", "web-1", "--no-wait", "--json").want(t, 0).out)
	if started.State == "completed" {
		t.Errorf("--no-wait waited")
	}
	if got := exactly[wireSaga](t, far.run(t, "saga", "watch", started.ID, "--json").want(t, 0).out); got.State != "completed" {
		t.Errorf("watch ended at %s", got.State)
	}
	// A flag names a place, and wins.
	if text := far.run(t, "saga", "list", "--data-dir", t.TempDir()).want(t, 0).out; strings.Contains(text, held.ID) {
		t.Error("--data-dir went to ARCADIA_URL")
	}
}

// Commands that run beside each other share the directory: one serves the others.
func TestCommandsBesideEachOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, name := range []string{"web-2", "web-3", "web-4"} {
		h.cloud.SeedDroplet(dosim.SeedDroplet{Name: name})
	}
	var all sync.WaitGroup
	for _, name := range []string{"web-1", "web-2", "web-3", "web-4"} {
		all.Go(func() {
			c := h.command(t, "snapshot", name, "--json")
			out, err := c.Output()
			if err != nil {
				t.Errorf("snapshot %s: %v\n%s", name, err, out)
			}
		})
	}
	all.Wait()
	if n := len(h.snapshots()); n != 4 {
		t.Errorf("the cloud has %d snapshots, want 4: %v", n, h.snapshots())
	}
}

func TestVerbsByHand(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "action.snapshot", "1h")
	h.serve(t)
	id := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--no-wait", "--json").want(t, 0).out).ID
	show := func() wireSaga { return exactly[wireSaga](t, h.run(t, "saga", "show", id, "--json").want(t, 0).out) }
	eventually(t, "the saga waits for its action", func() bool { return show().Wait != nil })

	if got := exactly[wireSaga](t, h.run(t, "saga", "pause", id, "--reason", "lunch", "--json").want(t, 0).out); got.Want != "pause" {
		t.Errorf("pause leaves want %s", got.Want)
	}
	eventually(t, "the saga is paused", func() bool { return show().State == "paused" })
	if r := h.run(t, "saga", "start", id).want(t, 1); !strings.Contains(r.err, "only a created saga") {
		t.Errorf("start of a paused saga: %s", r.err)
	}
	h.run(t, "saga", "resume", id).want(t, 0)
	eventually(t, "the saga goes on", func() bool { return show().State != "paused" })
	h.run(t, "saga", "cancel", id, "--reason", "not needed").want(t, 0)
	eventually(t, "the saga turns back", func() bool { return show().Direction == "undo" })
	// The action never ends: a person takes the step on themselves.
	eventually(t, "skip finds it at rest", func() bool { return h.run(t, "saga", "skip", id, "--step", "create_droplet_snapshot").code == 0 })
	eventually(t, "the saga has ended", func() bool { return show().State == "rolled_back" })
	if text := h.run(t, "saga", "show", id, "--events").want(t, 0).out; !strings.Contains(text, "lunch") || !strings.Contains(text, "not needed") {
		t.Errorf("the events do not keep the reasons:\n%s", text)
	}
}
