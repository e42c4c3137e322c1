package digitalocean_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// badAnswers are the answers that are not a plain success, with what they mean
// to a read and to a change.
var badAnswers = []struct {
	name   string
	answer func(w http.ResponseWriter, r *http.Request)
	read   digitalocean.Kind
	change digitalocean.Kind
	again  bool // a read is tried again
}{
	{"400", status(400, "bad_request"), digitalocean.Unprocessable, digitalocean.Unprocessable, false},
	{"401", status(401, "unauthorized"), digitalocean.Unauthorized, digitalocean.Unauthorized, false},
	{"403", status(403, "forbidden"), digitalocean.Forbidden, digitalocean.Forbidden, false},
	{"404", status(404, "not_found"), digitalocean.NotFound, digitalocean.NotFound, false},
	{"409", status(409, "conflict"), digitalocean.Conflict, digitalocean.Conflict, false},
	{"412", status(412, "precondition_failed"), digitalocean.Conflict, digitalocean.Conflict, false},
	{"422", status(422, "unprocessable_entity"), digitalocean.Unprocessable, digitalocean.Unprocessable, false},
	{"422 pending event", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 422, "unprocessable_entity", "Droplet already has a pending event.")
	}, digitalocean.PendingEvent, digitalocean.PendingEvent, false},
	{"429 of the hour", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Ratelimit-Limit", "5000")
		w.Header().Set("Ratelimit-Remaining", "0")
		w.Header().Set("Ratelimit-Reset", "1000000000") // 2001
		refuse(w, 429, "too_many_requests", "API Rate limit exceeded.")
	}, digitalocean.RateLimited, digitalocean.RateLimited, false},
	{"500", status(500, "server_error"), digitalocean.Unavailable, digitalocean.Unknown, true},
	{"503", status(503, "service_unavailable"), digitalocean.Unavailable, digitalocean.Unknown, true},
	{"504 in HTML", html(504), digitalocean.Unavailable, digitalocean.Unknown, true},
	{"200 in HTML", html(200), digitalocean.Unavailable, digitalocean.Unknown, true},
	{"403 in HTML", html(403), digitalocean.Unavailable, digitalocean.Unknown, true},
	{"404 in HTML", html(404), digitalocean.Unavailable, digitalocean.Unknown, true},
	{"404 without the error form", func(w http.ResponseWriter, _ *http.Request) { answer(w, 404, `{}`) },
		digitalocean.Unavailable, digitalocean.Unknown, true},
	{"a redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	},
		digitalocean.Unavailable, digitalocean.Unknown, true},
	{"a redirect in the error form", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		refuse(w, 307, "moved", "Look elsewhere.")
	}, digitalocean.Unavailable, digitalocean.Unknown, true},
	{"cut short", func(w http.ResponseWriter, _ *http.Request) { answer(w, 201, snapshotAction[:40]) },
		digitalocean.Unavailable, digitalocean.Unknown, true},
	{"cut off on the line", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4000")
		answer(w, 201, snapshotAction)
	}, digitalocean.Unavailable, digitalocean.Unknown, true},
	{"reset", func(w http.ResponseWriter, _ *http.Request) { reset(w) }, digitalocean.Unavailable, digitalocean.Unknown, true},
	{"no end", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, snapshotAction)
		for range 17 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<20)); err != nil {
				return
			}
		}
	}, digitalocean.Unavailable, digitalocean.Unknown, true},
}

func status(code int, id string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, code, id, "Words of DigitalOcean.") }
}

func html(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html><title>504 Gateway Time-out</title></html>")
	}
}

