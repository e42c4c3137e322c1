package dosim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// faultCases say what each kind makes of the POST that starts a snapshot.
var faultCases = []struct {
	kind      dosim.FaultKind
	status    int // 0: no answer
	id        string
	err       error
	anyErr    bool // of the transport or the decoder
	committed bool
	headers   map[string]string // "" means absent
}{
	{dosim.ServerErrorBefore, 503, "service_unavailable", nil, false, false, map[string]string{"Retry-After": ""}},
	{dosim.ServerErrorAfter, 503, "service_unavailable", nil, false, true, nil},
	{dosim.HTML504Before, 504, "", nil, true, false, map[string]string{"Content-Type": "text/html; charset=UTF-8", "Server": "cloudflare"}},
	{dosim.HTML504, 504, "", nil, true, true, map[string]string{"Content-Type": "text/html; charset=UTF-8", "X-Request-Id": ""}},
	{dosim.ResetBefore, 0, "", nil, true, false, nil},
	{dosim.ResetAfter, 0, "", nil, true, true, nil},
	{dosim.ResetCommitLate, 0, "", nil, true, false, nil},
	{dosim.Hang, 0, "", context.DeadlineExceeded, false, false, nil},
	{dosim.HangAfter, 0, "", context.DeadlineExceeded, false, true, nil},
	{dosim.Slow, 201, "", nil, false, true, nil},
	{dosim.Burst429, 429, "too_many_requests", nil, false, false, map[string]string{"Retry-After": "60", "Ratelimit-Remaining": "0"}},
	{dosim.Hourly429, 429, "too_many_requests", nil, false, false, map[string]string{"Retry-After": "", "Ratelimit-Remaining": "0"}},
	{dosim.ResetInPast, 429, "too_many_requests", nil, false, false, map[string]string{"Retry-After": ""}},
	{dosim.Expired401, 401, "unauthorized", nil, false, false, nil},
	{dosim.Scope403, 403, "forbidden", nil, false, false, nil},
	{dosim.NotFound404, 404, "not_found", nil, false, false, nil},
	{dosim.Conflict409, 409, "conflict", nil, false, false, nil},
	{dosim.Precondition412, 412, "precondition_failed", nil, false, false, nil},
	{dosim.Pending422, 422, "unprocessable_entity", nil, false, false, nil},
	{dosim.TruncatedJSON, 201, "", io.ErrUnexpectedEOF, false, true, nil},
	{dosim.Empty200, 200, "", nil, true, true, nil},
	{dosim.UnknownFields, 201, "", nil, false, true, nil},
	{dosim.ActionErrored, 201, "", nil, false, true, nil},
	{dosim.ActionStuck, 201, "", nil, false, true, nil},
	{dosim.UnknownStatus, 201, "", nil, false, true, nil},
	{dosim.CompletedAtNull, 201, "", nil, false, true, nil},
}

func TestFaultsStrikeAWrite(t *testing.T) {
	tried := map[dosim.FaultKind]bool{ // of lists: quirk 19; and those of TestFaultsOfReadsAndCreates
		dosim.DuplicateAcrossPages: true, dosim.MissingAcrossPages: true,
		dosim.ActionPoll404: true, dosim.ActionPoll500: true, dosim.PriceChange: true, dosim.CreateVanishes: true,
	}
	for _, tt := range faultCases {
		tried[tt.kind] = true
		t.Run(string(tt.kind), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				s.Client.Timeout = 10 * time.Second
				d := seeded(s)
				id := s.AddFault(dosim.Fault{Kind: tt.kind, Times: 1, Match: dosim.Match{Method: "POST", Path: "/v2/droplets/*/actions"}})
				do(t, s, "GET", d, nil) // is not what the fault matches

				before := len(s.Truth("action"))
				e := do(t, s, "POST", d+"/actions", object{"type": "snapshot", "name": "keepsake"})
				if e.Status != tt.status || e.Status >= 400 && tt.id != "" && e.Body["id"] != tt.id {
					t.Errorf("answer %d %v, want %d %s", e.Status, e.Body, tt.status, tt.id)
				}
				if !errors.Is(e.Err, tt.err) && !(tt.anyErr && e.Err != nil) {
					t.Errorf("error %v, want %v", e.Err, tt.err)
				}
				for name, want := range tt.headers {
					if got := e.Header.Get(name); got != want {
						t.Errorf("%s = %q, want %q", name, got, want)
					}
				}
				if committed := len(s.Truth("action")) > before; committed != tt.committed {
					t.Errorf("committed = %v, want %v", committed, tt.committed)
				}
				requests := s.Requests(0)
				last := requests[len(requests)-1]
				if last.Fault == nil || *last.Fault != string(tt.kind) || last.Committed != tt.committed || last.Status != tt.status {
					t.Errorf("journal says %+v with fault %v", last, last.Fault)
				}
				if f := s.Faults()[0]; f.ID != id || f.Hits != 1 {
					t.Errorf("fault %+v, want %s with 1 hit", f, id)
				}
				// Spent: the next request is served.
				want := 201
				if tt.committed {
					want = 422 // an event is pending
				}
				wantStatus(t, "the next request", do(t, s, "POST", d+"/actions", object{"type": "power_off"}), want)
			})
		})
	}
	for _, kind := range dosim.FaultKinds() {
		if !tried[kind] {
			t.Errorf("%s is not tried", kind)
		}
	}
}

