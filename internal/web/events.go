package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

const (
	heartbeat  = 15 * time.Second       // shorter than what proxies let a silent connection live
	sendTime   = 10 * time.Second       // for one hint; whoever takes longer is dropped
	gather     = 300 * time.Millisecond // changes within it are one hint
	gatherMore = 3 * time.Second        // for what is not of the page's own saga
)

// events tells an open page that something changed since it was read: since the
// feed's number that it came back with or, the first time, that it was made at.
// Hints are gathered, and hold nothing but the number: a page that was away reads
// itself once, however much it missed, and a stream costs no memory.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	own := saga.ID(r.URL.Query().Get("saga"))
	if own != "" && id.Check("saga", string(own)) != nil {
		http.Error(w, "saga is the id of a saga.", http.StatusBadRequest)
		return
	}
	seen, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		seen, err = strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	}
	if err != nil {
		http.Error(w, "after is a number of the feed.", http.StatusBadRequest)
		return
	}
	l, at, err := s.o.Feed.Listen(r.Context(), "")
	if err != nil {
		return
	}
	defer s.o.Feed.Leave(l)

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	out := newHints(w, sendTime)
	if seen != at { // a greater one is of another database
		err = out.changed(at)
	} else {
		err = out.still(at)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	due := time.NewTimer(time.Hour)
	due.Stop()
	var when time.Time // when the next hint is due; zero: none is
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			err = out.still(at)
		case n, ok := <-l.Notes:
			if !ok {
				return
			}
			at = n.Feed
			wait := gather
			if own != "" && n.ID != own {
				wait = gatherMore
			}
			if soon := time.Now().Add(wait); when.IsZero() || soon.Before(when) {
				when = soon
				due.Reset(wait)
			}
		case <-due.C:
			when = time.Time{}
			err = out.changed(at)
		}
	}
}

// hints writes server-sent events.
type hints struct {
	w       http.ResponseWriter
	control *http.ResponseController
	within  time.Duration // of each
}

func newHints(w http.ResponseWriter, within time.Duration) *hints {
	return &hints{w, http.NewResponseController(w), within}
}

func (h *hints) changed(at int64) error { return h.send("event: saga\ndata: {}\n", at) }

// still keeps the connection alive and says how far it has got.
func (h *hints) still(at int64) error { return h.send(": still here\n", at) }

func (h *hints) send(text string, at int64) error {
	if err := h.control.SetWriteDeadline(time.Now().Add(h.within)); err != nil {
		return err
	}
	if _, err := h.w.Write([]byte(text + "id: " + strconv.FormatInt(at, 10) + "\n\n")); err != nil {
		return err
	}
	return h.control.Flush()
}
