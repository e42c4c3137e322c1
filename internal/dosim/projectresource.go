package dosim

import (
	"net/http"
	"slices"
	"strings"
)

// A projectResourceWire is how a project shows something that is assigned to it.
type projectResourceWire struct {
	URN        string            `json:"urn"`
	AssignedAt string            `json:"assigned_at"`
	Links      map[string]string `json:"links"`
	Status     string            `json:"status"`
}

// An assigned is something of a project.
type assigned struct {
	table anyTable
	thing entity
}

func (a assigned) wire(c *call, status string) projectResourceWire {
	th := a.thing.self()
	return projectResourceWire{projectURN(a.table, th), wireTime(th.ProjectAt), map[string]string{"self": c.uri(a.table, a.thing)}, status}
}

// projectKey is what a thing that is assigned to the project is found under.
func projectKey(id string) string { return "project:" + id }

// projectURN is how projects call a thing.
func projectURN(t anyTable, th *thing) string { return urn(t.urnWord(), th.ID) }

// canonicalURN is a project's URN with the kind's only name in it: a reserved IP
// still goes by what it was called before.
func canonicalURN(s string) string {
	for _, alias := range []string{"do:reservedip:", "do:reserved_ip:", "do:floating_ip:"} {
		if rest, ok := strings.CutPrefix(s, alias); ok {
			return "do:floatingip:" + rest
		}
	}
	return s
}

// readScope is the scope that lets a token see what has such a URN, empty when
// none is needed.
func readScope(word string) string {
	return map[string]string{
		"app": "app:read", "dbaas": "database:read", "domain": "domain:read", "droplet": "droplet:read", "floatingip": "reserved_ip:read",
		"kubernetes": "kubernetes:read", "loadbalancer": "load_balancer:read", "volume": "block_storage:read",
	}[word]
}

// maySee reports whether the token may see what has such a URN.
func (c *call) maySee(word string) bool {
	scope := readScope(word)
	return scope == "" || c.token.may([]string{scope})
}

// assignedTo is what is assigned to the project, in the order of the assignments.
func (c *call) assignedTo(project string) []assigned {
	var all []assigned
	for _, t := range c.sim.world.order {
		if t.urnWord() == "" {
			continue
		}
		for _, e := range t.existing(c.account(), projectKey(project), c.at) {
			all = append(all, assigned{t, e})
		}
	}
	slices.SortStableFunc(all, func(a, b assigned) int {
		return a.thing.self().ProjectAt.Compare(b.thing.self().ProjectAt)
	})
	return all
}

// listProjectResources shows what the token may see, and what has just been
// assigned only after a while.
func listProjectResources(c *call) answer {
	p, ok := c.project()
	if !ok {
		return notFound()
	}
	late := c.sim.params.duration(paramProject)
	seen := only(c.assignedTo(p.ID), func(a assigned) bool {
		th := a.thing.self()
		return c.maySee(a.table.urnWord()) && c.reached(&th.life, th.ProjectAt.Add(late))
	})
	return listPage(c, "resources", seen, func(a assigned) projectResourceWire { return a.wire(c, "ok") })
}

// byURN finds what a project's URN names, if its own address shows it. A wrong
// form is reported apart from a thing that is not there.
func (c *call) byURN(name string) (a assigned, found, formed bool) {
	parts := strings.SplitN(name, ":", 3)
	if len(parts) != 3 || parts[0] != "do" || parts[1] == "" || parts[2] == "" {
		return a, false, false
	}
	for _, t := range c.sim.world.order {
		if t.urnWord() != parts[1] {
			continue
		}
		if e := t.lookup(c.account(), parts[2]); e != nil && c.gettable(e.self()) && c.maySee(parts[1]) {
			return assigned{t, e}, true, true
		}
	}
	known := slices.Contains([]string{"dbaas", "domain", "droplet", "floatingip", "loadbalancer", "space", "volume", "kubernetes", "vpc"}, parts[1])
	return a, false, known
}

// assignToProject moves what the body names into the project, and says of each
// how it went.
func assignToProject(c *call) answer {
	p, ok := c.project()
	if !ok {
		return notFound()
	}
	var body struct {
		Resources []string `json:"resources"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	var moves []func()
	wires := []func() projectResourceWire{}
	for _, name := range body.Resources {
		name = canonicalURN(name)
		a, found, formed := c.byURN(name)
		if !formed {
			return badRequest("resource types must be one of the following: Droplet Domain FloatingIp LoadBalancer Space Volume Kubernetes Dbaas")
		}
		if !found {
			wires = append(wires, func() projectResourceWire {
				return projectResourceWire{name, wireTime(c.at), map[string]string{"self": apiURL(c.r) + "/v2/" + name}, "not_found"}
			})
			continue
		}
		status := "already_assigned"
		if a.thing.self().Project != p.ID {
			if ip, ok := a.thing.(*reservedIP); ok && ip.Droplet != "" && c.sim.params.on(paramMoveIP) {
				return refusal(http.StatusPreconditionFailed, "precondition_failed", "Cannot move a Reserved IP with an associated Droplet. Move the Droplet instead.")
			}
			status = "assigned"
			moves = append(moves, func() { a.table.assign(c, a.thing, p.ID) })
		}
		wires = append(wires, func() projectResourceWire { return a.wire(c, status) })
	}
	for _, move := range moves {
		move()
	}
	shown := []projectResourceWire{}
	for _, wire := range wires {
		shown = append(shown, wire())
	}
	return answer{http.StatusOK, map[string]any{"resources": shown, "links": map[string]any{}, "meta": map[string]int{"total": len(shown)}}}
}
