package blueprint

import (
	"slices"
	"strings"
)

// An edge says that a resource is made after another, and where the document says so.
type edge struct {
	from, to string // ids
	path     []string
	line     int // of a template, 0 elsewhere
}

// edges are everything that is made after something else, in a lasting order.
func (bp *Blueprint) edges() []edge {
	var all []edge
	add := func(from, to string, path ...string) { all = append(all, edge{from: from, to: to, path: path}) }
	for _, key := range sortedKeys(bp.Droplets) {
		if bp.VPC != nil {
			add(DropletKind.id(key), vpcID, "droplets", key)
		}
	}
	for _, key := range sortedKeys(bp.Droplets) {
		all = append(all, bp.templateEdges(key)...)
	}
	for _, key := range sortedKeys(bp.Volumes) {
		if to := bp.Volumes[key].Droplet; bp.Droplets[to] != nil { // it is attached while the droplet is made
			add(DropletKind.id(to), VolumeKind.id(key), "volumes", key, "droplet")
		}
	}
	for _, key := range sortedKeys(bp.ReservedIPs) {
		add(ReservedIPKind.id(key), DropletKind.id(bp.ReservedIPs[key].Droplet), "reserved_ips", key, "droplet")
	}
	for _, key := range sortedKeys(bp.Firewalls) {
		f := bp.Firewalls[key]
		droplets := slices.Clone(f.Droplets)
		for _, r := range slices.Concat(f.Inbound, f.Outbound) {
			droplets = append(droplets, r.Droplets...)
		}
		for _, droplet := range droplets {
			add(FirewallKind.id(key), DropletKind.id(droplet), "firewalls", key)
		}
	}
	bp.visit(func(u use) {
		if !u.late || u.resource == "" {
			return
		}
		for _, r := range u.expr.references() {
			if _, is := r.parameter(); is {
				continue
			}
			if early, to, err := bp.about(r); err == nil && !early {
				add(u.resource, to, u.path...)
			}
		}
	})
	return all
}

// A cycleError is what would have to be made before itself.
type cycleError struct {
	edge
	loop []string
}

func (e *cycleError) Error() string {
	return "Each is made after the next: " + strings.Join(e.loop, " → ") + ". Take out one of the references."
}

// cycle finds a loop in what is made after what.
func (bp *Blueprint) cycle() error {
	after := make(map[string][]edge)
	var ids []string
	for _, e := range bp.edges() {
		after[e.from] = append(after[e.from], e)
		ids = append(ids, e.from)
	}
	done := make(map[string]bool)
	var path []string
	var visit func(id string, by edge) error
	visit = func(id string, by edge) error {
		if at := slices.Index(path, id); at >= 0 {
			return &cycleError{by, append(slices.Clone(path[at:]), id)}
		}
		if done[id] {
			return nil
		}
		path = append(path, id)
		for _, e := range after[id] {
			if err := visit(e.to, e); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		done[id] = true
		return nil
	}
	for _, id := range ids {
		if err := visit(id, edge{}); err != nil {
			return err
		}
	}
	return nil
}