func TestEveryBadAnswerHasItsMeaning(t *testing.T) {
	for _, tt := range badAnswers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of the time is spent in pauses between tries
			t.Run("read", func(t *testing.T) {
				t.Parallel()
				s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { tt.answer(w, r) })
				_, err := client(t, s.URL).Droplet(t.Context(), 1)
				wantKind(t, err, tt.read)
				if n := len(s.requests()); tt.again != (n > 1) {
					t.Errorf("%d requests; tried again = %v, want %v", n, n > 1, tt.again)
				}
			})
			t.Run("POST", func(t *testing.T) {
				t.Parallel()
				s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { tt.answer(w, r) })
				l := may()
				_, err := client(t, s.URL).CreateDropletSnapshot(l.in(t.Context()), 1, "arcadia-snap-1-cafe0001")
				wantKind(t, err, tt.change)
				if got := s.requests(); len(got) != 1 {
					t.Errorf("the POST was sent %d times: %v", len(got), got)
				}
				if want := []bool{tt.change != digitalocean.Unknown}; l.sent != 1 || !slices.Equal(l.answered, want) {
					t.Errorf("the capability heard Sent %d times and Answered %v, want 1 and %v", l.sent, l.answered, want)
				}
			})
			t.Run("DELETE", func(t *testing.T) {
				t.Parallel()
				if strings.HasPrefix(tt.name, "cut") || tt.name == "no end" {
					t.Skip("has no body to cut")
				}
				s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { tt.answer(w, r) })
				err := client(t, s.URL).DeleteSnapshot(may().in(t.Context()), "77")
				wantKind(t, err, tt.change)
				if n := len(s.requests()); tt.again != (n > 1) {
					t.Errorf("%d requests; tried again = %v, want %v", n, n > 1, tt.again)
				}
			})
		})
	}
}

// wantKind checks the kind, that no other kind matches, and that there is a
// sentence for a person.
func wantKind(t *testing.T, err error, want digitalocean.Kind) {
	t.Helper()
	for _, k := range []digitalocean.Kind{
		digitalocean.NotFound, digitalocean.PendingEvent, digitalocean.Conflict, digitalocean.RateLimited, digitalocean.Unauthorized,
		digitalocean.Forbidden, digitalocean.Unprocessable, digitalocean.Unavailable, digitalocean.Unknown, digitalocean.NotSent,
	} {
		if got := errors.Is(err, k); got != (k == want) {
			t.Errorf("errors.Is(%v, %s) = %v, want the kind %s alone", err, k, got, want)
		}
	}
	if msg := fault.Message(err); msg == "Something went wrong." || strings.Contains(msg, "<") {
		t.Errorf("the sentence for a person is %q", msg)
	}
	if got, want := fault.Code(err), "digitalocean_"+string(want); got != want {
		t.Errorf("code = %q, want %q", got, want)
	}
}

