package ui

import (
	"context"
	"fmt"
	"io"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// icons are paths on a grid of 16, stroked with the colour of the text.
var icons = map[string]string{
	// of states
	"check":  "M3.5 8.5l3 3 6-7",
	"return": "M6 4L3 7l3 3M3 7h6.5a3.5 3.5 0 010 7H7",
	"undo":   "M3 8a5 5 0 105-5 6 6 0 00-4 1.8M3 3v3h3",
	"play":   "M5.5 4v8l6-4z",
	"clock":  "M8 2.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM8 5v3l2 1.5",
	"pause":  "M6 4v8M10 4v8",
	"doubt":  "M6 6a2 2 0 114 0c0 1.5-2 1.5-2 3.2M8 11.8v.2",
	"cross":  "M4.5 4.5l7 7m0-7l-7 7",
	"bell":   "M4 11.5V7a4 4 0 018 0v4.5M2.8 11.5h10.4M7 13.8h2",
	"dash":   "M4 8h8",
	"dot":    "M8 7.5a.5.5 0 100 1 .5.5 0 000-1z",
	"flag":   "M4 14V3m0 0h7l-1.5 2.5L11 8H4",

	// of places and things
	"home":    "M2.5 7.5L8 3l5.5 4.5M4 6.5V13h8V6.5",
	"droplet": "M8 2.5s4.5 4.4 4.5 7a4.5 4.5 0 01-9 0c0-2.6 4.5-7 4.5-7z",
	"saga":    "M3 4h5M3 8h8M3 12h3.5M11 4h2M13.5 12H9.5",
	"camera":  "M2.5 5h2.6l1-1.5h3.8l1 1.5h2.6v7.5h-11zM8 6.5a2.2 2.2 0 100 4.4 2.2 2.2 0 000-4.4z",
	"copy":    "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
	"search":  "M7 3a4 4 0 100 8 4 4 0 000-8zM10 10l3.5 3.5",
	"info":    "M8 2.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM8 7.5v3.2M8 5.2v.2",
	"empty":   "M3 5.5h10v7H3zM3 5.5L5 3h6l2 2.5M6.5 8.5h3",
	"sun":     "M8 5.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
	"moon":    "M13 9.5A5.5 5.5 0 016.5 3 5.5 5.5 0 1013 9.5z",
	"screen":  "M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13",
	"down":    "M4.5 6.5L8 10l3.5-3.5",
	"up":      "M4.5 9.5L8 6l3.5 3.5",
	"right":   "M6.5 4.5L10 8l-3.5 3.5",
	"left":    "M9.5 4.5L6 8l3.5 3.5",
	"table":   "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 3.5v9",
	"changes": "M3 5.5h9M9.5 3L12 5.5 9.5 8M13 10.5H4M6.5 8L4 10.5 6.5 13",
	"key":     "M10.5 2.5a3 3 0 100 6 3 3 0 000-6zM8.3 7.7L3 13M4.5 11.5L6 13",
	"tenant":  "M8 2.8a2.6 2.6 0 100 5.2 2.6 2.6 0 000-5.2zM3.2 13.2a4.8 4.8 0 019.6 0",
	"stack":   "M2.5 5L8 2.5 13.5 5 8 7.5zM2.5 8L8 10.5 13.5 8M2.5 11L8 13.5 13.5 11",
	"bill":    "M4 2.5h8v11l-2-1.2-2 1.2-2-1.2-2 1.2zM6.5 6h3M6.5 8.5h3",
	"plus":    "M8 3.5v9M3.5 8h9",
	"edit":    "M3.5 12.5L4 10l6-6 2 2-6 6z",
	"freeze":  "M8 2v12M2.8 5l10.4 6M13.2 5L2.8 11M6 3.2L8 5l2-1.8M6 12.8L8 11l2 1.8",
	"volume":  "M3.5 5c0-1.2 2-2 4.5-2s4.5.8 4.5 2-2 2-4.5 2-4.5-.8-4.5-2zM3.5 5v6c0 1.2 2 2 4.5 2s4.5-.8 4.5-2V5",
	"shield":  "M8 2.5l4.5 1.7v3.6c0 2.8-1.9 4.7-4.5 5.7-2.6-1-4.5-2.9-4.5-5.7V4.2z",
	"globe":   "M8 2.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM2.5 8h11M8 2.5c2 2 2.2 9 0 11-2.2-2-2-9 0-11z",
	"pin":     "M8 13.5S3.8 9.6 3.8 6.6a4.2 4.2 0 018.4 0C12.2 9.6 8 13.5 8 13.5zM8 5.4a1.3 1.3 0 100 2.6 1.3 1.3 0 000-2.6z",
	"network": "M6 2.5h4v3.5H6zM2.5 10h4v3.5h-4zM9.5 10h4v3.5h-4zM8 6v2M4.5 10V8h7v2",
	"more":    "M4 8h.01M8 8h.01M12 8h.01",
}

// Icon draws one of the icons. It is for the eye alone: the words stand beside it.
func Icon(name string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := fmt.Fprintf(w, `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="%s"/></svg>`, icons[name])
		return err
	})
}

// Mark is an icon within a picture: its path alone, on a grid of 16.
func Mark(name string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := fmt.Fprintf(w, `<path d="%s"/>`, icons[name])
		return err
	})
}

// glyphs are the icons of states.
var glyphs = map[string]string{
	"completed": "check", "active": "check", "rolled_back": "return", "compensated": "return", "compensating": "undo",
	"running": "play", "executing": "play", "waiting": "clock", "paused": "pause", "unknown": "doubt",
	"failed": "cross", "stuck": "bell", "undo_failed": "bell", "skipped": "dash", "off": "dash", "ready": "clock",
	"complete": "check", "accepted": "check", "lacks scopes": "doubt", "partial": "doubt", "not_permitted": "dash", "stale": "clock", "deleted": "cross", "marked": "clock", "claimed": "cross", "spared": "check",
	"passed": "check", "suspended": "pause", "gone": "dash", "undone": "return",
	"paid": "check", "overdue": "bell", "open": "clock", "credited": "return", "partially_paid": "clock", "void": "dash", "uncollectible": "cross", "test": "doubt",
}

// Glyph is a state's.
func Glyph(state string) templ.Component {
	if name, ok := glyphs[state]; ok {
		return Icon(name)
	}
	return Icon("dot")
}

// hueOf is a state's, of sagas and steps as package wire has it, and of droplets.
func hueOf(state string) string {
	switch state {
	case "active", "complete", "accepted", "paid", "passed":
		return string(wire.Good)
	case "suspended", "marked", "partial", "not_permitted", "stale", "lacks scopes", "partially_paid", "test":
		return string(wire.Attention)
	case "overdue", "claimed":
		return string(wire.Bad)
	case "deleted", "void":
		return string(wire.Dim)
	case "new", "locked":
		return string(wire.Running)
	}
	_, hue := wire.LookOf(state)
	return string(hue)
}
