package inventory

import "github.com/arcadia-cloud/arcadia/internal/exact"

// registrySubscription is what an account pays for its registries, however many
// they are. DigitalOcean says the price.
var registrySubscription = &Kind{
	Name: "registry_subscription", Title: "Registry subscription", Many: "Registry subscriptions", Tier: Warm,
	Lists: []Listing{{Path: "/v2/registries/subscription", Key: "subscription", Single: true}},
	Scope: "registry:read",
	ID:    "tier.slug", Local: true, Ignore: []string{"updated_at"},
	Look: func(d Doc) Look {
		return Look{Name: d.Text("tier", "name"), Size: d.Text("tier", "slug"), CreatedAt: d.Time("created_at")}
	},
	Charges: func(d Doc) []Charge {
		cents, listed := d.Number("tier", "monthly_price_in_cents")
		return []Charge{{SKU: "registry:" + d.Text("tier", "slug"), Quantity: exact.Whole(1), Monthly: cents.Shift(-2), Listed: listed}}
	},
}