func TestA2xxThatDoesNotSayWhatWasDoneIsUnknown(t *testing.T) {
	for name, body := range map[string]string{
		"empty":              ``,
		"no action":          `{}`,
		"null":               `{"action":null}`,
		"no id":              `{"action":{"status":"in-progress","type":"snapshot","resource_id":1}}`,
		"of another sort":    strings.Replace(snapshotAction, `"snapshot"`, `"power_off"`, 1),
		"of another thing":   strings.Replace(snapshotAction, `"resource_id":1`, `"resource_id":2`, 1),
		"not JSON":           `done`,
		"id is not a number": strings.Replace(snapshotAction, `"id":9`, `"id":"x"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { answer(w, 201, body) })
			l := may()
			_, err := client(t, s.URL).CreateDropletSnapshot(l.in(t.Context()), 1, "arcadia-snap-1-cafe0001")
			wantKind(t, err, digitalocean.Unknown)
			if !slices.Equal(l.answered, []bool{false}) {
				t.Errorf("Answered %v, want [false]", l.answered)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("the POST was sent %d times", n)
			}
		})
	}
}

func TestSnapshotIsCreated(t *testing.T) {
	var body, header string
	s := serve(t, nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body, header = string(raw), r.Header.Get("Authorization")
		answer(w, 201, snapshotAction)
	})
	l := may()
	a, err := client(t, s.URL).CreateDropletSnapshot(l.in(t.Context()), 1, "arcadia-snap-1-cafe0001")
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != 9 || a.Status != digitalocean.ActionInProgress || a.Resource != 1 || !a.CompletedAt.IsZero() ||
		!a.StartedAt.Equal(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)) || a.At.IsZero() {
		t.Errorf("action = %+v", a)
	}
	if want := `{"name":"arcadia-snap-1-cafe0001","type":"snapshot"}`; strings.TrimSpace(body) != want {
		t.Errorf("body = %s, want %s", body, want)
	}
	if header != "Bearer "+planted {
		t.Errorf("Authorization = %q", header)
	}
	if l.sent != 1 || !slices.Equal(l.answered, []bool{true}) {
		t.Errorf("the capability heard Sent %d times and Answered %v, want 1 and [true]", l.sent, l.answered)
	}
}

// hang answers no request; it tells of each on arrived.
func hang(t *testing.T) (s *server, arrived chan struct{}) {
	t.Helper()
	release := make(chan struct{})
	arrived = make(chan struct{}, 16)
	s = serve(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	return s, arrived
}

func TestHangEndsWithTheTimeout(t *testing.T) {
	s, _ := hang(t)
	short := func(o *digitalocean.Options) { o.Timeout = 250 * time.Millisecond }
	l := may()
	_, err := client(t, s.URL, short).CreateDropletSnapshot(l.in(t.Context()), 1, "arcadia-snap-1-cafe0001")
	wantKind(t, err, digitalocean.Unknown)
	if n := len(s.requests()); n != 1 || !slices.Equal(l.answered, []bool{false}) {
		t.Errorf("%d POSTs, Answered %v; want 1, [false]", n, l.answered)
	}
	_, err = client(t, s.URL, short).Droplet(t.Context(), 1)
	wantKind(t, err, digitalocean.Unavailable)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("a request's timeout passes for the end of the caller's context")
	}
}

func TestACallCancelledOnItsWayIsUnknown(t *testing.T) {
	s, arrived := hang(t)
	ctx, cancel := context.WithCancel(may().in(t.Context()))
	defer cancel()
	go func() {
		<-arrived
		cancel()
	}()
	_, err := client(t, s.URL, func(o *digitalocean.Options) { o.Timeout = time.Minute }).
		CreateDropletSnapshot(ctx, 1, "arcadia-snap-1-cafe0001")
	wantKind(t, err, digitalocean.Unknown)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error of a cancelled call = %v, want one that is context.Canceled", err)
	}
}

func TestUnreachableAPIIsNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*digitalocean.Options){
		"its own transport": func(*digitalocean.Options) {},
		"the caller's":      func(o *digitalocean.Options) { o.Transport = &meter{next: http.DefaultTransport} },
	} {
		l := may()
		_, err = client(t, url, change).CreateDropletSnapshot(l.in(t.Context()), 1, "arcadia-snap-1-cafe0001")
		if !errors.Is(err, digitalocean.Unavailable) || !errors.Is(err, digitalocean.NotSent) || errors.Is(err, digitalocean.Unknown) {
			t.Errorf("POST without a connection over %s = %v, want Unavailable and NotSent", name, err)
		}
		if !slices.Equal(l.answered, []bool{true}) {
			t.Errorf("Answered %v, want [true]: it is known that nothing was sent", l.answered)
		}
	}
	if msg := fault.Message(err); !strings.Contains(msg, "cannot be reached") || !strings.Contains(msg, closed.Addr().String()) {
		t.Errorf("the sentence %q does not say what cannot be reached", msg)
	}
}

func TestDeleteSettlesWhatAnEarlierTryLeftOpen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []func(http.ResponseWriter, *http.Request)
		want    error
		tries   int
	}{
		{"done at once", []func(http.ResponseWriter, *http.Request){noContent}, nil, 1},
		{"500, then done", []func(http.ResponseWriter, *http.Request){status(500, "server_error"), noContent}, nil, 2},
		{"500 after it was done", []func(http.ResponseWriter, *http.Request){status(500, "server_error"), status(404, "not_found")}, digitalocean.NotFound, 2},
		{"500, then refused", []func(http.ResponseWriter, *http.Request){status(500, "server_error"), status(401, "unauthorized")}, digitalocean.Unknown, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) { tt.answers[n-1](w, r) })
			l := may()
			err := client(t, s.URL).DeleteSnapshot(l.in(t.Context()), "77")
			if !errors.Is(err, tt.want) {
				t.Errorf("DeleteSnapshot = %v, want %v", err, tt.want)
			}
			if got := len(s.requests()); got != tt.tries || l.sent != tt.tries || len(l.answered) != tt.tries {
				t.Errorf("%d requests, Sent %d times, Answered %v; want %d of each", got, l.sent, l.answered, tt.tries)
			}
		})
	}
	t.Run("500, then the lease is over", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { status(500, "server_error")(w, r) })
		l := may()
		l.Valid = func() error {
			if l.sent > 0 {
				return errors.New("the lease is over")
			}
			return nil
		}
		err := client(t, s.URL).DeleteSnapshot(l.in(t.Context()), "77")
		wantKind(t, err, digitalocean.Unknown)
		if n := len(s.requests()); n != 1 {
			t.Errorf("%d requests, want 1: the guard is asked before each", n)
		}
	})
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func TestBurst429IsWaitedOut(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Ratelimit-Remaining", "0")
			refuse(w, 429, "too_many_requests", "API Rate limit exceeded.")
			return
		}
		answer(w, 200, `{"account":{"uuid":"u-1","email":"ops@example.com","status":"active","droplet_limit":25}}`)
	})
	began := time.Now()
	if _, err := client(t, s.URL).Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("the second try came after %s, before the retry-after of 1 s", took)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s = serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", "60")
		refuse(w, 429, "too_many_requests", "API Rate limit exceeded.")
	})
	_, err := client(t, s.URL).Account(ctx)
	wantKind(t, err, digitalocean.RateLimited)
	if ctx.Err() != nil {
		t.Error("the call sat out its deadline although the wait was known to be longer")
	}
}

func TestTheTokenGoesToItsHostOnly(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(204) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, code)
		})
		ctx := may().in(t.Context())
		c := client(t, s.URL)
		_, err := c.Droplet(ctx, 1)
		wantKind(t, err, digitalocean.Unavailable)
		err = c.DeleteSnapshot(ctx, "77")
		wantKind(t, err, digitalocean.Unknown)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, elsewhere.URL+"/v2/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := digitalocean.Wire(client(t, "http://127.0.0.1:1")).RoundTrip(req); !errors.Is(err, digitalocean.NotSent) {
		t.Errorf("a request to another host = %v, want NotSent", err)
	}
	if got := elsewhere.requests(); len(got) != 0 {
		t.Errorf("the token went elsewhere: %v", got)
	}
}

// A looker sees the request as it leaves for the socket.
type looker func(*http.Request)

func (l looker) RoundTrip(r *http.Request) (*http.Response, error) {
	l(r)
	return nil, errors.New("no socket")
}

func TestNetHTTPCannotSendAPostAgain(t *testing.T) {
	looked := false
	c := client(t, "http://127.0.0.1:1", func(o *digitalocean.Options) {
		o.Transport = looker(func(r *http.Request) {
			looked = true
			if r.GetBody != nil || r.Header.Get("Idempotency-Key") != "" {
				t.Error("the request has what net/http sends a POST again with")
			}
		})
	})
	_, err := c.CreateDropletSnapshot(may().in(t.Context()), 1, "arcadia-snap-1-cafe0001")
	wantKind(t, err, digitalocean.Unknown) // whether this transport sent it cannot be seen
	if !looked {
		t.Error("nothing was sent")
	}
}

func TestNewRefusesWhatCannotBeRight(t *testing.T) {
	for name, change := range map[string]func(*digitalocean.Options){
		"no scheme":       func(o *digitalocean.Options) { o.BaseURL = "127.0.0.1:4010" },
		"a path":          func(o *digitalocean.Options) { o.BaseURL = "http://127.0.0.1:4010/account1/" },
		"a user":          func(o *digitalocean.Options) { o.BaseURL = "http://me@127.0.0.1:4010" },
		"a query":         func(o *digitalocean.Options) { o.BaseURL = "http://127.0.0.1:4010?x=1" },
		"another scheme":  func(o *digitalocean.Options) { o.BaseURL = "ftp://127.0.0.1" },
		"no account":      func(o *digitalocean.Options) { o.Account = "" },
		"no such purpose": func(o *digitalocean.Options) { o.Purpose = "everything" },
		"no token":        func(o *digitalocean.Options) { o.Token = vault.Secret{} },
		"a line break":    func(o *digitalocean.Options) { o.Token = vault.NewSecret(planted + "\n") },
	} {
		t.Run(name, func(t *testing.T) {
			o := digitalocean.Options{
				BaseURL: "http://127.0.0.1:4010", Account: "main", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(planted),
			}
			if _, err := digitalocean.New(o); err != nil {
				t.Fatalf("New with good options = %v", err)
			}
			change(&o)
			if _, err := digitalocean.New(o); !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), planted) {
				t.Errorf("New = %v, want fault.Invalid without the token", err)
			}
		})
	}
}
