package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A demonstration is `arcadia demo` in a process of its own.
type demonstration struct {
	*server
	wireDemo
}

type wireDemo struct {
	URL           string `json:"url"`
	CloudURL      string `json:"cloud_url"`
	CloudAdminURL string `json:"cloud_admin_url"`
	DataDir       string `json:"data_dir"`
	PID           int    `json:"pid"`
	New           bool   `json:"new"`
	Unfinished    int    `json:"unfinished"`
}

// demo starts the demonstration with a clock so fast that a snapshot takes a second.
func (h *house) demo(t *testing.T, args ...string) *demonstration {
	t.Helper()
	s := h.start(t, append([]string{"demo", "--json", "--addr", "127.0.0.1:0", "--speed", "60"}, args...)...)
	return &demonstration{s, exactly[wireDemo](t, string(s.said))}
}

// visitor is the house of somebody who has just come: nothing is set up in it.
func visitor(t *testing.T) *house {
	t.Helper()
	return &house{env: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}}
}

// kill ends the process without mercy.
func (d *demonstration) kill(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.ended
}

// interrupt is Ctrl-C, and answers how long the end took.
func (d *demonstration) interrupt(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-d.ended
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("Ctrl-C ended it with %d\n%s", code, d.logs)
	}
	return time.Since(began)
}

// ask decodes what a URL answers.
func ask[T any](t *testing.T, url string) (v T) {
	t.Helper()
	res, err := browser.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s, %v", url, res.Status, err)
	}
	return v
}

type listOf[T any] struct {
	Items []T `json:"items"`
}

// sagas are those about one droplet: stacks have theirs, and a test of their own.
func (d *demonstration) sagas(t *testing.T) []wireSaga {
	t.Helper()
	return slices.DeleteFunc(ask[listOf[wireSaga]](t, d.URL+"/v1/sagas?limit=200").Items, func(s wireSaga) bool { return strings.HasSuffix(s.Kind, "_stack") })
}

// really counts the cloud's snapshots by name, without any lag.
func (d *demonstration) really(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, s := range ask[listOf[struct{ Name string }]](t, d.CloudAdminURL+"/truth?kind=snapshot").Items {
		n[s.Name]++
	}
	return n
}

// audit asks that every saga has ended, and that the cloud has exactly the
// snapshots of those that completed.
func (d *demonstration) audit(t *testing.T, sagas []wireSaga) {
	t.Helper()
	there := d.really(t)
	for _, s := range sagas {
		want := map[string]int{"completed": 1, "rolled_back": 0}[s.State]
		if name, _ := s.Data["snapshot_name"].(string); there[name] != want || s.State == "stuck" {
			t.Errorf("saga %s is %s with %d snapshots named %q, want %d", s.ID, s.State, there[name], name, want)
		}
	}
}

func ended(sagas []wireSaga) bool {
	for _, s := range sagas {
		if s.FinishedAt == nil {
			return false
		}
	}
	return true
}

type wireDroplet struct {
	ID, Name, Region, Size string
	Tags                   []string
	CreatedAt              time.Time `json:"created_at"`
}

func (d *demonstration) droplets(t *testing.T) []wireDroplet {
	t.Helper()
	return slices.DeleteFunc(ask[listOf[wireDroplet]](t, d.URL+"/v1/droplets").Items, func(droplet wireDroplet) bool {
		return slices.ContainsFunc(droplet.Tags, func(tag string) bool { return strings.HasPrefix(tag, "arcadia:stack:") }) // made by now
	})
}

