package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// The states of a saga.
const (
	Created      = "created"
	Ready        = "ready"
	Running      = "running"
	Waiting      = "waiting"
	Paused       = "paused"
	Compensating = "compensating"
	Completed    = "completed"
	RolledBack   = "rolled_back"
	Stuck        = "stuck"
)

// A Saga is a durable operation of several steps that completes or undoes itself.
type Saga struct {
	ID             string          `json:"id" example:"saga_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Kind           string          `json:"kind" example:"snapshot_droplet"`
	State          string          `json:"state" enum:"created,ready,running,waiting,paused,compensating,completed,rolled_back,stuck"`
	Direction      string          `json:"direction" enum:"forward,undo"`
	Want           string          `json:"want" enum:"run,pause,cancel" doc:"What an operator asked for; it is acted on at the next boundary."`
	Subjects       []string        `json:"subjects" nullable:"false" doc:"What the saga locks while it is open."`
	Tenant         *string         `json:"tenant"`
	RequestedBy    string          `json:"requested_by" example:"cli:root"`
	IdempotencyKey *string         `json:"idempotency_key"`
	Epoch          int64           `json:"epoch" doc:"How often the saga was claimed."`
	Rev            int64           `json:"rev" doc:"How often its owner has written its ledger."`
	CreatedAt      Time            `json:"created_at" format:"date-time"`
	StartedAt      *Time           `json:"started_at" format:"date-time"`
	FinishedAt     *Time           `json:"finished_at" format:"date-time"`
	Wait           *Wait           `json:"wait"`
	Error          *Failure        `json:"error" doc:"Why it turned back or is stuck."`
	Data           json.RawMessage `json:"data" doc:"The state that its steps share."`
	Steps          []Step          `json:"steps,omitempty" doc:"Left away in lists."`
}

// Ended reports whether the saga will never change again.
func (s Saga) Ended() bool { return s.State == Completed || s.State == RolledBack }

// Rests reports whether the saga will not move unless somebody acts on it.
func (s Saga) Rests() bool {
	switch s.State {
	case Completed, RolledBack, Stuck:
		return true
	case Created:
		return s.Want == "run" // else it is being cancelled
	case Paused:
		return s.Want == "pause"
	}
	return false
}

// A Wait says what a saga waits for, and when it looks again at the latest.
type Wait struct {
	Reason string `json:"reason"`
	Until  Time   `json:"until" format:"date-time"`
}

// A Failure is an error as the ledger keeps it.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// A Step is one step of a saga in its ledger.
type Step struct {
	Position     int             `json:"position"`
	Name         string          `json:"name"`
	State        string          `json:"state" enum:"pending,executing,waiting,unknown,completed,failed,compensating,compensated,undo_failed,skipped"`
	Attempts     int             `json:"attempts" doc:"How often it was begun or tried again; its own waits do not count."`
	UndoAttempts int             `json:"undo_attempts"`
	StartedAt    *Time           `json:"started_at" format:"date-time"`
	FinishedAt   *Time           `json:"finished_at" format:"date-time"`
	Output       json.RawMessage `json:"output" doc:"What it found, made or adopted, for people to read."`
	Error        *Failure        `json:"error"`
}

// An Event is one line of a saga's history.
type Event struct {
	Seq    int64           `json:"seq" doc:"From 1, within the saga."`
	Rev    int64           `json:"rev"`
	At     Time            `json:"at" format:"date-time"`
	Type   string          `json:"type"`
	Step   *string         `json:"step"`
	Epoch  int64           `json:"epoch"`
	Actor  *string         `json:"actor" doc:"Who asked for it; null when the engine did it."`
	Detail json.RawMessage `json:"detail"`
}

// An APICall is the detail of an event of type "api_call": one request that a
// step made, without token, query and body.
type APICall struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Status    int    `json:"status"` // 0: there was no answer
	RequestID string `json:"request_id,omitempty"`
	TookMS    int64  `json:"took_ms"`
	Attempt   int    `json:"attempt"`          // which sending of one request, from 1
	Code      string `json:"code,omitempty"`   // what sort of failure it was; empty: none
	Error     string `json:"error,omitempty"`  // in words
	Unsent    bool   `json:"unsent,omitempty"` // nothing left Arcadia
}

// A SagaPage is one page of a list of sagas, the newest first.
type SagaPage struct {
	Items []Saga  `json:"items" nullable:"false"`
	Next  *string `json:"next" doc:"The cursor of the next page; null on the last one."`
}

// A SagaFilter selects sagas; empty fields select all.
type SagaFilter struct {
	State, Kind, Subject string
	Limit                int // of a page, 1 to 200; 0 is 50
	Cursor               string
}

// A NewSaga asks for a saga of a kind.
type NewSaga struct {
	Kind  string          `json:"kind"`
	Input json.RawMessage `json:"input,omitempty" doc:"The state that it begins with: an object that fits the kind."`
	Start *bool           `json:"start,omitempty" doc:"false: record it only, to be started later. Default true."`
}

// A Verb is what an operator may do with a saga.
type Verb string

// The verbs of an operator.
const (
	Start        Verb = "start"
	Pause        Verb = "pause"
	Resume       Verb = "resume"
	Cancel       Verb = "cancel"
	Retry        Verb = "retry"
	Skip         Verb = "skip"
	MarkDone     Verb = "mark-done"
	ForceRelease Verb = "force-release"
)

// Verbs are all of them.
func Verbs() []Verb {
	return []Verb{Start, Pause, Resume, Cancel, Retry, Skip, MarkDone, ForceRelease}
}

// An Act is what a verb is given.
type Act struct {
	Reason string          `json:"reason,omitempty" doc:"Why; it is kept in the events."`
	Step   string          `json:"step,omitempty" doc:"skip and mark-done: the step that is meant. Refused when the saga is at another."`
	Output json.RawMessage `json:"output,omitempty" doc:"mark-done: an object whose fields are laid over the saga's state."`
}

// A LeftOver is a thing at DigitalOcean that carries a saga's marker and that its
// ledger does not own.
type LeftOver struct {
	URN       string `json:"urn" example:"do:snapshot:1"`
	Name      string `json:"name"`
	CreatedAt *Time  `json:"created_at" format:"date-time"`
}

// LeftOvers is the answer to the question what a saga left behind.
type LeftOvers struct {
	Items      []LeftOver `json:"items" nullable:"false"`
	VerifiedAt Time       `json:"verified_at" format:"date-time"`
}

// Saga reads a saga with its steps.
func (c *Client) Saga(ctx context.Context, id string) (s Saga, err error) {
	_, err = c.call(ctx, http.MethodGet, sagaPath(id), nil, nil, nil, &s)
	return s, err
}

// Sagas lists sagas without their steps, the newest first.
func (c *Client) Sagas(ctx context.Context, f SagaFilter) (p SagaPage, err error) {
	q := url.Values{}
	set(q, "state", f.State)
	set(q, "kind", f.Kind)
	set(q, "subject", f.Subject)
	set(q, "limit", number(int64(f.Limit)))
	set(q, "cursor", f.Cursor)
	_, err = c.call(ctx, http.MethodGet, "/v1/sagas", q, nil, nil, &p)
	return p, err
}

// SagaEvents lists the saga's events after seq, the oldest first.
func (c *Client) SagaEvents(ctx context.Context, id string, after int64) ([]Event, error) {
	var all []Event
	for {
		var page struct{ Items []Event }
		if _, err := c.call(ctx, http.MethodGet, sagaPath(id)+"/events", url.Values{"after": {strconv.FormatInt(after, 10)}}, nil, nil, &page); err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			return all, nil
		}
		all = append(all, page.Items...)
		after = all[len(all)-1].Seq
	}
}

// CreateSaga records a saga and, unless told otherwise, starts it. replayed says
// that the key, empty for none, answered an earlier request.
func (c *Client) CreateSaga(ctx context.Context, n NewSaga, key string) (s Saga, replayed bool, err error) {
	return c.launch(ctx, "/v1/sagas", nil, n, key)
}

// A DropletRef names a droplet.
type DropletRef struct {
	Droplet string // id or name
	Account string // that has it; empty: where the inventory knows it
}

func (r DropletRef) path(verb string) string {
	return "/v1/droplets/" + url.PathEscape(r.Droplet) + "/" + verb
}

func (r DropletRef) query() url.Values {
	if r.Account == "" {
		return nil
	}
	return url.Values{"account": {r.Account}}
}

// SnapshotDroplet starts a saga that takes a snapshot of a droplet.
func (c *Client) SnapshotDroplet(ctx context.Context, of DropletRef, key string) (s Saga, replayed bool, err error) {
	return c.launch(ctx, of.path("snapshot"), of.query(), struct{}{}, key)
}

// SmokeDroplet starts a saga that takes a snapshot of a droplet, fails on purpose,
// and undoes it.
func (c *Client) SmokeDroplet(ctx context.Context, of DropletRef, key string) (s Saga, replayed bool, err error) {
	return c.launch(ctx, of.path("smoke"), of.query(), struct{}{}, key)
}

func (c *Client) launch(ctx context.Context, path string, query url.Values, in any, key string) (s Saga, replayed bool, err error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	answer, err := c.call(ctx, http.MethodPost, path, query, header, in, &s)
	return s, answer.Get("Idempotency-Replayed") == "true", err
}

// ActOn does what an operator may do with a saga, and answers the saga as it is then.
func (c *Client) ActOn(ctx context.Context, id string, v Verb, a Act) (s Saga, err error) {
	_, err = c.call(ctx, http.MethodPost, sagaPath(id)+"/"+string(v), nil, nil, a, &s)
	return s, err
}

// LeftOver looks through the whole account for what a saga made and does not own.
func (c *Client) LeftOver(ctx context.Context, id string) (l LeftOvers, err error) {
	_, err = c.call(ctx, http.MethodGet, sagaPath(id)+"/leftovers", nil, nil, nil, &l)
	return l, err
}

func sagaPath(id string) string { return "/v1/sagas/" + url.PathEscape(id) }
