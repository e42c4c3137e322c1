package dosim

import (
	"net/http"
	"slices"
	"strconv"
)

func dropletActionResource() resource {
	return resource{routes: []route{
		{"GET /v2/droplets/{droplet}/actions", []string{"droplet:read"}, listDropletActions},
		{"POST /v2/droplets/{droplet}/actions", []string{"droplet:update"}, startDropletAction},
		{"GET /v2/droplets/{droplet}/actions/{action}", []string{"droplet:read"}, getDropletAction},
	}}
}

func listDropletActions(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return c.actionPage(d.actions)
}

// getDropletAction is the droplet's view of an action. It differs from the
// account's: completed_at stays null in it (digitalocean/api-v2#199).
func getDropletAction(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	id := c.pathID("action")
	i := slices.IndexFunc(d.actions, func(a *action) bool { return a.ID == id })
	if i < 0 {
		return notFound()
	}
	w := c.distortion(true)(c.view(d.actions[i]))
	if c.sim.params.on(paramCompletedAtNull) {
		w.CompletedAt = nil
	}
	return answer{http.StatusOK, map[string]any{"action": w}}
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
		return badRequest("The request body is not valid JSON.")
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
	if c.sim.params.on(paramPendingEvent) && d.pending(c.at) {
		return pendingEvent()
	}
	a := c.act(body.Type, d, c.sim.params.duration(lasts))
	if body.Type == "snapshot" && a.Result != resultErrored && !a.EndsAt.IsZero() {
		name := d.Name + "-" + strconv.FormatInt(c.at.UnixMilli(), 10)
		if body.Name != nil && *body.Name != "" {
			name = *body.Name
		}
		c.snapshot(d, a, name)
	}
	return answer{http.StatusCreated, map[string]any{"action": a.wire(c.sim.world, c.at)}}
}

// snapshot settles that a will leave a snapshot of d behind.
func (c *call) snapshot(d *droplet, a *action, name string) {
	size, _ := c.sim.world.catalog.size(d.Size)
	id := c.newID("snapshot")
	full := 0.05 + float64(hash(c.sim.seed, "used", strconv.FormatInt(d.ID, 10))%400)/1000 // of the disk
	c.record(&snapshotTaken{snapshot{
		ID: id, Account: d.Account, Droplet: d.ID, Name: name, Region: d.Region, MinDiskSize: size.Disk,
		SizeGigabytes: float64(int(full*float64(size.Disk)*100)) / 100, CreatedAt: a.StartedAt, Image: d.Image,
		life: life{From: a.EndsAt, Get: a.EndsAt, List: a.EndsAt.Add(c.sim.params.duration(paramSnapshotVisible))},
	}})
}
