package dosim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// ok sends an admin request that must succeed, and returns its body.
func ok(t testing.TB, s *dosimtest.Server, method, path string, body any) object {
	t.Helper()
	e := admin(t, s, method, path, body)
	if e.Err != nil || e.Status != http.StatusOK && e.Status != http.StatusNoContent {
		t.Fatalf("%s %s answered %d (%v): %v", method, path, e.Status, e.Err, e.Body)
	}
	return e.Body
}

// keys are the keys of a JSON object, sorted, with commas between.
func keys(o any) string {
	m, _ := o.(object)
	return strings.Join(slices.Sorted(maps.Keys(m)), ",")
}

// The shapes that scripts rely on.
func TestAdminShapes(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		ok(t, s, "GET", "/healthz", nil)

		if got := ok(t, s, "PUT", "/clock", `{"mode":"scaled","speed":20}`); got["mode"] != "scaled" || got["speed"] != 20.0 {
			t.Errorf("clock = %v", got)
		}
		ok(t, s, "PUT", "/clock", `{"mode":"stepped"}`)
		before := ok(t, s, "GET", "/clock", nil)
		after := ok(t, s, "POST", "/clock/advance", `{"seconds":60}`)
		if keys(before) != "mode,now,speed" || before["now"] != "2000-01-01T00:00:00Z" || after["now"] != "2000-01-01T00:01:00Z" {
			t.Errorf("clock went from %v to %v by 60 s", before, after)
		}

		ok(t, s, "PUT", "/params", `{"action.snapshot":"90s","lag.snapshot_visible":"7s"}`)
		params := ok(t, s, "GET", "/params", nil)
		if params["action.snapshot"] != "90s" || params["lag.snapshot_visible"] != "7s" || len(params) != len(dosim.Params()) {
			t.Errorf("params = %v", params)
		}

		fault := ok(t, s, "POST", "/faults", `{"match":{"method":"POST","path":"/v2/droplets/*/actions","token":"dop_v1_*","nth":1,`+
			`"probability":1,"from":"2000-01-01T00:00:00Z","to":"2030-01-01T00:00:00Z"},"kind":"5xx_after_commit","times":1}`)
		mark := ok(t, s, "POST", "/marks", nil)
		if mark["mark"] != 1.0 {
			t.Errorf("mark = %v, want 1", mark)
		}
		d := seeded(s)
		wantStatus(t, "a spoiled answer", do(t, s, "POST", d+"/actions", object{"type": "snapshot", "name": "one"}), 503)
		faults := ok(t, s, "GET", "/faults", nil)
		if f := at(faults, "items", 0); at(f, "id") != fault["id"] || at(f, "hits") != 1.0 || at(f, "kind") != "5xx_after_commit" {
			t.Errorf("faults = %v", faults)
		}

		do(t, s, "GET", "/v2/nothing", nil)
		requests := ok(t, s, "GET", "/requests?after=0&method=post&path=/v2/droplets/*/actions", nil)
		r := at(requests, "items", 0)
		if keys(requests) != "items,unknown_paths" || requests["unknown_paths"] != 1.0 || len(requests["items"].([]any)) != 1 ||
			keys(r) != "at,committed,fault,method,path,request_id,seq,status" ||
			at(r, "seq") != 1.0 || at(r, "status") != 503.0 || at(r, "committed") != true || at(r, "fault") != "5xx_after_commit" || at(r, "path") != d+"/actions" {
			t.Errorf("requests = %v", requests)
		}
		if rest := ok(t, s, "GET", "/requests?after=1", nil); at(rest, "items", 0, "fault") != nil || at(rest, "items", 0, "path") != "/v2/nothing" {
			t.Errorf("requests after the first = %v", rest)
		}

		ok(t, s, "POST", "/clock/advance", `{"seconds":90}`)
		leaks := ok(t, s, "GET", "/leaks?mark=1", nil)
		if len(leaks["items"].([]any)) != 2 || keys(at(leaks, "items", 1)) != "created_at,name,urn" || at(leaks, "items", 1, "name") != "one" ||
			!strings.HasPrefix(at(leaks, "items", 1, "urn").(string), "do:snapshot:") || at(leaks, "items", 0, "urn") != "do:droplet:"+strings.TrimPrefix(d, "/v2/droplets/") {
			t.Errorf("leaks = %v", leaks)
		}
		truth := ok(t, s, "GET", "/truth?kind=snapshot", nil)
		if len(truth["items"].([]any)) != 1 || at(truth, "items", 0, "data", "name") != "one" {
			t.Errorf("truth = %v", truth)
		}

		ok(t, s, "DELETE", "/faults/"+fault["id"].(string), nil)
		if left := ok(t, s, "GET", "/faults", nil); len(left["items"].([]any)) != 0 {
			t.Errorf("faults = %v after the delete", left)
		}
		token := ok(t, s, "POST", "/tokens", `{"account":"other","scopes":["account:read"],"expires_at":"2030-01-01T00:00:00Z"}`)["token"].(string)
		wantStatus(t, "the new token", doAs(t, s, token, "GET", "/v2/account", nil), 200)
		wantStatus(t, "the new token beyond its scopes", doAs(t, s, token, "GET", "/v2/sizes", nil), 403)
	})
}

