package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type billingCommand struct {
	Preview previewCommand       `cmd:"" help:"Work out every invoice up to a time, from files. Nothing is stored."`
	Run     billingRunCommand    `cmd:"" help:"Issue what is due; it is shown first."`
	Runs    billingRunsCommand   `cmd:"" help:"List the runs on the clock, with how far each is."`
	Whatif  billingWhatIfCommand `cmd:"" help:"Rate past months again under a catalog that is not applied, and compare."`
	Close   billingCloseCommand  `cmd:"" help:"Close a month in the journal; what would be entered is shown first."`
	Margin  billingMarginCommand `cmd:"" help:"What tenants brought in months, and what they cost at DigitalOcean."`
	Verify  billingVerifyCommand `cmd:"" help:"Check numbers, documents, sums and the journal."`
}

type previewCommand struct {
	Catalog      string `required:"" placeholder:"FILE" help:"Plans, meters, taxes and coupons: YAML or JSON."`
	Subscription string `required:"" placeholder:"FILE" help:"What a tenant subscribed to: YAML or JSON."`
	Usage        string `placeholder:"FILE" help:"Usage events: CloudEvents, one JSON object a line; - is standard input."`
	Resources    string `placeholder:"FILE" help:"Lifetimes of resources: one JSON object a line."`
	At           string `required:"" placeholder:"TIME" help:"Up to when, included: 2026-02-01T00:00:00Z, or a date in the tenant's zone."`
	Explain      bool   `help:"Show how each amount came about."`
}

// Help is the longer text of the command.
func (*previewCommand) Help() string {
	return "Prints every invoice that is due from the subscription's start to the given time, as a billing run on each of those days would have " +
		"issued it. The files' format is in docs/billing-preview.md."
}

// Run prints the invoices.
func (c *previewCommand) Run(r *runner) error {
	document, err := r.readFile(c.Catalog)
	if err != nil {
		return err
	}
	catalog, err := billing.ReadCatalog(c.Catalog, document)
	if err != nil {
		return err
	}
	if document, err = r.readFile(c.Subscription); err != nil {
		return err
	}
	sub, err := billing.ReadSubscription(c.Subscription, document, catalog)
	if err != nil {
		return err
	}
	var facts billing.Facts
	if c.Usage != "" {
		if document, err = r.readFile(c.Usage); err != nil {
			return err
		}
		if facts.Events, facts.Rejected, err = metering.ReadEvents(c.Usage, bytes.NewReader(document), sub.Tenant); err != nil {
			return err
		}
	}
	if c.Resources != "" {
		if document, err = r.readFile(c.Resources); err != nil {
			return err
		}
		if facts.Lifetimes, err = metering.ReadLifetimes(c.Resources, bytes.NewReader(document), sub.Zone); err != nil {
			return err
		}
	}
	at, err := metering.ParseTime(c.At, sub.Zone)
	if err != nil {
		return fault.New(fault.Invalid, "--at: %v.", err)
	}
	out, err := billing.Preview(catalog, sub, facts, at)
	if err != nil {
		return err
	}
	if r.json {
		return r.print(out)
	}
	_, err = io.WriteString(r.Out, previewText(penFor(r.Out), out, sub, at, c.Explain))
	return err
}

// readFile reads a file, or standard input for "-".
func (r *runner) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(r.In)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s cannot be read: %v.", name, pathless(err))
	}
	return content, nil
}

