package billing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

const matrix = `currency: EUR
meters:
  - {id: egress, event_type: egress, value: gb, group_by: [region, tier]}
plans:
  - id: net
    version: 1
    period: {unit: month}
    charges:
      - id: egress
        type: usage
        meter: egress
        price: "0.10"
        minimum: "5.00"
        matrix:
          - {for: {region: fra1, tier: pro}, price: "0.02"}
          - {for: {region: fra1}, price: "0.05"}
`

// A group has the price of the first cell that it is in, and the charge's own in none;
// the minimum is of all groups together.
func TestPricesByDimension(t *testing.T) {
	catalog, err := ReadCatalog("c", []byte(matrix))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := ReadSubscription("s", []byte("{tenant: acme, phases: [{plan: net@1, from: 2026-03-01}]}"), catalog)
	if err != nil {
		t.Fatal(err)
	}
	var f Facts
	for i, group := range []string{"fra1 pro", "fra1 free", "nyc3 pro", "fra1 pro"} {
		region, tier, _ := strings.Cut(group, " ")
		at := day(t, "2026-03-05")
		f.Events = append(f.Events, metering.Event{Line: i + 1, Source: "s", ID: fmt.Sprint(i), Type: "egress", At: at, RecordedAt: at,
			Data: metering.Data{"gb": "10", "region": metering.Value(region), "tier": metering.Value(tier)}})
	}
	out, err := Preview(catalog, sub, f, day(t, "2026-04-03"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range out.Invoices[0].Lines {
		price := "–"
		if l.UnitPrice != nil {
			price = l.UnitPrice.String()
		}
		got = append(got, fmt.Sprint(l.Group["region"], " ", l.Group["tier"], " ", price, " ", l.Amount))
	}
	slices.Sort(got)
	if want := []string{"  – 310", "fra1 free 0.05 50", "fra1 pro 0.02 40", "nyc3 pro 0.1 100"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, change := range map[string][2]string{
		"another dimension": {"region: fra1}", "zone: fra1}"},
		"no dimension":      {"{region: fra1}", "{}"},
		"no groups":         {", group_by: [region, tier]", ""},
		"another model":     {"        price: \"0.10\"\n", "        model: graduated\n        tiers: [{unit: \"1\"}]\n"},
		"no price":          {", price: \"0.02\"", ""},
	} {
		text := strings.Replace(matrix, change[0], change[1], 1)
		if _, err := ReadCatalog("c", []byte(text)); text == matrix || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
