package dosim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

const kindReservedIP = "reserved_ip"

// A reservedIP is an IPv4 address, which is its id, of a region, assigned to one
// droplet at most. It was once called a floating IP, and in projects still is.
type reservedIP struct {
	thing
	Region  string `json:"region"`
	Droplet string `json:"droplet,omitempty"` // that it is assigned to
}

type reservedIPWire struct {
	IP        string       `json:"ip"`
	Droplet   *dropletWire `json:"droplet"`
	Region    regionWire   `json:"region"`
	Locked    bool         `json:"locked"`
	ProjectID string       `json:"project_id"`
}

const (
	paramMoveIP          = "quirk.reserved_ip_move"
	paramReservedIPLimit = "limit.reserved_ips"
	paramAssignIP        = "action.assign_ip"
	paramUnassignIP      = "action.unassign_ip"
	dutyIPAssigned       = "reserved_ip.assigned"
)

func (r *reservedIP) urn() string { return urn(kindReservedIP, r.ID) }

// number is the address as DigitalOcean counts it in actions.
func (r *reservedIP) number() int64 {
	a, err := netip.ParseAddr(r.ID)
	if err != nil || !a.Is4() {
		return 0
	}
	b := a.As4()
	return int64(binary.BigEndian.Uint32(b[:]))
}

func (r *reservedIP) wire(c *call) reservedIPWire {
	region, _ := c.sim.world.catalog.region(r.Region)
	w := reservedIPWire{IP: r.ID, Region: region, Locked: c.pending(r.urn()), ProjectID: r.Project}
	if d, ok := c.sim.world.droplets.get(r.Account, r.Droplet); ok {
		shown := d.wire(c)
		w.Droplet = &shown
	}
	return w
}

func reservedIPResource() resource {
	routes := []route{
		op("GET /v2/reserved_ips", listReservedIPs, "reserved_ip:read"),
		op("POST /v2/reserved_ips", createReservedIP, "reserved_ip:create"),
		op("GET /v2/reserved_ips/{reserved_ip}", getReservedIP, "reserved_ip:read"),
		op("DELETE /v2/reserved_ips/{reserved_ip}", deleteReservedIP, "reserved_ip:delete"),
		op("GET /v2/reserved_ips/{reserved_ip}/actions", listReservedIPActions, "reserved_ip:read"),
		op("POST /v2/reserved_ips/{reserved_ip}/actions", startReservedIPAction, "reserved_ip:update"),
		op("GET /v2/reserved_ips/{reserved_ip}/actions/{action}", getReservedIPAction, "reserved_ip:read"),
	}
	return resource{
		table: func(w *world) anyTable {
			w.reservedIPs = newTable(w.seed, kind[*reservedIP]{
				name: kindReservedIP, wire: func(c *call, r *reservedIP) any { return r.wire(c) }, title: func(r *reservedIP) string { return r.ID },
				check: checkReservedIP, path: "/v2/reserved_ips/", urn: "floatingip",
				keys: func(r *reservedIP) []string {
					if r.Droplet == "" {
						return nil
					}
					return []string{"of:" + dropletURN(r.Droplet)}
				},
			})
			return w.reservedIPs
		},
		routes: append(routes, aliases("/v2/reserved_ips", "/v2/floating_ips", routes)...),
		duties: []duty{{dutyIPAssigned, ipAssigned}},
		params: []Param{
			{paramMoveIP, "0", 0, 1, "1: a project refuses a reserved IP that is assigned to a droplet with 412, as reported; 0: it takes it"},
			{paramReservedIPLimit, "100000", 1, 1_000_000, "how many reserved IPs an account may have"},
			{paramAssignIP, "5s", 0, 0, "how long an assign_ip action takes"},
			{paramUnassignIP, "5s", 0, 0, "how long an unassign_ip action takes"},
		},
		gone: func(c *call, _ string, e entity) {
			if d, ok := e.(*droplet); ok {
				for _, r := range c.sim.world.reservedIPs.under(c, "of:"+d.urn()) {
					c.sim.world.reservedIPs.update(c, r, func(next *reservedIP) { next.Droplet = "" })
				}
			}
		},
	}
}