func TestActionFaultsMarkTheActionForGood(t *testing.T) {
	for kind, want := range map[dosim.FaultKind]struct {
		status, completedAt any
		snapshots           int
	}{
		"":                    {"completed", "2000-01-01T00:01:00Z", 1},
		dosim.ActionErrored:   {"errored", "2000-01-01T00:01:00Z", 0},
		dosim.ActionStuck:     {"in-progress", nil, 0},
		dosim.UnknownStatus:   {"done", "2000-01-01T00:01:00Z", 1},
		dosim.CompletedAtNull: {"completed", nil, 1},
	} {
		t.Run("fault="+string(kind), func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				if kind != "" {
					s.AddFault(dosim.Fault{Kind: kind, Times: 1, Match: dosim.Match{Method: "POST"}})
				}
				d := seeded(s)
				id := idOf(snapshotAction(t, s, d), "action", "id")
				time.Sleep(time.Hour)
				// The journal says that no fault strikes these, yet "done" is not DigitalOcean's.
				s.Client.Transport = s.Client.Transport.(*checkingTransport).base
				e := do(t, s, "GET", "/v2/actions/"+id, nil)
				if got := at(e.Body, "action", "status"); got != want.status {
					t.Errorf("status = %v, want %v", got, want.status)
				}
				if got := at(e.Body, "action", "completed_at"); got != want.completedAt {
					t.Errorf("completed_at = %v, want %v", got, want.completedAt)
				}
				if n := len(list(do(t, s, "GET", "/v2/snapshots", nil), "snapshots")); n != want.snapshots {
					t.Errorf("%d snapshots, want %d", n, want.snapshots)
				}
			})
		})
	}
}

func TestActionFaultsDistortOneRead(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		id := idOf(snapshotAction(t, s, d), "action", "id")
		time.Sleep(61 * time.Second)
		for _, path := range []string{"/v2/actions/" + id, d + "/actions/" + id, d + "/actions", "/v2/actions"} {
			s.AddFault(dosim.Fault{Kind: dosim.ActionStuck, Times: 1, Match: dosim.Match{Method: "GET"}})
			for _, want := range []string{"in-progress", "completed"} {
				e := do(t, s, "GET", path, nil)
				got := at(e.Body, "action", "status")
				if got == nil {
					got = at(e.Body, "actions", 0, "status")
				}
				if got != want {
					t.Errorf("%s shows %v, want %s", path, got, want)
				}
			}
		}
	})
}

