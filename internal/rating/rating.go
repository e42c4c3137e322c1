// Package rating says what usage costs at a price: pure functions of values,
// without a clock, a database or a float. Package billing walks through a
// subscription and asks it, line by line:
//
//	subscription → phases of its items → billing periods → charges
//	  → quantities (aggregates of events, lifetimes of resources)
//	  → exact amounts (price models, proration)
//	  → lines (rounded once) → discounts → taxes → totals
//
// What each step promises:
//
//   - A quantity and an amount are exact until the one rounding of a line, half
//     away from zero, to the currency's minor unit: money.Round does it.
//   - Time is measured on an axis of the plan's convention: microseconds, or days
//     of the tenant's zone. A service is a set of spans on it, so that "not billed
//     yet", "billed and not wanted any more" and "blocked" are differences of sets,
//     and no day is billed twice.
//   - Every amount has an [Explanation], a tree from the rounding down to the events
//     and the seconds.
package rating

import (
	"bytes"
	"encoding/json"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// An Explanation says how a value came about: by which rule, from which facts, out
// of which other values.
type Explanation struct {
	Rule  string
	Value exact.Number
	Facts []Fact
	Of    []Explanation
}

// A Fact is something that an explanation names: a number, a text or some texts.
type Fact struct {
	Name   string
	Number exact.Number
	Text   string
	Texts  []string
}

// Num is a fact that is a number.
func Num(name string, x exact.Number) Fact { return Fact{Name: name, Number: x} }

// Text is a fact in words.
func Text(name, text string) Fact { return Fact{Name: name, Text: text} }

// MarshalJSON writes {"rule", "value", the facts by their names, "of"}.
func (e Explanation) MarshalJSON() ([]byte, error) {
	if e.Rule == "" {
		return []byte("{}"), nil
	}
	var b bytes.Buffer
	member := func(name string, v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if b.Len() == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		b.Write(key)
		b.WriteByte(':')
		b.Write(text)
		return err
	}
	if err := member("rule", e.Rule); err != nil {
		return nil, err
	}
	if err := member("value", e.Value); err != nil {
		return nil, err
	}
	for _, f := range e.Facts {
		var v any = f.Number
		switch {
		case f.Texts != nil:
			v = f.Texts
		case f.Text != "":
			v = f.Text
		}
		if err := member(f.Name, v); err != nil {
			return nil, err
		}
	}
	if len(e.Of) > 0 {
		if err := member("of", e.Of); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
