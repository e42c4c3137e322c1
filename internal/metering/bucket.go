package metering

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A bucket is what a meter makes of the events of an hour, or of part of one, so that
// buckets of several hours make what it makes of all their events.
type bucket struct {
	Events int64         `json:"-"`
	Sum    *exact.Number `json:"sum,omitempty"`   // of the values; of time-weighted ones the change of level
	Area   *exact.Number `json:"area,omitempty"`  // time-weighted: Σ value × microseconds from its event to the bucket's end
	Value  *exact.Number `json:"value,omitempty"` // the largest, smallest or latest
	At     int64         `json:"at,omitempty"`    // of the latest, microseconds
	Source string        `json:"source,omitempty"`
	ID     string        `json:"id,omitempty"`
	Texts  []string      `json:"texts,omitempty"` // the distinct values, sorted once it is kept

	seen map[string]bool // Texts, while it is filled
}

func plus(x *exact.Number, y exact.Number) *exact.Number {
	if x != nil {
		y = x.Add(y)
	}
	return &y
}

// add counts a reading; end is the bucket's, microseconds.
func (b *bucket) add(m *Meter, r Reading, end int64) {
	b.Events++
	switch m.Aggregate {
	case Count:
	case Sum:
		b.Sum = plus(b.Sum, r.Value)
	case TimeWeighted:
		b.Sum = plus(b.Sum, r.Value)
		b.Area = plus(b.Area, r.Value.Mul(exact.Whole(end-db.Micros(r.At))))
	case Unique:
		b.distinct(r.Text)
	default:
		b.prefer(m, bucket{Value: &r.Value, At: db.Micros(r.At), Source: r.Event.Source, ID: r.Event.ID})
	}
}

// bucketOf is the bucket that ends right after an event, and its group, of the event's
// data as they are kept; false where the meter is not about it or cannot read it, which
// is told by Unmetered.
func (m *Meter) bucketOf(e Event, data string) (b bucket, group string, about bool, err error) {
	if err := json.Unmarshal([]byte(data), &e.Data); err != nil {
		return b, "", false, err
	}
	r, about, err := m.Read(&e)
	if err != nil || !about {
		return b, "", false, nil //nolint:nilerr // see above
	}
	b.add(m, r, db.Micros(e.At)+1)
	return b, groupText(r.Group), true, nil
}

// prefer takes the value of another bucket where the aggregate does.
func (b *bucket) prefer(m *Meter, o bucket) {
	switch {
	case b.Value == nil:
	case m.Aggregate == Largest && o.Value.Cmp(*b.Value) <= 0, m.Aggregate == Smallest && o.Value.Cmp(*b.Value) >= 0:
		return
	case m.Aggregate == Latest && cmp.Or(cmp.Compare(o.At, b.At), cmp.Compare(o.Source, b.Source), cmp.Compare(o.ID, b.ID)) < 0:
		return
	}
	if b.Value = o.Value; m.Aggregate == Latest {
		b.At, b.Source, b.ID = o.At, o.Source, o.ID
	}
}

func (b *bucket) distinct(text string) {
	if b.seen == nil {
		b.seen = make(map[string]bool)
	}
	b.seen[text] = true
}

// keep is the bucket as it is kept.
func (b *bucket) keep() (string, error) {
	for text := range b.seen {
		b.Texts = append(b.Texts, text)
	}
	slices.Sort(b.Texts)
	text, err := json.Marshal(b)
	return string(text), err
}

// A tally is what the buckets of a group come to over a period.
type tally struct {
	bucket
	meter  *Meter
	during period.Period
}

// merge adds a bucket that ends at end, microseconds. What ends before the period
// matters to a level alone.
func (t *tally) merge(b bucket, end int64) {
	if t.meter.Aggregate == TimeWeighted {
		if b.Sum == nil {
			return
		}
		t.Sum = plus(t.Sum, *b.Sum)
		to := db.Micros(t.during.To)
		if from := db.Micros(t.during.From); end <= from {
			t.Area = plus(t.Area, b.Sum.Mul(exact.Whole(to-from)))
			return
		}
		t.Events += b.Events
		t.Area = plus(t.Area, b.Area.Add(b.Sum.Mul(exact.Whole(to-end))))
		return
	}
	t.Events += b.Events
	if b.Sum != nil {
		t.Sum = plus(t.Sum, *b.Sum)
	}
	if b.Value != nil {
		t.prefer(t.meter, b)
	}
	for _, text := range b.Texts {
		t.distinct(text)
	}
	for text := range b.seen {
		t.distinct(text)
	}
}

// quantity is what is priced.
func (t *tally) quantity() exact.Number {
	value := t.Value
	switch t.meter.Aggregate {
	case Count:
		return exact.Whole(t.Events)
	case Unique:
		return exact.Whole(int64(len(t.seen)))
	case Sum:
		value = t.Sum
	case TimeWeighted:
		if t.Area == nil {
			return exact.Number{}
		}
		return exact.Quotient(*t.Area, exact.Whole(int64(t.during.Duration()/time.Microsecond)))
	}
	if value == nil {
		return exact.Number{}
	}
	return *value
}
