package provisioning_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// TestProbesAskThroughAProxy: names that only the proxy knows are left to it, by CONNECT for
// connections and TLS and as they are for http, with its password; what it refuses is no
// content probe.
func TestProbesAskThroughAProxy(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer target.Close()
	var mu sync.Mutex
	var asked []string
	bastion := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		mu.Unlock()
		switch {
		case strings.HasPrefix(r.Host, "closed."):
			w.WriteHeader(http.StatusForbidden)
		case r.Method != http.MethodConnect:
			w.WriteHeader(http.StatusNoContent)
		default:
			there, err := net.Dial("tcp", target.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer there.Close()
			w.WriteHeader(http.StatusOK)
			here, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer here.Close()
			_, _ = io.Copy(there, here) // until the probe hangs up
		}
	}))
	defer bastion.Close()
	proxy, err := url.Parse(bastion.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy.User = url.UserPassword("arcadia", "open sesame")
	probe := provisioning.Prober(proxy)
	const password = "Basic YXJjYWRpYTpvcGVuIHNlc2FtZQ=="
	for _, tt := range []struct {
		kind, host string
		port       int
		content    bool
		asks       string
	}{
		{"tcp", "stack.invalid", 443, true, "CONNECT stack.invalid:443 " + password},
		{"http", "stack.invalid", 8080, true, "GET stack.invalid:8080 " + password},
		{"https", "closed.invalid", 443, false, "CONNECT closed.invalid:443 " + password},
		{"tcp", "closed.invalid", 22, false, "CONNECT closed.invalid:22 " + password},
		{"http", "closed.invalid", 80, false, "GET closed.invalid:80 " + password},
	} {
		said, err := probe(t.Context(), blueprint.Probe{Type: tt.kind, Port: tt.port, Path: "/healthz", Status: http.StatusNoContent}, tt.host)
		if (err == nil) != tt.content || tt.content == (said == "") {
			t.Errorf("%s %s: %q, %v", tt.kind, tt.host, said, err)
		}
		mu.Lock()
		if !slices.Equal(asked, []string{tt.asks}) {
			t.Errorf("%s %s asked the proxy %q, want %q", tt.kind, tt.host, asked, tt.asks)
		}
		asked = nil
		mu.Unlock()
	}
}
