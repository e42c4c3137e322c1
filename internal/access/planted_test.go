package access_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A pile takes everything that is said, from any goroutine.
type pile struct {
	mu sync.Mutex
	bytes.Buffer
}

func (p *pile) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Buffer.Write(b)
}

// TestThePlantedTokenIsFoundNowhere stores a token, uses it against an API that
// fails in every way and throws the token back, and looks for it in all that
// was logged, returned, printed and written to the database.
func TestThePlantedTokenIsFoundNowhere(t *testing.T) {
	for engine, open := range map[string]func(*testing.T) (d *db.DB, pages func() []byte){
		"sqlite": func(t *testing.T) (*db.DB, func() []byte) {
			url := dbtest.SQLite(t)
			d := openDB(t, url)
			return d, func() []byte { return files(t, filepath.Dir(strings.TrimPrefix(url, "sqlite://"))) }
		},
		"postgres": func(t *testing.T) (*db.DB, func() []byte) {
			d := openDB(t, dbtest.Postgres(t))
			return d, func() []byte { return rows(t, d) }
		},
	} {
		t.Run(engine, func(t *testing.T) {
			d, pages := open(t)
			v := openVault(t)
			s := access.New(d, v)
			said := &pile{}
			say := func(values ...any) {
				for _, value := range values {
					fmt.Fprintf(said, "%v\n%+v\n%#v\n%s\n%q\n", value, value, value, value, value)
					if err, is := value.(error); is {
						fmt.Fprintln(said, err, fault.Message(err), fault.Code(err))
					}
					if encoded, err := json.Marshal(value); err == nil {
						said.Write(encoded)
					}
				}
			}
			log := slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))

			stored := set(t, s, "main", digitalocean.Provisioning, planted)
			say(stored, s, v)
			list, err := s.Tokens(t.Context())
			say(list, err)
			token, err := s.Token(t.Context(), "main", digitalocean.Provisioning)
			if err != nil {
				t.Fatal(err)
			}
			say(token)
			_, err = access.New(d, openVault(t)).Token(t.Context(), "main", digitalocean.Provisioning)
			say(err)

			var failures, observed atomic.Int64
			var calls sync.WaitGroup // most of their time is spent in pauses between tries
			for name, answer := range spiteful() {
				calls.Go(func() {
					api := httptest.NewServer(answer)
					defer api.Close()
					c, err := digitalocean.New(digitalocean.Options{
						BaseURL: api.URL, Account: "main", Purpose: digitalocean.Provisioning, Token: token, Logger: log,
					})
					if err != nil {
						t.Error(err)
						return
					}
					ctx := digitalocean.WithObserver(leave(t.Context()), func(c digitalocean.Call) { say(c); observed.Add(1) })
					_, err1 := c.Droplet(ctx, 1)
					_, err2 := c.CreateDropletSnapshot(ctx, 1, "arcadia-snap-1-cafe0001")
					err3 := c.DeleteSnapshot(ctx, "77")
					_, err4 := c.Snapshots(ctx)
					say(name, c, *c)
					for _, err := range []error{err1, err2, err3, err4} {
						say(err)
						log.Error("call failed", "error", err, "token", token, "client", c)
						if err != nil {
							failures.Add(1)
						}
					}
				})
			}
			calls.Wait()
			if failures.Load() < int64(3*len(spiteful())) {
				t.Errorf("%d calls failed, want nearly all: the test shows nothing", failures.Load())
			}
			if observed.Load() < int64(4*len(spiteful())) {
				t.Errorf("the observer was told of %d calls, want each: the test shows nothing", observed.Load())
			}

			for place, content := range map[string][]byte{"what was said": said.Bytes(), "the database": pages()} {
				if len(content) < 1000 {
					t.Errorf("%s is %d bytes: the test looks at nothing", place, len(content))
				}
				for _, form := range forms() {
					if i := bytes.Index(content, []byte(form)); i >= 0 {
						t.Errorf("the token shows in %s as %q: …%s…", place, form, content[max(0, i-80):min(len(content), i+120)])
					}
				}
			}
		})
	}
}

// forms are the token as it might turn up: itself, half of it, encoded.
func forms() []string {
	return []string{
		planted, planted[:20], planted[7:], fmt.Sprintf("%x", planted),
		base64.StdEncoding.EncodeToString([]byte(planted))[:32], base64.RawURLEncoding.EncodeToString([]byte(planted))[:32],
	}
}

