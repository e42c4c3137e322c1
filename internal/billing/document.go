package billing

import (
	"cmp"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// taxesOf is the taxes of a charge for a service that is billed at an instant: each
// at the rate in force at the tax point, which is the last instant of the service,
// or the issue where that comes first.
func (b *biller) taxesOf(ch *Charge, service period.Period, issue time.Time) []rating.Tax {
	point := service.To
	if service.To.After(service.From) {
		point = point.Add(-time.Microsecond)
	}
	point = period.Earlier(point, issue)
	ids := taxesAt(b.sub.Taxes, b.sub.Amendments, point, issue)
	if ch != nil && ch.TaxSet {
		ids = ch.Taxes
	}
	var taxes []rating.Tax
	for _, id := range ids {
		var (
			found *TaxRate
			since time.Time
		)
		for i := range b.catalog.Taxes {
			rate := &b.catalog.Taxes[i]
			if rate.ID != id {
				continue
			}
			var from time.Time
			if rate.From != "" {
				from, _ = metering.ParseTime(rate.From, b.sub.Zone) // it was read before
			}
			if !from.After(point) && (found == nil || from.After(since)) {
				found, since = rate, from
			}
		}
		if found != nil {
			taxes = append(taxes, found.Tax)
		}
	}
	return taxes
}

// A redeemed coupon is what was taken of it so far.
type redeemed struct {
	once    bool
	periods []period.Period // that it took something off
	taken   map[period.Period]int64
}

// discount is what a coupon still offers for a period; false for nothing.
func (b *biller) discount(c *Coupon, p period.Period) (rating.Discount, bool) {
	r := b.coupons[c.ID]
	if r == nil {
		r = &redeemed{taken: make(map[period.Period]int64)}
		b.coupons[c.ID] = r
	}
	if c.Once && r.once || c.Periods > 0 && len(r.periods) >= c.Periods && !slices.Contains(r.periods, p) {
		return rating.Discount{}, false
	}
	d := c.discount
	if d.Percent == nil && !c.Once {
		d.Amount = max(0, d.Amount-r.taken[p])
	}
	return d, true
}

// applied are the discounts of a document.
type applied struct {
	amounts []DiscountAmount
	shares  []int64        // by line, rounded; below zero where something is given back
	exact   []exact.Number // by line
}

// applyCoupons takes discounts off lines, one coupon after the other on what
// remains. A line that takes something back gives back its part of the discount:
// it lessens what the coupon takes off; where that is less than nothing it is a
// line of its own.
func (b *biller) applyCoupons(p period.Period, lines []*draft, t time.Time) ([]*draft, applied) {
	a := applied{amounts: []DiscountAmount{}, shares: make([]int64, len(lines)), exact: make([]exact.Number, len(lines))}
	in := couponsAt(b.sub.Coupons, b.sub.Amendments, t, t)
	for _, id := range b.sub.everCoupons() {
		c := b.catalog.coupon(id)
		var back int64
		for i, d := range lines {
			back += d.back[id]
			a.shares[i] -= d.back[id]
			a.exact[i] = a.exact[i].Sub(exact.Whole(d.back[id]))
		}
		r := b.coupons[id]
		if r != nil {
			r.taken[p] -= back
		}
		var total int64
		if discount, ok := b.discount(c, p); ok && slices.Contains(in, id) {
			left := make([]int64, len(lines))
			for i, d := range lines {
				if d.Amount > 0 && c.isAbout(d.Charge) {
					left[i] = d.Amount - a.shares[i]
				}
			}
			var shares []int64
			var parts []exact.Number
			total, shares, parts = discount.Off(left)
			for i := range lines {
				a.shares[i] += shares[i]
				a.exact[i] = a.exact[i].Add(parts[i])
				if shares[i] != 0 && lines[i].took != nil {
					lines[i].took(id, shares[i])
				}
			}
		}
		if total > 0 {
			r = b.coupons[id]
			r.once = true
			r.taken[p] += total
			if !slices.Contains(r.periods, p) {
				r.periods = append(r.periods, p)
			}
		}
		if net := total - back; net >= 0 {
			total = net
		} else {
			lines = b.giveBack(id, lines, &a)
		}
		if total > 0 {
			a.amounts = append(a.amounts, DiscountAmount{id, total})
		}
	}
	return lines, a
}

// giveBack makes lines of what reversed lines give back of a coupon.
func (b *biller) giveBack(coupon string, lines []*draft, a *applied) []*draft {
	for i, d := range slices.Clone(lines) {
		amount := d.back[coupon]
		if amount == 0 {
			continue
		}
		a.shares[i] += amount
		a.exact[i] = a.exact[i].Add(exact.Whole(amount))
		value := exact.Whole(amount).Mul(b.unit())
		lines = append(lines, &draft{Line: Line{
			Charge: couponCharge, Item: d.Item, Plan: d.Plan, Kind: ReversalLine, Service: d.Service, Quantity: exact.Whole(1), Exact: value, Amount: amount,
			Explain: rating.Explanation{Rule: "discount_given_back", Value: value, Facts: []rating.Fact{
				rating.Text("coupon", coupon), rating.Text("charge", d.Charge)}},
		}, period: d.period, taxes: d.taxes})
		a.shares, a.exact = append(a.shares, 0), append(a.exact, exact.Number{})
	}
	return lines
}

// document totals lines: discounts, then taxes on what is left.
func (b *biller) document(purpose Purpose, p period.Period, lines []*draft, t time.Time, discounts func([]*draft) ([]*draft, applied)) Invoice {
	lines, off := discounts(lines)
	inv := Invoice{Purpose: purpose, Period: spanOf(p), IssueAt: Instant{t}, Currency: b.sub.Currency, Discounts: off.amounts, Taxes: []TaxAmount{}}
	taxable := make([]rating.Taxable, len(lines))
	for i, d := range lines {
		inv.Subtotal += d.Amount
		inv.Total += d.Amount - off.shares[i]
		taxable[i] = rating.Taxable{Amount: d.Amount - off.shares[i], Exact: exact.Whole(d.Amount).Sub(off.exact[i]), Taxes: d.taxes}
	}
	taxes := rating.Taxes(b.taxRounding(lines), taxable)
	for i, d := range lines {
		d.Tax = taxes.PerLine[i]
		inv.Lines = append(inv.Lines, d.Line)
	}
	for _, r := range taxes.Rates {
		mode := "exclusive"
		if r.Inclusive {
			mode = "inclusive"
		}
		inv.Taxes = append(inv.Taxes, TaxAmount{r.ID, r.Rate, mode, r.Base, r.Amount})
	}
	inv.TaxTotal = taxes.Total
	inv.Total += taxes.OnTop
	return inv
}

// taxRounding is that of the plan of the first line.
func (b *biller) taxRounding(lines []*draft) rating.TaxRounding {
	if p, ok := b.catalog.Plan(lines[0].Plan); ok {
		return p.TaxRounding
	}
	return rating.PerRate
}

// issue adds an invoice. Credit pays the amount with tax; what is given back beyond
// what is charged becomes credit.
func (b *biller) issue(purpose Purpose, p period.Period, lines []*draft, t time.Time) error {
	inv := b.document(purpose, p, lines, t, func(lines []*draft) ([]*draft, applied) { return b.applyCoupons(p, lines, t) })
	if inv.Total < 0 {
		b.credit -= inv.Total
	} else {
		inv.CreditApplied = min(b.credit, inv.Total)
		inv.Due = inv.Total - inv.CreditApplied
		b.credit -= inv.CreditApplied
	}
	b.out.Invoices = append(b.out.Invoices, inv)
	return nil
}

// issueNote adds a credit note: the lines that are taken back with positive amounts,
// their part of discounts, and their own tax. All of it becomes credit.
func (b *biller) issueNote(lines []*draft, t time.Time) {
	slices.SortStableFunc(lines, func(x, y *draft) int { return cmp.Compare(x.Item, y.Item) })
	for _, d := range lines {
		d.Quantity, d.Exact, d.Amount = d.Quantity.Neg(), d.Exact.Neg(), -d.Amount
		d.Explain = rating.Explanation{Rule: "credit_note", Value: d.Exact, Of: []rating.Explanation{d.Explain}}
	}
	note := b.document(Credit, periodOf(lines), lines, t, func(lines []*draft) ([]*draft, applied) {
		a := applied{amounts: []DiscountAmount{}, shares: make([]int64, len(lines)), exact: make([]exact.Number, len(lines))}
		for _, id := range b.sub.everCoupons() {
			var total int64
			for i, d := range lines {
				total += d.back[id]
				a.shares[i] += d.back[id]
				a.exact[i] = a.exact[i].Add(exact.Whole(d.back[id]))
			}
			if total != 0 {
				a.amounts = append(a.amounts, DiscountAmount{id, total})
			}
		}
		return lines, a
	})
	b.credit += note.Total
	b.out.CreditNotes = append(b.out.CreditNotes, note)
}
