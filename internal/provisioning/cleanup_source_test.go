package provisioning_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A recaller answers a list as it was once, while it is told to.
type recaller struct {
	next http.RoundTripper
	path string
	then atomic.Pointer[[]byte]
	back atomic.Bool
}

func (r *recaller) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodGet || req.URL.Path != r.path {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if r.back.Load() {
		body = *r.then.Load()
	} else if r.then.Load() == nil {
		r.then.Store(&body)
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Del("Content-Length")
	return res, nil
}

// TestASnapshotOfWhatIsThereAgainIsSpared: that the source of a snapshot is gone is what
// lists say, and one may have been short. A snapshot whose source a later list shows is
// not planned to be deleted, and spared where it was marked.
func TestASnapshotOfWhatIsThereAgainIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recaller{path: "/v2/volumes"}
		l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, func(next http.RoundTripper) http.RoundTripper { r.next = next; return r }).open()
		source := plainID(l.volume("source"))
		time.Sleep(l.horizon())
		if _, err := l.service.PlanStack(t.Context(), l.cleanup(), "cli:test", time.Now()); err == nil {
			t.Fatal("what no list of the inventory has was planned")
		}
		if r.then.Load() == nil || !bytes.Contains(*r.then.Load(), []byte(source)) {
			t.Fatal("the list with the source was not seen")
		}
		snapshot := "do:snapshot:" + l.hand().ask("POST", "/v2/volumes/"+source+"/snapshots", `{"name":"copy"}`, "snapshot", "id")
		other := l.snapshot("other")
		l.hand().ask("DELETE", "/v2/volumes/"+source, "")
		l.list(l.book)

		r.back.Store(true)
		p := must(l.service.PlanStack(t.Context(), l.cleanup(), "cli:test", time.Now()))
		if d := p.Destroys(); len(d) != 1 || d[0].URN != other || !strings.Contains(strings.Join(p.Warnings, " "), snapshot+" (what it was taken of is there)") {
			t.Errorf("the source is listed, and the plan destroys %+v, warning %q", d, p.Warnings)
		}
		r.back.Store(false)
		_, started := l.begin()
		r.back.Store(true)
		settle(t, l.engine, started, saga.Completed)
		if got := l.there(map[string]string{"snapshot": snapshot, "other": other}); len(got) != 1 || got[0] != "snapshot" {
			t.Errorf("there is %q, want the snapshot whose source is listed again", got)
		}
		if got := l.became()[snapshot]; got != string(provisioning.Spared)+" what it was taken of is there" {
			t.Errorf("its mark: %q", got)
		}
	})
}
