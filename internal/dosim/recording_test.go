package dosim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// What came over a cloud on a hostile day comes to the same when it comes again:
// the same log, the same faults, the same answers to the same requests.
func TestARecordingLeadsToTheSameCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipe(t, dosim.Options{Seed: 12, Preset: "hostile"})
		s.Client.Transport = s.Client.Transport.(*checkingTransport).base // most answers are spoiled
		s.Client.Timeout = 30 * time.Second
		seeded(s)
		s.Record()
		for n := range 4 {
			s.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprint("seeded-", n), Tags: []string{"web"}})
		}
		gone := s.AddFault(dosim.Fault{Kind: dosim.CreateVanishes, Match: dosim.Match{Method: "POST", Probability: 0.5}})
		s.AddFault(dosim.Fault{Kind: dosim.Slow, Delay: "7s", Match: dosim.Match{Method: "POST", Probability: 0.4}})
		owner := s.CreateToken(dosim.TokenSpec{Account: "other"})
		for n := range 60 {
			switch n {
			case 20:
				if err := s.SetParams(map[string]string{"droplet.create": "90s", "replicas.sticky": "1"}); err != nil {
					t.Fatal(err)
				}
			case 40:
				if err := s.DeleteFault(gone); err != nil {
					t.Fatal(err)
				}
				if err := s.SetPreset("stormy"); err != nil {
					t.Fatal(err)
				}
				s.Mark()
			}
			done := make(chan exchange)
			go func() { // beside the other, slow ones overtaken
				done <- do(t, s, "POST", "/v2/droplets", object{
					"name": fmt.Sprint("made-", n), "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": []string{"web"},
				})
			}()
			for _, d := range list(doAs(t, s, owner, "GET", "/v2/droplets?per_page=5", nil), "droplets") {
				doAs(t, s, owner, "POST", fmt.Sprintf("/v2/droplets/%.0f/actions", at(d, "id")), object{"type": "snapshot", "name": "s"})
			}
			doAs(t, s, owner, "POST", "/v2/droplets", object{"name": "theirs", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
			for _, d := range list(do(t, s, "GET", "/v2/droplets?tag_name=web&per_page=3", nil), "droplets") {
				if n%5 == 4 {
					do(t, s, "DELETE", fmt.Sprintf("/v2/droplets/%.0f", at(d, "id")), nil)
				}
			}
			<-done
			time.Sleep(20 * time.Second)
		}
		recorded, err := s.Recording()
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(recorded)
		if err != nil {
			t.Fatal(err)
		}
		var read dosim.Recording
		if err := json.Unmarshal(b, &read); err != nil {
			t.Fatal(err)
		}
		again, err := dosim.Replay(read)
		if err != nil {
			t.Fatal(err)
		}
		again.Clock().Set(s.Clock().Now())
		want, got := decoded(t, s.Export()), decoded(t, again.Export())
		delete(want, "clock")
		delete(got, "clock")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the replayed cloud differs (-want +got):\n%.4000s", diff)
		}
		first := s.Requests(0)[0].Seq
		if diff := cmp.Diff(s.Requests(first), again.Requests(first)); diff != "" {
			t.Errorf("the replayed answers differ (-want +got):\n%.4000s", diff)
		}
		if struck := fmt.Sprint(s.Faults()); len(s.Truth("droplet")) < 5 || struck != fmt.Sprint(again.Faults()) {
			t.Errorf("too little happened to compare: %d droplets, faults %s", len(s.Truth("droplet")), struck)
		}

		read.Inputs = read.Inputs[1:]
		other, err := dosim.Replay(read)
		if fault.KindOf(err) != fault.Unprocessable && string(other.Export()) == string(again.Export()) {
			t.Error("a recording that lacks its first input leads to the same cloud")
		}
	})
}

// replayed records what do makes of a cloud, and makes another of that.
func replayed(t *testing.T, s *dosimtest.Server, do func()) *dosim.Sim {
	t.Helper()
	s.Record()
	do()
	recorded, err := s.Recording()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(recorded)
	if err != nil {
		t.Fatal(err)
	}
	var read dosim.Recording
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	again, err := dosim.Replay(read)
	if err != nil {
		t.Fatal(err)
	}
	again.Clock().Set(s.Clock().Now())
	return again
}

// Over the admin port too a replay leads to the same journal, and to who may come in.
func TestAReplayOverTheAdminPortTakesTheJournalAlong(t *testing.T) {
	s := start(t, dosim.Options{Clock: dosim.NewClock(dosim.Stepped), Params: calm(), KnownTokensOnly: true})
	s.Record()
	token := s.CreateToken(dosim.TokenSpec{})
	doAs(t, s, token, "POST", seeded(s)+"/actions", object{"type": "snapshot"})
	doAs(t, s, token, "GET", "/v2/droplets", nil)
	recorded := ok(t, s, "GET", "/recording", nil)

	other := start(t)
	do(t, other, "GET", "/v2/account", nil)
	ok(t, other, "POST", "/replay", recorded)
	if diff := cmp.Diff(s.Requests(0), other.Requests(0)); diff != "" {
		t.Errorf("the replayed journal differs (-want +got):\n%s", diff)
	}
	wantStatus(t, "a token that nobody made", doAs(t, other, "dop_v1_stranger", "GET", "/v2/account", nil), 401)
}

