package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Node is a resource as others see it.
type Node struct {
	URN    string
	Kind   string // empty for what the inventory does not keep, such as a Space
	Name   string // its URN where it has no name
	Status string
	Gone   bool // it was there once
	More   int  // in a Graph: how many of its neighbours are not in it
}

// A Relation is an edge of a resource, seen from there.
type Relation struct {
	Type  EdgeType
	Out   bool // from the resource to Other; else from Other to the resource
	Other Node
	First bool   // the edge's source has to be deleted before its target can be
	By    string // the URN of the resource whose document says so
}

// Relations are all edges of a resource in both directions, by type, kind and
// name: as of now where at is zero, else as the documents of that time have it. It
// answers fault.NotFound for what was never seen, or not yet at that time.
func (s *Service) Relations(ctx context.Context, urn string, at time.Time) ([]Relation, error) {
	r, err := s.Resource(ctx, urn, at)
	if err != nil {
		return nil, err
	}
	var ties []tie
	if at.IsZero() {
		ties, err = s.ties(ctx, `source = $1 OR target = $1`, urn)
	} else {
		ties, err = s.tiesAsOf(ctx, r.Account, at)
	}
	if err != nil {
		return nil, err
	}
	ties = slices.DeleteFunc(ties, func(t tie) bool { return t.source != urn && t.target != urn })
	nodes, err := s.nodes(ctx, endsOf(ties), at)
	if err != nil {
		return nil, err
	}
	relations := make([]Relation, 0, len(ties))
	for _, t := range ties {
		rel := Relation{Type: t.kind, Out: t.source == urn, Other: nodes[t.target], First: t.first, By: t.owner}
		if !rel.Out {
			rel.Other = nodes[t.source]
		}
		relations = append(relations, rel)
	}
	slices.SortFunc(relations, func(a, b Relation) int {
		return cmp.Or(-compareBool(a.Out, b.Out), strings.Compare(string(a.Type), string(b.Type)), a.Other.compare(b.Other), strings.Compare(a.By, b.By))
	})
	return slices.CompactFunc(relations, func(a, b Relation) bool { // two documents may say the same
		return a.Type == b.Type && a.Out == b.Out && a.Other == b.Other
	}), nil
}

