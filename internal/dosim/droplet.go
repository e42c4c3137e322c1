package dosim

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const kindDroplet = "droplet"

// A droplet, as it was made or last changed. Whether it runs is in its actions.
type droplet struct {
	thing
	tagged
	networked
	Name     string   `json:"name"`
	Region   string   `json:"region"`
	Size     string   `json:"size"`
	Image    string   `json:"image"`
	Features []string `json:"features"`

	Disk        int        `json:"disk,omitempty"` // gigabytes, where a resize left it; 0: what its size has
	PrivateOnly bool       `json:"private_only,omitempty"`
	Host        uint32     `json:"host"`             // which of its VPC's addresses it has, see [vpc.privateAddress]
	Public      string     `json:"public,omitempty"` // its public IPv4 address, see [call.address]
	Backups     *backupsOn `json:"backups,omitempty"`
}

func dropletURN(id string) string { return urn(kindDroplet, id) }

func (d *droplet) urn() string { return dropletURN(d.ID) }

// status is what the actions that have ended made of the droplet.
func (d *droplet) status(c *call) string {
	return d.statusSince(c, func(a *action) time.Time { return a.ShowsAt })
}

const (
	statusNew    = "new"
	statusActive = "active"
	statusOff    = "off"
)

// statusSince is the status that an action brings about at that instant.
func (d *droplet) statusSince(c *call, at func(*action) time.Time) string {
	status := statusNew
	for _, a := range c.actionsOf(d.urn()) {
		if !a.succeeds() || c.at.Before(at(a)) {
			continue
		}
		switch a.Type {
		case "create", "power_on", "reboot", "power_cycle", "rebuild", "restore":
			status = statusActive
		case "power_off", "shutdown":
			status = statusOff
		}
	}
	return status
}

// diskSize is in gigabytes.
func (d *droplet) diskSize(w *world) int {
	size, _ := w.catalog.size(d.Size)
	return cmp.Or(d.Disk, size.Disk)
}

const paramDropletLimit = "limit.droplets"

func dropletResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.droplets = newTable(w.seed, kind[*droplet]{
				name: kindDroplet, numbers: 400_000_000, wire: func(c *call, d *droplet) any { return d.wire(c) },
				title: func(d *droplet) string { return d.Name },
				check: checkDroplet, path: "/v2/droplets/", urn: "droplet",
				tag: &tagKind{resourceType: "droplet", group: "droplets"},
				keys: func(d *droplet) []string {
					if d.PrivateOnly {
						return []string{hostKey(d.VPC, d.Host)}
					}
					return []string{hostKey(d.VPC, d.Host), addressKey(d.publicAddress(w))}
				},
			})
			return w.droplets
		},
		routes: []route{
			op("GET /v2/droplets", listDroplets, "droplet:read"),
			op("POST /v2/droplets", createDroplet, "droplet:create"),
			op("DELETE /v2/droplets", deleteDropletsByTag, "droplet:delete"),
			op("GET /v2/droplets/{droplet}", getDroplet, "droplet:read"),
			op("DELETE /v2/droplets/{droplet}", deleteDroplet, "droplet:delete"),
			op("GET /v2/droplets/{droplet}/kernels", listKernels, "droplet:read"),
			op("GET /v2/droplets/{droplet}/neighbors", listNeighbors, "droplet:read"),
			op("GET /v2/reports/droplet_neighbors_ids", reportNeighbors, "droplet:read"),
		},
		params: []Param{{paramDropletLimit, "100000", 1, 1_000_000, "how many droplets an account may have"}},
	}
}

// hostKey is what a droplet is found under by its address in a VPC.
func hostKey(vpc string, n uint32) string {
	return "host:" + vpc + ":" + strconv.FormatUint(uint64(n), 10)
}

// place settles the droplet's id and addresses. In its VPC it has the first, after
// that of the one made last, that no other droplet has. Where there is none left they share: a VPC is
// never too small for a droplet here.
func (c *call) place(d *droplet) {
	droplets := c.sim.world.droplets
	d.ID = droplets.newID(c)
	if !d.PrivateOnly {
		c.address(d)
	}
	v, _ := c.sim.world.vpcs.get(c.account(), d.VPC)
	room := v.hosts()
	if last, ok := droplets.newestUnder(c, vpcKey(d.VPC)); ok {
		d.Host = (last.Host + 1) % room
	}
	if droplets.countUnder(c, vpcKey(d.VPC)) >= int(room) {
		return
	}
	for droplets.countUnder(c, hostKey(d.VPC, d.Host)) > 0 {
		d.Host = (d.Host + 1) % room
	}
}

