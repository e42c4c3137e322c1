package digitalocean_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const planted = "dop_v1_5e11a9plantedc0ffee"

// A server is an API whose every answer a test writes itself: for answers that
// DigitalOcean gives on its worst days only.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "POST /v2/droplets/1/actions"
}

// serve answers the n-th request, from 1, with answer.
func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.URL.Path)
		n := len(s.seen)
		s.mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, r, n)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// client is a provisioning client of the API at url.
func client(t *testing.T, url string, change ...func(*digitalocean.Options)) *digitalocean.Client {
	t.Helper()
	o := digitalocean.Options{
		BaseURL: url, Account: "main", Purpose: digitalocean.Provisioning,
		Token: vault.NewSecret(planted), Timeout: 2 * time.Second,
	}
	for _, f := range change {
		f(&o)
	}
	c, err := digitalocean.New(o)
	if err != nil {
		t.Fatal(err)
	}
	digitalocean.TryAgainAfter(c, time.Millisecond)
	return c
}

// A leave is a capability that notes what the client reports to it.
type leave struct {
	digitalocean.Capability
	sent     int
	answered []bool
}

// may is leave to snapshot droplet 1 as "arcadia-snap-1-cafe0001" and to delete
// snapshot 77.
func may() *leave {
	l := &leave{}
	l.Capability = digitalocean.Capability{
		Saga: "saga_1", Step: "create_droplet_snapshot", Epoch: 1, Kind: "snapshot_droplet",
		Permits: []digitalocean.Permit{
			digitalocean.DropletSnapshotPermit(1, "arcadia-snap-1-cafe0001"),
			digitalocean.DeleteSnapshotPermit("77"),
		},
		Valid:    func() error { return nil },
		Sent:     func() { l.sent++ },
		Answered: func(known bool) { l.answered = append(l.answered, known) },
	}
	return l
}

func (l *leave) in(ctx context.Context) context.Context {
	return digitalocean.WithCapability(ctx, &l.Capability)
}

// answer writes a whole JSON answer.
func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// refuse writes DigitalOcean's error form.
func refuse(w http.ResponseWriter, status int, id, message string) {
	w.Header().Set("X-Request-Id", "req-1")
	answer(w, status, fmt.Sprintf(`{"id":%q,"message":%q,"request_id":"req-1"}`, id, message))
}

// reset breaks the connection without a word.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

const snapshotAction = `{"action":{"id":9,"status":"in-progress","type":"snapshot","started_at":"2026-11-01T10:00:00Z","completed_at":null,"resource_id":1,"resource_type":"droplet","region_slug":"nyc3"}}`