func (n Node) compare(o Node) int {
	return cmp.Or(strings.Compare(n.Kind, o.Kind), strings.Compare(n.Name, o.Name), strings.Compare(n.URN, o.URN))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// tiesAsOf are all ties of an account as the documents then in force have them.
func (s *Service) tiesAsOf(ctx context.Context, account string, at time.Time) ([]tie, error) {
	var things []thing
	var ties []tie
	err := s.readThings(ctx, `v.account = $1 AND v.at <= $2 AND (v.until IS NULL OR v.until > $2) AND NOT v.gone`,
		[]any{account, db.Micros(at)}, func(t thing) {
			things = append(things, t)
			if len(t.loose) == 0 {
				ties = append(ties, t.ties...)
			}
		})
	return once(append(ties, resolve(things)...)), err
}

func endsOf(ties []tie) []string {
	var urns []string
	for _, t := range ties {
		urns = append(urns, t.source, t.target)
	}
	slices.Sort(urns)
	return slices.Compact(urns)
}

// nodes are resources as of a time, or now where it is zero, by their URNs. What
// is not kept is a node too.
func (s *Service) nodes(ctx context.Context, urns []string, at time.Time) (map[string]Node, error) {
	nodes := make(map[string]Node, len(urns))
	for _, urn := range urns {
		nodes[urn] = Node{URN: urn, Name: urn}
	}
	for part := range slices.Chunk(urns, chunk) {
		args := anys(part)
		in := `v.urn IN (` + places(len(part), 1) + `)`
		when := `v.until IS NULL`
		if !at.IsZero() { // what came later had, then, no name yet
			args = append(args, db.Micros(at))
			when = `v.at <= ` + places(1, len(args)) + ` AND (v.until IS NULL OR v.until > ` + places(1, len(args)) + `)`
		}
		rows, err := s.db.Read().QueryContext(ctx, `SELECT v.urn, v.kind, v.name, v.status, v.gone FROM inv_versions v WHERE `+in+` AND `+when, args...)
		if err != nil {
			return nil, err
		}
		if err := scanNodes(rows, nodes); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

func scanNodes(rows *sql.Rows, into map[string]Node) error {
	defer rows.Close()
	for rows.Next() {
		var n Node
		if err := rows.Scan(&n.URN, &n.Kind, &n.Name, &n.Status, &n.Gone); err != nil {
			return err
		}
		n.Name = cmp.Or(n.Name, n.URN)
		into[n.URN] = n
	}
	return rows.Err()
}

// A Graph is a resource with what is around it.
type Graph struct {
	Center string
	Nodes  []Node // the center first, then by their distance
	Edges  []GraphEdge
}

// A GraphEdge goes between two nodes of a graph.
type GraphEdge struct {
	From, To string // URNs
	Type     EdgeType
	First    bool
}

const (
	maxHops  = 3
	maxNodes = 60
	hub      = 12 // neighbours from which on a node, unless it is the center, leads no further
)

// Graph is a resource with its neighbours, and theirs, so many hops far: from 1 to
// 3. It has 60 nodes at most, and where a node has many neighbours, as a network
// has, it is shown and not followed. It answers fault.NotFound for what was never
// seen, and fault.Invalid for another number of hops.
func (s *Service) Graph(ctx context.Context, urn string, hops int) (Graph, error) {
	if hops < 1 || hops > maxHops {
		return Graph{}, fault.New(fault.Invalid, "A graph reaches 1 to %d hops far, not %d.", maxHops, hops)
	}
	if _, err := s.Resource(ctx, urn, time.Time{}); err != nil {
		return Graph{}, err
	}
	order, around := []string{urn}, map[string][]tie{}
	for begin, hop := 0, 0; hop <= hops && begin < len(order); hop++ { // one further, for the edges among the outermost
		frontier := slices.Clone(order[begin:])
		begin = len(order)
		found, err := s.tiesOf(ctx, frontier)
		if err != nil {
			return Graph{}, err
		}
		for _, at := range frontier {
			around[at] = found[at]
			if hop == hops || at != urn && len(found[at]) > hub {
				continue
			}
			for _, t := range found[at] {
				other := t.source
				if other == at {
					other = t.target
				}
				if len(order) < maxNodes && !slices.Contains(order, other) {
					order = append(order, other)
				}
			}
		}
	}
	nodes, err := s.nodes(ctx, order, time.Time{})
	if err != nil {
		return Graph{}, err
	}
	return graphOf(order, around, nodes), nil
}

// graphOf puts a graph together out of its nodes in order, and all ties of each.
func graphOf(order []string, around map[string][]tie, nodes map[string]Node) Graph {
	g := Graph{Center: order[0]}
	in := map[string]bool{}
	for _, urn := range order {
		in[urn] = true
	}
	edges := map[GraphEdge]bool{}
	for _, urn := range order {
		n := nodes[urn]
		hidden := map[string]bool{}
		for _, t := range around[urn] {
			if in[t.source] && in[t.target] {
				edges[GraphEdge{t.source, t.target, t.kind, t.first}] = true
				continue
			}
			hidden[t.source], hidden[t.target] = true, true
		}
		delete(hidden, urn)
		for other := range hidden {
			if !in[other] {
				n.More++
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
	for e := range edges {
		g.Edges = append(g.Edges, e)
	}
	slices.SortFunc(g.Edges, func(a, b GraphEdge) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To), strings.Compare(string(a.Type), string(b.Type)), compareBool(a.First, b.First))
	})
	return g
}

// tiesOf are the ties of each of some resources, in both directions, in order.
func (s *Service) tiesOf(ctx context.Context, urns []string) (map[string][]tie, error) {
	of := map[string][]tie{}
	for part := range slices.Chunk(urns, chunk) {
		list := places(len(part), 1)
		ties, err := s.ties(ctx, `source IN (`+list+`) OR target IN (`+list+`)`, anys(part)...)
		if err != nil {
			return nil, err
		}
		for _, t := range once(ties) {
			for _, urn := range part {
				if t.source == urn || t.target == urn {
					of[urn] = append(of[urn], t)
				}
			}
		}
	}
	return of, nil
}

// DeletionOrder puts resources into an order in which they can be deleted: what
// stands in a network before the network. Among those that do not matter to each
// other the order given stays. It answers fault.NotFound for what was never seen,
// and fault.Conflict where each of some would have to go before another.
func (s *Service) DeletionOrder(ctx context.Context, urns []string) ([]string, error) {
	var wanted []string
	for _, urn := range urns {
		if !slices.Contains(wanted, urn) {
			wanted = append(wanted, urn)
		}
	}
	nodes, err := s.nodes(ctx, wanted, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, urn := range wanted {
		if nodes[urn].Kind == "" {
			return nil, fault.New(fault.NotFound, "The inventory knows no %s. Ids are as in: arcadia inventory list", clip(urn))
		}
	}
	found, err := s.tiesOf(ctx, wanted)
	if err != nil {
		return nil, err
	}
	before := map[string][]string{} // what has to go before it
	for _, urn := range wanted {
		for _, t := range found[urn] {
			if t.first && t.target == urn && slices.Contains(wanted, t.source) {
				before[urn] = append(before[urn], t.source)
			}
		}
	}
	order, err := inDeletionOrder(wanted, before)
	if cycle, ok := errors.AsType[*cycleError](err); ok {
		var names []string
		for _, urn := range append(cycle.urns, cycle.urns[0]) {
			names = append(names, nodes[urn].Name+" ("+urn+")")
		}
		return nil, fault.New(fault.Conflict, "There is no order to delete these in: %s.", strings.Join(names, " has to go before "))
	}
	return order, err
}

// A cycleError names resources each of which has to go before the next, and the
// last before the first.
type cycleError struct{ urns []string }

func (e *cycleError) Error() string { return "a cycle: " + strings.Join(e.urns, ", ") }

// inDeletionOrder sorts so that all of before[x] comes before x.
func inDeletionOrder(urns []string, before map[string][]string) (order []string, err error) {
	const onTheWay, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(urn string) error
	visit = func(urn string) error {
		switch state[urn] {
		case done:
			return nil
		case onTheWay:
			cycle := slices.Clone(path[slices.Index(path, urn):])
			slices.Reverse(cycle) // the path goes from what waits to what it waits for
			return &cycleError{cycle}
		}
		state[urn] = onTheWay
		path = append(path, urn)
		for _, b := range before[urn] {
			if err := visit(b); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		state[urn] = done
		order = append(order, urn)
		return nil
	}
	for _, urn := range urns {
		if err := visit(urn); err != nil {
			return nil, err
		}
	}
	return order, nil
}
