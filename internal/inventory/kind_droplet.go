package inventory

import (
	"net/url"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// droplet is a virtual machine. Those with GPUs, the dearest of all, stand in a
// list of their own, which only type=gpus shows.
var droplet = &Kind{
	Name: "droplet", Title: "Droplet", Many: "Droplets", Tier: Hot,
	Lists: []Listing{
		{Path: "/v2/droplets", Key: "droplets"},
		{Path: "/v2/droplets", Query: url.Values{"type": {"gpus"}}, Key: "droplets"},
	},
	Get: "/v2/droplets/{id}", One: "droplet", Scope: "droplet:read",
	ID: "id", Project: "do:droplet:", Actions: "droplet",
	// What is sold, which each droplet repeats, changes in the catalog; the window
	// of the next backup, and whether something happens right now, say nothing that lasts.
	Ignore: []string{
		"size.available", "size.regions", "size.description", "size.price_hourly",
		"region.sizes", "region.features", "region.available", "next_backup_window", "locked",
		"image.regions", "image.description", "image.status", "image.tags", "image.error_message",
	},
	Look: func(d Doc) Look {
		l := Look{
			Name: d.Text("name"), Region: d.Text("region", "slug"), Status: d.Text("status"), Size: d.Text("size_slug"),
			Tags: d.Texts("tags"), CreatedAt: d.Time("created_at"),
		}
		for _, version := range []string{"v4", "v6"} {
			for _, net := range d.Docs("networks", version) {
				l.Addresses = append(l.Addresses, net.Text("ip_address"))
			}
		}
		return l
	},
	Edges: func(d Doc) []Edge {
		edges := inNetwork(d.Text("vpc_uuid"))
		for _, tag := range d.Texts("tags") {
			if id, ok := strings.CutPrefix(tag, "k8s:"); ok && len(id) == len("01234567-89ab-cdef-0123-456789abcdef") {
				edges = append(edges, Edge{Type: MemberOf, To: "do:kubernetes_cluster:" + id})
			}
		}
		for _, id := range d.Texts("backup_ids") { // which do not say whose they are
			edges = append(edges, Edge{Type: SnapshotOf, From: "do:image:" + id, To: "do:droplet:" + d.Text("id")})
		}
		return edges
	},
	Charges: func(d Doc) []Charge {
		monthly, listed := d.Number("size", "price_monthly")
		charges := []Charge{{SKU: "droplet:" + d.Text("size_slug"), Quantity: exact.Whole(1), Monthly: monthly, Listed: listed}}
		if hasBackups(d) { // for a share of the droplet's own price
			backups := Charge{SKU: backupSKU + d.Text(planKey, "plan"), Quantity: monthly}
			if d.At(planKey) == nil {
				backups.SKU, backups.Assumed = backupSKU+"weekly", "the weekly plan, as no list of policies has said which it is"
			}
			charges = append(charges, backups)
		}
		return charges
	},
}
