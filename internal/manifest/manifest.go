// Package manifest reads documents that people write, in YAML or JSON, strictly:
// what is unknown, missing or malformed is an error that names the file, the line
// and the field. Decimals are texts in quotes, so that nothing on the way takes
// them for a float.
package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

type kind int

const (
	missing kind = iota
	null
	text   // a string
	scalar // a number, a boolean, or another word without quotes
	list
	object
)

// A place in a document: line and column, both from 1, the column in characters.
type place struct {
	line, column int
}

// A node is a document's value with its place.
type node struct {
	place
	kind   kind
	text   string
	quoted bool    // a text in quotes, or a block of lines
	block  bool    // a block of lines, which begins on the line after its place
	items  []*node // of a list
	fields []field // of an object
}

type field struct {
	place
	name  string
	value *node
}

// A reader keeps what was wrong; what is read after it is worth nothing.
type reader struct {
	name     string
	problems Problems
}

// A Value is a place in a document, with or without something in it.
type Value struct {
	r    *reader
	n    *node
	path string
}

// Read reads a document of at most 4 MiB, JSON where it is JSON and YAML
// otherwise, and calls see with it. It returns the first thing that was wrong with
// the document, by its own words or those of see, as a fault of kind Invalid.
func Read(name string, document []byte, see func(Value)) error {
	problems := read(name, document, see)
	if len(problems) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", problems[0].withoutColumn())
}

func read(name string, document []byte, see func(Value)) Problems {
	root, problem := parse(name, document)
	if problem != nil {
		return Problems{*problem}
	}
	r := &reader{name: name}
	see(Value{r: r, n: root})
	return r.problems
}

// Fail records what is wrong with the value: the end of a sentence that begins
// with where it is.
func (v Value) Fail(format string, args ...any) {
	v.r.fail(v.n.place, v.path, fmt.Sprintf(format, args...))
}

func (r *reader) fail(at place, path, message string) {
	if len(r.problems) == maxProblems {
		return
	}
	if path == "" {
		path = "the document"
	}
	r.problems = append(r.problems, Problem{File: r.name, Line: max(at.line, 1), Column: max(at.column, 1), Field: path, Message: message})
}

// Failed reports whether something was wrong already.
func (v Value) Failed() bool { return len(v.r.problems) > 0 }

// Line is where the value stands.
func (v Value) Line() int { return v.n.line }

// IsSet reports whether there is a value, other than null.
func (v Value) IsSet() bool { return v.n.kind > null }

// Has reports whether the field is written in the object, be it null.
func (v Value) Has(name string) bool { return v.Field(name).n.kind != missing }

// Object fails unless v is an object with no other than these fields.
func (v Value) Object(fields ...string) bool {
	if v.n.kind != object {
		v.Fail("It must be an object with fields like %s.", strings.Join(fields[:min(3, len(fields))], ", "))
		return false
	}
	for _, f := range v.n.fields {
		if !slices.Contains(fields, f.name) {
			Value{v.r, &node{place: f.place}, v.at(f.name)}.Fail("There is no such field. The fields are %s.", strings.Join(fields, ", "))
			return false
		}
	}
	return true
}

func (v Value) at(name string) string {
	if len(name) > 40 {
		name = name[:40] + "…"
	}
	name = strings.ToValidUTF8(name, "�")
	if v.path == "" {
		return name
	}
	return v.path + "." + name
}

// Field is a field of an object; it is not set where the object has none such.
func (v Value) Field(name string) Value {
	for _, f := range v.n.fields {
		if f.name == name {
			return Value{v.r, f.value, v.at(name)}
		}
	}
	return Value{v.r, &node{place: v.n.place}, v.at(name)}
}

// Names are the fields of an object, in their order.
func (v Value) Names() []string {
	var names []string
	for _, f := range v.n.fields {
		names = append(names, f.name)
	}
	return names
}

// Each calls see with each item of a list; a value that is not set has none.
func (v Value) Each(see func(Value)) {
	if !v.IsSet() {
		return
	}
	if v.n.kind != list {
		v.Fail("It must be a list.")
		return
	}
	for i, item := range v.n.items {
		see(Value{v.r, item, v.path + "[" + strconv.Itoa(i) + "]"})
	}
}

// Len is how many items a list has.
func (v Value) Len() int { return len(v.n.items) }

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.n.kind == list }

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v.n.kind == object }

// Text is a string that is there and not empty.
func (v Value) Text() string {
	if v.n.kind == missing || v.n.kind == null || v.n.kind == text && v.n.text == "" {
		v.Fail("It is missing.")
		return ""
	}
	if v.n.kind != text {
		v.Fail("It must be a text.")
		return ""
	}
	return v.n.text
}

// TextOr is a string, or the default where the value is not set.
func (v Value) TextOr(or string) string {
	if !v.IsSet() {
		return or
	}
	return v.Text()
}

// Word is a string, or a number or boolean as it is written.
func (v Value) Word() string {
	if v.n.kind == scalar {
		return v.n.text
	}
	return v.Text()
}

// OneOf is one of the texts given, the first where the value is not set.
func (v Value) OneOf(options ...string) string {
	if !v.IsSet() {
		return options[0]
	}
	s := v.Word()
	if !slices.Contains(options, s) {
		v.Fail("%q is not known. It is one of %s.", cut(s), strings.Join(options, ", "))
	}
	return s
}

func cut(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// Int is a whole number within bounds, or the default where the value is not set.
func (v Value) Int(least, most, or int) int {
	if !v.IsSet() {
		return or
	}
	n, err := strconv.Atoi(v.n.text)
	if v.n.kind != scalar && v.n.kind != text || err != nil || n < least || n > most {
		v.Fail("It must be a whole number from %d to %d.", least, most)
		return or
	}
	return n
}

// Bool is true or false, false where the value is not set.
func (v Value) Bool() bool {
	if !v.IsSet() {
		return false
	}
	if v.n.kind != scalar || v.n.text != "true" && v.n.text != "false" {
		v.Fail("It must be true or false.")
	}
	return v.n.text == "true"
}

// Decimal is a decimal number in quotes that is not below zero; zero where the
// value is not set.
func (v Value) Decimal() exact.Number {
	if !v.IsSet() {
		return exact.Number{}
	}
	if v.n.kind != text {
		v.Fail("It must be a decimal in quotes, like \"12.34\".")
		return exact.Number{}
	}
	d, err := exact.ParseDecimal(v.n.text)
	if err != nil {
		v.Fail("%s", fault.Message(err))
		return exact.Number{}
	}
	if d.Sign() < 0 {
		v.Fail("It must not be below zero.")
	}
	return d
}

// DecimalOrNone is Decimal, nil where the value is not set.
func (v Value) DecimalOrNone() *exact.Number {
	if !v.IsSet() {
		return nil
	}
	d := v.Decimal()
	return &d
}