func TestAdminRefusals(t *testing.T) {
	s := start(t)
	before := string(s.Export())
	for _, tt := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "/clock", `{"mode":"backwards"}`, 422, "real, scaled or stepped"},
		{"PUT", "/clock", `{"mode":"scaled","speed":-1}`, 422, "above 0"},
		{"PUT", "/clock", `{"mode":"scaled","speed":0}`, 422, "above 0"},
		{"POST", "/clock/advance", `{"seconds":-1}`, 422, "advances by"},
		{"POST", "/clock/advance", `{"minutes":1}`, 422, "minutes"},
		{"POST", "/clock/advance", `{"seconds":"60"}`, 422, "string stands where a number belongs at seconds"},
		{"POST", "/clock/advance", ``, 422, "it is empty"},
		{"POST", "/clock/advance", `{"seconds":`, 422, "ends too early"},
		{"PUT", "/params", `{"action.snapshot":"90s","lag.everything":"1s"}`, 422, "lag.snapshot_visible"},
		{"POST", "/tokens", `{"account":"a","scopes":[]}`, 422, "leave scopes away"},
		{"PUT", "/params", `{"action.snapshot":"soon"}`, 422, "a duration"},
		{"PUT", "/params", `{"action.snapshot":"-1s"}`, 422, "a duration"},
		{"PUT", "/params", `{"replicas":"0"}`, 422, "from 1 to 16"},
		{"PUT", "/params", `{"replicas":2}`, 422, "string"},
		{"DELETE", "/faults/fault_9", ``, 404, "fault_9"},
		{"GET", "/requests?after=x", ``, 422, "after"},
		{"GET", "/leaks?mark=1", ``, 404, "mark 1"},
		{"GET", "/leaks", ``, 422, "mark"},
		{"GET", "/truth?kind=unicorn", ``, 422, "droplet"},
		{"PUT", "/state", `{"version":1}`, 422, "version"},
		{"PUT", "/state", `{}`, 422, "version"},
		{"POST", "/tokens", `{"scopes":["droplet:fly"]}`, 422, "droplet:fly"},
		{"POST", "/tokens", `{"account":"No Such Name"}`, 422, "account"},
		{"GET", "/nothing", ``, 404, "/nothing"},
		{"PUT", "/params", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "larger"},
	} {
		e := admin(t, s, tt.method, tt.path, tt.body)
		detail, _ := e.Body["detail"].(string)
		if e.Status != tt.status || !strings.Contains(detail, tt.says) || e.Body["status"] != float64(tt.status) || e.Body["code"] == "" {
			t.Errorf("%s %s %.60s: %d %v, want %d about %q", tt.method, tt.path, tt.body, e.Status, e.Body, tt.status, tt.says)
		}
	}
	if after := string(s.Export()); withoutNow(t, after) != withoutNow(t, before) {
		t.Errorf("a refused request changed the state:\n%s\n%s", before, after)
	}
}

