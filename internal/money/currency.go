package money

import (
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Currency is an ISO 4217 code, such as "USD".
type Currency string

// The active codes of ISO 4217 (list one, SIX Group) that money is owed in,
// by the number of their decimals. Funds, metals and test codes are left out.
const (
	noDecimals    = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
	threeDecimals = "BHD IQD JOD KWD LYD OMR TND"
	twoDecimals   = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP " +
		"CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES " +
		"KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD " +
		"PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY " +
		"TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)

// ParseCurrency returns the currency with this ISO 4217 code, in any case, or a
// fault of kind Invalid.
func ParseCurrency(code string) (Currency, error) {
	c := strings.ToUpper(code)
	if has(twoDecimals, c) || has(noDecimals, c) || has(threeDecimals, c) {
		return Currency(c), nil
	}
	return "", fault.New(fault.Invalid, "%q is no currency. One is a code like USD or EUR.", code)
}

// Digits is the number of decimals of the currency's minor unit: 2 for USD, 0
// for JPY, 3 for KWD. It is 2 for what is no currency.
func (c Currency) Digits() int {
	switch {
	case has(noDecimals, string(c)):
		return 0
	case has(threeDecimals, string(c)):
		return 3
	default:
		return 2
	}
}

func has(codes, code string) bool {
	return len(code) == 3 && !strings.Contains(code, " ") && strings.Contains(codes, code)
}
