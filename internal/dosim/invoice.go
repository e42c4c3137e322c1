package dosim

import (
	"maps"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// An invoice is a month's, or the preview of one.
type invoice struct {
	biller.Invoice
	period.Period           // of a preview until it was made
	uuid, id      string    // a preview has those that its invoice will have
	at            time.Time // of its issue, or when the preview was made
	autopay       bool
	unpriced      []unpriced
}

// month is how invoices call their month: 2020-01.
func (inv *invoice) month() string { return inv.From.Format("2006-01") }

// usd writes cents as the API does.
func usd(cents int64) string { return money.New(cents, "USD").Decimal() }

// bills are the account's invoices up to now, the oldest first, and the preview
// of the next. Each is a function of what the log held at its own end: it comes
// out the same whenever somebody asks, and in every process.
//
// A month in which nothing was billed has no invoice; whether DigitalOcean
// issues one, nobody has looked.
func (c *call) bills() (issued []*invoice, preview *invoice) {
	w := c.sim.world
	cu := c.sim.customer(c.account())
	if cu.next.IsZero() {
		return nil, c.preview(cu, period.Period{From: monthOf(c.at), To: monthOf(c.at).AddDate(0, 1, 0)})
	}
	for {
		month := period.Period{From: cu.next, To: cu.next.AddDate(0, 1, 0)}
		at := month.To.Add(w.termsAt(c.account(), month.To).Issue)
		if c.at.Before(at) {
			return cu.invoices, c.preview(cu, month)
		}
		inv := c.bill(cu, month, cu.spent)
		inv.at = at
		if len(inv.Lines) > 0 {
			cu.invoices = append(cu.invoices, inv)
		}
		cu.next = month.To
	}
}

// preview is that of the month, as it was when previews were made last: it is
// made anew every day, from the beginning of the month on.
func (c *call) preview(cu *customer, month period.Period) *invoice {
	at := c.at
	if hours := c.sim.params.number(paramPreviewHours); hours > 0 {
		every := time.Duration(hours) * time.Hour
		at = month.From.Add(at.Sub(month.From).Truncate(every))
	}
	if at.After(month.To) {
		at = month.To
	}
	month.To = later(month.From, at.Truncate(time.Second))
	if p := cu.preview; p != nil && p.Period == month {
		return p
	}
	cu.preview = c.bill(cu, month, maps.Clone(cu.spent))
	cu.preview.at = month.To
	return cu.preview
}

// bill makes the invoice of the month, or of a part of it. What it takes of the
// account's credits is added to spent.
func (c *call) bill(cu *customer, month period.Period, spent map[string]int64) *invoice {
	w := c.sim.world
	terms := w.termsAt(cu.account, month.To)
	rules := terms.rules()
	name := month.From.Format("2006-01")
	inv := &invoice{
		Period: month, autopay: terms.Autopay, uuid: uuid(w.seed, "invoice", cu.account, name),
		id: strconv.FormatUint(400_000_000+hash(w.seed, "invoice", cu.account, name)%500_000_000, 10),
	}
	used, without := cu.usages(w, month)
	inv.unpriced = without
	inv.Lines = rules.Charges(month, used)
	if x, any := cu.transfer(w, month, used, terms.Outbound); any {
		if over, any := rules.Overage(month, x); any {
			inv.Lines = append(inv.Lines, over)
		}
	}
	inv.Lines = append(inv.Lines, rules.TaxLines(month, inv.Lines)...)

	var left []*biller.Grant
	var of []*grant
	for _, e := range w.grants.existing(cu.account, wholeAccount, endOfTime) {
		if g, _ := e.(*grant); g.CreatedAt.Before(month.To) {
			of = append(of, g)
			left = append(left, &biller.Grant{Description: g.Description, At: g.CreatedAt, Left: g.Cents - spent[g.ID]})
		}
	}
	inv.Lines = append(inv.Lines, biller.Spend(month, inv.Gross(), left)...)
	for i, g := range of {
		spent[g.ID] = g.Cents - left[i].Left
	}
	return inv
}

// A posting is an entry of the billing history. The postings of an account add
// up to its balance.
type posting struct {
	at          time.Time
	kind        string
	description string
	cents       int64
	invoice     *invoice // nil: it concerns none
}

// history is what became of the account's money, the oldest first. A credit
// counts when it is granted; what of it pays for an invoice, whose amount is
// less by that, is put back by an adjustment.
func (c *call) history(issued []*invoice) []posting {
	var all []posting
	add := func(p posting) {
		if !p.at.After(c.at) && p.cents != 0 {
			all = append(all, p)
		}
	}
	for _, e := range c.sim.world.grants.existing(c.account(), wholeAccount, endOfTime) {
		if g, _ := e.(*grant); g != nil {
			add(posting{at: g.CreatedAt, kind: "Credit", description: g.Description, cents: -g.Cents})
		}
	}
	for _, inv := range issued {
		of := inv.From.Format("January 2006")
		add(posting{inv.at, "Adjustment", "Credits applied to invoice for " + of, -inv.Sum(biller.Credit), inv})
		add(posting{inv.at, "Invoice", "Invoice for " + of, inv.Total(), inv})
		if inv.autopay {
			add(posting{inv.at.AddDate(0, 0, 1), "Payment", "Payment (MC 2018)", -inv.Total(), inv})
		}
	}
	return sortedBy(all, func(p posting) time.Time { return p.at })
}
