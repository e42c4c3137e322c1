package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type invoiceCommand struct {
	List invoiceListCommand `cmd:"" help:"List invoices and credit notes, the last issued first unless sorted otherwise."`
	Show invoiceShowCommand `cmd:"" help:"Show an invoice or a credit note."`

	Explain invoiceExplainCommand `cmd:"" help:"Say how a document's lines came about, down to events and resources."`
	PDF     invoicePDFCommand     `cmd:"" name:"pdf" help:"Write a document as its receiver sees it, as a PDF."`
	HTML    invoiceHTMLCommand    `cmd:"" name:"html" help:"The same as a page that needs nothing else."`
	CSV     invoiceCSVCommand     `cmd:"" name:"csv" help:"Its lines, discounts and taxes as a table."`

	DeleteTests invoiceDeleteTestsCommand `cmd:"" name:"delete-tests" help:"Delete what billing runs in test mode issued."`

	Credit   invoiceCreditCommand   `cmd:"" help:"Issue a credit note of an invoice; it is shown first."`
	Void     invoiceVoidCommand     `cmd:"" help:"Credit all that an invoice still charges; its number stays."`
	WriteOff invoiceWriteOffCommand `cmd:"" name:"write-off" help:"Book what an invoice has open as bad debt."`
}

type invoiceListCommand struct {
	Tenant string `arg:"" optional:"" help:"Only this tenant's."`
	Open   bool   `xor:"state" help:"Only those of which something is open."`
	State  string `xor:"state" placeholder:"STATE" help:"Only those with which it stands so: open, overdue, issued, partially_paid, paid, credited (credit notes), void or uncollectible."`
	Month  string `placeholder:"2026-10" help:"Only those that were issued in this month, in UTC."`
	Sort   string `placeholder:"ORDER" help:"By issued, due, total, open or number; with - before it the greatest first, as --sort=-total."`
	Limit  int    `default:"100" help:"How many, 1 to 1000."`
	Cursor string `placeholder:"NEXT" help:"Where the page before ended."`
	Drafts bool   `xor:"which" help:"Those that wait to be issued, instead of those that were."`
	Test   bool   `xor:"which" help:"Those that were issued in test mode, instead."`

	Currency string `placeholder:"CODE" help:"Only those in this currency."`
}

// Run lists documents.
func (c *invoiceListCommand) Run(ctx context.Context, r *runner) error {
	narrowed := c.Open || c.State != "" || c.Month != "" || c.Currency != ""
	if (c.Drafts || c.Test) && (narrowed || c.Sort != "") {
		return usage{errors.New("--drafts and --test list all of them: leave --open, --state, --month, --currency and --sort away")}
	}
	if c.Drafts {
		return r.listDrafts(ctx, c.Tenant)
	}
	if c.Test {
		return r.listTests(ctx, c.Tenant)
	}
	if c.Limit < 1 || c.Limit > 1000 {
		return usage{fmt.Errorf("--limit must be 1 to 1000, not %d", c.Limit)}
	}
	page, err := fetch(ctx, r, func(cl *client.Client) (client.InvoicePage, error) {
		q := client.InvoiceQuery{Tenant: c.Tenant, State: c.State, Month: c.Month, Currency: c.Currency, Sort: c.Sort, Limit: c.Limit, Cursor: c.Cursor}
		if c.Open {
			q.State = "open"
		}
		return cl.Invoices(ctx, q)
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(page)
	case len(page.Items) == 0 && c.Open:
		r.say("Nothing is open.")
		return nil
	case len(page.Items) == 0 && (narrowed || c.Tenant != ""):
		r.say("No document is like that. All of them: arcadia invoice list")
		return nil
	case len(page.Items) == 0:
		r.say("No invoice was issued yet. Issue what is due with: arcadia billing run")
		return nil
	}
	if err := r.invoiceTable(page.Items); err != nil {
		return err
	}
	if page.Next != nil {
		r.say("\nThere are more: --cursor %s", *page.Next)
	}
	return nil
}

func (r *runner) listTests(ctx context.Context, tenant string) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Invoice], error) { return cl.TestInvoices(ctx, tenant) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(list)
	case len(list.Items) == 0:
		r.say("There are no test documents. Make some with: arcadia billing run --test-mode")
		return nil
	}
	return r.invoiceTable(list.Items)
}