// pathless is an error of the file system without the path, which is said already.
func pathless(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// previewText is the documents as a person reads them.
func previewText(p pen, out *billing.Outcome, sub *billing.Subscription, at time.Time, explain bool) string {
	var b strings.Builder
	documents := slices.Concat(out.CreditNotes, out.Invoices) // a note pays the invoice of its day
	slices.SortStableFunc(documents, func(x, y billing.Invoice) int { return x.IssueAt.Compare(y.IssueAt.Time) })
	if len(documents) == 0 {
		fmt.Fprintf(&b, "No invoice is due to %s by %s.\n", sub.Tenant, moment(at, sub.Zone))
	}
	for i := range documents {
		documentText(&b, p, &documents[i], sub, explain)
		b.WriteByte('\n')
	}
	if len(out.Rejected) > 0 {
		fmt.Fprintf(&b, "%s\n", p.in(wire.Attention, "Of the usage does not count:"))
		for _, r := range out.Rejected {
			fmt.Fprintf(&b, "  line %d: %s\n", r.Line, r.Reason)
		}
		b.WriteByte('\n')
	}
	for _, w := range out.Warnings {
		fmt.Fprintf(&b, "%s\n", p.in(wire.Attention, w))
	}
	if len(documents) > 1 {
		var due int64
		for _, d := range documents {
			due += d.Due
		}
		fmt.Fprintf(&b, "%s, %s due in all.\n", plural(len(documents), "document"), money.New(due, sub.Currency))
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// moment is a time in a zone: the date alone where it is midnight.
func moment(t time.Time, zone *time.Location) string {
	if t = t.In(zone); t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04:05")
}

func documentText(b *strings.Builder, p pen, d *billing.Invoice, sub *billing.Subscription, explain bool) {
	title := map[billing.Purpose]string{billing.Advance: "Invoice in advance", billing.Arrears: "Invoice in arrears", billing.Credit: "Credit note"}[d.Purpose]
	fmt.Fprintf(b, "%s for %s, to be issued at %s\n", title, sub.Tenant, moment(d.IssueAt.Time, sub.Zone))
	fmt.Fprintf(b, "%s\n\n", p.in(wire.Dim, fmt.Sprintf("period %s to %s, %s", moment(d.Period.From.Time, sub.Zone), moment(d.Period.To.Time, sub.Zone), sub.Zone)))

	amount := func(minor int64) string { return money.New(minor, d.Currency).Decimal() }
	rows := [][]string{{"Charge", "Service", "Quantity", "Unit price", "Tax", "Amount"}}
	for _, l := range d.Lines {
		rows = append(rows, []string{
			lineName(l), moment(l.Service.From.Time, sub.Zone) + " to " + moment(l.Service.To.Time, sub.Zone),
			short(l.Quantity), unitPrice(l.UnitPrice, d.Currency), amount(l.Tax), amount(l.Amount),
		})
	}
	lines := columns(rows, 2)
	for i, line := range lines {
		if i == 0 {
			line = p.in(wire.Dim, line)
		}
		fmt.Fprintf(b, "  %s\n", line)
		if i > 0 && explain {
			explainText(b, d.Lines[i-1].Explain, 4, math.MaxInt)
		}
	}
	totals := [][]string{{"Subtotal", amount(d.Subtotal)}}
	for _, x := range d.Discounts {
		totals = append(totals, []string{"Coupon " + x.Coupon, amount(-x.Amount)})
	}
	for _, x := range d.Taxes {
		name := fmt.Sprintf("%s %s %% on %s", x.ID, x.Rate, amount(x.Base))
		if x.Mode == "inclusive" {
			name += " (included)"
		}
		totals = append(totals, []string{name, amount(x.Amount)})
	}
	totals = append(totals, []string{"Total " + string(d.Currency), amount(d.Total)})
	if d.CreditApplied > 0 {
		totals = append(totals, []string{"Paid by credit", amount(-d.CreditApplied)})
	}
	switch {
	case d.Purpose == billing.Credit:
		totals = append(totals, []string{"Becomes credit", amount(d.Total)})
	case d.Total < 0:
		totals = append(totals, []string{"Becomes credit", amount(-d.Total)})
	default:
		totals = append(totals, []string{"Due", amount(d.Due)})
	}
	b.WriteByte('\n')
	for _, line := range columns(totals, 1) {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

// lineName says what a line is for.
func lineName(l billing.Line) string {
	name := l.Charge
	if l.Item != "main" {
		name = l.Item + ": " + name
	}
	var groups []string
	for k, v := range l.Group {
		groups = append(groups, k+" "+v)
	}
	if slices.Sort(groups); len(groups) > 0 {
		name += " (" + strings.Join(groups, ", ") + ")"
	}
	if l.Kind != billing.ChargeLine {
		name += ", " + string(l.Kind)
	}
	return name
}

// short is a quantity with at most six decimals; JSON has them all.
func short(x exact.Number) string {
	if s := x.String(); len(s[strings.IndexByte(s+".", '.'):]) <= 7 {
		return s
	}
	return "≈ " + x.Round(6).String()
}

// unitPrice is a price with at least the currency's decimals.
func unitPrice(x *exact.Number, c money.Currency) string {
	if x == nil {
		return "–"
	}
	if a, err := money.Parse(x.String(), c); err == nil {
		return a.Decimal()
	}
	return x.String()
}

// columns aligns cells: the first so many to the left, the others to the right.
func columns(rows [][]string, left int) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i < left {
				cell += pad
			} else {
				cell = pad + cell
			}
			if i > 0 {
				cell = "  " + cell
			}
			lines[n] += cell
		}
	}
	return lines
}
