package rating_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

func dec(s string) exact.Number      { return exact.Must(s) }
func bound(s string) *exact.Number   { d := dec(s); return &d }
func num(s string) exact.Number      { return dec(s) }
func units(s string) rating.Quantity { return rating.Quantity{Units: num(s)} }
func values(s ...string) rating.Quantity {
	q := rating.Quantity{}
	for _, v := range s {
		q.Values = append(q.Values, dec(v))
		q.Units = q.Units.Add(num(v))
	}
	return q
}

// Tiers of the examples: 0.10 up to 10, 0.05 up to 20, 0.01 above, with flat fees.
func tiers() []rating.Tier {
	return []rating.Tier{
		{UpTo: bound("10"), Unit: dec("0.10"), Flat: dec("5")},
		{UpTo: bound("20"), Unit: dec("0.05"), Flat: dec("2")},
		{Unit: dec("0.01"), Flat: dec("1")},
	}
}

func TestModels(t *testing.T) {
	graduated := rating.Price{Model: rating.Graduated, Tiers: tiers()}
	volume := rating.Price{Model: rating.Volume, Tiers: tiers()}
	packages := rating.Price{Model: rating.Package, Price: dec("7"), PackageSize: dec("100")}
	blocks := []rating.Tier{{UpTo: bound("100"), Unit: dec("1"), Block: dec("10")}, {Unit: dec("0.5"), Block: dec("10")}}
	percentage := rating.Price{Model: rating.Percentage, Tiers: []rating.Tier{{Percent: dec("2.9")}}, PerEvent: dec("0.30")}
	for _, tt := range []struct {
		name  string
		price rating.Price
		q     rating.Quantity
		want  string
	}{
		{"flat: the price, whatever the quantity is", rating.Price{Model: rating.Flat, Price: dec("9.99")}, units("7"), "9.99"},
		{"flat: also where nothing was used", rating.Price{Model: rating.Flat, Price: dec("9.99")}, units("0"), "9.99"},
		{"flat: nothing where nothing used is free", rating.Price{Model: rating.Flat, Price: dec("9.99"), FreeAtZero: true}, units("0"), "0"},

		{"unit: fractions count", rating.Price{Model: rating.PerUnit, Price: dec("0.02")}, units("10.5"), "0.21"},
		{"unit: a price of 12 decimals", rating.Price{Model: rating.PerUnit, Price: dec("0.000000000001")}, units("3"), "0.000000000003"},
		{"unit: included units are free", rating.Price{Model: rating.PerUnit, Price: dec("2"), Included: dec("3")}, units("5"), "4"},
		{"unit: fewer than are included", rating.Price{Model: rating.PerUnit, Price: dec("2"), Included: dec("3")}, units("2"), "0"},
		{"unit: a correction below zero is a credit", rating.Price{Model: rating.PerUnit, Price: dec("2"), Included: dec("3")}, units("-5"), "-10"},

		{"graduated: nothing used owes the first flat fee", graduated, units("0"), "5"},
		{"graduated: an upper bound is in its tier", graduated, units("10"), "6"},                 // 5 + 1
		{"graduated: just above it is in the next", graduated, units("10.5"), "8.025"},            // 6 + 2 + 0.5·0.05
		{"graduated: three tiers", graduated, units("120"), "10.5"},                               // 6 + 2.5 + 1 + 1
		{"graduated: below zero at the first price, no flat fee", graduated, units("-3"), "-0.3"}, // a credit
		{"volume: nothing used owes the first flat fee", volume, units("0"), "5"},
		{"volume: an upper bound is in its tier", volume, units("10"), "6"},
		{"volume: above it all units are cheaper", volume, units("11"), "2.55"}, // 11·0.05 + 2: the total drops
		{"volume: the last tier", volume, units("21"), "1.21"},
		{"package: none", packages, units("0"), "0"},
		{"package: one that is begun is whole", packages, units("0.001"), "7"},
		{"package: full to the brim", packages, units("200"), "14"},
		{"package: one more", packages, units("201"), "21"},
		{"package: included units first", rating.Price{Model: rating.Package, Price: dec("7"), PackageSize: dec("100"), Included: dec("150")}, units("251"), "14"},

		{"blocks, graduated: up to whole blocks in each tier", rating.Price{Model: rating.Graduated, Tiers: blocks}, units("101"), "10.5"}, // 10·1 + 1·0.5
		{"blocks, volume: all units in blocks", rating.Price{Model: rating.Volume, Tiers: blocks}, units("101"), "5.5"},                    // 11·0.5
		{"past the last bound its price goes on", rating.Price{Model: rating.Graduated, Tiers: []rating.Tier{{UpTo: bound("5"), Unit: dec("1")}, {UpTo: bound("6"), Unit: dec("2")}}}, units("10"), "15"},

		{"percentage: a rate and a fee for each event", percentage, values("100", "50"), "4.95"}, // 4.35 + 0.60
		{"percentage: nothing for nothing", percentage, values("0"), "0"},
		{"percentage: no fee for events that are wholly free", rating.Price{Model: rating.Percentage, Tiers: percentage.Tiers, PerEvent: dec("0.30"), Included: dec("120")}, values("100", "50", "10"), "1.76"}, // 40·2.9 % + 2·0.30
		{"percentage: in tiers", rating.Price{Model: rating.Percentage, Tiers: []rating.Tier{{UpTo: bound("100"), Percent: dec("3")}, {Percent: dec("1")}}}, values("300"), "5"},
		{"graduated percentage: a percentage and a price in one tier", rating.Price{Model: rating.Graduated, Tiers: []rating.Tier{{Percent: dec("10"), Unit: dec("1"), Flat: dec("2")}}}, units("10"), "13"},

		{"order: off, then the maximum", rating.Price{Model: rating.PerUnit, Price: dec("1"), PercentOff: dec("50"), Maximum: bound("60")}, units("100"), "50"},
		{"order: the maximum binds after what is off", rating.Price{Model: rating.PerUnit, Price: dec("1"), PercentOff: dec("10"), Maximum: bound("60")}, units("100"), "60"},
		{"order: the minimum comes last", rating.Price{Model: rating.PerUnit, Price: dec("1"), PercentOff: dec("100"), Minimum: bound("8")}, units("100"), "8"},
		{"a minimum also where nothing was used", rating.Price{Model: rating.PerUnit, Price: dec("1"), Minimum: bound("8")}, units("0"), "8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := tt.price.Rate(tt.q, exact.Whole(1)); got.Cmp(num(tt.want)) != 0 {
				t.Errorf("%v costs %v, want %s", tt.q.Units, got, tt.want)
			}
		})
	}
}

