package digitalocean

import (
	"context"
	"net/http"
	"net/url"
)

// FirewallDroplets asks for droplets to come under a firewall, or from under it.
type FirewallDroplets struct {
	Firewall string // id
	Droplets []int64
}

func (r FirewallDroplets) request() any {
	return struct {
		Droplets []int64 `json:"droplet_ids"`
	}{append([]int64{}, r.Droplets...)}
}

func (r FirewallDroplets) permit(method string) Permit {
	return Permit{Method: method, Template: "/v2/firewalls/{id}/droplets", Target: "do:firewall:" + r.Firewall, Body: marshal(r.request())}
}

// AddPermit is leave to put them under it.
func (r FirewallDroplets) AddPermit() Permit { return r.permit(http.MethodPost) }

// RemovePermit is leave to take them from under it.
func (r FirewallDroplets) RemovePermit() Permit { return r.permit(http.MethodDelete) }

// AddFirewallDroplets puts droplets under a firewall; those that are under it stay.
// To ask twice is to ask once. Purpose: provisioning, under a Capability.
func (c *Client) AddFirewallDroplets(ctx context.Context, r FirewallDroplets) error {
	return c.change(ctx, "AddFirewallDroplets", http.MethodPost, r.path(), marshal(r.request()), nil)
}

// RemoveFirewallDroplets takes droplets from under a firewall. To ask twice is to ask
// once. Purpose: provisioning, under a Capability.
func (c *Client) RemoveFirewallDroplets(ctx context.Context, r FirewallDroplets) error {
	return c.change(ctx, "RemoveFirewallDroplets", http.MethodDelete, r.path(), marshal(r.request()), nil)
}

func (r FirewallDroplets) path() string {
	return "/v2/firewalls/" + url.PathEscape(r.Firewall) + "/droplets"
}