type invoiceDeleteTestsCommand struct {
	Tenant string `arg:"" optional:"" help:"Only this tenant's."`
}

// Run deletes test documents. It does not ask: the next run in test mode makes them again.
func (c *invoiceDeleteTestsCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var got client.TestInvoicesDeleted
	err = s.write(ctx, func(cl *client.Client) (err error) {
		got, err = cl.DeleteTestInvoices(ctx, c.Tenant)
		return err
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(got)
	}
	r.say("%s deleted.", plural(int(got.Deleted), "test document"))
	return nil
}

func (r *runner) listDrafts(ctx context.Context, tenant string) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Invoice], error) { return cl.InvoiceDrafts(ctx, tenant) })
	if err != nil {
		return err
	}
	return listing(r, list, list.Items, "Nothing waits to be issued. Documents in arrears wait from the end of their period to the end of its grace.",
		"ISSUE|TENANT|DOCUMENT|PERIOD|LINES|TOTAL|DUE", func(i client.Invoice) []string {
			row := documentRow(i.Document, i.Zone)
			return append([]string{row[0], i.Tenant}, row[1:]...)
		})
}

type billingRunsCommand struct {
	Limit int `default:"20" help:"How many, 1 to 1000."`
}

// Run lists runs on the clock.
func (c *billingRunsCommand) Run(ctx context.Context, r *runner) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usage{fmt.Errorf("--limit must be 1 to 1000, not %d", c.Limit)}
	}
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.BillingProgress], error) {
		return cl.BillingRuns(ctx, c.Limit)
	})
	if err != nil {
		return err
	}
	err = listing(r, list, list.Items, "No run on the clock has come to anything yet.", "BEGUN (UTC)|DONE|ISSUED|DRAFTED|NOT BILLED|ENDED (UTC)", func(p client.BillingProgress) []string {
		ended := "–"
		if p.EndedAt != nil {
			ended = p.EndedAt.UTC().Format("2006-01-02 15:04:05")
		}
		return []string{p.BegunAt.UTC().Format("2006-01-02 15:04:05"), fmt.Sprintf("%d of %d", p.Done, p.Subscriptions), fmt.Sprint(p.Issued), fmt.Sprint(p.Drafted),
			fmt.Sprint(len(p.Failed)), ended}
	})
	if err != nil || r.json || len(list.Items) == 0 {
		return err
	}
	last := list.Items[0]
	for _, f := range last.Failed {
		r.say("%s of %s was not billed: %s", f.Subscription, f.Tenant, f.Why)
	}
	r.billingWarnings(last.Warnings)
	return nil
}

func (r *runner) invoiceTable(items []client.Invoice) error {
	rows := [][]string{}
	for _, i := range items {
		number, due := "–", "–"
		if i.Number != nil {
			number = *i.Number
		}
		if i.DueAt != nil && i.Purpose != "credit_note" {
			due = period.DayIn(i.DueAt.Time, i.Zone)
		}
		open := "–"
		if i.Open != 0 {
			open = money.New(i.Open, money.Currency(i.Currency)).Decimal()
		}
		rows = append(rows, []string{number, i.Tenant, strings.TrimPrefix(purposeText(i.Purpose), "invoice "), period.DaysIn(i.Document.Period.From.Time, i.Document.Period.To.Time, i.Zone),
			standingText(i, time.Now()), money.New(i.Total, money.Currency(i.Currency)).String(), open, due})
	}
	return table(r.Out, "NUMBER|TENANT|DOCUMENT|PERIOD|STATE|TOTAL|OPEN|DUE ON", rows)
}

