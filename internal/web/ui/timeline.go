package ui

import (
	"math"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A Timeline is several rows over one axis of time. What was done stands above a
// row's middle, what was undone below it.
type Timeline struct {
	From, To time.Time
	Now      Clock // where it lies inside, it is marked
	Rows     []Lane
}

// A Lane is a row of a timeline.
type Lane struct {
	Name  string
	State string // of its badge; empty: none
	Href  string // what the name leads to
	Took  string // written at the end
	Bars  []Bar
}

// A Bar is something that lasted.
type Bar struct {
	From, To time.Time
	Look     BarLook
	Below    bool   // it undoes
	Open     bool   // it goes on
	Title    string // what it is, in words
}

// BarLook is how a bar is drawn.
type BarLook string

// The looks: work is filled, rest is hatched, what nobody knows is dotted.
const (
	BarWork    BarLook = "work"
	BarFailed  BarLook = "failed"
	BarWait    BarLook = "wait"
	BarRetry   BarLook = "retry" // a rest after a failure
	BarUnknown BarLook = "unknown"
	BarPaused  BarLook = "paused"
	BarQueued  BarLook = "queued"
)

// at is where a time lies on the axis, in percent of its length.
func (t Timeline) at(when time.Time) float64 {
	span := t.To.Sub(t.From)
	if span <= 0 {
		return 0
	}
	return min(max(100*float64(when.Sub(t.From))/float64(span), 0), 100)
}

func percent(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) + "%" }

// x and width place a bar. The shortest is still seen.
func (t Timeline) x(b Bar) string { return percent(min(t.at(b.From), 99.6)) }

func (t Timeline) width(b Bar) string {
	return percent(max(t.at(b.To)-t.at(b.From), 0.4))
}

func (b Bar) y() string {
	if b.Below {
		return "20"
	}
	return "6"
}

// A tick marks a round time since the beginning.
type tick struct {
	at   string
	text string
}

// ticks are about four round times on the axis.
func (t Timeline) ticks() []tick {
	span := t.To.Sub(t.From)
	if span <= 0 {
		return nil
	}
	step := roundStep(span / 4)
	var all []tick
	for d := time.Duration(0); d < span-span/12; d += step {
		text := "0 s"
		if d > 0 {
			text = wire.Took(d)
		}
		all = append(all, tick{percent(100 * float64(d) / float64(span)), text})
	}
	return all
}

// roundStep is the next round duration.
func roundStep(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		for _, n := range []int64{1, 2, 5, 10, 15, 20, 30, 50, 100, 200, 500} {
			if unit >= time.Second && unit < 24*time.Hour && n > 30 {
				break // the next unit has it
			}
			if step := time.Duration(n * int64(unit)); step >= d {
				return step
			}
		}
	}
	day := 24 * time.Hour
	return time.Duration(math.Ceil(float64(d)/float64(day)) * float64(day))
}

// millis is a time for the page's clock.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// fill is the pattern of what rests; the rest has its colour by its look.
func (b Bar) fill() string {
	switch b.Look {
	case BarWait, BarRetry, BarQueued, BarPaused:
		return "url(#hatch-" + string(b.Look) + ")"
	}
	return "currentColor"
}
