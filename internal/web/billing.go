package web

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/billing/paper"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (s *Server) billingRoutes(page func(string, func(*visit) error)) {
	page("GET /billing", s.billing)
	page("GET /billing.json", s.billing)
	page("GET /invoices", s.invoices)
	page("GET /invoices.json", s.invoices)
	page("GET /invoices.csv", s.invoices)
	page("GET /invoices/{ref}", s.invoice)
	page("GET /subscriptions", s.subscriptions)
	page("GET /subscriptions.json", s.subscriptions)
	page("GET /subscriptions/{id}", s.subscription)
	page("GET /tenants/{slug}/billing", s.tenantBilling)
	page("GET /tenants/{slug}/billing.json", s.tenantBilling)
	page("GET /usage", s.usage)
	page("GET /usage.json", s.usage)
	page("GET /usage.csv", s.usage)
	page("GET /catalog", s.catalog)
	page("GET /catalog.json", s.catalog)
}

func invoicePath(ref string) string { return "/invoices/" + url.PathEscape(ref) }

// A billingView is what the page about money shows first.
type billingView struct {
	ui.Page
	owed    []billing.Receivable
	overdue []billing.Issued // of which something is open, the oldest first
	latest  []billing.Issued
	drafts  []billing.Issued
	runs    []billing.Progress // the last first
	month   time.Time
	twins   ui.Twin
}

// mostOverdue is how many overdue invoices the first page names.
const mostOverdue = 20

// mostBillingRuns is how many billing runs the first page names.
const mostBillingRuns = 6

// billing is the page that says what is owed.
func (s *Server) billing(v *visit) error {
	ctx, now := v.r.Context(), v.now.UTC()
	view := billingView{Page: v.page("Billing", "/billing"), month: time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if view.owed, err = s.o.Bills.Receivables(ctx, now, view.month); err != nil {
		return err
	}
	if v.wants("json") {
		return v.json(struct {
			Items []receivableTwin `json:"items"`
		}{receivableTwins(view.owed)})
	}
	open, _, err := s.o.Bills.Invoices(ctx, billing.IssuedFilter{Open: true, Limit: 1000})
	if err != nil {
		return err
	}
	for _, i := range open {
		if i.DueAt.Before(now) {
			view.overdue = append(view.overdue, i)
		}
	}
	slices.SortFunc(view.overdue, func(a, b billing.Issued) int { return a.DueAt.Compare(b.DueAt) })
	view.overdue = view.overdue[:min(len(view.overdue), mostOverdue)]
	if view.latest, _, err = s.o.Bills.Invoices(ctx, billing.IssuedFilter{Limit: 8}); err != nil {
		return err
	}
	if view.drafts, err = s.o.Bills.Drafts(ctx, ""); err != nil {
		return err
	}
	if view.runs, err = s.o.Bills.BillingRuns(ctx, mostBillingRuns); err != nil {
		return err
	}
	view.twins = ui.Twin{CLI: "arcadia invoice list --open", API: "curl http://" + v.r.Host + "/v1/invoices", JSON: "/billing.json"}
	return v.show(http.StatusOK, billingPage(view))
}

// A receivableTwin is what is owed in a currency, as JSON; amounts are minor units.
type receivableTwin struct {
	Currency        string `json:"currency"`
	Open            int64  `json:"open"`
	OpenInvoices    int64  `json:"open_invoices"`
	Overdue         int64  `json:"overdue"`
	OverdueInvoices int64  `json:"overdue_invoices"`
	Carried         int64  `json:"carried_forward"`
	Issued          int64  `json:"issued_this_month"`
	Documents       int64  `json:"documents"`
}

func receivableTwins(owed []billing.Receivable) []receivableTwin {
	twins := make([]receivableTwin, len(owed))
	for i, r := range owed {
		twins[i] = receivableTwin{string(r.Currency), r.Open, r.OpenInvoices, r.Overdue, r.OverdueInvoices, r.Carried, r.Issued, r.Documents}
	}
	return twins
}

// cash is an amount with its currency, as pages show it.
func cash(minor int64, c money.Currency) string {
	text := money.New(minor, c).Decimal()
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "−", rest
	}
	whole, fraction, dotted := strings.Cut(text, ".")
	out := sign + thousands(whole)
	if dotted {
		out += "." + fraction
	}
	return out + "\u00a0" + string(c)
}

// An invoiceList is what the page of documents shows.
type invoiceList struct {
	ui.Page
	table ui.Table
	any   bool
	kinds []ui.Choice
	twins ui.Twin

	currencies []ui.Choice // those that there are; none where there is one
}

var invoiceColumns = []ui.Column{
	{Key: "number", Title: "Document", Sortable: true, Phone: ui.PhoneTitle},
	{Key: "state", Title: "State", Phone: ui.PhoneState},
	{Key: "tenant", Title: "Tenant"},
	{Key: "issued", Title: "Issued", Sortable: true},
	{Key: "due", Title: "Due by", Sortable: true, Phone: ui.PhoneHide},
	{Key: "total", Title: "Total", Number: true, Sortable: true},
	{Key: "open", Title: "Open", Number: true, Sortable: true, Phone: ui.PhoneHide},
}

