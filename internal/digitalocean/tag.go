package digitalocean

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/digitalocean/godo"
)

// A Tag is a word on resources.
type Tag struct {
	Name      string
	Resources int // that carry it
}

// Tag reads one tag. Purpose: provisioning.
func (c *Client) Tag(ctx context.Context, name string) (Tag, error) {
	w, err := read[struct {
		Name      string
		Resources struct{ Count int }
	}](ctx, c, "Tag", "/v2/tags/"+url.PathEscape(name), "tag")
	return Tag{w.Name, w.Resources.Count}, err
}

// A TagCreate asks for a tag. One that there is stays as it is.
type TagCreate struct{ Name string }

func (r TagCreate) request() any { return map[string]string{"name": r.Name} }

// Permit is leave to send the request.
func (r TagCreate) Permit(account string) Permit {
	return createPermit(account, "/v2/tags", "", r.request())
}

// CreateTag makes a tag. Purpose: provisioning, under a Capability.
func (c *Client) CreateTag(ctx context.Context, r TagCreate) error {
	return c.change(ctx, "CreateTag", http.MethodPost, "/v2/tags", marshal(r.request()), nil)
}

// DeleteTagPermit is leave to delete a tag.
func DeleteTagPermit(name string) Permit { return deletePermit("/v2/tags/{tag}", "tag", name) }

// DeleteTag takes a tag off everything. Purpose: provisioning, under a Capability.
func (c *Client) DeleteTag(ctx context.Context, name string) error {
	return c.change(ctx, "DeleteTag", http.MethodDelete, "/v2/tags/"+url.PathEscape(name), nil, nil)
}

// A Size is what DigitalOcean sells a droplet as.
type Size struct {
	Slug         string
	VCPUs        int
	MemoryMiB    int
	DiskGiB      int
	PriceMonthly string // decimal, in US dollars
	Regions      []string
	Available    bool
}

// Sizes lists what DigitalOcean sells. Purpose: provisioning.
func (c *Client) Sizes(ctx context.Context) (List[Size], error) {
	if err := c.may("Sizes", Provisioning); err != nil {
		return List[Size]{}, err
	}
	type wire struct {
		godo.Size
		Price json.Number `json:"price_monthly"` // as it was written
	}
	return all(ctx, c, collection[wire, Size]{
		path: "v2/sizes", key: "sizes", id: func(s Size) string { return s.Slug },
		item: func(w wire) Size {
			return Size{w.Slug, w.Vcpus, w.Memory, w.Disk, w.Price.String(), w.Regions, w.Available}
		},
	})
}
