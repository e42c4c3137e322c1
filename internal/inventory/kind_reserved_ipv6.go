package inventory

// reservedIPv6 is the same of IPv6, and free.
var reservedIPv6 = &Kind{
	Name: "reserved_ipv6", Title: "Reserved IPv6", Many: "Reserved IPv6s", Tier: Hot,
	Lists: []Listing{{Path: "/v2/reserved_ipv6", Key: "reserved_ipv6s"}},
	Get:   "/v2/reserved_ipv6/{id}", One: "reserved_ipv6", Scope: "reserved_ip:read",
	ID: "ip", Ignore: []string{"droplet.!id"},
	Look: func(d Doc) Look {
		l := addressLook(d, d.Text("region_slug"), "ip", "")
		l.CreatedAt = d.Time("reserved_at")
		return l
	},
	Edges: func(d Doc) []Edge { return attachedToDroplet(d) },
}
