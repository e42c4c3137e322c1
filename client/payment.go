package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Settlement is a part of an invoice that was settled; below zero it is open again.
type Settlement struct {
	Invoice string  `json:"invoice" doc:"Its id."`
	Number  string  `json:"number" example:"R-1"`
	Kind    string  `json:"kind" enum:"payment,credit,credit_note,write_off"`
	Source  *string `json:"source" doc:"The payment or the credit note; null for other kinds, and in a dry run."`
	Amount  int64   `json:"amount" doc:"Minor units; below zero: open again."`
	At      *Time   `json:"at" format:"date-time"`
	Actor   string  `json:"actor"`
}

// A Payment is money that a tenant sent, as a bank's statement has it.
type Payment struct {
	ID         string           `json:"id" example:"payment_0193a4c0d1e2738fa1b2c3d4e5f60718" doc:"Empty in a dry run."`
	Key        string           `json:"key" doc:"The bank's reference: it is booked once. Where none was said, the id."`
	Tenant     string           `json:"tenant" doc:"Its slug."`
	Zone       string           `json:"zone" example:"Europe/Berlin" doc:"Of the customer's days."`
	Currency   string           `json:"currency"`
	Amount     int64            `json:"amount" doc:"That the tenant sent, minor units."`
	Fee        int64            `json:"fee" doc:"Of it, what the bank kept."`
	PaidAt     Time             `json:"paid_at" format:"date-time"`
	Reference  string           `json:"reference" doc:"As the tenant wrote it."`
	Payer      string           `json:"payer"`
	RecordedAt Time             `json:"recorded_at" format:"date-time"`
	RecordedBy string           `json:"recorded_by"`
	Settled    []Settlement     `json:"settled" nullable:"false" doc:"What it settles, and what of that was taken back."`
	Carried    int64            `json:"carried" doc:"Of it, what went to an opening balance."`
	Credit     int64            `json:"credit" doc:"The rest, which became credit of the tenant's account."`
	Reversed   *PaymentReversal `json:"reversed" doc:"null: it stands."`
}

// A PaymentReversal is that a bank took a payment back.
type PaymentReversal struct {
	At         Time   `json:"at" format:"date-time"`
	Fee        int64  `json:"fee" doc:"Of the bank, beside the amount."`
	Reason     string `json:"reason"`
	RecordedAt Time   `json:"recorded_at" format:"date-time"`
	RecordedBy string `json:"recorded_by"`
}

// A PaymentPage is one page of a list of payments, the last recorded first.
type PaymentPage struct {
	Items []Payment `json:"items" nullable:"false"`
	Next  *string   `json:"next" doc:"The cursor of the next page; null on the last one."`
}

// A PaymentOrder is a payment to be booked.
type PaymentOrder struct {
	Tenant    string   `json:"tenant,omitempty" doc:"Slug or id; left away: whose invoices are named."`
	Currency  string   `json:"currency" example:"EUR"`
	Amount    int64    `json:"amount" doc:"Minor units, above zero."`
	Fee       int64    `json:"fee,omitempty" minimum:"0" doc:"Of it, what the bank kept."`
	Date      string   `json:"date,omitempty" example:"2026-05-08" doc:"When the bank had it: a date of the customer's zone, or an instant; left away: today."`
	Invoices  []string `json:"invoices,omitempty" doc:"Numbers or ids; left away: those that the reference names, else what is due first."`
	Reference string   `json:"reference,omitempty" doc:"As the tenant wrote it."`
	Payer     string   `json:"payer,omitempty"`
	Key       string   `json:"key,omitempty" doc:"The bank's reference: a payment of it is booked once."`
	DryRun    bool     `json:"dry_run,omitempty" doc:"Only say what would be settled."`
	Expect    string   `json:"expect,omitempty" doc:"The fingerprint of a dry run: where anything else would be done, nothing is."`
}

