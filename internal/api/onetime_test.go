package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/secret"
)

// TestSecretsAreNeverShown stores, lists and removes secrets over REST.
func TestSecretsAreNeverShown(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	if status, _, text := s.do(t, "POST", "/v1/tenants", `{"slug":"acme"}`); status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	for path, want := range map[string]int{"/v1/secrets/api-key": 200, "/v1/secrets/api-key?tenant=acme": 200, "/v1/secrets/api-key?tenant=nobody-here": 404, "/v1/secrets/API": 400} {
		status, _, text := s.do(t, "PUT", path, `{"value":"planted-9kx2"}`)
		if status != want || strings.Contains(string(text), "planted") {
			t.Errorf("PUT %s = %d %s, want %d", path, status, text, want)
		}
	}
	status, _, text := s.do(t, "GET", "/v1/secrets", "")
	var all client.List[client.Secret]
	if err := json.Unmarshal(text, &all); err != nil || status != 200 || len(all.Items) != 2 || all.Items[1].Tenant != "acme" || all.Items[1].Version != 1 {
		t.Errorf("%d %s: %v", status, text, err)
	}
	if strings.Contains(string(text), "planted") {
		t.Errorf("the list shows a value: %s", text)
	}
	if status, _, text := s.do(t, "DELETE", "/v1/secrets/api-key?tenant=acme", ""); status != 200 || !strings.Contains(string(text), `"revoked":0`) {
		t.Errorf("DELETE = %d %s", status, text)
	}
	if status, _, _ := s.do(t, "DELETE", "/v1/secrets/api-key?tenant=acme", ""); status != 404 {
		t.Errorf("a second DELETE = %d, want 404", status)
	}
}

// TestOneTimeAddresses asks as a droplet does, and as somebody does who should not.
func TestOneTimeAddresses(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	if status, _, text := s.do(t, "PUT", "/v1/secrets/key", `{"value":"planted-9kx2"}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	key := secret.Address{Kind: secret.HandOut, Name: "key", Stack: "stack_1", Saga: "saga_1", Resource: "droplet.web"}
	boot := secret.Address{Kind: secret.CallIn, Name: "boot", Stack: "stack_1", Saga: "saga_1", Resource: "droplet.web"}
	tokens, err := s.secrets.Open(t.Context(), "", []secret.Address{key, boot}, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	once, call := "/once/"+tokens[key].Reveal(), "/call/"+tokens[boot].Reveal()
	for _, tt := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"HEAD", once, 405, ""}, // uses nothing up
		{"POST", once, 405, ""},
		{"GET", once + "/", 404, ""},
		{"GET", "/once/" + strings.Repeat("0", 48), 404, ""},
		{"GET", "/once/", 404, ""},
		{"GET", "/once//../v1/sagas", 404, ""},
		{"GET", "/once/" + tokens[boot].Reveal(), 404, ""},
		{"GET", once, 200, "planted-9kx2"},
		{"GET", once, 410, ""},
		{"GET", call, 405, ""},
		{"POST", "/call/" + tokens[key].Reveal(), 404, ""},
		{"POST", call, 200, "ok\n"},
		{"POST", call, 200, "ok\n"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), tt.method, "https://arcadia.example.com"+tt.path, nil)
		req.Header.Set("Origin", "https://elsewhere.example.com")
		w := httptest.NewRecorder()
		s.oneTime.ServeHTTP(w, req)
		h := w.Header()
		if w.Code != tt.status || tt.text != "" && w.Body.String() != tt.text {
			t.Errorf("%s %s = %d %q, want %d %q", tt.method, tt.path, w.Code, w.Body, tt.status, tt.text)
		}
		if !strings.HasPrefix(h.Get("Content-Type"), "text/plain") || h.Get("Location") != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s has headers %v", tt.method, tt.path, h)
		}
		if tt.status != 200 && strings.Contains(w.Body.String(), "planted") {
			t.Errorf("%s %s gives the secret: %s", tt.method, tt.path, w.Body)
		}
	}
}

// TestStrangersAreBounded has many ask what there is not.
func TestStrangersAreBounded(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	var mu sync.Mutex
	var asking sync.WaitGroup
	answers := map[int]int{}
	for range 8 {
		asking.Go(func() {
			for range 100 {
				w := httptest.NewRecorder()
				s.oneTime.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/once/word", nil))
				if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
					t.Error("429 does not say when to ask again")
				}
				mu.Lock()
				answers[w.Code]++
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	if answers[404] < 200 || answers[429] == 0 || len(answers) != 2 {
		t.Errorf("answered %v, want 200 at once and then 429", answers)
	}
}
