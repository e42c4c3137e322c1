package dosim

import (
	"net/http"
	"slices"
	"strconv"
)

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
		{"GET /v2/images", []string{"image:read"}, listImages},
		{"GET /v2/images/{image}", []string{"image:read"}, getImage},
	}}
}

// listImages shows the public images and the account's own, which are its
// snapshots of droplets.
func listImages(c *call) answer {
	var own []imageWire
	for _, s := range c.sim.world.snapshots.all {
		if s.Account == c.account() && s.listed(c.at, c.behind(s.urn())) {
			own = append(own, s.image(c.sim.world))
		}
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
		return answer{http.StatusOK, map[string]any{"image": i}}
	}
	return notFound()
}

// imageNamed finds the image with this id or slug among those that the account may use.
func (c *call) imageNamed(name string) (imageWire, bool) {
	if i, ok := c.sim.world.catalog.imageBySlug(name); ok {
		return i, true
	}
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return imageWire{}, false
	}
	if i, ok := c.sim.world.catalog.image(id); ok {
		return i, true
	}
	if s, ok := c.sim.world.snapshots.byID[id]; ok && s.Account == c.account() && s.gettable(c.at, c.behind(s.urn())) {
		return s.image(c.sim.world), true
	}
	return imageWire{}, false
}
