package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) invoiceRoutes(h huma.API) {
	register(a, h, operation("list-invoices", http.MethodGet, "/v1/invoices", "List invoices and credit notes, the last issued first unless sorted otherwise"), a.listInvoices)
	register(a, h, operation("list-invoice-drafts", http.MethodGet, "/v1/invoice-drafts", "List the documents that wait to be issued, the next first"), a.listDrafts)
	register(a, h, operation("list-test-invoices", http.MethodGet, "/v1/test-invoices", "List the documents that were issued in test mode, the last first"), a.listTests)
	register(a, h, operation("delete-test-invoices", http.MethodDelete, "/v1/test-invoices", "Delete the documents that were issued in test mode"), a.deleteTests)
	register(a, h, operation("list-billing-runs", http.MethodGet, "/v1/billing-runs", "List billing runs on the clock that came to something, the last first"), a.listBillingRuns)
	register(a, h, operation("get-invoice", http.MethodGet, "/v1/invoices/{ref}", "Read an invoice or a credit note"), a.getInvoice)
	register(a, h, operation("explain-invoice", http.MethodGet, "/v1/invoices/{ref}/explanation", "Say how the lines of a document came about"), a.explainInvoice)
	describePapers(h)
	run := operation("run-billing", http.MethodPost, "/v1/billing-runs", "Issue what is due, or say what would be issued")
	run.Description = "It can be done again at any time: each document is issued once, and a run that was cut off is taken up by the next."
	register(a, h, run, a.runBilling)
	register(a, h, operation("verify-billing", http.MethodGet, "/v1/billing-checks", "Check numbers, documents, sums and the journal"), a.verifyBilling)
}

func (a *API) listInvoices(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
	Open   bool   `query:"open" doc:"Only those of which something is open."`
	State  string `query:"state" enum:"open,overdue,issued,partially_paid,paid,credited,void,uncollectible" doc:"How it stands with them: open are those of which something is not settled, overdue those of them that were to be paid by now, credited are credit notes."`
	Month  string `query:"month" example:"2026-10" doc:"Issued in this month, in UTC."`
	Code   string `query:"currency" example:"EUR"`
	Sort   string `query:"sort" enum:"issued,-issued,due,-due,total,-total,open,-open,number,-number" default:"-issued" doc:"With a dash the greatest first. Amounts of one currency stand together."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" doc:"next of an earlier page of the same sort"`
}) (*struct{ Body client.InvoicePage }, error) {
	f, err := billing.IssuedFilter{
		Tenant: in.Tenant, Open: in.Open, Currency: in.Code, Sort: billing.IssuedSort(in.Sort), Limit: in.Limit, Cursor: in.Cursor,
	}.Narrow(in.State, in.Month, time.Now())
	if err != nil {
		return nil, err
	}
	list, next, err := a.o.Bills.Invoices(ctx, f)
	if err != nil {
		return nil, err
	}
	items, err := wire.Invoices(list)
	return &struct{ Body client.InvoicePage }{client.InvoicePage{Items: items, Next: wire.Text(next)}}, err
}

func (a *API) listDrafts(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
}) (*struct {
	Body client.List[client.Invoice]
}, error) {
	drafts, err := a.o.Bills.Drafts(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	items, err := wire.Invoices(drafts)
	return listed(items), err
}

type ofTenant struct {
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
}

func (a *API) listTests(ctx context.Context, in *ofTenant) (*struct {
	Body client.List[client.Invoice]
}, error) {
	list, err := a.o.Bills.TestDocuments(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	items, err := wire.Invoices(list)
	return listed(items), err
}

func (a *API) deleteTests(ctx context.Context, in *ofTenant) (*struct{ Body client.TestInvoicesDeleted }, error) {
	deleted, err := a.o.Bills.DeleteTestDocuments(ctx, in.Tenant)
	return &struct{ Body client.TestInvoicesDeleted }{client.TestInvoicesDeleted{Deleted: deleted}}, err
}

func (a *API) listBillingRuns(ctx context.Context, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"20"`
}) (*struct {
	Body client.List[client.BillingProgress]
}, error) {
	runs, err := a.o.Bills.BillingRuns(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]client.BillingProgress, len(runs))
	for i, p := range runs {
		items[i] = wire.BillingProgress(p)
	}
	return listed(items), nil
}

func (a *API) getInvoice(ctx context.Context, in *struct {
	Ref string `path:"ref" doc:"The id or the number." example:"R-1"`
}) (*struct{ Body client.Invoice }, error) {
	i, err := a.o.Bills.Invoice(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	w, err := wire.Invoice(i)
	return &struct{ Body client.Invoice }{w}, err
}

func (a *API) runBilling(ctx context.Context, in *struct{ Body client.BillingRunOrder }) (*struct{ Body client.BillingRun }, error) {
	o := billing.RunOrder{Tenant: in.Body.Tenant, DryRun: in.Body.DryRun, Test: in.Body.Test, Expect: in.Body.Expect, By: actor(ctx)}
	if in.Body.UpTo != nil {
		o.UpTo = in.Body.UpTo.Time
	}
	run, err := a.o.Bills.RunBilling(ctx, o, time.Now())
	if err != nil {
		return nil, err
	}
	w, err := wire.BillingRun(run)
	return &struct{ Body client.BillingRun }{w}, err
}

func (a *API) verifyBilling(ctx context.Context, _ *struct{}) (*struct {
	Body client.List[client.BillingCheck]
}, error) {
	checks, err := a.o.Bills.VerifyBilling(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.BillingCheck, len(checks))
	for i, c := range checks {
		items[i] = client.BillingCheck{Name: c.Name, Count: c.Count, Wrong: append([]string{}, c.Wrong...), Warnings: wire.BillingWarnings(c.Warnings)}
	}
	return listed(items), nil
}

func (a *API) explainInvoice(ctx context.Context, in *struct {
	Ref  string `path:"ref" doc:"The id or the number." example:"R-1"`
	Line int    `query:"line" minimum:"0" doc:"Only this line, from 1; left away or 0: all."`
}) (*struct{ Body client.InvoiceExplanation }, error) {
	i, lines, err := a.o.Bills.Explain(ctx, in.Ref, in.Line)
	if err != nil {
		return nil, err
	}
	w, err := wire.InvoiceExplanation(i, lines)
	return &struct{ Body client.InvoiceExplanation }{w}, err
}
