package dosim_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// A window is a rate limit as DigitalOcean's documentation words it: at most so
// many requests within any time so long, of those that were let in.
type window struct {
	most int
	long time.Duration
}

// within returns those of the requests that still count at at.
func (w window) within(made []time.Time, at time.Time) []time.Time {
	for len(made) > 0 && !made[0].After(at.Add(-w.long)) {
		made = made[1:]
	}
	return made
}

// frees is when there is room again.
func (w window) frees(made []time.Time, at time.Time) time.Time {
	counting := w.within(made, at)
	return counting[len(counting)-w.most].Add(w.long)
}

// Thousands of requests of three tokens at random instants, each of them let in
// or refused, and told so in the headers, exactly as the windows say.
func TestRateLimitsAreExactUnderASteppedClock(t *testing.T) {
	hour, minute := window{60, time.Hour}, window{10, time.Minute}
	s := dosim.New(dosim.Options{Clock: dosim.NewClock(dosim.Stepped), Params: map[string]string{
		"ratelimit.hourly": "60", "ratelimit.burst": "10", "ratelimit.ssh_keys": "2", "ratelimit.cdn": "3",
	}})
	endpoint, err := s.SeedThing(dosim.SeedThing{Kind: "cdn_endpoint"})
	if err != nil {
		t.Fatal(err)
	}
	// The special limits, by the names under which they are counted, and who shares them.
	special := map[string]window{"keys": {2, time.Minute}, "cdn": {3, 10 * time.Second}}
	shares := map[string]string{"/v2/account/keys": "keys", "/v2/cdn/endpoints": "cdn", "/v2/cdn/endpoints/" + endpoint: "cdn"}
	paths := append([]string{"/v2/account", "/v2/account/keys"}, slices.Sorted(maps.Keys(shares))...)
	type history struct {
		all     []time.Time
		special map[string][]time.Time
	}
	made := map[string]*history{}
	seen := map[string]int{}
	random := rand.New(rand.NewPCG(4, 2))
	for n := range 6000 {
		// Bursts, pauses, and steps to the very instant at which something expires.
		switch random.IntN(30) {
		case 0:
			s.Clock().Advance(time.Duration(random.IntN(3000)) * time.Second)
		case 1, 2, 3, 4, 5, 6:
			s.Clock().Advance(time.Duration(random.IntN(20_000_000)) * time.Microsecond)
		case 7, 8:
			for _, h := range made {
				if in := minute.within(h.all, s.Clock().Now()); len(in) > 0 {
					s.Clock().Set(in[0].Add(time.Minute - time.Duration(random.IntN(2))*time.Microsecond))
				}
			}
		}
		at := s.Clock().Now()
		token := fmt.Sprint("dop_v1_", random.IntN(3))
		h := made[token]
		if h == nil {
			h = &history{special: map[string][]time.Time{}}
			made[token] = h
		}
		path := paths[random.IntN(len(paths))]
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.API().ServeHTTP(w, r)

		want := map[string]string{"Ratelimit-Limit": "60", "Retry-After": ""}
		status, remaining := 200, 0
		retryAfter := func(frees time.Time) {
			want["Retry-After"] = strconv.Itoa(int((frees.Sub(at) + time.Second - 1) / time.Second))
		}
		switch {
		case len(hour.within(h.all, at)) >= hour.most:
			status = 429
			seen["hour"]++
		case len(minute.within(h.all, at)) >= minute.most:
			status = 429
			retryAfter(minute.frees(h.all, at))
			seen["burst"]++
		default:
			h.all = append(hour.within(h.all, at), at)
			remaining = hour.most - len(h.all)
		}
		reset := hour.within(h.all, at)[0].Add(time.Hour)
		if name, is := shares[path]; is && status == 200 {
			w, counting := special[name], special[name].within(h.special[name], at)
			if len(counting) < w.most {
				h.special[name] = append(counting, at)
			} else {
				status, remaining, reset = 429, 0, w.frees(counting, at)
				want["Ratelimit-Limit"] = strconv.Itoa(w.most)
				retryAfter(reset)
				seen[name]++
			}
		}
		want["Ratelimit-Remaining"], want["Ratelimit-Reset"] = strconv.Itoa(remaining), strconv.FormatInt(reset.Unix(), 10)
		if w.Code != status {
			t.Fatalf("request %d, %s at %s: %d, want %d", n, path, at, w.Code, status)
		}
		for name, v := range want {
			if got := w.Header().Get(name); got != v {
				t.Fatalf("request %d, %s at %s: %s is %q, want %q", n, path, at, name, got, v)
			}
		}
	}
	for _, limit := range []string{"hour", "burst", "keys", "cdn"} {
		if seen[limit] < 50 {
			t.Errorf("the limit %s refused %d requests: too few to show anything", limit, seen[limit])
		}
	}
}
