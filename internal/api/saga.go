package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// eventPage is how many events one answer holds at most.
const eventPage = 500

type (
	sagaAnswer struct{ Body client.Saga }

	// A startAnswer is 202, or 200 when the key answered an earlier request.
	startAnswer struct {
		Status   int
		Location string `header:"Location" doc:"Where the saga is."`
		Replayed string `header:"Idempotency-Replayed" doc:"true when the key answered an earlier request."`
		Body     client.Saga
	}

	// SagaQuery names a saga. It is exported because huma looks at exported fields only.
	SagaQuery struct {
		ID string `path:"id"`
	}

	// Key makes a request idempotent. It is exported because huma looks at exported fields only.
	Key struct {
		IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the request safe to repeat: the same key and input answer the same saga."`
	}
)

func (a *API) sagaRoutes(h huma.API) {
	register(a, h, operation("list-sagas", http.MethodGet, "/v1/sagas", "List sagas, the newest first"), a.listSagas)
	register(a, h, started(operation("create-saga", http.MethodPost, "/v1/sagas", "Record a saga and start it")), a.createSaga)
	register(a, h, operation("get-saga", http.MethodGet, "/v1/sagas/{id}", "Read a saga and its steps"), a.getSaga)
	register(a, h, operation("list-saga-events", http.MethodGet, "/v1/sagas/{id}/events", "List what happened to a saga"), a.listSagaEvents)
	register(a, h, operation("list-saga-leftovers", http.MethodGet, "/v1/sagas/{id}/leftovers", "Look through the account for what a saga made and does not own"), a.listLeftOvers)
	for _, v := range client.Verbs() {
		act := a.verb(v)
		register(a, h, operation(string(v)+"-saga", http.MethodPost, "/v1/sagas/{id}/"+string(v), summaryOf(v)), act)
	}
}

// started describes the two good answers of a route that starts a saga.
func started(op huma.Operation) huma.Operation {
	op.DefaultStatus = http.StatusAccepted
	op.Responses["200"] = &huma.Response{
		Description: "The key answered an earlier request, with the same input.",
		Headers:     map[string]*huma.Param{"Idempotency-Replayed": {Schema: &huma.Schema{Type: huma.TypeString}}},
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/Saga"}}},
	}
	return op
}

func summaryOf(v client.Verb) string {
	return map[client.Verb]string{
		client.Start:        "Start a saga that was only created",
		client.Pause:        "Let a saga rest at its next boundary",
		client.Resume:       "Let a paused saga go on",
		client.Cancel:       "Turn a saga back at its next boundary, so that it undoes what it did",
		client.Retry:        "Try the step of a stuck saga again, or let a waiting one look now",
		client.Skip:         "Pass over the step at hand",
		client.MarkDone:     "Say that a person made the step at hand true",
		client.ForceRelease: "Take a saga from an owner that is believed dead",
	}[v]
}

