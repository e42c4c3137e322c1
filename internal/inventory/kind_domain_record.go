package inventory

import "strings"

// domainRecord is one record of a domain.
var domainRecord = &Kind{
	Name: "domain_record", Title: "DNS record", Many: "DNS records", Tier: Warm,
	Lists:  []Listing{{Path: "/v2/domains/{parent}/records", Key: "domain_records"}},
	Parent: "domain", Get: "/v2/domains/{parent}/records/{id}", One: "domain_record", Scope: "domain:read",
	ID: "id",
	Look: func(d Doc) Look {
		return Look{Name: recordName(d) + " " + d.Text("type"), Size: d.Text("data"), Addresses: addressesOf(d)}
	},
	Edges: func(d Doc) []Edge {
		edges := []Edge{{Type: DependsOn, To: "do:domain:" + d.Parent}}
		switch d.Text("type") {
		case "A", "AAAA", "CNAME":
			at := strings.TrimSuffix(d.Text("data"), ".")
			if at == "@" {
				at = d.Parent
			}
			edges = append(edges, Edge{Type: PointsTo, Address: at})
		}
		return edges
	},
}

// recordName is a record's whole name.
func recordName(d Doc) string {
	if name := d.Text("name"); name != "@" && name != "" {
		return name + "." + d.Parent
	}
	return d.Parent
}

// addressesOf are the names that lead on from here: what a CNAME may point to.
func addressesOf(d Doc) []string {
	switch d.Text("type") {
	case "A", "AAAA", "CNAME":
		return []string{recordName(d)}
	}
	return nil
}
