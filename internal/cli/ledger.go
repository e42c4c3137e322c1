package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// ledger is a saga as a person reads it: what it is about, its steps, what it
// waits for, and how it stands.
func ledger(p pen, s client.Saga, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", wire.NameOf(s), p.in(wire.Dim, s.ID+" · asked for by "+s.RequestedBy+" at "+clock(s.CreatedAt.Time)))
	width := 0
	for _, step := range s.Steps {
		width = max(width, utf8.RuneCountInString(step.Name))
	}
	for _, step := range s.Steps {
		glyph, h := wire.LookOf(step.State)
		fmt.Fprintf(&b, "  %s %-*s  %s", p.in(h, glyph), width, step.Name, p.in(h, fmt.Sprintf("%-11s", wire.Words(step.State))))
		if more := strings.Join(facts(step, now), " · "); more != "" {
			b.WriteString("  " + p.in(wire.Dim, more))
		}
		b.WriteByte('\n')
		if step.Error != nil {
			fmt.Fprintf(&b, "    %s\n", step.Error.Message)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", verdict(p, s, now))
	return b.String()
}

// facts is what a step's line says beside its state.
func facts(step client.Step, now time.Time) (facts []string) {
	if step.StartedAt != nil {
		end := now
		if step.FinishedAt != nil {
			end = step.FinishedAt.Time
		}
		facts = append(facts, wire.Took(end.Sub(step.StartedAt.Time)))
	}
	if step.Attempts > 1 {
		facts = append(facts, fmt.Sprintf("%d attempts", step.Attempts))
	}
	if step.UndoAttempts > 1 {
		facts = append(facts, fmt.Sprintf("%d attempts to undo", step.UndoAttempts))
	}
	return facts
}

// verdict is how a saga stands, in a sentence, with what to do where a person must.
func verdict(p pen, s client.Saga, now time.Time) string {
	glyph, h := wire.LookOf(s.State)
	mark := p.in(h, glyph) + " "
	span := ""
	if s.StartedAt != nil && s.FinishedAt != nil {
		span = " after " + wire.Took(s.FinishedAt.Sub(s.StartedAt.Time))
	}
	why := ""
	if s.Error != nil && !slices.ContainsFunc(s.Steps, func(st client.Step) bool { return st.Error != nil && st.Error.Message == s.Error.Message }) {
		why = " " + s.Error.Message // no step's line says it
	}
	switch s.State {
	case client.Completed:
		return mark + "Completed" + span + "." + made(s)
	case client.RolledBack:
		return mark + "Rolled back" + span + ": everything it did is undone." + why
	case client.Stuck:
		return mark + "Stuck: a person must look." + why + "\n  Then: arcadia saga retry " + s.ID
	case client.Paused:
		return mark + "Paused. Go on with: arcadia saga resume " + s.ID
	case client.Created:
		return mark + "Created and not started. Start it with: arcadia saga start " + s.ID
	}
	if s.Wait != nil {
		reason := strings.TrimRight(s.Wait.Reason, ".")
		return mark + upperFirst(reason) + "; looks again " + in(s.Wait.Until.Sub(now)) + "."
	}
	if s.Direction == "undo" {
		return mark + "Undoing." + why
	}
	return mark + upperFirst(wire.Words(s.State)) + "."
}

// made says what a saga leaves behind that somebody wants to find.
func made(s client.Saga) string {
	var state struct {
		SnapshotName string `json:"snapshot_name"`
		SnapshotID   string `json:"snapshot_id"`
	}
	if json.Unmarshal(s.Data, &state) != nil || state.SnapshotID == "" {
		return ""
	}
	return fmt.Sprintf(" The snapshot is %s (%s).", state.SnapshotName, state.SnapshotID)
}

// in is a countdown.
func in(d time.Duration) string {
	if d <= 0 {
		return "now"
	}
	return "in " + wire.Took(d)
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// line is a saga's state in one line without colours, for logs: what its step at
// hand does, and what it waits for.
func line(s client.Saga) string {
	at := ""
	for _, step := range s.Steps {
		switch step.State {
		case "executing", "waiting", "unknown", "compensating", "undo_failed":
			at = step.Name + " " + wire.Words(step.State)
		}
	}
	switch {
	case s.Ended() || at == "":
		at = wire.Words(s.State)
	case s.State == client.Paused || s.State == client.Stuck:
		at = wire.Words(s.State) + " at " + at
	}
	if s.Wait != nil {
		at += ": " + s.Wait.Reason
	}
	return at
}