func TestFaultsOfReadsAndCreates(t *testing.T) {
	once := func(s *dosimtest.Server, kind dosim.FaultKind) { s.AddFault(dosim.Fault{Kind: kind, Times: 1}) }
	t.Run("an action's poll", func(t *testing.T) {
		inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
			d := seeded(s)
			id := idOf(snapshotAction(t, s, d), "action", "id")
			for kind, status := range map[dosim.FaultKind]int{dosim.ActionPoll404: 404, dosim.ActionPoll500: 500} {
				for _, path := range []string{"/v2/actions/" + id, d + "/actions/" + id} {
					once(s, kind)
					for _, untouched := range []string{"/v2/actions", d, d + "/actions"} {
						wantStatus(t, untouched, do(t, s, "GET", untouched, nil), 200)
					}
					wantStatus(t, string(kind), do(t, s, "GET", path, nil), status)
					wantStatus(t, "the next poll", do(t, s, "GET", path, nil), 200)
				}
			}
		})
	})
	t.Run("a price", func(t *testing.T) {
		inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
			once(s, dosim.PriceChange)
			do(t, s, "GET", "/v2/account", nil) // shows none
			price := func() float64 {
				return at(do(t, s, "GET", "/v2/sizes", nil).Body, "sizes", 0, "price_monthly").(float64)
			}
			if dear, usual := price(), price(); dear != 1.25*usual {
				t.Errorf("the price went from %v to %v, want a quarter more once", usual, dear)
			}
		})
	})
	t.Run("a create that vanishes", func(t *testing.T) {
		inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
			once(s, dosim.CreateVanishes)
			wantStatus(t, "one that is refused", do(t, s, "POST", "/v2/droplets", object{"name": "?"}), 422)
			body := object{"name": "lost", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": []string{"kept"}}
			lost := do(t, s, "POST", "/v2/droplets", body)
			found := do(t, s, "POST", "/v2/droplets", body)
			wantStatus(t, "the create", lost, 202)
			wantStatus(t, "at once", do(t, s, "GET", "/v2/droplets/"+idOf(lost, "droplet", "id"), nil), 200)
			time.Sleep(3 * time.Second)
			wantStatus(t, "later", do(t, s, "GET", "/v2/droplets/"+idOf(lost, "droplet", "id"), nil), 404)
			wantStatus(t, "the other", do(t, s, "GET", "/v2/droplets/"+idOf(found, "droplet", "id"), nil), 200)
			wantStatus(t, "its tag", do(t, s, "GET", "/v2/tags/kept", nil), 200)
			if leaks := s.Leaks(0); len(leaks) != 1 {
				t.Errorf("left over: %v, want the droplet that did not vanish", leaks)
			}
		})
	})
	t.Run("unknown fields", func(t *testing.T) {
		inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
			d := seeded(s)
			once(s, dosim.UnknownFields)
			e := do(t, s, "GET", d, nil)
			if at(e.Body, "x_unknown") == nil || at(e.Body, "droplet", "region", "x_unknown") == nil || "/v2/droplets/"+idOf(e, "droplet", "id") != d {
				t.Errorf("answer %v, want the droplet with unknown keys", e.Body)
			}
		})
	})
}

func TestResetOverSockets(t *testing.T) {
	s := start(t, with(nil))
	s.AddFault(dosim.Fault{Kind: dosim.ResetAfter, Match: dosim.Match{Method: "POST"}})
	d := seeded(s)
	if e := do(t, s, "POST", d+"/actions", object{"type": "snapshot"}); !errors.Is(e.Err, syscall.ECONNRESET) {
		t.Errorf("error %v, want a connection reset", e.Err)
	}
}

func TestResetCommitLateCommitsLate(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		s.AddFault(dosim.Fault{Kind: dosim.ResetCommitLate, Delay: "30s", Times: 1, Match: dosim.Match{Method: "POST"}})
		do(t, s, "POST", d+"/actions", object{"type": "snapshot", "name": "late"})
		time.Sleep(30*time.Second - time.Millisecond)
		if n := len(list(do(t, s, "GET", d+"/actions", nil), "actions")); n != 1 {
			t.Errorf("%d actions before the delay has passed, want create alone", n)
		}
		time.Sleep(30 * time.Second) // nobody looks when it is due; it starts then nevertheless
		actions := list(do(t, s, "GET", d+"/actions", nil), "actions")
		if len(actions) != 2 || at(actions[0], "started_at") != "2000-01-01T00:00:30Z" {
			t.Fatalf("actions = %v, want a snapshot that started at 00:00:30", actions)
		}
		if r := s.Requests(0)[0]; !r.Committed || r.Status != 0 {
			t.Errorf("journal says %+v, want it committed without an answer", r)
		}
		time.Sleep(31 * time.Second)
		if items := s.Truth("snapshot"); len(items) != 1 || items[0].Name != "late" {
			t.Errorf("snapshots in truth: %v, want late", items)
		}
	})
}

func TestSlowAnswersLate(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		s.AddFault(dosim.Fault{Kind: dosim.Slow, Delay: "42s"})
		began := time.Now()
		wantStatus(t, "account", do(t, s, "GET", "/v2/account", nil), 200)
		if took := time.Since(began); took != 42*time.Second {
			t.Errorf("took %s, want 42s", took)
		}
	})
}

