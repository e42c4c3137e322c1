package app

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/client"
)

// euros is a catalog in another currency than DigitalOcean's.
const euros = `currency: EUR
meters:
  - {id: droplets, event_type: droplet}
plans:
  - {id: hosting, version: 1, period: {unit: month}, charges: [{id: servers, type: resource, model: cost_plus, meter: droplets, markup: "1.5"}]}
  - {id: support, version: 1, period: {unit: month}, charges: [{id: fee, type: recurring, price: "20.00"}]}
`

// buys makes a tenant a customer of main, with a plan from the beginning of the month.
func (h *host) buys(slug, plan string) (subscription string) {
	h.t.Helper()
	ctx := h.t.Context()
	if _, err := h.c.PutCustomer(ctx, slug, client.CustomerProfile{Issuer: "main", Currency: "EUR", Zone: "UTC", Address: client.Address{Lines: []string{}}, TaxIDs: []client.TaxID{}, Taxes: []string{}, Language: "en"}); err != nil {
		h.t.Fatal(err)
	}
	done, err := h.c.Subscribe(ctx, client.SubscriptionOrder{Tenant: slug, Plan: plan, From: monthBegin().Format(time.DateOnly)})
	if err != nil {
		h.t.Fatal(err)
	}
	return done.Subscription.ID
}

func monthBegin() time.Time {
	now := time.Now().UTC()
	return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// A plan tells a tenant's next invoice without and with it, in the tenant's currency: of
// a stack that is to be made, and of one that changes. Where nothing comes onto an invoice
// it says why.
func TestAPlanSaysWhatComesOntoTheInvoice(t *testing.T) {
	hosted(t, func(h *host) {
		t, ctx := h.t, h.t.Context()
		if _, err := h.c.ApplyCatalog(ctx, client.CatalogFile{Name: "euros.yaml", Document: euros}); err != nil {
			t.Fatal(err)
		}
		rate := client.RateOrder{Pair: "USD/EUR", From: monthBegin().AddDate(0, -1, 0).Format(time.DateOnly), Rate: "0.9"}
		if _, err := h.c.SetRate(ctx, rate); err != nil {
			t.Fatal(err)
		}
		if _, err := h.c.PutIssuer(ctx, "main", client.IssuerProfile{LegalName: "Host Inc.", Series: "R-", Address: client.Address{Lines: []string{}}, TaxIDs: []client.TaxID{}}); err != nil {
			t.Fatal(err)
		}
		for _, slug := range []string{"guest", "served"} {
			if _, err := h.c.AddTenant(ctx, client.TenantEntry{Slug: slug}); err != nil {
				t.Fatal(err)
			}
		}
		h.buys("served", "support@1")
		subscription := h.buys("acme", "hosting@1")

		for slug, want := range map[string]string{
			"guest":  "Nothing changes on an invoice: the tenant has no subscription.",
			"served": "Nothing changes on an invoice: no plan of the tenant charges for resources.",
		} {
			p := h.plan(client.PlanOrder{Verb: "provision", Account: account, Blueprint: "lone", Tenant: slug, Name: "web"})
			if diff := cmp.Diff(&client.Quote{Periods: []client.QuotedPeriod{}, Nothing: want, Notes: []string{}}, p.Quote); diff != "" {
				t.Errorf("of %s: %s", slug, diff)
			}
			says(t, h.arcadia("stack", "plan", "lone", "--tenant", slug, "--name", "web"), want)
		}

		next := monthBegin().AddDate(0, 1, 0)
		quote := func(before, after int64) *client.Quote {
			return &client.Quote{
				Periods: []client.QuotedPeriod{{
					Subscription: subscription, Plans: []string{"hosting@1"}, From: next.Format(time.DateOnly), To: next.AddDate(0, 1, 0).Format(time.DateOnly),
					Before: client.Amount{Currency: "EUR", Amount: before}, After: client.Amount{Currency: "EUR", Amount: after},
				}},
				Notes: []string{"Dollars count at the rate of USD/EUR from " + rate.From + ", 0.9: there may be another by then."},
			}
		}
		made := h.plan(client.PlanOrder{Verb: "provision", Account: account, Blueprint: "lone", Tenant: "acme", Name: "edge"})
		if diff := cmp.Diff(quote(0, 810), made.Quote); diff != "" { // $6 a month, times 1.5, in euros
			t.Errorf("of a stack that is to be made: %s", diff)
		}
		if kept, err := h.c.Plan(ctx, made.ID); err != nil || cmp.Diff(made.Quote, kept.Quote) != "" {
			t.Errorf("the plan is kept with %+v, %v", kept.Quote, err)
		}
		h.carryOut(made)

		grow := client.PlanOrder{Verb: "resize", Stack: "acme/edge", Options: map[string]string{"size": "s-2vcpu-4gb"}}
		p := h.plan(grow)
		if q := p.Quote; q == nil || !slices.Contains(q.Notes, "The inventory does not know these as the tenant's yet, and what becomes of them is in neither sum: droplet.web.") {
			t.Errorf("before the droplet is seen: %+v", q)
		}
		h.until("the droplet is billed", func() bool {
			h.sync()
			h.follow(t)
			p = h.plan(grow)
			return p.Quote != nil && len(p.Quote.Periods) == 1 && p.Quote.Periods[0].Before.Amount > 0
		})
		if diff := cmp.Diff(quote(810, 3240), p.Quote); diff != "" { // $24 in place of $6
			t.Errorf("of a stack that grows: %s", diff)
		}
		says(t, h.arcadia("stack", "resize", "acme/edge", "--size", "s-2vcpu-4gb"), "On the invoice of hosting@1 from "+next.Format(time.DateOnly), "8.10", "32.40", "EUR")
	})
}
