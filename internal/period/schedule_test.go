package period_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/period"
)

func date(s string) period.Date {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return period.DateOf(t, time.UTC)
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func boundaries(s period.Schedule, from, to int) string {
	var days []string
	for k := from; k <= to; k++ {
		days = append(days, s.Boundary(k).String())
	}
	return strings.Join(days, " ")
}

// Trap: month ends. Each boundary is clipped from the anchor day, never from the
// boundary before.
func TestAnchorsAtTheEndOfMonths(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    period.Schedule
		want string
	}{
		{"31", period.Anniversary(period.Month, 1, date("2026-01-31"), 0, time.UTC), "2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31"},
		{"30", period.Anniversary(period.Month, 1, date("2026-01-30"), 0, time.UTC), "2026-01-30 2026-02-28 2026-03-30 2026-04-30 2026-05-30"},
		{"29 in a common year", period.Anniversary(period.Month, 1, date("2026-01-29"), 0, time.UTC), "2026-01-29 2026-02-28 2026-03-29 2026-04-29 2026-05-29"},
		{"29 in a leap year", period.Anniversary(period.Month, 1, date("2028-01-29"), 0, time.UTC), "2028-01-29 2028-02-29 2028-03-29 2028-04-29 2028-05-29"},
		{"31 in a leap year", period.Anniversary(period.Month, 1, date("2028-01-31"), 0, time.UTC), "2028-01-31 2028-02-29 2028-03-31 2028-04-30 2028-05-31"},
		{"a start on a clipped day keeps the anchor", period.Anniversary(period.Month, 1, date("2026-02-28"), 31, time.UTC), "2026-02-28 2026-03-31 2026-04-30 2026-05-31 2026-06-30"},
		{"quarters from the 31st", period.Anniversary(period.Month, 3, date("2025-11-30"), 31, time.UTC), "2025-11-30 2026-02-28 2026-05-31 2026-08-31 2026-11-30"},
		{"years from 29 February", period.Anniversary(period.Year, 1, date("2028-02-29"), 0, time.UTC), "2028-02-29 2029-02-28 2030-02-28 2031-02-28 2032-02-29"},
		{"calendar months", period.Calendar(period.Month, 1, date("2026-03-17"), 0, time.UTC), "2026-01-01 2026-02-01 2026-03-01 2026-04-01 2026-05-01"},
		{"calendar quarters count from January", period.Calendar(period.Month, 3, date("2026-03-17"), 0, time.UTC), "2026-01-01 2026-04-01 2026-07-01 2026-10-01 2027-01-01"},
		{"an anchor day wins by the calendar too", period.Calendar(period.Month, 1, date("2026-03-17"), 31, time.UTC), "2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31"},
		{"weeks start on Monday", period.Calendar(period.Week, 1, date("2026-01-01"), 0, time.UTC), "2025-12-29 2026-01-05 2026-01-12 2026-01-19 2026-01-26"},
		{"weeks from the first day", period.Anniversary(period.Week, 2, date("2026-01-01"), 0, time.UTC), "2026-01-01 2026-01-15 2026-01-29 2026-02-12 2026-02-26"},
		{"ten days", period.Anniversary(period.Day, 10, date("2026-02-20"), 0, time.UTC), "2026-02-20 2026-03-02 2026-03-12 2026-03-22 2026-04-01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := boundaries(tt.s, 0, 4); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if got := boundaries(period.Anniversary(period.Month, 1, date("2026-01-31"), 0, time.UTC), -2, 0); got != "2025-11-30 2025-12-31 2026-01-31" {
		t.Errorf("before the first: %s", got)
	}
}

// Trap: DST. A month across it is an hour shorter or longer, and begins at local
// midnight; where the clocks skip midnight, at the first instant that exists.
func TestBoundariesAcrossDST(t *testing.T) {
	for _, tt := range []struct {
		zone, day string
		begin     string
		hours     float64 // of the calendar month that it begins
	}{
		{"Europe/Berlin", "2026-03-01", "2026-02-28T23:00:00Z", 31*24 - 1},
		{"Europe/Berlin", "2026-10-01", "2026-09-30T22:00:00Z", 31*24 + 1},
		{"America/New_York", "2026-03-01", "2026-03-01T05:00:00Z", 31*24 - 1},
		{"America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", 30*24 + 1},
		{"Australia/Lord_Howe", "2026-04-01", "2026-03-31T13:00:00Z", 30*24 + 0.5}, // half an hour
		{"Asia/Kolkata", "2026-03-01", "2026-02-28T18:30:00Z", 31 * 24},            // none
		{"America/Asuncion", "2023-10-01", "2023-10-01T04:00:00Z", 31*24 - 1},      // midnight is skipped: the day begins at one
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", 30*24 + 1},        // midnight comes twice: the first
		{"America/Sao_Paulo", "2018-11-01", "2018-11-01T03:00:00Z", 30*24 - 1},     // skipped within the month
		{"Africa/Cairo", "2026-04-01", "2026-03-31T22:00:00Z", 30*24 - 1},          // skipped within the month
	} {
		t.Run(tt.zone+" "+tt.day, func(t *testing.T) {
			z := zone(t, tt.zone)
			s := period.Calendar(period.Month, 1, date(tt.day), 0, z)
			k := s.Index(date(tt.day).Begin(z))
			p := s.Period(k)
			if got := p.From.Format(time.RFC3339); got != tt.begin {
				t.Errorf("begins at %s, want %s", got, tt.begin)
			}
			if got := p.Duration().Hours(); got != tt.hours {
				t.Errorf("lasts %v hours, want %v", got, tt.hours)
			}
		})
	}
}

func TestDaysThatTheClocksSkip(t *testing.T) {
	for _, tt := range []struct{ zone, day, begin string }{
		{"America/Asuncion", "2023-10-01", "2023-10-01T04:00:00Z"},
		{"Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"}, // no such day at all: the next begins
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"}, // midnight comes twice: the first
	} {
		if got := date(tt.day).Begin(zone(t, tt.zone)).Format(time.RFC3339); got != tt.begin {
			t.Errorf("%s begins in %s at %s, want %s", tt.day, tt.zone, got, tt.begin)
		}
	}
}

// Trap: one instant is another day in another zone.
func TestOneInstantIsManyDays(t *testing.T) {
	at := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC)
	for name, want := range map[string]string{"UTC": "2026-01-31", "Europe/Berlin": "2026-02-01", "America/New_York": "2026-01-31", "Pacific/Kiritimati": "2026-02-01"} {
		if got := period.DateOf(at, zone(t, name)).String(); got != want {
			t.Errorf("in %s it is %s, want %s", name, got, want)
		}
	}
}

