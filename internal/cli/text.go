package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

// A hue is what colour adds to a state's glyph and word.
type hue string

const (
	plain     hue = ""
	dim       hue = "2"
	good      hue = "32"
	running   hue = "34"
	attention hue = "33"
	bad       hue = "31"
)

// A pen writes for a person: in colour where that shows and is wanted.
type pen struct{ colour bool }

func penFor(stream any) pen {
	return pen{colour: isTerminal(stream) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p pen) in(h hue, text string) string {
	if !p.colour || h == plain || text == "" {
		return text
	}
	return "\x1b[" + string(h) + "m" + text + "\x1b[0m"
}

// lookOf is a state's glyph and hue; the state's word always stands beside them.
func lookOf(state string) (glyph string, h hue) {
	switch state {
	case "completed":
		return "✓", good
	case "rolled_back", "compensated":
		return "↩", plain // a success of undoing
	case "compensating":
		return "↺", running
	case "running", "executing":
		return "▸", running
	case "waiting":
		return "◷", running
	case "unknown", "paused":
		return "?", attention
	case "failed":
		return "✗", bad
	case "stuck", "undo_failed":
		return "!", bad
	case "skipped":
		return "–", dim
	default: // pending, created, ready
		return "·", dim
	}
}

// words is a state as people say it.
func words(state string) string { return strings.ReplaceAll(state, "_", " ") }

// took is a duration in at most two units: "4 min 12 s".
func took(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	if d < 50*time.Millisecond {
		return "< 0.1 s"
	}
	if d < 10*time.Second && d%time.Second != 0 {
		return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
	}
	d = d.Round(time.Second)
	var parts []string
	for _, u := range units {
		n := int64(d / u.size)
		d %= u.size
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// ago is how long before now something was.
func ago(t *client.Time, now time.Time) string {
	if t == nil {
		return "–"
	}
	if d := now.Sub(t.Time); d >= time.Second {
		return took(d.Truncate(time.Second)) + " ago"
	}
	return "just now"
}

// clock is a time of day with its zone.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// table writes rows under a heading, in columns.
func table(w io.Writer, heading string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(heading, "|", "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// nameOf says what a saga is about, as a person would: its kind's words and its
// subject by name where the state has one.
func nameOf(s client.Saga) string {
	var about struct {
		DropletName string `json:"droplet_name"`
		DropletID   int64  `json:"droplet_id"`
	}
	_ = json.Unmarshal(s.Data, &about) // a state of another form has no droplet
	kind := map[string]string{"snapshot_droplet": "Snapshot", "smoke": "Smoke test"}[s.Kind]
	switch {
	case kind != "" && about.DropletName != "":
		return fmt.Sprintf("%s of droplet %s (%d)", kind, about.DropletName, about.DropletID)
	case len(s.Subjects) > 0:
		return s.Kind + " of " + strings.Join(s.Subjects, ", ")
	}
	return s.Kind
}
