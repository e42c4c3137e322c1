package inventory

import "slices"

// kinds are all of them. What others hang on comes first.
var kinds []*Kind

func init() { // here, and not above: some kinds look others up by name
	kinds = []*Kind{
		project, droplet, volume, snapshot,
		projectResource,
	}
}

// perGiB is the charge for what is billed by its size.
func perGiB(sku string, d Doc, keys ...string) Charge {
	size, ok := d.Number(keys...)
	if !ok {
		sku += ":unsized" // which no price book has: an alarm, and never nothing
	}
	return Charge{SKU: sku, Quantity: size}
}

func contains(list []string, text string) bool { return slices.Contains(list, text) }
