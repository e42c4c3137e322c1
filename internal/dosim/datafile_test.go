package dosim_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// killed copies what a process that is killed now would leave on the disk.
func killed(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, b)
}

func written(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reopened is the cloud that a file holds.
func reopened(t testing.TB, path string) *dosim.Sim {
	t.Helper()
	s, err := dosim.Open(dosim.Options{Data: path, Seed: 77, Clock: dosim.NewClock(dosim.Stepped)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// kept is what of a state a data file keeps: all but the counters of requests
// and the rate limits' windows.
func kept(t testing.TB, s *dosim.Sim) object {
	t.Helper()
	o := decoded(t, s.Export())
	for _, k := range []string{"quotas", "requests", "unknown_paths"} {
		delete(o, k)
	}
	return o
}

func TestACloudSurvivesBeingKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cloud.jsonl")
		s := pipe(t, dosim.Options{Data: path, Seed: 5, Clock: dosim.NewClock(dosim.Stepped), Preset: "calm"})
		d := seeded(s)
		if err := s.RevokeToken(s.CreateToken(dosim.TokenSpec{Account: "other", Scopes: []string{"droplet:read"}})); err != nil {
			t.Fatal(err)
		}
		s.Mark()
		s.AddFault(dosim.Fault{Kind: dosim.ServerErrorAfter, Times: 2, Match: dosim.Match{Method: "POST"}})
		gone := s.AddFault(dosim.Fault{Kind: dosim.Hang, Match: dosim.Match{Method: "PUT"}})
		s.AddFault(dosim.Fault{Kind: dosim.ResetCommitLate, Delay: "1h", Times: 1, Match: dosim.Match{Method: "DELETE"}})
		wantStatus(t, "the struck POST", do(t, s, "POST", d+"/actions", object{"type": "snapshot"}), 503)
		if e := do(t, s, "DELETE", d, nil); e.Err == nil {
			t.Errorf("DELETE answered %d, want a reset", e.Status)
		}
		if err := s.DeleteFault(gone); err != nil {
			t.Fatal(err)
		}
		ok(t, s, "POST", "/clock/advance", `{"seconds":90}`)
		ok(t, s, "PUT", "/params", `{"lag.tag":"11s"}`)

		after := reopened(t, killed(t, path))
		if diff := cmp.Diff(kept(t, s.Sim), kept(t, after)); diff != "" {
			t.Errorf("what was reopened differs (-want +got):\n%s", diff)
		}
		// It goes on: the late request still comes.
		after.Clock().Advance(time.Hour)
		if n := len(after.Truth("droplet")); n != 0 {
			t.Errorf("%d droplets after the late DELETE, want none", n)
		}
	})
}

// Whatever the last write got to the disk, whole lines count and no more.
func TestATornLineIsDropped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.jsonl")
	s := start(t, dosim.Options{Data: path, Clock: dosim.NewClock(dosim.Stepped), Params: calm()})
	d := seeded(s)
	before := reopened(t, killed(t, path))
	wantStatus(t, "snapshot", do(t, s, "POST", d+"/actions", object{"type": "snapshot"}), 201)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for _, end := range []int{last, last + 1, (last + len(whole)) / 2, len(whole) - 1} {
		torn := reopened(t, written(t, whole[:end]))
		if diff := cmp.Diff(kept(t, before), kept(t, torn)); diff != "" {
			t.Errorf("cut at %d of %d (-want +got):\n%s", end, len(whole), diff)
		}
	}
	if diff := cmp.Diff(kept(t, s.Sim), kept(t, reopened(t, written(t, whole)))); diff != "" {
		t.Errorf("uncut (-want +got):\n%s", diff)
	}
}

func TestAClockRunsOnWhileNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cloud.jsonl")
		open := func() *dosim.Sim {
			s, err := dosim.Open(dosim.Options{Data: path})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		s.Clock().Advance(time.Hour)
		if err := s.Clock().SetSpeed(20); err != nil {
			t.Fatal(err)
		}
		s.Mark()
		at := s.Clock().Now()
		s.Close()
		time.Sleep(time.Minute)
		s = open()
		defer s.Close()
		if got := s.Clock().Now().Sub(at); got != 20*time.Minute {
			t.Errorf("%s passed at ×20 in a minute without a process, want 20m", got)
		}
	})
}

func TestDataFilesThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.jsonl")
	s, err := dosim.Open(dosim.Options{Data: path, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.SeedDroplet(dosim.SeedDroplet{})
	if _, err := dosim.Open(dosim.Options{Data: path}); !errors.Is(err, fault.Conflict) {
		t.Errorf("a file in use: %v, want a conflict", err)
	}
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"another file, one line": "shopping list", "another file": "eggs\nbread\n",
		"a damaged line":   strings.Replace(string(good), `"events"`, `"event`, 1),
		"another version":  strings.Replace(string(good), `"version":`, `"version":9`, 1),
		"impossible event": strings.Replace(string(good), `"nyc3"`, `"moon"`, 1),
	} {
		bad := written(t, []byte(content))
		if _, err := dosim.Open(dosim.Options{Data: bad}); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v, want unprocessable", name, err)
		}
		if after, err := os.ReadFile(bad); err != nil || string(after) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := dosim.Open(dosim.Options{Data: filepath.Join(t.TempDir(), "no", "such", "dir")}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a directory that is not there: %v, want unavailable", err)
	}
	for _, o := range []dosim.Options{{Preset: "mild"}, {Params: map[string]string{"no": "1s"}}} {
		o.Data = path
		if _, err := dosim.Open(o); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("%+v: %v, want unprocessable", o, err)
		}
	}
	reopened(t, path) // nobody holds it
}