// Trap: flat fee at zero usage. Engines answer it differently, so the price says.
func TestZeroUsageIsAFieldOfThePrice(t *testing.T) {
	for _, model := range []rating.Model{rating.Graduated, rating.Volume} {
		first, _ := (&rating.Price{Model: model, Tiers: tiers()}).Rate(units("0"), exact.Whole(1))
		none, _ := (&rating.Price{Model: model, Tiers: tiers(), FreeAtZero: true}).Rate(units("0"), exact.Whole(1))
		if first.Cmp(num("5")) != 0 || none.Sign() != 0 {
			t.Errorf("%s at zero usage: %v and %v, want 5 and 0", model, first, none)
		}
	}
}

// A minimum is for a whole period and counts for the share of it.
func TestAMinimumFollowsTheShare(t *testing.T) {
	p := rating.Price{Model: rating.PerUnit, Price: dec("1"), Minimum: bound("31")}
	if got, _ := p.Rate(units("2"), exact.Fraction(10, 31)); got.Cmp(num("10")) != 0 {
		t.Errorf("10/31 of a minimum of 31 = %v, want 10", got)
	}
}

// A level of 5 all of a period of 30 days, 15 from day 10 on (21 days left), 12 from
// day 20 on (11 days left), in tiers 1.00 up to 10 and 0.50 above, flat 4 and 3:
//
//	5·1 + (10·1 + 5·0.5 − 5)·21/30 + (10 + 2·0.5 − 12.5)·11/30 + 4 + 3
//	= 5 + 7.5·0.7 − 1.5·11/30 + 7 = 16.7
func TestProratedGraduatedRatesEachChange(t *testing.T) {
	p := rating.Price{Model: rating.Graduated, Prorated: true, Tiers: []rating.Tier{
		{UpTo: bound("10"), Unit: dec("1"), Flat: dec("4")}, {Unit: dec("0.5"), Flat: dec("3")}}}
	rest := func(n int64) rating.Share { return rating.Share{Part: n, Of: 30, Ratio: exact.Fraction(n, 30)} }
	q := rating.Quantity{Changes: []rating.Change{
		{Opens: true, Level: exact.Whole(5), Rest: rest(30)}, {Level: exact.Whole(15), Rest: rest(21)}, {Level: exact.Whole(12), Rest: rest(11)}}}
	if got, _ := p.Rate(q, exact.Whole(1)); got.Cmp(num("16.7")) != 0 {
		t.Errorf("got %v, want 16.7", got)
	}
}

