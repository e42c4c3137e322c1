package inventory

// tag is a word that droplets, images, volumes, snapshots and databases can carry;
// what carries it says so itself.
var tag = &Kind{
	Name: "tag", Title: "Tag", Many: "Tags", Tier: Warm,
	Lists: []Listing{{Path: "/v2/tags", Key: "tags"}},
	Get:   "/v2/tags/{id}", One: "tag", Scope: "tag:read",
	ID: "name", Local: true, Ignore: []string{"resources"},
	Look: func(d Doc) Look { return Look{Name: d.Text("name")} },
}
