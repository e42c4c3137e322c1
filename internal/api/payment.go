package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// PaymentQuery names a payment. It is exported because huma looks at exported fields
// only.
type PaymentQuery struct {
	Ref string `path:"ref" doc:"The id, or the bank's reference."`
}

func (a *API) paymentRoutes(h huma.API) {
	register(a, h, operation("list-payments", http.MethodGet, "/v1/payments", "List payments, the last recorded first"), a.listPayments)
	register(a, h, operation("get-payment", http.MethodGet, "/v1/payments/{ref}", "Read a payment"), a.getPayment)
	record := operation("record-payment", http.MethodPost, "/v1/payments", "Book a payment, or say what it would settle")
	record.Description = "It settles the invoices that are named, else those its reference names, else what is due first; the rest becomes credit of the tenant's account. " +
		"With a key it can be asked for again at any time: it is booked once."
	registerOnce(a, h, record, a.recordPayment)
	registerOnce(a, h, operation("reverse-payment", http.MethodPost, "/v1/payments/{ref}/reversal", "Take back a payment that a bank took back, or say what would be open again"), a.reversePayment)
	registerOnce(a, h, operation("apply-credit", http.MethodPost, "/v1/credit-uses", "Have credit of a tenant's account pay invoices, or say which"), a.applyCredit)
	register(a, h, operation("list-refunds", http.MethodGet, "/v1/refunds", "List what credit was paid back, the last first"), a.listRefunds)
	registerOnce(a, h, operation("refund-credit", http.MethodPost, "/v1/refunds", "Book that credit of a tenant's account was paid back, or say what would be left"), a.refundCredit)
	registerOnce(a, h, operation("credit-invoice", http.MethodPost, "/v1/invoices/{ref}/credit-notes", "Issue a credit note of an invoice, or say what it would be"), a.creditInvoice)
	registerOnce(a, h, operation("write-off-invoice", http.MethodPost, "/v1/invoices/{ref}/write-off", "Write off what an invoice has open, or say how much"), a.writeOffInvoice)
	register(a, h, operation("get-statement", http.MethodGet, "/v1/statements/{tenant}", "Read the statement of a tenant's account"), a.getStatement)
}

func (a *API) creditInvoice(ctx context.Context, in *struct {
	Ref string `path:"ref" doc:"The id or the number." example:"R-1"`
	RequestKey
	Body client.NoteOrder
}) (*struct{ Body client.CreditNote }, error) {
	o := in.Body
	n, err := a.o.Bills.CreditInvoice(ctx, billing.NoteOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Invoice: in.Ref, Full: o.Full, Line: o.Line, Amount: o.Amount, Reason: o.Reason, Test: o.Test, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	w, err := wire.Note(n)
	return &struct{ Body client.CreditNote }{w}, err
}

func (a *API) writeOffInvoice(ctx context.Context, in *struct {
	Ref string `path:"ref" doc:"The id or the number." example:"R-1"`
	RequestKey
	Body client.WriteOffOrder
}) (*struct{ Body client.WriteOff }, error) {
	o := in.Body
	x, err := a.o.Bills.WriteOffInvoice(ctx, billing.WriteOffOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Invoice: in.Ref, Reason: o.Reason, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	w, err := wire.WriteOff(x)
	return &struct{ Body client.WriteOff }{w}, err
}

func (a *API) getStatement(ctx context.Context, in *struct {
	TenantQuery
	From string `query:"from" doc:"A date of the customer's zone, or an instant; left away: from the first entry." example:"2026-01-01"`
	To   string `query:"to" doc:"A date, which is included, or an instant, which is not; left away: to the last." example:"2026-12-31"`
}) (*struct{ Body client.Statement }, error) {
	s, err := a.o.Bills.Statement(ctx, billing.StatementOrder{Tenant: in.Tenant, From: in.From, To: in.To})
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Statement }{wire.Statement(s)}, nil
}

func (a *API) listPayments(ctx context.Context, in *struct {
	Tenant  string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
	Invoice string `query:"invoice" doc:"For this invoice, number or id."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor  string `query:"cursor" doc:"next of an earlier page"`
}) (*struct{ Body client.PaymentPage }, error) {
	list, next, err := a.o.Bills.Payments(ctx, billing.PaymentFilter{Tenant: in.Tenant, Invoice: in.Invoice, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	items := make([]client.Payment, len(list))
	for i, p := range list {
		items[i] = wire.Payment(p)
	}
	return &struct{ Body client.PaymentPage }{client.PaymentPage{Items: items, Next: wire.Text(next)}}, nil
}

func (a *API) getPayment(ctx context.Context, in *PaymentQuery) (*struct{ Body client.Payment }, error) {
	p, err := a.o.Bills.Payment(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Payment }{wire.Payment(p)}, nil
}

func (a *API) recordPayment(ctx context.Context, in *struct {
	RequestKey
	Body client.PaymentOrder
}) (*struct{ Body client.PaymentBooked }, error) {
	o := in.Body
	b, err := a.o.Bills.RecordPayment(ctx, billing.PaymentOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Tenant: o.Tenant, Amount: money.New(o.Amount, money.Currency(o.Currency)), Fee: o.Fee, At: o.Date,
		Invoices: o.Invoices, Reference: o.Reference, Payer: o.Payer, Key: o.Key, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.PaymentBooked }{wire.PaymentBooked(b)}, nil
}

func (a *API) reversePayment(ctx context.Context, in *struct {
	PaymentQuery
	RequestKey
	Body client.ReversalOrder
}) (*struct{ Body client.PaymentReversed }, error) {
	o := in.Body
	r, err := a.o.Bills.ReversePayment(ctx, billing.ReverseOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Payment: in.Ref, At: o.Date, Fee: o.Fee, Reason: o.Reason, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.PaymentReversed }{wire.PaymentReversed(r)}, nil
}

func (a *API) applyCredit(ctx context.Context, in *struct {
	RequestKey
	Body client.CreditOrder
}) (*struct{ Body client.CreditUse }, error) {
	o := in.Body
	u, err := a.o.Bills.ApplyCredit(ctx, billing.CreditOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Tenant: o.Tenant, Invoices: o.Invoices, Amount: o.Amount, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.CreditUse }{wire.CreditUse(u)}, nil
}

func (a *API) listRefunds(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Of this tenant, id or slug; left away: of all."`
}) (*struct{ Body client.List[client.Refund] }, error) {
	list, err := a.o.Bills.Refunds(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	items := make([]client.Refund, len(list))
	for i, r := range list {
		items[i] = wire.Refund(r)
	}
	return listed(items), nil
}

func (a *API) refundCredit(ctx context.Context, in *struct {
	RequestKey
	Body client.RefundOrder
}) (*struct{ Body client.Refunded }, error) {
	o := in.Body
	r, err := a.o.Bills.RefundCredit(ctx, billing.RefundOrder{
		Rehearsal: billing.Rehearsal{DryRun: o.DryRun, Expect: o.Expect}, Tenant: o.Tenant, Amount: money.New(o.Amount, money.Currency(o.Currency)), At: o.Date, Reason: o.Reason,
		Key: o.Key, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Refunded }{wire.Refunded(r)}, nil
}
