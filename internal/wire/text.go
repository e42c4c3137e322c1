package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

// A Hue is what colour adds to a state's glyph and word.
type Hue string

// The hues. Plain and Dim say nothing of good or bad.
const (
	Plain     Hue = "plain"
	Dim       Hue = "dim"
	Good      Hue = "good"
	Running   Hue = "running"
	Attention Hue = "attention"
	Bad       Hue = "bad"
)

// LookOf is the glyph and the hue of a state of a saga or of a step; the state's
// word always stands beside them.
func LookOf(state string) (glyph string, h Hue) {
	switch state {
	case "completed":
		return "✓", Good
	case "rolled_back", "compensated":
		return "↩", Plain // a success of undoing
	case "compensating":
		return "↺", Running
	case "running", "executing":
		return "▸", Running
	case "waiting":
		return "◷", Running
	case "unknown", "paused":
		return "?", Attention
	case "failed":
		return "✗", Bad
	case "stuck", "undo_failed":
		return "!", Bad
	case "skipped":
		return "–", Dim
	default: // pending, created, ready
		return "·", Dim
	}
}

// Words is a state, a kind or a type of event as people say it.
func Words(state string) string { return strings.ReplaceAll(state, "_", " ") }

// Took is a duration in at most two units: "4 min 12 s".
func Took(d time.Duration) string {
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

// deeds are what sagas of a kind do, as a title and as a command.
var deeds = map[string]struct{ noun, verb string }{
	"snapshot_droplet": {"Snapshot", "Snapshot"},
	"smoke":            {"Smoke test", "Smoke test"},
	"provision_stack":  {"Provision", "Provision"},
	"teardown_stack":   {"Teardown", "Tear down"},
	"backup_stack":     {"Backup", "Back up"},
	"expire_backups":   {"Expiry of backups", "Expire backups of"},
	"restore_stack":    {"Restore", "Restore"},
	"drill_stack":      {"Drill", "Drill"},
	"resize_stack":     {"Resize", "Resize"},
	"rebuild_stack":    {"Rebuild", "Rebuild"},
	"suspend_stack":    {"Suspension", "Suspend"},
	"resume_stack":     {"Resumption", "Resume"},
	"adopt_stack":      {"Adoption", "Adopt"},
	"release_stack":    {"Release", "Release"},
	"absorb_drift":     {"Absorption of drift", "Absorb drift of"},
	"repair_stack":     {"Repair", "Repair"},
	"cleanup_orphans":  {"Clean-up", "Clean up"},
}

// NameOf says what a saga is about, as a person would: its kind's words and its
// subject by name where the state has one: "Provision of stack acme/web". BriefOf says
// the same in less space: "Provision acme/web".
func NameOf(s client.Saga) string {
	kind, of := aboutOf(s)
	if deed, ok := deeds[s.Kind]; ok && of != "" {
		return deed.noun + " of " + kind + " " + of
	}
	return plainName(s)
}

// BriefOf is NameOf for a column.
func BriefOf(s client.Saga) string {
	_, of := aboutOf(s)
	if deed, ok := deeds[s.Kind]; ok && of != "" {
		name, _, _ := strings.Cut(of, " (")
		return deed.verb + " " + name
	}
	return plainName(s)
}

func plainName(s client.Saga) string {
	if len(s.Subjects) > 0 {
		return s.Kind + " of " + strings.Join(s.Subjects, ", ")
	}
	return s.Kind
}

// aboutOf is what a saga's state says that it is about: "stack", "acme/web". Of a state
// of another form both are empty.
func aboutOf(s client.Saga) (kind, name string) {
	var about struct {
		DropletName string `json:"droplet_name"`
		DropletID   int64  `json:"droplet_id"`
		Account     string `json:"account"`
		Stack       string `json:"stack"`
		Name        string `json:"name"`
		Spec        struct {
			Tenant struct {
				Slug string `json:"slug"`
			} `json:"tenant"`
		} `json:"spec"`
	}
	_ = json.Unmarshal(s.Data, &about)
	switch {
	case about.DropletName != "":
		return "droplet", fmt.Sprintf("%s (%d)", about.DropletName, about.DropletID)
	case about.Stack != "" && about.Name != "" && about.Spec.Tenant.Slug != "":
		return "stack", about.Spec.Tenant.Slug + "/" + about.Name
	case s.Kind == "cleanup_orphans" && about.Account != "":
		return "account", about.Account
	}
	return "", ""
}
