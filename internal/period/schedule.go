package period

import (
	"cmp"
	"slices"
	"time"
)

// A Unit is what periods are counted in.
type Unit string

// The units of a schedule.
const (
	Day   Unit = "day"
	Week  Unit = "week"
	Month Unit = "month"
	Year  Unit = "year"
)

// Months is the length of one unit in months, 0 for days and weeks.
func (u Unit) Months() int {
	switch u {
	case Month:
		return 1
	case Year:
		return 12
	}
	return 0
}

// A Schedule cuts time into periods of so many units, one after the other without
// an end in either direction. Its boundaries are days; the instants are their
// local midnights. Months are counted from Origin's month, always on day Anchor
// or on the last day of a month that is too short for it: never from the boundary
// before, so that 31 January, 28 February, 31 March follow each other. Days and
// weeks are counted from Origin itself.
type Schedule struct {
	Unit   Unit
	Count  int // above zero
	Origin Date
	Anchor int // day of the month, 1 to 31
	Zone   *time.Location
}

// Calendar is the schedule whose months are counted from January and whose weeks
// begin on Mondays; days are counted from the given one. A boundary lies in the
// year of the day given. An anchor of 0 is the first of the month.
func Calendar(u Unit, count int, day Date, anchor int, zone *time.Location) Schedule {
	s := Schedule{Unit: u, Count: count, Origin: day, Anchor: max(anchor, 1), Zone: zone}
	switch u {
	case Week:
		s.Origin -= Date((day.Weekday() + 6) % 7)
	case Month, Year:
		y, _, _ := day.Civil()
		s.Origin = NewDate(y, time.January, 1)
	}
	return s
}

// Anniversary is the schedule counted from the given day. An anchor of 0 is its
// day of the month.
func Anniversary(u Unit, count int, day Date, anchor int, zone *time.Location) Schedule {
	if anchor == 0 {
		_, _, anchor = day.Civil()
	}
	return Schedule{Unit: u, Count: count, Origin: day, Anchor: anchor, Zone: zone}
}

// Boundary is the k-th day on which a period ends and the next begins; number 0
// lies in the month of Origin, or is Origin itself.
func (s Schedule) Boundary(k int) Date {
	switch s.Unit {
	case Day:
		return s.Origin + Date(k*s.Count)
	case Week:
		return s.Origin + Date(7*k*s.Count)
	}
	y, m, _ := s.Origin.Civil()
	return onDay(y, m, k*s.Count*s.Unit.Months(), s.Anchor)
}

// days is about how long a period is.
func (s Schedule) days() int {
	switch s.Unit {
	case Day:
		return s.Count
	case Week:
		return 7 * s.Count
	}
	return 30 * s.Count * s.Unit.Months()
}

// Index is the number of the period that t is in: the one from boundary k to
// boundary k+1.
func (s Schedule) Index(t time.Time) int {
	k := int(floor(int64(DateOf(t, s.Zone)-s.Origin), int64(s.days())))
	for k--; !s.Begin(k + 1).After(t); k++ { // the guess may be late after years of long months
	}
	for s.Begin(k).After(t) {
		k--
	}
	return k
}

// Begin is the first instant of period k.
func (s Schedule) Begin(k int) time.Time { return s.Boundary(k).Begin(s.Zone) }

// Period is period k.
func (s Schedule) Period(k int) Period { return Period{s.Begin(k), s.Begin(k + 1)} }

// Over is the periods that share an instant with p, first to last. It stops after
// most of them, and then reports false.
func (s Schedule) Over(p Period, most int) ([]int, bool) {
	if p.IsEmpty() {
		return nil, true
	}
	var all []int
	for k := s.Index(p.From); s.Begin(k).Before(p.To); k++ {
		if len(all) == most {
			return all, false
		}
		all = append(all, k)
	}
	return all, true
}

// Minus is the whole periods counted back from a day, by the calendar: a month
// before 28 February is 28 January whatever the anchor is.
func (s Schedule) Minus(d Date) Date { return s.plus(d, -1) }

// Plus is one whole period counted on from a day, by the calendar.
func (s Schedule) Plus(d Date) Date { return s.plus(d, 1) }

func (s Schedule) plus(d Date, n int) Date {
	switch s.Unit {
	case Day:
		return d + Date(n*s.Count)
	case Week:
		return d + Date(7*n*s.Count)
	}
	return d.AddMonths(n * s.Count * s.Unit.Months())
}

// A Span is [From, To) on an axis of whole numbers: of days, or of microseconds.
type Span struct{ From, To int64 }

// Len is To − From, 0 for an empty span.
func (s Span) Len() int64 { return max(0, s.To-s.From) }

// Spans is a set of numbers: spans in order that neither touch nor overlap.
type Spans []Span

// Union is what is in any of the spans given, in any order.
func Union(spans ...Span) Spans {
	sorted := make([]Span, 0, len(spans))
	for _, s := range spans {
		if s.Len() > 0 {
			sorted = append(sorted, s)
		}
	}
	slices.SortFunc(sorted, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	var u Spans
	for _, s := range sorted {
		if n := len(u); n > 0 && s.From <= u[n-1].To {
			u[n-1].To = max(u[n-1].To, s.To)
			continue
		}
		u = append(u, s)
	}
	return u
}

// Or is what is in s or in t.
func (s Spans) Or(t Spans) Spans { return Union(append(append([]Span{}, s...), t...)...) }

// And is what is in both s and t.
func (s Spans) And(t Spans) Spans {
	var both Spans
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if x := (Span{max(s[i].From, t[j].From), min(s[i].To, t[j].To)}); x.Len() > 0 {
			both = append(both, x)
		}
		if s[i].To < t[j].To {
			i++
		} else {
			j++
		}
	}
	return both
}

// Minus is what is in s and not in t.
func (s Spans) Minus(t Spans) Spans {
	var rest Spans
	for _, x := range s {
		for _, y := range t {
			if y.To <= x.From || y.From >= x.To {
				continue
			}
			if y.From > x.From {
				rest = append(rest, Span{x.From, y.From})
			}
			x.From = y.To
			if x.Len() == 0 {
				break
			}
		}
		if x.Len() > 0 {
			rest = append(rest, x)
		}
	}
	return rest
}

// Len is how many numbers are in s.
func (s Spans) Len() (n int64) {
	for _, x := range s {
		n += x.Len()
	}
	return n
}
