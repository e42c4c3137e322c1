package inventory

import "strings"

// spacesKey opens Spaces. The secret that belongs to it is told once, to who
// made it.
var spacesKey = &Kind{
	Name: "spaces_key", Title: "Spaces key", Many: "Spaces keys", Tier: Warm,
	Lists: []Listing{{Path: "/v2/spaces/keys", Key: "keys"}},
	Get:   "/v2/spaces/keys/{id}", One: "key", Scope: "spaces_key:read",
	ID: "access_key",
	Look: func(d Doc) Look {
		l := Look{Name: d.Text("name"), CreatedAt: d.Time("created_at")}
		var may []string
		for _, grant := range d.Docs("grants") {
			may = append(may, strings.TrimSpace(grant.Text("permission")+" "+grant.Text("bucket")))
		}
		l.Size = strings.Join(may, ", ")
		return l
	},
}
