package period_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// at is a time of day for short tables.
func at(hour int) time.Time { return time.Date(2026, 11, 1, hour, 0, 0, 0, time.UTC) }

func hours(from, to int) period.Period { return period.Period{From: at(from), To: at(to)} }

func TestNewRefusesAnEndBeforeTheBeginning(t *testing.T) {
	if p, err := period.New(at(2), at(1)); !errors.Is(err, fault.Invalid) {
		t.Errorf("New(2, 1) = %v, %v, want a fault of kind invalid", p, err)
	}
	if p, err := period.New(at(1), at(1)); err != nil || !p.IsEmpty() {
		t.Errorf("New(1, 1) = %v, %v, want an empty period", p, err)
	}
}

func TestContains(t *testing.T) {
	for hour, want := range map[int]bool{0: false, 1: true, 2: true, 3: false, 4: false} {
		if got := hours(1, 3).Contains(at(hour)); got != want {
			t.Errorf("%v contains %d:00 = %t, want %t", hours(1, 3), hour, got, want)
		}
	}
	if hours(1, 1).Contains(at(1)) {
		t.Error("an empty period contains an instant")
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		name       string
		p, q, want period.Period
	}{
		{"one inside the other", hours(1, 9), hours(3, 5), hours(3, 5)},
		{"the end of one", hours(1, 5), hours(3, 9), hours(3, 5)},
		{"touching is no overlap", hours(1, 3), hours(3, 5), period.Period{}},
		{"apart", hours(1, 2), hours(3, 5), period.Period{}},
		{"an empty one", hours(1, 5), hours(3, 3), period.Period{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, pair := range [][2]period.Period{{tt.p, tt.q}, {tt.q, tt.p}} {
				if got, ok := pair[0].Overlap(pair[1]); got != tt.want || ok == tt.want.IsEmpty() {
					t.Errorf("%v overlaps %v in %v, %t, want %v", pair[0], pair[1], got, ok, tt.want)
				}
			}
		})
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    period.Period
		at   []time.Time
		want []period.Period
	}{
		{"nowhere", hours(1, 5), nil, []period.Period{hours(1, 5)}},
		{"in any order, twice at one instant", hours(1, 5), []time.Time{at(4), at(2), at(4)}, []period.Period{hours(1, 2), hours(2, 4), hours(4, 5)}},
		{"not at its ends nor outside", hours(1, 5), []time.Time{at(0), at(1), at(5), at(6)}, []period.Period{hours(1, 5)}},
		{"an empty period", hours(1, 1), []time.Time{at(1)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.p.Split(tt.at...); !slices.Equal(got, tt.want) {
				t.Errorf("%v.Split(%v) = %v, want %v", tt.p, tt.at, got, tt.want)
			}
		})
	}
}

// However a period is cut, its pieces follow each other and last as long as it.
func TestSplitLosesNothing(t *testing.T) {
	instant := rapid.Map(rapid.Int64Range(0, 1000), func(s int64) time.Time { return time.Unix(s, 0).UTC() })
	rapid.Check(t, func(t *rapid.T) {
		from, to, probe := instant.Draw(t, "from"), instant.Draw(t, "to"), instant.Draw(t, "probe")
		p := period.Period{From: from, To: to}
		pieces := p.Split(rapid.SliceOf(instant).Draw(t, "at")...)
		var total time.Duration
		holders := 0
		for i, piece := range pieces {
			if piece.IsEmpty() || i > 0 && pieces[i-1].To != piece.From {
				t.Fatalf("%v splits into %v", p, pieces)
			}
			if piece.Contains(probe) {
				holders++
			}
			total += piece.Duration()
		}
		if total != p.Duration() || (holders == 1) != p.Contains(probe) || holders > 1 {
			t.Fatalf("%v splits into %v: %v of %v, %v is in %d", p, pieces, total, p.Duration(), probe, holders)
		}
	})
}
