package rating_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// readings are events at so many hours after the beginning of 2026, with values.
func readings(t *testing.T, m *rating.Meter, hours map[int]string) []rating.Reading {
	t.Helper()
	var all []rating.Reading
	for hour, value := range hours {
		at := at("2026-01-01T00:00").Add(time.Duration(hour) * time.Hour)
		e := &metering.Event{Source: "s", ID: fmt.Sprint(hour), Type: m.EventType, At: at, RecordedAt: at, Data: map[string]metering.Value{"v": metering.Value(value)}}
		r, ok, err := m.Read(e)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		all = append(all, r)
	}
	rating.Sort(all)
	return all
}

func TestAggregates(t *testing.T) {
	month := period.Period{From: at("2026-01-01T00:00"), To: at("2026-02-01T00:00")}
	hours := map[int]string{0: "5", 10: "-2.5", 743: "7", 744: "100", 20: "5"} // the last but one is in February
	for aggregate, want := range map[rating.Aggregate]string{
		rating.Sum: "14.5", rating.Count: "4", rating.Largest: "7", rating.Smallest: "-2.5", rating.Unique: "3", rating.Latest: "7",
	} {
		m := &rating.Meter{ID: "m", EventType: "use", Aggregate: aggregate, Value: "v"}
		if q, _ := rating.Measure(m, readings(t, m, hours), []period.Period{month}, month); q.Units.String() != want {
			t.Errorf("%s = %v, want %s", aggregate, q.Units, want)
		}
		if q, _ := rating.Measure(m, nil, []period.Period{month}, month); q.Units.Sign() != 0 {
			t.Errorf("%s of nothing = %v", aggregate, q.Units)
		}
	}
}

// The mean of a level is its integral, whatever changes it and however the period is
// cut into windows.
func TestTimeWeightedIsAnIntegral(t *testing.T) {
	m := &rating.Meter{ID: "m", EventType: "use", Aggregate: rating.TimeWeighted, Value: "v"}
	month := period.Period{From: at("2026-01-11T00:00"), To: at("2026-02-11T00:00")}
	rapid.Check(t, func(rt *rapid.T) {
		hours := make(map[int]string)
		for hour, v := range rapid.MapOf(rapid.IntRange(0, 1200), rapid.IntRange(-5, 9)).Draw(rt, "hours") {
			hours[hour] = fmt.Sprint(v)
		}
		all := readings(t, m, hours)
		var area int64
		for h := 240; h < 984; h++ { // by the hour
			for hour, v := range hours {
				if hour <= h {
					area += exact.Must(v).Units(0).Int64()
				}
			}
		}
		windows := month.Split(at("2026-01-20T00:00"), at("2026-02-01T07:00"))
		if q, _ := rating.Measure(m, all, windows, month); !q.Units.Equal(exact.Fraction(area, 744)) {
			rt.Fatalf("%v, want %d/744", q.Units, area)
		}
	})
}

// A droplet's month is the same however it is cut.
func TestCloudCostAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		born := at("2026-01-01T00:00").Add(time.Duration(rapid.OneOf(rapid.Int64Range(0, 90*24*3600), rapid.Int64Range(31*24*3600-60, 31*24*3600)).Draw(t, "born")) * time.Second)
		lived := rapid.OneOf(rapid.Int64Range(1, 90*24*3600), rapid.Int64Range(1, 120)).Draw(t, "lived")
		l := metering.Lifetime{Kind: "droplet", PriceMonthly: dec(rapid.SampledFrom([]string{"4", "12", "24192"}).Draw(t, "price")), From: born,
			To: born.Add(time.Duration(lived) * time.Second)}
		all := period.Period{From: at("2026-01-01T00:00"), To: at("2026-09-01T00:00")}
		whole, _, _ := rating.CloudCost(l, []period.Period{all})
		var sum exact.Number
		for _, w := range all.Split(born.Add(time.Second), born.Add(time.Hour), at("2026-01-15T05:00"), at("2026-02-01T00:00"), at("2026-02-28T23:00"), at("2026-04-01T00:00")) {
			part, _, _ := rating.CloudCost(l, []period.Period{w})
			if part.Sign() < 0 {
				t.Fatalf("%v costs %v", w, part)
			}
			sum = sum.Add(part)
		}
		if !sum.Equal(whole) {
			t.Fatalf("in parts %v, as a whole %v", sum, whole)
		}
		if months := exact.Whole(8); whole.Cmp(months.Mul(l.PriceMonthly)) > 0 || whole.Cmp(dec("0.01")) < 0 {
			t.Fatalf("%v for %v", whole, l)
		}
	})
}
