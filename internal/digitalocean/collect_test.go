package digitalocean_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// things is the list of things of these tests: an id is a number.
func things() digitalocean.Collection {
	return digitalocean.Collection{Path: "/v2/things", Key: "things", Identify: func(item json.RawMessage) (string, bool) {
		var thing struct{ ID json.Number }
		err := json.Unmarshal(item, &thing)
		return thing.ID.String(), err == nil && thing.ID != ""
	}}
}

// thingsPage is a page of a list of things: those from first to last, of which it says
// that there are total.
func thingsPage(total, first, last int) string {
	var items []string
	for id := first; id <= last; id++ {
		items = append(items, fmt.Sprintf(`{"id":%d,"unknown":{"kept":1.10}}`, id))
	}
	return fmt.Sprintf(`{"things":[%s],"links":{},"meta":{"total":%d}}`, strings.Join(items, ","), total)
}

// Each case is what the pages of a list answer, sweep by sweep: the n-th time that
// a page is asked for, its n-th answer, the last for ever.
func TestDocumentsAreAllOrNone(t *testing.T) {
	pages := func(answers ...[]string) map[int][]string {
		all := map[int][]string{}
		for i, a := range answers {
			all[i+1] = a
		}
		return all
	}
	for _, tt := range []struct {
		name     string
		list     func(*digitalocean.Collection)
		pages    map[int][]string
		want     int // how many things, which have the ids from 1
		requests int // 0: any number
		kind     error
	}{
		{"none", nil, pages([]string{thingsPage(0, 1, 0)}), 0, 1, nil},
		{"null for none", nil, pages([]string{`{"things":null,"meta":{"total":0}}`}), 0, 1, nil},
		{"one page", nil, pages([]string{thingsPage(200, 1, 200)}), 200, 1, nil},
		{"six pages", nil, pages([]string{thingsPage(1001, 1, 200)}, []string{thingsPage(1001, 201, 400)}, []string{thingsPage(1001, 401, 600)},
			[]string{thingsPage(1001, 601, 800)}, []string{thingsPage(1001, 801, 1000)}, []string{thingsPage(1001, 1001, 1001)}), 1001, 6, nil},
		{"a total that moves, then rests", nil, pages([]string{thingsPage(201, 1, 200), thingsPage(202, 1, 200)},
			[]string{thingsPage(202, 201, 202)}), 202, 4, nil},
		{"a total that moves while the items are as many as before, then rests",
			nil, pages([]string{thingsPage(202, 1, 200), thingsPage(203, 1, 200)}, []string{thingsPage(203, 202, 203), thingsPage(203, 201, 203)}), 203, 4, nil},
		{"one that slipped to another page, then rest", nil, pages([]string{thingsPage(202, 1, 200)},
			[]string{thingsPage(202, 200, 201), thingsPage(202, 201, 202)}), 202, 4, nil},
		{"a first page with a gap, then a full one", nil, pages([]string{thingsPage(201, 1, 199), thingsPage(201, 1, 200)},
			[]string{thingsPage(201, 201, 201)}), 201, 3, nil},
		{"never at rest", nil, pages([]string{thingsPage(2, 1, 1)}), 0, 4, digitalocean.Unavailable},
		{"the last page fails", nil, pages([]string{thingsPage(401, 1, 200)}, []string{thingsPage(401, 201, 400)}, nil), 0, 0, digitalocean.Unavailable},
		{"a page of something else", nil, pages([]string{`{"droplets":[],"meta":{"total":0}}`}), 0, 1, digitalocean.Unavailable},
		{"no total", nil, pages([]string{`{"things":[]}`}), 0, 1, digitalocean.Unavailable},
		{"a total below zero", nil, pages([]string{`{"things":[],"meta":{"total":-1}}`}), 0, 1, digitalocean.Unavailable},
		{"a thing without an id", nil, pages([]string{`{"things":[{"id":1},{"name":"x"}],"meta":{"total":2}}`}), 0, 1, digitalocean.Unavailable},
		{"things that are no list", nil, pages([]string{`{"things":{"1":{"id":1}},"meta":{"total":1}}`}), 0, 1, digitalocean.Unavailable},
		{"all at once", func(l *digitalocean.Collection) { l.Unpaged = true }, pages([]string{`{"things":[{"id":1},{"id":2}]}`}), 2, 1, nil},
		{"all at once, one of them twice", func(l *digitalocean.Collection) { l.Unpaged = true },
			pages([]string{`{"things":[{"id":1},{"id":1}]}`, `{"things":[{"id":1}]}`}), 1, 2, nil},
		{"under their ids", func(l *digitalocean.Collection) { l.Keyed = true },
			pages([]string{`{"things":{"2":{"id":2},"1":{"id":1}},"meta":{"total":2}}`}), 2, 1, nil},
		{"one alone", func(l *digitalocean.Collection) { l.Single = true }, pages([]string{`{"things":{"id":1}}`}), 1, 1, nil},
		{"one alone, and it fails", func(l *digitalocean.Collection) { l.Single = true }, pages(nil), 0, 0, digitalocean.Unavailable},
		{"under their ids, and a list", func(l *digitalocean.Collection) { l.Keyed = true },
			pages([]string{thingsPage(1, 1, 1)}), 0, 1, digitalocean.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			asked := map[int]int{}
			s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				number := 1
				if q := r.URL.Query(); q.Has("page") {
					number, _ = strconv.Atoi(q.Get("page"))
				}
				mu.Lock()
				answers := tt.pages[number]
				n := min(asked[number], len(answers)-1)
				asked[number]++
				mu.Unlock()
				if n < 0 {
					refuse(w, 503, "service_unavailable", "Service is currently unavailable.")
					return
				}
				answer(w, 200, answers[n])
			})
			list := things()
			if tt.list != nil {
				tt.list(&list)
			}
			got, err := client(t, s.URL).Documents(t.Context(), list)
			if !errors.Is(err, tt.kind) || err != nil && got.Items != nil {
				t.Errorf("%d items and error %v, want error %v", len(got.Items), err, tt.kind)
			}
			var ids []string
			for _, item := range got.Items {
				id, _ := list.Identify(item)
				ids = append(ids, id)
			}
			for i, id := range ids {
				if id != strconv.Itoa(i+1) {
					t.Fatalf("item %d is %s: they are out of order", i+1, id)
				}
			}
			if len(ids) != tt.want {
				t.Errorf("%d items, want %d", len(ids), tt.want)
			}
			if n := len(s.requests()); tt.requests > 0 && n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

func TestOneAloneMayNotBeThere(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, 404, "not_found", "registry not found") })
	list := things()
	if _, err := client(t, s.URL).Documents(t.Context(), list); !errors.Is(err, digitalocean.NotFound) {
		t.Errorf("a list that is not there: %v, want not found", err)
	}
	list.Single = true
	if got, err := client(t, s.URL).Documents(t.Context(), list); err != nil || len(got.Items) != 0 {
		t.Errorf("one that is not there: %s, %v; want none", got.Items, err)
	}
}

