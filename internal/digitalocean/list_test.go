package digitalocean_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

// snapshotsPage writes a page of snapshots with the given ids.
func snapshotsPage(w http.ResponseWriter, total int, more bool, ids ...int) {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = fmt.Sprintf(`{"id":"%d","name":"s%d","regions":["nyc3"],"created_at":"2026-11-01T10:00:00Z","resource_id":"1","resource_type":"droplet","min_disk_size":25,"size_gigabytes":2.36,"tags":[]}`, id, id)
	}
	links := `{}`
	if more {
		links = `{"pages":{"next":"http://elsewhere.invalid/v2/snapshots?page=9"}}`
	}
	answer(w, 200, fmt.Sprintf(`{"snapshots":[%s],"links":%s,"meta":{"total":%d}}`, strings.Join(items, ","), links, total))
}

func idsOf(list []digitalocean.Snapshot) []string {
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	return ids
}

// Each case is what a list answers page by page, over all sweeps.
func TestAListIsWholeOrAnError(t *testing.T) {
	type answers []func(w http.ResponseWriter)
	pg := func(total int, more bool, ids ...int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { snapshotsPage(w, total, more, ids...) }
	}
	raw := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { answer(w, 200, body) }
	}
	for _, tt := range []struct {
		name    string
		answers answers // the last is repeated
		want    []string
		kind    error
	}{
		{"empty", answers{pg(0, false)}, nil, nil},
		{"one page", answers{pg(2, false, 1, 2)}, []string{"1", "2"}, nil},
		{"two pages", answers{pg(3, true, 1, 2), pg(3, false, 3)}, []string{"1", "2", "3"}, nil},
		{"an item on two pages, and one of its own", answers{pg(3, true, 1, 2), pg(3, false, 2, 3)}, []string{"1", "2", "3"}, nil},
		{"an item that slipped between pages, then at rest",
			answers{pg(3, true, 1, 2), pg(3, false, 2), pg(3, true, 1, 2), pg(3, false, 3)}, []string{"1", "2", "3"}, nil},
		{"the total grew, then at rest",
			answers{pg(2, true, 1), pg(3, false, 2, 3), pg(3, true, 1, 2), pg(3, false, 3)}, []string{"1", "2", "3"}, nil},
		{"the total shrank, then at rest",
			answers{pg(3, true, 1, 2), pg(2, false, 2), pg(2, false, 1, 2)}, []string{"1", "2"}, nil},
		{"an item was deleted and one slipped between pages, then at rest",
			answers{pg(4, true, 1, 2), pg(3, false, 4), pg(3, true, 2, 3), pg(3, false, 4)}, []string{"2", "3", "4"}, nil},
		{"never at rest", answers{pg(3, false, 1, 2)}, nil, digitalocean.Unavailable},
		{"the second page fails", answers{pg(3, true, 1, 2), func(w http.ResponseWriter) {
			refuse(w, 503, "service_unavailable", "Service is currently unavailable.")
		}}, nil, digitalocean.Unavailable},
		{"a page of another kind", answers{raw(`{"droplets":[],"meta":{"total":0}}`)}, nil, digitalocean.Unavailable},
		{"no total", answers{raw(`{"snapshots":[]}`)}, nil, digitalocean.Unavailable},
		{"no items but a total", answers{raw(`{"snapshots":null,"meta":{"total":2}}`)}, nil, digitalocean.Unavailable},
		{"an empty object", answers{raw(`{}`)}, nil, digitalocean.Unavailable},
		{"items of another shape", answers{raw(`{"snapshots":[{"id":1}],"meta":{"total":1}}`)}, nil, digitalocean.Unavailable},
		{"a page that never ends", answers{pg(1000000, true, 1)}, nil, digitalocean.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) { tt.answers[min(n, len(tt.answers))-1](w) })
			list, err := client(t, s.URL).Snapshots(t.Context())
			if !errors.Is(err, tt.kind) {
				t.Errorf("error = %v, want %v", err, tt.kind)
			}
			if got := idsOf(list.Items); !slices.Equal(got, tt.want) && len(got)+len(tt.want) > 0 {
				t.Errorf("items = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAListSaysWhenItWasRead(t *testing.T) {
	dates := []string{"Sun, 01 Nov 2026 10:00:00 GMT", "Sun, 01 Nov 2026 10:00:07 GMT"}
	var queries []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		queries = append(queries, r.URL.RawQuery)
		w.Header().Set("Date", dates[n-1])
		snapshotsPage(w, 2, n == 1, n)
	})
	before := time.Now()
	list, err := client(t, s.URL).Snapshots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 1, 10, 0, 7, 0, time.UTC); !list.At.Equal(want) {
		t.Errorf("At = %s, want the last page's %s", list.At, want)
	}
	if list.Began.Before(before) || list.Began.After(time.Now()) {
		t.Errorf("Began = %s, want our clock before the first request", list.Began)
	}
	if want := []string{"page=1&per_page=200", "page=2&per_page=200"}; !slices.Equal(queries, want) {
		t.Errorf("queries = %v, want %v", queries, want)
	}
	want := digitalocean.Snapshot{
		ID: "1", Name: "s1", Resource: "1", ResourceType: "droplet", SizeGigabytes: "2.36", MinDiskGiB: 25, Regions: []string{"nyc3"},
		CreatedAt: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
	}
	if got := list.Items[0]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("item = %+v, want %+v", got, want)
	}
}

