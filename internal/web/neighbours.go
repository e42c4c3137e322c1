package web

import (
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A neighbourhood is the picture of what is around a resource.
type neighbourhood struct {
	ui.Drawing
	center string
	nodes  map[string]inventory.Node
	types  map[ui.Arc][]string // in words
}

const (
	nodeHeight  = 40 // px
	nodePadding = 12
	letter      = 7  // the width of one, at most
	mostLetters = 26 // of a name in the picture
)

// picture draws a graph.
func picture(g inventory.Graph) neighbourhood {
	n := neighbourhood{center: g.Center, nodes: map[string]inventory.Node{}, types: map[ui.Arc][]string{}}
	var vertices []ui.Vertex
	for _, node := range g.Nodes {
		n.nodes[node.URN] = node
		longest := max(len([]rune(boxName(node))), len([]rune(boxUnder(node))))
		vertices = append(vertices, ui.Vertex{ID: node.URN, Width: 2*nodePadding + letter*longest, Height: nodeHeight})
	}
	var arcs []ui.Arc
	for _, e := range g.Edges {
		arc := ui.Arc{From: e.From, To: e.To}
		arcs = append(arcs, arc)
		n.types[arc] = append(n.types[arc], wire.Words(string(e.Type)))
	}
	n.Drawing = ui.Layers(vertices, arcs)
	return n
}

// boxName is a node's name as its box has room for it.
func boxName(n inventory.Node) string {
	name := []rune(nameOr(strings.TrimPrefix(n.Name, n.URN), n.URN))
	if len(name) > mostLetters {
		return string(name[:mostLetters-1]) + "…"
	}
	return string(name)
}

// boxUnder is the line below the name.
func boxUnder(n inventory.Node) string {
	text := titleOf(n.Kind)
	if n.Kind == "" {
		text = "not in the inventory"
	}
	if n.Gone {
		text += ", deleted"
	}
	if n.More > 0 {
		text += " +" + decimal(int64(n.More))
	}
	return text
}

// says is an arc in words.
func (n neighbourhood) says(a ui.Arc) string {
	return boxName(n.nodes[a.From]) + " " + strings.Join(n.types[a], ", ") + " " + boxName(n.nodes[a.To])
}

// A bond is one way in which a resource stands to others.
type bond struct {
	words  string
	others []inventory.Relation
}

// mostBond is how many others of one bond a page names.
const mostBond = 24

// relationWords are edges from the one that has them, and from the other.
var relationWords = map[inventory.EdgeType][2]string{
	inventory.AttachedTo: {"Attached to", "Has attached"},
	inventory.MemberOf:   {"Member of", "Has as members"},
	inventory.DependsOn:  {"Depends on", "Is needed by"},
	inventory.SnapshotOf: {"Copy of", "Has as copies"},
	inventory.PointsTo:   {"Points to", "Is pointed to by"},
	inventory.Protects:   {"Protects", "Is protected by"},
	inventory.Serves:     {"Serves", "Is served by"},
	inventory.Watches:    {"Watches", "Is watched by"},
}

// bonds are relations, gathered by how the resource stands to the other end.
func bonds(relations []inventory.Relation) (all []bond) {
	for _, r := range relations {
		words, ok := relationWords[r.Type]
		if !ok {
			words = [2]string{ui.Upper(wire.Words(string(r.Type))), ui.Upper(wire.Words(string(r.Type))) + " of"}
		}
		said := words[1]
		if r.Out {
			said = words[0]
		}
		i := slices.IndexFunc(all, func(b bond) bool { return b.words == said })
		if i < 0 {
			i = len(all)
			all = append(all, bond{words: said})
		}
		all[i].others = append(all[i].others, r)
	}
	return all
}
