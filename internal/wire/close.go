package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// Amount is an amount of money.
func Amount(a money.Amount) client.Amount {
	return client.Amount{Currency: string(a.Currency), Amount: a.Minor}
}

func amounts(all []money.Amount) []client.Amount {
	out := make([]client.Amount, len(all))
	for i, a := range all {
		out[i] = Amount(a)
	}
	return out
}

// Close is what the books get at the end of a month.
func Close(c billing.Close) client.MonthClose {
	out := client.MonthClose{Month: c.Month, Tenants: []client.TenantClose{}, Unpriced: present(c.Unpriced), Failed: billingFailures(c.Failed), ClosedAt: client.At(c.ClosedAt), ClosedBy: c.ClosedBy, Fingerprint: c.Fingerprint}
	for _, t := range c.Tenants {
		out.Tenants = append(out.Tenants, client.TenantClose{Tenant: t.Slug, Accrued: amounts(t.Accrued), Cost: Amount(t.Cost)})
	}
	return out
}

// Margin is what a tenant brought in a month, and what it cost.
func Margin(m billing.Margin) client.Margin {
	out := client.Margin{
		Month: m.Month, Tenant: m.Slug, Revenue: amounts(m.Revenue), Cost: amounts(m.Cost), BadDebt: amounts(m.BadDebt), Left: amounts(m.Left()), Closed: m.Closed,
		NoRate: Text(m.NoRate),
	}
	if m.Exchanged != nil {
		cost, rate := Amount(*m.Exchanged), Rate(*m.Rate)
		out.Exchanged, out.Rate = &cost, &rate
	}
	return out
}