// What a request's headers ask for is asked for again, also where a fault had it
// take effect later.
func TestARecordingKeepsHeaders(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		first, second := seeded(s), seeded(s)
		again := replayed(t, s, func() {
			if got := dangerous(t, s, first); got != 202 {
				t.Fatalf("it answered %d", got)
			}
			s.AddFault(dosim.Fault{Kind: dosim.ResetCommitLate, Delay: "30s", Times: 1})
			late, err := http.NewRequestWithContext(t.Context(), "DELETE", s.URL+second+"/destroy_with_associated_resources/dangerous", nil)
			if err != nil {
				t.Fatal(err)
			}
			late.Header = http.Header{"Authorization": {"Bearer " + s.Token}, "X-Dangerous": {"true"}}
			if resp, err := s.Client.Do(late); err == nil {
				resp.Body.Close()
				t.Fatalf("it answered %d under a fault that resets it", resp.StatusCode)
			}
			time.Sleep(time.Minute)
		})
		if here, there := len(s.Truth("droplet")), len(again.Truth("droplet")); here != 0 || there != 0 {
			t.Errorf("%d droplets are left here and %d in the replayed cloud, want none", here, there)
		}
	})
}

func TestARecordingKeepsWhatConcernsBills(t *testing.T) {
	s := billed(t, nil)
	s.SeedDroplet(dosim.SeedDroplet{Name: "web"})
	again := replayed(t, s, func() {
		s.Clock().Advance(24 * time.Hour)
		for path, body := range map[string]string{
			"/billing/credits":   `{"amount":"25","description":"Sorry"}`,
			"/billing/transfers": `{"gib":5000}`,
			"/billing/prices":    `{"sku":"s-1vcpu-1gb","monthly":"6.72"}`,
		} {
			wantStatus(t, path, admin(t, s, "POST", path, body), 204)
		}
		s.Clock().Advance(40 * 24 * time.Hour)
	})
	here := do(t, s, "GET", "/v2/customers/my/invoices?per_page=200", nil)
	total := func(api http.Handler) (all []string) {
		for _, path := range []string{"/v2/customers/my/invoices", "/v2/customers/my/invoices/preview", "/v2/customers/my/billing_history", "/v2/sizes"} {
			all = append(all, ask(api, "GET", path+"?per_page=200", nil).Body.String())
		}
		return all
	}
	if diff := cmp.Diff(total(s.API()), total(again.API())); diff != "" {
		t.Errorf("the replayed cloud bills otherwise (-want +got):\n%.2000s", diff)
	}
	if text := fmt.Sprint(total(s.API())); len(list(here, "invoices")) != 1 || !strings.Contains(text, "Sorry") || !strings.Contains(text, "6.72") {
		t.Errorf("too little happened to compare: %.1000s", text)
	}
}

func TestRecordingsThatCannotBeAreRefused(t *testing.T) {
	const instant = `"at":"2026-01-01T00:00:00Z"`
	late := strings.ReplaceAll(`{"seq":1,"at":"X","type":"tag_created","data":{"from":"X","get":"X","list":"X","id":"a","account":"first","created_at":"X"}}`,
		"X", "9999-12-31T23:00:00Z")
	for name, inputs := range map[string]string{
		"nothing that goes on": `{` + instant + `,"seq":1,"resumed":true}`,
		"another request":      `{` + instant + `,"seq":2,"method":"GET","target":"/v2/account"}`,
		"no target":            `{` + instant + `,"seq":1,"method":"GET","target":"account"}`,
		"back in time":         `{"at":"2025-01-01T00:00:00Z","seq":1,"method":"GET","target":"/v2/account"}`,
		"unknown parameter":    `{` + instant + `,"change":{"params":{"lag.nothing":"1s"}}}`,
		"unknown event":        `{` + instant + `,"change":{"events":[{"seq":1,` + instant + `,"type":"unicorn_created","data":{}}]}}`,
		"beyond time":          `{` + instant + `,"change":{"events":[` + late + `]}}`,
		"a mark beyond":        `{` + instant + `,"change":{"marks":[1]}}`,
		"a scope that is none": `{` + instant + `,"change":{"tokens":[{"token":"dop_v1_x","account":"a","scopes":["droplet:fly"]}]}}`,
	} {
		body := `{"state":{"version":2,"clock":{"mode":"real","now":"2026-01-01T00:00:00Z"}},"inputs":[` + inputs + `]}`
		var r dosim.Recording
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := dosim.Replay(r); fault.KindOf(err) != fault.Unprocessable {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

func TestStickyReplicas(t *testing.T) {
	for sticky, most := range map[string]int{"0": 2, "1": 1} {
		t.Run("replicas.sticky="+sticky, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := pipe(t, with(map[string]string{"replicas": "8", "lag.replica": "1h", "replicas.sticky": sticky}))
				seen := map[int]bool{}
				do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
				time.Sleep(20 * time.Minute)
				for range 40 {
					seen[len(list(do(t, s, "GET", "/v2/droplets", nil), "droplets"))] = true
				}
				if len(seen) != most {
					t.Errorf("one client saw %v droplets, want %d different answers", seen, most)
				}
			})
		})
	}
}

func TestAProjectShowsLate(t *testing.T) {
	for lag, want := range map[string]int{"0s": 1, "9s": 0} {
		t.Run("lag.project="+lag, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := pipe(t, with(map[string]string{"lag.project": lag}))
				seeded(s)
				members := func() (n int) {
					for _, r := range list(do(t, s, "GET", "/v2/projects/default/resources", nil), "resources") {
						if at(r, "urn") != nil {
							n++
						}
					}
					return n
				}
				if n := members(); n != want {
					t.Errorf("the project shows %d things at once, want %d", n, want)
				}
				time.Sleep(9 * time.Second)
				if n := members(); n != 1 {
					t.Errorf("the project shows %d things after the lag, want the droplet", n)
				}
			})
		})
	}
}
