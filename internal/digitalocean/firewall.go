package digitalocean

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/digitalocean/godo"
)

// A Firewall says what may come to droplets and go from them.
type Firewall struct {
	ID       string
	Name     string
	Status   string // waiting, succeeded, failed
	Droplets []int64
	Tags     []string // whose droplets it is for, too
	Pending  bool     // it is not in force everywhere yet

	Inbound, Outbound []FirewallRule
}

func firewallOf(w godo.Firewall) Firewall {
	f := Firewall{ID: w.ID, Name: w.Name, Status: w.Status, Tags: w.Tags, Pending: len(w.PendingChanges) > 0}
	for _, id := range w.DropletIDs {
		f.Droplets = append(f.Droplets, int64(id))
	}
	for _, r := range w.InboundRules {
		f.Inbound = append(f.Inbound, ruleOf(r.Protocol, r.PortRange, (*godo.Destinations)(r.Sources)))
	}
	for _, r := range w.OutboundRules {
		f.Outbound = append(f.Outbound, ruleOf(r.Protocol, r.PortRange, r.Destinations))
	}
	return f
}

func ruleOf(protocol, ports string, peers *godo.Destinations) FirewallRule {
	r := FirewallRule{Protocol: protocol, Ports: ports}
	if protocol == "icmp" {
		r.Ports = ""
	}
	if peers == nil {
		return r
	}
	r.Addresses, r.Tags, r.LoadBalancers, r.Clusters = peers.Addresses, peers.Tags, peers.LoadBalancerUIDs, peers.KubernetesIDs
	for _, id := range peers.DropletIDs {
		r.Droplets = append(r.Droplets, int64(id))
	}
	return r
}

// A FirewallRule allows traffic with addresses, droplets, and what else Arcadia only keeps.
type FirewallRule struct {
	Protocol  string   // tcp, udp, icmp
	Ports     string   // "443", "8000-9000", "all"; empty for icmp; read, "0" is all
	Addresses []string // CIDRs and addresses
	Droplets  []int64

	Tags          []string
	LoadBalancers []string // ids
	Clusters      []string // ids, of Kubernetes
}

// Others are the tags, and the ids of balancers and clusters.
func (r FirewallRule) Others() []string {
	return slices.Concat(r.Tags, r.LoadBalancers, r.Clusters)
}

// A FirewallCreate asks for a firewall. Its name carries the marker.
type FirewallCreate struct {
	Name              string
	Inbound, Outbound []FirewallRule
	Droplets          []int64
	Tags              []string
}

func (r FirewallCreate) request() any {
	type peers struct {
		Addresses []string `json:"addresses,omitempty"`
		Droplets  []int64  `json:"droplet_ids,omitempty"`
		Tags      []string `json:"tags,omitempty"`
		Balancers []string `json:"load_balancer_uids,omitempty"`
		Clusters  []string `json:"kubernetes_ids,omitempty"`
	}
	peersOf := func(r FirewallRule) *peers {
		return &peers{r.Addresses, r.Droplets, r.Tags, r.LoadBalancers, r.Clusters}
	}
	type rule struct {
		Protocol     string `json:"protocol"`
		Ports        string `json:"ports,omitempty"`
		Sources      *peers `json:"sources,omitempty"`
		Destinations *peers `json:"destinations,omitempty"`
	}
	inbound, outbound := []rule{}, []rule{}
	for _, one := range r.Inbound {
		inbound = append(inbound, rule{Protocol: one.Protocol, Ports: one.Ports, Sources: peersOf(one)})
	}
	for _, one := range r.Outbound {
		outbound = append(outbound, rule{Protocol: one.Protocol, Ports: one.Ports, Destinations: peersOf(one)})
	}
	return struct {
		Name     string   `json:"name"`
		Inbound  []rule   `json:"inbound_rules"`
		Outbound []rule   `json:"outbound_rules"`
		Droplets []int64  `json:"droplet_ids"`
		Tags     []string `json:"tags"`
	}{r.Name, inbound, outbound, append([]int64{}, r.Droplets...), append([]string{}, r.Tags...)}
}

// Permit is leave to make the firewall.
func (r FirewallCreate) Permit(account string) Permit {
	return createPermit(account, "/v2/firewalls", r.Name, r.request())
}

// CreateFirewall makes a firewall, once. Conflict says that the name is taken.
// Purpose: provisioning, under a Capability.
func (c *Client) CreateFirewall(ctx context.Context, r FirewallCreate) (Firewall, error) {
	var answer struct{ Firewall godo.Firewall }
	err := c.change(ctx, "CreateFirewall", http.MethodPost, "/v2/firewalls", marshal(r.request()), &answer)
	return firewallOf(answer.Firewall), err
}

// ReplacePermit is leave to have a firewall say this.
func (r FirewallCreate) ReplacePermit(id string) Permit {
	return Permit{Method: http.MethodPut, Template: "/v2/firewalls/{id}", Target: "do:firewall:" + id, Body: marshal(r.request())}
}

// ReplaceFirewall has a firewall say something else. Purpose: provisioning, under a
// Capability.
func (c *Client) ReplaceFirewall(ctx context.Context, id string, r FirewallCreate) (Firewall, error) {
	var answer struct{ Firewall godo.Firewall }
	err := c.change(ctx, "ReplaceFirewall", http.MethodPut, "/v2/firewalls/"+url.PathEscape(id), marshal(r.request()), &answer)
	return firewallOf(answer.Firewall), err
}

// Firewalls lists every firewall of the account. Purpose: provisioning.
func (c *Client) Firewalls(ctx context.Context) (List[Firewall], error) {
	if err := c.may("Firewalls", Provisioning); err != nil {
		return List[Firewall]{}, err
	}
	return all(ctx, c, collection[godo.Firewall, Firewall]{path: "v2/firewalls", key: "firewalls", item: firewallOf, id: func(f Firewall) string { return f.ID }})
}

// Firewall reads one firewall. Purpose: provisioning.
func (c *Client) Firewall(ctx context.Context, id string) (Firewall, error) {
	w, err := read[godo.Firewall](ctx, c, "Firewall", "/v2/firewalls/"+url.PathEscape(id), "firewall")
	return firewallOf(w), err
}

// DeleteFirewallPermit is leave to delete a firewall.
func DeleteFirewallPermit(id string) Permit {
	return deletePermit("/v2/firewalls/{id}", "firewall", id)
}

// DeleteFirewall deletes a firewall. Purpose: provisioning, under a Capability.
func (c *Client) DeleteFirewall(ctx context.Context, id string) error {
	return c.change(ctx, "DeleteFirewall", http.MethodDelete, "/v2/firewalls/"+url.PathEscape(id), nil, nil)
}
