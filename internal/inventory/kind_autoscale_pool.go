package inventory

// autoscalePool makes droplets as they are needed. They are counted and charged
// as droplets.
var autoscalePool = &Kind{
	Name: "autoscale_pool", Title: "Autoscale pool", Many: "Autoscale pools", Tier: Warm,
	Lists: []Listing{{Path: "/v2/droplets/autoscale", Key: "autoscale_pools"}},
	Get:   "/v2/droplets/autoscale/{id}", One: "autoscale_pool", Scope: "droplet:read",
	ID: "id", Ignore: []string{"updated_at", "current_utilization", "active_resources_count", "members", "history"}, Secret: []string{"droplet_template.user_data"},
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("name"), Region: d.Text("droplet_template", "region"), Status: d.Text("status"), Size: d.Text("droplet_template", "size"),
			Tags: d.Texts("droplet_template", "tags"), Project: d.Text("droplet_template", "project_id"), CreatedAt: d.Time("created_at"),
		}
	},
	Edges: func(d Doc) []Edge { return inNetwork(d.Text("droplet_template", "vpc_uuid")) },
}
