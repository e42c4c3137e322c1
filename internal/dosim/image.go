package dosim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const kindImage = "image"

// The states of an image. What is not of an account's own making is available.
const (
	imageNew       = "NEW"
	imageAvailable = "available"
)

// An ownImage is one that the account has brought along. Its snapshots and
// backups are images too, see [snapshot].
type ownImage struct {
	thing
	tagged
	Name          string   `json:"name"`
	Description   string   `json:"description"`
	Distribution  string   `json:"distribution"`
	URL           string   `json:"url"`
	Region        string   `json:"region"`
	Regions       []string `json:"regions"` // empty until it is imported
	SizeGigabytes float64  `json:"size_gigabytes"`
}

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

func (i *ownImage) urn() string { return urn(kindImage, i.ID) }

func (i *ownImage) wire() imageWire {
	w := imageWire{
		ID: number(i.ID), Name: i.Name, Type: "custom", Distribution: i.Distribution, Regions: append([]string{}, i.Regions...),
		CreatedAt: wireTime(i.CreatedAt), MinDiskSize: int(i.SizeGigabytes) + 1, SizeGigabytes: i.SizeGigabytes, Description: i.Description,
		Tags: append([]string{}, i.Tags...), Status: imageAvailable,
	}
	if len(i.Regions) == 0 {
		w.Status, w.MinDiskSize, w.SizeGigabytes = imageNew, 0, 0
	}
	return w
}

const (
	paramImageImport = "image.import"
	dutyImageReady   = "image.ready"
)

func imageResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.images = newTable(w.seed, kind[*ownImage]{
				name: kindImage, numbers: 200_000_000, wire: func(_ *call, i *ownImage) any { return i.wire() },
				title: func(i *ownImage) string { return i.Name },
				check: checkImage, path: "/v2/images/", tag: &tagKind{resourceType: "image", group: "images"},
			})
			return w.images
		},
		routes: []route{
			op("GET /v2/images", listImages, "image:read"),
			op("POST /v2/images", createImage, "image:create"),
			op("GET /v2/images/{image}", getImage, "image:read"),
			op("PUT /v2/images/{image}", updateImage, "image:update"),
			op("DELETE /v2/images/{image}", deleteImage, "image:delete"),
		},
		duties: []duty{{dutyImageReady, imageReady}},
		params: []Param{{paramImageImport, "120s", 0, 0, "how long it takes to import a custom image"}},
	}
}

func checkImage(w *world, i *ownImage) error {
	for _, r := range append([]string{i.Region}, i.Regions...) {
		if _, ok := w.catalog.region(r); !ok {
			return fmt.Errorf("image %s is in the unknown region %q", i.ID, r)
		}
	}
	return nil
}

// listImages shows the public images and the account's own: those that it
// brought along, its snapshots and its backups.
func listImages(c *call) answer {
	w, q := c.sim.world, c.r.URL.Query()
	own := func() []imageWire {
		all := []imageWire{}
		for _, s := range w.snapshots.listed(c) {
			all = append(all, shown(c, kindSnapshot, s).image(w))
		}
		for _, i := range w.images.listed(c) {
			all = append(all, shown(c, kindImage, i).wire())
		}
		return all
	}
	var images []imageWire
	switch {
	case q.Get("tag_name") != "":
		for _, s := range w.snapshots.listedByTag(c, q.Get("tag_name")) {
			images = append(images, shown(c, kindSnapshot, s).image(w))
		}
		for _, i := range w.images.listedByTag(c, q.Get("tag_name")) {
			images = append(images, shown(c, kindImage, i).wire())
		}
	case q.Get("private") == "true":
		images = own()
	case q.Get("type") == "distribution":
		images = only(w.catalog.images, func(i imageWire) bool { return i.Type == "base" })
	case q.Get("type") == "application":
		images = only(w.catalog.images, func(i imageWire) bool { return i.Type != "base" })
	default:
		images = slices.Concat(w.catalog.images, own())
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
		return shown(c, kindSnapshot, s).image(c.sim.world), true
	}
	if i, ok := c.sim.world.images.find(c, name); ok {
		return shown(c, kindImage, i).wire(), true
	}
	return imageWire{}, false
}

// image finds what a droplet was made of: a public image, or one of the
// account's that is there or was.
func (w *world) image(account, id string) (imageWire, bool) {
	if i, ok := w.catalog.image(id); ok {
		return i, true
	}
	if s, ok := w.snapshots.get(account, id); ok {
		return s.image(w), true
	}
	if i, ok := w.images.get(account, id); ok {
		return i.wire(), true
	}
	return imageWire{}, false
}

