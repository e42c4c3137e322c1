package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Vertex is a box of a graph that is to be drawn, in pixels.
type Vertex struct {
	ID            string
	Width, Height int
}

// An Arc goes from one vertex to another.
type Arc struct{ From, To string }

// A Drawing is where the boxes and lines of a graph are, in pixels from the upper
// left corner.
type Drawing struct {
	Width, Height int
	Boxes         []Box // in the order of the vertices
	Lines         []Line
}

// A Box is a vertex in its place.
type Box struct {
	ID                  string
	X, Y, Width, Height int
}

// A Line is an arc as the data of an SVG path, from the edge of one box to the
// edge of another, around all others.
type Line struct {
	Arc
	Path string
}

const (
	columnGap = 64 // where the lines between two columns bend
	rowGap    = 16
	laneWidth = 8 // of a line that passes a column
	margin    = 8
	sweeps    = 12
)

// Layers draws a graph in columns from left to right: an arc's beginning is left
// of its end, but for arcs that close a circle. No two boxes overlap, no line
// crosses a box, and the same graph is always drawn alike, whatever the order of
// its arcs. Arcs from a vertex to itself or to one that is not there are left out,
// and several between the same two are one.
func Layers(vertices []Vertex, arcs []Arc) Drawing {
	l := newLayering(vertices, arcs)
	l.assign()
	l.lay()
	l.uncross()
	return l.draw()
}

// A slot is a place in a column: a vertex's, or one where a line passes.
type slot struct {
	vertex        int // -1: a line passes
	height        int
	column, row   int
	left, right   []*slot // what it is joined with in the columns beside
	wanted        float64 // where its neighbours would have it
	x, y, extends int     // the upper left corner, and how wide
}

// A route is an arc with the slots that it leads through, from left to right.
type route struct {
	Arc
	from, to int  // vertices, the left one first
	back     bool // it goes from right to left
	slots    []*slot
}

type layering struct {
	vertices []Vertex
	routes   []*route
	layer    []int // by vertex
	columns  [][]*slot
	slots    []*slot // by vertex
}

