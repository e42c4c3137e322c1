package inventory

import "strings"

// alertPolicy says of what somebody wants to hear.
var alertPolicy = &Kind{
	Name: "alert_policy", Title: "Alert policy", Many: "Alert policies", Tier: Warm,
	Lists: []Listing{{Path: "/v2/monitoring/alerts", Key: "policies"}},
	Get:   "/v2/monitoring/alerts/{id}", One: "policy", Scope: "monitoring:read",
	ID: "uuid", Secret: []string{"alerts.slack.*.url"},
	Look: func(d Doc) Look {
		l := Look{Name: d.Text("description"), Size: d.Text("type"), Status: "off"} // its tags are those of its droplets
		if d.Bool("enabled") {
			l.Status = "on"
		}
		return l
	},
	Edges: func(d Doc) []Edge {
		watched := "do:droplet:"
		switch of := d.Text("type"); {
		case strings.HasPrefix(of, "v1/insights/lbaas/"):
			watched = "do:load_balancer:"
		case strings.HasPrefix(of, "v1/dbaas/"):
			watched = "do:database:"
		}
		edges := toEach(Watches, watched, d.Texts("entities"))
		for _, tag := range d.Texts("tags") {
			edges = append(edges, Edge{Type: Watches, Tag: tag})
		}
		return edges
	},
}
