package period_test

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/period"
)

// An instant is another day ahead of UTC and behind it.
func TestDaysAreTheCustomers(t *testing.T) {
	for _, tt := range []struct{ zone, from, to, day, days string }{
		{"Europe/Berlin", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "2026-10-01", "2026-10-01 to 2026-10-31"}, // summer time ends within
		{"America/New_York", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z", "2026-11-01", "2026-11-01 to 2026-11-30"},
		{"America/New_York", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-10-31", "2026-10-31 20:00 to 2026-11-30 19:00"},
		{"Asia/Beirut", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", "2026-03-29", "2026-03-29 to 2026-03-29"}, // begins at 01:00
		{"", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-01", "2026-11-01 to 2026-11-01"},
		{"Nowhere/Atlantis", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-01", "2026-11-01 to 2026-11-01"},
	} {
		from, errFrom := time.Parse(time.RFC3339, tt.from)
		to, errTo := time.Parse(time.RFC3339, tt.to)
		if errFrom != nil || errTo != nil {
			t.Fatal(errFrom, errTo)
		}
		if got := period.DayIn(from, tt.zone); got != tt.day {
			t.Errorf("%s in %q: day %s, want %s", tt.from, tt.zone, got, tt.day)
		}
		if got := period.DaysIn(from, to, tt.zone); got != tt.days {
			t.Errorf("%s to %s in %q: %s, want %s", tt.from, tt.to, tt.zone, got, tt.days)
		}
	}
}
