package inventory

// region is where things can be made.
var region = &Kind{
	Name: "region", Title: "Region", Many: "Regions", Tier: Daily,
	Lists: []Listing{{Path: "/v2/regions", Key: "regions"}},
	Scope: "regions:read",
	ID:    "slug", Local: true, Sold: true, Ignore: []string{"sizes"},
	Look: func(d Doc) Look {
		return Look{Name: d.Text("slug"), Region: d.Text("slug"), Status: available(d), Size: d.Text("name")}
	},
}
