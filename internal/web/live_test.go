package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// follow opens a stream and answers the lines of it that say that something changed,
// with the number of the feed.
func (s *server) follow(t testing.TB, path, last string) (changes <-chan string, leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s answers %d %s", path, res.StatusCode, kind)
	}
	out, ended := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(ended)
		changed := false
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			id, isID := strings.CutPrefix(lines.Text(), "id: ")
			changed = changed || lines.Text() == "event: saga"
			if isID && changed {
				out <- id
				changed = false
			}
		}
	}()
	return out, func() {
		cancel()
		<-ended
		res.Body.Close()
	}
}

// next waits for the next change.
func next(t testing.TB, changes <-chan string) string {
	t.Helper()
	select {
	case id := <-changes:
		return id
	case <-time.After(20 * time.Second):
		t.Fatal("no change was told")
		return ""
	}
}

func silent(t testing.TB, changes <-chan string, d time.Duration) {
	t.Helper()
	select {
	case id := <-changes:
		t.Errorf("a change was told (%s) where there was none", id)
	case <-time.After(d):
	}
}

// An open page is told of what came after it was made, gathered, and is told once of
// all that it missed.
func TestStreamTellsWhatChanged(t *testing.T) {
	s := serve(t, dbtest.New(t))
	made := s.create(t)
	by := saga.Actor{Name: "cli:tester"}
	start := func(id saga.ID) {
		t.Helper()
		if _, err := s.engine.Start(t.Context(), id, by); err != nil {
			t.Fatal(err)
		}
	}
	changes, leave := s.follow(t, "/events?after=0", "")
	silent(t, changes, 50*time.Millisecond)
	start(made.ID)
	first := next(t, changes)
	leave()

	for range 5 { // while nobody looks
		start(s.create(t).ID)
	}
	changes, leave = s.follow(t, "/events?after=0", first)
	for at := next(t, changes); at != "6"; at = next(t, changes) {
		if at <= first {
			t.Fatalf("it was told %s again", at)
		}
	}
	silent(t, changes, 100*time.Millisecond)
	leave()

	// A number of another database: the page reads itself, and goes on from here.
	changes, leave = s.follow(t, "/events?after=0", "900")
	if at := next(t, changes); at != "6" {
		t.Errorf("it is told %s, want 6", at)
	}
	leave()
}

// A deaf reader takes nothing: its writes run into their deadline.
type deaf struct {
	header   http.Header
	deadline time.Time
}

func (d *deaf) Header() http.Header                { return d.header }
func (d *deaf) WriteHeader(int)                    {}
func (d *deaf) Flush()                             {}
func (d *deaf) SetWriteDeadline(t time.Time) error { d.deadline = t; return nil }
func (d *deaf) Write([]byte) (int, error)          { return 0, os.ErrDeadlineExceeded }

func TestDeafReaderIsDropped(t *testing.T) {
	s := serve(t, dbtest.New(t))
	s.create(t)
	d := &deaf{header: http.Header{}}
	ended := make(chan struct{})
	go func() {
		s.Config.Handler.ServeHTTP(d, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/events?after=0", nil))
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the stream of a reader that takes nothing goes on")
	}
	if wait := time.Until(d.deadline); wait <= 0 || wait > 10*time.Second {
		t.Errorf("a write may take %s, want at most 10 s", wait)
	}
}

// What 200 open pages of one saga cost, and how soon all are told.
func TestManyFollowOnePage(t *testing.T) {
	s := serve(t, dbtest.New(t))
	made := s.create(t)
	const pages = 200
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := heap()
	var streams []<-chan string
	for range pages {
		changes, leave := s.follow(t, "/events?after=0&saga="+string(made.ID), "")
		defer leave()
		streams = append(streams, changes)
	}
	each := (heap() - before) / pages

	sent := time.Now()
	if _, err := s.engine.Start(t.Context(), made.ID, saga.Actor{Name: "cli:tester"}); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for _, changes := range streams {
		next(t, changes)
		took = append(took, time.Since(sent))
	}
	// Both ends of each connection are in this process.
	if each > 200<<10 {
		t.Errorf("each open page costs %d KB, both ends of it", each>>10)
	}
	t.Logf("%d open pages of one saga: %d KB each, both ends counted; the last was told after %s", pages, each>>10, slices.Max(took).Round(time.Millisecond))
}

// The server's time for the page of a saga among ten thousand.
func TestSagaPageAmongMany(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand sagas take a while")
	}
	s := serve(t, dbtest.New(t))
	const many = 10_000
	var one saga.Saga
	for i := range many {
		one = s.createOn(t, int64(i/20+1)) // twenty a droplet
	}
	for name, path := range map[string]string{"saga": "/sagas/" + string(one.ID), "list of sagas": "/sagas", "overview": "/"} {
		var took []time.Duration
		for range 50 {
			from := time.Now()
			if a := s.get(t, path, "Accept-Encoding", "gzip"); a.status != http.StatusOK {
				t.Fatalf("%s: %d", path, a.status)
			}
			took = append(took, time.Since(from))
		}
		slices.Sort(took)
		t.Logf("the page %s with %d sagas in the database: median %s, 95th of 100 %s", name, many,
			took[25].Round(10*time.Microsecond), took[47].Round(10*time.Microsecond))
	}
}