func TestHangsEndWithTheSim(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		s.AddFault(dosim.Fault{Kind: dosim.Hang})
		done := make(chan exchange)
		go func() { done <- do(t, s, "GET", "/v2/account", nil) }()
		synctest.Wait()
		if r := s.Requests(0); len(r) != 1 || r[0].Status != 0 {
			t.Fatalf("journal = %+v, want one request without a status", r)
		}
		s.Sim.Close()
		if e := <-done; e.Err == nil {
			t.Errorf("a hanging request was answered %d", e.Status)
		}
	})
}

func TestFaultMatching(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault dosim.Fault
		want  string // of eight GETs, a second apart, those that are struck
	}{
		{"always", dosim.Fault{}, "xxxxxxxx"},
		{"times", dosim.Fault{Times: 3}, "xxx....."},
		{"nth is once", dosim.Fault{Match: dosim.Match{Nth: 4}}, "...x...."},
		{"nth begins", dosim.Fault{Match: dosim.Match{Nth: 4}, Times: 2}, "...xx..."},
		{"from", dosim.Fault{Match: dosim.Match{From: second(5)}}, ".....xxx"},
		{"to", dosim.Fault{Match: dosim.Match{To: second(2)}}, "xx......"},
		{"method", dosim.Fault{Match: dosim.Match{Method: "get"}}, "xxxxxxxx"},
		{"other method", dosim.Fault{Match: dosim.Match{Method: "POST"}}, "........"},
		{"path", dosim.Fault{Match: dosim.Match{Path: "/v2/*/7"}}, "xxxxxxxx"},
		{"one segment", dosim.Fault{Match: dosim.Match{Path: "/v2/*"}}, "........"},
		{"any rest", dosim.Fault{Match: dosim.Match{Path: "/v2/**"}}, "xxxxxxxx"},
		{"token", dosim.Fault{Match: dosim.Match{Token: "dop_v1_*"}}, "xxxxxxxx"},
		{"other token", dosim.Fault{Match: dosim.Match{Token: "dop_v1_other"}}, "........"},
		{"purpose", dosim.Fault{Match: dosim.Match{Purpose: "invent*"}}, "xxxxxxxx"},
		{"other purpose", dosim.Fault{Match: dosim.Match{Purpose: "billing"}}, "........"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
				inventory := s.CreateToken(dosim.TokenSpec{Purpose: "inventory"})
				tt.fault.Kind = dosim.NotFound404
				s.AddFault(tt.fault)
				var got strings.Builder
				for range 8 {
					doAs(t, s, inventory, "GET", "/v2/snapshots/7", nil)
					requests := s.Requests(0)
					if requests[len(requests)-1].Fault != nil {
						got.WriteByte('x')
					} else {
						got.WriteByte('.')
					}
					time.Sleep(time.Second)
				}
				if got.String() != tt.want {
					t.Errorf("struck %s, want %s", got.String(), tt.want)
				}
			})
		})
	}
}

// second is the instant n seconds after a bubble's beginning.
func second(n int) time.Time { return time.Date(2000, 1, 1, 0, 0, n, 0, time.UTC) }

func TestFaultProbabilityIsKeptAndRepeats(t *testing.T) {
	struck := func(seed uint64) (pattern string, hits int) {
		synctest.Test(t, func(t *testing.T) {
			s := pipe(t, dosim.Options{Seed: seed})
			s.AddFault(dosim.Fault{Kind: dosim.NotFound404, Match: dosim.Match{Probability: 0.3}})
			for range 200 {
				if do(t, s, "GET", "/v2/account", nil).Status == 404 {
					pattern += "x"
				} else {
					pattern += "."
				}
			}
			hits = s.Faults()[0].Hits
		})
		return pattern, hits
	}
	first, hits := struck(7)
	if hits < 35 || hits > 85 {
		t.Errorf("struck %d of 200 at probability 0.3", hits)
	}
	if again, _ := struck(7); again != first {
		t.Error("the same seed struck other requests")
	}
	if other, _ := struck(8); other == first {
		t.Error("another seed struck the same requests")
	}
}