func (a *API) listSagas(ctx context.Context, in *struct {
	State   string `query:"state"`
	Kind    string `query:"kind"`
	Subject string `query:"subject" example:"do:droplet:1"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor  string `query:"cursor" doc:"next of an earlier page"`
}) (*struct{ Body client.SagaPage }, error) {
	sagas, next, err := a.o.Engine.Sagas(ctx, saga.Filter{
		State: saga.State(in.State), Kind: in.Kind, Subject: in.Subject, Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	page := client.SagaPage{Items: make([]client.Saga, len(sagas)), Next: wire.Text(next)}
	for i, s := range sagas {
		page.Items[i] = wire.Saga(s)
	}
	return &struct{ Body client.SagaPage }{page}, nil
}

func (a *API) getSaga(ctx context.Context, in *SagaQuery) (*sagaAnswer, error) {
	sagaID, err := parseSaga(in.ID)
	if err != nil {
		return nil, err
	}
	return answer(a.o.Engine.Saga(ctx, sagaID))
}

func (a *API) listSagaEvents(ctx context.Context, in *struct {
	SagaQuery
	After int64 `query:"after" minimum:"0" doc:"Only events with a greater seq."`
}) (*struct{ Body client.List[client.Event] }, error) {
	sagaID, err := parseSaga(in.ID)
	if err != nil {
		return nil, err
	}
	events, err := a.o.Engine.Events(ctx, sagaID, in.After, eventPage)
	if err != nil {
		return nil, err
	}
	items := make([]client.Event, len(events))
	for i, e := range events {
		items[i] = wire.Event(e)
	}
	return listed(items), nil
}

func (a *API) createSaga(ctx context.Context, in *struct {
	Key
	Body client.NewSaga
}) (*startAnswer, error) {
	if in.Body.Kind == provisioning.SmokeKind {
		return nil, fault.New(fault.Unprocessable, "A smoke saga is started by POST /v1/droplets/{id}/smoke alone.")
	}
	var of struct{ Account string }
	_ = json.Unmarshal(in.Body.Input, &of) // what is no such object is refused with the rest of it
	if err := a.mayChange(ctx, cmp.Or(of.Account, a.o.Account)); err != nil {
		return nil, err
	}
	begin := a.o.Engine.Launch
	if in.Body.Start != nil && !*in.Body.Start {
		begin = a.o.Engine.Create
	}
	input := in.Body.Input
	if input == nil {
		input = json.RawMessage("{}")
	}
	return startedAs(begin(ctx, saga.Request{Kind: in.Body.Kind, Input: input, RequestedBy: actor(ctx), Key: in.IdempotencyKey}))
}

type dropletQuery struct {
	ID      string `path:"id" doc:"A droplet's id or its name."`
	Account string `query:"account" doc:"The account that has it. Without one: the account in which the inventory knows it, else the default one."`
	Key
	Body *struct{}
}

func (a *API) snapshotDroplet(ctx context.Context, in *dropletQuery) (*startAnswer, error) {
	r, err := a.snapshotRequest(ctx, in)
	if err != nil {
		return nil, err
	}
	return startedAs(a.o.Provisioning.SnapshotDroplet(ctx, r))
}

func (a *API) smokeDroplet(ctx context.Context, in *dropletQuery) (*startAnswer, error) {
	r, err := a.snapshotRequest(ctx, in)
	if err != nil {
		return nil, err
	}
	return startedAs(a.o.Provisioning.Smoke(ctx, r))
}

// snapshotRequest is the request, of the account that has the droplet: nothing is
// asked for with another one's token.
func (a *API) snapshotRequest(ctx context.Context, in *dropletQuery) (r provisioning.SnapshotRequest, err error) {
	account := in.Account
	if account == "" {
		if account, err = a.o.Inventory.AccountOf(ctx, in.ID); err != nil {
			return r, err
		}
	}
	account = cmp.Or(account, a.o.Account)
	if err := a.mayChange(ctx, account); err != nil {
		return r, err
	}
	return provisioning.SnapshotRequest{Account: account, Droplet: in.ID, RequestedBy: actor(ctx), Key: in.IdempotencyKey}, nil
}

// mayChange answers whether anything can be changed in an account, and that there is
// such an account.
func (a *API) mayChange(ctx context.Context, account string) error {
	if _, err := a.o.Access.Account(ctx, account); err != nil {
		return err
	}
	return a.o.Access.MustWrite(ctx, account)
}

func (a *API) listLeftOvers(ctx context.Context, in *SagaQuery) (*struct{ Body client.LeftOvers }, error) {
	sagaID, err := parseSaga(in.ID)
	if err != nil {
		return nil, err
	}
	s, err := a.o.Engine.Saga(ctx, sagaID)
	if err != nil {
		return nil, err
	}
	if !s.State.Ended() && s.State != saga.Stuck {
		return nil, fault.New(fault.Conflict, "Saga %s is %s: what it leaves over can be looked for once it has ended.", s.ID, s.State)
	}
	left, err := a.o.Provisioning.LeftOver(ctx, s)
	if err != nil {
		return nil, err
	}
	body := client.LeftOvers{Items: make([]client.LeftOver, len(left)), VerifiedAt: client.Time{Time: time.Now()}}
	for i, l := range left {
		body.Items[i] = client.LeftOver{URN: l.URN, Name: l.Name, CreatedAt: client.At(l.CreatedAt)}
	}
	return &struct{ Body client.LeftOvers }{body}, nil
}

type actQuery struct {
	SagaQuery
	Body *client.Act
}

// verb is the handler of one of the operator's verbs.
func (a *API) verb(v client.Verb) func(context.Context, *actQuery) (*sagaAnswer, error) {
	return func(ctx context.Context, in *actQuery) (*sagaAnswer, error) {
		sagaID, err := parseSaga(in.ID)
		if err != nil {
			return nil, err
		}
		var act client.Act
		if in.Body != nil {
			act = *in.Body
		}
		if act.Step != "" && v != client.Skip && v != client.MarkDone {
			return nil, fault.New(fault.Invalid, "%s takes no step: only skip and mark-done do.", v)
		}
		if act.Output != nil && v != client.MarkDone {
			return nil, fault.New(fault.Invalid, "%s takes no output: only mark-done does.", v)
		}
		e, by := a.o.Engine, saga.Actor{Name: actor(ctx), Reason: act.Reason}
		if provisioning.Acts(string(v)) {
			of, err := e.Saga(ctx, sagaID)
			if err != nil {
				return nil, err
			}
			if err := a.o.Access.MustWrite(ctx, cmp.Or(provisioning.AccountOf(of), a.o.Account)); err != nil {
				return nil, err
			}
		}
		switch v {
		case client.Skip:
			return answer(e.Skip(ctx, sagaID, act.Step, by))
		case client.MarkDone:
			return answer(e.MarkDone(ctx, sagaID, act.Step, act.Output, by))
		}
		simple := map[client.Verb]func(context.Context, saga.ID, saga.Actor) (saga.Saga, error){
			client.Start: e.Start, client.Pause: e.Pause, client.Resume: e.Resume,
			client.Cancel: e.Cancel, client.Retry: e.Retry, client.ForceRelease: e.ForceRelease,
		}
		return answer(simple[v](ctx, sagaID, by))
	}
}

func parseSaga(s string) (saga.ID, error) { return saga.ID(s), id.Check("saga", s) }

func answer(s saga.Saga, err error) (*sagaAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &sagaAnswer{Body: wire.Saga(s)}, nil
}

func startedAs(s saga.Saga, replayed bool, err error) (*startAnswer, error) {
	if err != nil {
		return nil, err
	}
	out := &startAnswer{Status: http.StatusAccepted, Location: "/v1/sagas/" + string(s.ID), Body: wire.Saga(s)}
	if replayed {
		out.Status, out.Replayed = http.StatusOK, "true"
	}
	return out, nil
}

func listed[T any](items []T) *struct{ Body client.List[T] } {
	return &struct{ Body client.List[T] }{client.List[T]{Items: items}}
}
