package rating

import (
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A ProrationUnit is what part of a period is measured in.
type ProrationUnit string

// The units of proration.
const (
	BySecond ProrationUnit = "second" // elapsed time, to the microsecond (Stripe)
	ByDay    ProrationUnit = "day"    // local days (Kill Bill, Lago)
	Whole    ProrationUnit = "none"   // a part costs what the whole costs
)

// A Convention is how a plan prorates. Engines answer the same question
// differently, so it is a value of the plan and not a habit of the code.
type Convention struct {
	Unit ProrationUnit
	// Inclusive says that the day on which service ends counts, and so each local
	// day that it touches; else a service is [first day, day of the end).
	Inclusive bool
	// Thirty divides by 30 days a month instead of by the days of the period.
	Thirty bool
	Zone   *time.Location
}

// Axis places service from one instant to another on the convention's axis. goesOn
// says that another service follows at its end, to which the day of the change
// then belongs.
func (c Convention) Axis(from, to time.Time, goesOn bool) period.Span {
	if c.Unit != ByDay {
		return period.Span{From: from.UnixMicro(), To: to.UnixMicro()}
	}
	span := period.Span{From: int64(period.DateOf(from, c.Zone)), To: int64(period.DateOf(to, c.Zone))}
	if c.Inclusive && !goesOn {
		span.To++
	}
	return span
}

// Instant is where a place on the axis begins.
func (c Convention) Instant(at int64) time.Time {
	if c.Unit != ByDay {
		return time.UnixMicro(at).UTC()
	}
	return period.Date(at).Begin(c.Zone)
}

// Period places period k of a schedule on the axis.
func (c Convention) Period(s period.Schedule, k int) period.Span {
	if c.Unit != ByDay {
		p := s.Period(k)
		return period.Span{From: p.From.UnixMicro(), To: p.To.UnixMicro()}
	}
	return period.Span{From: int64(s.Boundary(k)), To: int64(s.Boundary(k + 1))}
}

// Of is how long the whole is that a part of period k is measured by. run is the
// whole service that the part belongs to, which may reach beyond the period.
//
// Whole days with an exclusive end follow Kill Bill (BillingIntervalDetail,
// InvoiceDateUtils): a part at the period's start is measured by the cycle that
// begins there, any other by the cycle that ends where the part ends, and one
// cycle before or after a day is reckoned by the calendar from that day, not by
// the anchor. All other conventions divide by the period itself.
func (c Convention) Of(s period.Schedule, k int, run period.Span) int64 {
	whole := c.Period(s, k)
	switch {
	case c.Thirty && s.Unit.Months() > 0 && c.Unit == ByDay:
		return int64(30 * s.Count * s.Unit.Months())
	case c.Thirty && s.Unit.Months() > 0:
		return (time.Duration(s.Count*s.Unit.Months()) * 30 * 24 * time.Hour).Microseconds()
	case c.Unit != ByDay || c.Inclusive || run.From <= whole.From && run.To >= whole.To:
		return whole.Len()
	case run.From <= whole.From:
		return int64(s.Plus(period.Date(whole.From))) - whole.From
	}
	end := min(run.To, whole.To)
	return end - int64(s.Minus(period.Date(end)))
}

// A Share is a part of a period: so many of so many days or microseconds.
type Share struct {
	Part, Of int64
	Ratio    exact.Number
	Unit     ProrationUnit
}

// Complete is the share of what is not prorated.
var Complete = Share{Part: 1, Of: 1, Ratio: exact.Whole(1), Unit: Whole}

// ratioDecimals is how exact a ratio of whole days with an exclusive end is (Kill
// Bill's KillBillMoney.MAX_SCALE).
const ratioDecimals = 9

// Share is the part of period k that a span covers, of the given length of the
// whole. All of the period is 1 by every convention.
func (c Convention) Share(s period.Schedule, k int, part period.Span, of int64) Share {
	whole := c.Period(s, k)
	if c.Unit == Whole || part.From <= whole.From && part.To >= whole.To {
		return Share{Part: whole.Len(), Of: whole.Len(), Ratio: exact.Whole(1), Unit: c.Unit}
	}
	share := Share{Part: part.Len(), Of: of, Unit: c.Unit}
	if c.Thirty && c.Unit == ByDay && s.Unit.Months() > 0 && !c.Inclusive {
		share.Part = thirtyDays(period.Date(part.From), period.Date(part.To))
	}
	share.Part = min(max(share.Part, 0), share.Of)
	share.Ratio = exact.Fraction(share.Part, share.Of)
	if c.Unit == ByDay && !c.Inclusive {
		share.Ratio = share.Ratio.Round(ratioDecimals)
	}
	return share
}

// thirtyDays counts days as if each month whose end is crossed had 30.
func thirtyDays(from, to period.Date) int64 {
	days := int64(to - from)
	y, m, _ := from.Civil()
	for month := period.NewDate(y, m, 1); month+period.Date(month.DaysInMonth()) <= to; month += period.Date(month.DaysInMonth()) {
		days -= int64(month.DaysInMonth() - 30)
	}
	return days
}

// Explain says how the share came about.
func (s Share) Explain() Explanation {
	e := Explanation{Rule: "proration", Value: s.Ratio, Facts: []Fact{Text("unit", string(s.Unit))}}
	switch s.Unit {
	case ByDay:
		e.Facts = append(e.Facts, Num("days", exact.Whole(s.Part)), Num("of_days", exact.Whole(s.Of)))
	case BySecond:
		e.Facts = append(e.Facts, Num("seconds", exact.Fraction(s.Part, 1e6)), Num("of_seconds", exact.Fraction(s.Of, 1e6)))
	}
	return e
}
