package inventory

// volume is a disk that can be attached to a droplet of its region. It costs the
// same attached or not.
var volume = &Kind{
	Name: "volume", Title: "Volume", Many: "Volumes", Tier: Hot,
	Lists: []Listing{{Path: "/v2/volumes", Key: "volumes"}},
	Get:   "/v2/volumes/{id}", One: "volume", Scope: "block_storage:read",
	ID: "id", Project: "do:volume:", Actions: "volume",
	Ignore: []string{"region.sizes", "region.features", "region.available"},
	Look: func(d Doc) Look {
		l := Look{
			Name: d.Text("name"), Region: d.Text("region", "slug"), Size: d.Text("size_gigabytes") + " GiB",
			Tags: d.Texts("tags"), CreatedAt: d.Time("created_at"), Status: "unattached",
		}
		if len(d.Texts("droplet_ids")) > 0 {
			l.Status = "attached"
		}
		return l
	},
	Edges: func(d Doc) []Edge {
		var edges []Edge
		for _, id := range d.Texts("droplet_ids") {
			edges = append(edges, Edge{Type: AttachedTo, To: "do:droplet:" + id})
		}
		return edges
	},
	Charges: func(d Doc) []Charge { return []Charge{perGiB("volume", d, "size_gigabytes")} },
}
