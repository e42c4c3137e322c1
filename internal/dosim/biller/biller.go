// Package biller prices what was used the way DigitalOcean does. It shares no
// rule with the rest of the house, so that the two may be held against each
// other: what they agree on, neither has made up.
//
// The rules, from DigitalOcean's price pages and from invoices that users have
// shown: a month's price is that of 672 hours, a line of an invoice never costs
// more, everything is counted by the second, and each line is rounded to the
// cent once, from the exact quotient, and costs a cent at least. (40 hours of a
// $5 droplet are $0.2976 and were billed at $0.30, 212 hours $1.5774 at $1.58;
// three $100 nodes for 2,336,420 seconds $289.7346 at $289.73.)
package biller

import (
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/period"
)

// MonthSeconds is what a month's price pays for: 672 hours, or 28 days.
const MonthSeconds = 672 * 60 * 60

// Labels are what a line says beside its figures.
type Labels struct {
	Product      string // "Droplets"
	SKU          string
	Code         string // of the product, within an SKU as billing insights show it: "DO-DROP"
	ResourceID   string
	ResourceUUID string
	Group        string // of a line that stands for several things: a cluster's name
	Description  string
	Project      string // name
	Region       string // slug
}

// A Usage is something that was there, at one price, for a time.
type Usage struct {
	Labels
	Of       string   // the thing, see [Terms.CapPerThing]
	Price    *big.Rat // dollars for one unit and 672 hours
	Quantity *big.Rat // units
	From, To time.Time
	Unused   time.Duration // whole seconds that are billed beyond To, since so short a life has a minimum
	Pool     string        // not empty: all usage of the pool at one price is one line
}

// Rounding is what becomes of half a cent.
type Rounding int

// The roundings.
const (
	HalfUp   Rounding = iota // away from zero
	HalfEven                 // to the even cent
	HalfDown                 // towards zero
)

// A Tax is a rate on all charges of an invoice.
type Tax struct {
	Name string
	Rate *big.Rat // 1/20 for 5 %
}

// Terms are what DigitalOcean does not say, and may differ by customer.
type Terms struct {
	Rounding Rounding
	Taxes    []Tax

	// CapPerThing has all lines of a thing share the 672 hours of a month. Else
	// each line has them, and a droplet that was resized may cost more than
	// either size would have.
	CapPerThing bool
}

// A Kind says what part of an invoice a line belongs to.
type Kind int

// The kinds.
const (
	Charge Kind = iota
	Overage
	Taxes
	Credit
)

// A Line is one of an invoice's.
type Line struct {
	Labels
	Kind     Kind
	From, To time.Time
	Exact    *big.Rat // dollars before rounding
	Cents    int64
}

// An Invoice is the lines of one customer and month.
type Invoice struct {
	Lines []Line
}

// Sum is the total of one kind of lines, in cents.
func (inv Invoice) Sum(k Kind) int64 {
	var sum int64
	for _, l := range inv.Lines {
		if l.Kind == k {
			sum += l.Cents
		}
	}
	return sum
}

// Gross is the total before credits, in cents.
func (inv Invoice) Gross() int64 { return inv.Sum(Charge) + inv.Sum(Overage) + inv.Sum(Taxes) }

// Total is what is owed, in cents.
func (inv Invoice) Total() int64 { return inv.Gross() + inv.Sum(Credit) }

// Charges are the lines of what was used within the month, in the order of all.
func (t Terms) Charges(month period.Period, all []Usage) []Line {
	var lines []Line
	type pool struct {
		line int // its place among the lines
		all  []Usage
	}
	pools := map[string]*pool{}
	spent := map[string]int64{} // of the 672 hours, by thing and product
	for _, u := range all {
		u, ok := u.within(month)
		if !ok {
			continue
		}
		if u.Pool != "" {
			key := u.Pool + "\x00" + u.Price.RatString()
			if pools[key] == nil {
				pools[key] = &pool{line: len(lines)}
				lines = append(lines, Line{})
			}
			pools[key].all = append(pools[key].all, u)
			continue
		}
		left := int64(MonthSeconds)
		if key := u.Of + "\x00" + u.Product; t.CapPerThing {
			left -= spent[key]
			spent[key] += u.seconds()
		}
		lines = append(lines, t.line(u, unitSeconds(u, left)))
	}
	for _, p := range pools {
		lines[p.line] = t.pooled(p.all)
	}
	return slices.DeleteFunc(lines, func(l Line) bool { return l.Exact.Sign() == 0 })
}

// within is what of u lies in the month, in whole seconds as all of
// DigitalOcean's times are; false when nothing does.
func (u Usage) within(month period.Period) (Usage, bool) {
	u.From, u.To = u.From.Truncate(time.Second), u.To.Truncate(time.Second)
	begins := !u.From.Before(month.From) && u.From.Before(month.To)
	if u.To.After(month.To) {
		u.Unused = 0 // it belongs to where the life ends
	}
	if !u.To.After(u.From) {
		return u, begins && u.Unused > 0
	}
	both, ok := period.Period{From: u.From, To: u.To}.Overlap(month)
	u.From, u.To = both.From, both.To
	return u, ok
}

func (u Usage) seconds() int64 { return int64((u.To.Sub(u.From) + u.Unused) / time.Second) }

// unitSeconds are what u is billed for: its seconds, at most so many, times its units.
func unitSeconds(u Usage, most int64) *big.Rat {
	n := new(big.Rat).SetInt64(max(0, min(u.seconds(), most)))
	return n.Mul(n, u.Quantity)
}