// standingText is how it stands with a document, in the words of --state and of the pages:
// what was to be paid by now is overdue, also where some of it was paid.
func standingText(i client.Invoice, now time.Time) string {
	switch {
	case i.State == "issued" && i.Purpose == "credit_note":
		return "credited"
	case i.State != "test" && i.Open > 0 && i.DueAt != nil && i.DueAt.Before(now):
		return "overdue"
	}
	return strings.ReplaceAll(i.State, "_", " ")
}

type invoiceShowCommand struct {
	Invoice string `arg:"" help:"Its number or its id."`
}

// Run shows a document.
func (c *invoiceShowCommand) Run(ctx context.Context, r *runner) error {
	i, err := fetch(ctx, r, func(cl *client.Client) (client.Invoice, error) { return cl.Invoice(ctx, c.Invoice) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(i)
	}
	return r.showInvoice(i)
}

func (r *runner) showInvoice(i client.Invoice) error {
	d := i.Document
	amount := func(minor int64) string { return money.New(minor, money.Currency(d.Currency)).Decimal() }
	r.say("%s, %s for %s: %s", *i.Number, purposeText(i.Purpose), i.Tenant, standingText(i, time.Now()))
	r.say("%s", penFor(r.Out).in(wire.Dim, i.ID+" · "+i.Subscription))
	switch {
	case d.Credits != nil:
		r.say("Issued %s by %s. It credits %s: %s\n", clockIn(*i.IssuedAt, i.Zone), i.IssuedBy, d.Credits.Invoice, d.Credits.Reason)
	case i.Purpose == "credit_note":
		r.say("Issued %s by %s.\n", clockIn(*i.IssuedAt, i.Zone), i.IssuedBy)
	default:
		r.say("Issued %s by %s, due by %s.\n", clockIn(*i.IssuedAt, i.Zone), i.IssuedBy, period.DayIn(i.DueAt.Time, i.Zone))
	}
	rows := [][]string{}
	for _, l := range d.Lines {
		name := l.Charge
		if l.Kind != "charge" {
			name += ", " + l.Kind
		}
		price := "–"
		if l.UnitPrice != nil {
			price = *l.UnitPrice
		}
		rows = append(rows, []string{name, l.Plan, period.DaysIn(l.Service.From.Time, l.Service.To.Time, i.Zone), l.Quantity, price,
			amount(l.Tax), amount(l.Amount)})
	}
	if err := table(r.Out, "CHARGE|PLAN|SERVICE|QUANTITY|UNIT PRICE|TAX|AMOUNT", rows); err != nil {
		return err
	}
	r.say("")
	sums := [][2]string{{"Subtotal", amount(d.Subtotal)}}
	for _, x := range d.Discounts {
		sums = append(sums, [2]string{"Coupon " + x.Coupon, "-" + amount(x.Amount)})
	}
	for _, t := range d.Taxes {
		sums = append(sums, [2]string{fmt.Sprintf("%s %s %% on %s", t.ID, t.Rate, amount(t.Base)), amount(t.Amount)})
	}
	sums = append(sums, [2]string{"Total " + d.Currency, amount(d.Total)})
	if d.CreditApplied > 0 {
		sums = append(sums, [2]string{"Paid by credit", "-" + amount(d.CreditApplied)})
	}
	sums = append(sums, [2]string{"Due", amount(d.Due)})
	if i.Open != d.Due {
		sums = append(sums, [2]string{"Settled", "-" + amount(d.Due-i.Open)}, [2]string{"Open", amount(i.Open)})
	}
	for _, s := range sums {
		r.say("%-40s %14s", s[0], s[1])
	}
	return nil
}

type billingRunCommand struct {
	Tenant string `arg:"" optional:"" help:"Only this tenant."`
	UpTo   string `placeholder:"TIME" help:"What is due by then, like 2026-02-01T00:00:00Z; left away: a minute ago."`
	DryRun bool   `short:"n" xor:"how" help:"Only show what would be issued."`
	Test   bool   `name:"test-mode" xor:"how" help:"Issue nothing: keep what would be issued as test documents, without numbers of a series or entries in the journal."`
	Yes    bool   `short:"y" help:"Do not ask."`
}

// Run shows what is due, asks, and issues what was shown.
func (c *billingRunCommand) Run(ctx context.Context, r *runner) (err error) {
	o := client.BillingRunOrder{Tenant: c.Tenant, DryRun: true}
	if c.UpTo != "" {
		at, err := time.Parse(time.RFC3339Nano, c.UpTo)
		if err != nil {
			return usage{fmt.Errorf("--up-to is a time like 2026-02-01T00:00:00Z, not %q", c.UpTo)}
		}
		o.UpTo = &client.Time{Time: at}
	}
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var run client.BillingRun
	ask := func(cl *client.Client) (err error) {
		run, err = cl.RunBilling(ctx, o)
		return err
	}
	if c.Test {
		o.DryRun, o.Test = false, true
		err = s.write(ctx, ask)
	} else {
		err = s.read(ctx, ask)
	}
	if err != nil {
		return err
	}
	if !c.DryRun && !c.Test && len(run.Issued) > 0 {
		if !r.json && !c.Yes {
			if err := r.invoiceTable(run.Issued); err != nil {
				return err
			}
		}
		if err := r.confirm(c.Yes, "Issue %s? Issued documents never change.", plural(len(run.Issued), "document")); err != nil {
			return err
		}
		upTo := run.UpTo
		o.DryRun, o.Expect, o.UpTo = false, run.Fingerprint, &upTo
		if err := s.write(ctx, ask); err != nil {
			return err
		}
	}
	if r.json {
		err = r.print(run)
	} else {
		err = r.showRun(run)
	}
	if err == nil && len(run.Failed) > 0 {
		err = exit(exitFailed)
	}
	return err
}

func (r *runner) showRun(run client.BillingRun) error {
	upTo := run.UpTo.UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case len(run.Issued) == 0:
		r.say("Nothing is due by %s that was not issued.", upTo)
	default:
		if err := r.invoiceTable(run.Issued); err != nil {
			return err
		}
		verb := "issued"
		switch {
		case run.Test:
			verb = "issued in test mode: no number was taken and nothing was booked"
		case !run.Done:
			verb = "to be issued"
		}
		r.say("\n%s %s, due by %s.", plural(len(run.Issued), "document"), verb, upTo)
	}
	for _, f := range run.Failed {
		r.say("%s of %s was not billed: %s", f.Subscription, f.Tenant, f.Why)
	}
	r.billingWarnings(run.Warnings)
	return nil
}

