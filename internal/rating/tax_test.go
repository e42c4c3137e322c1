package rating_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		name    string
		total   int64
		weights []int64
		want    []int64
	}{
		{"evenly", 90, []int64{1, 1, 1}, []int64{30, 30, 30}},
		{"the earlier first among equals", 100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{"the largest fraction first", 100, []int64{1, 6, 1}, []int64{13, 75, 12}},
		{"nothing for no weight", 5, []int64{0, 1, 0}, []int64{0, 5, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, parts := rating.SpreadBy(tt.total, tt.weights)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for i := range parts {
				parts[i] = parts[i].Neg()
			}
			for i, share := range rating.Spread(-tt.total, parts) {
				if share != -tt.want[i] {
					t.Errorf("a credit does not mirror the charge: %d and %d", share, tt.want[i])
				}
			}
		})
	}
}

// However lines are taxed, their tax adds up to the total, that to the rates, and no
// rate is off by a whole unit from its exact tax but for lines rounded one by one.
func TestTaxesAddUp(t *testing.T) {
	rates := []rating.Tax{
		{ID: "a", Rate: dec("19")}, {ID: "b", Rate: dec("7.25")}, {ID: "c", Rate: dec("0.5")}, {ID: "d", Rate: dec("20"), Inclusive: true},
		{ID: "e", Rate: dec("2.1"), Inclusive: true}, {ID: "zero", Rate: dec("0")},
	}
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rating.Taxable {
			amount := rapid.Int64Range(-100_000, 1_000_000).Draw(t, "amount")
			l := rating.Taxable{Amount: amount, Exact: exact.Whole(amount)}
			for _, r := range rates {
				if rapid.Bool().Draw(t, r.ID) {
					l.Taxes = append(l.Taxes, r)
				}
			}
			return l
		}), 1, 8).Draw(t, "lines")
		rounding := rapid.SampledFrom([]rating.TaxRounding{rating.PerRate, rating.PerLine, rating.PerInvoice}).Draw(t, "rounding")
		got := rating.Taxes(rounding, lines)
		var byLine, byRate, onTop int64
		for _, tax := range got.PerLine {
			byLine += tax
		}
		for _, r := range got.Rates {
			byRate += r.Amount
			if !r.Inclusive {
				onTop += r.Amount
			}
			slack := exact.Whole(1)
			if rounding == rating.PerLine {
				slack = exact.Whole(int64(len(lines)))
			}
			off := exact.Whole(r.Base).Mul(r.Rate).Shift(-2).Sub(exact.Whole(r.Amount))
			if exact.Max(off, off.Neg()).Cmp(slack.Add(slack)) > 0 {
				t.Fatalf("%s: %d on %d at %v %%", rounding, r.Amount, r.Base, r.Rate)
			}
			if rounding == rating.PerRate && !r.Inclusive && exact.Max(off, off.Neg()).Cmp(exact.Fraction(1, 2)) > 0 {
				t.Fatalf("%d on %d at %v %% was rounded more than once", r.Amount, r.Base, r.Rate)
			}
		}
		if byLine != got.Total || rounding != rating.PerInvoice && (byRate != got.Total || onTop != got.OnTop) {
			t.Fatalf("%s: lines %d, rates %d, total %d; on top %d and %d", rounding, byLine, byRate, got.Total, onTop, got.OnTop)
		}
		if rounding == rating.PerInvoice && (byRate-got.Total > int64(len(rates)) || got.Total-byRate > int64(len(rates))) {
			t.Fatalf("rates %d, total %d", byRate, got.Total)
		}
	})
}

// A discount's shares add up and leave no line below zero.
func TestDiscountsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Int64Range(-1000, 100_000), 1, 8).Draw(t, "lines")
		d := rating.Discount{Amount: rapid.Int64Range(0, 200_000).Draw(t, "amount")}
		if rapid.Bool().Draw(t, "percent") {
			p := exact.Fraction(rapid.Int64Range(0, 10_000).Draw(t, "basis points"), 100)
			d.Percent = &p
		}
		total, shares, parts := d.Off(lines)
		var sum, there int64
		for i, l := range lines {
			sum += shares[i]
			there += max(l, 0)
			if shares[i] < 0 || shares[i] > max(l, 0) {
				t.Fatalf("%d off a line of %d", shares[i], l)
			}
			if off := exact.Whole(shares[i]).Sub(parts[i]); exact.Max(off, off.Neg()).Cmp(exact.Whole(1)) >= 0 {
				t.Fatalf("a share of %v is rounded to %d", parts[i], shares[i])
			}
		}
		if sum != total || total > there {
			t.Fatalf("%d off %v, in shares %v", total, lines, shares)
		}
	})
}
