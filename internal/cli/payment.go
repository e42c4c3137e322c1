package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type paymentCommand struct {
	Record  paymentRecordCommand  `cmd:"" help:"Book a payment; what it settles is shown first."`
	List    paymentListCommand    `cmd:"" help:"List payments, the last recorded first."`
	Show    paymentShowCommand    `cmd:"" help:"Show a payment, and what it settled."`
	Reverse paymentReverseCommand `cmd:"" help:"Take back a payment that the bank took back; what is open again is shown first."`
	Import  paymentImportCommand  `cmd:"" help:"Book the lines of a bank's statement; how each is matched is shown first."`
	Refund  paymentRefundCommand  `cmd:"" help:"Book that credit of a tenant's account was paid back; what is left is shown first."`
	Refunds paymentRefundsCommand `cmd:"" help:"List what was paid back, the last first."`
	Apply   paymentApplyCommand   `cmd:"" help:"Have a tenant's credit pay its invoices."`
}

// rehearsal are the flags of what is shown first.
type rehearsal struct {
	DryRun bool `short:"n" help:"Only show what would be done."`
	Yes    bool `short:"y" help:"Do not ask."`
}

// rehearse shows what would be done, asks, and does what was shown, or nothing.
// ask asks once, with dry run or the fingerprint of what was shown; show shows it.
func rehearse[T any](ctx context.Context, r *runner, f rehearsal, question string, ask func(cl *client.Client, dry bool, expect string) (T, error), fingerprint func(T) string, show func(T) error) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var answer T
	if err := s.read(ctx, func(cl *client.Client) (err error) {
		answer, err = ask(cl, true, "")
		return err
	}); err != nil {
		return err
	}
	if !f.DryRun && fingerprint(answer) != "" {
		if !r.json && !f.Yes {
			if err := show(answer); err != nil {
				return err
			}
			r.say("")
		}
		if err := r.confirm(f.Yes, "%s", question); err != nil {
			return err
		}
		expect := fingerprint(answer)
		if err := s.write(ctx, func(cl *client.Client) (err error) {
			answer, err = ask(cl, false, expect)
			return err
		}); err != nil {
			return err
		}
	}
	if r.json {
		return r.print(answer)
	}
	return show(answer)
}

type paymentRecordCommand struct {
	Amount    string   `arg:"" help:"What the tenant sent: 119.00."`
	Currency  string   `arg:"" help:"EUR."`
	Tenant    string   `placeholder:"TENANT" help:"Who paid, slug or id; left away: whose invoices are named."`
	Invoice   []string `placeholder:"NUMBER" help:"The invoice that it pays; once for each. Left away: those that the reference names, else what is due first."`
	Reference string   `placeholder:"TEXT" help:"As the tenant wrote it; numbers of invoices are found in it."`
	Payer     string   `help:"As the bank writes it."`
	Date      string   `placeholder:"DAY" help:"When the bank had it, like 2026-05-08; left away: today."`
	Fee       string   `default:"0" help:"What the bank kept of it."`
	BankRef   string   `name:"bank-ref" placeholder:"TEXT" help:"The bank's reference of the line: it is booked once."`
	rehearsal
}

// Run books a payment.
func (c *paymentRecordCommand) Run(ctx context.Context, r *runner) error {
	amount, err := amountOf(c.Amount, c.Currency)
	if err != nil {
		return err
	}
	fee, err := amountOf(c.Fee, c.Currency)
	if err != nil {
		return err
	}
	o := client.PaymentOrder{Tenant: c.Tenant, Currency: c.Currency, Amount: amount, Fee: fee, Date: c.Date, Invoices: c.Invoice, Reference: c.Reference, Payer: c.Payer, Key: c.BankRef}
	return rehearse(ctx, r, c.rehearsal, "Book it so?", func(cl *client.Client, dry bool, expect string) (client.PaymentBooked, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.RecordPayment(ctx, o)
	}, func(b client.PaymentBooked) string {
		if b.Again {
			return ""
		}
		return b.Fingerprint
	}, r.showBooked)
}

// amountOf reads an amount of a currency, in minor units.
func amountOf(text, currency string) (int64, error) {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return 0, err
	}
	amount, err := money.Parse(text, c)
	return amount.Minor, err
}

