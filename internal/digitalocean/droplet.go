package digitalocean

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// A Droplet is a virtual machine.
type Droplet struct {
	ID        int64
	Name      string // not unique
	Status    string // "new", "active", "off", "archive"
	Region    string // slug
	Size      string // slug
	Image     string // id in digits of what its disk was made of; empty where DigitalOcean does not say
	ImageSlug string // of a public image that is sold still; else empty
	Locked    bool   // an action holds it
	Tags      []string
	CreatedAt time.Time

	VPC         string // id
	VolumeIDs   []string
	PublicIPv4  string // empty until it has one
	PrivateIPv4 string
	PublicIPv6  string
	DiskGiB     int
	Features    []string // "backups", "ipv6" …
}

// Droplets lists every droplet of the account. GPU droplets stand in a list of
// their own, which is read too. Purposes: inventory, provisioning.
func (c *Client) Droplets(ctx context.Context) (List[Droplet], error) {
	if err := c.may("Droplets", Inventory, Provisioning); err != nil {
		return List[Droplet]{}, err
	}
	return c.droplets(ctx, url.Values{})
}

// DropletByName lists the droplets, GPU droplets too, whose name is name
// whatever its case, as DigitalOcean's filter takes it: none, one or several.
// Purposes: inventory, provisioning.
func (c *Client) DropletByName(ctx context.Context, name string) ([]Droplet, error) {
	if err := c.may("DropletByName", Inventory, Provisioning); err != nil {
		return nil, err
	}
	list, err := c.droplets(ctx, url.Values{"name": {name}})
	if err != nil {
		return nil, err
	}
	var named []Droplet // the list of GPU droplets has no filter by name
	for _, d := range list.Items {
		if strings.EqualFold(d.Name, name) {
			named = append(named, d)
		}
	}
	return named, nil
}

// droplets reads the list under a filter, then the list of GPU droplets.
func (c *Client) droplets(ctx context.Context, filter url.Values) (List[Droplet], error) {
	list := collection[godo.Droplet, Droplet]{
		path: "v2/droplets", key: "droplets", query: filter, item: dropletOf,
		id: func(d Droplet) string { return strconv.FormatInt(d.ID, 10) },
	}
	usual, err := all(ctx, c, list)
	if err != nil {
		return List[Droplet]{}, err
	}
	list.query = url.Values{"type": {"gpus"}}
	gpus, err := all(ctx, c, list)
	if err != nil {
		return List[Droplet]{}, err
	}
	seen := make(map[int64]bool)
	for _, d := range usual.Items {
		seen[d.ID] = true
	}
	for _, d := range gpus.Items {
		if !seen[d.ID] {
			usual.Items = append(usual.Items, d)
		}
	}
	usual.At = gpus.At
	return usual, nil
}

// Droplet reads one droplet. It answers NotFound when there is none, and for a
// while after a create (quirk 2). Purposes: inventory, provisioning.
func (c *Client) Droplet(ctx context.Context, id int64) (Droplet, error) {
	if err := c.may("Droplet", Inventory, Provisioning); err != nil {
		return Droplet{}, err
	}
	path := fmt.Sprintf("/v2/droplets/%d", id)
	if err := checkIDs(http.MethodGet, path, id); err != nil {
		return Droplet{}, err
	}
	got, _, err := c.api.Droplets.Get(ctx, int(id))
	if err != nil {
		return Droplet{}, c.failed(http.MethodGet, path, err)
	}
	if got == nil || int64(got.ID) != id {
		return Droplet{}, c.unclear(http.MethodGet, path, "an answer without the droplet")
	}
	return dropletOf(*got), nil
}

func dropletOf(w godo.Droplet) Droplet {
	d := Droplet{
		ID: int64(w.ID), Name: w.Name, Status: w.Status, Size: w.SizeSlug,
		Locked: w.Locked, Tags: w.Tags, CreatedAt: timeOf(w.Created),
	}
	if w.Region != nil {
		d.Region = w.Region.Slug
	}
	if w.Image != nil && w.Image.ID > 0 {
		d.Image, d.ImageSlug = strconv.Itoa(w.Image.ID), w.Image.Slug
	}
	d.VPC, d.VolumeIDs, d.DiskGiB, d.Features = w.VPCUUID, w.VolumeIDs, w.Disk, w.Features
	if w.Networks != nil {
		for _, n := range slices.Backward(w.Networks.V4) { // of several the first counts
			switch n.Type {
			case "public":
				d.PublicIPv4 = n.IPAddress
			case "private":
				d.PrivateIPv4 = n.IPAddress
			}
		}
		for _, n := range slices.Backward(w.Networks.V6) {
			d.PublicIPv6 = n.IPAddress
		}
	}
	return d
}

// timeOf reads an RFC 3339 time, zero when it is none.
func timeOf(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
