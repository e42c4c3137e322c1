package ui

import (
	"time"

	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A Clock is the time that a page was made at; what it says of times is relative
// to that, until JavaScript counts on.
type Clock struct{ time.Time }

// Ago is how long ago a time was: "4 min 12 s ago".
func (c Clock) Ago(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	d := c.Sub(t)
	if d < time.Second {
		return "just now"
	}
	return wire.Took(d.Truncate(time.Second)) + " ago"
}

// In is how long it is until a time: "in 4 s".
func (c Clock) In(t time.Time) string {
	d := t.Sub(c.Time)
	if d <= 0 {
		return "now"
	}
	return "in " + wire.Took(max(d.Round(time.Second), time.Second))
}

// Absolute is a time to the second with its zone.
func Absolute(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// Exact is a time as programs write it, to the millisecond.
func Exact(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// TimeOfDay is a time to the millisecond without its day.
func TimeOfDay(t time.Time) string { return t.UTC().Format("15:04:05.000") }
