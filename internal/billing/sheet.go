package billing

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// The bounds of a file that is imported.
const (
	maxSheet = 4 << 20 // bytes
	maxRows  = 10_000
)

// A sheet is a table that somebody made with a spreadsheet or another system: CSV
// (RFC 4180) with commas, semicolons or tabs, whose first line names the columns.
type sheet struct {
	heading []string
	rows    []*sheetRow
}

// A sheetRow is a line of a sheet, and what is wrong with it.
type sheetRow struct {
	Line     int // of the file, from 1
	Problems []Problem
	at       map[string]int // columns by name
	cells    []string
}

// A Problem is why a cell of a file is refused.
type Problem struct {
	Column string // as the heading names it; empty: the whole line
	Why    string
}

// A sheetForm says which columns a sheet may have, and which it must.
type sheetForm struct {
	columns  []string
	required []string
	named    map[string]string // columns by what the file calls them, where that is otherwise
	lenient  bool              // other columns are passed over, as of a bank's file
}

// readSheet reads a sheet. It answers fault.Invalid for what is none as a whole: what is
// wrong with a single cell is told by line and column, all of it at once.
func readSheet(text string, form sheetForm) (*sheet, error) {
	switch {
	case len(text) > maxSheet:
		return nil, fault.New(fault.TooLarge, "The file is too large: at most %d MiB.", maxSheet>>20)
	case !utf8.ValidString(text):
		return nil, fault.New(fault.Invalid, "The file is not in UTF-8. Save it as CSV in UTF-8.")
	}
	text = strings.TrimPrefix(text, "\ufeff")
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord, reader.Comma = -1, separator(text)
	heading, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "The file is empty. Its first line names the columns: %s", strings.Join(form.columns, ","))
	}
	if err != nil {
		return nil, noSheet(err)
	}
	at, err := form.read(heading)
	if err != nil {
		return nil, err
	}
	s := &sheet{heading: heading}
	for {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, noSheet(err)
		}
		line, _ := reader.FieldPos(0)
		row := &sheetRow{Line: line, at: at, cells: cells}
		if !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue // spreadsheets leave them at the end
		}
		if len(s.rows) == maxRows {
			return nil, fault.New(fault.TooLarge, "The file has too many lines: at most %d.", maxRows)
		}
		if len(cells) > len(heading) {
			row.refuse("", "The line has %d fields, and the heading %d.", len(cells), len(heading))
		}
		for _, name := range form.required {
			if row.text(name) == "" {
				row.refuse(name, "It is empty.")
			}
		}
		s.rows = append(s.rows, row)
	}
}

// separator is what parts the fields of a file's heading: the mark of those in use that
// it has most of.
func separator(text string) rune {
	heading, _, _ := strings.Cut(text, "\n")
	best, most := ',', strings.Count(heading, ",")
	for _, mark := range ";\t" {
		if n := strings.Count(heading, string(mark)); n > most {
			best, most = mark, n
		}
	}
	return best
}

// read finds the columns of a heading.
func (f sheetForm) read(heading []string) (map[string]int, error) {
	called := make(map[string]string, len(f.columns))
	for _, name := range f.columns {
		called[name] = name
	}
	for name, as := range f.named {
		if !slices.Contains(f.columns, name) {
			return nil, fault.New(fault.Invalid, "There is no column %q: they are %s.", cut(name), strings.Join(f.columns, ", "))
		}
		delete(called, name)
		called[strings.ToLower(strings.TrimSpace(as))] = name
	}
	at := make(map[string]int, len(heading))
	for i, text := range heading {
		name, known := called[strings.ToLower(strings.TrimSpace(text))]
		if _, twice := at[name]; known && twice {
			return nil, fault.New(fault.Invalid, "Column %d is %q, which stands twice in the heading.", i+1, cut(text))
		}
		if !known && !f.lenient {
			return nil, fault.New(fault.Invalid, "Column %d is %q: the columns are %s, each once.", i+1, cut(text), strings.Join(f.columns, ", "))
		}
		if known {
			at[name] = i
		}
	}
	for _, name := range f.required {
		if _, ok := at[name]; !ok {
			return nil, fault.New(fault.Invalid, "The file has no column %s. Its first line names the columns: %s", name, strings.Join(f.columns, ","))
		}
	}
	return at, nil
}

func noSheet(err error) error {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return fault.New(fault.Invalid, "Line %d, character %d is no CSV: %v.", bad.Line, bad.Column, bad.Err)
	}
	return err
}

// has says that the file tells a column at all.
func (r *sheetRow) has(column string) bool {
	_, ok := r.at[column]
	return ok
}

// text is what a column has, without blanks around it.
func (r *sheetRow) text(column string) string {
	if i, ok := r.at[column]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// list is what a column has of texts between semicolons or blanks; nil where the file
// does not tell it.
func (r *sheetRow) list(column string) []string {
	if !r.has(column) {
		return nil
	}
	return append([]string{}, strings.FieldsFunc(r.text(column), func(c rune) bool { return c == ';' || c == ' ' || c == ',' })...)
}

func (r *sheetRow) refuse(column, why string, args ...any) {
	r.Problems = append(r.Problems, Problem{column, fmt.Sprintf(why, args...)})
}

// blame refuses a row for a fault, and answers every other error. A fault that says its
// column is told of that one.
func (r *sheetRow) blame(column string, err error) error {
	if err == nil || fault.KindOf(err) == fault.Internal {
		return err
	}
	var in cellError
	if errors.As(err, &in) {
		column = in.column
	}
	r.refuse(column, "%s", fault.Message(err))
	return nil
}

// A cellError is one whose cause a column of a file would have.
type cellError struct {
	column string
	error
}

// Unwrap is the error itself.
func (e cellError) Unwrap() error { return e.error }

func inColumn(column string, err error) error {
	if err == nil {
		return nil
	}
	return cellError{column, err}
}

// content is all that a row says, in the order of the columns' names and not of the
// file: the same said again is the same content.
func (r *sheetRow) content() string {
	names := make([]string, 0, len(r.at))
	for name := range r.at {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		if text := r.text(name); text != "" {
			fmt.Fprintf(&b, "%s=%q\n", name, text)
		}
	}
	return b.String()
}
