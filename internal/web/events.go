package web

import (
	"net/http"
	"strconv"
	"strings"
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
// feed's number that it came back with or, the first time, that it was made at. A
// page of the inventory follows that too. Hints are gathered, and hold nothing but
// where the page then stands: one that was away reads itself once, however much it
// missed, and a stream costs no memory.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	own := saga.ID(r.URL.Query().Get("saga"))
	if own != "" && id.Check("saga", string(own)) != nil {
		http.Error(w, "saga is the id of a saga.", http.StatusBadRequest)
		return
	}
	topic := topic(r.URL.Query().Get("topic"))
	number, stood, _ := strings.Cut(r.Header.Get("Last-Event-ID"), "~")
	seen, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		stood = r.URL.Query().Get("stood")
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
	stands, err := s.lookout.position(r.Context(), topic)
	if err != nil {
		return
	}
	if seen != at || stood != stands { // a greater number is of another database
		err = out.changed(place(at, stands))
	} else {
		err = out.still(place(at, stands))
	}
	look := time.NewTicker(lookoutAge)
	defer look.Stop()
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
			err = out.still(place(at, stands))
		case <-look.C:
			if now, e := s.lookout.position(r.Context(), topic); e == nil && now != stands {
				stands = now
				err = out.changed(place(at, stands))
			}
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
			err = out.changed(place(at, stands))
		}
	}
}

// place is where a page stands: the number of the sagas' feed and, where it follows
// the inventory too, how far that was.
func place(at int64, stands string) string {
	number := strconv.FormatInt(at, 10)
	if stands == "" {
		return number
	}
	return number + "~" + stands
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

func (h *hints) changed(at string) error { return h.send("event: saga\ndata: {}\n", at) }

// still keeps the connection alive and says how far it has got.
func (h *hints) still(at string) error { return h.send(": still here\n", at) }

func (h *hints) send(text, at string) error {
	if err := h.control.SetWriteDeadline(time.Now().Add(h.within)); err != nil {
		return err
	}
	if _, err := h.w.Write([]byte(text + "id: " + at + "\n\n")); err != nil {
		return err
	}
	return h.control.Flush()
}