func TestDemoIsAliveAndGoesOn(t *testing.T) {
	t.Parallel()
	h := visitor(t)
	d := h.demo(t)
	if !d.New || d.Unfinished != 0 || d.PID != d.cmd.Process.Pid {
		t.Errorf("the first start says %+v", d.wireDemo)
	}
	regions, tenants, gpus, untagged := map[string]bool{}, map[string]bool{}, 0, 0
	droplets := d.droplets(t)
	for _, droplet := range droplets {
		if age := time.Since(droplet.CreatedAt); age < 24*time.Hour || age > 3*365*24*time.Hour {
			t.Errorf("droplet %s is %s old; want a fleet that has grown", droplet.Name, age)
		}
		regions[droplet.Region] = true
		if strings.HasPrefix(droplet.Size, "gpu-") {
			gpus++
		}
		if len(droplet.Tags) == 0 {
			untagged++
		}
		for _, tag := range droplet.Tags {
			if slug, ok := strings.CutPrefix(tag, "tenant:"); ok {
				tenants[slug] = true
			}
		}
	}
	if len(droplets) != 60 || len(regions) != 4 || len(tenants) != 12 || gpus == 0 || untagged == 0 {
		t.Errorf("%d droplets in %d regions for %d tenants, %d with GPUs, %d untagged; want 60, 4, 12, some, some",
			len(droplets), len(regions), len(tenants), gpus, untagged)
	}
	var before []wireSaga
	eventually(t, "the first sagas have ended", func() bool {
		before = d.sagas(t)
		return len(before) >= 4 && ended(before)
	})
	d.audit(t, before)
	for _, s := range before {
		if name, _ := s.Data["droplet_name"].(string); name == "old-wordpress" || name == "metrics" {
			t.Errorf("saga %s is of droplet %s, which is left to the visitor", s.ID, name)
		}
	}
	states, busiest, subjects := map[string]int{}, 0, map[string]int{}
	for _, s := range before {
		states[s.State]++
		subjects[s.Subjects[0]]++
		busiest = max(busiest, subjects[s.Subjects[0]])
	}
	if states["completed"] < 3 || states["rolled_back"] < 1 || busiest < 2 {
		t.Errorf("by themselves sagas ended %v, at most %d of one droplet; want some of both, and a queue", states, busiest)
	}

	other := h.run(t, "demo", "--addr", "127.0.0.1:0").want(t, 1)
	if !strings.Contains(other.err, "runs already, at "+d.URL) {
		t.Errorf("a second demonstration in the same place says %q", other.err)
	}
	if took := d.interrupt(t); took > 3*time.Second {
		t.Errorf("Ctrl-C took %s", took)
	}
	refused := h.run(t, "saga", "list", "--data-dir", d.DataDir).want(t, 1)
	if !strings.Contains(refused.err, "arcadia demo") {
		t.Errorf("a command that opens the demonstration's directory says %q", refused.err)
	}

	again := h.demo(t)
	if again.New {
		t.Error("the second start says that it began from nothing")
	}
	known := map[string]bool{}
	for _, s := range again.sagas(t) {
		known[s.ID] = true
	}
	for _, s := range before {
		if !known[s.ID] {
			t.Errorf("saga %s is forgotten", s.ID)
		}
	}
	again.audit(t, before)
	entries, err := os.ReadDir(filepath.Dir(d.DataDir))
	if err != nil || len(entries) != 1 || entries[0].Name() != "demo" {
		t.Errorf("beside the demonstration's directory there is %v, %v", entries, err)
	}
}

// Killed in the middle of snapshots, the demonstration finishes each of them after
// its next start, with exactly one snapshot.
func TestDemoKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	h := visitor(t)
	var asked []string
	requested := func(d *demonstration) (n int) {
		for _, a := range ask[listOf[struct{ Name string }]](t, d.CloudAdminURL+"/truth?kind=action").Items {
			if a.Name == "snapshot" {
				n++
			}
		}
		return n
	}
	for _, enough := range []func(d *demonstration, actions, snapshots int) bool{
		func(*demonstration, int, int) bool { return true }, // before the requests, or among them
		func(d *demonstration, actions, _ int) bool { return requested(d) >= actions+6 },
		func(d *demonstration, _, snapshots int) bool { return len(d.really(t)) > snapshots+3 },
	} {
		d := h.demo(t)
		actions, snapshots := requested(d), len(d.really(t))
		for _, droplet := range d.droplets(t)[len(asked)*2 : len(asked)*2+6] {
			res, err := browser.Post(d.URL+"/v1/droplets/"+droplet.ID+"/snapshot", "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			var s wireSaga
			if err := json.NewDecoder(res.Body).Decode(&s); err != nil || res.StatusCode != http.StatusAccepted {
				t.Fatalf("a snapshot of %s: %s, %v", droplet.Name, res.Status, err)
			}
			res.Body.Close()
			asked = append(asked, s.ID)
		}
		eventually(t, "it is time to kill", func() bool { return enough(d, actions, snapshots) })
		d.kill(t)
	}
	d := h.demo(t)
	if d.Unfinished == 0 {
		t.Error("nothing was under way when it was killed: the test shows nothing")
	}
	var all []wireSaga
	eventually(t, "every saga has ended", func() bool { all = d.sagas(t); return ended(all) })
	d.audit(t, all)
	state := map[string]string{}
	for _, s := range all {
		state[s.ID] = s.State
	}
	for _, id := range asked {
		if state[id] != "completed" {
			t.Errorf("saga %s is %q, want completed", id, state[id])
		}
	}
}

