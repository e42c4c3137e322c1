package wire

import (
	"encoding/json"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
)

// Subscription is a subscription, with what is in service at an instant.
func Subscription(a billing.Agreement, at time.Time) client.Subscription {
	w := client.Subscription{
		ID: string(a.ID), Tenant: a.Slug, Currency: string(a.Currency), Zone: a.Zone, Taxes: present(a.TaxesAt(at)), Coupons: present(a.CouponsAt(at)),
		StartedAt: client.Time{Time: a.StartedAt}, CreatedAt: client.Time{Time: a.CreatedAt}, CreatedBy: a.CreatedBy,
		Items: []client.SubscriptionItem{}, Suspensions: []client.Suspension{}, Changes: make([]client.SubscriptionChange, len(a.Changes)),
		Amendments: make([]client.Amendment, len(a.Amendments)),
	}
	if a.AnchorDay != 0 {
		w.AnchorDay = &a.AnchorDay
	}
	for _, i := range a.Items(at) {
		w.Items = append(w.Items, client.SubscriptionItem{Item: i.Item, Plan: i.Plan, Quantity: i.Quantity.String()})
	}
	for _, x := range a.Suspensions() {
		w.Suspensions = append(w.Suspensions, client.Suspension{From: client.Time{Time: x.From}, Until: client.At(x.To)})
	}
	for i, c := range a.Changes {
		w.Changes[i] = client.SubscriptionChange{
			Seq: c.Seq, Type: string(c.Type), Item: c.Item, Plan: Text(c.Plan), Quantity: c.Quantity.String(), EffectiveAt: client.Time{Time: c.EffectiveAt}, UntilAt: client.At(c.UntilAt),
			RecordedAt: client.Time{Time: c.RecordedAt}, EnteredAt: client.Time{Time: c.EnteredAt}, Actor: c.Actor, Reason: c.Reason,
		}
	}
	for i, m := range a.Amendments {
		w.Amendments[i] = client.Amendment{
			Seq: m.Seq, Type: string(m.Type), IDs: present(m.IDs), EffectiveAt: client.Time{Time: m.EffectiveAt}, RecordedAt: client.Time{Time: m.RecordedAt},
			EnteredAt: client.Time{Time: m.EnteredAt}, Actor: m.Actor, Reason: m.Reason,
		}
	}
	return w
}

// Documents are invoices and credit notes; both sides write them the same.
func Documents(invoices []billing.Invoice) ([]client.Document, error) {
	documents := make([]client.Document, len(invoices))
	for i, inv := range invoices {
		text, err := json.Marshal(inv)
		if err != nil {
			return nil, err
		}
		if documents[i], err = Document(text); err != nil {
			return nil, err
		}
	}
	return documents, nil
}

// Document is a document as it was kept.
func Document(text []byte) (d client.Document, err error) {
	err = json.Unmarshal(text, &d)
	return d, err
}

// Migration is who gets another plan, and what that comes to.
func Migration(m billing.Migration) client.Migration {
	w := client.Migration{Items: make([]client.MigratedItem, len(m.Items)), Totals: make([]client.MigrationTotal, len(m.Totals)), Done: m.Done, Fingerprint: m.Fingerprint}
	for i, x := range m.Items {
		w.Items[i] = client.MigratedItem{
			Subscription: string(x.Subscription), Tenant: x.Slug, Zone: x.Zone, Item: x.Item, Quantity: x.Quantity.String(), Currency: string(x.Currency), EffectiveAt: client.At(x.EffectiveAt),
			Before: x.Before, After: x.After, Difference: x.After - x.Before, Left: x.Left,
		}
	}
	for i, t := range m.Totals {
		w.Totals[i] = client.MigrationTotal{Currency: string(t.Currency), Items: t.Items, Before: t.Before, After: t.After, Difference: t.After - t.Before}
	}
	return w
}
