package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// planted has no hex digits only, so that nothing else looks like a part of it.
const planted = "dop_v1_zq7planted8wholeprocess9kx2"

// A pile takes everything that is said, from any goroutine.
type pile struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (p *pile) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.Write(b)
}

func (p *pile) bytes() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.all.Bytes())
}

// spite is an API that throws its caller's token back, in one of these ways; where
// nothing is said of a request, the simulated cloud answers it.
type spite struct {
	name   string
	only   string // method, empty for all
	status int
	kind   string
	body   string // TOKEN is the Authorization header
}

var spites = []spite{
	{"a refused POST", "POST", 422, "application/json", `{"id":"TOKEN","message":"TOKEN may not"}`},
	{"a lost answer", "POST", 504, "text/html", `<html>TOKEN</html>`},
	{"an odd action", "POST", 201, "application/json", `{"action":{"id":7,"status":"TOKEN","type":"snapshot","resource_id":TARGET,"resource_type":"TOKEN"}}`},
	{"another answer", "POST", 201, "application/json", `{"action":"TOKEN"}`},
	{"an expired token", "", 401, "application/json", `{"id":"unauthorized","message":"TOKEN has expired"}`},
	{"a broken server", "GET", 500, "application/json", `{"id":"server_error","message":"panic: TOKEN"}`},
}

// TestThePlantedTokenIsFoundNowhere stores a token through the REST API, has sagas
// run against a cloud that throws it back in its answers, and looks for it in what
// the whole process logs, answers, streams and keeps.
func TestThePlantedTokenIsFoundNowhere(t *testing.T) {
	cloud := dosimtest.Start(t, dosim.Options{Params: map[string]string{
		"action.snapshot": "50ms", "lag.snapshot_visible": "20ms", "lag.list_after_delete": "20ms",
	}})
	var now atomic.Pointer[spite] // nil: the cloud behaves
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		echo := r.Header.Get("Authorization")
		w.Header().Set("X-Request-Id", echo)
		s := now.Load()
		if s == nil || s.only != "" && s.only != r.Method {
			forward(t, cloud, w, r)
			return
		}
		target := strings.Split(r.URL.Path+"///", "/")[3]
		w.Header().Set("Content-Type", s.kind)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, strings.NewReplacer("TOKEN", echo, "TARGET", target).Replace(s.body))
	}))
	defer api.Close()

	said, answers := &pile{}, &pile{}
	log := slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	dir := filepath.Join(t.TempDir(), "data")
	a, err := Open(t.Context(), Config{
		DataDir: dir, APIURL: api.URL, Lease: 3 * time.Second, Horizon: 100 * time.Millisecond, Settle: 100 * time.Millisecond, Poll: 250 * time.Millisecond, // more looks would use the rate limit up
	}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, url := make(chan error, 1), make(chan string, 1)
	go func() { ended <- a.run(ctx, l, All, func(at string) { url <- at }) }()
	base := <-url
	ask := func(method, path, body string) {
		t.Helper()
		res, text := exchange(t, method, base+path, body)
		fmt.Fprintln(answers, method, path, res.Status, res.Header, text)
	}
	ask("PUT", "/v1/tokens/provisioning", `{"token":"`+planted+`"}`)
	streaming := stream(ctx, t, base+"/v1/events", answers)
	c, err := client.New(base, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range spites {
		drop := cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("web-%d", i)})
		now.Store(nil)
		s, _, err := c.SmokeDroplet(t.Context(), client.DropletRef{Droplet: fmt.Sprint(drop)}, "")
		if err != nil {
			t.Fatal(err)
		}
		now.Store(&spites[i])
		for _, path := range []string{"/v1/droplets", "/v1/checks", "/v1/tokens"} {
			ask("GET", path, "")
		}
		ask("POST", fmt.Sprintf("/v1/droplets/%d/snapshot", drop), "{}")
		tried += await(t, a.engine, saga.ID(s.ID))
		now.Store(nil)
		for _, path := range []string{"", "/events", "/leftovers"} {
			ask("GET", "/v1/sagas/"+s.ID+path, "")
		}
	}
	ask("GET", "/v1/sagas", "")
	ask("GET", "/v1/sagas?state=stuck", "")
	kept := files(t, dir) // with the log of the database, which its end removes
	stop()
	<-streaming
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Fatal(err)
	}
	if tried < len(spites) {
		t.Errorf("the sagas of %d spites recorded %d failures: the test shows nothing", len(spites), tried)
	}
	showsNowhere(t, []string{
		planted, planted[:20], planted[7:], fmt.Sprintf("%x", planted), base64.StdEncoding.EncodeToString([]byte(planted))[:32],
	}, map[string][]byte{"the logs": said.bytes(), "the answers": answers.bytes(), "the data directory": kept})
}

// showsNowhere asks that none of the forms of what was planted is in any place.
func showsNowhere(t *testing.T, forms []string, places map[string][]byte) {
	t.Helper()
	for place, content := range places {
		if len(content) < 1000 {
			t.Errorf("%s are %d bytes: the test looks at nothing", place, len(content))
		}
		for _, form := range forms {
			if i := bytes.Index(content, []byte(form)); i >= 0 {
				t.Errorf("%q shows in %s: …%s…", form, place, content[max(0, i-100):min(len(content), i+100)])
			}
		}
	}
}

// exchange sends a request, and returns the answer and what is in it.
func exchange(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// forward has the simulated cloud answer, under a token of its own.
func forward(t *testing.T, cloud *dosimtest.Server, w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, cloud.URL+r.URL.RequestURI(), r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	req.ContentLength = r.ContentLength
	req.Header.Set("Authorization", "Bearer "+cloud.Token)
	req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	res, err := cloud.Client.Do(req)
	if err != nil {
		return // the test has ended
	}
	defer res.Body.Close()
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

// await waits until the saga has recorded a failure, a lost answer or its end, and
// answers how many of its events tell of one.
func await(t *testing.T, e *saga.Engine, id saga.ID) (failures int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		events, err := e.Events(t.Context(), id, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		failures = 0
		for _, ev := range events {
			if ev.Type == "step_failed" && ev.Step != "fail" || ev.Type == "step_retry" || strings.Contains(string(ev.Detail), "lost") {
				failures++
			}
		}
		if s, err := e.Saga(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if failures > 0 || s.State.Ended() || s.State == saga.Stuck {
			return failures
		}
	}
	t.Fatalf("nothing became of saga %s", id)
	return 0
}

// stream adds what a stream of events says to the answers, until ctx is done.
func stream(ctx context.Context, t *testing.T, url string, answers io.Writer) (ended <-chan struct{}) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer res.Body.Close()
		_, _ = io.Copy(answers, res.Body)
	}()
	return done
}

// files is every byte in the data directory.
func files(t *testing.T, dir string) (all []byte) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	if !bytes.Contains(all, []byte("saga_events")) {
		t.Errorf("%v holds no events: the test looks in the wrong place", names)
	}
	return all
}
