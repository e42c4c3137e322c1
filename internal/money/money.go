// Package money is amounts of money: whole minor units of a currency, added and
// shared out exactly. There is no float in it, and nothing is rounded but by
// [Round].
package money

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An Amount is a number of minor units, such as cents: 1234 USD is $12.34. The
// zero Amount belongs to no currency and can be added to none.
type Amount struct {
	Minor    int64    `json:"amount"`
	Currency Currency `json:"currency"`
}

var (
	// ErrCurrency says that two amounts are of different currencies.
	ErrCurrency = errors.New("money: amounts of different currencies")
	// ErrOverflow says that a result is beyond 2⁶³−1 minor units.
	ErrOverflow = errors.New("money: amount out of range")
)

// New returns an amount of so many minor units.
func New(minor int64, c Currency) Amount { return Amount{minor, c} }

// Parse reads an exact decimal number of major units, such as "12.34", "-0.5"
// or "12". A number with more decimals than the currency has, unless they are
// zeros, is a fault of kind Invalid, as is one that is out of range.
func Parse(decimal string, c Currency) (Amount, error) {
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(decimal, "-"), ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) {
		return Amount{}, fault.New(fault.Invalid, "%q is no amount of money. One is written like 12.34.", decimal)
	}
	digits := c.Digits()
	if strings.TrimRight(fraction, "0") != strings.TrimRight(fraction[:min(digits, len(fraction))], "0") {
		return Amount{}, fault.New(fault.Invalid, "%q has more decimals than the %d of %s.", decimal, digits, c)
	}
	fraction = (fraction + strings.Repeat("0", digits))[:digits]
	sign := decimal[:len(decimal)-len(strings.TrimPrefix(decimal, "-"))]
	minor, err := strconv.ParseInt(sign+whole+fraction, 10, 64)
	if err != nil {
		return Amount{}, fault.New(fault.Invalid, "%q is too large an amount of money.", decimal)
	}
	return Amount{minor, c}, nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Round makes an amount of an exact number of major units: to the currency's
// minor unit, half away from zero, credits like charges. ErrOverflow when that is
// beyond 2⁶³−1 minor units.
func Round(x exact.Number, c Currency) (Amount, error) {
	minor := x.Units(c.Digits())
	if !minor.IsInt64() {
		return Amount{}, ErrOverflow
	}
	return Amount{minor.Int64(), c}, nil
}

// Exact is a in major units.
func (a Amount) Exact() exact.Number {
	return exact.Whole(a.Minor).Shift(-a.Currency.Digits())
}

// Add returns a + b, or ErrCurrency or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%w: %s and %s", ErrCurrency, a.Currency, b.Currency)
	}
	sum := a.Minor + b.Minor
	if (sum > a.Minor) != (b.Minor > 0) {
		return Amount{}, ErrOverflow
	}
	return Amount{sum, a.Currency}, nil
}

// Sub returns a − b, or ErrCurrency or ErrOverflow.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%w: %s and %s", ErrCurrency, a.Currency, b.Currency)
	}
	difference := a.Minor - b.Minor
	if (difference < a.Minor) != (b.Minor > 0) {
		return Amount{}, ErrOverflow
	}
	return Amount{difference, a.Currency}, nil
}

// Neg returns −a, or ErrOverflow.
func (a Amount) Neg() (Amount, error) { return Amount{0, a.Currency}.Sub(a) }

// Sum adds amounts of currency c; none give zero.
func Sum(c Currency, amounts ...Amount) (Amount, error) {
	sum := Amount{0, c}
	for _, a := range amounts {
		var err error
		if sum, err = sum.Add(a); err != nil {
			return Amount{}, err
		}
	}
	return sum, nil
}

// Decimal writes a in major units with all the currency's decimals: "-0.50",
// for JPY "50". Parse reads it back.
func (a Amount) Decimal() string {
	sign, digits := "", strconv.FormatInt(a.Minor, 10)
	if a.Minor < 0 {
		sign, digits = "-", digits[1:]
	}
	n := a.Currency.Digits()
	if n == 0 {
		return sign + digits
	}
	digits = strings.Repeat("0", max(0, n+1-len(digits))) + digits
	return sign + digits[:len(digits)-n] + "." + digits[len(digits)-n:]
}

// String writes a for people: "12.34 USD".
func (a Amount) String() string { return a.Decimal() + " " + string(a.Currency) }

// Allocate shares a out in the ratio of weights, so that the shares sum to a
// exactly. Every share is its exact part rounded towards zero, and the units
// left over go one each to the parts that lost most by the rounding (largest
// remainder), the earlier first among equals. The weights are not negative and
// not all zero; Allocate panics otherwise. A weight of zero gets nothing.
func (a Amount) Allocate(weights ...int64) []Amount {
	total := new(big.Int)
	for _, w := range weights {
		if w < 0 {
			panic("money: a weight is negative")
		}
		total.Add(total, big.NewInt(w))
	}
	if total.Sign() == 0 {
		panic("money: no weight is above zero")
	}
	shares := make([]Amount, len(weights))
	remainders := make([]*big.Int, len(weights))
	order := make([]int, len(weights))
	left := a.Minor
	for i, w := range weights {
		part := new(big.Int).Mul(big.NewInt(a.Minor), big.NewInt(w))
		part, remainders[i] = part.QuoRem(part, total, new(big.Int)) // towards zero; |part| ≤ |a|
		shares[i] = Amount{part.Int64(), a.Currency}
		left -= part.Int64()
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return remainders[j].CmpAbs(remainders[i]) })
	unit := int64(1)
	if left < 0 {
		unit = -1
	}
	for _, i := range order[:left*unit] { // fewer than there are remainders
		shares[i].Minor += unit
	}
	return shares
}
