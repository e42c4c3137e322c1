package rating

import (
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// A Tax is a rate in percent. An inclusive one is already in the amounts.
type Tax struct {
	ID        string
	Rate      exact.Number
	Inclusive bool
}

func (t Tax) same(u Tax) bool {
	return t.ID == u.ID && t.Inclusive == u.Inclusive && t.Rate.Equal(u.Rate)
}

func (t Tax) of(base exact.Number) exact.Number { return percentOf(base, t.Rate) }

// A TaxRounding is where tax is rounded.
type TaxRounding string

// The places where tax is rounded.
const (
	PerRate    TaxRounding = "per_rate"    // once per rate, on the sum of its lines
	PerLine    TaxRounding = "per_line"    // on each line
	PerInvoice TaxRounding = "per_invoice" // once, on the exact sum; the rates shown may not add up (Lago)
)

// A Taxable is a line as taxes see it, in minor units.
type Taxable struct {
	Amount int64        // less its rounded share of the discounts
	Exact  exact.Number // less its unrounded share of the discounts
	Taxes  []Tax
}

// A TaxAmount is a rate's tax on its base, which is net of tax, in minor units.
type TaxAmount struct {
	Tax
	Base, Amount int64
}

// TaxTotals are the taxes of a document.
type TaxTotals struct {
	Rates   []TaxAmount // in the order in which lines name them
	PerLine []int64
	Total   int64 // of all rates
	OnTop   int64 // of it, what comes on top of the amounts: of rates that are not inclusive
}

// minor rounds a number of minor units, half away from zero. Sums of amounts that
// were checked when they were made stay within what an int64 holds a hundred
// times over; see money.Round.
func minor(x exact.Number) int64 { return x.Units(0).Int64() }

// netOf takes the inclusive taxes out of a gross amount.
func netOf(gross exact.Number, inclusive []Tax) exact.Number {
	rates := exact.Whole(0)
	for _, t := range inclusive {
		rates = rates.Add(t.Rate)
	}
	return exact.Quotient(gross.Mul(hundred), hundred.Add(rates))
}

func splitTaxes(taxes []Tax) (inclusive, exclusive []Tax) {
	for _, t := range taxes {
		if t.Inclusive {
			inclusive = append(inclusive, t)
		} else {
			exclusive = append(exclusive, t)
		}
	}
	return inclusive, exclusive
}

// Taxes reckons the taxes of lines. Under every rounding the tax of the lines adds
// up to the total; under PerRate and PerLine, so do the rates.
func Taxes(rounding TaxRounding, lines []Taxable) TaxTotals {
	switch rounding {
	case PerLine:
		return taxesPerLine(lines)
	case PerInvoice:
		return taxesPerInvoice(lines)
	}
	return taxesPerRate(lines)
}

func (t *TaxTotals) rate(tax Tax) *TaxAmount {
	i := slices.IndexFunc(t.Rates, func(r TaxAmount) bool { return r.same(tax) })
	if i < 0 {
		i = len(t.Rates)
		t.Rates = append(t.Rates, TaxAmount{Tax: tax})
	}
	return &t.Rates[i]
}

// register names the rates in the order in which lines do.
func (t *TaxTotals) register(lines []Taxable) {
	t.PerLine = make([]int64, len(lines))
	for _, l := range lines {
		for _, tax := range l.Taxes {
			t.rate(tax)
		}
	}
}

func (t *TaxTotals) add(tax Tax, line int, base, amount int64) {
	r := t.rate(tax)
	r.Base += base
	r.Amount += amount
	t.PerLine[line] += amount
	t.Total += amount
	if !tax.Inclusive {
		t.OnTop += amount
	}
}

func taxesPerLine(lines []Taxable) (t TaxTotals) {
	t.register(lines)
	for i, l := range lines {
		inclusive, exclusive := splitTaxes(l.Taxes)
		net := l.Amount
		if len(inclusive) > 0 {
			exactNet := netOf(exact.Whole(l.Amount), inclusive)
			net = minor(exactNet)
			for j, share := range Spread(l.Amount-net, each(inclusive, func(tax Tax) exact.Number { return tax.of(exactNet) })) {
				t.add(inclusive[j], i, net, share)
			}
		}
		for _, tax := range exclusive {
			t.add(tax, i, net, minor(tax.of(exact.Whole(net))))
		}
	}
	return t
}

func each[T any](list []T, f func(T) exact.Number) []exact.Number {
	values := make([]exact.Number, len(list))
	for i, v := range list {
		values[i] = f(v)
	}
	return values
}

func taxesPerRate(lines []Taxable) (t TaxTotals) {
	t.register(lines)
	nets := make([]int64, len(lines))
	// Inclusive taxes: lines with the same ones make one gross amount.
	done := make([]bool, len(lines))
	for i, l := range lines {
		inclusive, _ := splitTaxes(l.Taxes)
		nets[i] += l.Amount
		if done[i] || len(inclusive) == 0 {
			continue
		}
		var together []int
		var gross int64
		for j := i; j < len(lines); j++ {
			if same, _ := splitTaxes(lines[j].Taxes); slices.EqualFunc(inclusive, same, Tax.same) {
				together, done[j] = append(together, j), true
				gross += lines[j].Amount
			}
		}
		exactNet := netOf(exact.Whole(gross), inclusive)
		net := minor(exactNet)
		lineNets := Spread(net, each(together, func(j int) exact.Number { return netOf(exact.Whole(lines[j].Amount), inclusive) }))
		for k, tax := range Spread(gross-net, each(inclusive, func(tax Tax) exact.Number { return tax.of(exactNet) })) {
			shares := Spread(tax, each(together, func(j int) exact.Number {
				return inclusive[k].of(netOf(exact.Whole(lines[j].Amount), inclusive))
			}))
			if len(inclusive) == 1 { // the line's tax is what its net leaves
				for n, j := range together {
					shares[n] = lines[j].Amount - lineNets[n]
				}
			}
			for n, j := range together {
				t.add(inclusive[k], j, lineNets[n], shares[n])
			}
		}
		for n, j := range together {
			nets[j] += lineNets[n] - lines[j].Amount
		}
	}
	for k := range t.Rates {
		tax := t.Rates[k].Tax
		if tax.Inclusive {
			continue
		}
		var (
			carry []int
			base  int64
		)
		for i, l := range lines {
			if slices.ContainsFunc(l.Taxes, tax.same) {
				carry, base = append(carry, i), base+nets[i]
			}
		}
		total := minor(tax.of(exact.Whole(base)))
		for n, share := range Spread(total, each(carry, func(i int) exact.Number { return tax.of(exact.Whole(nets[i])) })) {
			t.add(tax, carry[n], nets[carry[n]], share)
		}
	}
	return t
}

// taxesPerInvoice rounds nothing but what is shown: the total once, and each
// rate's base and amount for itself.
func taxesPerInvoice(lines []Taxable) (t TaxTotals) {
	t.register(lines)
	bases, amounts := make([]exact.Number, len(t.Rates)), make([]exact.Number, len(t.Rates))
	perLine := make([]exact.Number, len(lines))
	var sum, inside exact.Number
	for i, l := range lines {
		inclusive, _ := splitTaxes(l.Taxes)
		net := l.Exact
		if len(inclusive) > 0 {
			net = netOf(net, inclusive)
		}
		for _, tax := range l.Taxes {
			amount := tax.of(net)
			k := slices.IndexFunc(t.Rates, func(r TaxAmount) bool { return r.same(tax) })
			bases[k], amounts[k] = bases[k].Add(net), amounts[k].Add(amount)
			perLine[i], sum = perLine[i].Add(amount), sum.Add(amount)
			if tax.Inclusive {
				inside = inside.Add(amount)
			}
		}
	}
	for k := range t.Rates {
		t.Rates[k].Base, t.Rates[k].Amount = minor(bases[k]), minor(amounts[k])
	}
	t.Total = minor(sum)
	t.OnTop = t.Total - minor(inside)
	t.PerLine = Spread(t.Total, perLine)
	return t
}

// Spread makes whole shares of exact ones whose sum, rounded, is total: each is
// rounded down, and what is left over goes, one unit each, to the largest
// fractions, the earlier first among equals (largest remainder). A negative total
// is spread as its positive, so that a credit mirrors a charge.
func Spread(total int64, parts []exact.Number) []int64 {
	if total < 0 {
		mirrored := Spread(-total, each(parts, exact.Number.Neg))
		for i := range mirrored {
			mirrored[i] = -mirrored[i]
		}
		return mirrored
	}
	shares := make([]int64, len(parts))
	fractions := make([]exact.Number, len(parts))
	order := make([]int, len(parts))
	left := total
	for i, x := range parts {
		floor := x.Neg().Ceil().Neg()
		shares[i], fractions[i], order[i] = minor(floor), x.Sub(floor), i
		left -= shares[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return fractions[b].Cmp(fractions[a]) })
	for n := int64(0); left > 0 && len(order) > 0; n, left = n+1, left-1 {
		shares[order[n%int64(len(order))]]++
	}
	for n := len(order) - 1; left < 0 && n >= 0; n, left = n-1, left+1 {
		shares[order[n]]--
	}
	return shares
}

// SpreadBy shares a total, at least 0, in the ratio of weights of which none is
// negative and one is above zero.
func SpreadBy(total int64, weights []int64) ([]int64, []exact.Number) {
	var sum exact.Number
	for _, w := range weights {
		sum = sum.Add(exact.Whole(w))
	}
	parts := each(weights, func(w int64) exact.Number {
		return exact.Quotient(exact.Whole(total).Mul(exact.Whole(w)), sum)
	})
	return Spread(total, parts), parts
}