func newLayering(vertices []Vertex, arcs []Arc) *layering {
	l := &layering{vertices: vertices, layer: make([]int, len(vertices)), slots: make([]*slot, len(vertices))}
	number := map[string]int{}
	for i, v := range vertices {
		number[v.ID] = i
	}
	seen := map[Arc]bool{}
	for _, a := range arcs {
		from, there := number[a.From]
		to, here := number[a.To]
		if there && here && from != to && !seen[a] {
			seen[a] = true
			l.routes = append(l.routes, &route{Arc: a, from: from, to: to})
		}
	}
	slices.SortFunc(l.routes, func(a, b *route) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return l
}

// assign gives every vertex its column: as far left as what leads to it allows,
// and, where nothing does, beside what it leads to.
func (l *layering) assign() {
	order := l.turn()
	for _, v := range order {
		for _, r := range l.routes {
			if r.from == v {
				l.layer[r.to] = max(l.layer[r.to], l.layer[v]+1)
			}
		}
	}
	entered := make([]bool, len(l.vertices))
	nearest := map[int]int{}
	for _, r := range l.routes {
		entered[r.to] = true
		if at, ok := nearest[r.from]; !ok || l.layer[r.to] < at {
			nearest[r.from] = l.layer[r.to]
		}
	}
	for v, at := range nearest {
		if !entered[v] {
			l.layer[v] = at - 1
		}
	}
}

// turn turns around the arcs that close a circle, and returns the vertices in an
// order in which each comes before those that it leads to.
func (l *layering) turn() (order []int) {
	const onTheWay, done = 1, 2
	state := make([]int, len(l.vertices))
	var visit func(v int)
	visit = func(v int) {
		state[v] = onTheWay
		for _, r := range l.routes {
			if r.from != v || r.back {
				continue
			}
			switch state[r.to] {
			case onTheWay:
				r.back = true
			case 0:
				visit(r.to)
			}
		}
		state[v] = done
		order = append(order, v)
	}
	for v := range l.vertices {
		if state[v] == 0 {
			visit(v)
		}
	}
	for _, r := range l.routes {
		if r.back {
			r.from, r.to = r.to, r.from
		}
	}
	slices.Reverse(order)
	return order
}

// lay puts slots into the columns: one for each vertex, and one for each column
// that a line passes.
func (l *layering) lay() {
	l.columns = make([][]*slot, slices.Max(append(slices.Clone(l.layer), -1))+1)
	put := func(s *slot) *slot {
		s.row = len(l.columns[s.column])
		l.columns[s.column] = append(l.columns[s.column], s)
		return s
	}
	for i, v := range l.vertices {
		l.slots[i] = put(&slot{vertex: i, height: v.Height, column: l.layer[i]})
	}
	for _, r := range l.routes {
		r.slots = []*slot{l.slots[r.from]}
		for column := l.layer[r.from] + 1; column < l.layer[r.to]; column++ {
			r.slots = append(r.slots, put(&slot{vertex: -1, height: laneWidth, column: column}))
		}
		r.slots = append(r.slots, l.slots[r.to])
		for i, s := range r.slots[1:] {
			before := r.slots[i]
			before.right, s.left = append(before.right, s), append(s.left, before)
		}
	}
}

// uncross orders the slots of each column so that few lines cross: each goes to
// the middle of what it is joined with, from the left and from the right in turn.
// The best order of all is kept.
func (l *layering) uncross() {
	best, fewest := l.rows(), l.crossings()
	for i := 0; i < sweeps && fewest > 0; i++ {
		for c := range l.columns {
			column, beside := l.columns[c], func(s *slot) []*slot { return s.left }
			if i%2 == 1 {
				column, beside = l.columns[len(l.columns)-1-c], func(s *slot) []*slot { return s.right }
			}
			reorder(column, beside)
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.rows(), n
		}
	}
	for s, row := range best {
		s.row = row
	}
	for _, column := range l.columns {
		slices.SortFunc(column, func(a, b *slot) int { return cmp.Compare(a.row, b.row) })
	}
}

func reorder(column []*slot, beside func(*slot) []*slot) {
	for _, s := range column {
		s.wanted = float64(s.row)
		if others := beside(s); len(others) > 0 {
			sum := 0
			for _, o := range others {
				sum += o.row
			}
			s.wanted = float64(sum) / float64(len(others))
		}
	}
	slices.SortStableFunc(column, func(a, b *slot) int { return cmp.Compare(a.wanted, b.wanted) })
	for i, s := range column {
		s.row = i
	}
}

func (l *layering) rows() map[*slot]int {
	rows := map[*slot]int{}
	for _, column := range l.columns {
		for _, s := range column {
			rows[s] = s.row
		}
	}
	return rows
}

// crossings counts how often lines cross between columns.
func (l *layering) crossings() (n int) {
	for _, column := range l.columns {
		var ends [][2]int
		for _, s := range column {
			for _, o := range s.right {
				ends = append(ends, [2]int{s.row, o.row})
			}
		}
		for i, a := range ends {
			for _, b := range ends[:i] {
				if (a[0]-b[0])*(a[1]-b[1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}

// draw gives everything its place. Columns are centred on the tallest one.
func (l *layering) draw() Drawing {
	var d Drawing
	heights, tallest := make([]int, len(l.columns)), 0
	for c, column := range l.columns {
		heights[c] = -rowGap
		for _, s := range column {
			heights[c] += s.height + rowGap
		}
		tallest = max(tallest, heights[c])
	}
	x := margin
	for c, column := range l.columns {
		width := 0
		for _, s := range column {
			if s.vertex >= 0 {
				width = max(width, l.vertices[s.vertex].Width)
			}
		}
		y := margin + (tallest-heights[c])/2
		for _, s := range column {
			s.x, s.y, s.extends = x, y, width
			y += s.height + rowGap
		}
		x += width + columnGap
	}
	if len(l.columns) > 0 {
		d.Width, d.Height = x-columnGap+margin, tallest+2*margin
	}
	for i, v := range l.vertices {
		d.Boxes = append(d.Boxes, Box{v.ID, l.slots[i].x, l.slots[i].y, v.Width, v.Height})
	}
	for _, r := range l.routes {
		d.Lines = append(d.Lines, Line{r.Arc, l.path(r)})
	}
	return d
}

// path leads along the columns in straight lines and bends between them.
func (l *layering) path(r *route) string {
	type point struct{ x, y int }
	var points []point
	for i, s := range r.slots {
		middle := s.y + s.height/2
		left, right := point{s.x, middle}, point{s.x + s.extends, middle}
		switch i {
		case 0:
			points = append(points, point{s.x + l.vertices[s.vertex].Width, middle}, right)
		case len(r.slots) - 1:
			points = append(points, left)
		default:
			points = append(points, left, right)
		}
	}
	if r.back {
		slices.Reverse(points)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M%d %d", points[0].x, points[0].y)
	for i, p := range points[1:] {
		from := points[i]
		if from.y == p.y {
			fmt.Fprintf(&b, "H%d", p.x)
			continue
		}
		middle := (from.x + p.x) / 2
		fmt.Fprintf(&b, "C%d %d %d %d %d %d", middle, from.y, middle, p.y, p.x, p.y)
	}
	return b.String()
}
