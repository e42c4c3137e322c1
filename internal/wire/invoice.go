package wire

import (
	"encoding/json"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
)

// Invoice is a document as it was, or would be, issued.
func Invoice(i billing.Issued) (w client.Invoice, err error) {
	w = client.Invoice{
		ID: i.ID, Tenant: i.Slug, Zone: i.Zone, Subscription: string(i.Subscription), Purpose: string(i.Purpose), State: string(i.State), IssueAt: client.Time{Time: i.IssueAt},
		IssuedAt: client.At(i.IssuedAt), IssuedBy: i.IssuedBy, DueAt: client.At(i.DueAt), Currency: string(i.Currency), Total: i.Total, Due: i.Due, Open: i.Open, Hash: i.Hash,
		Parties: i.Parties,
	}
	switch {
	case i.Number > 0:
		w.Number = Text(i.Ref())
	case i.State == billing.InvoiceDraft:
		w.IssuedAt = nil
	default:
		w.State = "due"
	}
	w.Document, err = Document(i.Document)
	return w, err
}

// Invoices are several.
func Invoices(list []billing.Issued) ([]client.Invoice, error) {
	items := make([]client.Invoice, len(list))
	for n, i := range list {
		var err error
		if items[n], err = Invoice(i); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// InvoiceExplanation is how lines of a document came about.
func InvoiceExplanation(i billing.Issued, lines []billing.ExplainedLine) (w client.InvoiceExplanation, err error) {
	w = client.InvoiceExplanation{ID: i.ID, Number: i.Ref(), Tenant: i.Slug, Zone: i.Zone, Currency: string(i.Currency), Lines: make([]client.ExplainedLine, len(lines))}
	for n, l := range lines {
		line := client.ExplainedLine{Line: l.Number, OtherEvents: l.Others, Events: make([]client.UsageEvent, len(l.Events)), Lifetimes: make([]client.Lifetime, len(l.Lives))}
		text, err := json.Marshal(l.Line)
		if err == nil {
			err = json.Unmarshal(text, &line.DocumentLine)
		}
		if err != nil {
			return w, err
		}
		for x, e := range l.Events {
			line.Events[x] = UsageEvent(e)
		}
		for x, life := range l.Lives {
			line.Lifetimes[x] = Lifetime(life, i.Slug)
		}
		w.Lines[n] = line
	}
	return w, nil
}

// billingFailures are subscriptions that were not billed, or could not be rated.
func billingFailures(all []billing.RunFailure) []client.BillingFailure {
	out := make([]client.BillingFailure, len(all))
	for i, f := range all {
		out[i] = client.BillingFailure{Subscription: string(f.Subscription), Tenant: f.Tenant, Why: f.Why}
	}
	return out
}

// BillingRun is what a run issued.
func BillingRun(r billing.Run) (w client.BillingRun, err error) {
	w = client.BillingRun{UpTo: client.Time{Time: r.UpTo}, Done: r.Done, Test: r.Test, Fingerprint: r.Fingerprint, Failed: billingFailures(r.Failed)}
	w.Warnings = BillingWarnings(r.Warnings)
	w.Issued, err = Invoices(r.Issued)
	return w, err
}

// BillingWarnings are what somebody should know of bills.
func BillingWarnings(list []billing.Warning) []client.BillingWarning {
	all := make([]client.BillingWarning, len(list))
	for i, w := range list {
		all[i] = client.BillingWarning{Tenant: w.Tenant, Subscription: Text(string(w.Subscription)), What: w.What}
	}
	return all
}

// BillingProgress is how far a run is.
func BillingProgress(p billing.Progress) client.BillingProgress {
	w := client.BillingProgress{
		ID: p.ID, BegunAt: client.Time{Time: p.BegunAt}, EndedAt: client.At(p.EndedAt), UpTo: client.Time{Time: p.UpTo}, By: p.By, Subscriptions: p.Subscriptions,
		Done: p.Done, Issued: p.Issued, Drafted: p.Drafted, Failed: billingFailures(p.Failed), Warnings: BillingWarnings(p.Warnings),
	}
	return w
}
