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
	"fmt"

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
func (e Explanation) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// AppendJSON appends what MarshalJSON writes: an invoice holds many explanations of
// many levels, and encoding/json would copy each level once more.
func (e Explanation) AppendJSON(b []byte) []byte {
	if e.Rule == "" {
		return append(b, "{}"...)
	}
	b = AppendString(append(b, `{"rule":`...), e.Rule)
	b = AppendNumber(append(b, `,"value":`...), e.Value)
	for _, f := range e.Facts {
		b = append(AppendString(append(b, ','), f.Name), ':')
		switch {
		case f.Texts != nil:
			b = append(b, '[')
			for i, text := range f.Texts {
				if i > 0 {
					b = append(b, ',')
				}
				b = AppendString(b, text)
			}
			b = append(b, ']')
		case f.Text != "":
			b = AppendString(b, f.Text)
		default:
			b = AppendNumber(b, f.Number)
		}
	}
	if len(e.Of) > 0 {
		b = append(b, `,"of":[`...)
		for i, of := range e.Of {
			if i > 0 {
				b = append(b, ',')
			}
			b = of.AppendJSON(b)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// AppendNumber appends a number as JSON has it, a decimal in quotes.
func AppendNumber(b []byte, x exact.Number) []byte {
	return append(append(append(b, '"'), x.String()...), '"')
}

// AppendString appends a text as encoding/json writes it.
func AppendString(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // strings always work
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// UnmarshalJSON reads what MarshalJSON writes, facts in their order. Numbers among
// them are texts then, which marshal to the same bytes.
func (e *Explanation) UnmarshalJSON(text []byte) error {
	*e = Explanation{}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("rating: %.40s is no explanation", text)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		switch name {
		case "rule":
			err = d.Decode(&e.Rule)
		case "value":
			err = d.Decode(&e.Value)
		case "of":
			err = d.Decode(&e.Of)
		default:
			f := Fact{Name: name.(string)}
			var v json.RawMessage
			if err = d.Decode(&v); err == nil {
				if v[0] == '[' {
					f.Texts = []string{}
					err = json.Unmarshal(v, &f.Texts)
				} else {
					err = json.Unmarshal(v, &f.Text)
				}
			}
			e.Facts = append(e.Facts, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
