package inventory

// natGateway lets private networks reach the world.
var natGateway = &Kind{
	Name: "nat_gateway", Title: "NAT gateway", Many: "NAT gateways", Tier: Hot,
	Lists: []Listing{{Path: "/v2/vpc_nat_gateways", Key: "vpc_nat_gateways"}},
	Get:   "/v2/vpc_nat_gateways/{id}", One: "vpc_nat_gateway", Scope: "nat_gateway:read",
	ID: "id", Ignore: []string{"updated_at"},
	Look: func(d Doc) Look {
		l := Look{
			Name: d.Text("name"), Region: d.Text("region"), Status: d.Text("state"), Size: d.Text("size"),
			Project: d.Text("project_id"), CreatedAt: d.Time("created_at"),
		}
		for _, egress := range d.Docs("egresses", "public_gateways") {
			l.Addresses = append(l.Addresses, given(egress.Text("ipv4"))...)
		}
		return l
	},
	Edges: func(d Doc) []Edge {
		var edges []Edge
		for _, vpc := range d.Docs("vpcs") {
			edges = append(edges, inNetwork(vpc.Text("vpc_uuid"))...)
		}
		return edges
	},
	Charges: func(d Doc) []Charge { return []Charge{flat("nat_gateway:" + d.Text("size"))} },
}