func checkReservedIP(w *world, r *reservedIP) error {
	_, hasRegion := w.catalog.region(r.Region)
	if !hasRegion || r.number() == 0 {
		return fmt.Errorf("reserved IP %s has an unknown region or is no IPv4 address", r.ID)
	}
	if _, ok := w.droplets.get(r.Account, r.Droplet); !ok && r.Droplet != "" {
		return fmt.Errorf("reserved IP %s is assigned to an unknown droplet", r.ID)
	}
	return nil
}

// ipWord is what the path calls a reserved IP.
func (c *call) ipWord() string {
	if c.alias {
		return "floating_ip"
	}
	return "reserved_ip"
}

func (c *call) reservedIP() (*reservedIP, bool) {
	return c.sim.world.reservedIPs.find(c, c.values["reserved_ip"])
}

func listReservedIPs(c *call) answer {
	all := c.sim.world.reservedIPs
	return all.page(c, c.ipWord()+"s", all.listed(c))
}

func getReservedIP(c *call) answer {
	r, ok := c.reservedIP()
	if !ok {
		return notFound()
	}
	return showing(c.ipWord(), c.sim.world.reservedIPs.render(c, r))
}

// createReservedIP reserves an address to a region, or to the region of a
// droplet, to which it is then assigned.
func createReservedIP(c *call) answer {
	var body struct {
		Region    string          `json:"region"`
		DropletID json.RawMessage `json:"droplet_id"`
		ProjectID string          `json:"project_id"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	w, r := c.sim.world, &reservedIP{Region: body.Region}
	var d *droplet
	if id := strings.Trim(string(body.DropletID), `"`); id != "" && id != "null" {
		var ok bool
		if d, ok = w.droplets.find(c, id); !ok {
			return unprocessable("Droplet not found.")
		}
		if no := c.refusesIP(d); no.status != 0 {
			return no
		}
		r.Region, r.Project = d.Region, d.Project
		r.ProjectAt = c.at
	}
	_, known := w.catalog.region(r.Region)
	project, hasProject := w.projects.find(c, body.ProjectID)
	switch {
	case !known:
		return unprocessable("A reserved IP must be reserved to a region or assigned to a Droplet.")
	case body.ProjectID != "" && !hasProject:
		return notFound()
	case w.reservedIPs.reaches(c, c.sim.params.number(paramReservedIPLimit)):
		return unprocessable("You have reached your reserved IP limit.")
	}
	if hasProject && d == nil {
		r.Project, r.ProjectAt = project.ID, c.at
	}
	r.ID = c.freeAddress()
	r = w.reservedIPs.create(c, r)
	links := map[string]any{}
	if d != nil {
		a := c.assignIP(r, d)
		links["droplets"] = []actionLink{{ID: number(d.ID), Rel: "droplet", Href: apiURL(c.r) + "/v2/droplets/" + d.ID}}
		links["actions"] = []actionLink{c.link(a)}
	}
	return answer{http.StatusAccepted, map[string]any{c.ipWord(): r.wire(c), "links": links}}
}

// freeAddress is an address that the account does not have and never had: of the
// range that is reserved for the future (RFC 1112), which leads to nobody.
func (c *call) freeAddress() string {
	for n := range uint64(1 << 20) {
		at := hash(c.sim.seed, "reserved ip", c.account(), strconv.FormatUint(n, 10), strconv.Itoa(len(c.sim.events)))
		ip := netip.AddrFrom4([4]byte{240 + byte(at>>24%8), byte(at >> 16), byte(at >> 8), 2 + byte(at%252)}).String()
		if _, taken := c.sim.world.reservedIPs.get(c.account(), ip); !taken {
			return ip
		}
	}
	panic("dosim: all addresses are reserved")
}

