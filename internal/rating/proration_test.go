package rating_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestShares(t *testing.T) {
	monthly := func(anchor int) period.Schedule {
		return period.Calendar(period.Month, 1, period.NewDate(2026, 1, 1), anchor, time.UTC)
	}
	second := rating.Convention{Unit: rating.BySecond, Zone: time.UTC}
	day := rating.Convention{Unit: rating.ByDay, Zone: time.UTC}
	inclusive := rating.Convention{Unit: rating.ByDay, Inclusive: true, Zone: time.UTC}
	thirty := rating.Convention{Unit: rating.ByDay, Thirty: true, Zone: time.UTC}
	for _, tt := range []struct {
		name       string
		c          rating.Convention
		anchor     int
		from, to   string
		want       string
		part, over int64
	}{
		{"seconds", second, 1, "2026-01-16T12:00", "2026-02-01T00:00", "0.5", 1_339_200_000_000, 2_678_400_000_000},
		{"a whole period", day, 1, "2026-01-01T00:00", "2026-02-01T00:00", "1", 31, 31},
		{"leading days", day, 1, "2026-01-10T00:00", "2026-02-01T00:00", "0.709677419", 22, 31},
		{"trailing days", day, 1, "2026-01-01T00:00", "2026-01-10T00:00", "0.290322581", 9, 31},
		{"trailing, by the cycle that begins there", day, 1, "2026-03-01T00:00", "2026-03-15T00:00", "0.451612903", 14, 31},
		{"both, by the cycle up to the end", day, 1, "2026-03-05T00:00", "2026-03-15T00:00", "0.357142857", 10, 28},
		{"leading, before a clipped boundary", day, 31, "2026-02-10T00:00", "2026-02-28T00:00", "0.580645161", 18, 31},
		{"trailing, from a clipped boundary", day, 31, "2026-02-28T00:00", "2026-03-10T00:00", "0.357142857", 10, 28},
		{"less than a day is nothing", day, 1, "2026-01-10T08:00", "2026-01-10T20:00", "0", 0, 31},
		{"days inclusive: an end at midnight counts its day", inclusive, 1, "2026-01-01T00:00", "2026-01-16T00:00", "0.516129032258", 16, 31},
		{"days inclusive: a day touched counts", inclusive, 1, "2026-01-10T08:00", "2026-01-10T20:00", "0.032258064516", 1, 31},
		{"thirty: across the end of a month", thirty, 1, "2026-01-10T00:00", "2026-02-01T00:00", "0.7", 21, 30},
		{"thirty: across the end of February", thirty, 1, "2026-02-15T00:00", "2026-03-01T00:00", "0.533333333", 16, 30},
		{"thirty: within a month", thirty, 1, "2026-01-01T00:00", "2026-01-31T00:00", "1", 30, 30},
		{"not prorated", rating.Convention{Unit: rating.Whole}, 1, "2026-01-31T00:00", "2026-02-01T00:00", "1", 2_678_400_000_000, 2_678_400_000_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := monthly(tt.anchor)
			k := s.Index(at(tt.from))
			span := tt.c.Axis(at(tt.from), at(tt.to), false)
			share := tt.c.Share(s, k, span, tt.c.Of(s, k, span))
			if share.Ratio.String() != tt.want || share.Part != tt.part || share.Of != tt.over {
				t.Errorf("%d of %d = %v, want %d of %d = %s", share.Part, share.Of, share.Ratio, tt.part, tt.over, tt.want)
			}
		})
	}
}

// By the second, and by inclusive days where one part goes on in the next, the parts
// of a period are all of it.
func TestPartsMakeTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		c := rating.Convention{Unit: rapid.SampledFrom([]rating.ProrationUnit{rating.BySecond, rating.ByDay}).Draw(t, "unit"), Inclusive: true, Zone: zone}
		s := period.Anniversary(period.Month, rapid.IntRange(1, 4).Draw(t, "months"), period.NewDate(2026, 1, rapid.IntRange(1, 31).Draw(t, "day")), 0, zone)
		p := s.Period(rapid.IntRange(0, 20).Draw(t, "period"))
		k := s.Index(p.From)
		var cuts []time.Time
		for range rapid.IntRange(0, 5).Draw(t, "cuts") {
			cuts = append(cuts, p.From.Add(time.Duration(rapid.Int64Range(0, int64(p.Duration()/time.Minute)).Draw(t, "cut"))*time.Minute))
		}
		var sum exact.Number
		for _, piece := range p.Split(cuts...) {
			span := c.Axis(piece.From, piece.To, true)
			sum = sum.Add(c.Share(s, k, span, c.Of(s, k, span)).Ratio)
		}
		if !sum.Equal(exact.Whole(1)) {
			t.Fatalf("the parts of %v make %v", p, sum)
		}
	})
}