func checkDroplet(w *world, d *droplet) error {
	_, hasRegion := w.catalog.region(d.Region)
	_, hasSize := w.catalog.size(d.Size)
	if _, hasImage := w.image(d.Account, d.Image); !hasRegion || !hasSize || !hasImage {
		return fmt.Errorf("droplet %s has an unknown region, size or image", d.ID)
	}
	if public, err := netip.ParseAddr(d.Public); d.Public != "" && (err != nil || !public.Is4()) {
		return fmt.Errorf("droplet %s has the public address %q", d.ID, d.Public)
	}
	if _, ok := w.vpcs.get(d.Account, d.VPC); !ok {
		return fmt.Errorf("droplet %s is in the unknown VPC %q", d.ID, d.VPC)
	}
	if d.Backups != nil {
		if _, err := backupPolicyFor(&d.Backups.backupPolicy, w.seed); err != nil || d.Backups.Hour == nil {
			return fmt.Errorf("droplet %s has a backup policy that cannot be", d.ID)
		}
	}
	return nil
}

// droplet finds the droplet in the path, if its own address shows it.
func (c *call) droplet() (*droplet, bool) {
	return c.sim.world.droplets.find(c, c.values["droplet"])
}

// listDroplets shows GPU droplets only under type=gpus, and all others only
// without. By tag, which excludes a type, it shows both; that is an assumption.
func listDroplets(c *call) answer {
	q := c.r.URL.Query()
	tag, name, gpus := q.Get("tag_name"), q.Get("name"), q.Get("type") == "gpus"
	if tag != "" && (name != "" || q.Has("type")) {
		return unprocessable("tag_name can not be combined with name or type.")
	}
	droplets := c.sim.world.droplets
	if tag != "" {
		return droplets.page(c, "droplets", droplets.listedByTag(c, tag))
	}
	return droplets.page(c, "droplets", only(droplets.listed(c), func(d *droplet) bool {
		size, _ := c.sim.world.catalog.size(d.Size)
		return (name == "" || strings.EqualFold(d.Name, name)) && (size.GPUInfo != nil) == gpus
	}))
}

func getDroplet(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return showing("droplet", c.sim.world.droplets.render(c, d))
}

func deleteDroplet(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	if c.refusesAction(d.urn()) {
		return pendingEvent()
	}
	c.sim.world.droplets.remove(c, d)
	return noContent()
}

// deleteDropletsByTag deletes whatever has the tag, pending or not.
func deleteDropletsByTag(c *call) answer {
	tag := c.r.URL.Query().Get("tag_name")
	if tag == "" {
		return badRequest("tag_name is required.")
	}
	for _, d := range c.sim.world.droplets.under(c, tagKey(tag)) {
		c.sim.world.droplets.remove(c, d)
	}
	return noContent()
}

// action is the beginning of an action on the droplet.
func (d *droplet) action(kind string) action {
	return action{Of: d.urn(), Type: kind, ResourceType: kindDroplet, ResourceID: number(d.ID), Region: d.Region}
}

// link leads from what an action makes to the action.
func (c *call) link(a *action) actionLink {
	return actionLink{ID: number(a.ID), Rel: a.Type, Href: apiURL(c.r) + "/v2/actions/" + a.ID}
}

type actionLink struct {
	ID   int64  `json:"id"`
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// listKernels is empty: droplets have booted their own kernels since 2017.
func listKernels(c *call) answer {
	if _, ok := c.droplet(); !ok {
		return notFound()
	}
	return listPage(c, "kernels", []struct{}{}, asIs)
}

// host names the machine that the droplet is on. There are a few in each region.
func (d *droplet) host(seed uint64) string {
	return d.Region + "/" + strconv.FormatUint(hash(seed, "host", d.ID)%24, 10)
}

func listNeighbors(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	droplets := c.sim.world.droplets
	return droplets.page(c, "droplets", only(droplets.listed(c), func(o *droplet) bool {
		return o.ID != d.ID && o.host(c.sim.seed) == d.host(c.sim.seed)
	}))
}

func reportNeighbors(c *call) answer {
	together := map[string][]int64{}
	for _, d := range c.sim.world.droplets.listed(c) {
		host := d.host(c.sim.seed)
		together[host] = append(together[host], number(d.ID))
	}
	sets := [][]int64{}
	for _, host := range slices.Sorted(maps.Keys(together)) {
		if len(together[host]) > 1 {
			sets = append(sets, together[host])
		}
	}
	return showing("neighbor_ids", sets)
}
