package web

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

const (
	eventPage  = 500
	mostEvents = 5000 // that one page reads and tells
)

// A sagaView is all that the page of a saga shows.
type sagaView struct {
	ui.Page
	saga     client.Saga
	row      saga.Saga
	standing saga.Standing
	events   []saga.Event
	cut      bool // there are more events than the page reads
	story    story
	line     ui.Timeline
	shown    []saga.Event // the events under the filter
	filter   string
	base     string // of the server, for what is to be typed
}

func parseSaga(text string) (saga.ID, error) {
	if err := id.Check("saga", text); err != nil {
		return "", fault.Wrap(fault.NotFound, err, "%s", fault.Message(err))
	}
	return saga.ID(text), nil
}

// saga is the page of one saga.
func (s *Server) saga(v *visit) error {
	text, asJSON := strings.CutSuffix(v.r.PathValue("id"), ".json")
	sagaID, err := parseSaga(text)
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	at, err := s.position(ctx) // before the saga is read: what comes after is told
	if err != nil {
		return err
	}
	got, err := s.o.Engine.Saga(ctx, sagaID)
	if err != nil {
		return err
	}
	view := sagaView{row: got, saga: wire.Saga(got), filter: v.query.Get("events"), base: "http://" + v.r.Host}
	why := ""
	if view.standing, why, err = s.standing(ctx, got); err != nil {
		return err
	}
	if view.events, view.cut, err = s.allEvents(ctx, sagaID); err != nil {
		return err
	}
	if asJSON {
		return v.json(view.twin())
	}
	view.story = tell(view.events, got.State.Ended() || got.State == saga.Stuck, v.now.Time)
	view.line = view.story.timeline(got, v.now.Time)
	view.shown = slices.DeleteFunc(slices.Clone(view.events), func(e saga.Event) bool { return !shows(view.filter, e) })
	view.Page = v.live(wire.NameOf(view.saga), "/sagas", text, at)
	if !got.State.Ended() && why != "" {
		view.ReadOnly = why
	}
	return v.show(http.StatusOK, sagaPage(view))
}

// position is the number up to which the feed has been passed on.
func (s *Server) position(ctx context.Context) (string, error) {
	l, at, err := s.o.Feed.Listen(ctx, "")
	if err != nil {
		return "", err
	}
	s.o.Feed.Leave(l)
	return strconv.FormatInt(at, 10), nil
}

func (s *Server) allEvents(ctx context.Context, of saga.ID) (all []saga.Event, cut bool, err error) {
	for after := int64(0); len(all) < mostEvents; {
		page, err := s.o.Engine.Events(ctx, of, after, eventPage)
		if err != nil {
			return nil, false, err
		}
		all = append(all, page...)
		if len(page) < eventPage {
			return all, false, nil
		}
		after = page[len(page)-1].Seq
	}
	return all, true, nil
}

// shows reports whether the list of events shows one under a filter.
func shows(filter string, e saga.Event) bool {
	switch filter {
	case "people":
		return e.Actor != ""
	case "all":
		return true
	}
	return e.Type != saga.APICall
}

// eventChoices are the filters of the list of events.
func (v sagaView) eventChoices() []ui.Choice {
	count := func(filter string) (n int64) {
		for _, e := range v.events {
			if shows(filter, e) {
				n++
			}
		}
		return n
	}
	return []ui.Choice{{Value: "", Text: "Ledger", Count: count("")}, {Value: "people", Text: "By people", Count: count("people")}, {Value: "all", Text: "With API calls", Count: count("all")}}
}

// A sagaTwin is the page's JSON.
type sagaTwin struct {
	Saga     client.Saga    `json:"saga"`
	Verbs    []string       `json:"verbs"`
	Step     *string        `json:"step"` // at hand
	Owned    bool           `json:"owned"`
	Subjects []subjectTwin  `json:"subjects"`
	Events   []client.Event `json:"events"`
	Cut      bool           `json:"events_cut"`
}

type subjectTwin struct {
	Subject string   `json:"subject"`
	Holder  *string  `json:"holder"`
	Waiting []string `json:"waiting"`
}

func (v sagaView) twin() sagaTwin {
	t := sagaTwin{
		Saga: v.saga, Verbs: v.standing.Verbs, Step: wire.Text(v.standing.Step), Owned: v.standing.Owned,
		Subjects: []subjectTwin{}, Events: make([]client.Event, len(v.events)), Cut: v.cut,
	}
	for i, e := range v.events {
		t.Events[i] = wire.Event(e)
	}
	for _, l := range v.standing.Lines {
		sub := subjectTwin{Subject: l.Subject, Holder: wire.Text(string(l.Holder)), Waiting: []string{}}
		for _, w := range l.Waiting {
			sub.Waiting = append(sub.Waiting, string(w.ID))
		}
		t.Subjects = append(t.Subjects, sub)
	}
	return t
}

