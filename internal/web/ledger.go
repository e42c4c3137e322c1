package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A story is a saga's events told by step: what each did for how long. It is a
// function of the events alone.
type story struct {
	whole []span // not of a step: in line, paused
	steps map[string]*chapter
}

// A chapter is what happened in one step.
type chapter struct {
	spans []span
	calls []call
}

// A span is something that lasted.
type span struct {
	From, To time.Time
	Look     ui.BarLook
	Undo     bool
	Again    bool      // it looks whether a rest is over
	Open     bool      // it goes on; To is when it will end, or now
	Until    time.Time // of a rest: when it looks again at the latest
	Text     string
	Looks    int // how often it was looked in between, and nothing had changed
}

// A call is one request to DigitalOcean, as its event tells it.
type call struct {
	At   time.Time
	Step string
	client.APICall
}

// detail is what the details of events hold that the story is told from.
type detail struct {
	Entry   string    `json:"entry"`
	Attempt int       `json:"attempt"`
	Reason  string    `json:"reason"`
	Until   time.Time `json:"until"`
	Error   string    `json:"error"`
	Message string    `json:"message"`
	Behind  string    `json:"behind"`
	Unknown bool      `json:"unknown"`
}

// tell makes the story of a saga's events, in their order, as it stands at now.
func tell(events []saga.Event, ended bool, now time.Time) story {
	t := teller{story: story{steps: map[string]*chapter{}}}
	for _, e := range events {
		var d detail
		_ = json.Unmarshal(e.Detail, &d) // an event of another form has none of it
		t.event(e, d)
	}
	if t.open != nil && !ended {
		t.open.Open = true
		t.close(later(now, t.open.Until))
	}
	return t.story
}

type teller struct {
	story   story
	open    *span
	of      string // the step that open is of; empty: the saga
	undoing bool
}

func (t *teller) event(e saga.Event, d detail) {
	switch e.Type {
	case saga.APICall:
		c := call{At: e.At, Step: e.Step}
		_ = json.Unmarshal(e.Detail, &c.APICall) // what it does not say stays empty
		t.chapter(e.Step).calls = append(t.chapter(e.Step).calls, c)
	case "queued":
		t.begin(e, "", span{Look: ui.BarQueued, Text: "In line behind " + d.Behind})
	case "step_started", "undo_started":
		what := "Do"
		if e.Type == "undo_started" {
			what, t.undoing = "Undo", true
		}
		s := span{Look: ui.BarWork, Text: fmt.Sprintf("%s, attempt %d%s", what, d.Attempt, entered(d.Entry))}
		if d.Entry == string(saga.Resumed) {
			s.Again, s.Text = true, "Looks again"
		}
		t.begin(e, e.Step, s)
	case "step_waiting":
		s := span{Look: ui.BarWait, Until: d.Until, Text: ui.Upper(d.Reason)}
		if d.Unknown {
			s.Look = ui.BarUnknown
		}
		t.begin(e, e.Step, s)
	case "step_retry":
		t.mark(ui.BarFailed, "failed: "+d.Error)
		t.begin(e, e.Step, span{Look: ui.BarRetry, Text: "Rest before the next attempt"})
	case "step_failed", "stuck":
		t.mark(ui.BarFailed, "failed: "+d.Message)
		t.close(e.At)
	case "recovered":
		t.mark(ui.BarUnknown, "its owner was lost, and whether it sent a request is not known")
		t.close(e.At)
	case "turned_back":
		t.close(e.At)
		t.undoing = true
	case "paused":
		t.begin(e, "", span{Look: ui.BarPaused, Text: "Paused"})
	case "started", "step_completed", "undo_completed", "completed", "rolled_back", "skip", "mark-done":
		t.close(e.At)
	}
}

// entered says why a step was entered, where that is worth a word.
func entered(entry string) string {
	switch saga.Entry(entry) {
	case saga.Resumed:
		return ", looks again"
	case saga.Recovered:
		return ", taken over from a lost owner"
	}
	return ""
}

func (t *teller) begin(e saga.Event, of string, s span) {
	t.close(e.At)
	s.From, s.Undo = e.At, t.undoing
	t.open, t.of = &s, of
}

// mark says how the open span, if there is one, turned out.
func (t *teller) mark(look ui.BarLook, how string) {
	if t.open != nil && t.open.Look != ui.BarPaused && t.open.Look != ui.BarQueued {
		t.open.Look = look
		t.open.Text += ": " + strings.TrimSuffix(how, ": ")
	}
}

func (t *teller) close(at time.Time) {
	if t.open == nil {
		return
	}
	t.open.To = at
	if t.of == "" {
		t.story.whole = append(t.story.whole, *t.open)
	} else {
		c := t.chapter(t.of)
		c.spans = append(c.spans, *t.open)
	}
	t.open = nil
}

func (t *teller) chapter(step string) *chapter {
	if t.story.steps[step] == nil {
		t.story.steps[step] = &chapter{}
	}
	return t.story.steps[step]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// compact makes one span of a rest that went on after each look.
func compact(spans []span) (few []span) {
	for i := 0; i < len(spans); i++ {
		s := spans[i]
		for s.Look != ui.BarWork && i+2 < len(spans) && spans[i+1].Again && spans[i+2].Look == s.Look && spans[i+2].Text == s.Text {
			last := spans[i+2]
			s.To, s.Open, s.Until, s.Looks = last.To, last.Open, last.Until, s.Looks+1
			i += 2
		}
		few = append(few, s)
	}
	return few
}

// timeline draws the story.
func (s story) timeline(of saga.Saga, now time.Time) ui.Timeline {
	from := of.StartedAt
	if from.IsZero() || len(s.whole) > 0 && s.whole[0].From.Before(from) {
		from = of.CreatedAt
	}
	to := now
	if of.State.Ended() {
		to = of.FinishedAt
	}
	t := ui.Timeline{From: from, Now: ui.Clock{Time: now}}
	if len(s.whole) > 0 {
		t.Rows = append(t.Rows, ui.Lane{Name: "saga", Bars: bars(s.whole, &to)})
	}
	for _, st := range of.Steps {
		lane := ui.Lane{Name: st.Name, State: string(st.State), Href: "#step-" + st.Name}
		if !st.StartedAt.IsZero() && !st.FinishedAt.IsZero() {
			lane.Took = wire.Took(st.FinishedAt.Sub(st.StartedAt))
		}
		if c := s.steps[st.Name]; c != nil {
			lane.Bars = bars(c.spans, &to)
		}
		t.Rows = append(t.Rows, lane)
	}
	t.To = to
	if !of.State.Ended() {
		t.To = to.Add(max(to.Sub(from)/16, 500*time.Millisecond)) // room to grow
	}
	return t
}

// bars draws spans, and moves to so that they all end before it.
func bars(spans []span, to *time.Time) []ui.Bar {
	drawn := make([]ui.Bar, len(spans))
	for i, s := range spans {
		*to = later(*to, s.To)
		drawn[i] = ui.Bar{From: s.From, To: s.To, Look: s.Look, Below: s.Undo, Open: s.Open && s.Until.IsZero(), Title: s.Text + " (" + wire.Took(s.To.Sub(s.From)) + ")"}
	}
	return drawn
}
