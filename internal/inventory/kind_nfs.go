package inventory

import "strings"

// nfs is a network file share, billed by its size.
var nfs = &Kind{
	Name: "nfs", Title: "NFS share", Many: "NFS shares", Tier: Hot,
	Lists: []Listing{{Path: "/v2/nfs", Key: "shares", Unpaged: true}},
	Scope: "nfs:list", // of one, DigitalOcean wants to hear the region too
	ID:    "id",
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("name"), Region: d.Text("region"), Status: d.Text("status"), Size: d.Text("size_gib") + " GiB",
			Addresses: given(d.Text("host")), CreatedAt: d.Time("created_at"),
		}
	},
	Edges: func(d Doc) []Edge {
		var edges []Edge
		for _, id := range d.Texts("vpc_ids") {
			edges = append(edges, inNetwork(id)...)
		}
		return edges
	},
	Charges: func(d Doc) []Charge {
		tier := strings.ToLower(strings.TrimPrefix(d.Text("performance_tier"), "PERFORMANCE_TIER_"))
		if tier == "" {
			tier = "standard"
		}
		return []Charge{perGiB("nfs:"+tier, d, "size_gib")}
	},
}