func TestFaultsThatCannotBeAreRefused(t *testing.T) {
	s := start(t)
	for _, body := range []string{
		`{"kind":"explode"}`, `{}`, `[]`, `null`, `{"kind":"hang"`, `{"kind":"hang"} {}`, `{"kind":"hang","unknown":1}`,
		`{"kind":"hang","match":{"verb":"GET"}}`, `{"kind":"hang","match":{"method":"FETCH"}}`, `{"kind":"hang","match":{"path":"v2"}}`,
		`{"kind":"hang","match":{"nth":-1}}`, `{"kind":"hang","match":{"probability":1.5}}`, `{"kind":"hang","match":{"probability":-0.1}}`,
		`{"kind":"hang","match":{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}}`, `{"kind":"hang","match":{"from":"yesterday"}}`,
		`{"kind":"hang","times":-1}`, `{"kind":"5xx_before","status":200}`, `{"kind":"slow","delay":"soon"}`, `{"kind":"slow","delay":"-1s"}`,
		`{"kind":"409","status":503}`, `{"kind":"hang","delay":"5s"}`,
	} {
		e := admin(t, s, "POST", "/faults", body)
		if e.Status != http.StatusUnprocessableEntity || e.Body["detail"] == "" {
			t.Errorf("%s: %d %v, want 422", body, e.Status, e.Body)
		}
	}
	if n := len(s.Faults()); n != 0 {
		t.Errorf("%d faults are armed, want none", n)
	}
}

// Rate limits: 5,000 in any hour and 250 in any minute, each exactly.
func TestRateLimitsSlide(t *testing.T) {
	inBubble(t, dosim.Options{Params: map[string]string{"ratelimit.hourly": "12", "ratelimit.burst": "5"}}, func(t *testing.T, s *dosimtest.Server) {
		get := func() exchange { return do(t, s, "GET", "/v2/account", nil) }
		header := func(e exchange, name string) int {
			n, err := strconv.Atoi(e.Header.Get(name))
			if err != nil {
				t.Errorf("%s = %q is no number", name, e.Header.Get(name))
			}
			return n
		}
		for i := range 5 { // at 0, 10, … 40 s
			e := get()
			wantStatus(t, "within the burst", e, 200)
			if got, want := header(e, "Ratelimit-Remaining"), 12-i-1; got != want {
				t.Errorf("remaining = %d, want %d", got, want)
			}
			if got, want := int64(header(e, "Ratelimit-Reset")), second(3600).Unix(); got != want {
				t.Errorf("reset = %d, want %d: when the oldest expires", got, want)
			}
			time.Sleep(10 * time.Second)
		}
		e := get() // at 50 s
		wantStatus(t, "beyond the burst", e, 429)
		if e.Body["message"] != "API Rate limit exceeded." || header(e, "Retry-After") != 10 || header(e, "Ratelimit-Remaining") != 0 {
			t.Errorf("refusal %v, %v; want retry-after 10", e.Body, e.Header)
		}
		time.Sleep(10*time.Second - time.Millisecond)
		wantStatus(t, "just before the window moves", get(), 429)
		time.Sleep(time.Millisecond)
		wantStatus(t, "when the first request is a minute old", get(), 200)

		for range 6 { // use up the hour: 12 requests so far
			time.Sleep(time.Minute)
			wantStatus(t, "within the hour", get(), 200)
		}
		time.Sleep(time.Minute)
		e = get()
		wantStatus(t, "beyond the hour", e, 429)
		if e.Header.Get("Retry-After") != "" || header(e, "Ratelimit-Remaining") != 0 {
			t.Errorf("hourly refusal has headers %v, want no retry-after", e.Header)
		}
		wantStatus(t, "another token", doAs(t, s, "dop_v1_other", "GET", "/v2/account", nil), 200)
		time.Sleep(time.Until(second(3600)))
		wantStatus(t, "when the oldest request is an hour old", get(), 200)
		wantStatus(t, "the next", get(), 429)
	})
}

func TestDefaultRateLimitsAreDigitalOceans(t *testing.T) {
	inBubble(t, dosim.Options{}, func(t *testing.T, s *dosimtest.Server) {
		s.Client.Transport = s.Client.Transport.(*checkingTransport).base // 5,000 checks would show nothing more
		made := 0
		for minute := range 20 {
			for range 251 {
				e := do(t, s, "GET", "/v2/account", nil)
				if e.Status == 200 {
					made++
				}
			}
			if made != min(250*(minute+1), 5000) {
				t.Fatalf("%d requests were let through by minute %d", made, minute+1)
			}
			time.Sleep(time.Minute)
		}
		if e := do(t, s, "GET", "/v2/account", nil); e.Status != 429 || e.Header.Get("Retry-After") != "" {
			t.Errorf("request 5,001 of the hour: %d, retry-after %q", e.Status, e.Header.Get("Retry-After"))
		}
	})
}

