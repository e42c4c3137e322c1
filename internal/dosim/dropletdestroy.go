package dosim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A destroy is the destruction of a droplet, whose id it has, along with things
// that belong to it. It is known after the droplet is gone.
type destroy struct {
	thing
	Name  string          `json:"name"`
	Parts []destroyedPart `json:"parts"`
	Gone  time.Time       `json:"gone,omitzero"` // when the droplet went
	Done  time.Time       `json:"done,omitzero"` // when it ended, well or not; zero: it goes on
}

// A destroyedPart is one thing that goes with its droplet.
type destroyedPart struct {
	Kind  string    `json:"kind"`
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Gone  time.Time `json:"gone,omitzero"`
	Error string    `json:"error,omitempty"`
}

const (
	paramDestroy = "action.destroy_with_associated_resources"
	dutyDestroy  = "droplet.destroy"
)

func destroyResource() resource {
	const path = "/v2/droplets/{droplet}/destroy_with_associated_resources"
	all := []string{"droplet:delete", "block_storage:delete", "block_storage_snapshot:delete", "image:delete", "reserved_ip:delete"}
	return resource{
		table: func(w *world) anyTable {
			w.destroys = newTable(w.seed, kind[*destroy]{
				name: "destroy", wire: func(_ *call, d *destroy) any { return d.wire() }, title: func(d *destroy) string { return d.Name },
				check: checkDestroy,
			})
			return w.destroys
		},
		routes: []route{
			op("GET "+path, listAssociated, "droplet:read"),
			op("DELETE "+path+"/selective", destroySelected, all...),
			op("DELETE "+path+"/dangerous", destroyAll, all...),
			op("GET "+path+"/status", getDestroy, "droplet:delete"),
			op("POST "+path+"/retry", retryDestroy, all...),
		},
		duties: []duty{{dutyDestroy, doDestroy}},
		params: []Param{{paramDestroy, "10s", 0, 0, "how long it takes to destroy a droplet with what belongs to it"}},
	}
}

func checkDestroy(w *world, d *destroy) error {
	if _, ok := w.droplets.get(d.Account, d.ID); !ok {
		return fmt.Errorf("there is no droplet %s to destroy", d.ID)
	}
	for _, p := range d.Parts {
		if !slices.Contains(partKinds(), p.Kind) {
			return fmt.Errorf("the destruction of droplet %s takes along an unknown %q", d.ID, p.Kind)
		}
	}
	return nil
}

// The keys of a destruction's answers and requests.
func partKinds() []string {
	return []string{"reserved_ips", "snapshots", "volumes", "volume_snapshots"}
}

// associated is everything that belongs to the droplet and costs something.
func (c *call) associated(d *droplet) []destroyedPart {
	w := c.sim.world
	var parts []destroyedPart
	for _, r := range w.reservedIPs.under(c, "of:"+d.urn()) {
		parts = append(parts, destroyedPart{Kind: "reserved_ips", ID: r.ID, Name: r.ID})
	}
	for _, s := range w.snapshots.under(c, kindOfSnapshot+":"+d.ID) {
		parts = append(parts, destroyedPart{Kind: "snapshots", ID: s.ID, Name: s.Name})
	}
	for _, v := range w.volumes.under(c, "of:"+d.urn()) {
		parts = append(parts, destroyedPart{Kind: "volumes", ID: v.ID, Name: v.Name})
		for _, s := range w.volumeSnapshots.under(c, "of:"+v.urn()) {
			parts = append(parts, destroyedPart{Kind: "volume_snapshots", ID: s.ID, Name: s.Name})
		}
	}
	return parts
}

// wireID is how the API names a part: a reserved IP by a number.
func (p destroyedPart) wireID() string {
	if p.Kind == "reserved_ips" {
		return strconv.FormatInt((&reservedIP{thing: thing{ID: p.ID}}).number(), 10)
	}
	return p.ID
}

// cents is what the part costs a month when it is kept.
func (p destroyedPart) cents(c *call) float64 {
	w := c.sim.world
	switch p.Kind {
	case "reserved_ips":
		return 500
	case "snapshots":
		s, _ := w.snapshots.get(c.account(), p.ID)
		return s.SizeGigabytes * 6
	case "volumes":
		v, _ := w.volumes.get(c.account(), p.ID)
		return float64(v.SizeGigabytes) * 10
	}
	s, _ := w.volumeSnapshots.get(c.account(), p.ID)
	return s.SizeGigabytes * 6
}

type associatedWire struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Cost string `json:"cost"` // dollars a month
}

// listAssociated shows no more than the token may see.
func listAssociated(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	sees := map[string]string{
		"reserved_ips": "reserved_ip:read", "snapshots": "image:read", "volumes": "block_storage:read", "volume_snapshots": "block_storage_snapshot:read",
	}
	body := map[string]any{}
	for _, kind := range partKinds() {
		shown := []associatedWire{}
		for _, p := range c.associated(d) {
			if p.Kind == kind && c.token.may([]string{sees[kind]}) {
				shown = append(shown, associatedWire{p.wireID(), p.Name, fmt.Sprintf("%.2f", p.cents(c)/100)})
			}
		}
		body[kind] = shown
	}
	body["floating_ips"] = body["reserved_ips"]
	return answer{http.StatusOK, body}
}

