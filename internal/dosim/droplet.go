package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A droplet, as its making settled it. What became of it since is in its
// actions and in its life.
type droplet struct {
	life
	ID        int64     `json:"id"`
	Account   string    `json:"account"`
	Name      string    `json:"name"`
	Region    string    `json:"region"`
	Size      string    `json:"size"`
	Image     int64     `json:"image"`
	Tags      []string  `json:"tags"`
	Features  []string  `json:"features"`
	CreatedAt time.Time `json:"created_at"`

	actions   []*action
	snapshots []*snapshot
}

func dropletURN(id int64) string { return "do:droplet:" + strconv.FormatInt(id, 10) }

func (d *droplet) urn() string { return dropletURN(d.ID) }

// pending reports whether an action on the droplet has not ended.
func (d *droplet) pending(at time.Time) bool {
	return slices.ContainsFunc(d.actions, func(a *action) bool { return !a.ended(at) })
}

// status is what the actions that have ended made of the droplet.
func (d *droplet) status(at time.Time) string {
	status := "new"
	for _, a := range d.actions {
		if a.Result == resultErrored || a.EndsAt.IsZero() || at.Before(a.ShowsAt) {
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
		kind: "droplet",
		routes: []route{
			{"GET /v2/droplets", []string{"droplet:read"}, listDroplets},
			{"POST /v2/droplets", []string{"droplet:create"}, createDroplet},
			{"GET /v2/droplets/{droplet}", []string{"droplet:read"}, getDroplet},
			{"DELETE /v2/droplets/{droplet}", []string{"droplet:delete"}, deleteDroplet},
		},
		changes: []func() change{
			func() change { return &dropletCreated{} },
			func() change { return &dropletDeleted{} },
		},
		truth: func(s *Sim, at time.Time) []Item {
			var items []Item
			for _, d := range s.world.droplets.all {
				if d.exists(at) {
					items = append(items, item("droplet", strconv.FormatInt(d.ID, 10), d.Name, d.Account, d.life, d.CreatedAt, d.wire(s, at)))
				}
			}
			return items
		},
	}
}

// droplet finds the droplet in the path, if its own address shows it.
func (c *call) droplet() (*droplet, bool) {
	d, ok := c.sim.world.droplets.byID[c.pathID("droplet")]
	if !ok || d.Account != c.account() || !d.gettable(c.at, c.behind(d.urn())) {
		return nil, false
	}
	return d, true
}

// listDroplets shows GPU droplets only under type=gpus, and all others only
// without. By tag, which excludes a type, it shows both; that is an assumption.
func listDroplets(c *call) answer {
	q := c.r.URL.Query()
	tag, name, gpus := q.Get("tag_name"), q.Get("name"), q.Get("type") == "gpus"
	if tag != "" && (name != "" || q.Has("type")) {
		return unprocessable("tag_name can not be combined with name or type.")
	}
	var listed []*droplet
	for _, d := range c.sim.world.droplets.all {
		behind := c.behind(d.urn())
		if d.Account != c.account() || !d.listed(c.at, behind) {
			continue
		}
		if tag != "" && (!slices.Contains(d.Tags, tag) || c.at.Before(d.Tagged.Add(behind))) {
			continue
		}
		if name != "" && !strings.EqualFold(d.Name, name) {
			continue
		}
		size, _ := c.sim.world.catalog.size(d.Size)
		if tag == "" && (size.GPUInfo != nil) != gpus {
			continue
		}
		listed = append(listed, d)
	}
	return listPage(c, "droplets", listed, func(d *droplet) dropletWire { return d.wire(c.sim, c.at) })
}

func getDroplet(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return answer{http.StatusOK, map[string]any{"droplet": d.wire(c.sim, c.at)}}
}

func deleteDroplet(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	if c.sim.params.on(paramPendingEvent) && d.pending(c.at) {
		return pendingEvent()
	}
	c.record(&dropletDeleted{ID: d.ID, Linger: c.sim.params.duration(paramListAfterDelete)})
	return answer{status: http.StatusNoContent}
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
}

func createDroplet(c *call) answer {
	var body createDropletBody
	if !c.decode(&body) {
		return badRequest("The request body is not valid JSON.")
	}
	d, err := body.droplet(c)
	if err != nil {
		return unprocessable(err.Error())
	}
	p := c.sim.params
	d.ID, d.Account, d.CreatedAt = c.newID("droplet"), c.account(), c.at
	d.life = life{
		From: c.at, Get: c.at.Add(p.duration(paramGetAfterCreate)), List: c.at.Add(p.duration(paramListAfterCreate)),
		Tagged: c.at.Add(p.duration(paramTag)),
	}
	c.record(&dropletCreated{d})
	a := c.act("create", c.sim.world.droplets.byID[d.ID], p.duration(paramDropletCreate))
	return answer{http.StatusAccepted, map[string]any{
		"droplet": c.sim.world.droplets.byID[d.ID].wire(c.sim, c.at),
		"links": map[string]any{"actions": []actionLink{{
			ID: a.ID, Rel: "create", Href: apiURL(c.r) + "/v2/actions/" + strconv.FormatInt(a.ID, 10),
		}}},
	}}
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

func isTag(s string) bool { return s != "" && len(s) <= 255 && onlyAlnumAnd(s, "_:-") }

func onlyAlnumAnd(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

// droplet is the droplet that the body describes, or DigitalOcean's objection.
func (b createDropletBody) droplet(c *call) (droplet, error) {
	var d droplet
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
	tags := slices.Compact(slices.Sorted(slices.Values(b.Tags)))
	for _, t := range tags {
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
	return droplet{Name: *b.Name, Region: region.Slug, Size: size.Slug, Image: image.ID, Tags: append([]string{}, tags...), Features: features}, nil
}

type dropletCreated struct {
	Droplet droplet `json:"droplet"`
}

func (ch *dropletCreated) name() string { return "droplet_created" }

func (ch *dropletCreated) check(w *world) error {
	d := ch.Droplet
	_, hasRegion := w.catalog.region(d.Region)
	_, hasSize := w.catalog.size(d.Size)
	_, isPublic := w.catalog.image(d.Image)
	_, isSnapshot := w.snapshots.byID[d.Image]
	switch {
	case d.ID <= w.last["droplet"]:
		return fmt.Errorf("the droplet id %d does not follow on %d", d.ID, w.last["droplet"])
	case !hasRegion || !hasSize || !isPublic && !isSnapshot:
		return fmt.Errorf("droplet %d has an unknown region, size or image", d.ID)
	}
	return checkAccount(d.Account)
}

func (ch *dropletCreated) apply(w *world, e event) {
	d := ch.Droplet
	d.Seq = e.Seq
	w.droplets.add(d.ID, &d)
	w.last["droplet"] = d.ID
}

type dropletDeleted struct {
	ID     int64         `json:"id"`
	Linger time.Duration `json:"linger"`
}

func (ch *dropletDeleted) name() string { return "droplet_deleted" }

func (ch *dropletDeleted) check(w *world) error {
	if d, ok := w.droplets.byID[ch.ID]; !ok || !d.Until.IsZero() || ch.Linger < 0 || ch.Linger > maxParam {
		return fmt.Errorf("there is no droplet %d to delete", ch.ID)
	}
	return nil
}

func (ch *dropletDeleted) apply(w *world, e event) { w.droplets.byID[ch.ID].end(e.At, ch.Linger) }
