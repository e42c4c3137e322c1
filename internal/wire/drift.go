package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// Drift is the drift of a stack of a tenant.
func Drift(d provisioning.Drift, name, tenant string) client.Drift {
	monthly, unpriced := d.Monthly()
	w := client.Drift{
		Stack: string(d.Stack), Name: name, Tenant: tenant, AsOf: client.At(d.AsOf), Unknown: append([]string{}, d.Unknown...), Heard: len(d.Heard()), Currency: currency,
		Monthly: inventory.Micros(monthly).String(), Unpriced: unpriced, Differences: make([]client.Difference, len(d.Differences)),
	}
	for i, one := range d.Differences {
		w.Differences[i] = Difference(one)
	}
	return w
}

// Difference is one of a drift.
func Difference(d provisioning.Difference) client.Difference {
	w := client.Difference{
		ID: string(d.ID), What: string(d.What), Key: d.Key, Kind: d.Kind, URN: d.URN, Name: d.Name, Field: d.Field, Expected: d.Expected, Is: d.Is,
		Repair: d.Repair, RepairNot: d.RepairNot, AbsorbNot: d.AbsorbNot,
	}
	if d.Monthly != nil {
		text := inventory.Micros(*d.Monthly).String()
		w.Monthly = &text
	}
	if g := d.Ignored; g != nil {
		w.Ignored = &client.Ignore{Until: client.Time{Time: g.Until}, Reason: g.Reason, Actor: g.Actor, At: client.Time{Time: g.At}}
	}
	return w
}

// Drifting is how many differences of a drift are heard; nil where a part of it is not
// known.
func Drifting(d provisioning.Drift) *int {
	if len(d.Unknown) > 0 {
		return nil
	}
	return new(len(d.Heard()))
}