// invoiceFilter is which documents an address asks for.
func invoiceFilter(q ui.Query, now time.Time) (f billing.IssuedFilter, err error) {
	f = billing.IssuedFilter{Tenant: q.Get("tenant"), Currency: q.Get("currency"), Sort: billing.IssuedSort(sortOr(q, lastIssued)), Cursor: q.Get("cursor"), Limit: listPage}
	state := q.Get("state")
	if state == string(billing.InvoiceTest) {
		f.State, state = billing.InvoiceTest, ""
	}
	return f.Narrow(state, q.Get("month"), now)
}

// lastIssued is the order of documents where an address names none.
const lastIssued = "-" + string(billing.SortIssued)

// invoiceStates are what documents can be told apart by.
var invoiceStates = []string{"", "open", "overdue", "partially_paid", "paid", "credited", "void", "uncollectible", string(billing.InvoiceTest)}

// lookUp is where a search for a number, an id or a tenant leads.
func (s *Server) lookUp(v *visit, text string) error {
	i, err := s.o.Bills.Invoice(v.r.Context(), text)
	switch {
	case err == nil:
		return v.redirect(invoicePath(i.Ref()))
	case fault.KindOf(err) != fault.NotFound:
		return err
	}
	t, other := s.o.Tenants.Tenant(v.r.Context(), strings.ToLower(text))
	if fault.KindOf(other) == fault.NotFound {
		return fault.New(fault.NotFound, "There is no document and no tenant %q.", clip(text))
	}
	if other != nil {
		return other
	}
	return v.redirect(v.query.With("q", "", "cursor", "", "tenant", t.Slug).String())
}

// invoices is the list of documents.
func (s *Server) invoices(v *visit) error {
	ctx := v.r.Context()
	f, err := invoiceFilter(v.query, v.now.Time)
	if err != nil {
		return err
	}
	if v.wants("csv") {
		return s.invoicesCSV(v, f)
	}
	if text := strings.TrimSpace(v.query.Get("q")); text != "" && !v.wants("json") {
		return s.lookUp(v, text)
	}
	list, next, err := s.invoicePage(ctx, f)
	if err != nil {
		return err
	}
	if v.wants("json") {
		items, err := wire.Invoices(list)
		if err != nil {
			return err
		}
		return v.json(struct {
			Items any     `json:"items"`
			Next  *string `json:"next"`
		}{items, wire.Text(next)})
	}
	page := invoiceList{Page: v.page("Invoices", "/billing"), any: len(list) > 0 || len(v.query.Values) > 0}
	rows := make([]ui.Row, len(list))
	for n, i := range list {
		rows[n] = ui.Row{ID: i.ID, Cells: []templ.Component{
			invoiceCell(i), invoiceBadge(i, v.now.Time), customerLink(i.Slug), plain(period.DayIn(i.IssuedAt, i.Zone)), plain(period.DayIn(i.DueAt, i.Zone)),
			plain(cash(i.Total, i.Currency)), openCell(i),
		}}
	}
	total := int64(len(list))
	page.table = ui.Table{Caption: "Invoices and credit notes", Columns: invoiceColumns, Rows: rows, Query: v.query, Sort: sortOr(v.query, lastIssued), Total: total, Unit: "on this page", Next: next,
		CSV: v.query.With("cursor", "").At("/invoices.csv").String()}
	if f.State == billing.InvoiceTest { // they are all there, in one order
		page.table.Columns = slices.Clone(invoiceColumns)
		for c := range page.table.Columns {
			page.table.Columns[c].Sortable = false
		}
	}
	for _, state := range invoiceStates {
		page.kinds = append(page.kinds, ui.Choice{Value: state, Text: cmp.Or(ui.Upper(wire.Words(state)), "All"), Count: -1})
	}
	owed, err := s.o.Bills.Receivables(ctx, v.now.Time, v.now.Time)
	if err != nil {
		return err
	}
	page.any = page.any || slices.ContainsFunc(owed, func(r billing.Receivable) bool { return r.Documents > 0 })
	if len(owed) > 1 {
		page.currencies = []ui.Choice{{Text: "All currencies", Count: -1}}
		for _, r := range owed {
			page.currencies = append(page.currencies, ui.Choice{Value: string(r.Currency), Text: string(r.Currency), Count: -1})
		}
	}
	cli := "arcadia invoice list"
	if f.Tenant != "" {
		cli += " " + quoted(f.Tenant)
	}
	if f.State == billing.InvoiceTest {
		cli += " --test"
	}
	api := ui.Query{Path: "/v1/invoices"}.With("tenant", f.Tenant)
	for _, name := range []string{"state", "month", "currency", "sort"} {
		if value := v.query.Get(name); value != "" && f.State != billing.InvoiceTest {
			cli += " --" + name + "=" + quoted(value)
			api = api.With(name, value)
		}
	}
	if f.State == billing.InvoiceTest {
		api.Path = "/v1/test-invoices"
	}
	page.twins = ui.Twin{CLI: cli, API: "curl " + quoted("http://"+v.r.Host+api.String()), JSON: v.twin("/invoices", "json")}
	return v.show(http.StatusOK, invoicesPage(page))
}