func (r *runner) billingWarnings(list []client.BillingWarning) {
	p := penFor(r.Out)
	for _, w := range list {
		of := w.Tenant
		if w.Subscription != nil {
			of += ", " + *w.Subscription
		}
		r.say("%s %s: %s", p.in(wire.Attention, "!"), of, w.What)
	}
}

type billingVerifyCommand struct{}

// Run checks what was issued; it fails where something is wrong.
func (*billingVerifyCommand) Run(ctx context.Context, r *runner) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.BillingCheck], error) { return cl.VerifyBilling(ctx) })
	if err != nil {
		return err
	}
	wrong := 0
	for _, c := range list.Items {
		wrong += len(c.Wrong)
	}
	if r.json {
		err = r.print(list)
	} else {
		p := penFor(r.Out)
		for _, c := range list.Items {
			mark := p.in(wire.Good, "✓")
			if len(c.Wrong) > 0 {
				mark = p.in(wire.Bad, "✗")
			}
			r.say("%s %s: %d", mark, c.Name, c.Count)
			if len(c.Wrong) > 0 {
				r.say("    %s", strings.Join(c.Wrong, "\n    "))
			}
			r.billingWarnings(c.Warnings)
		}
	}
	if err == nil && wrong > 0 {
		err = exit(exitFailed)
	}
	return err
}
