package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type invoiceCreditCommand struct {
	Invoice string `arg:"" help:"Its number or its id."`
	Full    bool   `help:"All that is still charged: the invoice is void."`
	Line    int    `placeholder:"N" help:"A line, from 1."`
	Amount  string `help:"So much, with tax: of the line, else over all lines."`
	Reason  string `required:"" help:"Why: it is on the credit note."`
	Test    bool   `name:"test-mode" help:"Issue nothing: keep what would be issued as a test document, to be looked at."`
	rehearsal
}

// Run issues a credit note.
func (c *invoiceCreditCommand) Run(ctx context.Context, r *runner) error {
	o := client.NoteOrder{Full: c.Full, Line: c.Line, Reason: c.Reason}
	if c.Amount != "" {
		i, err := fetch(ctx, r, func(cl *client.Client) (client.Invoice, error) { return cl.Invoice(ctx, c.Invoice) })
		if err != nil {
			return err
		}
		if o.Amount, err = amountOf(c.Amount, i.Currency); err != nil {
			return err
		}
		if o.Amount <= 0 {
			return usage{errors.New("--amount is more than nothing")}
		}
	}
	if o.Test = c.Test; !o.Test {
		return r.credit(ctx, c.Invoice, o, c.rehearsal)
	}
	if o.DryRun = c.DryRun; o.DryRun {
		return usage{errors.New("a credit note is dry or in test mode, not both: in test mode it issues nothing either")}
	}
	n, err := put(ctx, r, func(cl *client.Client) (client.CreditNote, error) { return cl.CreditInvoice(ctx, c.Invoice, o) })
	if err != nil || r.json {
		return err
	}
	return r.showNote(n)
}

type invoiceVoidCommand struct {
	Invoice string `arg:"" help:"Its number or its id."`
	Reason  string `required:"" help:"Why: it is on the credit note."`
	rehearsal
}

// Run credits an invoice in full.
func (c *invoiceVoidCommand) Run(ctx context.Context, r *runner) error {
	return r.credit(ctx, c.Invoice, client.NoteOrder{Full: true, Reason: c.Reason}, c.rehearsal)
}

func (r *runner) credit(ctx context.Context, invoice string, o client.NoteOrder, f rehearsal) error {
	return rehearse(ctx, r, f, "Issue the credit note? It never changes.", func(cl *client.Client, dry bool, expect string) (client.CreditNote, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.CreditInvoice(ctx, invoice, o)
	}, func(n client.CreditNote) string { return n.Fingerprint }, r.showNote)
}

func (r *runner) showNote(n client.CreditNote) error {
	amount := func(minor int64) string { return money.New(minor, money.Currency(n.Invoice.Currency)).String() }
	switch {
	case n.Note.State == string(billing.InvoiceTest):
		r.say("Test document %s, a credit note for %s of %s: %s, of which tax %s. Nothing was issued. Look at it: arcadia invoice pdf %[1]s\n", *n.Note.Number, *n.Invoice.Number, n.Invoice.Tenant, amount(n.Note.Total), amount(n.Note.Document.TaxTotal))
	case n.Done:
		r.say("Credit note %s for %s of %s: %s, of which tax %s.\n", *n.Note.Number, *n.Invoice.Number, n.Invoice.Tenant, amount(n.Note.Total), amount(n.Note.Document.TaxTotal))
	default:
		r.say("A credit note for %s of %s would be issued: %s, of which tax %s.\n", *n.Invoice.Number, n.Invoice.Tenant, amount(n.Note.Total), amount(n.Note.Document.TaxTotal))
	}
	rows := [][]string{}
	for _, l := range n.Note.Document.Lines {
		rows = append(rows, []string{l.Charge, period.DaysIn(l.Service.From.Time, l.Service.To.Time, n.Note.Zone), amount(l.Tax), amount(l.Amount)})
	}
	if err := table(r.Out, "CHARGE|SERVICE|TAX|AMOUNT", rows); err != nil {
		return err
	}
	r.say("")
	for _, x := range n.Settled {
		r.say("%s go off what %s has open.", amount(x.Amount), x.Number)
	}
	if n.Credit > 0 {
		r.say("%s become credit of the account: later invoices use it.", amount(n.Credit))
	}
	r.say("%s is then %s, with %s open.", *n.Invoice.Number, strings.ReplaceAll(n.Invoice.State, "_", " "), amount(n.Invoice.Open))
	return nil
}

