// Package exact is numbers that are never rounded but where somebody asks for it:
// decimals as people write them, and quotients of decimals. There is no float.
// What does not fit a machine word is shopspring/decimal's.
package exact

import (
	"math/big"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// What Parse reads at most, so that no short text stands for a number that fills
// the memory: digits before and after the point, and a power of ten.
const (
	maxWhole    = 30
	maxFraction = 30
	maxExponent = 30
)

// ParseDecimal reads a decimal number: an optional minus, digits, an optional
// fraction, an optional power of ten as JSON has it. A number of more than 30
// digits before or 30 after the point, or with a power of ten beyond ±30, is a
// fault of kind Invalid and is never expanded.
func ParseDecimal(text string) (Number, error) {
	mantissa, exponent, scientific := text, 0, false
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		scientific = true
		mantissa = text[:i]
		power := text[i+1:]
		digits := strings.TrimLeft(power, "+-")
		if !isDigits(digits) || len(power)-len(digits) > 1 {
			return Number{}, notANumber(text)
		}
		digits = strings.TrimLeft(digits, "0")
		if len(digits) > 2 {
			return Number{}, tooLong(text)
		}
		for _, d := range digits {
			exponent = exponent*10 + int(d-'0')
		}
		if exponent > maxExponent {
			return Number{}, tooLong(text)
		}
		if strings.HasPrefix(power, "-") {
			exponent = -exponent
		}
	}
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) {
		return Number{}, notANumber(text)
	}
	if len(strings.TrimLeft(whole, "0")) > maxWhole || len(strings.TrimRight(fraction, "0")) > maxFraction {
		return Number{}, tooLong(text)
	}
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	coefficient, ok := new(big.Int).SetString("0"+whole+fraction, 10)
	if !ok {
		return Number{}, notANumber(text)
	}
	if strings.HasPrefix(mantissa, "-") {
		coefficient.Neg(coefficient)
	}
	if coefficient.Sign() == 0 {
		return Number{}, nil
	}
	digits := len(strings.TrimLeft(whole+fraction, "0"))
	if scientific && (digits-len(fraction)+exponent > maxWhole || len(fraction)-exponent > maxFraction) {
		return Number{}, tooLong(text)
	}
	return fromBig(coefficient, len(fraction)-exponent), nil
}

// Must is ParseDecimal for what is known to be a number; it panics otherwise.
func Must(text string) Number {
	d, err := ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func notANumber(text string) error {
	return fault.New(fault.Invalid, "%s is no decimal number. One is written like 12.34.", quoted(text))
}

func tooLong(text string) error {
	return fault.New(fault.Invalid, "%s is too long a number: at most %d digits before and %d after the point.", quoted(text), maxWhole, maxFraction)
}

// quoted is text in quotes, cut where it is long.
func quoted(text string) string {
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return `"` + strings.ToValidUTF8(text, "�") + `"`
}