// A cloud that cannot keep what happens says so, and tells nobody that it has
// happened.
func TestAFullDiskRefusesEverything(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	path := filepath.Join(t.TempDir(), "cloud.jsonl")
	s := start(t, dosim.Options{Data: path, Params: calm()})
	d := seeded(s)
	s.FillDisk(t)
	wantStatus(t, "power_off", do(t, s, "POST", d+"/actions", object{"type": "power_off"}), 500)
	wantStatus(t, "a read after it", do(t, s, "GET", d, nil), 500)
	if e := admin(t, s, "PUT", "/params", `{"lag.tag":"1s"}`); e.Status != 503 {
		t.Errorf("PUT /params = %d, want 503", e.Status)
	}
	if n := len(reopened(t, killed(t, path)).Truth("action")); n != 1 {
		t.Errorf("%d actions were kept, want the first alone", n)
	}
}

func TestImportIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.jsonl")
	other := start(t, dosim.Options{Seed: 9, Clock: dosim.NewClock(dosim.Stepped), Params: calm()})
	snapshotAction(t, other, seeded(other))
	s := start(t, dosim.Options{Data: path, Clock: dosim.NewClock(dosim.Stepped)})
	seeded(s)
	if err := s.Import(other.Export()); err != nil {
		t.Fatal(err)
	}
	d := seeded(s)
	after := reopened(t, killed(t, path))
	if diff := cmp.Diff(kept(t, s.Sim), kept(t, after)); diff != "" {
		t.Errorf("what was reopened differs (-want +got):\n%s", diff)
	}
	if n := len(after.Truth("droplet")); n != 2 || !strings.HasSuffix(d, after.Truth("droplet")[1].ID) {
		t.Errorf("%d droplets, want the imported one and %s", n, d)
	}
}

func TestPresets(t *testing.T) {
	for _, p := range dosim.Presets() {
		s := start(t, dosim.Options{Preset: p.Name})
		if got := len(s.Faults()); got != len(p.Faults) {
			t.Errorf("%s arms %d faults, want %d", p.Name, got, len(p.Faults))
		}
		values := s.ParamValues()
		for name, want := range p.Params {
			if values[name] != want {
				t.Errorf("%s: %s = %s, want %s", p.Name, name, values[name], want)
			}
		}
	}
	s := start(t, dosim.Options{Preset: "hostile", Params: map[string]string{"lag.tag": "7s"}})
	if got := s.ParamValues()["lag.tag"]; got != "7s" {
		t.Errorf("lag.tag = %s, want the option's 7s over the preset", got)
	}
	own := s.AddFault(dosim.Fault{Kind: dosim.Slow, Delay: "0s", Preset: "hostile"})
	if got := ok(t, s, "PUT", "/preset", `{"name":"calm"}`)["name"]; got != "calm" {
		t.Errorf("preset = %v, want calm", got)
	}
	if left := s.Faults(); len(left) != 1 || left[0].ID != own {
		t.Errorf("faults after calm = %v, want the one that no preset armed", left)
	}
	if got := s.ParamValues()["lag.tag"]; got != "0s" || s.Preset() != "calm" {
		t.Errorf("lag.tag = %s under %s, want calm's 0s", got, s.Preset())
	}
	if all := list(admin(t, s, "GET", "/presets", nil), "items"); len(all) != 4 || keys(all[0]) != "about,faults,name,params" {
		t.Errorf("presets = %v", all)
	}
	if e := admin(t, s, "PUT", "/preset", `{"name":"mild"}`); e.Status != 422 || !strings.Contains(at(e.Body, "detail").(string), "stormy") {
		t.Errorf("an unknown preset: %d %v", e.Status, e.Body)
	}
}

// Support finds a request by its id: none is given twice, however often a cloud is
// opened again, and by whom it was left.
func TestRequestIDsDoNotComeAgain(t *testing.T) {
	o := dosim.Options{Data: filepath.Join(t.TempDir(), "cloud.jsonl"), Clock: dosim.NewClock(dosim.Stepped), Params: map[string]string{
		"ratelimit.hourly": "1000000", "ratelimit.burst": "1000000",
	}}
	seen, last := map[string]bool{}, int64(0)
	for run := range 3 {
		s, err := dosim.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 1100 {
			id := ask(s.API(), "GET", "/v2/account", nil).Header().Get("X-Request-Id")
			if id == "" || seen[id] {
				t.Fatalf("run %d answers with the id %q again", run+1, id)
			}
			seen[id] = true
		}
		all := s.Requests(last)
		if len(all) != 1100 {
			t.Errorf("run %d has %d requests after those of the one before, want 1100", run+1, len(all))
		}
		last = all[len(all)-1].Seq
		s.Close()
	}
}
