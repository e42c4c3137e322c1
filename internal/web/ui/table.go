package ui

import (
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// A Table is one page of a list that the server sorts, filters and cuts.
type Table struct {
	Caption string // says what it lists, to those who cannot see
	Columns []Column
	Rows    []Row
	Query   Query  // the page's address; sorting and paging change it
	Sort    string // a column's key, "-" before it for descending

	Total  int64  // rows on all pages
	Unit   string // of the total, in the plural: "sagas"
	Next   string // the cursor of the next page; empty: this is the last
	CSV    string // where all rows are as CSV; empty: nowhere
	New    int64  // rows that came since and stand above; they wait to be asked for
	Footer templ.Component
}

// A Column of a table.
type Column struct {
	Key      string // in addresses
	Title    string
	Number   bool // right-aligned, tabular
	Sortable bool
	Phone    Phone
}

// Phone says what becomes of a column where the screen is narrow: there a row is a
// few lines.
type Phone string

// The places of a cell in a narrow row.
const (
	PhoneMeta  Phone = ""      // in the line below
	PhoneTitle Phone = "title" // first in the first line
	PhoneState Phone = "state" // last in the first line
	PhoneHide  Phone = "hide"
)

// A Row of a table: a cell per column. The first cell's link is the row's.
type Row struct {
	ID    string
	Cells []templ.Component
}

// Shown are the columns that the address asks for, all where it does not say, with
// the rows' cells cut to match. The first column always shows.
func (t Table) Shown() Table {
	keys := t.Query.Values["col"]
	if len(keys) == 0 {
		return t
	}
	shown := t
	shown.Columns, shown.Rows = nil, make([]Row, len(t.Rows))
	for i, r := range t.Rows {
		shown.Rows[i].ID = r.ID
	}
	for c, column := range t.Columns {
		if c > 0 && !slices.Contains(keys, column.Key) {
			continue
		}
		shown.Columns = append(shown.Columns, column)
		for i, r := range t.Rows {
			shown.Rows[i].Cells = append(shown.Rows[i].Cells, r.Cells[c])
		}
	}
	return shown
}

// Count is a number of things, whose unit is in the plural.
func Count(n int64, units string) string { return Number(n) + " " + unit(n, units) }

func unit(n int64, units string) string {
	if n == 1 {
		return strings.TrimSuffix(units, "s")
	}
	return units
}

// sorted is a column's direction, as aria-sort says it.
func (t Table) sorted(c Column) string {
	switch t.Sort {
	case c.Key:
		return "ascending"
	case "-" + c.Key:
		return "descending"
	}
	return "none"
}

// sortBy is the address of the list sorted by a column, the other way round where
// it is sorted by it already.
func (t Table) sortBy(c Column) Query {
	by := c.Key
	if t.sorted(c) == "ascending" {
		by = "-" + c.Key
	}
	return t.Query.With("sort", by, "cursor", "", "upto", "")
}

// paged reports whether this is a later page than the first.
func (t Table) paged() bool { return t.Query.Get("cursor") != "" }