func decoded(t testing.TB, b []byte) (o object) {
	t.Helper()
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// withoutNow is an exported state without the instant of its export.
func withoutNow(t testing.TB, state string) string {
	t.Helper()
	o := decoded(t, []byte(state))
	delete(o["clock"].(object), "now")
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStateMovesToAnotherSim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipe(t, dosim.Options{Seed: 11, Clock: dosim.NewClock(dosim.Stepped), Params: map[string]string{"action.snapshot": "120s", "replicas": "3"}})
		d := seeded(s)
		token := s.CreateToken(dosim.TokenSpec{Scopes: []string{"droplet:read"}})
		s.Mark()
		s.AddFault(dosim.Fault{Kind: dosim.ServerErrorAfter, Match: dosim.Match{Nth: 2, Method: "POST"}})
		s.AddFault(dosim.Fault{Kind: dosim.ResetCommitLate, Delay: "1h", Times: 1, Match: dosim.Match{Path: "/v2/droplets", Method: "POST"}})
		do(t, s, "POST", "/v2/droplets", object{"name": "late", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
		snapshotAction(t, s, d)
		s.Clock().Advance(3 * time.Minute)
		shot := "/v2/snapshots/" + s.Truth("snapshot")[0].ID
		do(t, s, "GET", "/v2/unknown", nil)
		wantStatus(t, "DELETE snapshot", do(t, s, "DELETE", shot, nil), 204)
		state := ok(t, s, "GET", "/state", nil)

		other := pipe(t, dosim.Options{Seed: 99})
		seeded(other)
		ok(t, other, "PUT", "/state", state)
		if diff := cmp.Diff(decoded(t, s.Export()), decoded(t, other.Export())); diff != "" {
			t.Errorf("state differs after import (-want +got):\n%s", diff)
		}
		// Both go on alike.
		for _, sim := range []*dosimtest.Server{s, other} {
			wantStatus(t, "deleted snapshot", do(t, sim, "GET", shot, nil), 404)
			wantStatus(t, "token's scope", doAs(t, sim, token, "GET", "/v2/account", nil), 403)
			wantStatus(t, "the second POST that is served", do(t, sim, "POST", d+"/actions", object{"type": "power_off"}), 503)
			sim.Clock().Advance(time.Hour)
			if leaks := sim.Leaks(1); len(leaks) != 1 || leaks[0].Name != "late" {
				t.Errorf("leaks = %v, want the droplet that was committed late", leaks)
			}
		}
		a, b := s.Truth(""), other.Truth("")
		if diff := cmp.Diff(fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b)); diff != "" {
			t.Errorf("truth differs afterwards (-want +got):\n%s", diff)
		}
	})
}

func TestImpossibleStatesAreRefused(t *testing.T) {
	s := start(t, dosim.Options{Clock: dosim.NewClock(dosim.Stepped), Params: calm()})
	d := seeded(s)
	snapshotAction(t, s, d)
	s.Mark()
	good := string(s.Export())
	for _, tt := range []struct{ name, old, new string }{
		{"another order", `"seq":2,`, `"seq":3,`},
		{"unknown type", `"type":"droplet_created"`, `"type":"droplet_stolen"`},
		{"unknown region", `"region":"nyc3"`, `"region":"moon"`},
		{"unknown key", `"min_disk_size"`, `"max_disk_size"`},
		{"unknown droplet", `"droplet":"4`, `"droplet":"5`},
		{"unknown image", `"image":"195932981"`, `"image":"195932982"`},
		{"id of the past", `"id":"` + strings.TrimPrefix(d, "/v2/droplets/") + `",`, `"id":"1",`},
		{"no thing", `"type":"droplet_created","data":`, `"type":"droplet_created","data":null,"x":`},
		{"unknown duty", `"marks":[`, `"events":[{"seq":1,"at":"2026-01-01T00:00:00Z","type":"duty_appointed","data":{"duty":"rob"}}],"marks":[`},
		{"mark beyond the log", `"marks":[`, `"marks":[99,`},
		{"requests to come", `"quotas":[`, `"quotas":[{"token":"x","requests":["9000-01-01T00:00:00Z"]},`},
		{"clock beyond time", `"now":"2`, `"now":"0`},
		{"unknown param", `"params":{`, `"params":{"x":"1s",`},
	} {
		bad := strings.Replace(good, tt.old, tt.new, 1)
		if bad == good {
			t.Errorf("%s: the state does not hold %s", tt.name, tt.old)
			continue
		}
		if err := s.Import([]byte(bad)); err == nil {
			t.Errorf("%s: the state was taken", tt.name)
		}
	}
	if after := string(s.Export()); after != good {
		t.Error("a refused state changed something")
	}
	if err := s.Import([]byte(good)); err != nil {
		t.Errorf("the unchanged state was refused: %v", err)
	}
}

func TestClockModes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passed := func(c *dosim.Clock, during func()) time.Duration {
			before := c.Now()
			during()
			return c.Now().Sub(before)
		}
		sleep := func() { time.Sleep(10 * time.Second) }

		c := dosim.NewClock(dosim.Real)
		if got := passed(c, sleep); got != 10*time.Second {
			t.Errorf("real clock: %s passed in 10s", got)
		}
		if err := c.SetSpeed(60); err != nil {
			t.Fatal(err)
		}
		if got := passed(c, sleep); got != 10*time.Minute {
			t.Errorf("clock at ×60: %s passed in 10s", got)
		}
		if err := c.SetMode(dosim.Stepped, 0); err != nil {
			t.Fatal(err)
		}
		if got := passed(c, sleep); got != 0 {
			t.Errorf("stepped clock: %s passed in 10s", got)
		}
		if got := passed(c, func() { c.Advance(time.Hour); c.Advance(-time.Hour) }); got != time.Hour {
			t.Errorf("stepped clock: %s passed by an advance of an hour", got)
		}
		if got := passed(c, func() { c.Set(c.Now().Add(-time.Second)) }); got != 0 {
			t.Errorf("the clock went back by %s", -got)
		}
		if err := c.SetMode(dosim.Real, 0); err != nil {
			t.Fatal(err)
		}
		if got := passed(c, sleep); got != 10*time.Second {
			t.Errorf("real clock again: %s passed in 10s", got)
		}
	})
}