var decimals = rapid.Custom(func(t *rapid.T) exact.Number {
	return exact.Whole(rapid.Int64Range(0, 1_000_000).Draw(t, "coefficient")).Shift(-rapid.IntRange(0, 6).Draw(t, "scale"))
})

// anyTiers are up to six tiers with whole bounds.
var anyTiers = rapid.Custom(func(t *rapid.T) []rating.Tier {
	var tiers []rating.Tier
	below := int64(0)
	for range rapid.IntRange(0, 5).Draw(t, "bounded") {
		below += rapid.Int64Range(1, 20).Draw(t, "size")
		up := exact.Whole(below)
		tiers = append(tiers, rating.Tier{UpTo: &up, Unit: decimals.Draw(t, "unit"), Flat: decimals.Draw(t, "flat"), Percent: decimals.Draw(t, "percent")})
	}
	return append(tiers, rating.Tier{Unit: decimals.Draw(t, "unit"), Flat: decimals.Draw(t, "flat")})
})

// Graduated is the sum over units one by one, each at the price of the tier that it
// falls in, with a flat fee when a tier is entered.
func TestGraduatedIsTheSumOverItsUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rating.Price{Model: rating.Graduated, Tiers: anyTiers.Draw(t, "tiers")}
		n := rapid.Int64Range(1, 120).Draw(t, "units")
		var want exact.Number
		entered := -1
		for unit := int64(1); unit <= n; unit++ {
			i := 0
			for i < len(p.Tiers)-1 && exact.Whole(unit).Cmp(*p.Tiers[i].UpTo) > 0 {
				i++
			}
			if i != entered {
				want, entered = want.Add(p.Tiers[i].Flat), i
			}
			want = want.Add(p.Tiers[i].Unit).Add(p.Tiers[i].Percent.Shift(-2))
		}
		if got, _ := p.Rate(rating.Quantity{Units: exact.Whole(n)}, exact.Whole(1)); got.Cmp(want) != 0 {
			t.Fatalf("%d units cost %v, one by one %v", n, got, want)
		}
	})
}

// More is never cheaper, but for volume, whose very point it is.
func TestMoreIsNeverCheaper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rating.Price{
			Model: rapid.SampledFrom([]rating.Model{rating.Flat, rating.PerUnit, rating.Graduated, rating.Package, rating.Percentage}).Draw(t, "model"),
			Price: decimals.Draw(t, "price"), PackageSize: exact.Whole(1).Add(decimals.Draw(t, "size")), Tiers: anyTiers.Draw(t, "tiers"),
			Included: decimals.Draw(t, "included"), PercentOff: exact.Whole(rapid.Int64Range(0, 100).Draw(t, "off")),
		}
		if rapid.Bool().Draw(t, "bounded") {
			low, high := decimals.Draw(t, "minimum"), decimals.Draw(t, "more")
			high = high.Add(low)
			p.Minimum, p.Maximum = &low, &high
		}
		less := decimals.Draw(t, "less")
		more := less.Add(decimals.Draw(t, "and"))
		a, _ := p.Rate(rating.Quantity{Units: less}, exact.Whole(1))
		b, _ := p.Rate(rating.Quantity{Units: more}, exact.Whole(1))
		if b.Cmp(a) < 0 {
			t.Fatalf("%s: %v costs %v and %v costs %v", p.Model, less, a, more, b)
		}
	})
}