func TestPlusAndMinusAreByTheCalendar(t *testing.T) {
	s := period.Anniversary(period.Month, 1, date("2026-01-31"), 31, time.UTC)
	if got := s.Minus(date("2026-02-28")); got != date("2026-01-28") {
		t.Errorf("a month before 28 February = %v, want 28 January, whatever the anchor", got)
	}
	if got := s.Plus(date("2026-01-31")); got != date("2026-02-28") {
		t.Errorf("a month after 31 January = %v", got)
	}
}

// Whatever the schedule, its periods cover every instant once and follow each other.
func TestEveryInstantIsInOnePeriod(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Asuncion", "Pacific/Apia", "Africa/Cairo"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		start := period.Date(rapid.IntRange(10_000, 25_000).Draw(t, "start"))
		unit := rapid.SampledFrom([]period.Unit{period.Day, period.Week, period.Month, period.Year}).Draw(t, "unit")
		count, anchor := rapid.IntRange(1, 18).Draw(t, "count"), rapid.IntRange(0, 31).Draw(t, "anchor")
		s := period.Anniversary(unit, count, start, anchor, z)
		if rapid.Bool().Draw(t, "calendar") {
			s = period.Calendar(unit, count, start, anchor, z)
		}
		at := time.Unix(rapid.Int64Range(500_000_000, 2_500_000_000).Draw(t, "at"), 0)
		k := s.Index(at)
		p, next := s.Period(k), s.Period(k+1)
		if !p.Contains(at) || p.To != next.From || p.IsEmpty() {
			t.Fatalf("%v is in period %d, %v, and the next is %v", at.UTC(), k, p, next)
		}
		if unit == period.Month || unit == period.Year {
			_, _, day := s.Boundary(k).Civil()
			if want := min(s.Anchor, s.Boundary(k).DaysInMonth()); day != want {
				t.Fatalf("boundary %v is not on day %d", s.Boundary(k), want)
			}
		}
	})
}

func TestSpans(t *testing.T) {
	span := func(pairs ...int64) period.Spans {
		var s []period.Span
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, period.Span{From: pairs[i], To: pairs[i+1]})
		}
		return period.Union(s...)
	}
	if got := span(5, 7, 1, 3, 3, 4, 6, 9, 2, 2); !slices.Equal(got, span(1, 4, 5, 9)) {
		t.Errorf("union = %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) period.Spans {
			return span(rapid.SliceOfN(rapid.Int64Range(0, 30), 8, 8).Draw(t, name)...)
		}
		a, b := draw("a"), draw("b")
		in := func(s period.Spans, n int64) bool {
			return slices.ContainsFunc(s, func(x period.Span) bool { return x.From <= n && n < x.To })
		}
		or, and, minus := a.Or(b), a.And(b), a.Minus(b)
		count := int64(0)
		for n := range int64(31) {
			if in(or, n) != (in(a, n) || in(b, n)) || in(and, n) != (in(a, n) && in(b, n)) || in(minus, n) != (in(a, n) && !in(b, n)) {
				t.Fatal(fmt.Sprint(n, a, b, or, and, minus))
			}
			if in(or, n) {
				count++
			}
		}
		if or.Len() != count {
			t.Fatalf("%v holds %d, not %d", or, count, or.Len())
		}
	})
}
