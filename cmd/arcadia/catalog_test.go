package main_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const catalogFile = `currency: EUR
taxes:
  - {id: vat, rate: "19"}
plans:
  - id: basic
    version: 1
    period: {unit: month}
    charges:
      - {id: fee, type: recurring, price: "30.00"}
`

// A catalog is applied once it was shown and confirmed; what is shown can be applied
// again and changes nothing.
func TestCatalogFromTheCommandLine(t *testing.T) {
	h := newHouse(t)
	if said := h.run(t, "catalog", "list").want(t, 0).out; !strings.Contains(said, "catalog apply") {
		t.Errorf("an empty list: %s", said)
	}
	h.pipe(t, catalogFile, "catalog", "apply", "-").want(t, 2) // nobody to confirm
	if said := h.run(t, "catalog", "show").want(t, 1).err; !strings.Contains(said, "no catalog yet") {
		t.Errorf("what was not confirmed: %s", said)
	}
	if said := h.pipe(t, catalogFile, "catalog", "apply", "-", "--yes").want(t, 0).out; !strings.Contains(said, "+ plan basic@1: added") {
		t.Errorf("apply: %s", said)
	}
	shown := h.run(t, "catalog", "show").want(t, 0).out
	if said := h.pipe(t, shown, "catalog", "diff", "-").want(t, 0).out; said != "Catalog in EUR: 2 unchanged.\n" {
		t.Errorf("what is shown does not read as what was applied: %s\n%s", said, shown)
	}
	said := h.pipe(t, strings.Replace(catalogFile, "30.00", "35.00", 1), "catalog", "diff", "-").want(t, 0).out
	if !strings.Contains(said, "charges[fee].price: 30.00 → 35.00") {
		t.Errorf("diff: %s", said)
	}
	var got struct {
		Items []struct{ Kind, ID, Version string }
	}
	text := h.run(t, "catalog", "show", "basic@1", "--json").want(t, 0).out
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Items) != 1 || got.Items[0].Kind != "plan" {
		t.Errorf("show basic@1: %+v", got)
	}
	if said := h.pipe(t, "currency: EUR\n", "catalog", "diff", "-").want(t, 2).err; !strings.Contains(said, "at least one plan") {
		t.Errorf("no catalog: %s", said)
	}
}
