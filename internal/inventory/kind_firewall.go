package inventory

// firewall is what may reach droplets and what they may reach. It is free.
var firewall = &Kind{
	Name: "firewall", Title: "Firewall", Many: "Firewalls", Tier: Hot,
	Lists: []Listing{{Path: "/v2/firewalls", Key: "firewalls"}},
	Get:   "/v2/firewalls/{id}", One: "firewall", Scope: "firewall:read",
	ID:     "id",
	Ignore: []string{"status", "pending_changes"}, // whether it has reached its droplets yet
	Look: func(d Doc) Look {
		return Look{Name: d.Text("name"), CreatedAt: d.Time("created_at")} // its tags are those of its droplets
	},
	Edges: func(d Doc) []Edge {
		edges := toEach(Protects, "do:droplet:", d.Texts("droplet_ids"))
		for _, tag := range d.Texts("tags") {
			edges = append(edges, Edge{Type: Protects, Tag: tag})
		}
		return edges
	},
}
