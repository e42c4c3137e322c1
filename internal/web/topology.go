package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// A topology is the picture of a stack: how its names lead to its addresses, these to its
// droplets, what guards them, and what is attached to them.
type topology struct {
	ui.Drawing
	nodes  map[string]topologyNode // by the resource's id in the blueprint
	arcs   map[ui.Arc]string       // in words
	frames []ui.Box                // around the droplets of a network; the id is the network's

	left, top int // how far the picture goes beyond 0, where a frame does
}

// A topologyNode is a resource as its box shows it.
type topologyNode struct {
	name, under, icon string
	urn               string // empty: it is not there
	off               bool   // a droplet that is switched off
}

// says is what a screen reader is told of a box.
func (n topologyNode) says() string { return n.name + ", " + n.under }

const (
	iconWidth    = 24 // with the space after it
	framePadding = 14
	frameName    = 20 // height of a frame's name
	frameEdge    = 4  // beyond a frame
)

// topology draws a stack as its spec says it, with what there is of it.
func (s *Server) topology(ctx context.Context, of provisioning.Stack, has []provisioning.StackResource) (topology, error) {
	urns, off := map[string]string{}, map[string]bool{}
	for _, r := range has {
		urns[r.Key] = r.URN
		if r.Kind != string(blueprint.DropletKind) {
			continue
		}
		seen, err := s.o.Inventory.Resource(ctx, r.URN, time.Time{})
		if errors.Is(err, fault.NotFound) { // made since the last sync
			continue
		}
		if err != nil {
			return topology{}, err
		}
		off[r.Key] = seen.Status == "off"
	}
	return drawTopology(of.Spec, urns, off), nil
}

func drawTopology(spec blueprint.Spec, urns map[string]string, off map[string]bool) topology {
	t := topology{nodes: map[string]topologyNode{}, arcs: map[ui.Arc]string{}}
	var vertices []ui.Vertex
	var arcs []ui.Arc
	join := func(from, to, words string) {
		arc := ui.Arc{From: from, To: to}
		if t.arcs[arc] == "" {
			arcs = append(arcs, arc)
		}
		t.arcs[arc] = words
	}
	members := map[string][]string{} // droplets by network
	for _, r := range spec.Resources {
		n, ok := nodeOf(r, urns[r.ID])
		if !ok {
			continue
		}
		if n.off = off[r.ID]; n.off {
			n.under += ", off"
		} else if n.urn == "" {
			n.under += ", not there"
		}
		t.nodes[r.ID] = n
		switch {
		case r.Record != nil:
			for _, to := range r.DependsOn {
				if kind, _, _ := strings.Cut(to, "."); kind == string(blueprint.ReservedIPKind) || kind == string(blueprint.DropletKind) {
					join(r.ID, to, "points to")
				}
			}
		case r.ReservedIP != nil:
			join(r.ID, r.ReservedIP.Droplet, "leads to")
		case r.Firewall != nil:
			for _, d := range r.Firewall.Droplets {
				join(r.ID, d, "guards")
			}
		case r.Droplet != nil:
			if r.Droplet.VPC != "" {
				members[r.Droplet.VPC] = append(members[r.Droplet.VPC], r.ID)
			}
			for _, v := range r.Droplet.Volumes {
				join(r.ID, v, "has attached")
			}
		case r.Volume != nil && r.Volume.Droplet != "":
			join(r.Volume.Droplet, r.ID, "has attached")
		case r.Snapshot != nil:
			join(r.Snapshot.Of, r.ID, "is kept as")
		case r.VPC != nil:
			continue // a frame, not a box
		}
		longest := max(len([]rune(n.name)), len([]rune(n.under)))
		vertices = append(vertices, ui.Vertex{ID: r.ID, Width: 2*nodePadding + iconWidth + letter*longest, Height: nodeHeight})
	}
	t.Drawing = ui.Layers(vertices, arcs)
	for _, r := range spec.Resources {
		if r.VPC != nil {
			t.frame(r.ID, members[r.ID])
		}
	}
	return t
}

