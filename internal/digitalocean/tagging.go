package digitalocean

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// A Tagging asks for resources to have a tag, or to have it no longer.
type Tagging struct {
	Tag  string
	URNs []string // "do:droplet:1"; also of images, volumes, volume snapshots and databases
}

func (r Tagging) request() any {
	type resource struct {
		ID   string `json:"resource_id"`
		Type string `json:"resource_type"`
	}
	resources := []resource{}
	for _, urn := range r.URNs {
		kind, id, _ := strings.Cut(strings.TrimPrefix(urn, "do:"), ":")
		resources = append(resources, resource{id, kind})
	}
	return struct {
		Resources []resource `json:"resources"`
	}{resources}
}

func (r Tagging) permit(method string) Permit {
	return Permit{Method: method, Template: "/v2/tags/{tag}/resources", Target: "do:tag:" + r.Tag, Body: marshal(r.request())}
}

// TagPermit is leave to have the resources tagged.
func (r Tagging) TagPermit() Permit { return r.permit(http.MethodPost) }

// UntagPermit is leave to have the tag taken off them.
func (r Tagging) UntagPermit() Permit { return r.permit(http.MethodDelete) }

// TagResources puts a tag on resources. NotFound says that there is no such tag yet
// (quirk 29), or no such resource. Purpose: provisioning, under a Capability.
func (c *Client) TagResources(ctx context.Context, r Tagging) error {
	return c.change(ctx, "TagResources", http.MethodPost, r.path(), marshal(r.request()), nil)
}

// UntagResources takes a tag off resources. Purpose: provisioning, under a Capability.
func (c *Client) UntagResources(ctx context.Context, r Tagging) error {
	return c.change(ctx, "UntagResources", http.MethodDelete, r.path(), marshal(r.request()), nil)
}

func (r Tagging) path() string { return "/v2/tags/" + url.PathEscape(r.Tag) + "/resources" }
