package digitalocean

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/digitalocean/godo"
)

// A Region is where DigitalOcean has machines.
type Region struct {
	Slug      string
	Name      string
	Available bool     // for new droplets
	Sizes     []string // slugs
	Features  []string // "storage", "backups" …
}

// Regions lists DigitalOcean's regions. Purpose: provisioning.
func (c *Client) Regions(ctx context.Context) (List[Region], error) {
	if err := c.may("Regions", Provisioning); err != nil {
		return List[Region]{}, err
	}
	return all(ctx, c, collection[godo.Region, Region]{
		path: "v2/regions", key: "regions", id: func(r Region) string { return r.Slug },
		item: func(w godo.Region) Region { return Region{w.Slug, w.Name, w.Available, w.Sizes, w.Features} },
	})
}

// An Image is what a droplet can be made of: a distribution, or a snapshot or backup
// of the account's.
type Image struct {
	ID        int64
	Slug      string // of public ones alone
	Name      string
	Type      string // "base", "snapshot", "backup", "custom"
	Status    string // "available" …
	Regions   []string
	MinDiskGB int // of a droplet that is made of it
}

// Image reads one image by its id, or a public one by its slug. Purpose: provisioning.
func (c *Client) Image(ctx context.Context, slugOrID string) (Image, error) {
	path := "/v2/images/" + url.PathEscape(slugOrID)
	w, err := read[godo.Image](ctx, c, "Image", path, "image")
	if err != nil {
		return Image{}, err
	}
	if w.Slug != slugOrID && strconv.Itoa(w.ID) != slugOrID {
		return Image{}, c.unclear(http.MethodGet, path, "an answer without the image")
	}
	return Image{int64(w.ID), w.Slug, w.Name, w.Type, w.Status, w.Regions, w.MinDiskSize}, nil
}