// actionsPage writes the page of a list of n actions, newest first, one started
// each minute up to 10:00; action i started i minutes before.
func actionsPage(w http.ResponseWriter, r *http.Request, total, skip int, status string) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	first, last := (page-1)*size, min(page*size, total)
	var items []string
	for i := first; i < last; i++ {
		started := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).Add(-time.Duration(i+skip) * time.Minute)
		items = append(items, fmt.Sprintf(`{"id":%d,"status":%q,"type":"snapshot","started_at":%q,"completed_at":null,"resource_id":%d,"resource_type":"droplet"}`,
			100000-i-skip, status, started.Format(time.RFC3339), 1+i%3))
	}
	links := `{}`
	if last < total {
		links = fmt.Sprintf(`{"pages":{"next":"http://elsewhere.invalid/v2/actions?page=%d"}}`, page+1)
	}
	answer(w, 200, fmt.Sprintf(`{"actions":[%s],"links":%s,"meta":{"total":%d}}`, strings.Join(items, ","), links, total))
}

func TestActionsGoBackToSinceAndNoFurther(t *testing.T) {
	ten := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		since    time.Time
		requests int
		least    int
	}{
		{"within the first page", ten.Add(-30 * time.Minute), 2, 31},
		{"on the third page", ten.Add(-450 * time.Minute), 4, 451},
		{"before all", ten.Add(-5000 * time.Minute), 5, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { actionsPage(w, r, 1000, 0, "completed") })
			list, err := client(t, s.URL).Actions(t.Context(), tt.since)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(s.requests()); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
			if len(list.Items) < tt.least {
				t.Fatalf("%d actions, want at least the %d since then", len(list.Items), tt.least)
			}
			for i, a := range list.Items {
				if a.ID != int64(100000-i) {
					t.Fatalf("action %d is %d, want %d: none left out, newest first", i, a.ID, 100000-i)
				}
			}
		})
	}
	t.Run("while new ones come in", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) { actionsPage(w, r, 999+n, -(n - 1), "completed") })
		list, err := client(t, s.URL).Actions(t.Context(), ten.Add(-450*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range list.Items {
			if a.ID != int64(100000-i) {
				t.Fatalf("action %d is %d, want %d: each once, none left out", i, a.ID, 100000-i)
			}
		}
	})
	t.Run("while replicas lag", func(t *testing.T) {
		// Every second answer is of a replica that lacks the five newest: its
		// second page begins five actions later.
		s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 2 {
				actionsPage(w, r, 995, 5, "completed")
				return
			}
			actionsPage(w, r, 1000, 0, "completed")
		})
		list, err := client(t, s.URL).Actions(t.Context(), ten.Add(-450*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range list.Items {
			if a.ID != int64(100000-i) {
				t.Fatalf("action %d is %d, want %d: the gap between two replicas' pages shows", i, a.ID, 100000-i)
			}
		}
	})
}

func TestDropletsIncludesGPUs(t *testing.T) {
	droplet := func(id int, name string) string {
		return fmt.Sprintf(`{"id":%d,"name":%q,"status":"active","region":{"slug":"nyc3"},"size_slug":"s-1vcpu-1gb","locked":false,"tags":["a"],"created_at":"2026-11-01T10:00:00Z"}`, id, name)
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		switch q := r.URL.Query(); {
		case q.Get("type") == "gpus":
			answer(w, 200, fmt.Sprintf(`{"droplets":[%s,%s],"links":{},"meta":{"total":2}}`, droplet(3, "gpu"), droplet(4, "Web")))
		case q.Get("name") != "":
			answer(w, 200, fmt.Sprintf(`{"droplets":[%s],"links":{},"meta":{"total":1}}`, droplet(1, "web")))
		default:
			answer(w, 200, fmt.Sprintf(`{"droplets":[%s,%s],"links":{},"meta":{"total":2}}`, droplet(1, "web"), droplet(2, "db")))
		}
	})
	c := client(t, s.URL)
	ids := func(ds []digitalocean.Droplet) (ids []int64) {
		for _, d := range ds {
			ids = append(ids, d.ID)
		}
		return ids
	}
	list, err := c.Droplets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ids(list.Items), []int64{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("Droplets = %v, want %v", got, want)
	}
	named, err := c.DropletByName(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ids(named), []int64{1, 4}; !slices.Equal(got, want) {
		t.Errorf("DropletByName = %v, want %v", got, want)
	}
	want := digitalocean.Droplet{
		ID: 1, Name: "web", Status: "active", Region: "nyc3", Size: "s-1vcpu-1gb", Tags: []string{"a"},
		CreatedAt: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
	}
	if fmt.Sprint(list.Items[0]) != fmt.Sprint(want) {
		t.Errorf("droplet = %+v, want %+v", list.Items[0], want)
	}
}
