package billing

import (
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An IssuedSort is the order of a list of documents: what it goes by, with a dash
// before it for the greatest first. Amounts of one currency stand together.
type IssuedSort string

// The orders, each the other way round with a dash before it.
const (
	SortIssued IssuedSort = "issued" // by when they were issued
	SortDue    IssuedSort = "due"    // by when they are to be paid
	SortTotal  IssuedSort = "total"
	SortOpen   IssuedSort = "open"   // by what is not settled
	SortNumber IssuedSort = "number" // by series, then number
)

// sortColumns are what an order goes by, of a document d; its id, which begins with
// when it was issued, comes last.
var sortColumns = map[IssuedSort][]string{
	SortIssued: {}, SortDue: {"d.due_at"}, SortTotal: {"d.currency", "d.total"}, SortNumber: {"d.series", "d.number"},
	SortOpen: {"d.currency", "d.due - " + strings.ReplaceAll(settledSQL, "i.id", "d.id")},
}

// order is the SQL of an order of documents i, and of which of them come after one, whose
// id is the parameter that stands in it as %d.
func (s IssuedSort) order() (by, after string, err error) {
	key, down := strings.CutPrefix(string(s), "-")
	if s == "" {
		key, down = string(SortIssued), true
	}
	of, ok := sortColumns[IssuedSort(key)]
	if !ok {
		return "", "", fault.New(fault.Invalid, "Documents are not sorted by %q: it is issued, due, total, open or number, with - before it for the greatest first.", cut(string(s)))
	}
	compare, direction := ">", " ASC"
	if down {
		compare, direction = "<", " DESC"
	}
	columns := append(slices.Clone(of), "d.id")
	tuple := strings.Join(columns, ", ")
	return ofListed(strings.Join(columns, direction+", ") + direction),
		"(" + ofListed(tuple) + ") " + compare + " (SELECT " + tuple + " FROM billing_invoices d WHERE d.id = $%d)", nil
}

// ofListed are columns of d as those of the documents i that are listed.
func ofListed(columns string) string { return strings.ReplaceAll(columns, "d.", "i.") }

// InvoiceStates are what lists of documents can be told apart by.
var InvoiceStates = []string{"open", "overdue", "issued", "partially_paid", "paid", "credited", "void", "uncollectible"}

// Narrow adds to a filter what people say of documents: how it stands with them, one of
// [InvoiceStates], and the month of their issue, in UTC, like 2026-10. Empty texts say
// nothing. Others are faults of kind Invalid.
func (f IssuedFilter) Narrow(state, month string, now time.Time) (IssuedFilter, error) {
	switch {
	case state == "":
	case !slices.Contains(InvoiceStates, state):
		return f, fault.New(fault.Invalid, "There is no state %q of documents: they are %s.", cut(state), strings.Join(InvoiceStates, ", "))
	case state == "open":
		f.Open = true
	case state == "overdue":
		f.Open, f.DueBy = true, now
	case state == "credited":
		f.Purpose = Credit
	default:
		f.State = InvoiceState(state)
	}
	if month == "" {
		return f, nil
	}
	from, err := time.Parse("2006-01", month)
	if err != nil {
		return f, fault.New(fault.Invalid, "%q is no month. One is written like 2026-10.", cut(month))
	}
	f.From, f.To = from, from.AddDate(0, 1, 0)
	return f, nil
}
