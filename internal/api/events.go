package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/feed"
)

const (
	heartbeat    = 15 * time.Second // shorter than what proxies let a silent connection live
	writeTimeout = 10 * time.Second // for one event
)

// eventRoutes adds the stream of changes, which huma describes and does not serve.
func (a *API) eventRoutes(h huma.API, mux *http.ServeMux) {
	op := operation("follow-sagas", http.MethodGet, "/v1/events", "Follow changes of sagas (server-sent events)")
	op.Description = "Each event is a hint that a saga changed: read the saga again. A client that comes back with Last-Event-ID misses nothing."
	op.Parameters = []*huma.Param{
		{Name: "saga", In: "query", Description: "Only this saga.", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "Last-Event-ID", In: "header", Description: "The id of the last event that was received.", Schema: &huma.Schema{Type: huma.TypeString}},
	}
	op.Responses["200"] = &huma.Response{
		Description: `Events: id is the number in the feed, event is "saga", data is {"id","rev","state"}.`,
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	h.OpenAPI().AddOperation(&op)
	mux.HandleFunc("GET /v1/events", a.events)
}

func (a *API) events(w http.ResponseWriter, r *http.Request) {
	last, of, err := eventsQuery(r)
	if err != nil {
		a.writeProblem(w, r, a.problem(r.Context(), "GET /v1/events", err))
		return
	}
	// Listening begins before the past is read, so that nothing falls between.
	l, at, err := a.feed.Listen(r.Context(), of)
	if err != nil {
		return
	}
	defer a.feed.Leave(l)

	s := &stream{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	s.begin()
	if last >= 0 {
		last, err = a.replay(r, s, last, at, of)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			// The number without data tells the client how far it has got
			// when none of it was for this client.
			at := a.feed.Position() // before the look at what waits: that came no later
			err = s.beat(at, len(l.Notes) == 0)
		case n, ok := <-l.Notes:
			if !ok {
				return
			}
			if n.Feed > last {
				err = s.note(n)
			}
		}
	}
}

// replay sends what was passed on between the client's last event and at, and
// returns the number after which live notes are new to the client.
func (a *API) replay(r *http.Request, s *stream, last, at int64, of saga.ID) (int64, error) {
	end, err := a.o.Engine.FeedEnd(r.Context())
	if err != nil || last > end { // a number of another database
		return -1, err
	}
	for last < at {
		notes, err := a.o.Engine.Feed(r.Context(), last, feed.Page)
		if err != nil {
			a.log.WarnContext(r.Context(), "replay the feed of sagas", "err", err)
			return last, err
		}
		for _, n := range notes {
			if n.Feed > at {
				return at, nil
			}
			last = n.Feed
			if of != "" && n.ID != of {
				continue
			}
			if err := s.note(n); err != nil {
				return last, err
			}
		}
		if len(notes) < feed.Page {
			return at, nil
		}
	}
	return last, nil
}

// eventsQuery reads what a client wants to follow. last is -1 when it begins now.
func eventsQuery(r *http.Request) (last int64, of saga.ID, err error) {
	last = -1
	if v := r.Header.Get("Last-Event-ID"); v != "" {
		last, err = strconv.ParseInt(v, 10, 64)
		if err != nil || last < 0 {
			return 0, "", fault.New(fault.Invalid, "Last-Event-ID is the id of an event, which is a number.")
		}
	}
	if v := r.URL.Query().Get("saga"); v != "" {
		of, err = parseSaga(v)
	}
	return last, of, err
}

// A stream writes server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// begin sends the headers, so that the client knows at once that it is connected.
func (s *stream) begin() {
	_ = s.send(": follow along; each event is a hint to read the saga again\n\n") // the next write says it too
}

func (s *stream) note(n saga.Note) error {
	data, err := json.Marshal(client.Note{ID: string(n.ID), Rev: n.Rev, State: string(n.State)})
	if err != nil {
		return err
	}
	return s.send(fmt.Sprintf("id: %d\nevent: saga\ndata: %s\n\n", n.Feed, data))
}

// beat keeps the connection alive; where nothing is left to send, with the number
// that the feed has reached.
func (s *stream) beat(at int64, caughtUp bool) error {
	if caughtUp {
		return s.send(fmt.Sprintf(": still here\nid: %d\n\n", at))
	}
	return s.send(": still here\n\n")
}

func (s *stream) send(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