// nodeOf is a resource's box; not every kind has one.
func nodeOf(r blueprint.Resource, urn string) (n topologyNode, ok bool) {
	n = topologyNode{name: r.Name, urn: urn}
	switch {
	case r.Droplet != nil:
		n.icon, n.under = "droplet", r.Droplet.Size+" in "+r.Droplet.Region
	case r.Volume != nil:
		n.icon, n.under = "volume", fmt.Sprintf("%d GiB in %s", r.Volume.SizeGiB, r.Volume.Region)
	case r.Firewall != nil:
		n.icon, n.under = "shield", opened(r.Firewall.Inbound)
	case r.ReservedIP != nil:
		n.icon, n.under = "pin", "Reserved IP in "+r.ReservedIP.Region
		if urn != "" {
			n.name = urn[strings.LastIndexByte(urn, ':')+1:]
		}
	case r.Record != nil:
		n.icon, n.under = "globe", fmt.Sprintf("%s record, TTL %d s", r.Record.Type, r.Record.TTL)
		if n.name = r.Record.Name + "." + r.Record.Domain; r.Record.Name == "@" {
			n.name = r.Record.Domain
		}
	case r.VPC != nil:
		n.icon, n.under = "network", "Network in "+r.VPC.Region
	case r.Snapshot != nil:
		n.icon, n.under = "camera", "Copy of "+r.Snapshot.Of
	default:
		return n, false
	}
	if name := []rune(n.name); len(name) > 32 {
		n.name = string(name[:31]) + "…"
	}
	return n, true
}

// opened says what a firewall lets in: "tcp 22, 80, 443; icmp".
func opened(rules []blueprint.RuleSpec) string {
	var order []string
	ports := map[string][]string{}
	for _, r := range rules {
		if _, ok := ports[r.Protocol]; !ok {
			order = append(order, r.Protocol)
		}
		ports[r.Protocol] = append(ports[r.Protocol], r.Ports)
	}
	var words []string
	for _, protocol := range order {
		words = append(words, strings.TrimSpace(protocol+" "+strings.Join(slices.Compact(ports[protocol]), ", ")))
	}
	if len(words) == 0 {
		return "lets nothing in"
	}
	return "lets in " + strings.Join(words, "; ")
}

// frame puts a network around its droplets, where nothing else stands among them.
func (t *topology) frame(id string, members []string) {
	if len(members) == 0 {
		return
	}
	left, top, right, bottom := t.Width, t.Height, 0, 0
	for _, b := range t.Boxes {
		if slices.Contains(members, b.ID) {
			left, top = min(left, b.X), min(top, b.Y)
			right, bottom = max(right, b.X+b.Width), max(bottom, b.Y+b.Height)
		}
	}
	right = max(right, left+letter*len([]rune(t.nodes[id].name))+iconWidth)
	f := ui.Box{ID: id, X: left - framePadding, Y: top - framePadding - frameName, Width: right - left + 2*framePadding, Height: bottom - top + 2*framePadding + frameName}
	for _, b := range t.Boxes {
		apart := b.X > f.X+f.Width || b.X+b.Width < f.X || b.Y > f.Y+f.Height || b.Y+b.Height < f.Y
		if !slices.Contains(members, b.ID) && !apart {
			return
		}
	}
	t.frames = append(t.frames, f)
	t.left, t.top = max(t.left, -f.X+frameEdge), max(t.top, -f.Y+frameEdge)
	t.Width, t.Height = max(t.Width, f.X+f.Width+frameEdge), max(t.Height, f.Y+f.Height+frameEdge)
}

// size is how wide and how high the picture is.
func (t topology) size() (width, height int) { return t.left + t.Width, t.top + t.Height }

// view is the picture's view box.
func (t topology) view() string {
	width, height := t.size()
	return fmt.Sprintf("%d %d %d %d", -t.left, -t.top, width, height)
}

// says is an arc in words.
func (t topology) says(a ui.Arc) string {
	return t.nodes[a.From].name + " " + t.arcs[a] + " " + t.nodes[a.To].name
}
