package ui

import (
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// Columns is a small plot of counts over time: a column per span, its parts one
// above the other.
type Columns struct {
	Unit  string
	Items []Stack
}

// A Stack is one column.
type Stack struct {
	Label string
	Parts []Part // from the bottom
}

// A Part of a column.
type Part struct {
	Hue  wire.Hue
	Name string
	N    int64
}

func (s Stack) total() (n int64) {
	for _, p := range s.Parts {
		n += p.N
	}
	return n
}

// title says a column in words.
func (s Stack) title() string {
	var parts []string
	for _, p := range s.Parts {
		if p.N > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.N, p.Name))
		}
	}
	if len(parts) == 0 {
		parts = []string{"none"}
	}
	return s.Label + ": " + strings.Join(parts, ", ")
}

// most is the highest column, at least 1.
func (c Columns) most() int64 {
	most := int64(1)
	for _, s := range c.Items {
		most = max(most, s.total())
	}
	return most
}

// A piece is a part as it is drawn.
type piece struct {
	x, width, y, height string
	hue                 string
}

func (c Columns) pieces(i int) (all []piece) {
	slot := 100 / float64(len(c.Items))
	top := 100.0
	for _, p := range c.Items[i].Parts {
		if p.N == 0 {
			continue
		}
		h := 100 * float64(p.N) / float64(c.most())
		top -= h
		all = append(all, piece{percent(slot * (float64(i) + 0.14)), percent(slot * 0.72), percent(top), percent(h), string(p.Hue)})
	}
	return all
}

// A Gauge is how much of a limit is used up.
type Gauge struct {
	Used, Limit int
}

func (g Gauge) width() string {
	if g.Limit <= 0 {
		return "0%"
	}
	return percent(min(100*float64(g.Used)/float64(g.Limit), 100))
}

func (g Gauge) hue() string {
	switch {
	case g.Used*10 >= g.Limit*9:
		return string(wire.Bad)
	case g.Used*10 >= g.Limit*7:
		return string(wire.Attention)
	}
	return string(wire.Plain)
}
