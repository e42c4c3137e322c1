package period

import (
	"time"
)

// In is an instant by the clock of a customer, whose days are those of its zone. One
// without a zone, or with one that this machine does not know, has those of UTC.
func In(t time.Time, zone string) time.Time {
	if z, err := Zone(zone); err == nil {
		return t.In(z)
	}
	return t.UTC()
}

// DayIn is the day of an instant by a customer's clock.
func DayIn(t time.Time, zone string) string { return In(t, zone).Format(time.DateOnly) }

// DaysIn are a period's first and last day by a customer's clock, or where it does not
// begin and end with a day, the times too.
func DaysIn(from, to time.Time, zone string) string {
	a, b := In(from, zone), In(to, zone)
	if !a.Equal(midnight(a)) || !b.Equal(midnight(b)) {
		const layout = "2006-01-02 15:04"
		return a.Format(layout) + " to " + b.Format(layout)
	}
	if b.After(a) {
		b = b.AddDate(0, 0, -1)
	}
	return a.Format(time.DateOnly) + " to " + b.Format(time.DateOnly)
}

// midnight is when the day of t begins, which is not always at 00:00.
func midnight(t time.Time) time.Time {
	return DateOf(t, t.Location()).Begin(t.Location())
}
