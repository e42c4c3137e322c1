package inventory

import "fmt"

// size is a size of droplets that is for sale, with its price.
var size = &Kind{
	Name: "size", Title: "Size", Many: "Sizes", Tier: Daily,
	Lists: []Listing{{Path: "/v2/sizes", Key: "sizes"}},
	Scope: "sizes:read regions:read",
	ID:    "slug", Local: true, Sold: true, Ignore: []string{"regions", "price_hourly"},
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("slug"), Status: available(d),
			Size: fmt.Sprintf("%s vCPU, %s MiB, %s GiB disk, $%s a month", d.Text("vcpus"), d.Text("memory"), d.Text("disk"), d.Text("price_monthly")),
		}
	},
}

func available(d Doc) string {
	if d.Bool("available") {
		return "available"
	}
	return "unavailable"
}
