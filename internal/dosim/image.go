package dosim

import "slices"

type imageWire struct {
	ID            int64    `json:"id"`
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Distribution  string   `json:"distribution"`
	Slug          *string  `json:"slug"`
	Public        bool     `json:"public"`
	Regions       []string `json:"regions"`
	CreatedAt     string   `json:"created_at"`
	MinDiskSize   int      `json:"min_disk_size"`
	SizeGigabytes float64  `json:"size_gigabytes"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	Status        string   `json:"status"`
	ErrorMessage  string   `json:"error_message"`
}

func imageResource() resource {
	return resource{routes: []route{
		op("GET /v2/images", listImages, "image:read"),
		op("GET /v2/images/{image}", getImage, "image:read"),
	}}
}

// listImages shows the public images and the account's own, which are its
// snapshots of droplets.
func listImages(c *call) answer {
	var own []imageWire
	for _, s := range c.sim.world.snapshots.listed(c) {
		own = append(own, s.image(c.sim.world))
	}
	q := c.r.URL.Query()
	images := slices.Concat(c.sim.world.catalog.images, own)
	switch {
	case q.Get("private") == "true":
		images = own
	case q.Get("type") == "distribution":
		images = slices.DeleteFunc(images, func(i imageWire) bool { return i.Type != "base" })
	case q.Get("type") == "application":
		images = slices.DeleteFunc(images, func(i imageWire) bool { return !i.Public || i.Type == "base" })
	}
	if tag := q.Get("tag_name"); tag != "" {
		images = slices.DeleteFunc(images, func(i imageWire) bool { return !slices.Contains(i.Tags, tag) })
	}
	return listPage(c, "images", images, asIs)
}

func getImage(c *call) answer {
	if i, ok := c.imageNamed(c.values["image"]); ok {
		return showing("image", i)
	}
	return notFound()
}

// imageNamed finds the image with this id or slug among those that the account may use.
func (c *call) imageNamed(name string) (imageWire, bool) {
	if i, ok := c.sim.world.catalog.imageBySlug(name); ok {
		return i, true
	}
	if i, ok := c.sim.world.catalog.image(name); ok {
		return i, true
	}
	if s, ok := c.sim.world.snapshots.find(c, name); ok {
		return s.image(c.sim.world), true
	}
	return imageWire{}, false
}

// image finds what a droplet was made of: a public image, or a snapshot of the
// account that is there or was.
func (w *world) image(account, id string) (imageWire, bool) {
	if i, ok := w.catalog.image(id); ok {
		return i, true
	}
	if s, ok := w.snapshots.get(account, id); ok {
		return s.image(w), true
	}
	return imageWire{}, false
}
