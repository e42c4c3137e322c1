package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

const plantedSecret = "zq7planted8droplet9kx2"

const asker = `name: asker
version: 1
region: nyc3
parameters:
  key: {type: secret}
droplets:
  web:
    size: s-1vcpu-1gb
    image: debian-12-x64
    cloud_init: |
      #!/bin/sh
      key=$(curl --fail {{ secret "key" }})
      curl --request POST {{ .callback.boot }}
health:
  boot: {type: callback, droplet: web, timeout: 1m}
`

// TestThePlantedSecretIsFoundNowhere stores a secret through the REST API and makes a
// stack whose droplet gets it over HTTP, and looks for it, and for the tokens of the
// one-time addresses, in what the whole process logs, answers and keeps.
func TestThePlantedSecretIsFoundNowhere(t *testing.T) {
	cloud := dosimtest.Start(t, dosim.Options{Params: map[string]string{
		"droplet.create": "80ms", "lag.get_after_create": "40ms", "lag.list_after_create": "50ms", "lag.status": "20ms", "lag.tag": "30ms", "lag.replica": "30ms",
	}})
	userData := make(chan string, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/v2/droplets" {
			body, err := io.ReadAll(r.Body)
			var asked struct {
				UserData string `json:"user_data"`
			}
			if err = errors.Join(err, json.Unmarshal(body, &asked)); err != nil {
				t.Error(err)
			}
			userData <- asked.UserData
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		forward(t, cloud, w, r)
	}))
	defer api.Close()

	said, answers := &pile{}, &pile{}
	log := slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	dir := filepath.Join(t.TempDir(), "data")
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	a, err := Open(t.Context(), Config{
		DataDir: dir, APIURL: api.URL, PublicURL: base + "/", Lease: 3 * time.Second, Horizon: 100 * time.Millisecond, Settle: 100 * time.Millisecond, Poll: 100 * time.Millisecond,
	}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan string, 1)
	go func() { ended <- a.run(ctx, l, All, func(at string) { ready <- at }) }()
	<-ready
	send := func(method, path, body string) (int, string) {
		t.Helper()
		res, text := exchange(t, method, base+path, body)
		return res.StatusCode, text
	}
	ask := func(method, path, body string, into any) {
		t.Helper()
		status, text := send(method, path, body)
		fmt.Fprintln(answers, method, path, status, text)
		if status >= 300 {
			t.Fatalf("%s %s = %d %s", method, path, status, text)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask("PUT", "/v1/tokens/provisioning", `{"token":"`+planted+`"}`, nil)
	ask("POST", "/v1/tenants", `{"slug":"acme"}`, nil)
	ask("PUT", "/v1/secrets/app-key?tenant=acme", `{"value":"`+plantedSecret+`"}`, nil)
	source, err := json.Marshal(asker)
	if err != nil {
		t.Fatal(err)
	}
	ask("POST", "/v1/blueprints", `{"name":"asker.yaml","source":`+string(source)+`}`, nil)
	var plan struct{ ID string }
	ask("POST", "/v1/plans", `{"verb":"provision","blueprint":"asker","tenant":"acme","name":"web","parameters":{"key":"app-key"}}`, &plan)
	var applied struct{ Saga struct{ ID string } }
	ask("POST", "/v1/plans/"+plan.ID+"/apply", "", &applied)

	var tokens []string
	for _, at := range regexp.MustCompile(regexp.QuoteMeta(base)+`(/once/|/call/)([0-9a-f]{48})`).FindAllStringSubmatch(<-userData, -1) {
		tokens = append(tokens, at[2])
		method, want := http.MethodGet, plantedSecret
		if at[1] == "/call/" {
			method, want = http.MethodPost, "ok\n"
		}
		if status, text := send(method, at[1]+at[2], ""); status != 200 || text != want { // what the droplet alone hears
			t.Errorf("%s %s… = %d %q", method, at[1], status, text)
		}
		status, text := send(http.MethodGet, "/"+at[1]+at[2], "")          // an unclean path
		fmt.Fprintln(answers, status, strings.ReplaceAll(text, at[2], "")) // a page may say which path it has not
	}
	if len(tokens) != 2 {
		t.Fatalf("the user data has %d addresses, want 2", len(tokens))
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		s, err := a.engine.Saga(t.Context(), saga.ID(applied.Saga.ID))
		if err != nil || s.State.Ended() || s.State == saga.Stuck || time.Now().After(deadline) {
			if err != nil || s.State != saga.Completed {
				t.Fatalf("the saga is %s: %+v, %v", s.State, s.Error, err)
			}
			break
		}
	}
	for _, path := range []string{
		"/v1/sagas/" + applied.Saga.ID, "/v1/sagas/" + applied.Saga.ID + "/events", "/v1/plans/" + plan.ID, "/v1/stacks", "/v1/stacks/acme%2Fweb", "/v1/secrets", "/v1/checks",
		"/sagas/" + applied.Saga.ID, "/stacks",
	} {
		ask("GET", path, "", nil)
	}
	kept := files(t, dir)
	stop()
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Fatal(err)
	}
	var forms []string
	for _, text := range append(tokens, plantedSecret) {
		forms = append(forms, text, text[:20], fmt.Sprintf("%x", text), base64.StdEncoding.EncodeToString([]byte(text))[:24])
	}
	showsNowhere(t, forms, map[string][]byte{"the logs": said.bytes(), "the answers": answers.bytes(), "the data directory": kept})
}
