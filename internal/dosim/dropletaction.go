package dosim

import (
	"strconv"
)

func dropletActionResource() resource {
	return resource{routes: []route{
		op("GET /v2/droplets/{droplet}/actions", listDropletActions, "droplet:read"),
		op("POST /v2/droplets/{droplet}/actions", startDropletAction, "droplet:update"),
		op("GET /v2/droplets/{droplet}/actions/{action}", getDropletAction, "droplet:read"),
	}}
}

func listDropletActions(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return c.actionPage("of:" + d.urn())
}

// getDropletAction is the droplet's view of an action. It differs from the
// account's: completed_at stays null in it (digitalocean/api-v2#199).
func getDropletAction(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	a, ok := c.actionOf(d.urn())
	if !ok {
		return notFound()
	}
	w := c.distortion(true)(wireAction(c, a))
	if c.sim.params.on(paramCompletedAtNull) {
		w.CompletedAt = nil
	}
	return showing("action", w)
}

// startDropletAction starts what the body's type asks for. A snapshot's id is
// not in the answer, nor anywhere in its action (digitalocean/api-v2#98).
func startDropletAction(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	var body struct {
		Type string  `json:"type"`
		Name *string `json:"name"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	lasts := map[string]string{
		"snapshot": paramSnapshot, "power_off": paramPowerOff, "power_on": paramPowerOn, "shutdown": paramShutdown,
	}[body.Type]
	if lasts == "" {
		return unprocessable("The action type is invalid or not supported.")
	}
	if body.Type == "snapshot" && !c.token.may([]string{"image:create"}) {
		return forbidden()
	}
	if c.refusesAction(d.urn()) {
		return pendingEvent()
	}
	a := c.act(d.action(body.Type), c.sim.params.duration(lasts), "", nil)
	if body.Type == "snapshot" && a.succeeds() {
		name := d.Name + "-" + strconv.FormatInt(c.at.UnixMilli(), 10)
		if body.Name != nil && *body.Name != "" {
			name = *body.Name
		}
		c.snapshot(d, a, name)
	}
	return created("action", wireAction(c, a))
}

// snapshot settles that a will leave a snapshot of d behind.
func (c *call) snapshot(d *droplet, a *action, name string) {
	size, _ := c.sim.world.catalog.size(d.Size)
	full := 0.05 + float64(hash(c.sim.seed, "used", d.ID)%400)/1000 // of the disk
	c.sim.world.snapshots.create(c, &snapshot{
		thing: thing{
			life:      life{From: a.EndsAt, Get: a.EndsAt, List: a.EndsAt.Add(c.sim.params.duration(paramSnapshotVisible)), Tagged: a.EndsAt},
			CreatedAt: a.CreatedAt,
		},
		Droplet: d.ID, Name: name, Region: d.Region, MinDiskSize: size.Disk,
		SizeGigabytes: float64(int(full*float64(size.Disk)*100)) / 100, Image: d.Image,
	})
}
