package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
}

func dropletURN(id string) string { return urn(kindDroplet, id) }

func (d *droplet) urn() string { return dropletURN(d.ID) }

// status is what the actions that have ended made of the droplet.
func (d *droplet) status(c *call) string {
	status := "new"
	for _, a := range c.actionsOf(d.urn()) {
		if !a.succeeds() || c.at.Before(a.ShowsAt) {
			continue
		}
		switch a.Type {
		case "create", "power_on":
			status = "active"
		case "power_off", "shutdown":
			status = "off"
		}
	}
	return status
}

func dropletResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.droplets = newTable(w.seed, kind[*droplet]{
				name: kindDroplet, numbers: 400_000_000, wire: func(c *call, d *droplet) any { return d.wire(c) },
				title: func(d *droplet) string { return d.Name },
				check: checkDroplet, path: "/v2/droplets/", urn: "droplet",
				tag: &tagKind{resourceType: "droplet", group: "droplets"},
			})
			return w.droplets
		},
		routes: []route{
			op("GET /v2/droplets", listDroplets, "droplet:read"),
			op("POST /v2/droplets", createDroplet, "droplet:create"),
			op("DELETE /v2/droplets", deleteDropletsByTag, "droplet:delete"),
			op("GET /v2/droplets/{droplet}", getDroplet, "droplet:read"),
			op("DELETE /v2/droplets/{droplet}", deleteDroplet, "droplet:delete"),
		},
	}
}

func checkDroplet(w *world, d *droplet) error {
	_, hasRegion := w.catalog.region(d.Region)
	_, hasSize := w.catalog.size(d.Size)
	if _, hasImage := w.image(d.Account, d.Image); !hasRegion || !hasSize || !hasImage {
		return fmt.Errorf("droplet %s has an unknown region, size or image", d.ID)
	}
	if _, ok := w.vpcs.get(d.Account, d.VPC); !ok {
		return fmt.Errorf("droplet %s is in the unknown VPC %q", d.ID, d.VPC)
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

type createDropletBody struct {
	Name       *string         `json:"name"`
	Region     string          `json:"region"`
	Size       string          `json:"size"`
	Image      json.RawMessage `json:"image"`
	Tags       []string        `json:"tags"`
	Backups    bool            `json:"backups"`
	IPv6       bool            `json:"ipv6"`
	Monitoring bool            `json:"monitoring"`
	VPCUUID    string          `json:"vpc_uuid"`
}

func createDroplet(c *call) answer {
	var body createDropletBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	d, err := body.droplet(c)
	if err != nil {
		return unprocessable(err.Error())
	}
	d = c.sim.world.droplets.create(c, d)
	a := c.act(d.action("create"), c.sim.params.duration(paramDropletCreate), "", nil)
	return answer{http.StatusAccepted, map[string]any{
		"droplet": d.wire(c),
		"links":   map[string]any{"actions": []actionLink{c.link(a)}},
	}}
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

// isHostname is DigitalOcean's pattern for a droplet's name,
// ^[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]$, and at most 255 long.
func isHostname(s string) bool {
	return s != "" && len(s) <= 255 && onlyAlnumAnd(s, ".-") && onlyAlnumAnd(s[len(s)-1:], "")
}

func onlyAlnumAnd(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

// droplet is the droplet that the body describes, or DigitalOcean's objection.
func (b createDropletBody) droplet(c *call) (*droplet, error) {
	var d *droplet
	if b.Name == nil || !isHostname(*b.Name) {
		return d, errors.New("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
	}
	catalog := c.sim.world.catalog
	size, ok := catalog.size(b.Size)
	if !ok {
		return d, errors.New("You specified an invalid size for Droplet creation.")
	}
	region, ok := find(catalog.regions, func(r regionWire) bool {
		return strings.HasPrefix(r.Slug, b.Region) && slices.Contains(r.Sizes, size.Slug)
	})
	if !ok {
		if _, known := catalog.region(b.Region); known {
			return d, errors.New("Size is not available in this region.")
		}
		return d, errors.New("You specified an invalid region for Droplet creation.")
	}
	image, ok := c.imageNamed(strings.Trim(string(b.Image), `"`))
	if !ok {
		return d, errors.New("You specified an invalid image for Droplet creation.")
	}
	if image.MinDiskSize > size.Disk {
		return d, errors.New("This size can not be used with this image: its disk is too small.")
	}
	for _, t := range b.Tags {
		if !isTag(t) {
			return d, fmt.Errorf("%q is not a valid tag name.", t)
		}
	}
	features := []string{}
	for _, f := range []struct {
		name string
		on   bool
	}{{"backups", b.Backups}, {"monitoring", b.Monitoring}, {"droplet_agent", true}, {"ipv6", b.IPv6}, {"private_networking", true}} {
		if f.on {
			features = append(features, f.name)
		}
	}
	network, err := c.networkIn(region.Slug, b.VPCUUID)
	if err != nil {
		return d, err
	}
	return &droplet{
		Name: *b.Name, Region: region.Slug, Size: size.Slug, Image: strconv.FormatInt(image.ID, 10), Features: features,
		tagged: tagged{Tags: append([]string{}, b.Tags...)}, networked: network,
	}, nil
}