// destroySelected takes along only what the body names.
func destroySelected(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	body := map[string][]string{}
	if len(c.body) > 0 && !c.decode(&body) {
		return invalidJSON()
	}
	if body == nil { // JSON's null
		body = map[string][]string{}
	}
	body["reserved_ips"] = append(body["reserved_ips"], body["floating_ips"]...)
	parts := only(c.associated(d), func(p destroyedPart) bool {
		return slices.Contains(body[p.Kind], p.ID) || slices.Contains(body[p.Kind], p.wireID())
	})
	return c.beginDestroy(d, parts)
}

func destroyAll(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	if c.r.Header.Get("X-Dangerous") != "true" {
		return badRequest("The X-Dangerous header must be true.")
	}
	return c.beginDestroy(d, c.associated(d))
}

func (c *call) beginDestroy(d *droplet, parts []destroyedPart) answer {
	old, again := c.sim.world.destroys.get(c.account(), d.ID)
	switch {
	case again && old.Done.IsZero():
		return conflict("The request could not be completed due to a conflict.")
	case c.refusesAction(d.urn()):
		return pendingEvent()
	case again:
		c.sim.world.destroys.update(c, old, func(next *destroy) { next.Parts, next.Done = parts, time.Time{} })
	default:
		c.sim.world.destroys.create(c, &destroy{
			thing: thing{ID: d.ID, Unasked: true, life: everShown(c.at)}, Name: d.Name, Parts: parts,
		})
	}
	c.later(c.sim.params.duration(paramDestroy), dutyDestroy, d.ID)
	return answer{status: http.StatusAccepted}
}

func retryDestroy(c *call) answer {
	d, ok := c.sim.world.destroys.find(c, c.values["droplet"])
	switch {
	case !ok:
		return notFound()
	case d.Done.IsZero():
		return conflict("The request could not be completed due to a conflict.")
	}
	c.sim.world.destroys.update(c, d, func(next *destroy) { next.Done = time.Time{} })
	c.later(c.sim.params.duration(paramDestroy), dutyDestroy, d.ID)
	return answer{status: http.StatusAccepted}
}

// doDestroy removes the parts, and when all of them went, the droplet. A part
// that has an action under way stays, and the droplet with it: an assumption.
func doDestroy(c *call, arg json.RawMessage) {
	var id string
	if json.Unmarshal(arg, &id) != nil {
		return
	}
	w := c.sim.world
	todo, ok := w.destroys.get(c.account(), id)
	if !ok || !todo.Done.IsZero() {
		return
	}
	parts, failed := slices.Clone(todo.Parts), false
	for i, p := range parts {
		if p.Gone.IsZero() {
			parts[i].Error = c.destroyPart(p, id)
			if parts[i].Error == "" {
				parts[i].Gone = c.at
			}
		}
		failed = failed || parts[i].Error != ""
	}
	gone := todo.Gone
	if d, ok := w.droplets.get(c.account(), id); !failed && gone.IsZero() {
		if gone = c.at; ok && d.exists(c.at) {
			w.droplets.remove(c, d)
		}
	}
	w.destroys.update(c, todo, func(next *destroy) { next.Parts, next.Gone, next.Done = parts, gone, c.at })
}

// destroyPart removes one part, and says why not. One that is gone already is
// as good as removed.
func (c *call) destroyPart(p destroyedPart, droplet string) (refused string) {
	w := c.sim.world
	const busy = "The resource has a pending event."
	switch p.Kind {
	case "reserved_ips":
		if r, ok := w.reservedIPs.get(c.account(), p.ID); ok && r.exists(c.at) {
			if c.pending(r.urn()) {
				return busy
			}
			w.reservedIPs.remove(c, r)
		}
	case "snapshots":
		if s, ok := w.snapshots.get(c.account(), p.ID); ok && s.exists(c.at) {
			if c.pending(s.urn()) {
				return busy
			}
			w.snapshots.remove(c, s)
		}
	case "volumes":
		if v, ok := w.volumes.get(c.account(), p.ID); ok && v.exists(c.at) {
			if c.pending(v.urn()) {
				return busy
			}
			c.detach(v.ID, droplet)
			w.volumes.remove(c, v)
		}
	case "volume_snapshots":
		if s, ok := w.volumeSnapshots.get(c.account(), p.ID); ok && s.exists(c.at) {
			w.volumeSnapshots.remove(c, s)
		}
	}
	return ""
}

type destroyedWire struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	DestroyedAt *string `json:"destroyed_at,omitempty"`
	Error       string  `json:"error_message,omitempty"`
}

type destroyWire struct {
	Droplet     destroyedWire              `json:"droplet"`
	Resources   map[string][]destroyedWire `json:"resources"`
	CompletedAt *string                    `json:"completed_at,omitempty"`
	Failures    int                        `json:"failures"`
}

func (d *destroy) wire() destroyWire {
	w := destroyWire{
		Droplet:   destroyedWire{ID: d.ID, Name: d.Name, DestroyedAt: wireTimeOrNull(d.Gone)},
		Resources: map[string][]destroyedWire{}, CompletedAt: wireTimeOrNull(d.Done),
	}
	for _, kind := range partKinds() {
		w.Resources[kind] = []destroyedWire{}
	}
	for _, p := range d.Parts {
		w.Resources[p.Kind] = append(w.Resources[p.Kind], destroyedWire{p.wireID(), p.Name, wireTimeOrNull(p.Gone), p.Error})
		if p.Error != "" {
			w.Failures++
		}
	}
	w.Resources["floating_ips"] = w.Resources["reserved_ips"]
	return w
}

func getDestroy(c *call) answer {
	d, ok := c.sim.world.destroys.find(c, c.values["droplet"])
	if !ok {
		return notFound()
	}
	return answer{http.StatusOK, d.wire()}
}
