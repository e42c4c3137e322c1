package ui

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func vertices(ids string) (all []Vertex) {
	for _, id := range strings.Fields(ids) {
		all = append(all, Vertex{id, 120 + 10*len(id), 32})
	}
	return all
}

func arcs(list string) (all []Arc) {
	for _, arc := range strings.Fields(list) {
		from, to, _ := strings.Cut(arc, ">")
		all = append(all, Arc{from, to})
	}
	return all
}

// columnsOf are the ids of a drawing by column, from left to right and top to bottom.
func columnsOf(d Drawing) (columns []string) {
	boxes := slices.Clone(d.Boxes)
	slices.SortFunc(boxes, func(a, b Box) int {
		if a.X != b.X {
			return a.X - b.X
		}
		return a.Y - b.Y
	})
	x := -1
	for _, b := range boxes {
		if b.X != x {
			columns, x = append(columns, b.ID), b.X
			continue
		}
		columns[len(columns)-1] += " " + b.ID
	}
	return columns
}

func TestLayers(t *testing.T) {
	for _, tt := range []struct {
		name, vertices, arcs string
		want                 []string
	}{
		{"nothing", "", "", nil},
		{"one alone", "a", "a>a a>gone", []string{"a"}},
		{"a chain", "vpc droplet volume", "volume>droplet droplet>vpc", []string{"volume", "droplet", "vpc"}},
		{"what is joined with one thing stands beside it", "web vpc data ip www domain", "data>web ip>web web>vpc www>ip www>domain",
			[]string{"www", "data ip domain", "web", "vpc"}},
		{"lines do not cross where they need not", "a b x y", "a>y b>x", []string{"a b", "y x"}},
		{"nor where one passes a column", "a b x y z", "a>x b>y x>z y>z b>z", []string{"a b", "x y", "z"}},
		{"a circle is opened where it is closed", "a b c", "a>b b>c c>a", []string{"a", "b", "c"}},
		{"twice is once", "a b", "a>b a>b", []string{"a", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Layers(vertices(tt.vertices), arcs(tt.arcs))
			if got := columnsOf(d); !slices.Equal(got, tt.want) {
				t.Errorf("the columns are %q, want %q", got, tt.want)
			}
			checkDrawing(t, d)
		})
	}
}

func TestAnyGraphIsDrawnWell(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var vs []Vertex
		for i := range 1 + r.IntN(60) {
			vs = append(vs, Vertex{fmt.Sprint("v", i), 40 + r.IntN(200), 20 + r.IntN(40)})
		}
		var as []Arc
		for range r.IntN(2 * len(vs)) {
			as = append(as, Arc{vs[r.IntN(len(vs))].ID, vs[r.IntN(len(vs))].ID})
		}
		d := Layers(vs, as)
		checkDrawing(t, d)
		different := map[Arc]bool{}
		for _, a := range as {
			different[a] = a.From != a.To
		}
		for _, l := range d.Lines {
			delete(different, l.Arc)
		}
		for a, wanted := range different {
			if wanted {
				t.Errorf("%+v is not drawn", a)
			}
		}
		r.Shuffle(len(as), func(i, j int) { as[i], as[j] = as[j], as[i] })
		if again := Layers(vs, as); !reflect.DeepEqual(again, d) {
			t.Fatalf("seed %d: drawn otherwise when its arcs come in another order", seed)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, as)
		}
	}
}

// checkDrawing sees that boxes are within the drawing and apart, and that each
// line leads from its box to its other one, around the rest.
func checkDrawing(t *testing.T, d Drawing) {
	t.Helper()
	at := map[string]Box{}
	for i, b := range d.Boxes {
		at[b.ID] = b
		if b.X < 0 || b.Y < 0 || b.X+b.Width > d.Width || b.Y+b.Height > d.Height {
			t.Errorf("%+v is out of the picture, %d × %d", b, d.Width, d.Height)
		}
		for _, o := range d.Boxes[:i] {
			if b.X < o.X+o.Width && o.X < b.X+b.Width && b.Y < o.Y+o.Height && o.Y < b.Y+b.Height {
				t.Errorf("%+v and %+v overlap", b, o)
			}
		}
	}
	for _, l := range d.Lines {
		points := along(t, l.Path)
		from, to := at[l.From], at[l.To]
		if !onSide(points[0], from) || !onSide(points[len(points)-1], to) {
			t.Errorf("%s>%s: %s does not lead from %+v to %+v", l.From, l.To, l.Path, from, to)
		}
		for _, p := range points {
			for _, b := range d.Boxes {
				if p[0] > float64(b.X) && p[0] < float64(b.X+b.Width) && p[1] > float64(b.Y) && p[1] < float64(b.Y+b.Height) {
					t.Errorf("%s>%s: %s crosses %+v at %v", l.From, l.To, l.Path, b, p)
				}
			}
		}
	}
}

// onSide reports whether a point is in the middle of a box's left or right side.
func onSide(p [2]float64, b Box) bool {
	return p[1] == float64(b.Y+b.Height/2) && (p[0] == float64(b.X) || p[0] == float64(b.X+b.Width))
}

// along are points of a path, close to each other.
func along(t *testing.T, path string) (points [][2]float64) {
	t.Helper()
	var x, y float64
	for i, part := range strings.FieldsFunc(strings.NewReplacer("M", "|M ", "H", "|H ", "C", "|C ").Replace(path), func(r rune) bool { return r == '|' }) {
		var kind string
		var n [6]float64
		if _, err := fmt.Sscan(part+" 0 0 0 0 0", &kind, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5]); err != nil {
			t.Fatalf("the path %s: %v", path, err)
		}
		const steps = 40
		switch {
		case kind == "M" && i == 0:
			x, y = n[0], n[1]
			points = append(points, [2]float64{x, y})
		case kind == "H":
			for s := 1.0; s <= steps; s++ {
				points = append(points, [2]float64{x + (n[0]-x)*s/steps, y})
			}
			x = n[0]
		case kind == "C":
			for s := 1.0; s <= steps; s++ {
				u := s / steps
				v := 1 - u
				points = append(points, [2]float64{
					v*v*v*x + 3*v*v*u*n[0] + 3*v*u*u*n[2] + u*u*u*n[4],
					v*v*v*y + 3*v*v*u*n[1] + 3*v*u*u*n[3] + u*u*u*n[5],
				})
			}
			x, y = n[4], n[5]
		default:
			t.Fatalf("the path %s has a %s", path, kind)
		}
	}
	return points
}
