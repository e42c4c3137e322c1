package digitalocean

import (
	"context"
	"net/http"
	"net/url"

	"github.com/digitalocean/godo"
)

// A VPC is a private network of a region.
type VPC struct {
	ID          string
	Name        string // unique in the account
	Description string
	Region      string // slug
	IPRange     string // CIDR
	Default     bool   // of its region; it cannot be deleted
}

func vpcOf(w godo.VPC) VPC {
	return VPC{ID: w.ID, Name: w.Name, Description: w.Description, Region: w.RegionSlug, IPRange: w.IPRange, Default: w.Default}
}

// A VPCCreate asks for a network.
type VPCCreate struct {
	Name        string
	Region      string
	IPRange     string // empty: DigitalOcean chooses
	Description string // with the Marker in it
	Marker      string
}

func (r VPCCreate) request() any {
	return struct {
		Name        string `json:"name"`
		Region      string `json:"region"`
		IPRange     string `json:"ip_range,omitempty"`
		Description string `json:"description"`
	}{r.Name, r.Region, r.IPRange, r.Description}
}

// Permit is leave to send the request.
func (r VPCCreate) Permit(account string) Permit {
	return createPermit(account, "/v2/vpcs", r.Marker, r.request())
}

// CreateVPC makes a network, once. Purpose: provisioning, under a Capability.
func (c *Client) CreateVPC(ctx context.Context, r VPCCreate) (VPC, error) {
	var answer struct{ VPC godo.VPC }
	err := c.change(ctx, "CreateVPC", http.MethodPost, "/v2/vpcs", marshal(r.request()), &answer)
	return vpcOf(answer.VPC), err
}

// VPCs lists every network of the account. Purpose: provisioning.
func (c *Client) VPCs(ctx context.Context) (List[VPC], error) {
	if err := c.may("VPCs", Provisioning); err != nil {
		return List[VPC]{}, err
	}
	return all(ctx, c, collection[godo.VPC, VPC]{path: "v2/vpcs", key: "vpcs", item: vpcOf, id: func(v VPC) string { return v.ID }})
}

// VPC reads one network. Purpose: provisioning.
func (c *Client) VPC(ctx context.Context, id string) (VPC, error) {
	w, err := read[godo.VPC](ctx, c, "VPC", "/v2/vpcs/"+url.PathEscape(id), "vpc")
	return vpcOf(w), err
}

// DeleteVPCPermit is leave to delete a network.
func DeleteVPCPermit(id string) Permit { return deletePermit("/v2/vpcs/{id}", "vpc", id) }

// DeleteVPC deletes a network. Conflict says that it has members, or had a while ago
// (quirk 15). Purpose: provisioning, under a Capability.
func (c *Client) DeleteVPC(ctx context.Context, id string) error {
	return c.change(ctx, "DeleteVPC", http.MethodDelete, "/v2/vpcs/"+url.PathEscape(id), nil, nil)
}