func distributions() []string {
	return []string{
		"Arch Linux", "CentOS", "CoreOS", "Debian", "Fedora", "Fedora Atomic", "FreeBSD", "Gentoo", "openSUSE", "RancherOS",
		"Rocky Linux", "Ubuntu", "Unknown",
	}
}

// distributionNamed is the distribution, or Unknown: any other word is ignored.
func distributionNamed(name string) string {
	if slices.Contains(distributions(), name) {
		return name
	}
	return "Unknown"
}

// createImage answers before the image is there: nothing is fetched, and it
// becomes available in a while.
func createImage(c *call) answer {
	var body struct {
		Name         string   `json:"name"`
		URL          string   `json:"url"`
		Region       string   `json:"region"`
		Distribution string   `json:"distribution"`
		Description  string   `json:"description"`
		Tags         []string `json:"tags"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	from, err := url.Parse(body.URL)
	_, hasRegion := c.sim.world.catalog.region(body.Region)
	switch {
	case body.Name == "":
		return unprocessable("Name can't be blank")
	case err != nil || from.Host == "" || from.Scheme != "http" && from.Scheme != "https":
		return unprocessable("Url is invalid")
	case !hasRegion:
		return unprocessable("Region is invalid")
	}
	if err := checkTags(body.Tags); err != nil {
		return unprocessable(err.Error())
	}
	i := c.sim.world.images.create(c, &ownImage{
		Name: body.Name, Description: body.Description, Distribution: distributionNamed(body.Distribution), URL: body.URL, Region: body.Region,
		SizeGigabytes: float64(50+hash(c.sim.seed, "image", body.URL)%450) / 100, tagged: tagged{Tags: body.Tags},
	})
	c.later(c.sim.params.duration(paramImageImport), dutyImageReady, i.ID)
	return answer{http.StatusAccepted, map[string]any{"image": i.wire()}}
}

func imageReady(c *call, arg json.RawMessage) {
	var id string
	if json.Unmarshal(arg, &id) != nil {
		return
	}
	if i, ok := c.sim.world.images.get(c.account(), id); ok && i.exists(c.at) && len(i.Regions) == 0 {
		c.sim.world.images.update(c, i, func(next *ownImage) { next.Regions = []string{i.Region} })
	}
}

// imageInPath finds the account's own image in the path: a snapshot or a backup,
// or one that it brought along. The other is nil; else the answer says why not.
func (c *call) imageInPath() (*snapshot, *ownImage, answer) {
	id := c.values["image"]
	if s, ok := c.sim.world.snapshots.find(c, id); ok {
		return s, nil, answer{}
	}
	if i, ok := c.sim.world.images.find(c, id); ok {
		return nil, i, answer{}
	}
	if _, public := c.sim.world.catalog.image(id); public {
		return nil, nil, forbidden()
	}
	return nil, nil, notFound()
}

func updateImage(c *call) answer {
	s, i, no := c.imageInPath()
	if s == nil && i == nil {
		return no
	}
	var body struct {
		Name         *string `json:"name"`
		Distribution *string `json:"distribution"`
		Description  *string `json:"description"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	if body.Name != nil && strings.TrimSpace(*body.Name) == "" {
		return unprocessable("Name can't be blank")
	}
	w := c.sim.world
	if s != nil {
		if body.Name != nil {
			w.snapshots.update(c, s, func(next *snapshot) { next.Name = *body.Name })
		}
		return showing("image", s.image(w))
	}
	w.images.update(c, i, func(next *ownImage) {
		if body.Name != nil {
			next.Name = *body.Name
		}
		if body.Distribution != nil {
			next.Distribution = distributionNamed(*body.Distribution)
		}
		if body.Description != nil {
			next.Description = *body.Description
		}
	})
	return showing("image", i.wire())
}

func deleteImage(c *call) answer {
	s, i, no := c.imageInPath()
	switch {
	case s != nil && c.pending(s.urn()) || i != nil && c.pending(i.urn()):
		return pendingImage()
	case s != nil:
		c.sim.world.snapshots.remove(c, s)
	case i != nil:
		c.sim.world.images.remove(c, i)
	default:
		return no
	}
	return noContent()
}

func pendingImage() answer { return unprocessable("Image already has a pending event.") }
