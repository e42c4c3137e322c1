package money_test

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

var currencies = []money.Currency{"USD", "JPY", "KWD"}

func TestParseAndDecimal(t *testing.T) {
	for _, tt := range []struct {
		in       string
		currency money.Currency
		minor    int64
		out      string
	}{
		{"12.34", "USD", 1234, "12.34"},
		{"12", "USD", 1200, "12.00"},
		{"-0.5", "USD", -50, "-0.50"},
		{"0.001", "KWD", 1, "0.001"},
		{"-1.2500", "EUR", -125, "-1.25"},
		{"500", "JPY", 500, "500"},
		{"500.0", "JPY", 500, "500"},
		{"92233720368547758.07", "USD", math.MaxInt64, "92233720368547758.07"},
		{"-92233720368547758.08", "USD", math.MinInt64, "-92233720368547758.08"},
	} {
		a, err := money.Parse(tt.in, tt.currency)
		if err != nil || a.Minor != tt.minor {
			t.Errorf("Parse(%q, %s) = %d, %v, want %d", tt.in, tt.currency, a.Minor, err, tt.minor)
			continue
		}
		if got := a.Decimal(); got != tt.out {
			t.Errorf("%d %s is written %q, want %q", a.Minor, a.Currency, got, tt.out)
		}
	}
}

func TestParseRefusesWhatItCannotHoldExactly(t *testing.T) {
	for _, tt := range []struct {
		in       string
		currency money.Currency
	}{
		{"12.345", "USD"}, {"1.5", "JPY"}, {"", "USD"}, {".5", "USD"}, {"5.", "USD"}, {"+5", "USD"}, {"--5", "USD"},
		{"1e3", "USD"}, {"1,000", "USD"}, {" 5", "USD"}, {"٣", "USD"}, {"92233720368547758.08", "USD"},
	} {
		if a, err := money.Parse(tt.in, tt.currency); !errors.Is(err, fault.Invalid) {
			t.Errorf("Parse(%q, %s) = %v, %v, want a fault of kind invalid", tt.in, tt.currency, a, err)
		}
	}
}

func TestParseCurrency(t *testing.T) {
	if c, err := money.ParseCurrency("eur"); c != "EUR" || err != nil {
		t.Errorf("ParseCurrency(eur) = %q, %v", c, err)
	}
	for _, code := range []string{"", "EU", "EURO", "XXX", "D A"} {
		if c, err := money.ParseCurrency(code); !errors.Is(err, fault.Invalid) {
			t.Errorf("ParseCurrency(%q) = %q, %v, want a fault of kind invalid", code, c, err)
		}
	}
}

func TestArithmeticIsChecked(t *testing.T) {
	usd := func(minor int64) money.Amount { return money.New(minor, "USD") }
	if _, err := usd(1).Add(money.New(1, "EUR")); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("adding EUR to USD = %v, want ErrCurrency", err)
	}
	if _, err := usd(1).Sub(money.Amount{}); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("subtracting no currency from USD = %v, want ErrCurrency", err)
	}
	for name, f := range map[string]func() (money.Amount, error){
		"max + 1":  func() (money.Amount, error) { return usd(math.MaxInt64).Add(usd(1)) },
		"min + -1": func() (money.Amount, error) { return usd(math.MinInt64).Add(usd(-1)) },
		"min - 1":  func() (money.Amount, error) { return usd(math.MinInt64).Sub(usd(1)) },
		"0 - min":  func() (money.Amount, error) { return usd(0).Sub(usd(math.MinInt64)) },
		"-min":     usd(math.MinInt64).Neg,
	} {
		if a, err := f(); !errors.Is(err, money.ErrOverflow) {
			t.Errorf("%s = %v, %v, want ErrOverflow", name, a, err)
		}
	}
}

func TestAllocate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		minor   int64
		weights []int64
		want    []int64
	}{
		{"evenly", 90, []int64{1, 1, 1}, []int64{30, 30, 30}},
		{"the earlier first among equals", 100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{"the largest remainder first", 100, []int64{1, 6, 1}, []int64{13, 75, 12}},
		{"a credit mirrors a charge", -100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{"nothing for no weight", 5, []int64{0, 1, 0}, []int64{0, 5, 0}},
		{"beyond 64 bits on the way", math.MaxInt64, []int64{math.MaxInt64, math.MaxInt64}, []int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []int64
			for _, share := range money.New(tt.minor, "USD").Allocate(tt.weights...) {
				got = append(got, share.Minor)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Allocate(%d by %v) = %v, want %v", tt.minor, tt.weights, got, tt.want)
			}
		})
	}
}

func TestDecimalReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64().Draw(t, "minor"), rapid.SampledFrom(currencies).Draw(t, "currency"))
		if back, err := money.Parse(a.Decimal(), a.Currency); back != a || err != nil {
			t.Fatalf("Parse(%q) = %v, %v, want %v", a.Decimal(), back, err, a)
		}
	})
}

func TestAddAndSubAgreeWithExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		check := func(got money.Amount, err error, want *big.Int) {
			if want.IsInt64() != (err == nil) || err == nil && got.Minor != want.Int64() {
				t.Fatalf("got %v, %v, want %v", got, err, want)
			}
		}
		sum, err := money.New(a, "USD").Add(money.New(b, "USD"))
		check(sum, err, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		difference, err := money.New(a, "USD").Sub(money.New(b, "USD"))
		check(difference, err, new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
	})
}

// Whatever is shared out adds up, and no share is a whole unit away from its
// exact part.
func TestAllocateIsExactAndFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64().Draw(t, "minor"), "USD")
		weights := rapid.SliceOfN(rapid.Int64Min(0), 1, 20).Filter(func(w []int64) bool {
			return slices.Max(w) > 0
		}).Draw(t, "weights")

		total := new(big.Int)
		for _, w := range weights {
			total.Add(total, big.NewInt(w))
		}
		shares := a.Allocate(weights...)
		if sum, err := money.Sum("USD", shares...); sum != a || err != nil {
			t.Fatalf("the shares of %v sum to %v, %v", a, sum, err)
		}
		for i, share := range shares {
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(a.Minor), big.NewInt(weights[i])), total)
			off := exact.Sub(exact, new(big.Rat).SetInt64(share.Minor))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("share %d of %v by %v is %v, off by %v", i, a, weights, share, off)
			}
		}
	})
}
