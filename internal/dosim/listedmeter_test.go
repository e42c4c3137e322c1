package dosim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// DigitalOcean's prices of Kubernetes: a pool is a line, whose nodes are no
// droplets of their own. What nobody knows a price of is told, and billed once
// there is one.
func TestWhatIsOnlyListedIsBilled(t *testing.T) {
	s := billed(t, nil)
	for _, thing := range []dosim.SeedThing{
		{Kind: "database", Data: object{"name": "orders", "size": "db-s-1vcpu-2gb", "num_nodes": 2}},
		{Kind: "registry", Data: object{"name": "images"}},
		{Kind: "app"},
		{Kind: "nat_gateway", Data: object{"name": "out", "size": 2}},
		{Kind: "nfs", Data: object{"name": "share"}},
		{Kind: "uptime_check", Data: object{"name": "site"}},
		{Kind: "spaces_key"},
	} {
		seedThing(t, s, thing)
	}
	db := seedThing(t, s, dosim.SeedThing{Kind: "database", Data: object{"name": "small"}})
	seedThing(t, s, dosim.SeedThing{Kind: "database_replica", Parent: db, Data: object{"name": "read-1"}})
	cluster := seedThing(t, s, dosim.SeedThing{Kind: "kubernetes_cluster", Data: object{"name": "prod", "ha": true, "node_pools": []object{
		{"name": "workers", "size": "g-4vcpu-16gb", "count": 3}, {"name": "none", "size": "c-2", "count": 0},
	}}})
	s.SeedDroplet(dosim.SeedDroplet{Name: "workers-1", Size: "g-4vcpu-16gb", Tags: []string{"k8s", "k8s:" + cluster}})
	s.SeedDroplet(dosim.SeedDroplet{Name: "mine", Size: "g-4vcpu-16gb", Tags: []string{"k8s", "k8s:another"}})
	s.Clock().Advance(28 * day)

	var lines []string
	for _, i := range list(do(t, s, "GET", "/v2/customers/my/invoices/preview?per_page=200", nil), "invoice_items") {
		lines = append(lines, fmt.Sprintf("%v: %v %v", at(i, "product"), at(i, "description"), at(i, "amount")))
	}
	slices.Sort(lines)
	want := []string{
		"App Platform: web (apps-s-1vcpu-0.5gb, instances: 1) 5.00",
		"Container Registry Subscription: images (basic) 5.00",
		"Database Clusters: orders (db-s-1vcpu-2gb, nodes: 2) 60.90",
		"Database Clusters: read-1 (db-s-1vcpu-1gb, nodes: 1) 15.15",
		"Database Clusters: small (db-s-1vcpu-1gb, nodes: 1) 15.15",
		"Droplets: mine (g-4vcpu-16gb) 126.00",
		"Kubernetes Clusters: High availability control plane 40.00",
		"Kubernetes Clusters: workers (g-4vcpu-16gb, nodes: 3) 378.00",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the lines are\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	var skus []string
	for _, u := range list(admin(t, s, "GET", "/billing/unpriced", nil), "items") {
		skus = append(skus, text(at(u, "sku")))
	}
	if slices.Sort(skus); fmt.Sprint(skus) != "[nat_gateway nfs uptime_check]" {
		t.Errorf("without a price: %v", skus)
	}
}
