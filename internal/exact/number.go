package exact

import (
	"encoding/json"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// A Number is a decimal, or a decimal divided by a whole number above zero: what a
// price times 16 days of 31 is, before it is rounded. Numbers are values: nothing
// changes one. The zero Number is 0.
//
// Most numbers of a bill are short decimals, so those are coefficient · 10^−scale in
// a machine word; whatever does not fit is a ratio of decimals of any length.
type Number struct {
	coefficient int64
	scale       int32  // 0 to maxScale
	long        *ratio // instead of the two, where it is set
}

const maxScale = 18

var powers = func() (p [maxScale + 1]int64) {
	p[0] = 1
	for i := range p[1:] {
		p[i+1] = p[i] * 10
	}
	return p
}()

// Whole is a whole number.
func Whole(n int64) Number { return Number{coefficient: n} }

// Fraction is a/b. It panics unless b is above zero.
func Fraction(a, b int64) Number { return Quotient(Whole(a), Whole(b)) }

// Quotient is a divided by a decimal b above zero; it panics otherwise.
func Quotient(a, b Number) Number {
	if b.Sign() <= 0 {
		panic("exact: a divisor is not above zero")
	}
	if a.Sign() == 0 || b.long == nil && b.coefficient == powers[b.scale] {
		return a
	}
	return a.ratio().over(b.ratio()).number()
}

func (x Number) ratio() ratio {
	if x.long != nil {
		return *x.long
	}
	return newRatio(x.coefficient, x.scale)
}

// multiply is a·b; false when that does not fit.
func multiply(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(low), true
	}
	return int64(low), true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// align brings two short numbers to one scale; false when that does not fit.
func align(x, y Number) (a, b int64, scale int32, ok bool) {
	if x.long != nil || y.long != nil {
		return 0, 0, 0, false
	}
	a, b, scale, ok = x.coefficient, y.coefficient, max(x.scale, y.scale), true
	if x.scale < scale {
		a, ok = multiply(a, powers[scale-x.scale])
	} else if y.scale < scale {
		b, ok = multiply(b, powers[scale-y.scale])
	}
	return a, b, scale, ok
}

// Add is x + y.
func (x Number) Add(y Number) Number {
	if a, b, scale, ok := align(x, y); ok {
		if sum := a + b; (sum > a) == (b > 0) {
			return Number{coefficient: sum, scale: scale}
		}
	}
	return x.ratio().plus(y.ratio()).number()
}

// Neg is −x.
func (x Number) Neg() Number {
	if x.long == nil && x.coefficient != math.MinInt64 {
		return Number{coefficient: -x.coefficient, scale: x.scale}
	}
	return x.ratio().negative().number()
}

// Sub is x − y.
func (x Number) Sub(y Number) Number { return x.Add(y.Neg()) }

// Mul is x · y.
func (x Number) Mul(y Number) Number {
	if x.long == nil && y.long == nil && x.scale+y.scale <= maxScale {
		if product, ok := multiply(x.coefficient, y.coefficient); ok {
			return Number{coefficient: product, scale: x.scale + y.scale}
		}
	}
	return x.ratio().times(y.ratio()).number()
}

// Shift is x · 10ⁿ.
func (x Number) Shift(n int) Number {
	if scale := int(x.scale) - n; x.long == nil && scale >= 0 && scale <= maxScale {
		return Number{coefficient: x.coefficient, scale: int32(scale)}
	}
	return x.ratio().shifted(int32(n)).number()
}

// Cmp is −1, 0 or 1 as x is below, at or above y.
func (x Number) Cmp(y Number) int {
	if a, b, _, ok := align(x, y); ok {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	return x.ratio().compare(y.ratio())
}

// Equal reports whether x is y.
func (x Number) Equal(y Number) bool { return x.Cmp(y) == 0 }

// Sign is −1, 0 or 1 as x is below, at or above zero.
func (x Number) Sign() int {
	switch {
	case x.long != nil:
		return x.long.num.Sign()
	case x.coefficient < 0:
		return -1
	case x.coefficient > 0:
		return 1
	}
	return 0
}

// IsZero reports whether x is 0.
func (x Number) IsZero() bool { return x.Sign() == 0 }

// Min is the smaller of x and y.
func Min(x, y Number) Number {
	if y.Cmp(x) < 0 {
		return y
	}
	return x
}

// Max is the larger of x and y.
func Max(x, y Number) Number {
	if y.Cmp(x) > 0 {
		return y
	}
	return x
}

// Units is x·10ⁿ rounded to a whole number, half away from zero: with n = 2, the
// cents in x dollars.
func (x Number) Units(n int) *big.Int {
	if drop := int(x.scale) - n; x.long == nil && drop >= 0 && drop <= maxScale {
		quotient, rest := x.coefficient/powers[drop], x.coefficient%powers[drop]
		if rest != 0 && magnitude(rest) >= uint64(powers[drop])-magnitude(rest) {
			quotient += int64(x.Sign())
		}
		return big.NewInt(quotient)
	}
	return x.ratio().units(n)
}

// Round is x with at most n decimals, rounded half away from zero.
func (x Number) Round(n int) Number {
	if x.long == nil && int(x.scale) <= n {
		return x
	}
	return fromBig(x.Units(n), n)
}

// Ceil is the smallest whole number not below x.
func (x Number) Ceil() Number {
	if x.long == nil {
		quotient, rest := x.coefficient/powers[x.scale], x.coefficient%powers[x.scale]
		if rest > 0 {
			quotient++
		}
		return Whole(quotient)
	}
	return fromBig(x.long.ceil(), 0)
}

// fromBig is n · 10^−scale.
func fromBig(n *big.Int, scale int) Number {
	if n.IsInt64() && scale >= 0 && scale <= maxScale {
		return Number{coefficient: n.Int64(), scale: int32(scale)}
	}
	return ratioOf(n, scale).number()
}

// String writes x as a decimal. A fraction without an end is cut, not rounded,
// after 12 decimals: cutting keeps every rounding half away from zero to fewer
// decimals as it was, for what was above a tie stays at or above it.
func (x Number) String() string {
	if x.long != nil {
		return x.long.string()
	}
	digits := strconv.FormatUint(magnitude(x.coefficient), 10)
	if scale := int(x.scale); scale > 0 {
		digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	if x.coefficient < 0 {
		return "-" + digits
	}
	return digits
}

// MarshalJSON is the decimal in quotes.
func (x Number) MarshalJSON() ([]byte, error) { return strconv.AppendQuote(nil, x.String()), nil }

// UnmarshalJSON reads what MarshalJSON wrote of a decimal, of any length: it is for
// what we wrote ourselves. What people write is read by [ParseDecimal].
func (x *Number) UnmarshalJSON(text []byte) error {
	var digits string
	if err := json.Unmarshal(text, &digits); err != nil {
		return err
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(digits, "-"), ".")
	if !isDigits(whole + fraction) {
		return notANumber(digits)
	}
	coefficient, _ := new(big.Int).SetString(whole+fraction, 10) // they are digits
	if strings.HasPrefix(digits, "-") {
		coefficient.Neg(coefficient)
	}
	*x = fromBig(coefficient, len(fraction))
	return nil
}
