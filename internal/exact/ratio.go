package exact

import (
	"math/big"

	"github.com/shopspring/decimal"
)

// A ratio is a decimal of any length over a whole number above zero.
type ratio struct {
	num decimal.Decimal
	den decimal.Decimal
}

var one = decimal.NewFromInt(1)

func newRatio(coefficient int64, scale int32) ratio {
	return ratio{decimal.New(coefficient, -scale), one}
}

func ratioOf(n *big.Int, scale int) ratio {
	return ratio{decimal.NewFromBigInt(n, -int32(scale)), one}
}

// longDigits is how long numbers may become before what they share is divided out.
const longDigits = 25

// number is r as short as it can be.
func (r ratio) number() Number {
	if !r.den.Equal(one) && r.den.NumDigits() >= longDigits {
		x := r.rat()
		r = ratio{decimal.NewFromBigInt(x.Num(), 0), decimal.NewFromBigInt(x.Denom(), 0)}
	}
	if r.den.Equal(one) {
		scale := -int(r.num.Exponent())
		if n := r.num.Coefficient(); scale < 0 && scale > -maxScale {
			if n.Mul(n, power(int64(-scale))); n.IsInt64() {
				return Number{coefficient: n.Int64()}
			}
		} else if n.IsInt64() && scale >= 0 && scale <= maxScale {
			return Number{coefficient: n.Int64(), scale: int32(scale)}
		}
	}
	return Number{long: &r}
}

func (r ratio) rat() *big.Rat {
	x := r.num.Rat()
	return x.Quo(x, r.den.Rat())
}

// over is r divided by s, which is above zero.
func (r ratio) over(s ratio) ratio {
	num, den := r.num.Mul(s.den), r.den.Mul(s.num)
	if e := den.Exponent(); e < 0 { // a/b = (a·10ⁿ)/(b·10ⁿ), whose divisor is whole
		num, den = num.Shift(-e), den.Shift(-e)
	}
	return ratio{num, den}
}

func (r ratio) plus(s ratio) ratio {
	if r.den.Equal(s.den) {
		return ratio{r.num.Add(s.num), r.den}
	}
	return ratio{r.num.Mul(s.den).Add(s.num.Mul(r.den)), r.den.Mul(s.den)}
}

func (r ratio) negative() ratio       { return ratio{r.num.Neg(), r.den} }
func (r ratio) times(s ratio) ratio   { return ratio{r.num.Mul(s.num), r.den.Mul(s.den)} }
func (r ratio) shifted(n int32) ratio { return ratio{r.num.Shift(n), r.den} }
func (r ratio) compare(s ratio) int   { return r.num.Mul(s.den).Cmp(s.num.Mul(r.den)) }

// scaled is r·10ⁿ as a fraction of whole numbers.
func (r ratio) scaled(n int) (num, den *big.Int) {
	num, den = r.num.Coefficient(), r.den.BigInt()
	if e := int64(r.num.Exponent()) + int64(n); e >= 0 {
		num.Mul(num, power(e))
	} else {
		den.Mul(den, power(-e))
	}
	return num, den
}

func power(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// units is r·10ⁿ rounded half away from zero.
func (r ratio) units(n int) *big.Int {
	num, den := r.scaled(n)
	quotient, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if rest.Lsh(rest, 1).CmpAbs(den) >= 0 {
		quotient.Add(quotient, big.NewInt(int64(num.Sign())))
	}
	return quotient
}

func (r ratio) ceil() *big.Int {
	num, den := r.scaled(0)
	quotient, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}

// shownDecimals is how many decimals are shown of what has no end.
const shownDecimals = 12

func (r ratio) string() string {
	x := r.rat()
	if digits, exact := x.FloatPrec(); exact {
		n := new(big.Int).Mul(x.Num(), power(int64(digits)))
		return decimal.NewFromBigInt(n.Quo(n, x.Denom()), -int32(digits)).String()
	}
	num, den := r.scaled(shownDecimals)
	return decimal.NewFromBigInt(num.Quo(num, den), -shownDecimals).String()
}
