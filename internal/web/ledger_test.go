package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/saga"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// history makes events from lines of a second, a type, a step and a detail.
func history(t *testing.T, lines string) (events []saga.Event) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		parts := strings.SplitN(strings.TrimSpace(line), " ", 4)
		second, err := time.ParseDuration(parts[0] + "s")
		if err != nil {
			t.Fatal(err)
		}
		e := saga.Event{Seq: int64(i + 1), At: noon.Add(second), Type: parts[1]}
		if len(parts) > 2 && parts[2] != "-" {
			e.Step = parts[2]
		}
		if len(parts) > 3 {
			e.Detail = json.RawMessage(parts[3])
		}
		events = append(events, e)
	}
	return events
}

// told is a story as lines: seconds, look, and what it was.
func told(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		fmt.Fprintf(&b, "%g-%g %s", s.From.Sub(noon).Seconds(), s.To.Sub(noon).Seconds(), s.Look)
		if s.Undo {
			b.WriteString(" undo")
		}
		if s.Open {
			b.WriteString(" open")
		}
		fmt.Fprintf(&b, " %s", s.Text)
		if s.Looks > 0 {
			fmt.Fprintf(&b, " ×%d", s.Looks)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestStoryOfAStep(t *testing.T) {
	for _, tt := range []struct{ name, events, want string }{
		{"a wait that went on after two looks is one", `
			0 started
			0 step_started a {"entry":"first","attempt":1}
			1 step_waiting a {"reason":"for it","until":"2026-11-25T12:00:03Z"}
			3 step_started a {"entry":"resumed","attempt":1}
			3 step_waiting a {"reason":"for it","until":"2026-11-25T12:00:05Z"}
			5 step_started a {"entry":"resumed","attempt":1}
			5 step_waiting a {"reason":"for it","until":"2026-11-25T12:00:30Z"}`,
			"0-1 work Do, attempt 1\n1-30 wait open For it ×2\n"},
		{"a failure, its rest and the next attempt", `
			0 step_started a {"entry":"first","attempt":1}
			1 step_retry a {"error":"no","in_ms":2000}
			3 step_started a {"entry":"retry","attempt":2}
			4 step_completed a
			4 completed`,
			"0-1 failed Do, attempt 1: failed: no\n1-3 retry Rest before the next attempt\n3-4 work Do, attempt 2\n"},
		{"what a lost owner did is not known, and neither is what follows", `
			0 step_started a {"entry":"first","attempt":1}
			9 recovered a {"lease_until":"2026-11-25T12:00:09Z"}
			9 step_started a {"entry":"recovered","attempt":2}
			10 step_waiting a {"reason":"settle","until":"2026-11-25T12:00:12Z","unknown":true}
			12 step_started a {"entry":"resumed","attempt":2}
			13 step_completed a
			13 completed`,
			"0-9 unknown Do, attempt 1: its owner was lost, and whether it sent a request is not known\n9-10 work Do, attempt 2, taken over from a lost owner\n10-12 unknown Settle\n12-13 work Looks again\n"},
		{"turned back: the undoing is told apart", `
			0 step_started a {"entry":"first","attempt":1}
			1 step_completed a
			1 turned_back - {"why":"cancelled"}
			1 undo_started a {"entry":"first","attempt":1}
			2 step_waiting a {"reason":"for its end","until":"2026-11-25T12:00:04Z"}
			4 undo_started a {"entry":"resumed","attempt":1}
			5 undo_completed a
			5 rolled_back`,
			"0-1 work Do, attempt 1\n1-2 work undo Undo, attempt 1\n2-4 wait undo For its end\n4-5 work undo Looks again\n"},
		{"it goes on", `
			0 step_started a {"entry":"first","attempt":1}`,
			"0-20 work open Do, attempt 1\n"},
	} {
		events := history(t, tt.events)
		last := events[len(events)-1].Type
		s := tell(events, last == "completed" || last == "rolled_back", noon.Add(20*time.Second))
		if got := told(compact(s.steps["a"].spans)); got != tt.want {
			t.Errorf("%s:\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

// What is not of a step has a row of its own, and every bar lies on the axis.
func TestTimelineHoldsAll(t *testing.T) {
	s := tell(history(t, `
		0 queued - {"behind":"saga_x"}
		4 started
		4 step_started a {"entry":"first","attempt":1}
		5 pause a {"reason":"x"}
		6 step_waiting a {"reason":"w","until":"2026-11-25T12:00:09Z"}
		6 paused`), false, noon.Add(8*time.Second))
	row := saga.Saga{State: saga.Paused, CreatedAt: noon, StartedAt: noon.Add(4 * time.Second), Steps: []saga.StepRow{{Name: "a", State: saga.StepWaiting}}}
	line := s.timeline(row, noon.Add(8*time.Second))
	if got, want := told(s.whole), "0-4 queued In line behind saga_x\n6-8 paused open Paused\n"; got != want {
		t.Errorf("of the saga:\n%swant\n%s", got, want)
	}
	if len(line.Rows) != 2 || !line.From.Equal(noon) {
		t.Fatalf("%d rows from %s, want 2 from noon", len(line.Rows), line.From)
	}
	for _, lane := range line.Rows {
		for _, b := range lane.Bars {
			if b.From.Before(line.From) || b.To.After(line.To) || b.To.Before(b.From) {
				t.Errorf("%s: %s to %s is not on the axis from %s to %s", b.Title, b.From, b.To, line.From, line.To)
			}
		}
	}
}
