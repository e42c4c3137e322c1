package inventory

// cdnEndpoint serves a Space from near its readers.
var cdnEndpoint = &Kind{
	Name: "cdn_endpoint", Title: "CDN endpoint", Many: "CDN endpoints", Tier: Warm,
	Lists: []Listing{{Path: "/v2/cdn/endpoints", Key: "endpoints"}},
	Get:   "/v2/cdn/endpoints/{id}", One: "endpoint", Scope: "cdn:read",
	ID: "id",
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("endpoint"), Addresses: given(d.Text("endpoint"), d.Text("custom_domain")), CreatedAt: d.Time("created_at"),
		}
	},
	Edges: func(d Doc) []Edge { return needs("do:certificate:", d.Text("certificate_id")) },
}
