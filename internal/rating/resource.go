package rating

import (
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// What DigitalOcean charges for a resource (droplets since 2026-01-01, its pricing
// pages): by the second, where a month's price is that of 672 hours and no month
// costs more, and at least 0.01. A month is the calendar's, in UTC, as are its invoices.
// A droplet's life costs at least a minute of it, one with a GPU five; what of that it
// did not live is of the month in which it ends.
const (
	cappedSeconds = 672 * 60 * 60
	shortest      = time.Minute
	shortestGPU   = 5 * time.Minute
)

var (
	minimumCost = exact.Must("0.01")
	micro       = exact.Whole(1_000_000)
)

// cost is what the first seconds of a resource in one month cost.
func cost(priceMonthly exact.Number, lived time.Duration) exact.Number {
	if lived <= 0 {
		return exact.Number{}
	}
	byTime := exact.Quotient(priceMonthly.Mul(exact.Whole(lived.Microseconds())), micro.Mul(exact.Whole(cappedSeconds)))
	return exact.Min(priceMonthly, exact.Max(minimumCost, byTime))
}

// unlived is what a life that has ended is billed for beyond its end.
func unlived(l metering.Lifetime) time.Duration {
	least := time.Duration(0)
	switch {
	case l.To.IsZero() || l.Kind != "droplet":
	case strings.HasPrefix(l.Size, "gpu-"):
		least = shortestGPU
	default:
		least = shortest
	}
	return max(0, least-l.To.Sub(l.From))
}

// CloudCost is what a resource costs at the cloud within windows of time. Each
// month costs what its first seconds do: a window costs what the month costs up to
// its end less what it costs up to its start, so that windows side by side add up
// to the month's bill, with its cap and its minimum.
func CloudCost(l metering.Lifetime, windows []period.Period) (value exact.Number, seconds exact.Number, e Explanation) {
	for _, w := range windows {
		life, ok := l.Until(w.To).Overlap(w)
		if !ok {
			continue
		}
		seconds = seconds.Add(exact.Fraction(life.Duration().Microseconds(), 1e6))
		y, m, _ := life.From.UTC().Date()
		for month := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC); month.Before(life.To); month = month.AddDate(0, 1, 0) {
			in := period.Period{From: month, To: month.AddDate(0, 1, 0)}
			lived, _ := period.Period{From: l.From, To: life.To}.Overlap(in)
			before, _ := period.Period{From: l.From, To: life.From}.Overlap(in)
			billed := lived.Duration()
			if life.To.Equal(l.To) && !l.To.After(in.To) {
				billed += unlived(l)
			}
			part := cost(l.PriceMonthly, billed).Sub(cost(l.PriceMonthly, before.Duration()))
			value = value.Add(part)
			facts := []Fact{
				Text("month", month.Format("2006-01")),
				Num("seconds_before", exact.Fraction(before.Duration().Microseconds(), 1e6)),
				Num("seconds_lived", exact.Fraction(lived.Duration().Microseconds(), 1e6)),
			}
			if billed > lived.Duration() {
				facts = append(facts, Num("seconds_billed", exact.Fraction(billed.Microseconds(), 1e6)))
			}
			e.Of = append(e.Of, Explanation{Rule: "month", Value: part, Facts: append(facts, Num("capped_seconds", exact.Whole(cappedSeconds)))})
		}
	}
	e.Rule, e.Value = "cloud_cost", value
	e.Facts = []Fact{Text("urn", l.URN), Text("size", l.Size), Num("price_monthly", l.PriceMonthly), Num("seconds", seconds)}
	return value, seconds, e
}

// MeanNumber is how many resources lived, on the mean, during a whole period of
// which windows are counted.
func MeanNumber(lifetimes []metering.Lifetime, windows []period.Period, whole period.Period) (Quantity, Explanation) {
	var (
		lived time.Duration
		urns  []string
	)
	for _, l := range lifetimes {
		var own time.Duration
		for _, w := range windows {
			life, _ := l.Until(w.To).Overlap(w)
			own += life.Duration()
		}
		if own > 0 && len(urns) < mostNames {
			urns = append(urns, l.URN)
		}
		lived += own
	}
	units := exact.Fraction(lived.Microseconds(), whole.Duration().Microseconds())
	return Quantity{Units: units}, Explanation{Rule: "resource_time", Value: units, Facts: []Fact{
		Num("seconds", exact.Fraction(lived.Microseconds(), 1e6)),
		Num("of_seconds", exact.Fraction(whole.Duration().Microseconds(), 1e6)),
		{Name: "urns", Texts: append([]string{}, urns...)},
	}}
}