// may reports whether a verb is legal now.
func (v sagaView) may(verb string) bool { return slices.Contains(v.standing.Verbs, verb) }

// chapter is what happened in a step.
func (v sagaView) chapter(step string) chapter {
	if c := v.story.steps[step]; c != nil {
		return *c
	}
	return chapter{}
}

// opens reports whether a step's detail is open when the page is opened: where it
// goes on, or went wrong, or where there is but one.
func (v sagaView) opens(st client.Step) bool {
	switch st.State {
	case "executing", "waiting", "unknown", "failed", "compensating", "undo_failed":
		return true
	}
	return len(v.saga.Steps) == 1
}

// asked is what an operator wants that has not happened yet; empty: nothing.
func (v sagaView) asked() string {
	switch {
	case v.row.State.Ended():
		return ""
	case v.row.Want == saga.WantPause && v.row.State != saga.Paused:
		return "A pause was asked for. It takes effect at the next boundary; what is under way at DigitalOcean goes on until then."
	case v.row.Want == saga.WantCancel && v.row.Direction == saga.Forward:
		return "It was cancelled. It turns back at the next boundary and undoes what it did."
	}
	return ""
}

// name is what a saga is about, without the id of what it names.
func name(s saga.Saga) string {
	whole := wire.NameOf(wire.Saga(s))
	if of := dropletOf(s); of != "" {
		return strings.TrimSuffix(whole, " ("+of+")")
	}
	return whole
}

// dropletOf is the id of the droplet that a saga is about; empty where it is none.
func dropletOf(s saga.Saga) string {
	if len(s.Subjects) != 1 {
		return ""
	}
	of, ok := strings.CutPrefix(s.Subjects[0], "do:droplet:")
	if !ok {
		return ""
	}
	return of
}

var sagaIDs = regexp.MustCompile(`\bsaga_[0-9a-f]{32}\b`)

// shortIDs shortens the ids of sagas in a text for people.
func shortIDs(text string) string { return sagaIDs.ReplaceAllStringFunc(text, brief) }

func requests(n int) string {
	if n == 1 {
		return "1 request to DigitalOcean"
	}
	return strconv.Itoa(n) + " requests to DigitalOcean"
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

// brief is a saga's id as a person can tell it from others.
func brief(sagaID string) string { return "saga_…" + id.Random8(sagaID) }

// subjectHref is the page of what a subject names; empty where there is none.
func subjectHref(subject string) string {
	if strings.HasPrefix(subject, "do:") {
		return resourcePath(subject)
	}
	return ""
}

// about says what an event tells beside its type.
func about(e saga.Event) string {
	var d detail
	_ = json.Unmarshal(e.Detail, &d) // an event of another form has none of it
	var c call
	if e.Type == saga.APICall && json.Unmarshal(e.Detail, &c.APICall) == nil {
		return c.line()
	}
	var why struct {
		Why string `json:"why"`
	}
	_ = json.Unmarshal(e.Detail, &why) // nor of this
	for _, text := range []string{d.Reason, d.Message, d.Error, why.Why} {
		if text != "" {
			return text
		}
	}
	switch {
	case d.Behind != "":
		return "behind " + d.Behind
	case d.Attempt > 0:
		return "attempt " + strconv.Itoa(d.Attempt) + entered(d.Entry)
	}
	return ""
}

// line is a call in one line.
func (c call) line() string {
	return c.Method + " " + c.Path + " → " + c.answer()
}

// answer is how a call ended.
func (c call) answer() string {
	how := strconv.Itoa(c.Status)
	switch {
	case c.Unsent:
		how = "not sent"
	case c.Status == 0:
		how = "no answer"
	}
	if c.Code != "" {
		how += ", " + wire.Words(c.Code)
	}
	return how
}

// hue is whether a call ended well. What is not found is often what was hoped for.
func (c call) hue() wire.Hue {
	switch {
	case c.Status >= 200 && c.Status < 300:
		return wire.Good
	case c.Status == http.StatusNotFound:
		return wire.Plain
	case c.Unsent, c.Status == 0, c.Status == http.StatusTooManyRequests:
		return wire.Attention
	}
	return wire.Bad
}
