package period

import (
	"time"
)

// A Date is a day of the calendar, counted from 1 January 1970. Dates subtract to
// days; no clock and no zone is in them.
type Date int

const secondsPerDay = 24 * 60 * 60

// DateOf is the day that t falls on in a zone. One instant is another day in
// another zone.
func DateOf(t time.Time, zone *time.Location) Date {
	y, m, d := t.In(zone).Date()
	return NewDate(y, m, d)
}

// NewDate is a day by its year, month and day, which may lie outside of the month
// as with time.Date.
func NewDate(year int, month time.Month, day int) Date {
	return Date(floor(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), secondsPerDay))
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (d Date) midnight() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// Civil is the day's year, month and day of the month.
func (d Date) Civil() (int, time.Month, int) { return d.midnight().Date() }

// Weekday is the day's name.
func (d Date) Weekday() time.Weekday { return d.midnight().Weekday() }

// String writes d as 2006-01-02.
func (d Date) String() string { return d.midnight().Format(time.DateOnly) }

// AddMonths is the same day of the month n months later, the month's last day
// where it has no such day: 31 January + 1 is 28 or 29 February.
func (d Date) AddMonths(n int) Date {
	y, m, day := d.Civil()
	return onDay(y, m, n, day)
}

// onDay is the given day, or the last one, of the month n months after month m.
func onDay(y int, m time.Month, n, day int) Date {
	first, next := NewDate(y, m+time.Month(n), 1), NewDate(y, m+time.Month(n)+1, 1)
	return first + min(Date(day), next-first) - 1
}

func (d Date) daysInMonth() int {
	y, m, _ := d.Civil()
	return int(NewDate(y, m+1, 1) - NewDate(y, m, 1))
}

// DaysInMonth is the number of days of the month that d is in.
func (d Date) DaysInMonth() int { return d.daysInMonth() }

// Begin is the first instant of the day in a zone: local midnight, or where the
// clocks skip it the first instant after it. It is never reckoned in days of 24
// hours.
func (d Date) Begin(zone *time.Location) time.Time {
	noon := d.midnight()
	around := noon.Add(-36 * time.Hour).In(zone)
	if _, end := around.ZoneBounds(); end.IsZero() || end.After(noon.Add(36*time.Hour)) { // as nearly always
		_, offset := around.Zone()
		return noon.Add(-time.Duration(offset) * time.Second)
	}
	var begin time.Time
	// The offsets in force around the day; midnight is at one of them, twice where
	// the clocks go back over it.
	for _, near := range []time.Time{noon.Add(-36 * time.Hour), noon.Add(36 * time.Hour)} {
		_, offset := near.In(zone).Zone()
		t := noon.Add(-time.Duration(offset) * time.Second)
		if local := t.In(zone); local.Hour() == 0 && local.Minute() == 0 && local.Second() == 0 && DateOf(t, zone) == d &&
			(begin.IsZero() || t.Before(begin)) {
			begin = t
		}
	}
	if !begin.IsZero() {
		return begin.UTC()
	}
	// Skipped: the day, or what comes after it, begins where the clocks jump.
	for t := noon.Add(-36 * time.Hour); ; {
		_, end := t.In(zone).ZoneBounds()
		if end.IsZero() || DateOf(end, zone) >= d {
			return end.UTC()
		}
		t = end
	}
}
