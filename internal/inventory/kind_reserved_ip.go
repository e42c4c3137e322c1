package inventory

// reservedIP is an IPv4 address that stays when its droplet goes. It costs
// something for as long as it is nobody's.
var reservedIP = &Kind{
	Name: "reserved_ip", Title: "Reserved IP", Many: "Reserved IPs", Tier: Hot,
	Lists: []Listing{{Path: "/v2/reserved_ips", Key: "reserved_ips"}},
	Get:   "/v2/reserved_ips/{id}", One: "reserved_ip", Scope: "reserved_ip:read",
	ID: "ip", Project: "do:floatingip:",
	Ignore: []string{"droplet.!id", "region.!slug", "locked"}, // the whole droplet stands in it
	Look: func(d Doc) Look {
		return addressLook(d, d.Text("region", "slug"), "ip", d.Text("project_id"))
	},
	Edges: func(d Doc) []Edge { return attachedToDroplet(d) },
	Charges: func(d Doc) []Charge {
		if d.Text("droplet", "id") != "" {
			return nil
		}
		return []Charge{flat("reserved_ip:unassigned")}
	},
}

func addressLook(d Doc, region, key, project string) Look {
	l := Look{Name: d.Text(key), Region: region, Status: "unassigned", Addresses: []string{d.Text(key)}, Project: project}
	if d.Text("droplet", "id") != "" {
		l.Status = "assigned"
	}
	return l
}

func attachedToDroplet(d Doc) []Edge {
	id := d.Text("droplet", "id")
	if id == "" {
		return nil
	}
	return []Edge{{Type: AttachedTo, To: "do:droplet:" + id}}
}
