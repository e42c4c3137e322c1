package inventory

import "net/url"

// publicImage is what anybody can make a droplet of.
var publicImage = &Kind{
	Name: "public_image", Title: "Public image", Many: "Public images", Tier: Daily,
	Lists: []Listing{
		{Path: "/v2/images", Query: url.Values{"type": {"distribution"}}, Key: "images"},
		{Path: "/v2/images", Query: url.Values{"type": {"application"}}, Key: "images"},
	},
	Scope: "image:read", ID: "id", Local: true, Sold: true,
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("slug"), Status: d.Text("status"), Size: d.Text("distribution") + " " + d.Text("name"), CreatedAt: d.Time("created_at"),
		}
	},
}
