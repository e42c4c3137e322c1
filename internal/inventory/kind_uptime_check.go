package inventory

// uptimeCheck asks an address from several places whether it is there.
var uptimeCheck = &Kind{
	Name: "uptime_check", Title: "Uptime check", Many: "Uptime checks", Tier: Warm,
	Lists: []Listing{{Path: "/v2/uptime/checks", Key: "checks"}},
	Get:   "/v2/uptime/checks/{id}", One: "check", Scope: "uptime:read",
	ID: "id",
	Look: func(d Doc) Look {
		l := Look{Name: d.Text("name"), Size: d.Text("target"), Status: "off"}
		if d.Bool("enabled") {
			l.Status = "on"
		}
		return l
	},
	Edges: func(d Doc) []Edge {
		host := hostOf(d.Text("target"))
		if host == "" {
			return nil
		}
		return []Edge{{Type: Watches, Address: host}}
	},
	Charges: func(Doc) []Charge { return []Charge{flat("uptime_check")} },
}
