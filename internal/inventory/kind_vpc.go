package inventory

// vpc is a private network. It cannot be deleted before what is in it.
var vpc = &Kind{
	Name: "vpc", Title: "VPC", Many: "VPCs", Tier: Hot,
	Lists: []Listing{{Path: "/v2/vpcs", Key: "vpcs"}},
	Get:   "/v2/vpcs/{id}", One: "vpc", Scope: "vpc:read",
	ID: "id", Project: "do:vpc:",
	Look: func(d Doc) Look {
		l := Look{Name: d.Text("name"), Region: d.Text("region"), Size: d.Text("ip_range"), CreatedAt: d.Time("created_at")}
		if d.Bool("default") {
			l.Status = "default"
		}
		return l
	},
}
