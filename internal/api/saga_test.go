package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// The contract's shapes, written out a second time so that a change of the
// client's types cannot change both.
type (
	wireSaga struct {
		ID             string
		Kind           string
		State          string
		Direction      string
		Want           string
		Subjects       []string
		Tenant         *string
		RequestedBy    string         `json:"requested_by"`
		IdempotencyKey *string        `json:"idempotency_key"`
		Epoch          int64          `json:"epoch"`
		Rev            int64          `json:"rev"`
		CreatedAt      string         `json:"created_at"`
		StartedAt      *string        `json:"started_at"`
		FinishedAt     *string        `json:"finished_at"`
		Wait           *wireWait      `json:"wait"`
		Error          *wireError     `json:"error"`
		Data           map[string]any `json:"data"`
		Steps          []wireStep     `json:"steps"`
	}
	wireWait  struct{ Reason, Until string }
	wireError struct{ Code, Message string }
	wireStep  struct {
		Position     int
		Name         string
		State        string
		Attempts     int
		UndoAttempts int            `json:"undo_attempts"`
		StartedAt    *string        `json:"started_at"`
		FinishedAt   *string        `json:"finished_at"`
		Output       map[string]any `json:"output"`
		Error        *wireError     `json:"error"`
	}
	wireEvent struct {
		Seq, Rev, Epoch int64
		At, Type        string
		Step, Actor     *string
		Detail          map[string]any
	}
	wireProblem struct {
		Type, Title  string
		Status       int
		Code, Detail string
	}
)

// keys are an object's, sorted.
func keys(t *testing.T, text []byte) []string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestSnapshotThroughTheAPI(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d, true)
		status, header, text := s.do(t, "POST", "/v1/droplets/web-1/snapshot", "{}", "Idempotency-Key", "nightly")
		if status != http.StatusAccepted {
			t.Fatalf("start = %d %s, want 202", status, text)
		}
		started := exactly[wireSaga](t, text)
		if want := "/v1/sagas/" + started.ID; header.Get("Location") != want {
			t.Errorf("Location = %q, want %q", header.Get("Location"), want)
		}
		if started.RequestedBy != "api:local" || *started.IdempotencyKey != "nightly" {
			t.Errorf("asked for by %q with key %v, want api:local and nightly", started.RequestedBy, started.IdempotencyKey)
		}
		done, err := s.client.Watch(t.Context(), started.ID, func(client.Saga) {})
		if err != nil || done.State != "completed" {
			t.Fatalf("the saga ended %s, %v; want completed", done.State, err)
		}

		_, _, text = s.do(t, "GET", "/v1/sagas/"+started.ID, "")
		got := exactly[wireSaga](t, text)
		if want := []string{"created_at", "data", "direction", "epoch", "error", "finished_at", "id", "idempotency_key", "kind", "requested_by",
			"rev", "started_at", "state", "steps", "subjects", "tenant", "wait", "want"}; !slices.Equal(keys(t, text), want) {
			t.Errorf("a saga has the keys %v, want %v", keys(t, text), want)
		}
		if len(got.Steps) != 1 || got.Steps[0].State != "completed" || got.Data["snapshot_id"] == "" {
			t.Errorf("the ledger reads %+v with %v", got.Steps, got.Data)
		}
		for _, at := range []string{got.CreatedAt, *got.StartedAt, *got.FinishedAt, *got.Steps[0].StartedAt} {
			if _, err := time.Parse("2006-01-02T15:04:05.000000Z", at); err != nil {
				t.Errorf("%q is not RFC 3339 in UTC with microseconds", at)
			}
		}

		status, header, text = s.do(t, "POST", "/v1/droplets/"+s.drop+"/snapshot", "", "Idempotency-Key", "nightly")
		if again := exactly[wireSaga](t, text); status != 200 || header.Get("Idempotency-Replayed") != "true" || again.ID != started.ID {
			t.Errorf("the same key again = %d, replayed %q, saga %s; want 200, true, %s", status, header.Get("Idempotency-Replayed"), again.ID, started.ID)
		}
		other := s.cloud.SeedDroplet(other())
		status, _, text = s.do(t, "POST", "/v1/droplets/"+jsonNumber(other)+"/snapshot", "{}", "Idempotency-Key", "nightly")
		if p := exactly[wireProblem](t, text); status != 422 || p.Code != "unprocessable" {
			t.Errorf("the same key for another droplet = %d %+v, want 422", status, p)
		}

		_, _, text = s.do(t, "GET", "/v1/sagas?state=completed&kind=snapshot_droplet&subject=do:droplet:"+s.drop, "")
		page := exactly[struct {
			Items []map[string]any
			Next  *string
		}](t, text)
		if len(page.Items) != 1 || page.Items[0]["id"] != started.ID || page.Next != nil {
			t.Errorf("the list holds %v", page)
		} else if page.Items[0]["idempotency_key"] != "nightly" {
			t.Errorf("the list has the key %v, want nightly as the saga itself has", page.Items[0]["idempotency_key"])
		} else if _, ok := page.Items[0]["steps"]; ok {
			t.Error("a saga in a list has steps")
		}

		_, _, text = s.do(t, "GET", "/v1/sagas/"+started.ID+"/events?after=1", "")
		events := exactly[struct{ Items []wireEvent }](t, text)
		if len(events.Items) == 0 || events.Items[0].Seq != 2 {
			t.Errorf("events after 1 are %+v", events.Items)
		}
	})
}