func (r *runner) showBooked(b client.PaymentBooked) error {
	switch {
	case b.Again:
		r.say("It was booked before, on %s:\n", clockIn(b.Payment.RecordedAt, b.Payment.Zone))
	case !b.Done:
		r.say("It would be booked so:\n")
	}
	return r.showPayment(b.Payment)
}

func (r *runner) showPayment(p client.Payment) error {
	amount := func(minor int64) string { return money.New(minor, money.Currency(p.Currency)).String() }
	line := fmt.Sprintf("%s by %s on %s", amount(p.Amount), p.Tenant, period.DayIn(p.PaidAt.Time, p.Zone))
	if p.Fee > 0 {
		line += ", of which the bank kept " + amount(p.Fee)
	}
	r.say("%s", line)
	if p.ID != "" {
		r.say("%s", penFor(r.Out).in(wire.Dim, p.ID))
	}
	for _, x := range [][2]string{{"Payer", p.Payer}, {"Reference", p.Reference}, {"Bank's reference", p.Key}} {
		if x[1] != "" && x[1] != p.ID {
			r.say("%s: %s", x[0], x[1])
		}
	}
	if err := r.settlements(p.Settled, p.Currency); err != nil {
		return err
	}
	if p.Carried > 0 {
		r.say("%s went to the opening balance.", amount(p.Carried))
	}
	if p.Credit > 0 {
		r.say("%s became credit of the account: later invoices use it.", amount(p.Credit))
	}
	if p.Reversed != nil {
		r.say("The bank took it back on %s: %s", period.DayIn(p.Reversed.At.Time, p.Zone), p.Reversed.Reason)
	}
	return nil
}

// settlements shows what is settled of invoices, and what is open again.
func (r *runner) settlements(list []client.Settlement, currency string) error {
	if len(list) == 0 {
		return nil
	}
	rows := make([][]string, len(list))
	for i, x := range list {
		text := money.New(x.Amount, money.Currency(currency)).Decimal()
		if x.Amount < 0 {
			text = money.New(-x.Amount, money.Currency(currency)).Decimal() + " open again"
		}
		rows[i] = []string{x.Number, strings.ReplaceAll(x.Kind, "_", " "), text}
	}
	return table(r.Out, "INVOICE|BY|"+currency, rows)
}

type paymentListCommand struct {
	Tenant  string `arg:"" optional:"" help:"Only this tenant's."`
	Invoice string `placeholder:"NUMBER" help:"Only those for this invoice."`
	Limit   int    `default:"100" help:"How many, 1 to 1000."`
	Cursor  string `placeholder:"NEXT" help:"Where the page before ended."`
}

// Run lists payments.
func (c *paymentListCommand) Run(ctx context.Context, r *runner) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usage{fmt.Errorf("--limit must be 1 to 1000, not %d", c.Limit)}
	}
	page, err := fetch(ctx, r, func(cl *client.Client) (client.PaymentPage, error) {
		return cl.Payments(ctx, c.Tenant, c.Invoice, c.Limit, c.Cursor)
	})
	if err != nil {
		return err
	}
	none := "No payment was booked yet."
	if c.Tenant != "" || c.Invoice != "" {
		none = "No payment is like that."
	}
	err = listing(r, page, page.Items, none+" Book one with: arcadia payment record AMOUNT CURRENCY --tenant TENANT",
		"PAYMENT|TENANT|PAID ON|AMOUNT|FOR|CREDIT|STATE", func(p client.Payment) []string {
			amount := func(minor int64) string { return money.New(minor, money.Currency(p.Currency)).String() }
			state, credit := "booked", "–"
			if p.Reversed != nil {
				state = "reversed"
			}
			if p.Credit > 0 {
				credit = amount(p.Credit)
			}
			return []string{p.ID, p.Tenant, period.DayIn(p.PaidAt.Time, p.Zone), amount(p.Amount), orDash(settledNumbers(p.Settled)), credit, state}
		})
	if err == nil && !r.json && page.Next != nil {
		r.say("\nThere are more: --cursor %s", *page.Next)
	}
	return err
}

