package inventory

import "net/url"

// image is what an account has among images: its backups and what it brought
// along. Its snapshots are in the same list, which is the longer for them, and are
// a kind of their own.
var image = &Kind{
	Name: "image", Title: "Image", Many: "Images", Tier: Warm,
	Lists: []Listing{{Path: "/v2/images", Query: url.Values{"private": {"true"}}, Key: "images"}},
	Get:   "/v2/images/{id}", One: "image", Scope: "image:read",
	ID: "id", Actions: "image",
	Skip: func(d Doc) bool { return d.Text("type") == "snapshot" },
	Look: func(d Doc) Look {
		l := Look{
			Name: d.Text("name"), Status: d.Text("status"), Size: d.Text("type"), Tags: d.Texts("tags"), CreatedAt: d.Time("created_at"),
		}
		if regions := d.Texts("regions"); len(regions) > 0 {
			l.Region = regions[0]
		}
		return l
	},
	Charges: func(d Doc) []Charge {
		if d.Text("type") == "backup" || d.Text("status") != "available" {
			return nil // a backup is paid for with its droplet, what is not there yet not at all
		}
		return []Charge{perGiB("custom_image", d, "size_gigabytes")}
	},
}
