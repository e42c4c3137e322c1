package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// An Invoice is a document as it was issued: an invoice or a credit note. It never
// changes but for its state.
type Invoice struct {
	ID           string          `json:"id" example:"inv_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Number       *string         `json:"number" example:"R-1" doc:"As it is written on the document; null in a dry run."`
	Tenant       string          `json:"tenant" doc:"Its slug."`
	Zone         string          `json:"zone" example:"Europe/Berlin" doc:"Of the customer's days."`
	Subscription string          `json:"subscription"`
	Purpose      string          `json:"purpose" enum:"advance,arrears,credit_note"`
	State        string          `json:"state" enum:"due,draft,test,issued,partially_paid,paid,void,uncollectible" doc:"due: of a dry run; draft: it waits for its issue; test: it was issued in test mode, and nobody owes it."`
	IssueAt      Time            `json:"issue_at" format:"date-time" doc:"When it was to be issued."`
	IssuedAt     *Time           `json:"issued_at" format:"date-time"`
	IssuedBy     string          `json:"issued_by"`
	DueAt        *Time           `json:"due_at" format:"date-time" doc:"By when it is to be paid."`
	Currency     string          `json:"currency"`
	Total        int64           `json:"total" doc:"Minor units, with tax."`
	Due          int64           `json:"due" doc:"Minor units."`
	Open         int64           `json:"open" doc:"Of what is due, what was not settled yet."`
	Hash         string          `json:"hash" doc:"Of the document, its number, and all before it in its series; empty of a test document."`
	Document     Document        `json:"document"`
	Parties      json.RawMessage `json:"parties" doc:"Issuer and customer as they were at the issue, and under originals the numbers of the invoices of which lines take something back; null in a dry run."`
}

// An InvoicePage is one page of a list of documents.
type InvoicePage struct {
	Items []Invoice `json:"items" nullable:"false"`
	Next  *string   `json:"next" doc:"The cursor of the next page; null on the last one."`
}

// An InvoiceExplanation says how the lines of a document came about.
type InvoiceExplanation struct {
	ID       string          `json:"id"`
	Number   string          `json:"number" example:"R-1"`
	Tenant   string          `json:"tenant" doc:"Its slug."`
	Zone     string          `json:"zone" doc:"Of the customer's days."`
	Currency string          `json:"currency"`
	Lines    []ExplainedLine `json:"lines" nullable:"false"`
}

// An ExplainedLine is a line with what it rests on: its explain is as it was issued,
// events and lifetimes are as they are known now.
type ExplainedLine struct {
	Line int `json:"line" doc:"Its place in the document, from 1."`
	DocumentLine
	Events      []UsageEvent `json:"events" nullable:"false" doc:"That its explain names."`
	OtherEvents int64        `json:"other_events" doc:"How many more count in it."`
	Lifetimes   []Lifetime   `json:"lifetimes" nullable:"false" doc:"Of the resources that its explain names, during the service."`
}

// A BillingRunOrder asks for a billing run.
type BillingRunOrder struct {
	Tenant string `json:"tenant,omitempty" doc:"Only of this tenant, id or slug."`
	UpTo   *Time  `json:"up_to,omitempty" format:"date-time" doc:"What is due by then; left away: a minute ago."`
	DryRun bool   `json:"dry_run,omitempty" doc:"Only say what would be issued."`
	Expect string `json:"expect,omitempty" doc:"The fingerprint of a dry run: where anything else would be issued, nothing is."`
	Test   bool   `json:"test_mode,omitempty" doc:"Issue nothing, and keep what would be issued as test documents, which take no number of a series and have no entry in the journal."`
}

// A BillingRun is what a billing run issued, or would issue.
type BillingRun struct {
	UpTo        Time             `json:"up_to" format:"date-time"`
	Done        bool             `json:"done"`
	Test        bool             `json:"test_mode" doc:"What it issued are test documents."`
	Fingerprint string           `json:"fingerprint"`
	Issued      []Invoice        `json:"issued" nullable:"false"`
	Failed      []BillingFailure `json:"failed" nullable:"false" doc:"Subscriptions that were not billed; the others were."`
	Warnings    []BillingWarning `json:"warnings" nullable:"false" doc:"What bills leave out. It stops nothing."`
}

// A BillingWarning is what somebody should know of bills.
type BillingWarning struct {
	Tenant       string  `json:"tenant"`
	Subscription *string `json:"subscription" doc:"null: of all its subscriptions together."`
	What         string  `json:"what" doc:"A sentence."`
}

// A BillingFailure is a subscription that was not billed.
type BillingFailure struct {
	Subscription string `json:"subscription"`
	Tenant       string `json:"tenant"`
	Why          string `json:"why"`
}

// A BillingCheck is what was looked at, and what is wrong.
type BillingCheck struct {
	Name  string   `json:"name"`
	Count int64    `json:"count"`
	Wrong []string `json:"wrong" nullable:"false"`

	Warnings []BillingWarning `json:"warnings" nullable:"false" doc:"What is no fault, and somebody should know of."`
}

// An InvoiceQuery says which documents to list, and how; empty fields say nothing.
type InvoiceQuery struct {
	Tenant   string // slug or id
	State    string // open, overdue, issued, partially_paid, paid, credited, void or uncollectible
	Month    string // of issue, in UTC, like 2026-10
	Currency string
	Sort     string // issued, due, total, open or number, with - before it for the greatest first; the last issued first
	Limit    int    // of a page, 1 to 1000; 0 is 100
	Cursor   string // next of an earlier page
}

// Invoices lists documents that were issued.
func (c *Client) Invoices(ctx context.Context, of InvoiceQuery) (p InvoicePage, err error) {
	q := url.Values{}
	set(q, "tenant", of.Tenant)
	set(q, "state", of.State)
	set(q, "month", of.Month)
	set(q, "currency", of.Currency)
	set(q, "sort", of.Sort)
	set(q, "limit", number(int64(of.Limit)))
	set(q, "cursor", of.Cursor)
	_, err = c.call(ctx, http.MethodGet, "/v1/invoices", q, nil, nil, &p)
	return p, err
}

// Invoice reads the document with this id or number.
func (c *Client) Invoice(ctx context.Context, ref string) (i Invoice, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/invoices/"+url.PathEscape(ref), nil, nil, nil, &i)
	return i, err
}

// TestInvoices lists the documents of a tenant, or all, that were issued in test mode.
func (c *Client) TestInvoices(ctx context.Context, tenant string) (list List[Invoice], err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodGet, "/v1/test-invoices", q, nil, nil, &list)
	return list, err
}

// TestInvoicesDeleted is how many test documents were deleted.
type TestInvoicesDeleted struct {
	Deleted int64 `json:"deleted"`
}

// DeleteTestInvoices deletes the test documents of a tenant, or all.
func (c *Client) DeleteTestInvoices(ctx context.Context, tenant string) (d TestInvoicesDeleted, err error) {
	q := url.Values{}
	set(q, "tenant", tenant)
	_, err = c.call(ctx, http.MethodDelete, "/v1/test-invoices", q, nil, nil, &d)
	return d, err
}

// InvoiceFile reads a document as its receiver sees it; form is pdf, html or csv.
func (c *Client) InvoiceFile(ctx context.Context, ref, form string) ([]byte, error) {
	accept := http.Header{"Accept": {map[string]string{"pdf": "application/pdf", "html": "text/html", "csv": "text/csv"}[form] + ", application/problem+json"}}
	res, err := c.send(ctx, http.MethodGet, "/v1/invoices/"+url.PathEscape(ref)+"."+form, nil, accept, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	file, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return file, nil
}

// ExplainInvoice says how a line of a document came about, line 0: all of them.
func (c *Client) ExplainInvoice(ctx context.Context, ref string, line int) (e InvoiceExplanation, err error) {
	q := url.Values{}
	set(q, "line", number(int64(line)))
	_, err = c.call(ctx, http.MethodGet, "/v1/invoices/"+url.PathEscape(ref)+"/explanation", q, nil, nil, &e)
	return e, err
}

// RunBilling issues what is due.
func (c *Client) RunBilling(ctx context.Context, o BillingRunOrder) (run BillingRun, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/billing-runs", nil, nil, o, &run)
	return run, err
}

// VerifyBilling checks what was issued.
func (c *Client) VerifyBilling(ctx context.Context) (list List[BillingCheck], err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/billing-checks", nil, nil, nil, &list)
	return list, err
}
