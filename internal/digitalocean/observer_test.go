package digitalocean_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

func TestObserverIsToldOfEverySending(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch n {
		case 1: // POST
			w.Header().Set("X-Request-Id", "req-post")
			answer(w, 201, snapshotAction)
		case 2: // DELETE, tried again
			refuse(w, 503, "service_unavailable", "Not now.")
		case 3:
			w.Header().Set("X-Request-Id", "req-delete")
			w.WriteHeader(204)
		case 4: // GET
			refuse(w, 404, "not_found", "No such droplet for "+r.Header.Get("Authorization"))
		case 5:
			reset(w)
		}
	})
	c := client(t, api.URL)
	var calls []digitalocean.Call
	ctx := digitalocean.WithObserver(may().in(t.Context()), func(c digitalocean.Call) { calls = append(calls, c) })
	_, _ = c.CreateDropletSnapshot(ctx, 1, "arcadia-snap-1-cafe0001")
	_ = c.DeleteSnapshot(ctx, "77")
	_, _ = c.Droplet(ctx, 1)
	_, _ = c.CreateDropletSnapshot(ctx, 1, "arcadia-snap-1-cafe0001")
	_, _ = c.CreateDropletSnapshot(ctx, 2, "arcadia-snap-2-cafe0001") // not permitted

	for i, call := range calls {
		if sent := call.Took > 0; sent == call.Unsent || call.Took > 10*time.Second {
			t.Errorf("call %d took %s, unsent %v", i, call.Took, call.Unsent)
		}
		if strings.Contains(call.Error, planted) {
			t.Errorf("call %d holds the token: %q", i, call.Error)
		}
		calls[i].Took = 0
		calls[i].Error = strings.Split(call.Error, ":")[0]
	}
	want := []digitalocean.Call{
		{Method: "POST", Path: "/v2/droplets/1/actions", Attempt: 1, Status: 201, RequestID: "req-post"},
		{Method: "DELETE", Path: "/v2/snapshots/77", Attempt: 1, Status: 503, RequestID: "req-1", Kind: digitalocean.Unknown, Error: "Not now."},
		{Method: "DELETE", Path: "/v2/snapshots/77", Attempt: 2, Status: 204, RequestID: "req-delete"},
		{Method: "GET", Path: "/v2/droplets/1", Attempt: 1, Status: 404, RequestID: "req-1", Kind: digitalocean.NotFound, Error: "No such droplet for Bearer [redacted]"},
		{Method: "POST", Path: "/v2/droplets/1/actions", Attempt: 1, Kind: digitalocean.Unknown, Error: "read tcp 127.0.0.1"},
		{
			Method: "POST", Path: "/v2/droplets/2/actions", Attempt: 1, Kind: digitalocean.NotSent, Unsent: true,
			Error: "Step create_droplet_snapshot of saga saga_1 may not send POST /v2/droplets/2/actions as it stands.",
		},
	}
	if !reflect.DeepEqual(calls, want) {
		t.Errorf("the observer was told\n%+v\nwant\n%+v", calls, want)
	}
}