// A PaymentBooked is a payment that was booked, or would be.
type PaymentBooked struct {
	Payment     Payment `json:"payment"`
	Done        bool    `json:"done"`
	Again       bool    `json:"again" doc:"A payment of this key was booked before: this is it."`
	Fingerprint string  `json:"fingerprint"`
}

// A ReversalOrder says that a bank took a payment back.
type ReversalOrder struct {
	Reason string `json:"reason" doc:"Needed, and kept."`
	Date   string `json:"date,omitempty" doc:"Left away: today."`
	Fee    int64  `json:"fee,omitempty" minimum:"0" doc:"What the bank took for it, beside the amount."`
	DryRun bool   `json:"dry_run,omitempty" doc:"Only say what would be open again."`
	Expect string `json:"expect,omitempty" doc:"The fingerprint of a dry run."`
}

// A PaymentReversed is a payment that was reversed, or would be.
type PaymentReversed struct {
	Payment     Payment      `json:"payment"`
	Reopened    []Settlement `json:"reopened" nullable:"false" doc:"Below zero: what is open again; above: what other credit pays of it."`
	Done        bool         `json:"done"`
	Again       bool         `json:"again" doc:"It was reversed before."`
	Fingerprint string       `json:"fingerprint"`
}

// A CreditOrder says that credit of a tenant's account is to pay invoices.
type CreditOrder struct {
	Tenant   string   `json:"tenant" doc:"Slug or id."`
	Invoices []string `json:"invoices,omitempty" doc:"Numbers or ids; left away: all that are open, what is due first."`
	Amount   int64    `json:"amount,omitempty" minimum:"0" doc:"Minor units; left away: as much as there is."`
	DryRun   bool     `json:"dry_run,omitempty"`
	Expect   string   `json:"expect,omitempty" doc:"The fingerprint of a dry run."`
}

// A CreditUse is what credit paid, or would pay.
type CreditUse struct {
	Tenant      string       `json:"tenant"`
	Currency    string       `json:"currency"`
	Settled     []Settlement `json:"settled" nullable:"false"`
	Carried     int64        `json:"carried" doc:"What it paid of an opening balance."`
	Left        int64        `json:"left" doc:"Credit of the account after it."`
	Done        bool         `json:"done"`
	Fingerprint string       `json:"fingerprint"`
}

// A NoteOrder asks for a credit note of an invoice.
type NoteOrder struct {
	Full   bool   `json:"full,omitempty" doc:"All that is still charged: the invoice is void."`
	Line   int    `json:"line,omitempty" minimum:"0" doc:"A line, from 1; left away: an amount over all lines."`
	Amount int64  `json:"amount,omitempty" minimum:"0" doc:"Minor units, with tax; left away: the whole line."`
	Reason string `json:"reason" doc:"Needed: it is on the credit note."`
	DryRun bool   `json:"dry_run,omitempty" doc:"Only say what would be issued."`
	Test   bool   `json:"test_mode,omitempty" doc:"Issue nothing, and keep what would be issued as a test document, which takes no number of a series and has no entry in the journal."`
	Expect string `json:"expect,omitempty" doc:"The fingerprint of a dry run: where anything else would be done, nothing is."`
}

// A CreditNote is a credit note that was issued by hand, or would be.
type CreditNote struct {
	Note        Invoice      `json:"note"`
	Invoice     Invoice      `json:"invoice" doc:"As it is after it."`
	Settled     []Settlement `json:"settled" nullable:"false" doc:"Of the invoice."`
	Credit      int64        `json:"credit" doc:"The rest, which becomes credit of the tenant's account."`
	Done        bool         `json:"done"`
	Fingerprint string       `json:"fingerprint"`
}

// A WriteOffOrder says that what an invoice has open will not be paid.
type WriteOffOrder struct {
	Reason string `json:"reason" doc:"Needed, and kept."`
	DryRun bool   `json:"dry_run,omitempty"`
	Expect string `json:"expect,omitempty" doc:"The fingerprint of a dry run."`
}