func TestDocumentsAreAsTheyWereWritten(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, 200, thingsPage(1, 1, 1)) })
	got, err := client(t, s.URL).Documents(t.Context(), things())
	if err != nil || string(got.Items[0]) != `{"id":1,"unknown":{"kept":1.10}}` {
		t.Errorf("%s, %v; want every byte of it", got.Items, err)
	}
}

// Four pages are under way at once, once the first has said how many there are.
func TestPagesAreReadSideBySide(t *testing.T) {
	gate := make(chan struct{})
	var mu sync.Mutex
	under, most := 0, 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if number > 1 {
			mu.Lock()
			under++
			if most = max(most, under); under == 4 {
				close(gate)
			}
			mu.Unlock()
			<-gate
		}
		answer(w, 200, thingsPage(900, (number-1)*200+1, min(number*200, 900)))
	})
	var told []int
	list := things()
	list.Progress = func(items, total int) {
		if total != 900 {
			t.Errorf("progress of %d, want 900", total)
		}
		told = append(told, items)
	}
	got, err := client(t, s.URL).Documents(t.Context(), list)
	if err != nil || len(got.Items) != 900 || most != 4 {
		t.Errorf("%d items, at most %d pages at once, %v; want 900 and 4", len(got.Items), most, err)
	}
	if len(told) != 5 || told[0] != 200 || told[4] != 900 || !slices.IsSorted(told) {
		t.Errorf("progress told of %v items, want 200 to 900 in five steps", told)
	}
}