// leave is a capability for the two changes that the test tries.
func leave(ctx context.Context) context.Context {
	return digitalocean.WithCapability(ctx, &digitalocean.Capability{
		Saga: "saga_1", Step: "create_droplet_snapshot",
		Permits: []digitalocean.Permit{
			digitalocean.DropletSnapshotPermit(1, "arcadia-snap-1-cafe0001"),
			digitalocean.DeleteSnapshotPermit("77"),
		},
		Valid: func() error { return nil },
	})
}

// spiteful are APIs that throw the token back in each part of an answer.
func spiteful() map[string]http.HandlerFunc {
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, strings.ReplaceAll(answer, "TOKEN", r.Header.Get("Authorization")))
			if tcp, ok := conn.(*net.TCPConn); ok && answer == "" {
				_ = tcp.SetLinger(0)
			}
		}
	}
	body := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			echo := r.Header.Get("Authorization")
			w.Header().Set("Content-Type", kind)
			w.Header().Set("X-Request-Id", echo)
			w.Header().Set("Location", "/"+strings.TrimPrefix(echo, "Bearer "))
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(text, "TOKEN", echo))
		}
	}
	const long = "long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long "
	return map[string]http.HandlerFunc{
		"401":                    body(401, "application/json", `{"id":"unauthorized","message":"Unable to authenticate you with TOKEN."}`),
		"403":                    body(403, "application/json", `{"id":"TOKEN","message":""}`),
		"422":                    body(422, "application/json", `{"id":"unprocessable_entity","message":"`+long+`TOKEN"}`),
		"500":                    body(500, "application/json", `{"id":"server_error","message":"panic in TOKEN"}`),
		"504 in HTML":            body(504, "text/html", `<html><body>Authorization: TOKEN</body></html>`),
		"200 in HTML":            body(200, "text/html", `<html><body>Authorization: TOKEN</body></html>`),
		"text":                   body(400, "text/plain", `bad header Authorization: TOKEN`),
		"redirect":               body(302, "text/plain", ``),
		"JSON of another shape":  body(200, "application/json", `{"droplet":{"id":"TOKEN"},"action":"TOKEN","snapshots":[{"id":{"TOKEN":1}}],"meta":{"total":"TOKEN"}}`),
		"an odd status":          body(200, "application/json", `{"action":{"id":9,"status":"TOKEN","type":"snapshot","started_at":"TOKEN","resource_id":1},"droplet":{"id":2,"name":"x"}}`),
		"reset":                  raw(""),
		"no HTTP":                raw("TOKEN\r\n\r\n"),
		"a header that is none":  raw("HTTP/1.1 200 OK\r\nTOKEN\r\n\r\n"),
		"a status that is none":  raw("HTTP/1.1 TOKEN\r\n\r\n"),
		"a length that is none":  raw("HTTP/1.1 200 OK\r\nContent-Length: TOKEN\r\n\r\n{}"),
		"an encoding of its own": raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: TOKEN\r\n\r\n{}"),
	}
}

func openDB(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// files is every byte in a directory: the database and its log, which is there
// while the database is open.
func files(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	logged := false
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name.Name()))
		if err != nil {
			t.Fatal(err)
		}
		logged = logged || strings.HasSuffix(name.Name(), "-wal") && len(content) > 0
		all = append(all, content...)
	}
	if !logged || !bytes.Contains(all, []byte("do_tokens")) {
		t.Errorf("%v holds no written-ahead log, or not the table: the test looks in the wrong place", names)
	}
	return all
}

// rows is every row of every table of ours, the ciphertext as it is and in text.
func rows(t *testing.T, d *db.DB) []byte {
	t.Helper()
	var all []byte
	tables, err := d.Read().QueryContext(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.Close() }()
	var names []string
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := tables.Err(); err != nil {
		t.Fatal(err)
	}
	for _, query := range append([]string{"SELECT ciphertext FROM do_tokens"}, selects(names)...) {
		all = append(all, column(t, d, query)...)
	}
	return all
}

// column is the only column of what a query finds, all of it in one piece.
func column(t *testing.T, d *db.DB, query string) (all []byte) {
	t.Helper()
	found, err := d.Read().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		var row []byte
		if err := found.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all = append(all, row...)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func selects(tables []string) []string {
	queries := make([]string, len(tables))
	for i, name := range tables {
		queries[i] = "SELECT CAST(t.* AS TEXT) FROM " + name + " t"
	}
	return queries
}
