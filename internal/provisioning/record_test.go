package provisioning_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// calls are the API calls that a saga's events tell of.
func calls(t *testing.T, e *saga.Engine, id saga.ID) (list []saga.Call, all []saga.Event) {
	t.Helper()
	all, err := e.Events(t.Context(), id, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range all {
		if ev.Type != saga.APICall {
			continue
		}
		var c saga.Call
		if err := json.Unmarshal(ev.Detail, &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list, all
}

// TestTheLedgerTellsEveryCall compares what a saga's events tell with what the
// cloud saw, request by request.
func TestTheLedgerTellsEveryCall(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.engine(w.options)
		s, _, err := w.serve(e).Smoke(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.RolledBack)
		var told, seen []string
		recorded, _ := calls(t, e, s.ID)
		for _, c := range recorded {
			told = append(told, fmt.Sprintf("%s %s %d %s", c.Method, c.Path, c.Status, c.RequestID))
		}
		for _, r := range w.cloud.Requests(0) {
			if r.Path == "/v2/actions" || r.Path == fmt.Sprintf("/v2/droplets/%d", w.droplet) {
				continue // by the watcher, for all sagas; by the verb, before there was a saga
			}
			seen = append(seen, fmt.Sprintf("%s %s %d %s", r.Method, r.Path, r.Status, r.RequestID))
		}
		if !slices.Equal(told, seen) || len(told) < 4 {
			t.Errorf("the ledger tells of\n%s\nthe cloud saw\n%s", strings.Join(told, "\n"), strings.Join(seen, "\n"))
		}
	})
}

// An echo answers changes with a refusal that throws the token back.
type echo struct{ next http.RoundTripper }

func (e echo) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return e.next.RoundTrip(r)
	}
	token := r.Header.Get("Authorization")
	body := fmt.Sprintf(`{"id":"unprocessable_entity","message":"No leave for %s.","request_id":%q}`, token, token)
	return &http.Response{
		StatusCode: http.StatusUnprocessableEntity, Header: http.Header{"X-Request-Id": {token}, "Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func TestTheTokenIsNotInTheLedger(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		w := newWorld(t, d, cloud, realPace, func(next http.RoundTripper) http.RoundTripper { return echo{next} })
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		recorded, events := calls(t, e, s.ID)
		if i := slices.IndexFunc(recorded, func(c saga.Call) bool { return c.Method == "POST" }); i < 0 ||
			!strings.Contains(recorded[i].Error, "No leave for Bearer [redacted].") || recorded[i].RequestID != "Bearer [redacted]" {
			t.Fatalf("the refusal is not told of: %+v", recorded)
		}
		kept, err := json.Marshal([]any{s, events})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{cloud.Token, cloud.Token[7:]} {
			if bytes.Contains(kept, []byte(secret)) {
				t.Errorf("the token %q is in the ledger:\n%s", secret, kept)
			}
		}
	})
}
