package web

import (
	"fmt"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// dollars is an amount to the cent, as pages show it. Programs get all of it.
func dollars(m inventory.Micros) string {
	sign := ""
	if m < 0 {
		sign, m = "−", -m
	}
	cents := (int64(m) + 5000) / 10000
	if cents == 0 && m > 0 {
		return sign + "< $0.01"
	}
	return fmt.Sprintf("%s$%s.%02d", sign, ui.Number(cents/100), cents%100)
}

// exactDollars is a price, with the decimals that it has but at least two.
func exactDollars(n exact.Number) string {
	for digits := range 4 {
		if rounded := n.Round(2 + digits); rounded.Equal(n) {
			return fmt.Sprintf("$%s", fixed(n, 2+digits))
		}
	}
	return "$" + fixed(n, 6)
}

// fixed is a number with so many decimals.
func fixed(n exact.Number, digits int) string {
	units := n.Units(digits).String()
	for len(units) <= digits {
		units = "0" + units
	}
	return units[:len(units)-digits] + "." + units[len(units)-digits:]
}
