// Package paper shows documents that were issued as who gets them sees them: as a
// page, as a PDF and as a table, in the customer's language, with its dates and its
// numbers. A document that was issued is all that it reads: the same document gives
// the same bytes, whatever has changed since.
package paper

import (
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A Sheet is a document in words: what the page and the PDF alike say.
type Sheet struct {
	Language string // en, de or fr
	Title    string // "Invoice R-12"
	Test     string // of a test document: that it is one
	Number   string
	From     Party
	To       Party
	Facts    []Pair
	Columns  Columns
	Lines    []Line
	Sums     []Sum
	Notes    []string // what the law asks for, and what else there is to know
	Bank     []Pair   // where to pay; empty where nothing is to be paid
	BankHead string
	Footer   string

	logo      []byte // PNG; nil: none
	issued    time.Time
	page      string // "Page %d of %s"
	american  bool   // Letter instead of A4
	document  billing.Invoice
	originals [][]string // by line, the invoices of which it takes something back
	zone      *time.Location
}

// A Party is who a document is from or to.
type Party struct {
	Name  string
	Lines []string // the address, then the tax ids
}

// A Pair is a name and what it says.
type Pair struct{ Name, Text string }

// Columns are the heads of the table of lines.
type Columns struct{ Description, Quantity, Price, Amount string }

// A Line is one of the table.
type Line struct {
	Name                    string
	Under                   []string // when it was served, and what it is told apart by
	Quantity, Price, Amount string
}

// A Sum is below the table.
type Sum struct {
	Name, Amount string
	Strong       bool
}

// Read makes a sheet of a document that was issued, with the picture that
// [billing.Service.Logo] says it has.
func Read(i billing.Issued, logo []byte) (*Sheet, error) {
	inv, parties, err := i.Read()
	if err != nil {
		return nil, err
	}
	w := wordsOf(parties.Customer.Language)
	zone := time.UTC
	if name := parties.Customer.Zone; name != "" {
		if zone, err = period.Zone(name); err != nil {
			return nil, err
		}
	}
	s := &Sheet{
		Language: w.code, Number: i.Ref(), Title: w.invoice + " " + i.Ref(), logo: logo, issued: i.IssuedAt, page: w.page, document: inv, zone: zone,
		From:     party(parties.Issuer.LegalName, parties.Issuer.Address, parties.Issuer.TaxIDs, w),
		To:       party(parties.Customer.LegalName, parties.Customer.Address, parties.Customer.TaxIDs, w),
		Columns:  w.columns,
		Footer:   parties.Issuer.Footer,
		american: parties.Issuer.Address.Country == "US" || parties.Issuer.Address.Country == "CA",
	}
	s.Columns.Amount += " (" + string(inv.Currency) + ")"
	if inv.Purpose == billing.Credit {
		s.Title = w.creditNote + " " + i.Ref()
	}
	p := printer{w, zone, inv.Currency}
	s.Facts = []Pair{{w.number, i.Ref()}, {w.issued, p.long(i.IssuedAt)}, {w.served, p.span(served(inv))}}
	if inv.Purpose != billing.Credit && inv.Due > 0 {
		s.Facts = append(s.Facts, Pair{w.payBy, p.long(i.DueAt)})
	}
	if inv.Credits != nil { // a document that corrects another names it (Article 219 of Directive 2006/112/EC)
		s.Facts = append(s.Facts, Pair{w.credits, inv.Credits.Invoice}, Pair{w.reason, inv.Credits.Reason})
	}
	if po := parties.Customer.PONumber; po != "" {
		s.Facts = append(s.Facts, Pair{w.order, po})
	}
	s.originals = make([][]string, len(inv.Lines))
	for _, o := range parties.Originals {
		if o.Line >= 1 && o.Line <= len(inv.Lines) {
			s.originals[o.Line-1] = append(s.originals[o.Line-1], o.Invoice)
		}
	}
	for n, l := range inv.Lines {
		line := p.line(l)
		if of := s.originals[n]; len(of) > 0 {
			line.Under = append(line.Under, w.credits+" "+strings.Join(of, ", "))
		}
		s.Lines = append(s.Lines, line)
	}
	s.Sums = p.sums(inv)
	s.Notes = p.notes(inv, parties)
	if i.IsTest() {
		s.Test = w.test
	} else if inv.Purpose != billing.Credit && inv.Due > 0 {
		s.BankHead, s.Bank = w.transfer, bank(parties.Issuer.Bank, parties.Issuer.LegalName, i.Ref(), w)
	}
	return s, nil
}

// served is from the first to the last service of the lines: a document that makes up
// for earlier periods is about more than its own.
func served(inv billing.Invoice) (from, to time.Time) {
	from, to = inv.Period.From.Time, inv.Period.To.Time
	for i, l := range inv.Lines {
		if i == 0 {
			from, to = l.Service.From.Time, l.Service.To.Time
		}
		from, to = period.Earlier(from, l.Service.From.Time), period.Later(to, l.Service.To.Time)
	}
	return from, to
}

func party(name string, a billing.Address, ids []billing.TaxID, w *words) Party {
	p := Party{Name: name, Lines: append([]string{}, a.Lines...)}
	town := strings.TrimSpace(a.PostalCode + " " + a.City)
	if a.Country == "US" || a.Country == "CA" || a.Country == "GB" || a.Country == "AU" { // the code comes last there
		town = strings.TrimSpace(strings.TrimSuffix(a.City+", "+a.Region, ", ") + " " + a.PostalCode)
		a.Region = ""
	}
	for _, line := range []string{town, a.Region, a.Country} {
		if line = strings.Trim(line, ", "); line != "" {
			p.Lines = append(p.Lines, line)
		}
	}
	for _, id := range ids {
		name := w.taxID
		if strings.HasSuffix(id.Type, "_vat") {
			name = w.vatID
		}
		p.Lines = append(p.Lines, name+": "+id.Value)
	}
	return p
}

func bank(b billing.Bank, holder, ref string, w *words) []Pair {
	if b.IBAN == "" {
		return nil
	}
	if b.Holder != "" {
		holder = b.Holder
	}
	pairs := []Pair{{w.holder, holder}, {"IBAN", inFours(b.IBAN)}}
	if b.BIC != "" {
		pairs = append(pairs, Pair{"BIC", b.BIC})
	}
	if b.Name != "" {
		pairs = append(pairs, Pair{w.bank, b.Name})
	}
	return append(pairs, Pair{w.reference, ref})
}

// inFours is an IBAN as it is printed.
func inFours(iban string) string {
	var parts []string
	for ; len(iban) > 4; iban = iban[4:] {
		parts = append(parts, iban[:4])
	}
	return strings.Join(append(parts, iban), " ")
}

// line is a line of the document in words.
func (p printer) line(l billing.Line) Line {
	name := named(l.Charge)
	switch {
	case l.Charge == "commitment":
		name = p.commitment
	case l.Charge == "coupon":
		name = p.coupon
	}
	switch l.Kind {
	case billing.ReversalLine:
		name += " – " + p.reversal
	case billing.AdjustmentLine:
		name += " – " + p.adjustment
	}
	under := l.Plan
	if l.Item != "main" {
		under = l.Item + " · " + under
	}
	line := Line{Name: name, Under: []string{under + " · " + p.span(l.Service.From.Time, l.Service.To.Time)}, Amount: p.money(l.Amount)}
	if len(l.Group) > 0 {
		line.Under = append(line.Under, groupText(l.Group))
	}
	if terms := p.terms(l.Explain); terms != "" {
		line.Under = append(line.Under, terms)
	}
	if rate := p.exchange(l.Explain); rate != "" {
		line.Under = append(line.Under, rate)
	}
	line.Quantity, line.Price = p.rounded(l.Quantity), "–"
	if inSeconds(l.Explain) {
		line.Quantity += "\u00a0s"
	}
	if l.UnitPrice != nil {
		line.Price = p.price(*l.UnitPrice)
	}
	return line
}

// terms are why a line's amount is not its quantity times its price: some of it is
// included, or the price is that of a package. Empty where neither is so.
func (p printer) terms(e rating.Explanation) string {
	var terms []string
	for {
		for _, f := range e.Facts {
			form := map[string]string{"included": p.included, "package_size": p.perPackage}[f.Name]
			units, err := exact.ParseDecimal(f.Text) // a number is a text once it was written
			if form != "" && err == nil {
				terms = append(terms, strings.Replace(form, "{units}", p.rounded(units), 1))
			}
		}
		if len(e.Of) != 1 || terms != nil {
			return strings.Join(terms, " · ")
		}
		e = e.Of[0]
	}
}

// exchange is the rate at which a line's cost was exchanged, with its day and its source;
// empty where it was not.
func (p printer) exchange(e rating.Explanation) string {
	for e.Rule != "exchange" {
		if len(e.Of) != 1 {
			return ""
		}
		e = e.Of[0]
	}
	var text, source string
	for _, f := range e.Facts {
		switch f.Name {
		case "pair":
			base, quote, _ := strings.Cut(f.Text, "/")
			text = "1 " + base + " = {rate} " + quote
		case "rate":
			text = strings.Replace(text, "{rate}", p.grouped(f.Text), 1) // a number is a text once it was written
		case "since":
			if day, err := time.Parse(time.DateOnly, f.Text); err == nil {
				text += " (" + day.Format(p.day)
			}
		case "source":
			source = ", " + f.Text
		}
	}
	return text + source + ")"
}

// inSeconds reports whether a quantity is the time for which a resource lived.
func inSeconds(e rating.Explanation) bool {
	for e.Rule != string(rating.CostPlus) {
		if len(e.Of) != 1 {
			return false
		}
		e = e.Of[0]
	}
	return true
}

// sums are what stands below the lines.
func (p printer) sums(inv billing.Invoice) []Sum {
	sums := []Sum{{Name: p.subtotal, Amount: p.money(inv.Subtotal)}}
	for _, d := range inv.Discounts {
		sums = append(sums, Sum{Name: p.discount + " " + d.Coupon, Amount: p.money(-d.Amount)})
	}
	for _, t := range inv.Taxes {
		form := p.tax
		if t.Mode == "inclusive" {
			form = p.taxIncluded
		}
		text := strings.NewReplacer("{tax}", p.taxName(t.ID), "{rate}", p.rounded(t.Rate), "{base}", p.money(t.Base)).Replace(form)
		sums = append(sums, Sum{Name: text, Amount: p.money(t.Amount)})
	}
	total := Sum{Name: p.total, Amount: p.money(inv.Total) + "\u00a0" + string(inv.Currency), Strong: true}
	if inv.Purpose == billing.Credit {
		total.Name = p.credited
		return append(sums, total)
	}
	sums = append(sums, total)
	if inv.CreditApplied > 0 {
		sums = append(sums, Sum{Name: p.paidByCredit, Amount: p.money(-inv.CreditApplied)})
	}
	if inv.Due != inv.Total {
		sums = append(sums, Sum{Name: p.due, Amount: p.money(inv.Due) + "\u00a0" + string(inv.Currency), Strong: true})
	}
	return sums
}

// notes are the sentences below the sums.
func (p printer) notes(inv billing.Invoice, of billing.Parties) (notes []string) {
	if isReverseCharge(inv, of) {
		notes = append(notes, p.reverseCharge)
	}
	switch {
	case inv.Purpose == billing.Credit, inv.Total < 0:
		notes = append(notes, p.becomesCredit)
	case inv.Due == 0:
		notes = append(notes, p.nothingDue)
	}
	for _, l := range inv.Lines {
		if !p.isMidnight(l.Service.From.Time) || !p.isMidnight(l.Service.To.Time) {
			return append(notes, strings.ReplaceAll(p.times, "{zone}", p.zone.String()))
		}
	}
	return notes
}

// isReverseCharge reports whether the customer owes the tax: none was charged, and
// both have VAT numbers of the European Union, of different countries (Directive
// 2006/112/EC, articles 44, 196 and 226 (11a)).
func isReverseCharge(inv billing.Invoice, of billing.Parties) bool {
	from, to := euVAT(of.Issuer.TaxIDs), euVAT(of.Customer.TaxIDs)
	return inv.TaxTotal == 0 && from != "" && to != "" && from != to
}

// euVAT is the country of somebody's VAT number; Northern Ireland is in it for goods
// alone, and what is hosted is a service.
func euVAT(ids []billing.TaxID) string {
	for _, id := range ids {
		if id.Type == "eu_vat" && len(id.Value) > 2 && !strings.HasPrefix(id.Value, "XI") {
			return id.Value[:2]
		}
	}
	return ""
}

// A printer writes values as a customer reads them.
type printer struct {
	*words
	zone     *time.Location
	currency money.Currency
}

// money is an amount in major units.
func (p printer) money(minor int64) string {
	return p.grouped(money.New(minor, p.currency).Decimal())
}

// rounded is a number to six decimals.
func (p printer) rounded(x exact.Number) string { return p.grouped(x.Round(6).String()) }

// price is a number with all its decimals, but at least as many as the currency has.
func (p printer) price(x exact.Number) string {
	text := x.String()
	whole, fraction, _ := strings.Cut(text, ".")
	if missing := p.currency.Digits() - len(fraction); missing > 0 {
		text = whole + "." + fraction + strings.Repeat("0", missing)
	}
	return p.grouped(text)
}
