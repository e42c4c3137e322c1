package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// CatalogOverview is a catalog in few words.
func CatalogOverview(o billing.CatalogOverview) client.CatalogOverview {
	return client.CatalogOverview{
		Currency: string(o.Currency), Plans: o.Plans, Meters: o.Meters, Taxes: o.Taxes, Coupons: o.Coupons, Used: o.Used, Withdrawn: o.Withdrawn,
		LastAddedAt: client.Time{Time: o.LastAddedAt}, LastAddedBy: o.LastAddedBy,
	}
}

// Catalog is a catalog with its entries, and who has its plans.
func Catalog(c money.Currency, entries []billing.Entry, holdings map[string][]billing.Holding) client.Catalog {
	w := client.Catalog{Currency: string(c), Entries: make([]client.CatalogEntry, len(entries))}
	var offered []billing.Entry
	for i, e := range entries {
		w.Entries[i] = client.CatalogEntry{
			Kind: string(e.Kind), ID: e.ID, Version: Text(e.Version), Offered: e.Offered, UsedAt: client.At(e.UsedAt),
			AddedAt: client.Time{Time: e.AddedAt}, AddedBy: e.AddedBy, Document: e.Document,
		}
		if e.Kind == billing.PlanEntry {
			for _, h := range holdings[e.Ref()] {
				w.Entries[i].Holdings = append(w.Entries[i].Holdings, client.Holding{
					Subscription: string(h.Subscription), Tenant: h.Slug, Zone: h.Zone, Item: h.Item, Quantity: h.Quantity.String(),
					From: client.At(h.From), Until: client.At(h.Until), Next: Text(h.Next),
				})
			}
		}
		if e.Offered {
			offered = append(offered, e)
		}
	}
	w.Document = billing.Document(c, offered)
	return w
}

// CatalogApplied is what became of a catalog.
func CatalogApplied(a billing.Applied) client.CatalogApplied {
	w := client.CatalogApplied{Currency: string(a.Currency), Done: a.Done, Fingerprint: a.Fingerprint, Changes: make([]client.CatalogChange, len(a.Changes)), Counting: make([]client.MeterOutcome, len(a.Counting))}
	for i, o := range a.Counting {
		w.Counting[i] = MeterOutcome(o)
	}
	for i, c := range a.Changes {
		fields := make([]client.ValueChange, len(c.Fields))
		for n, f := range c.Fields {
			fields[n] = client.ValueChange(f)
		}
		w.Changes[i] = client.CatalogChange{Kind: string(c.Kind), ID: c.ID, Version: Text(c.Version), Action: string(c.Action), Fields: fields, Why: c.Why}
	}
	return w
}