// invoicePage is a page of documents. Those of test mode are listed apart, all at once.
func (s *Server) invoicePage(ctx context.Context, f billing.IssuedFilter) (list []billing.Issued, next string, err error) {
	if f.State == billing.InvoiceTest {
		list, err = s.o.Bills.TestDocuments(ctx, f.Tenant)
		return slices.DeleteFunc(list, func(i billing.Issued) bool {
			return f.Currency != "" && string(i.Currency) != f.Currency || i.IssuedAt.Before(f.From) || !f.To.IsZero() && !i.IssuedAt.Before(f.To)
		}), "", err
	}
	return s.o.Bills.Invoices(ctx, f)
}

func (s *Server) invoicesCSV(v *visit, f billing.IssuedFilter) error {
	heading := []string{"number", "id", "tenant", "purpose", "state", "issued_at", "due_at", "currency", "total", "due", "open"}
	f.Limit = 1000
	done := false
	return v.csv("invoices", heading, func() ([][]string, error) {
		if done {
			return nil, nil
		}
		list, next, err := s.invoicePage(v.r.Context(), f)
		if err != nil {
			return nil, err
		}
		f.Cursor, done = next, next == ""
		cells := make([][]string, len(list))
		for n, i := range list {
			amount := func(minor int64) string { return money.New(minor, i.Currency).Decimal() }
			cells[n] = []string{i.Ref(), i.ID, i.Slug, string(i.Purpose), string(i.State), stamp(i.IssuedAt), stamp(i.DueAt), string(i.Currency), amount(i.Total), amount(i.Due), amount(i.Open)}
		}
		return cells, nil
	})
}

// An invoiceView is what the page of a document shows.
type invoiceView struct {
	ui.Page
	billing.Issued
	sheet string // as its receiver sees it
	lines []billing.ExplainedLine

	credits *billing.Credits // of a credit note that somebody issued
	story   billing.Story
	twins   ui.Twin
}

// invoice is the page of a document: as its receiver sees it, and how it came about.
func (s *Server) invoice(v *visit) error {
	ctx := v.r.Context()
	ref, asJSON := strings.CutSuffix(v.r.PathValue("ref"), ".json")
	i, lines, err := s.o.Bills.Explain(ctx, ref, 0)
	if err != nil {
		return err
	}
	if asJSON {
		w, err := wire.Invoice(i)
		if err != nil {
			return err
		}
		return v.json(w)
	}
	logo, err := s.o.Bills.Logo(ctx, i)
	if err != nil {
		return err
	}
	sheet, err := paper.Read(i, logo)
	if err != nil {
		return err
	}
	markup, err := sheet.Fragment()
	if err != nil {
		return err
	}
	document, _, err := i.Read()
	if err != nil {
		return err
	}
	view := invoiceView{Page: v.page(i.Ref(), "/billing"), Issued: i, sheet: string(markup), lines: lines, credits: document.Credits}
	if !i.IsTest() {
		if view.story, err = s.o.Bills.Story(ctx, i); err != nil {
			return err
		}
	}
	view.twins = ui.Twin{CLI: "arcadia invoice explain " + quoted(i.Ref()), API: "curl http://" + v.r.Host + "/v1" + invoicePath(i.Ref()) + "/explanation", JSON: invoicePath(i.Ref()) + ".json"}
	return v.show(http.StatusOK, invoicePage(view))
}

// documentName is what a document is, in words.
func documentName(p billing.Purpose) string {
	return map[billing.Purpose]string{billing.Advance: "Invoice in advance", billing.Arrears: "Invoice in arrears", billing.Credit: "Credit note"}[p]
}

// standing is how it stands with a document, in a word that has a colour.
func standingOf(i billing.Issued, now time.Time) string {
	switch {
	case i.IsTest():
		return string(i.State)
	case i.Purpose == billing.Credit:
		return "credited"
	case i.Open > 0 && i.DueAt.Before(now):
		return "overdue"
	case i.State == billing.InvoiceIssued:
		return "open"
	}
	return string(i.State)
}

// factWords are the facts of a step of an explanation, in a line. Lists that stand
// below anyway are left away.
func factWords(e rating.Explanation) string {
	var words []string
	for _, f := range e.Facts {
		if f.Texts == nil && f.Text != "" {
			words = append(words, wire.Words(f.Name)+" "+f.Text)
		}
	}
	return strings.Join(words, " · ")
}

// dataText is an event's data as it was told.
func dataText(l billing.ExplainedLine, n int) string {
	text, err := json.Marshal(l.Events[n].Data)
	if err != nil {
		return ""
	}
	return string(text)
}
