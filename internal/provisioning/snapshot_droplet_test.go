package provisioning_test

import (
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// post matches the request for a snapshot.
func post(kind dosim.FaultKind) dosim.Fault {
	return dosim.Fault{Kind: kind, Times: 1, Match: dosim.Match{Method: http.MethodPost, Path: "/v2/droplets/*/actions"}}
}

func state(t *testing.T, s saga.Saga) provisioning.Snapshot {
	t.Helper()
	st, err := saga.StateOf[provisioning.Snapshot](s)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestSnapshotIsTaken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.engine(w.options)
		service := w.serve(e)
		s, _, err := service.SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.Completed)
		st := state(t, s)
		if want := []string{st.SnapshotName}; !slices.Equal(w.leaks(), want) || !strings.HasSuffix(st.SnapshotName, "-"+s.ID.Marker8()) {
			t.Errorf("at DigitalOcean there is %q, want %q, which ends in the saga's own digits %s", w.leaks(), want, s.ID.Marker8())
		}
		if got := w.cloud.Truth("snapshot"); len(got) != 1 || got[0].ID != st.SnapshotID {
			t.Errorf("the ledger owns %q, the truth is %+v", st.SnapshotID, got)
		}
		if s.Steps[0].Attempts != 1 {
			t.Errorf("%d attempts, want 1: waits burn none", s.Steps[0].Attempts)
		}
		if left, err := service.LeftOver(t.Context(), s); err != nil || len(left) != 0 {
			t.Errorf("a completed saga's own snapshot counts as left over: %+v, %v", left, err)
		}
	})
}

func TestSmokeLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.engine(w.options)
		service := w.serve(e)
		s, _, err := service.Smoke(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		if s.Steps[0].Name != "create_droplet_snapshot" || s.Steps[0].State != saga.StepCompensated ||
			s.Steps[1].Name != "fail" || s.Steps[1].State != saga.StepFailed {
			t.Errorf("the ledger reads %+v, want create_droplet_snapshot: compensated, fail: failed", s.Steps)
		}
		left, err := service.LeftOver(t.Context(), s)
		if err != nil || len(left) != 0 || len(w.leaks()) != 0 || w.posts() != 1 {
			t.Errorf("left over: %+v, %v; in truth %q after %d snapshots", left, err, w.leaks(), w.posts())
		}
	})
}

// Whatever becomes of the answer to the request, there is one snapshot.
func TestLostAnswersMakeOneSnapshot(t *testing.T) {
	for _, kind := range []dosim.FaultKind{
		dosim.ServerErrorBefore, dosim.ServerErrorAfter, dosim.HTML504, dosim.HTML504Before, dosim.ResetBefore, dosim.ResetAfter,
		dosim.ResetCommitLate, dosim.Hang, dosim.HangAfter, dosim.TruncatedJSON, dosim.Empty200,
	} {
		t.Run(string(kind), func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				f := post(kind)
				if kind == dosim.ResetCommitLate {
					f.Delay = (w.lateCommit()).String()
				}
				w.cloud.AddFault(f)
				e := w.engine(w.options)
				service := w.serve(e)
				s, _, err := service.SnapshotDroplet(t.Context(), w.request())
				if err != nil {
					t.Fatal(err)
				}
				s = await(t, e, s.ID, saga.Completed)
				if got := w.leaks(); len(got) != 1 || w.posts() != 1 {
					t.Errorf("%d requests were carried out and left %q, want one and its snapshot", w.posts(), got)
				}
				if w.cloud.Faults()[0].Hits != 1 {
					t.Error("the fault did not strike")
				}
			})
		})
	}
}

// lateCommit is how long after its answer was lost a request is carried out:
// within what Settings allow for.
func (w *world) lateCommit() time.Duration {
	if w.options.Lease == 0 {
		return 2 * time.Minute
	}
	return 200 * time.Millisecond
}

// A create whose answer is lost three times over makes one snapshot.
func TestAnswerLostThreeTimes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		f := post(dosim.ServerErrorBefore)
		f.Times = 3
		w.cloud.AddFault(f)
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.Completed)
		if got := w.leaks(); len(got) != 1 || state(t, s).Requests != 4 {
			t.Errorf("after %d requests there is %q, want one snapshot after 4", state(t, s).Requests, got)
		}
	})
}

