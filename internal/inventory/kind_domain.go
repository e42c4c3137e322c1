package inventory

// domain is a zone of DNS, known by its name.
var domain = &Kind{
	Name: "domain", Title: "Domain", Many: "Domains", Tier: Hot,
	Lists: []Listing{{Path: "/v2/domains", Key: "domains"}},
	Get:   "/v2/domains/{id}", One: "domain", Scope: "domain:read",
	ID: "name", Project: "do:domain:",
	Ignore: []string{"zone_file"}, // its records, which are things of their own
	Hint:   "zone_file",
	Look:   func(d Doc) Look { return Look{Name: d.Text("name")} },
}