type invoiceWriteOffCommand struct {
	Invoice string `arg:"" help:"Its number or its id."`
	Reason  string `required:"" help:"Why: it is kept."`
	rehearsal
}

// Run writes an invoice off.
func (c *invoiceWriteOffCommand) Run(ctx context.Context, r *runner) error {
	o := client.WriteOffOrder{Reason: c.Reason}
	return rehearse(ctx, r, c.rehearsal, "Write it off?", func(cl *client.Client, dry bool, expect string) (client.WriteOff, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.WriteOffInvoice(ctx, c.Invoice, o)
	}, func(w client.WriteOff) string { return w.Fingerprint }, func(w client.WriteOff) error {
		verb := "are"
		if !w.Done {
			verb = "would be"
		}
		r.say("%s of %s of %s %s written off as bad debt.", money.New(w.Amount, money.Currency(w.Invoice.Currency)), *w.Invoice.Number, w.Invoice.Tenant, verb)
		return nil
	})
}

type statementCommand struct {
	tenantRef
	From string `placeholder:"DAY" help:"Like 2026-01-01; left away: from the first entry."`
	To   string `placeholder:"DAY" help:"Included; left away: to the last."`
	CSV  bool   `name:"csv" help:"Print CSV."`
}

// Run shows a statement of account.
func (c *statementCommand) Run(ctx context.Context, r *runner) error {
	s, err := fetch(ctx, r, func(cl *client.Client) (client.Statement, error) { return cl.Statement(ctx, c.Tenant, c.From, c.To) })
	switch {
	case err != nil:
		return err
	case c.CSV:
		return r.statementCSV(s)
	case r.json:
		return r.print(s)
	case len(s.Accounts) == 0:
		r.say("Nothing was invoiced to %s yet, and nothing paid.", s.Tenant)
		return nil
	}
	for n, a := range s.Accounts {
		if n > 0 {
			r.say("")
		}
		amount := func(minor int64) string { return money.New(minor, money.Currency(a.Currency)).Decimal() }
		rows := [][]string{{"", "opening balance", "", amount(a.Opening)}}
		for _, l := range a.Lines {
			rows = append(rows, []string{period.DayIn(l.At.Time, s.Zone), strings.ReplaceAll(l.Text, "_", " "), amount(l.Amount), amount(l.Balance)})
		}
		rows = append(rows, []string{"", "closing balance", "", amount(a.Closing)})
		if err := table(r.Out, "DAY|ENTRY|"+a.Currency+"|BALANCE", rows); err != nil {
			return err
		}
		switch closing := money.New(max(a.Closing, -a.Closing), money.Currency(a.Currency)); {
		case a.Closing > 0:
			r.say("\n%s owes %s.", s.Tenant, closing)
		case a.Closing < 0:
			r.say("\n%s has %s to its credit.", s.Tenant, closing)
		default:
			r.say("\n%s owes nothing.", s.Tenant)
		}
	}
	return nil
}

// statementCSV writes a statement for a spreadsheet.
func (r *runner) statementCSV(s client.Statement) error {
	w := csv.NewWriter(r.Out)
	rows := [][]string{{"tenant", "currency", "at", "kind", "text", "entry", "amount", "balance"}}
	for _, a := range s.Accounts {
		amount := func(minor int64) string { return money.New(minor, money.Currency(a.Currency)).Decimal() }
		rows = append(rows, []string{s.Tenant, a.Currency, "", "opening", "", "", "", amount(a.Opening)})
		for _, l := range a.Lines {
			rows = append(rows, []string{s.Tenant, a.Currency, fmt.Sprint(l.At), l.Kind, wire.SafeCell(l.Text), l.Entry, amount(l.Amount), amount(l.Balance)})
		}
		rows = append(rows, []string{s.Tenant, a.Currency, "", "closing", "", "", "", amount(a.Closing)})
	}
	return w.WriteAll(rows)
}