func TestAnswersThatNeverCome(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		f := post(dosim.ServerErrorBefore)
		f.Times = 0
		w.cloud.AddFault(f)
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		if state(t, s).Requests != 5 || len(w.leaks()) != 0 {
			t.Errorf("gave up after %d requests, want 5; left %q", state(t, s).Requests, w.leaks())
		}
	})
}

func TestActionThatErrs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.cloud.AddFault(post(dosim.ActionErrored))
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		if s.Error == nil || !strings.Contains(s.Error.Message, "ended as errored") || len(w.leaks()) != 0 {
			t.Errorf("error %+v, left %q", s.Error, w.leaks())
		}
	})
}

func TestActionThatNeverEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.cloud.AddFault(post(dosim.ActionStuck))
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = awaitStuck(t, e, s.ID)
		if s.Steps[0].State != saga.StepUndoFailed || !strings.Contains(s.Error.Message, "has not ended") {
			t.Errorf("step %s, error %+v; want undo_failed: whether it makes a snapshot is not known", s.Steps[0].State, s.Error)
		}
	})
}

// A status that is in no documentation is not an end.
func TestUnknownStatusIsNoEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.cloud.AddFault(post(dosim.UnknownStatus))
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		// The action made its snapshot all the same, and it is found by its name.
		await(t, e, s.ID, saga.Completed)
		if got := w.leaks(); len(got) != 1 {
			t.Errorf("there is %q, want one snapshot", got)
		}
	})
}

// What the write guard forbids, no second try is allowed: the step fails at once.
func TestWhatIsForbiddenIsNotRetried(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		reader, err := digitalocean.New(digitalocean.Options{
			BaseURL: w.cloud.URL, Account: "main", Purpose: digitalocean.Inventory, Token: vault.NewSecret(w.cloud.Token),
			Transport: w.cloud.Client.Transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.client = reader
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		if s.Steps[0].Attempts != 1 || s.Error == nil || !strings.Contains(s.Error.Message, "arcadia token set provisioning") {
			t.Errorf("%d attempts with %+v; want one, and what to do", s.Steps[0].Attempts, s.Error)
		}
	})
}

func TestDropletThatIsBusy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		f := post(dosim.Pending422)
		f.Times = 3
		w.cloud.AddFault(f)
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.Completed)
		if st := state(t, s); st.Requests != 1 || s.Steps[0].Attempts != 1 {
			t.Errorf("%d requests and %d attempts; a busy droplet is waited for and burns none", st.Requests, s.Steps[0].Attempts)
		}
	})
}

// The snapshot is listed long after its action ended, and later than sixty
// seconds: the horizon, not a count of looks, says when to give up.
func TestSnapshotIsListedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		if err := w.cloud.SetParams(map[string]string{"lag.snapshot_visible": "170s"}); err != nil {
			t.Fatal(err)
		}
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.Completed)
		if state(t, s).LookUps <= 12 {
			t.Errorf("found after %d looks, want more than the 12 quick ones", state(t, s).LookUps)
		}
	})
}

// A completed action proves that its snapshot exists. When it is listed later
// than the horizon, its absence must not be taken for success: the undo is stuck
// until a person retries it, and then nothing is left.
func TestSnapshotThatNeverAppearsIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		if err := w.cloud.SetParams(map[string]string{"lag.snapshot_visible": "1h"}); err != nil {
			t.Fatal(err)
		}
		e := w.engine(w.options)
		s, _, err := w.serve(e).Smoke(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = awaitStuck(t, e, s.ID)
		if s.Steps[0].State != saga.StepUndoFailed || len(w.leaks()) != 1 {
			t.Fatalf("step %s with %q there; want undo_failed, for a snapshot is there", s.Steps[0].State, w.leaks())
		}
		time.Sleep(time.Hour)
		if _, err := e.Retry(t.Context(), s.ID, saga.Actor{Name: "cli:test", Reason: "it is listed now"}); err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.RolledBack)
		if got := w.leaks(); len(got) != 0 {
			t.Errorf("left %q", got)
		}
	})
}

func TestDropletThatGoesAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.engine(w.options)
		service := w.serve(e)
		s, _, err := service.Smoke(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		awaitAction(t, e, s.ID)
		// The droplet goes as soon as its snapshot is made, before that is listed.
		w.destroyDroplet()
		await(t, e, s.ID, saga.RolledBack)
		if got := w.leaks(); len(got) != 0 {
			t.Errorf("left %q", got)
		}
		if _, _, err := service.SnapshotDroplet(t.Context(), w.request()); !errors.Is(err, fault.NotFound) {
			t.Errorf("a snapshot of a droplet that is gone: %v, want not found", err)
		}
	})
}

// What a lost request began and is still under way is awaited: no second request
// is sent, not even one that a busy droplet would refuse.
func TestUnfinishedActionIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		if err := w.cloud.SetParams(map[string]string{"action.snapshot": "20m"}); err != nil {
			t.Fatal(err)
		}
		w.cloud.AddFault(post(dosim.ResetAfter))
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.Completed)
		if got := w.leaks(); len(got) != 1 || state(t, s).Requests != 1 || w.sent() != 1 {
			t.Errorf("%d requests were sent and left %q, want one and its snapshot", w.sent(), got)
		}
	})
}

// A snapshot that shows between the first look and the look at the actions is
// found by the look after those: without it, a second one would be asked for.
func TestTheLastLookComesAfterTheActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A replica that learns of the snapshot while the actions are read.
		var shown atomic.Bool
		late := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				switch resource := path.Base(r.URL.Path); {
				case r.Method == http.MethodGet && resource == "actions":
					shown.Store(true)
				case resource == "snapshots" && !shown.Load():
					return &http.Response{
						StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
						Body: io.NopCloser(strings.NewReader(`{"snapshots":[],"links":{},"meta":{"total":0}}`)),
					}, nil
				}
				return next.RoundTrip(r)
			})
		}
		pace := bubblePace
		pace.settings.Settle = 300 * time.Second // by then the action has ended for longer than the horizon
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), pace, late)
		if err := w.cloud.SetParams(map[string]string{"action.snapshot": "1s"}); err != nil {
			t.Fatal(err)
		}
		w.cloud.AddFault(post(dosim.ResetAfter))
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.Completed)
		if got := w.leaks(); len(got) != 1 || w.sent() != 1 {
			t.Errorf("%d requests were sent and left %q, want one and its snapshot", w.sent(), got)
		}
	})
}

