package inventory

// project is a group of resources, as people make them in DigitalOcean's panel.
var project = &Kind{
	Name: "project", Title: "Project", Many: "Projects", Tier: Hot,
	Lists: []Listing{{Path: "/v2/projects", Key: "projects"}},
	Get:   "/v2/projects/{id}", One: "project", Scope: "project:read",
	ID: "id", Ignore: []string{"updated_at"},
	Look: func(d Doc) Look {
		l := Look{Name: d.Text("name"), Status: d.Text("environment"), CreatedAt: d.Time("created_at")}
		if d.Bool("is_default") {
			l.Size = "default"
		}
		return l
	},
}
