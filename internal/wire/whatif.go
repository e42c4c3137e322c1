package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
)

// WhatIf is what documents came to, and would come to.
func WhatIf(w billing.WhatIf) client.WhatIf {
	sum := func(d billing.Difference) client.WhatIfSum {
		return client.WhatIfSum{Before: d.Before, After: d.After, Difference: d.After - d.Before}
	}
	out := client.WhatIf{Currency: string(w.Currency), Plans: present(w.Plans), Tenants: []client.TenantWhatIf{}, Months: []client.MonthWhatIf{}, Failed: billingFailures(w.Failed)}
	for _, t := range w.Tenants {
		out.Tenants = append(out.Tenants, client.TenantWhatIf{Tenant: t.Of, Subscriptions: t.Subscriptions, WhatIfSum: sum(t)})
	}
	for _, m := range w.Months {
		out.Months = append(out.Months, client.MonthWhatIf{Month: m.Of, WhatIfSum: sum(m)})
		out.Total.Before, out.Total.After = out.Total.Before+m.Before, out.Total.After+m.After
	}
	out.Total.Difference = out.Total.After - out.Total.Before
	return out
}