func TestTokens(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		reader := s.CreateToken(dosim.TokenSpec{Scopes: []string{"droplet:read", "snapshot:read"}})
		updater := s.CreateToken(dosim.TokenSpec{Scopes: []string{"droplet:read", "droplet:update"}})
		expiring := s.CreateToken(dosim.TokenSpec{ExpiresAt: second(60)})
		other := s.CreateToken(dosim.TokenSpec{Account: "other"})
		for _, tt := range []struct {
			name, token, method, path string
			body                      any
			want                      int
		}{
			{"any of the prefix", "dop_v1_whatever", "GET", d, nil, 200},
			{"another prefix", "doo_v1_whatever", "GET", d, nil, 401},
			{"none", "", "GET", d, nil, 401},
			{"a scope that it has", reader, "GET", d, nil, 200},
			{"a scope that it lacks", reader, "GET", "/v2/account", nil, 403},
			{"a write without its scope", reader, "POST", d + "/actions", object{"type": "power_off"}, 403},
			{"a snapshot needs image:create as well", updater, "POST", d + "/actions", object{"type": "snapshot"}, 403},
			{"a power_off does not", updater, "POST", d + "/actions", object{"type": "power_off"}, 201},
			{"both delete scopes", reader, "DELETE", "/v2/snapshots/1", nil, 403},
			{"not yet expired", expiring, "GET", d, nil, 200},
			{"another account's droplet", other, "GET", d, nil, 404},
		} {
			wantStatus(t, tt.name, doAs(t, s, tt.token, tt.method, tt.path, tt.body), tt.want)
		}
		if n := len(list(doAs(t, s, other, "GET", "/v2/actions", nil), "actions")); n != 0 {
			t.Errorf("another account sees %d actions, want none", n)
		}
		wantStatus(t, "before the revocation", doAs(t, s, other, "GET", "/v2/account", nil), 200)
		if err := s.RevokeToken(other); err != nil {
			t.Fatal(err)
		}
		e := doAs(t, s, other, "GET", "/v2/account", nil)
		if e.Status != 401 || e.Body["message"] != "Unable to authenticate you." {
			t.Errorf("revoked token: %d %v", e.Status, e.Body)
		}
		time.Sleep(time.Minute)
		e = doAs(t, s, expiring, "GET", d, nil)
		if e.Status != 401 || e.Body["message"] != "Unable to authenticate you." {
			t.Errorf("expired token: %d %v", e.Status, e.Body)
		}
	})
}

func TestKnownTokensOnly(t *testing.T) {
	s := start(t, dosim.Options{KnownTokensOnly: true})
	wantStatus(t, "unknown token", do(t, s, "GET", "/v2/account", nil), 401)
	wantStatus(t, "known token", doAs(t, s, s.CreateToken(dosim.TokenSpec{}), "GET", "/v2/account", nil), 200)
}

func TestDropletsThatCannotBeAreRefused(t *testing.T) {
	s := start(t)
	good := func(change object) object {
		o := object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "nyc3"}
		for k, v := range change {
			o[k] = v
		}
		return o
	}
	for _, change := range []object{
		{"name": nil}, {"name": ""}, {"name": "no spaces"}, {"name": strings.Repeat("a", 256)}, {"name": "ends-with-"},
		{"size": "huge"}, {"size": "gpu-h100x1-80gb", "region": "nyc3"}, {"region": "moon"}, {"image": "windows"}, {"image": 1}, {"image": nil},
		{"tags": []string{"no spaces"}}, {"size": "s-1vcpu-512mb-10gb", "image": "docker-20-04"},
	} {
		if e := do(t, s, "POST", "/v2/droplets", good(change)); e.Status != 422 || e.Body["id"] != "unprocessable_entity" {
			t.Errorf("%v: %d %v, want 422", change, e.Status, e.Body)
		}
	}
	d := seeded(s)
	for _, body := range []any{object{"type": "explode"}, object{}, "null"} {
		wantStatus(t, fmt.Sprint("action ", body), do(t, s, "POST", d+"/actions", body), 422)
	}
	wantStatus(t, "an action that is a list", do(t, s, "POST", d+"/actions", "[]"), 400)
	if n := len(s.Truth("droplet")); n != 1 {
		t.Errorf("%d droplets are there, want the seeded one", n)
	}
}