// A snapshot outlives its droplet: an undo that knows no id looks through the
// whole account.
func TestUndoOfALostAnswerAfterTheDropletIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		w.cloud.AddFault(post(dosim.ResetAfter))
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		for s.Steps[0].State != saga.StepUnknown {
			time.Sleep(time.Second)
			if s, err = e.Saga(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Pause(t.Context(), s.ID, saga.Actor{Name: "cli:test"}); err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.Paused)
		w.destroyDroplet()
		if _, err := e.Cancel(t.Context(), s.ID, saga.Actor{Name: "cli:test"}); err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.RolledBack)
		if got := w.leaks(); len(got) != 0 {
			t.Errorf("left %q", got)
		}
	})
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// sent counts the requests for a snapshot that arrived, refused ones too.
func (w *world) sent() (n int) {
	for _, r := range w.cloud.Requests(0) {
		if r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

// A request that was frozen on its way is carried out after its saga has ended.
// The sweep finds what it made.
func TestSweepRemovesWhatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		f := post(dosim.ResetCommitLate)
		f.Delay = "4m" // later than the settle time allows for
		w.cloud.AddFault(f)
		e := w.engine(w.options)
		service := w.serve(e)
		s, _, err := service.Smoke(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		for s.Steps[0].State != saga.StepUnknown {
			time.Sleep(time.Second)
			if s, err = e.Saga(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Cancel(t.Context(), s.ID, saga.Actor{Name: "cli:test"}); err != nil {
			t.Fatal(err)
		}
		s = await(t, e, s.ID, saga.RolledBack)
		time.Sleep(3 * time.Minute)
		if got := w.leaks(); len(got) != 1 {
			t.Fatalf("there is %q, want the late snapshot", got)
		}
		if left, err := service.LeftOver(t.Context(), s); err != nil || len(left) != 1 {
			t.Errorf("left over: %+v, %v; want the late snapshot", left, err)
		}
		time.Sleep(3 * time.Minute)
		if err := service.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.leaks(); len(got) != 0 {
			t.Errorf("after the sweep there is %q", got)
		}
		before := len(w.cloud.Requests(0))
		if err := service.Sweep(t.Context()); err != nil || len(w.cloud.Requests(0)) != before {
			t.Errorf("a sweep that is done is made again: %v", err)
		}
	})
}

// One list call per interval serves every saga that awaits an action.
func TestHundredSnapshotsShareTheirLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		e := w.engine(w.options)
		service := w.serve(e)
		const n = 100
		var ids []saga.ID
		for range n {
			r := w.request()
			w.droplet = w.cloud.SeedDroplet(dosim.SeedDroplet{Name: "more"})
			s, _, err := service.SnapshotDroplet(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
		}
		for _, id := range ids {
			await(t, e, id, saga.Completed)
		}
		lists := 0
		for _, r := range w.cloud.Requests(0) {
			if r.Status == http.StatusTooManyRequests {
				t.Errorf("request %d was refused by the rate limit", r.Seq)
			}
			if r.Path == "/v2/actions" {
				lists++
			} else if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/actions") {
				t.Errorf("request %d looks for a lost answer, and nothing loses any here", r.Seq)
			}
		}
		calls := len(w.cloud.Requests(0))
		t.Logf("%d snapshots took %d API calls, %.2f each, %d of them shared looks at actions", n, calls, float64(calls)/n, lists)
		if calls > 8*n {
			t.Errorf("%d calls for %d snapshots: their looks are not shared", calls, n)
		}
	})
}

// destroyDroplet deletes the world's droplet as soon as it is not busy.
func (w *world) destroyDroplet() {
	w.t.Helper()
	for {
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodDelete, w.cloud.URL+"/v2/droplets/"+w.request().Droplet, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.cloud.Token)
		resp, err := w.cloud.Client.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusNoContent:
			return
		case http.StatusUnprocessableEntity: // its snapshot is under way
			time.Sleep(w.options.Poll / 5)
		default:
			w.t.Fatalf("destroying the droplet answers %s", resp.Status)
		}
	}
}

func awaitStuck(t *testing.T, e *saga.Engine, id saga.ID) saga.Saga {
	t.Helper()
	return await(t, e, id, saga.Stuck)
}

// awaitAction waits until the saga has saved the id of its action.
func awaitAction(t *testing.T, e *saga.Engine, id saga.ID) {
	t.Helper()
	for {
		told := e.Changed()
		s, err := e.Saga(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if state(t, s).ActionID != 0 {
			return
		}
		<-told
	}
}

// Where the cloud's clock is a simulated one that runs faster than ours, the
// horizon is still as long by it: a snapshot that shows late is not taken twice.
func TestHorizonByAFasterClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := dosimtest.Pipe(t)
		if err := cloud.Clock().SetSpeed(10); err != nil {
			t.Fatal(err)
		}
		p := bubblePace
		p.settings = provisioning.Settings{Horizon: 18 * time.Second, Poll: time.Second, CloudSpeed: 10}
		p.params = map[string]string{"action.snapshot": "150s", "lag.snapshot_visible": "60s"}
		w := newWorld(t, dbtest.New(t), cloud, p, nil)
		f := post(dosim.ResetCommitLate)
		f.Delay = "10s"
		cloud.AddFault(f)
		e := w.engine(w.options)
		s, _, err := w.serve(e).SnapshotDroplet(t.Context(), w.request())
		if err != nil {
			t.Fatal(err)
		}
		await(t, e, s.ID, saga.Completed)
		if got := w.leaks(); len(got) != 1 || w.posts() != 1 {
			t.Errorf("%d requests were carried out and left %q, want one and its snapshot", w.posts(), got)
		}
	})
}
