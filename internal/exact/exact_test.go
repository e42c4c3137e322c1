package exact_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

func TestParseDecimal(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "12": "12", "12.340": "12.34", "-0.5": "-0.5", "007": "7", "0.000000000001": "0.000000000001",
		"1e3": "1000", "1.5E-2": "0.015", "2e+0": "2", "99999999999999999999.5": "99999999999999999999.5", "0e30": "0",
	} {
		if got, err := exact.ParseDecimal(in); err != nil || got.String() != want {
			t.Errorf("ParseDecimal(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseDecimalRefuses(t *testing.T) {
	for _, in := range []string{
		"", "-", ".5", "5.", "+5", "--5", "1,000", " 5", "5 ", "٣", "0x10", "NaN", "Infinity", "1e", "1e+", "1e+-3", "e5", "1_000",
		// Never expanded, however short they are.
		"1e31", "1e-31", "1e999999999", "1e-999999999", "1e99999999999999999999", "0e31",
		strings.Repeat("9", 31), "0." + strings.Repeat("0", 30) + "1", "123456789e25", "0.5e-30",
	} {
		if got, err := exact.ParseDecimal(in); !errors.Is(err, fault.Invalid) {
			t.Errorf("ParseDecimal(%q) = %v, %v, want a fault of kind invalid", in, got, err)
		}
	}
}

func TestRoundsHalfAwayFromZero(t *testing.T) {
	for _, tt := range []struct {
		in     string
		digits int
		want   string
	}{
		{"0.125", 2, "0.13"}, {"1.005", 2, "1.01"}, {"-0.125", 2, "-0.13"}, {"0.124999", 2, "0.12"}, {"2.5", 0, "3"}, {"-2.5", 0, "-3"}, {"0.5", 0, "1"},
		{"1.2345", 3, "1.235"}, {"7", 2, "7"},
	} {
		if got := exact.Must(tt.in).Round(tt.digits); !got.Equal(exact.Must(tt.want)) {
			t.Errorf("%s to %d decimals = %v, want %s", tt.in, tt.digits, got, tt.want)
		}
	}
	if got := exact.Fraction(1, 8).Units(2).Int64(); got != 13 {
		t.Errorf("1/8 in hundredths = %d, want 13", got)
	}
}

func TestStringOfFractions(t *testing.T) {
	for _, tt := range []struct {
		x    exact.Number
		want string
	}{
		{exact.Fraction(1, 4), "0.25"},
		{exact.Fraction(-2, 3), "-0.666666666666"}, // cut, not rounded
		{exact.Fraction(3, 3), "1"},
		{exact.Quotient(exact.Must("1.5"), exact.Must("0.25")), "6"},
		{exact.Fraction(1, 1<<40), "0.0000000000009094947017729282379150390625"}, // it ends, so all of it
	} {
		if got := tt.x.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// anyNumber is a Number of any form, and the same as big.Rat.
func anyNumber(t *rapid.T, name string) (exact.Number, *big.Rat) {
	whole := rapid.Int64().Draw(t, name)
	if rapid.Bool().Draw(t, name+" is small") {
		whole %= 10_000
	}
	scale := rapid.IntRange(0, 20).Draw(t, name+" scale")
	x := exact.Whole(whole).Shift(-scale)
	r := new(big.Rat).SetFrac(big.NewInt(whole), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	if rapid.Bool().Draw(t, name+" has a denominator") {
		den := rapid.Int64Range(1, 1_000_000_000_000).Draw(t, name+" denominator")
		x, r = exact.Quotient(x, exact.Whole(den)), r.Quo(r, new(big.Rat).SetInt64(den))
	}
	return x, r
}

// Short or long, numbers reckon as exact fractions do.
func TestArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, xr := anyNumber(t, "x")
		y, yr := anyNumber(t, "y")
		z, zr := anyNumber(t, "z")
		got := x.Mul(y).Sub(z).Add(x)
		want := new(big.Rat).Mul(xr, yr)
		want.Sub(want, zr).Add(want, xr)
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		if n := roundRat(want, digits); got.Units(digits).Cmp(n) != 0 {
			t.Fatalf("(%v·%v − %v + %v) to %d decimals = %v, want %v", x, y, z, x, digits, got.Units(digits), n)
		}
		if x.Cmp(y) != xr.Cmp(yr) || got.Sign() != want.Sign() {
			t.Fatalf("%v against %v = %d, want %d; sign of %v = %d", x, y, x.Cmp(y), xr.Cmp(yr), got, got.Sign())
		}
		if ceil := got.Ceil(); ceil.Cmp(got) < 0 || ceil.Sub(exact.Whole(1)).Cmp(got) >= 0 || !ceil.Round(0).Equal(ceil) {
			t.Fatalf("the ceiling of %v is %v", got, ceil)
		}
		if y.Sign() > 0 && y.Shift(20).Round(0).Equal(y.Shift(20)) { // a decimal
			if back := exact.Quotient(x, y).Mul(y); !back.Equal(x) {
				t.Fatalf("%v / %v · %v = %v", x, y, y, back)
			}
		}
	})
}

func roundRat(r *big.Rat, digits int) *big.Int {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)))
	half := big.NewRat(1, 2)
	if scaled.Sign() < 0 {
		half.Neg(half)
	}
	scaled.Add(scaled, half)
	return new(big.Int).Quo(scaled.Num(), scaled.Denom())
}

// What is shown of a number rounds to the same minor units as the number itself.
func TestWhatIsShownRoundsAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "a"), rapid.Int64Range(1, 3_000_000).Draw(t, "b")
		x := exact.Fraction(a, b)
		shown, err := exact.ParseDecimal(x.String())
		if len(x.String()) > 30 {
			t.Skip("longer than what people write")
		}
		if err != nil || shown.Units(2).Cmp(x.Units(2)) != 0 {
			t.Fatalf("%d/%d is shown as %s, which rounds to %v and not to %v (%v)", a, b, x, shown.Units(2), x.Units(2), err)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, seed := range []string{"12.34", "-0.5", "1e30", "1e999999999", "0e-30", strings.Repeat("9", 30), "1e+05", "12E2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := exact.ParseDecimal(text)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if s := x.String(); len(s) > 62 {
			t.Fatalf("%q fills %d bytes", text, len(s))
		}
		if want, ok := new(big.Rat).SetString(text); !ok || roundRat(want, 30).Cmp(x.Units(30)) != 0 {
			t.Fatalf("%q is read as %v", text, x)
		}
		if back, err := exact.ParseDecimal(x.String()); err != nil || !back.Equal(x) {
			t.Fatalf("%q is written %q, which is read as %v, %v", text, x, back, err)
		}
	})
}
