package inventory

import (
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// loadBalancer spreads requests over droplets, named one by one or by a tag. It
// is billed by its nodes.
var loadBalancer = &Kind{
	Name: "load_balancer", Title: "Load balancer", Many: "Load balancers", Tier: Hot,
	Lists: []Listing{{Path: "/v2/load_balancers", Key: "load_balancers"}},
	Get:   "/v2/load_balancers/{id}", One: "load_balancer", Scope: "load_balancer:read",
	ID: "id", Project: "do:loadbalancer:", Ignore: []string{"region.!slug"},
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("name"), Region: d.Text("region", "slug"), Status: d.Text("status"), Size: nodes(d) + " × " + balancerType(d),
			Addresses: given(d.Text("ip"), d.Text("ipv6")), Project: d.Text("project_id"), CreatedAt: d.Time("created_at"),
		}
	},
	Edges: func(d Doc) []Edge {
		edges := inNetwork(d.Text("vpc_uuid"))
		if tag := d.Text("tag"); tag != "" { // its droplet_ids are those of the tag then
			edges = append(edges, Edge{Type: Serves, Tag: tag})
		} else {
			edges = append(edges, toEach(Serves, "do:droplet:", d.Texts("droplet_ids"))...)
		}
		edges = append(edges, toEach(Serves, "do:load_balancer:", d.Texts("target_load_balancer_ids"))...)
		for _, rule := range d.Docs("forwarding_rules") {
			edges = append(edges, needs("do:certificate:", rule.Text("certificate_id"))...)
		}
		return edges
	},
	Charges: func(d Doc) []Charge {
		count, err := exact.ParseDecimal(nodes(d))
		if err != nil {
			return []Charge{flat("load_balancer:unsized")}
		}
		return []Charge{{SKU: "load_balancer:" + balancerType(d), Quantity: count}}
	},
}

// balancerType is "regional", "regional_network" or "global"; those made before
// there were others do not say that they are regional.
func balancerType(d Doc) string {
	if t := d.Text("type"); t != "" {
		return strings.ToLower(t)
	}
	return "regional"
}

// nodes is how many nodes a balancer has. The oldest say so by a word.
func nodes(d Doc) string {
	if n := d.Text("size_unit"); n != "" {
		return n
	}
	return map[string]string{"lb-small": "1", "lb-medium": "3", "lb-large": "6"}[d.Text("size")]
}
