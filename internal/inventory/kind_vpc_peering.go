package inventory

// vpcPeering joins two private networks.
var vpcPeering = &Kind{
	Name: "vpc_peering", Title: "VPC peering", Many: "VPC peerings", Tier: Warm,
	Lists: []Listing{{Path: "/v2/vpc_peerings", Key: "vpc_peerings"}},
	Get:   "/v2/vpc_peerings/{id}", One: "vpc_peering", Scope: "vpc_peering:read",
	ID: "id",
	Look: func(d Doc) Look {
		return Look{Name: d.Text("name"), Status: d.Text("status"), CreatedAt: d.Time("created_at")}
	},
	Edges: func(d Doc) []Edge {
		var edges []Edge
		for _, id := range d.Texts("vpc_ids") {
			edges = append(edges, Edge{Type: DependsOn, To: "do:vpc:" + id, First: true})
		}
		return edges
	},
}
