package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// maxProblems is how many problems of one document are told.
const maxProblems = 50

// A Problem is one thing that is wrong with a document.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`            // from 1
	Column  int    `json:"column"`          // from 1
	Field   string `json:"field,omitempty"` // empty where the document cannot be read at all
	Message string `json:"message"`         // sentences
}

// String says what is wrong and where: file:line:column: field: message.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.said())
}

func (p Problem) withoutColumn() string {
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.said())
}

func (p Problem) said() string {
	if p.Field == "" {
		return p.Message
	}
	return p.Field + ": " + p.Message
}

// Problems are everything that is wrong with a document, in the order of its lines.
type Problems []Problem

// Error is one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Check is [Read] for somebody who writes a document: it tells all that is wrong, up
// to 50 things, each with its column. The error is a fault of kind Invalid from which
// errors.As takes the [Problems].
func Check(name string, document []byte, see func(Value)) error {
	problems := read(name, document, see)
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return fault.Wrap(fault.Invalid, problems, "%s", problems.Error())
}

// FailAt is Fail for a line, from 1, of a text that is a block of lines.
func (v Value) FailAt(line int, format string, args ...any) {
	at := v.n.place
	if v.n.block && line > 0 {
		at = place{at.line + line, 1}
	}
	v.r.fail(at, v.path, fmt.Sprintf(format, args...))
}

// FailName is Fail for the name of a field of the object.
func (v Value) FailName(name, format string, args ...any) {
	for _, f := range v.n.fields {
		if f.name == name {
			v.r.fail(f.place, v.at(name), fmt.Sprintf(format, args...))
			return
		}
	}
	v.Field(name).Fail(format, args...)
}

// Item is an item of a list; it is not set where the list has none such.
func (v Value) Item(i int) Value {
	path := fmt.Sprintf("%s[%d]", v.path, i)
	if i < 0 || i >= len(v.n.items) {
		return Value{v.r, &node{place: v.n.place}, path}
	}
	return Value{v.r, v.n.items[i], path}
}

// IsText reports whether the value is a string, and whether it is written in quotes
// or as a block of lines.
func (v Value) IsText() (is, quoted bool) { return v.n.kind == text, v.n.quoted }

// Written is a string, a number or another word as it stands in the document, ""
// for anything else.
func (v Value) Written() string { return v.n.text }

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)

// Plain is the value as [encoding/json] has it: nil, bool, string, json.Number,
// []any or map[string]any. A number that JSON cannot write is a string.
func (v Value) Plain() any {
	switch v.n.kind {
	case list:
		all := make([]any, 0, len(v.n.items))
		for i := range v.n.items {
			all = append(all, v.Item(i).Plain())
		}
		return all
	case object:
		all := make(map[string]any, len(v.n.fields))
		for _, f := range v.n.fields {
			all[f.name] = Value{v.r, f.value, ""}.Plain()
		}
		return all
	case scalar:
		switch {
		case v.n.text == "true", v.n.text == "false":
			return v.n.text == "true"
		case jsonNumber.MatchString(v.n.text):
			return json.Number(v.n.text)
		}
		return v.n.text
	case text:
		return v.n.text
	default:
		return nil
	}
}

// Near is the one of the options that a word was probably meant to be, "" where
// none is near: two letters typed wrongly at most, and fewer than half of them.
func Near(word string, options []string) string {
	best, least := "", min(3, (len(word)+1)/2+1)
	for _, option := range options {
		if d := distance(word, option); d < least {
			best, least = option, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out, changed or swapped.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// EachInside calls see with each item of a list and each value of an object.
func (v Value) EachInside(see func(Value)) {
	for i := range v.n.items {
		see(v.Item(i))
	}
	for _, f := range v.n.fields {
		see(Value{v.r, f.value, v.at(f.name)})
	}
}