// The demonstration's tenants get stacks: of sky-ai, whose droplet asks for its secret,
// calls back and answers at its name, and of minimal, which is restored from a backup. A
// second start does not do again what was done.
func TestDemoMakesStacks(t *testing.T) {
	t.Parallel()
	h := visitor(t)
	d := h.demo(t)
	verbs := func(d *demonstration) map[string]int {
		done := map[string]int{}
		for _, s := range ask[listOf[wireSaga]](t, d.URL+"/v1/sagas?limit=200&state=completed").Items {
			done[s.Kind]++
		}
		return done
	}
	active := map[string]bool{}
	eventually(t, "both blueprints have a stack, and one is restored", func() bool {
		for _, s := range ask[listOf[struct{ Blueprint, State string }]](t, d.URL+"/v1/stacks").Items {
			active[s.Blueprint] = active[s.Blueprint] || s.State == "active"
		}
		return active["sky-ai@1"] && active["minimal@1"] && verbs(d)["restore_stack"] == 1
	})
	d.interrupt(t)
	d = h.demo(t)
	backups := func() int {
		return len(ask[listOf[struct{ Verb string }]](t, d.URL+"/v1/stacks/bluefin-foods%2Fbluefin-edge/backups").Items)
	}
	before := backups()
	eventually(t, "another stack is made", func() bool { return len(ask[listOf[struct{ ID string }]](t, d.URL+"/v1/stacks").Items) > 4 })
	if n := verbs(d)["restore_stack"]; n != 1 || backups() != before || before == 0 {
		t.Errorf("after a second start %d restores have ended and the restored stack has %d backups; want 1, and %d as before", n, backups(), before)
	}
}

func TestDemoFreshRemovesItsOwnAlone(t *testing.T) {
	t.Parallel()
	h := visitor(t)
	dir := filepath.Join(t.TempDir(), "try")
	d := h.demo(t, "--data-dir", dir)
	eventually(t, "there are sagas", func() bool { return len(d.sagas(t)) > 0 })
	if got := h.run(t, "demo", "--fresh", "--data-dir", dir, "--addr", "127.0.0.1:0").want(t, 1); !strings.Contains(got.err, "runs already") {
		t.Errorf("starting over where a demonstration runs says %q", got.err)
	}
	old := d.sagas(t)[0].ID
	d.kill(t)
	mine := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cloud.jsonl"), []byte("not a cloud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.run(t, "demo", "--data-dir", dir, "--addr", "127.0.0.1:0").want(t, 1); !strings.Contains(got.err, "--fresh") {
		t.Errorf("a cloud that cannot be read is told of as %q", got.err)
	}
	d = h.demo(t, "--fresh", "--data-dir", dir)
	if !d.New {
		t.Error("a start with --fresh says that it goes on")
	}
	for _, s := range d.sagas(t) {
		if s.ID == old {
			t.Errorf("saga %s is still there", old)
		}
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("a file that is not the demonstration's: %v", err)
	}

	// A directory with anything else in it is no place for a demonstration,
	// least of all that of real data.
	production := newHouse(t)
	production.run(t, "saga", "list").want(t, 0)
	before := contents(t, production.dir)
	for _, args := range [][]string{{"demo", "--fresh"}, {"demo"}} {
		got := h.run(t, append(args, "--data-dir", production.dir, "--addr", "127.0.0.1:0")...).want(t, 1)
		if after := contents(t, production.dir); after != before || !strings.Contains(got.err, production.dir) {
			t.Errorf("%v in a directory of real data says %q; there was\n%s\nand is\n%s", args, got.err, before, after)
		}
	}
}

// contents are a directory's files with their sizes.
func contents(t *testing.T, dir string) (list string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintln(e.Name(), info.Size())
	}
	return list
}

func TestDemoRefusals(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"a port in use", []string{"--addr", l.Addr().String()}, 1, l.Addr().String() + " is in use"},
		{"a public address", []string{"--addr", "0.0.0.0:4000"}, 2, "addresses of this machine"},
		{"a clock that stands", []string{"--speed", "0"}, 2, "--speed"},
		{"another server", []string{"--url", "http://127.0.0.1:1"}, 2, "--url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := visitor(t)
			got := h.run(t, append([]string{"demo"}, tt.args...)...).want(t, tt.code)
			if !strings.Contains(got.err, tt.says) || strings.Count(strings.TrimSpace(got.err), "\n") > 0 {
				t.Errorf("it says %q, want one sentence with %q", got.err, tt.says)
			}
			if entries, err := os.ReadDir(strings.TrimPrefix(h.env[0], "HOME=")); err != nil || len(entries) > 0 {
				t.Errorf("it left %v behind", entries)
			}
		})
	}
}

// TestDemoColdStart prints how long it takes from the command to the first page.
func TestDemoColdStart(t *testing.T) {
	best := time.Hour
	for range 3 {
		began := time.Now()
		d := visitor(t).demo(t)
		res, err := browser.Get(d.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the first page answers %s", res.Status)
		}
		best = min(best, time.Since(began))
		d.interrupt(t)
	}
	t.Logf("cold start of the demonstration to its first page: %.2f s", best.Seconds())
	if best > 2*time.Second {
		t.Errorf("it took %s at best, want less than 2 s", best)
	}
}
