package dosim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

const kindReservedIPv6 = "reserved_ipv6"

// A reservedIPv6 is an IPv6 address, which is its id, of a region, assigned to one
// droplet at most. It costs nothing, and projects have none.
type reservedIPv6 struct {
	thing
	Region  string `json:"region"`
	Droplet string `json:"droplet,omitempty"` // that it is assigned to
}

type reservedIPv6Wire struct {
	IP         string       `json:"ip"`
	Region     string       `json:"region_slug"`
	ReservedAt string       `json:"reserved_at"`
	Droplet    *dropletWire `json:"droplet"`
}

const (
	paramReleaseIPv6 = "quirk.reserved_ipv6_release"
	dutyIPv6Assigned = "reserved_ipv6.assigned"
)

func (r *reservedIPv6) urn() string { return urn(kindReservedIPv6, r.ID) }

func (r *reservedIPv6) wire(c *call) reservedIPv6Wire {
	w := reservedIPv6Wire{IP: r.ID, Region: r.Region, ReservedAt: wireTime(r.CreatedAt)}
	if d, ok := c.sim.world.droplets.get(r.Account, r.Droplet); ok && c.maySee(kindDroplet) {
		shown := d.wire(c)
		w.Droplet = &shown
	}
	return w
}

func reservedIPv6Resource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.reservedIPv6s = newTable(w.seed, kind[*reservedIPv6]{
				name: kindReservedIPv6, wire: func(c *call, r *reservedIPv6) any { return r.wire(c) },
				title: func(r *reservedIPv6) string { return r.ID }, check: checkReservedIPv6, path: "/v2/reserved_ipv6/",
				keys: func(r *reservedIPv6) []string {
					if r.Droplet == "" {
						return nil
					}
					return []string{"of:" + dropletURN(r.Droplet)}
				},
			})
			return w.reservedIPv6s
		},
		routes: []route{
			op("GET /v2/reserved_ipv6", func(c *call) answer {
				all := c.sim.world.reservedIPv6s
				return all.page(c, "reserved_ipv6s", all.listed(c))
			}, "reserved_ip:read"),
			op("POST /v2/reserved_ipv6", createReservedIPv6, "reserved_ip:create"),
			op("GET /v2/reserved_ipv6/{reserved_ipv6}", getReservedIPv6, "reserved_ip:read"),
			op("DELETE /v2/reserved_ipv6/{reserved_ipv6}", deleteReservedIPv6, "reserved_ip:delete"),
			op("POST /v2/reserved_ipv6/{reserved_ipv6}/actions", startReservedIPv6Action, "reserved_ip:update"),
		},
		duties: []duty{{dutyIPv6Assigned, ipv6Assigned}},
		params: []Param{
			{paramReleaseIPv6, "1", 0, 1, "1: the delete of an assigned reserved IPv6 answers 400, as reported; 0: 422, as documented"},
		},
		gone: func(c *call, _ string, e entity) {
			if d, ok := e.(*droplet); ok {
				for _, r := range c.sim.world.reservedIPv6s.under(c, "of:"+d.urn()) {
					c.sim.world.reservedIPv6s.update(c, r, func(next *reservedIPv6) { next.Droplet = "" })
				}
			}
		},
	}
}

func checkReservedIPv6(w *world, r *reservedIPv6) error {
	_, hasRegion := w.catalog.region(r.Region)
	if a, err := netip.ParseAddr(r.ID); !hasRegion || err != nil || !a.Is6() || a.String() != r.ID {
		return fmt.Errorf("reserved IPv6 %s has an unknown region or is no IPv6 address", r.ID)
	}
	if _, ok := w.droplets.get(r.Account, r.Droplet); !ok && r.Droplet != "" {
		return fmt.Errorf("reserved IPv6 %s is assigned to an unknown droplet", r.ID)
	}
	return nil
}

// reservedIPv6 finds the address in the path, however it is written there.
func (c *call) reservedIPv6() (*reservedIPv6, bool) {
	a, err := netip.ParseAddr(c.values[kindReservedIPv6])
	if err != nil {
		return nil, false
	}
	return c.sim.world.reservedIPv6s.find(c, a.String())
}

func getReservedIPv6(c *call) answer {
	r, ok := c.reservedIPv6()
	if !ok {
		return notFound()
	}
	return showing("reserved_ipv6", c.sim.world.reservedIPv6s.render(c, r))
}

