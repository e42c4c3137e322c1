package rating

import (
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A Quantity is what is priced, and what about it a price may ask for.
type Quantity struct {
	Units   exact.Number
	Values  []exact.Number // of each event, in the order of time; for fees per event
	Changes []Change       // of level; for prorated prices
}

// A Change is a new level, and the share of the period that is left from then on,
// up to the end of the window that it is in.
type Change struct {
	At, Until time.Time
	Opens     bool // the window begins with it: nothing of an earlier level is left
	Level     exact.Number
	Rest      Share
}

// chargeable counts the events that included units do not pay for wholly.
func (q Quantity) chargeable(included exact.Number) (n int64) {
	var total exact.Number
	for _, v := range q.Values {
		if total = total.Add(v); v.Sign() > 0 && total.Cmp(included) > 0 {
			n++
		}
	}
	return n
}

type (
	// An Aggregate makes one quantity out of many events.
	Aggregate = metering.Aggregate
	// A Meter says which events count, and how.
	Meter = metering.Meter
	// A Reading is an event as a meter sees it.
	Reading = metering.Reading
)

// The aggregates.
const (
	Sum          = metering.Sum
	Count        = metering.Count
	Largest      = metering.Largest
	Smallest     = metering.Smallest
	Unique       = metering.Unique
	Latest       = metering.Latest
	TimeWeighted = metering.TimeWeighted
)

// Sort puts readings in the order of time; see [metering.SortReadings].
func Sort(readings []Reading) { metering.SortReadings(readings) }

// Measure aggregates readings, sorted, over the windows of one period, which is
// whole by its own length. Only a time-weighted meter minds what was read before.
func Measure(m *Meter, readings []Reading, windows []period.Period, whole period.Period) (Quantity, Explanation) {
	e := Explanation{Rule: string(m.Aggregate), Facts: []Fact{Text("meter", m.ID)}}
	if m.Aggregate == TimeWeighted {
		q := timeWeighted(readings, windows, whole, &e)
		e.Value = q.Units
		return q, e
	}
	var (
		q        Quantity
		inside   []Reading
		total    exact.Number
		distinct = make(map[string]bool)
	)
	for _, r := range readings {
		if !within(windows, r.At) {
			continue
		}
		inside = append(inside, r)
		q.Values = append(q.Values, r.Value)
		switch m.Aggregate {
		case Sum:
			total = total.Add(r.Value)
		case Count:
			total = exact.Whole(int64(len(inside)))
		case Largest:
			if len(inside) == 1 || r.Value.Cmp(total) > 0 {
				total = r.Value
			}
		case Smallest:
			if len(inside) == 1 || r.Value.Cmp(total) < 0 {
				total = r.Value
			}
		case Unique:
			distinct[r.Text] = true
			total = exact.Whole(int64(len(distinct)))
		case Latest:
			total = r.Value
		}
	}
	q.Units = total
	e.Value = q.Units
	e.Facts = append(e.Facts, eventFacts(inside)...)
	return q, e
}

func within(windows []period.Period, t time.Time) bool {
	return slices.ContainsFunc(windows, func(w period.Period) bool { return w.Contains(t) })
}

// mostNames is how many events an explanation names; it counts them all.
const mostNames = 100

func eventFacts(readings []Reading) []Fact {
	facts := []Fact{Num("events", exact.Whole(int64(len(readings))))}
	if len(readings) > 0 {
		names := make([]string, 0, min(len(readings), mostNames))
		for _, r := range readings[:min(len(readings), mostNames)] {
			names = append(names, r.Event.Name())
		}
		facts = append(facts, Fact{Name: "event_ids", Texts: names})
	}
	return facts
}

// timeWeighted is Σ level × time at that level, over the length of the whole
// period. It also lists the levels that the windows begin with or change to.
func timeWeighted(readings []Reading, windows []period.Period, whole period.Period, e *Explanation) Quantity {
	var (
		q      Quantity
		area   exact.Number
		inside []Reading
	)
	for _, w := range windows {
		var level exact.Number
		at := w.From
		i := 0
		for ; i < len(readings) && readings[i].At.Before(w.From); i++ {
			level = level.Add(readings[i].Value)
		}
		q.Changes = append(q.Changes, Change{At: w.From, Until: w.To, Opens: true, Level: level})
		for ; i < len(readings) && readings[i].At.Before(w.To); i++ {
			r := readings[i]
			area = area.Add(level.Mul(exact.Whole(r.At.Sub(at).Microseconds())))
			level, at = level.Add(r.Value), r.At
			if last := &q.Changes[len(q.Changes)-1]; last.At.Equal(r.At) {
				last.Level = level
			} else {
				q.Changes = append(q.Changes, Change{At: r.At, Until: w.To, Level: level})
			}
			inside = append(inside, r)
		}
		area = area.Add(level.Mul(exact.Whole(w.To.Sub(at).Microseconds())))
	}
	q.Units = exact.Quotient(area, exact.Whole(whole.Duration().Microseconds()))
	e.Facts = append(e.Facts, Num("level_seconds", area.Shift(-6)),
		Num("of_seconds", exact.Whole(whole.Duration().Microseconds()).Shift(-6)))
	e.Facts = append(e.Facts, eventFacts(inside)...)
	return q
}

// A Group is the readings that agree on what a meter groups by.
type Group struct {
	Values   []string // of the meter's GroupBy; nil where it has none
	Readings []Reading
}

// Groups are the groups of the readings, sorted, that were recorded by an instant,
// in order: those with a reading within the windows, and for a time-weighted meter
// those with one before their end. A meter without groups has one, and so has one
// without readings.
func Groups(m *Meter, readings []Reading, windows []period.Period, recorded time.Time) []Group {
	var (
		groups []Group
		counts []bool
		index  = make(map[string]int)
	)
	for _, r := range readings {
		if !r.Event.CountsAt(recorded) {
			continue
		}
		id := strings.Join(r.Group, "\x00")
		i, ok := index[id]
		if !ok {
			i = len(groups)
			index[id] = i
			groups, counts = append(groups, Group{Values: r.Group}), append(counts, len(m.GroupBy) == 0)
		}
		groups[i].Readings = append(groups[i].Readings, r)
		counts[i] = counts[i] || slices.ContainsFunc(windows, func(w period.Period) bool {
			return r.At.Before(w.To) && (m.Aggregate == TimeWeighted || !r.At.Before(w.From))
		})
	}
	var counted []Group
	for i, g := range groups {
		if counts[i] {
			counted = append(counted, g)
		}
	}
	slices.SortFunc(counted, func(a, b Group) int { return slices.Compare(a.Values, b.Values) })
	if len(counted) == 0 {
		return []Group{{}}
	}
	return counted
}
