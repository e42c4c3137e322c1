// Package ui holds the components that pages are made of: the shell, tables,
// badges, ids, times, confirmations, time axes. They take values and write HTML
// that works without JavaScript; what JavaScript adds hangs on attributes. The
// content security policy forbids inline style and script, so that what has a
// measure is drawn as SVG, whose attributes are no style.
package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// A Page is what the shell needs to know of a page.
type Page struct {
	Title string
	Here  string // the path that the navigation marks: "/sagas"
	Theme string // "light", "dark", or empty for the system's
	Query Query  // of this page

	Live    string // the address of this page's changes; empty: it does not change by itself
	Refresh string // what is read when something changed; empty: Query itself
	Flash   string // what the last request came to; empty: nothing
	Undo    string // the address that takes that back; empty: it cannot be
	Now     Clock

	Freezes []Freeze // that stand; a page that lists them has none

	// ReadOnly is why nothing can be changed at DigitalOcean, and what to do: no page
	// offers what would. Empty: everything can be.
	ReadOnly string

	Assets    func(name string) string // the address of an asset
	Simulated bool                     // the cloud is a simulated one
	Filling   bool                     // a demonstration's past business is still being made
	Version   string
}

// A Place is an entry of the navigation.
type Place struct{ Path, Name, Icon string }

// Places is the navigation.
func Places() []Place {
	return []Place{
		{"/", "Overview", "home"}, {"/inventory", "Inventory", "table"}, {"/tenants", "Tenants", "tenant"}, {"/stacks", "Stacks", "stack"}, {"/billing", "Billing", "bill"}, {"/changes", "Changes", "changes"}, {"/findings", "Findings", "flag"}, {"/sagas", "Sagas", "saga"},
		{"/accounts", "Accounts", "key"},
	}
}

// A Query is a page's address: the whole state of the page.
type Query struct {
	Path   string
	Values url.Values
}

// QueryOf is the address that a request was sent to, without what is for one
// answer only.
func QueryOf(r *http.Request) Query {
	v := r.URL.Query()
	v.Del("did")
	v.Del("undo")
	return Query{Path: r.URL.Path, Values: v}
}

// Get is a parameter of the address; empty when it has none.
func (q Query) Get(name string) string { return q.Values.Get(name) }

// With is the address with other values for some parameters, given as names and
// values in turn. An empty value takes the parameter away.
func (q Query) With(pairs ...string) Query {
	v := url.Values{}
	for name, values := range q.Values {
		v[name] = slices.Clone(values)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return Query{Path: q.Path, Values: v}
}

// At is the same state of another page, such as a twin in another form.
func (q Query) At(path string) Query { return Query{Path: path, Values: q.Values} }

// String is the address as a link has it.
func (q Query) String() string {
	if len(q.Values) == 0 {
		return q.Path
	}
	return q.Path + "?" + q.Values.Encode()
}

// URL is the address for an attribute.
func (q Query) URL() templ.SafeURL { return templ.URL(q.String()) }

// Number writes a whole number with thin spaces between thousands, where no line breaks.
func Number(n int64) string {
	text := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(text, "-")
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	parts = append([]string{digits}, parts...)
	out := strings.Join(parts, "\u202f")
	if n < 0 {
		return "−" + out
	}
	return out
}

// Upper begins a word or a sentence with a capital.
func Upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// again is the address that an open page is read from when something has changed.
func (p Page) again() string {
	if p.Refresh != "" {
		return p.Refresh
	}
	return p.Query.String()
}
