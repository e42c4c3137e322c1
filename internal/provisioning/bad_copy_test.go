package provisioning_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A misreport has the cloud say something else of each single snapshot than it is.
type misreport struct {
	next     http.RoundTripper
	on       atomic.Bool
	was, say string
}

func (m *misreport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(r)
	if err != nil || !m.on.Load() || r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v2/snapshots/") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	body = bytes.ReplaceAll(body, []byte(m.was), []byte(m.say))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

// TestNothingIsDestroyedForABadCopy has each saga that destroys what it has copied find
// that a copy is in another region: it takes everything back, and the stack is in service.
func TestNothingIsDestroyedForABadCopy(t *testing.T) {
	for name, r := range map[string]provisioning.PlanRequest{
		"backup": on(provisioning.BackUp), "teardown": on(provisioning.Teardown), "archive": on(provisioning.Suspend, "level", "3"), "rebuild": on(provisioning.Rebuild),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &misreport{was: `"nyc3"`, say: `"fra1"`}
				y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, func(next http.RoundTripper) http.RoundTripper {
					m.next = next
					return m
				})
				y.standing()
				engine := y.engine(y.options)
				s := y.serve(engine)
				m.on.Store(true)
				_, end := y.apply(s, engine, r, saga.RolledBack)
				if end.Error == nil || !strings.Contains(end.Error.Message, "nyc3") {
					t.Errorf("it failed with %+v, want that a copy is not in nyc3", end.Error)
				}
				time.Sleep(12 * y.options.Poll)
				if got := untagged(y.kinds()); !slices.Equal(got, whole) {
					t.Errorf("there is %q, want %q", got, whole)
				}
				if is := y.look(s); is.droplet.Status != "active" {
					t.Errorf("the droplet is %s", is.droplet.Status)
				}
				if all, err := s.Backups(t.Context(), y.stack(s).ID, true); err != nil || len(all) != 0 {
					t.Errorf("a bad copy counts as a backup: %+v, %v", all, fault.Message(err))
				}
			})
		})
	}
}