// pooled is the line of a pool: of the 28 days in which it was largest. (From
// DigitalOcean's prices of Kubernetes: usage is aggregated first.)
func (t Terms) pooled(all []Usage) Line {
	whole := all[len(all)-1] // its newest labels
	for _, u := range all {
		if u.From.Before(whole.From) {
			whole.From = u.From
		}
		if u.To.After(whole.To) {
			whole.To = u.To
		}
	}
	left, total := int64(MonthSeconds), new(big.Rat)
	for _, u := range slices.SortedStableFunc(slices.Values(all), func(a, b Usage) int { return b.Quantity.Cmp(a.Quantity) }) {
		total.Add(total, unitSeconds(u, left))
		left -= u.seconds()
	}
	return t.line(whole, total)
}

func (t Terms) line(u Usage, unitSeconds *big.Rat) Line {
	exact := new(big.Rat).Mul(u.Price, unitSeconds)
	exact.Quo(exact, new(big.Rat).SetInt64(MonthSeconds))
	return Line{Labels: u.Labels, From: u.From, To: u.To, Exact: exact, Cents: t.atLeastACent(exact)}
}

// atLeastACent rounds dollars to cents, of which a charge costs one at least.
func (t Terms) atLeastACent(dollars *big.Rat) int64 {
	if dollars.Sign() <= 0 {
		return 0
	}
	return max(1, t.Rounding.Cents(dollars))
}

// Cents rounds dollars to the cent.
func (r Rounding) Cents(dollars *big.Rat) int64 {
	c := new(big.Rat).Mul(dollars, big.NewRat(100, 1))
	whole, rest := new(big.Int).QuoRem(c.Num(), c.Denom(), new(big.Int)) // towards zero
	away := rest.Abs(rest).Lsh(rest, 1).Cmp(c.Denom())
	n := whole.Int64()
	if away > 0 || away == 0 && (r == HalfUp || r == HalfEven && n%2 != 0) {
		n += int64(c.Sign())
	}
	return n
}

// Insights are what each day of the period adds to the bill of its month, by
// usage, rounded for itself: an estimate, of which DigitalOcean says itself that
// it need not come to the invoice. (Three $24 nodes are $2.57 a day.) Days
// begin at midnight UTC.
func (t Terms) Insights(days period.Period, all []Usage) []Line {
	var points []Line
	for day := days.From; day.Before(days.To); day = day.AddDate(0, 0, 1) {
		next := day.AddDate(0, 0, 1)
		month := period.Period{From: time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC), To: next}
		for _, u := range all {
			if !u.From.Before(next) {
				continue
			}
			u, ok := u.within(month)
			if !ok || u.To.Before(day) || u.To.Equal(day) && u.From.Before(day) {
				continue
			}
			before := u
			before.To, before.Unused = u.From, 0
			if u.From.Before(day) {
				before.To = day
			}
			billed := unitSeconds(u, MonthSeconds)
			if billed.Sub(billed, unitSeconds(before, MonthSeconds)); billed.Sign() > 0 {
				l := t.line(u, billed)
				l.From, l.To = day, next
				points = append(points, l)
			}
		}
	}
	return points
}

// Transfer is what leaves the cloud over the internet in a month, and what may
// leave it for nothing. Both are pooled among all things of a customer.
type Transfer struct {
	Allowance *big.Rat // GiB
	Sent      *big.Rat // GiB
	Price     *big.Rat // dollars for a GiB beyond the allowance
}

// Overage is the line of what was sent beyond the allowance, false when nothing was.
func (t Terms) Overage(month period.Period, x Transfer) (Line, bool) {
	over := new(big.Rat).Sub(x.Sent, x.Allowance)
	if over.Sign() <= 0 {
		return Line{}, false
	}
	exact := new(big.Rat).Mul(over, x.Price)
	return Line{
		Kind: Overage, From: month.From, To: month.To, Exact: exact, Cents: t.atLeastACent(exact),
		Labels: Labels{Product: "Bandwidth", SKU: "transfer", Code: "DO-BAND", Description: "Outbound transfer overage (" + over.FloatString(2) + " GiB)"},
	}, true
}

// TaxLines are the taxes on the lines, one of each rate, on the sum of what is
// charged.
func (t Terms) TaxLines(month period.Period, lines []Line) []Line {
	sum := Invoice{lines}
	base := big.NewRat(sum.Sum(Charge)+sum.Sum(Overage), 100)
	var taxes []Line
	for _, tax := range t.Taxes {
		exact := new(big.Rat).Mul(base, tax.Rate)
		cents := t.Rounding.Cents(exact)
		if cents == 0 {
			continue
		}
		percent := new(big.Rat).Mul(tax.Rate, big.NewRat(100, 1))
		taxes = append(taxes, Line{
			Kind: Taxes, From: month.From, To: month.To.Add(-time.Second), Exact: exact, Cents: cents,
			Labels: Labels{Product: "Taxes", Description: tax.Name + " (" + decimal(percent) + "%)"},
		})
	}
	return taxes
}

// decimal writes a number that has few decimals: 6.25.
func decimal(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// A Grant is money that a customer was given, and what is left of it in cents.
type Grant struct {
	Description string
	At          time.Time
	Left        int64
}

// Spend takes what an invoice costs from the grants, the oldest first, and
// returns the lines that say so. What is left of the grants is changed.
func Spend(month period.Period, gross int64, grants []*Grant) []Line {
	grants = slices.SortedStableFunc(slices.Values(grants), func(a, b *Grant) int { return a.At.Compare(b.At) })
	var lines []Line
	for _, g := range grants {
		used := min(g.Left, gross)
		if used <= 0 {
			continue
		}
		g.Left, gross = g.Left-used, gross-used
		lines = append(lines, Line{
			Kind: Credit, From: month.From, To: month.To.Add(-time.Second), Exact: big.NewRat(-used, 100), Cents: -used,
			Labels: Labels{Product: "Credits", Description: g.Description},
		})
	}
	return lines
}