// A slow answer under a stepped clock waits for whoever advances it.
func TestSlowAnswersFollowTheSteppedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipe(t, dosim.Options{Clock: dosim.NewClock(dosim.Stepped)})
		s.AddFault(dosim.Fault{Kind: dosim.Slow, Delay: "1m"})
		done := make(chan exchange)
		go func() { done <- do(t, s, "GET", "/v2/account", nil) }()
		synctest.Wait()
		s.Clock().Advance(59 * time.Second)
		synctest.Wait()
		select {
		case <-done:
			t.Error("answered a second early")
		default:
		}
		s.Clock().Advance(time.Second)
		wantStatus(t, "slow answer", <-done, 200)
	})
}

func TestJournalTellsWhatWasCommitted(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		for _, tt := range []struct {
			method, path string
			body         any
			want         bool
		}{
			{"GET", d, nil, false},
			{"POST", d + "/actions", object{"type": "power_off"}, true},
			{"POST", d + "/actions", object{"type": "power_off"}, false}, // an event is pending
			{"DELETE", "/v2/snapshots/1", nil, false},
		} {
			do(t, s, tt.method, tt.path, tt.body)
			requests := s.Requests(0)
			if r := requests[len(requests)-1]; r.Committed != tt.want || r.Method != tt.method || r.Path != tt.path {
				t.Errorf("%s %s: journal says %+v, want committed %v", tt.method, tt.path, r, tt.want)
			}
		}
	})
}

func TestTruthIsInTheOrderOfCreation(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		snapshotAction(t, s, seeded(s))
		seeded(s)
		time.Sleep(61 * time.Second)
		var kinds []string
		for _, i := range s.Truth("") {
			kinds = append(kinds, i.Kind)
		}
		if got, want := strings.Join(kinds, " "), "project vpc droplet action action snapshot droplet action"; got != want {
			t.Errorf("truth = %s, want %s", got, want)
		}
	})
}

// Nothing moves in the background: a year passes while nobody looks.
func TestAYearPassesInABubble(t *testing.T) {
	inBubble(t, dosim.Options{Params: map[string]string{"action.snapshot": "8760h"}}, func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		id := idOf(snapshotAction(t, s, d), "action", "id")
		for _, want := range []string{"in-progress", "completed"} {
			time.Sleep(8760*time.Hour - time.Second)
			if got := at(do(t, s, "GET", "/v2/actions/"+id, nil).Body, "action", "status"); got != want {
				t.Errorf("status = %v, want %s", got, want)
			}
		}
	})
}

func TestManyClientsAtOnce(t *testing.T) {
	s := start(t, dosim.Options{Params: map[string]string{"ratelimit.burst": "100000", "ratelimit.hourly": "100000", "replicas": "3"}})
	var all sync.WaitGroup
	const clients, rounds = 8, 10
	for n := range clients {
		all.Go(func() {
			d := seeded(s)
			for i := range rounds {
				do(t, s, "POST", d+"/actions", object{"type": "snapshot", "name": fmt.Sprint(n, i)})
				do(t, s, "GET", "/v2/droplets?per_page=200", nil)
				do(t, s, "GET", "/v2/actions", nil)
				admin(t, s, "GET", "/truth", nil)
				admin(t, s, "GET", "/state", nil)
				s.Clock().Advance(time.Minute)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, i := range s.Truth("") {
		if seen[i.URN] {
			t.Errorf("%s is there twice", i.URN)
		}
		seen[i.URN] = true
	}
	if n := len(s.Truth("droplet")); n != clients {
		t.Errorf("%d droplets, want %d", n, clients)
	}
}

func TestSeedsDecideEverything(t *testing.T) {
	run := func(seed uint64) (text string) {
		synctest.Test(t, func(t *testing.T) {
			s := pipe(t, dosim.Options{Seed: seed, Params: map[string]string{"replicas": "4"}})
			d := seeded(s)
			snapshotAction(t, s, d)
			for range 80 {
				time.Sleep(time.Second)
				e := do(t, s, "GET", d+"/snapshots", nil)
				text += fmt.Sprintln(e.Status, e.Body, e.Header.Get("X-Request-Id"))
			}
		})
		return text
	}
	first := run(1)
	if run(1) != first {
		t.Error("one seed gave two behaviours")
	}
	if run(2) == first {
		t.Error("two seeds gave one behaviour")
	}
}
