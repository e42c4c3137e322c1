package inventory

import (
	"net/url"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// app is an application on the App Platform, billed by its components.
var app = &Kind{
	Name: "app", Title: "App", Many: "Apps", Tier: Hot,
	Lists: []Listing{{Path: "/v2/apps", Query: url.Values{"with_projects": {"true"}}, Key: "apps"}}, // else they say no project
	Get:   "/v2/apps/{id}", One: "app", Scope: "app:read",
	ID: "id", Project: "do:app:",
	// Of deployments only which one is running says something that lasts.
	Ignore: []string{
		"updated_at", "active_deployment.!id", "in_progress_deployment", "pending_deployment", "pinned_deployment",
		"last_deployment_created_at", "last_deployment_active_at", "region.!slug",
	},
	Secret: []string{"**.envs.*.value", "**.registry_credentials", "**.slack_webhooks.*.url", "**.log_destinations.*.*.endpoint"},
	Look: func(d Doc) Look {
		l := Look{
			Name: d.Text("spec", "name"), Region: d.Text("region", "slug"), Status: d.Text("active_deployment", "phase"), Size: d.Text("tier_slug"),
			Project: d.Text("project_id"), CreatedAt: d.Time("created_at"), Addresses: given(hostOf(d.Text("default_ingress"))),
		}
		for _, domain := range d.Docs("spec", "domains") {
			l.Addresses = append(l.Addresses, given(domain.Text("domain"))...)
		}
		for _, ip := range d.Docs("dedicated_ips") {
			l.Addresses = append(l.Addresses, given(ip.Text("ip"))...)
		}
		return l
	},
	Edges: func(d Doc) []Edge { return inNetwork(d.Text("spec", "vpc", "id")) },
	Charges: func(d Doc) []Charge {
		var charges []Charge
		for _, component := range append(d.Docs("spec", "services"), d.Docs("spec", "workers")...) {
			charges = append(charges, instances(component))
		}
		for _, db := range d.Docs("spec", "databases") {
			if !db.Bool("production") { // those for production are databases of their own
				charges = append(charges, flat("app:dev_database"))
			}
		}
		if len(d.Docs("dedicated_ips")) > 0 {
			charges = append(charges, flat("app:dedicated_ip"))
		}
		return charges
	},
}

// instances is the charge for a component: at the least as many instances as it
// never has fewer of.
func instances(component Doc) Charge {
	size := component.Text("instance_size_slug")
	if size == "" {
		return flat("app:unsized")
	}
	count, ok := component.Number("autoscaling", "min_instance_count")
	if !ok {
		if count, ok = component.Number("instance_count"); !ok {
			count = exact.Whole(1)
		}
	}
	return Charge{SKU: "app:" + size, Quantity: count}
}

// hostOf is the host of a URL, or the text itself where it is none.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return strings.TrimSuffix(text, "/")
}
