package metering

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
)

// An Aggregate makes one quantity out of many events.
type Aggregate string

// The aggregates. A time-weighted value is a change of level; the quantity is the
// level's mean over the whole period, and the level goes on into the next one.
const (
	Sum          Aggregate = "sum"
	Count        Aggregate = "count"
	Largest      Aggregate = "max"
	Smallest     Aggregate = "min"
	Unique       Aggregate = "unique"
	Latest       Aggregate = "latest"
	TimeWeighted Aggregate = "time_weighted"
)

// A Meter says which events count, and how.
type Meter struct {
	ID        string
	EventType string
	Aggregate Aggregate
	Value     string              // a key of the event's data
	GroupBy   []string            // keys of the data; each group is a quantity of its own
	Filter    map[string][]string // by key of the data, what its value may be
}

// A Reading is an event as a meter sees it.
type Reading struct {
	At    time.Time
	Value exact.Number
	Text  string // the value as it was written, for Unique
	Group []string
	Event *Event
}

// Read returns the reading that an event is to the meter; false when the meter is
// not about it. An event of the meter's type without a value that it can use is
// an error.
func (m *Meter) Read(e *Event) (Reading, bool, error) {
	if e.Type != m.EventType {
		return Reading{}, false, nil
	}
	for key, allowed := range m.Filter {
		if !slices.Contains(allowed, string(e.Data[key])) {
			return Reading{}, false, nil
		}
	}
	r := Reading{At: e.At, Event: e}
	for _, key := range m.GroupBy {
		r.Group = append(r.Group, string(e.Data[key]))
	}
	if m.Aggregate == Count {
		return r, true, nil
	}
	value, ok := e.Data[m.Value]
	if !ok {
		return Reading{}, false, fmt.Errorf("data.%s: it is missing, and meter %s needs it", m.Value, m.ID)
	}
	r.Text = string(value)
	if m.Aggregate == Unique {
		return r, true, nil
	}
	var err error
	if r.Value, err = value.Decimal(); err != nil {
		return Reading{}, false, fmt.Errorf("data.%s: %w", m.Value, err)
	}
	return r, true, nil
}

// SortReadings puts readings in the order of time; those of one instant in the order
// of their names, so that the order they were told in changes nothing.
func SortReadings(readings []Reading) {
	slices.SortStableFunc(readings, func(a, b Reading) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Event.Source, b.Event.Source), cmp.Compare(a.Event.ID, b.Event.ID))
	})
}

// Same reports whether two meters count the same in the same way.
func (m Meter) Same(o Meter) bool {
	if m.ID != o.ID || m.EventType != o.EventType || m.Aggregate != o.Aggregate || m.Value != o.Value || !slices.Equal(m.GroupBy, o.GroupBy) || len(m.Filter) != len(o.Filter) {
		return false
	}
	for key, allowed := range m.Filter {
		also, ok := o.Filter[key]
		if !ok || !slices.Equal(slices.Sorted(slices.Values(allowed)), slices.Sorted(slices.Values(also))) {
			return false
		}
	}
	return true
}

// ReadMeter reads a meter from a document that people write; what is wrong with it is
// said of the place in the document.
func ReadMeter(v manifest.Value) Meter {
	if !v.Object("id", "event_type", "aggregate", "value", "group_by", "filter") {
		return Meter{}
	}
	m := Meter{ID: v.Field("id").Text(), EventType: v.Field("event_type").Text()}
	m.Aggregate = Aggregate(v.Field("aggregate").OneOf(
		string(Sum), string(Count), string(Largest), string(Smallest), string(Unique), string(Latest), string(TimeWeighted)))
	if value := v.Field("value"); m.Aggregate != Count || value.IsSet() {
		m.Value = value.TextOr("value")
	}
	m.GroupBy = readTexts(v.Field("group_by"))
	filter := v.Field("filter")
	if !filter.IsSet() {
		return m
	}
	if !filter.IsObject() {
		filter.Fail("It must be an object: a key of the data, and what its value may be.")
		return m
	}
	m.Filter = make(map[string][]string)
	for _, key := range filter.Names() {
		allowed := filter.Field(key)
		if !allowed.IsList() {
			m.Filter[key] = []string{allowed.Word()}
			continue
		}
		m.Filter[key] = []string{}
		allowed.Each(func(v manifest.Value) { m.Filter[key] = append(m.Filter[key], v.Word()) })
	}
	return m
}

// readTexts reads a list of texts; one text is a list of one.
func readTexts(v manifest.Value) (texts []string) {
	if v.IsSet() && !v.IsList() {
		return []string{v.Text()}
	}
	v.Each(func(v manifest.Value) { texts = append(texts, v.Text()) })
	return texts
}

// ReadMeters reads a document with a list of meters, as catalogs have it: what else a
// catalog holds is passed over. Errors are of kind Invalid.
func ReadMeters(name string, document []byte) (meters []Meter, err error) {
	err = manifest.Read(name, document, func(v manifest.Value) {
		list := v
		if v.IsObject() {
			list = v.Field("meters")
		}
		if !list.IsList() {
			v.Fail("It must be a list of meters, or an object with a field meters.")
			return
		}
		list.Each(func(v manifest.Value) {
			m := ReadMeter(v)
			if slices.ContainsFunc(meters, func(o Meter) bool { return o.ID == m.ID }) {
				v.Field("id").Fail("There is another meter %q.", m.ID)
			}
			meters = append(meters, m)
		})
	})
	return meters, err
}

// check answers fault.Invalid for what cannot be a meter.
func (m Meter) check() error {
	for _, a := range [...]struct{ name, text string }{{"id", m.ID}, {"event_type", m.EventType}} {
		if err := checkAttribute(a.name, a.text, true); err != nil {
			return fault.New(fault.Invalid, "This is no meter: %v.", err)
		}
	}
	switch m.Aggregate {
	case Sum, Count, Largest, Smallest, Unique, Latest, TimeWeighted:
	default:
		return fault.New(fault.Invalid, "Meter %s has the aggregate %.40q; it is sum, count, max, min, unique, latest or time_weighted.", m.ID, m.Aggregate)
	}
	if m.Value == "" && m.Aggregate != Count {
		return fault.New(fault.Invalid, "Meter %s does not say which member of the data is its value.", m.ID)
	}
	if strings.Contains(m.ID, "/") {
		return fault.New(fault.Invalid, "Meter %s has a slash in its id, which addresses could not carry.", m.ID)
	}
	return nil
}