func TestSmokeLeavesNothing(t *testing.T) {
	s := serve(t, dbtest.New(t), true)
	mark := s.cloud.Mark()
	started, _, err := s.client.SmokeDroplet(t.Context(), client.DropletRef{Droplet: "web-1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if started.RequestedBy != "cli:tester" {
		t.Errorf("asked for by %s, want cli:tester", started.RequestedBy)
	}
	done, err := s.client.Watch(t.Context(), started.ID, func(client.Saga) {})
	if err != nil {
		t.Fatal(err)
	}
	if done.State != "rolled_back" || done.Steps[0].State != "compensated" || done.Steps[1].State != "failed" {
		t.Errorf("the ledger reads %s: %s, %s; want rolled_back: compensated, failed", done.State, done.Steps[0].State, done.Steps[1].State)
	}
	left, err := s.client.LeftOver(t.Context(), started.ID)
	if err != nil || len(left.Items) != 0 || left.VerifiedAt.IsZero() {
		t.Errorf("left over: %+v, %v; want nothing", left, err)
	}
	if leaks := s.cloud.Leaks(mark); len(leaks) != 0 {
		t.Errorf("the cloud still has %v", leaks)
	}
}

func TestVerbs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d, false)
		made := string(s.created(t).ID)
		act := func(verb, body string) (int, wireSaga, wireProblem) {
			t.Helper()
			status, header, text := s.do(t, "POST", "/v1/sagas/"+made+"/"+verb, body)
			if status == 200 {
				return status, exactly[wireSaga](t, text), wireProblem{}
			}
			if header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s is refused as %q", verb, header.Get("Content-Type"))
			}
			return status, wireSaga{}, exactly[wireProblem](t, text)
		}
		for _, verb := range []string{"pause", "resume", "retry", "skip", "mark-done", "force-release"} {
			if status, _, p := act(verb, `{"reason":"to see"}`); status != 409 || p.Code != "conflict" || p.Status != 409 || p.Detail == "" {
				t.Errorf("%s of a created saga = %d %+v, want 409", verb, status, p)
			}
		}
		if status, got, _ := act("start", ""); status != 200 || got.State != "ready" {
			t.Errorf("start = %d %s, want 200 ready", status, got.State)
		}
		if status, _, _ := act("start", "{}"); status != 409 {
			t.Errorf("start again = %d, want 409", status)
		}
		if status, got, _ := act("pause", `{"reason":"lunch"}`); status != 200 || got.Want != "pause" {
			t.Errorf("pause = %d, wants %s; want 200, pause", status, got.Want)
		}
		if status, got, _ := act("resume", ""); status != 200 || got.Want != "run" {
			t.Errorf("resume = %d, wants %s; want 200, run", status, got.Want)
		}
		if status, _, p := act("cancel", `{"step":"create_droplet_snapshot"}`); status != 400 {
			t.Errorf("cancel with a step = %d %+v, want 400", status, p)
		}
		if status, got, _ := act("skip", `{"step":"create_droplet_snapshot","reason":"not wanted"}`); status != 200 || got.Steps[0].State != "skipped" {
			t.Errorf("skip = %d %+v, want 200 and a skipped step", status, got.Steps)
		}
		if status, got, _ := act("cancel", ""); status != 200 || got.Want != "cancel" {
			t.Errorf("cancel = %d, wants %s; want 200, cancel", status, got.Want)
		}
		events, err := s.client.SagaEvents(t.Context(), made, 0)
		if err != nil {
			t.Fatal(err)
		}
		reasons := map[string]string{}
		for _, e := range events {
			var d struct{ Reason string }
			if err := json.Unmarshal(e.Detail, &d); err == nil && e.Actor != nil && *e.Actor == "api:local" {
				reasons[e.Type] = d.Reason
			}
		}
		if reasons["pause"] != "lunch" || reasons["skip"] != "not wanted" {
			t.Errorf("the events keep the reasons %v", reasons)
		}
	})
}

func TestCreateWithoutStart(t *testing.T) {
	s := serve(t, dbtest.New(t), true)
	body := `{"kind":"snapshot_droplet","input":{"droplet_id":` + s.drop + `,"droplet_name":"web-1"},"start":false}`
	status, header, text := s.do(t, "POST", "/v1/sagas", body, "Idempotency-Key", "k")
	made := exactly[wireSaga](t, text)
	if status != 202 || made.State != "created" || made.Data["account"] != "default" || header.Get("Location") != "/v1/sagas/"+made.ID {
		t.Fatalf("create = %d %s at %q, want 202 created", status, made.State, header.Get("Location"))
	}
	if status, _, text := s.do(t, "POST", "/v1/sagas", strings.Replace(body, `"web-1"`, `"web-2"`, 1), "Idempotency-Key", "k"); status != 422 {
		t.Errorf("the same key with other input = %d %s, want 422", status, text)
	}
	if _, err := s.client.ActOn(t.Context(), made.ID, client.Start, client.Act{}); err != nil {
		t.Fatal(err)
	}
	if done, err := s.client.Watch(t.Context(), made.ID, func(client.Saga) {}); err != nil || done.State != "completed" {
		t.Errorf("after start it ended %s, %v; want completed", done.State, err)
	}
}

func TestPages(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	want := map[string]bool{}
	for range 5 {
		want[string(s.created(t).ID)] = true
	}
	cursor, pages := "", 0
	for {
		p, err := s.client.Sagas(t.Context(), client.SagaFilter{Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, g := range p.Items {
			if !want[g.ID] {
				t.Errorf("%s is listed twice, or is not ours", g.ID)
			}
			delete(want, g.ID)
		}
		if p.Next == nil {
			break
		}
		cursor = *p.Next
	}
	if len(want) != 0 || pages != 3 {
		t.Errorf("%d pages without %v; want 3 and nothing missing", pages, want)
	}
}
