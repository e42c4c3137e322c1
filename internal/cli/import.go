package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// An importCommand imports what its place among the commands says: "customer import",
// "customer balances" or "subscription import".
type importCommand struct {
	File string `arg:"" help:"A CSV file whose first line names the columns, or - for standard input."`
	rehearsal
}

// Run imports a file, all of it or nothing.
func (c *importCommand) Run(ctx context.Context, r *runner, k *kong.Context) error {
	text, err := r.readFile(c.File)
	if err != nil {
		return err
	}
	i := client.BillingImport{Kind: "customers", CSV: string(text)}
	switch at := k.Selected(); {
	case at.Name == "balances":
		i.Kind = "balances"
	case at.Parent.Name == "subscription":
		i.Kind = "subscriptions"
	}
	refused := false
	err = rehearse(ctx, r, c.rehearsal, "Import it so?", func(cl *client.Client, dry bool, expect string) (client.BillingImported, error) {
		i.DryRun, i.Expect = dry, expect
		done, err := cl.ImportBilling(ctx, i)
		refused = done.Refused > 0
		return done, err
	}, func(done client.BillingImported) string {
		if done.Added+done.Changed == 0 {
			return "" // nothing to ask for
		}
		return done.Fingerprint
	}, r.showBillingImport)
	if err == nil && refused {
		err = exit(exitFailed)
	}
	return err
}

func (r *runner) showBillingImport(done client.BillingImported) error {
	rows := [][]string{}
	for _, l := range done.Items {
		amount := "–"
		if l.Amount != nil {
			amount = money.New(l.Amount.Amount, money.Currency(l.Amount.Currency)).String()
		}
		rows = append(rows, []string{fmt.Sprint(l.Line), l.Name, l.Action, amount, orDash(l.What + problemsText(l.Problems))})
	}
	if len(rows) == 0 {
		r.say("There is nothing to import.")
		return nil
	}
	if err := table(r.Out, "LINE|NAME|ACTION|AMOUNT|WHAT", rows); err != nil {
		return err
	}
	sum := fmt.Sprintf("%d added, %d changed, %d unchanged, %d refused", done.Added, done.Changed, done.Unchanged, done.Refused)
	for _, t := range done.Totals {
		sum += "; " + money.New(t.Amount, money.Currency(t.Currency)).String() + map[string]string{"balances": " are owed", "subscriptions": " are billed first"}[done.Kind]
	}
	switch {
	case done.Done:
		r.say("\n%s.", sum)
	case done.Refused > 0:
		r.say("\nNothing was imported: %s. Correct what was refused.", sum)
	case done.Added+done.Changed == 0:
		r.say("\nAll of it is there already: %s.", sum)
	default:
		r.say("\nNothing was imported yet: %s.", sum)
	}
	return nil
}

// problemsText says what is wrong with a line, by columns.
func problemsText(list []client.FileProblem) string {
	var all []string
	for _, p := range list {
		if p.Column != "" {
			p.Why = p.Column + ": " + p.Why
		}
		all = append(all, p.Why)
	}
	return strings.Join(all, " ")
}

type paymentImportCommand struct {
	File         string            `arg:"" help:"The bank's statement as CSV, or - for standard input."`
	Column       map[string]string `placeholder:"NAME=HEADING" mapsep:"none" help:"What the file calls a column, as in --column amount=Betrag; once for each of date, amount, currency, reference, payer, bank_ref, tenant, invoice, fee."`
	Currency     string            `help:"Of all lines, where the file has no column of it."`
	DecimalComma bool              `help:"Amounts are written like 1.234,56."`
	Dates        string            `default:"YYYY-MM-DD" enum:"YYYY-MM-DD,DD.MM.YYYY,DD/MM/YYYY,MM/DD/YYYY" help:"How dates are written: ${enum}."`
	rehearsal
}

// Help is the longer text of the command.
func (*paymentImportCommand) Help() string {
	return "Lines that name invoices of one tenant are booked, and those that name the tenant, or its legal name with what just one of its invoices has open. All others are left and " +
		"shown with what they could be: book them with arcadia payment record --bank-ref. A line is booked once, so that the file can be imported again."
}

// Run imports a bank's statement.
func (c *paymentImportCommand) Run(ctx context.Context, r *runner) error {
	text, err := r.readFile(c.File)
	if err != nil {
		return err
	}
	for name := range c.Column {
		if strings.TrimSpace(c.Column[name]) == "" {
			return usage{errors.New("--column is written NAME=HEADING, like amount=Betrag")}
		}
	}
	f := client.BankFile{CSV: string(text), Columns: c.Column, Currency: c.Currency, DecimalComma: c.DecimalComma, Dates: c.Dates}
	refused := false
	err = rehearse(ctx, r, c.rehearsal, "Book these?", func(cl *client.Client, dry bool, expect string) (client.BankImported, error) {
		f.DryRun, f.Expect = dry, expect
		done, err := cl.ImportPayments(ctx, f)
		refused = done.Matches["refused"] > 0
		return done, err
	}, func(done client.BankImported) string {
		if done.Matches["exact"]+done.Matches["differs"] == 0 {
			return ""
		}
		return done.Fingerprint
	}, r.showBankImport)
	if err == nil && refused {
		err = exit(exitFailed)
	}
	return err
}

func (r *runner) showBankImport(done client.BankImported) error {
	rows := [][]string{}
	for _, l := range done.Items {
		of := strings.Join(l.Candidates, ", ")
		if l.Payment != nil {
			of = l.Payment.Tenant + " " + settledNumbers(l.Payment.Settled)
		}
		rows = append(rows, []string{fmt.Sprint(l.Line), money.New(l.Amount, money.Currency(l.Currency)).String(), l.Match, orDash(strings.TrimSpace(of)), orDash(l.Why + problemsText(l.Problems))})
	}
	if len(rows) == 0 {
		r.say("There is nothing to import.")
		return nil
	}
	if err := table(r.Out, "LINE|AMOUNT|MATCH|FOR|WHY", rows); err != nil {
		return err
	}
	booked, open := done.Matches["exact"]+done.Matches["differs"], done.Matches["ambiguous"]+done.Matches["unmatched"]
	switch {
	case done.Matches["refused"] > 0:
		r.say("\nNothing was booked: %s cannot be read. Correct them, or say how the bank writes its files.", plural(done.Matches["refused"], "line"))
	case done.Done:
		r.say("\n%s booked, %d were booked before, %d are left to be booked by hand.", plural(booked, "line"), done.Matches["duplicate"], open)
	case booked == 0:
		r.say("\nNothing can be booked: %d were booked before, %d are left to be booked by hand.", done.Matches["duplicate"], open)
	default:
		r.say("\nNothing was booked yet: %s can be, %d were booked before, %d would be left.", plural(booked, "line"), done.Matches["duplicate"], open)
	}
	return nil
}