// A WriteOff is what was, or would be, written off.
type WriteOff struct {
	Invoice     Invoice `json:"invoice" doc:"As it is after it."`
	Amount      int64   `json:"amount"`
	Done        bool    `json:"done"`
	Fingerprint string  `json:"fingerprint"`
}

// A Statement is how a tenant's account moved: what it owes less what it has to its
// credit.
type Statement struct {
	Tenant   string             `json:"tenant"`
	Zone     string             `json:"zone" doc:"Of the customer's days."`
	From     *Time              `json:"from" format:"date-time" doc:"null: from the first entry."`
	To       *Time              `json:"to" format:"date-time" doc:"Not included; null: to the last entry."`
	Accounts []StatementAccount `json:"accounts" nullable:"false" doc:"One for each currency."`
}

// A StatementAccount is a statement in one currency.
type StatementAccount struct {
	Currency string          `json:"currency"`
	Opening  int64           `json:"opening" doc:"Minor units; above zero: the tenant owes."`
	Closing  int64           `json:"closing"`
	Lines    []StatementLine `json:"lines" nullable:"false"`
}

// A StatementLine is an entry of the journal as it moves the account.
type StatementLine struct {
	Entry   string `json:"entry"`
	At      Time   `json:"at" format:"date-time"`
	Kind    string `json:"kind" example:"invoice"`
	Text    string `json:"text"`
	Amount  int64  `json:"amount" doc:"Above zero: owed."`
	Balance int64  `json:"balance" doc:"After it."`
}

// CreditInvoice issues a credit note of an invoice.
func (c *Client) CreditInvoice(ctx context.Context, invoice string, o NoteOrder) (n CreditNote, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/invoices/"+url.PathEscape(invoice)+"/credit-notes", nil, nil, o, &n)
	return n, err
}

// WriteOffInvoice writes off what an invoice has open.
func (c *Client) WriteOffInvoice(ctx context.Context, invoice string, o WriteOffOrder) (w WriteOff, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/invoices/"+url.PathEscape(invoice)+"/write-off", nil, nil, o, &w)
	return w, err
}

// Statement reads the statement of a tenant's account, between dates of the customer's
// zone, both included, or instants; empty ones are open.
func (c *Client) Statement(ctx context.Context, tenant, from, to string) (s Statement, err error) {
	q := url.Values{}
	set(q, "from", from)
	set(q, "to", to)
	_, err = c.call(ctx, http.MethodGet, "/v1/statements/"+url.PathEscape(tenant), q, nil, nil, &s)
	return s, err
}

// Payments lists the payments of a tenant or for an invoice, or all; limit 0 is 100.
func (c *Client) Payments(ctx context.Context, tenant, invoice string, limit int, cursor string) (p PaymentPage, err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	set(q, "invoice", invoice)
	set(q, "limit", number(int64(limit)))
	set(q, "cursor", cursor)
	_, err = c.call(ctx, http.MethodGet, "/v1/payments", q, nil, nil, &p)
	return p, err
}

// Payment reads the payment with this id or bank's reference.
func (c *Client) Payment(ctx context.Context, ref string) (p Payment, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/payments/"+url.PathEscape(ref), nil, nil, nil, &p)
	return p, err
}

// RecordPayment books a payment.
func (c *Client) RecordPayment(ctx context.Context, o PaymentOrder) (b PaymentBooked, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/payments", nil, nil, o, &b)
	return b, err
}

// ReversePayment takes a payment back.
func (c *Client) ReversePayment(ctx context.Context, ref string, o ReversalOrder) (r PaymentReversed, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/payments/"+url.PathEscape(ref)+"/reversal", nil, nil, o, &r)
	return r, err
}

// ApplyCredit has credit of a tenant's account pay invoices.
func (c *Client) ApplyCredit(ctx context.Context, o CreditOrder) (u CreditUse, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/credit-uses", nil, nil, o, &u)
	return u, err
}
