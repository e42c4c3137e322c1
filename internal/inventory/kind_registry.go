package inventory

// registry holds container images. How full it is changes with each of them. It
// is paid for by the subscription that all registries of an account have together.
var registry = &Kind{
	Name: "registry", Title: "Container registry", Many: "Container registries", Tier: Hot,
	Lists: []Listing{{Path: "/v2/registries", Key: "registries", Unpaged: true}},
	Get:   "/v2/registries/{id}", One: "registry", Scope: "registry:read",
	ID: "name", Ignore: []string{"storage_usage_bytes", "storage_usage_bytes_updated_at", "subscription"},
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("name"), Region: d.Text("region"), Size: d.Text("subscription", "tier", "slug"), CreatedAt: d.Time("created_at"),
		}
	},
}
