package dosim

import (
	"math/big"
	"slices"
	"time"
)

// priceList has DigitalOcean's prices of what is not in GET /v2/sizes: dollars
// for a unit and 672 hours, or for a GiB of transfer. What is in neither has no
// price, and a thing of that kind is not billed but told of by /billing/unpriced.
//
// Sources: the price pages of snapshots, custom images, Kubernetes, bandwidth and
// registries, and the description's example of app instance sizes; the prices of
// volumes, load balancers, reserved IPs and databases, these as of November 2023, are
// general knowledge that nobody has checked. Reserved IPv6 addresses cost nothing.
func priceList() map[string]string {
	return map[string]string{
		"droplet_snapshot":      "0.06", // a GB
		"volume_snapshot":       "0.06", // a GiB
		"custom_image":          "0.06", // a GB
		"volume":                "0.10", // a GiB
		"load_balancer":         "12",   // a node of a regional one
		"load_balancer_global":  "15",
		"reserved_ip":           "5", // unassigned
		"kubernetes_ha":         "40",
		"registry_starter":      "0",
		"registry_basic":        "5",
		"registry_professional": "20",

		"apps-s-1vcpu-0.5gb":     "5",
		"apps-s-1vcpu-1gb-fixed": "10",
		"apps-s-1vcpu-1gb":       "12",
		"apps-s-1vcpu-2gb":       "25",
		"apps-s-2vcpu-4gb":       "50",
		"apps-d-1vcpu-0.5gb":     "29",
		"apps-d-1vcpu-1gb":       "34",
		"apps-d-1vcpu-2gb":       "39",
		"apps-d-1vcpu-4gb":       "49",

		// A node; storage beyond what the size includes has no price here.
		"db-s-1vcpu-1gb":  "15.15",
		"db-s-1vcpu-2gb":  "30.45",
		"db-s-2vcpu-4gb":  "60.90",
		"db-s-4vcpu-8gb":  "122.10",
		"db-s-6vcpu-16gb": "243.90",
		skuTransfer:       "0.01",
	}
}

const skuTransfer = "transfer"

// A pricing is a price and since when: zero for as long as anybody knows.
type pricing struct {
	since time.Time
	price *big.Rat
}

// pricesOf are the prices of an SKU, the oldest first, none when nobody knows any.
// Of two changes that count from the same instant, the one made later does.
func (w *world) pricesOf(sku string) []pricing {
	var all []pricing
	if p, ok := new(big.Rat).SetString(priceList()[sku]); ok {
		all = append(all, pricing{price: p})
	} else if size, ok := w.catalog.size(sku); ok {
		all = append(all, pricing{price: exactly(size.PriceMonthly)})
	}
	for _, e := range w.prices.existing("", wholeAccount, endOfTime) {
		if p, _ := e.(*price); p.SKU == sku {
			if exact, ok := new(big.Rat).SetString(p.Monthly); ok {
				all = append(all, pricing{p.Since, exact})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b pricing) int { return a.since.Compare(b.since) })
	return all
}

// exactly is the decimal number that a float was written as: 0.1 is a tenth.
func exactly(f float64) *big.Rat {
	r, ok := new(big.Rat).SetString(decimal(f))
	if !ok {
		panic("dosim: a price is no number")
	}
	return r
}