// settledNumbers are the invoices that were settled.
func settledNumbers(list []client.Settlement) string {
	var numbers []string
	for _, x := range list {
		if x.Amount > 0 {
			numbers = append(numbers, x.Number)
		}
	}
	if len(numbers) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(numbers[:3], ", "), len(numbers)-3)
	}
	return strings.Join(numbers, ", ")
}

type paymentShowCommand struct {
	Payment string `arg:"" help:"Its id, or the bank's reference."`
}

// Run shows a payment.
func (c *paymentShowCommand) Run(ctx context.Context, r *runner) error {
	p, err := fetch(ctx, r, func(cl *client.Client) (client.Payment, error) { return cl.Payment(ctx, c.Payment) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(p)
	}
	return r.showPayment(p)
}

type paymentReverseCommand struct {
	Payment string `arg:"" help:"Its id, or the bank's reference."`
	Reason  string `required:"" help:"Why: it is kept."`
	Date    string `placeholder:"DAY" help:"When the bank took it back; left away: today."`
	Fee     string `default:"0" help:"What the bank took for it, beside the amount."`
	rehearsal
}

// Run reverses a payment.
func (c *paymentReverseCommand) Run(ctx context.Context, r *runner) error {
	p, err := fetch(ctx, r, func(cl *client.Client) (client.Payment, error) { return cl.Payment(ctx, c.Payment) })
	if err != nil {
		return err
	}
	fee, err := amountOf(c.Fee, p.Currency)
	if err != nil {
		return err
	}
	o := client.ReversalOrder{Reason: c.Reason, Date: c.Date, Fee: fee}
	return rehearse(ctx, r, c.rehearsal, "Take it back?", func(cl *client.Client, dry bool, expect string) (client.PaymentReversed, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.ReversePayment(ctx, p.ID, o)
	}, func(x client.PaymentReversed) string {
		if x.Again {
			return ""
		}
		return x.Fingerprint
	}, r.showReversed)
}

func (r *runner) showReversed(x client.PaymentReversed) error {
	amount := money.New(x.Payment.Amount, money.Currency(x.Payment.Currency))
	switch {
	case x.Again:
		r.say("It was taken back before, on %s: %s", period.DayIn(x.Payment.Reversed.At.Time, x.Payment.Zone), x.Payment.Reversed.Reason)
		return nil
	case x.Done:
		r.say("%s by %s were taken back.", amount, x.Payment.Tenant)
	default:
		r.say("%s by %s would be taken back:", amount, x.Payment.Tenant)
	}
	return r.settlements(x.Reopened, x.Payment.Currency)
}

type paymentApplyCommand struct {
	tenantRef
	Invoice []string `placeholder:"NUMBER" help:"The invoice that it pays; once for each. Left away: all that are open, what is due first."`
	Amount  string   `help:"At most so much; left away: as much as there is."`
	rehearsal
}

// Run has credit pay invoices.
func (c *paymentApplyCommand) Run(ctx context.Context, r *runner) error {
	o := client.CreditOrder{Tenant: c.Tenant, Invoices: c.Invoice}
	if c.Amount != "" {
		customer, err := fetch(ctx, r, func(cl *client.Client) (client.Customer, error) { return cl.Customer(ctx, c.Tenant) })
		if err != nil {
			return err
		}
		if o.Amount, err = amountOf(c.Amount, customer.Currency); err != nil {
			return err
		}
		if o.Amount <= 0 {
			return usage{errors.New("--amount is more than nothing")}
		}
	}
	return rehearse(ctx, r, c.rehearsal, "Pay these with the credit?", func(cl *client.Client, dry bool, expect string) (client.CreditUse, error) {
		o.DryRun, o.Expect = dry, expect
		return cl.ApplyCredit(ctx, o)
	}, func(u client.CreditUse) string { return u.Fingerprint }, func(u client.CreditUse) error {
		if err := r.settlements(u.Settled, u.Currency); err != nil {
			return err
		}
		if u.Carried > 0 {
			r.say("%s went to the opening balance.", money.New(u.Carried, money.Currency(u.Currency)))
		}
		r.say("%s of credit are left.", money.New(u.Left, money.Currency(u.Currency)))
		return nil
	})
}