func TestADocumentIsThereOrNot(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		switch r.URL.Path {
		case "/v2/things/1":
			answer(w, 200, `{"thing":{"id":1}}`)
		case "/v2/things/2":
			refuse(w, 404, "not_found", "The resource you were accessing could not be found.")
		default:
			answer(w, 200, `{"other":{"id":3}}`)
		}
	})
	c := client(t, s.URL)
	if got, err := c.Document(t.Context(), "/v2/things/1", "thing"); err != nil || string(got) != `{"id":1}` {
		t.Errorf("one that is there: %s, %v", got, err)
	}
	if got, err := c.Document(t.Context(), "/v2/things/2", "thing"); !errors.Is(err, digitalocean.NotFound) || got != nil {
		t.Errorf("one that is not: %s, %v; want not found", got, err)
	}
	if got, err := c.Document(t.Context(), "/v2/things/3", "thing"); !errors.Is(err, digitalocean.Unavailable) || got != nil {
		t.Errorf("an answer of something else: %s, %v; want no conclusion", got, err)
	}
	billing := client(t, s.URL, func(o *digitalocean.Options) { o.Purpose = digitalocean.Billing })
	if _, err := billing.Documents(t.Context(), things()); !errors.Is(err, digitalocean.NotSent) {
		t.Errorf("a list with the billing token: %v, want it refused", err)
	}
}

// DigitalOcean lists SSH keys 10 times in 60 seconds and speaks of CDN endpoints 5
// times in 10. Whoever asks, and however slowly it answers, no 429 comes back, and
// nobody waits much longer than that asks for.
func TestSpecialLimitsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		for range 500 {
			if _, err := c.SeedThing(dosim.SeedThing{Kind: "cdn_endpoint"}); err != nil {
				t.Fatal(err)
			}
		}
		c.arm(dosim.Fault{Kind: dosim.Slow, Match: dosim.Match{Path: "/v2/cdn/*"}, Delay: "700ms"})
		const minutes = 10
		until := time.Now().Add(minutes * time.Minute)
		read := func(list digitalocean.Collection, want int) {
			for time.Now().Before(until) {
				got, err := c.Documents(t.Context(), list)
				if err != nil || len(got.Items) != want {
					t.Errorf("%s: %d items, %v; want %d", list.Path, len(got.Items), err, want)
					return
				}
			}
		}
		byID := func(item json.RawMessage) (string, bool) {
			var thing struct{ ID any }
			err := json.Unmarshal(item, &thing)
			return fmt.Sprint(thing.ID), err == nil && thing.ID != nil
		}
		var reading sync.WaitGroup
		for range 5 {
			reading.Go(func() { read(digitalocean.Collection{Path: "/v2/account/keys", Key: "ssh_keys", Identify: byID}, 0) })
			reading.Go(func() {
				read(digitalocean.Collection{Path: "/v2/cdn/endpoints", Key: "endpoints", Identify: byID}, 500)
			})
		}
		reading.Wait()
		times := map[string][]time.Time{}
		for _, r := range c.Requests(c.seen) {
			if r.Status == http.StatusTooManyRequests {
				t.Fatalf("%s %s at %s was answered 429", r.Method, r.Path, r.At)
			}
			times[r.Path] = append(times[r.Path], r.At)
		}
		for path, limit := range map[string]struct {
			n, least int
			span     time.Duration
		}{
			"/v2/account/keys":  {10, 9 * (minutes - 1), time.Minute},
			"/v2/cdn/endpoints": {5, 3 * 6 * (minutes - 1), 10 * time.Second},
		} {
			at := times[path]
			if len(at) < limit.least {
				t.Errorf("%s was asked %d times in %d minutes, want at least %d", path, len(at), minutes, limit.least)
			}
			for i := limit.n; i < len(at); i++ {
				if at[i].Sub(at[i-limit.n]) < limit.span {
					t.Fatalf("%s was asked %d times from %s to %s", path, limit.n+1, at[i-limit.n], at[i])
				}
			}
		}
	})
}

// Who could not get an answer in time is told at once, and not after the wait.
func TestASpecialLimitDoesNotOutwaitItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		keys := digitalocean.Collection{Path: "/v2/account/keys", Key: "ssh_keys", Identify: func(json.RawMessage) (string, bool) { return "", false }}
		for range 9 {
			if _, err := c.Documents(t.Context(), keys); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := c.Documents(ctx, keys)
		if !errors.Is(err, digitalocean.RateLimited) || !errors.Is(err, digitalocean.NotSent) || time.Since(begun) > time.Second {
			t.Errorf("the tenth list in a minute ended after %s with %v", time.Since(begun), err)
		}
	})
}