// refusesIP says why the droplet cannot be assigned a reserved IP now.
func (c *call) refusesIP(d *droplet) answer {
	switch {
	case c.refusesAction(d.urn()):
		return pendingEvent()
	case len(c.sim.world.reservedIPs.under(c, "of:"+d.urn())) > 0:
		return unprocessable("The Droplet already has a reserved IP assigned.")
	}
	return answer{}
}

func (c *call) assignIP(r *reservedIP, d *droplet) *action {
	return c.act(action{
		Of: r.urn(), Holds: []string{d.urn()}, Type: "assign_ip", ResourceType: c.ipWord(), ResourceID: r.number(), Region: r.Region, OfProject: r.Project,
	}, c.sim.params.duration(paramAssignIP), dutyIPAssigned, ipAssignment{r.ID, d.ID})
}

// deleteReservedIP refuses while the address is assigned, as is reported of IPv6
// (digitalocean/terraform-provider-digitalocean PR 1277).
func deleteReservedIP(c *call) answer {
	r, ok := c.reservedIP()
	switch {
	case !ok:
		return notFound()
	case r.Droplet != "" || c.pending(r.urn()):
		return unprocessable("The reserved IP is assigned to a Droplet or locked: unassign it first.")
	}
	c.sim.world.reservedIPs.remove(c, r)
	return noContent()
}

func listReservedIPActions(c *call) answer {
	r, ok := c.reservedIP()
	if !ok {
		return notFound()
	}
	return c.actionPage("of:" + r.urn())
}

func getReservedIPAction(c *call) answer {
	r, ok := c.reservedIP()
	if !ok {
		return notFound()
	}
	a, ok := c.actionOf(r.urn())
	if !ok {
		return notFound()
	}
	return showing("action", c.distortion(true)(wireAction(c, a)))
}

type ipActionBody struct {
	Type      string          `json:"type"`
	DropletID json.RawMessage `json:"droplet_id"`
}

// An ipAssignment is of an address to a droplet, or to none.
type ipAssignment struct {
	IP      string `json:"ip"`
	Droplet string `json:"droplet"`
}

func startReservedIPAction(c *call) answer {
	r, ok := c.reservedIP()
	if !ok {
		return notFound()
	}
	var body ipActionBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	if c.refusesAction(r.urn()) {
		return unprocessable("Reserved IP already has a pending event.")
	}
	var a *action
	switch body.Type {
	case "assign":
		d, ok := c.sim.world.droplets.find(c, strings.Trim(string(body.DropletID), `"`))
		if !ok {
			return unprocessable("Droplet not found.")
		}
		if d.Region != r.Region {
			return unprocessable("The Droplet is not in the reserved IP's region.")
		}
		if no := c.refusesIP(d); no.status != 0 {
			return no
		}
		a = c.assignIP(r, d)
	case "unassign":
		if r.Droplet == "" {
			return unprocessable("The reserved IP is not assigned to a Droplet.")
		}
		if c.refusesAction(dropletURN(r.Droplet)) {
			return pendingEvent()
		}
		a = c.act(action{
			Of: r.urn(), Holds: []string{dropletURN(r.Droplet)}, Type: "unassign_ip", ResourceType: c.ipWord(), ResourceID: r.number(),
			Region: r.Region, OfProject: r.Project,
		}, c.sim.params.duration(paramUnassignIP), dutyIPAssigned, ipAssignment{r.ID, ""})
	default:
		return unprocessable("The action type is invalid or not supported.")
	}
	return created("action", wireAction(c, a))
}

func ipAssigned(c *call, arg json.RawMessage) {
	var to ipAssignment
	if json.Unmarshal(arg, &to) != nil {
		return
	}
	w := c.sim.world
	r, ok := w.reservedIPs.get(c.account(), to.IP)
	d, hasDroplet := w.droplets.get(c.account(), to.Droplet)
	if ok && r.exists(c.at) && (to.Droplet == "" || hasDroplet && d.exists(c.at)) {
		w.reservedIPs.update(c, r, func(next *reservedIP) { next.Droplet = to.Droplet })
	}
}
