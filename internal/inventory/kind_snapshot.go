package inventory

// snapshot is a copy of a droplet's disk or of a volume, whichever may be gone
// by now. It is billed by its size, however many regions it is in.
var snapshot = &Kind{
	Name: "snapshot", Title: "Snapshot", Many: "Snapshots", Tier: Hot,
	Lists: []Listing{{Path: "/v2/snapshots", Key: "snapshots"}},
	Get:   "/v2/snapshots/{id}", One: "snapshot", Scope: "snapshot:read block_storage_snapshot:read",
	ID: "id",
	Look: func(d Doc) Look {
		l := Look{
			Name: d.Text("name"), Size: d.Text("size_gigabytes") + " GiB", Status: d.Text("resource_type"),
			Tags: d.Texts("tags"), CreatedAt: d.Time("created_at"),
		}
		if regions := d.Texts("regions"); len(regions) > 0 {
			l.Region = regions[0]
		}
		return l
	},
	Edges: func(d Doc) []Edge {
		of, id := d.Text("resource_type"), d.Text("resource_id")
		if of == "" || id == "" {
			return nil
		}
		return []Edge{{Type: SnapshotOf, To: "do:" + of + ":" + id}}
	},
	Charges: func(d Doc) []Charge { return []Charge{perGiB("snapshot", d, "size_gigabytes")} },
}
