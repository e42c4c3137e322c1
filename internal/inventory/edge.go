package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A sighting is that a document is now in force. Doc is empty where the resource
// is gone: then nothing is said by it any more.
type sighting struct {
	urn  string
	kind *Kind
	doc  Doc
}

// A tie is an edge whose both ends are known by their URNs.
type tie struct {
	owner  string // whose document says so
	source string
	kind   EdgeType
	target string
	first  bool
}

func (a tie) compare(b tie) int {
	return cmp.Or(strings.Compare(a.owner, b.owner), strings.Compare(a.source, b.source),
		strings.Compare(string(a.kind), string(b.kind)), strings.Compare(a.target, b.target))
}

func (a tie) row() []any { return []any{a.owner, a.source, string(a.kind), a.target, a.first} }

// edgesOf is what a document says of its resource's edges: the ties, and the
// edges of which it does not know where they lead.
func edgesOf(k *Kind, urn string, d Doc) (ties []tie, loose []Edge) {
	if k.Edges == nil || d.object == nil {
		return nil, nil
	}
	for _, e := range k.Edges(d) {
		e.From = cmp.Or(e.From, urn)
		if e.To == "" {
			loose = append(loose, e)
			continue
		}
		ties = append(ties, e.tie(urn, e.To))
	}
	return once(ties), loose
}

func (e Edge) tie(owner, target string) tie { return tie{owner, e.From, e.Type, target, e.First} }

// once are ties in order, each once.
func once(ties []tie) []tie {
	slices.SortFunc(ties, tie.compare)
	return slices.CompactFunc(ties, func(a, b tie) bool { return a.compare(b) == 0 })
}

// relate writes the ties of documents that have come into force. What they know
// by a tag or an address alone depends on other documents, and is for relateAll
// at the end of the run: until then it stays as it was.
func (s *Service) relate(ctx context.Context, tx *sql.Tx, seen []sighting) error {
	var owners, rows [][]any
	for _, n := range seen {
		ties, loose := edgesOf(n.kind, n.urn, n.doc)
		if len(loose) == 0 {
			owners = append(owners, []any{n.urn})
		}
		for _, t := range ties {
			rows = append(rows, t.row())
		}
	}
	return s.db.Pipeline(ctx, tx, db.Statement{Bulk: deleteEdgesOf, Rows: owners}, db.Statement{Bulk: insertEdges, Rows: rows})
}

var edgeColumns = []db.Column{
	{Name: "owner"}, {Name: "source"}, {Name: "type"}, {Name: "target"}, {Name: "first", Type: db.Boolean},
}

var (
	deleteEdgesOf = db.NewBulk(`DELETE FROM inv_edges WHERE owner IN (SELECT owner FROM given)`, db.Column{Name: "owner"})

	deleteEdges = db.NewBulk(`DELETE FROM inv_edges WHERE EXISTS (SELECT 1 FROM given g
		WHERE g.owner = inv_edges.owner AND g.source = inv_edges.source AND g.type = inv_edges.type AND g.target = inv_edges.target)`, edgeColumns...)

	insertEdges = db.NewBulk(`INSERT INTO inv_edges (owner, source, type, target, "first")
		SELECT owner, source, type, target, "first" FROM given WHERE true
		ON CONFLICT (owner, source, type, target) DO UPDATE SET "first" = excluded."first"`, edgeColumns...)
)

// A thing is what a resource says that its own edges and those of others follow from.
type thing struct {
	urn       string
	kind      *Kind
	version   int64
	tags      []string
	addresses []string
	ties      []tie
	loose     []Edge
}

func newThing(k *Kind, urn string, version int64, d Doc) thing {
	l := k.Look(d)
	t := thing{urn: urn, kind: k, version: version, tags: l.Tags, addresses: l.Addresses}
	t.ties, t.loose = edgesOf(k, urn, d)
	return t
}

// resolve finds what the loose edges of things lead to: the droplets with a tag,
// and whatever else has an address. The answer is all ties of those that have
// loose edges, in order.
func resolve(things []thing) []tie {
	tagged, at := map[string][]string{}, map[string][]string{}
	for _, t := range things {
		if t.kind == droplet {
			for _, tag := range t.tags {
				tagged[tag] = append(tagged[tag], t.urn)
			}
		}
		for _, address := range t.addresses {
			address = plainAddress(address)
			at[address] = append(at[address], t.urn)
		}
	}
	var ties []tie
	for _, t := range things {
		if len(t.loose) == 0 {
			continue
		}
		ties = append(ties, t.ties...)
		for _, e := range t.loose {
			targets := tagged[e.Tag]
			if e.Tag == "" {
				targets = at[plainAddress(e.Address)]
			}
			for _, target := range targets {
				ties = append(ties, e.tie(t.urn, target))
			}
		}
	}
	return once(ties)
}

// plainAddress is an address as it compares: names do not tell letters by their
// size, and an IPv6 address can be written in many ways.
func plainAddress(text string) string {
	text = strings.ToLower(strings.TrimSuffix(text, "."))
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.Unmap().String()
	}
	return text
}