func createReservedIPv6(c *call) answer {
	var body struct {
		Region string `json:"region_slug"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	all := c.sim.world.reservedIPv6s
	if _, known := c.sim.world.catalog.region(body.Region); !known {
		return unprocessable("A reserved IPv6 must be reserved to a region.")
	}
	r := all.create(c, &reservedIPv6{thing: thing{ID: c.freeAddressV6()}, Region: body.Region})
	return created("reserved_ipv6", all.render(c, r))
}

// freeAddressV6 is an address that the account never had: of the range for
// documentation (RFC 3849), which leads to nobody, away from the droplets' own.
func (c *call) freeAddressV6() string {
	for n := uint64(0); ; n++ {
		at := hash(c.sim.seed, "reserved ipv6", c.account(), strconv.FormatUint(n, 10), strconv.Itoa(len(c.sim.events)))
		ip := netip.MustParseAddr(fmt.Sprintf("2001:db8:ffff:ffff:%x:%x:%x:%x", at>>48, at>>32&0xffff, at>>16&0xffff, at&0xffff)).String()
		if _, taken := c.sim.world.reservedIPv6s.get(c.account(), ip); !taken {
			return ip
		}
	}
}

// deleteReservedIPv6 refuses while the address is assigned or is being unassigned,
// in the words of digitalocean/terraform-provider-digitalocean PR 1277.
func deleteReservedIPv6(c *call) answer {
	r, ok := c.reservedIPv6()
	switch {
	case !ok:
		return notFound()
	case r.Droplet != "" || c.pending(r.urn()):
		const message = "assigned FLIP cannot be released"
		if c.sim.params.on(paramReleaseIPv6) {
			return refusal(http.StatusBadRequest, "bad_request", message)
		}
		return unprocessable(message)
	}
	c.sim.world.reservedIPv6s.remove(c, r)
	return noContent()
}

func startReservedIPv6Action(c *call) answer {
	r, ok := c.reservedIPv6()
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
	all := c.sim.world.reservedIPv6s
	switch body.Type {
	case "assign":
		d, ok := c.sim.world.droplets.find(c, strings.Trim(string(body.DropletID), `"`))
		switch {
		case !ok:
			return unprocessable("Droplet not found.")
		case d.Region != r.Region:
			return unprocessable("The Droplet is not in the reserved IP's region.")
		case c.refusesAction(d.urn()):
			return pendingEvent()
		case len(all.under(c, "of:"+d.urn())) > 0:
			return unprocessable("The Droplet already has a reserved IP assigned.")
		}
		return c.moveIPv6(r, "assign_ip", d.ID, d.ID, paramAssignIP)
	case "unassign":
		switch {
		case r.Droplet == "":
			return unprocessable("The reserved IP is not assigned to a Droplet.")
		case c.refusesAction(dropletURN(r.Droplet)):
			return pendingEvent()
		}
		return c.moveIPv6(r, "unassign_ip", r.Droplet, "", paramUnassignIP)
	}
	return unprocessable("The action type is invalid or not supported.")
}

// moveIPv6 starts the action after which the address is the droplet to's, or
// nobody's. It holds a droplet meanwhile.
func (c *call) moveIPv6(r *reservedIPv6, kind, holds, to, takes string) answer {
	return created("action", wireAction(c, c.act(action{
		Of: r.urn(), Holds: []string{dropletURN(holds)}, Type: kind, ResourceType: kindReservedIPv6,
		ResourceID: int64(hash(0, r.ID) % (1 << 31)), Region: r.Region, //nolint:gosec // below 2³¹
	}, c.sim.params.duration(takes), dutyIPv6Assigned, ipAssignment{r.ID, to})))
}

func ipv6Assigned(c *call, arg json.RawMessage) {
	var to ipAssignment
	if json.Unmarshal(arg, &to) != nil {
		return
	}
	w := c.sim.world
	r, ok := w.reservedIPv6s.get(c.account(), to.IP)
	d, hasDroplet := w.droplets.get(c.account(), to.Droplet)
	if ok && r.exists(c.at) && (to.Droplet == "" || hasDroplet && d.exists(c.at)) {
		w.reservedIPv6s.update(c, r, func(next *reservedIPv6) { next.Droplet = to.Droplet })
	}
}
