package billing

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A NoteOrder asks for a credit note of an invoice.
type NoteOrder struct {
	Rehearsal
	Invoice string // number or id
	Full    bool   // all that is still charged
	Line    int    // from 1; 0: none by itself
	Amount  int64  // with tax, of the line or of the invoice; 0: the whole line
	Reason  string
	Test    bool // issue nothing: keep what would be issued as a test document
	By      string
}

// A Note is a credit note that was issued by hand, or would be.
type Note struct {
	Issued
	Of          Issued       // the invoice
	Settled     []Settlement // of it
	Credit      int64        // the rest, which became credit of the account
	Fingerprint string
	Done        bool
}

// Credits is what a credit note that somebody issued says of its invoice.
type Credits struct {
	Invoice string  `json:"invoice"` // number
	Reason  string  `json:"reason"`
	KnownAt Instant `json:"known_at"` // since when bills know of it
}

// A credited part is what is credited of a line, in minor units.
type credited struct {
	Line  int   `json:"line"`  // from 1
	Gross int64 `json:"gross"` // with tax
	Tax   int64 `json:"tax"`
}

// CreditInvoice issues a credit note of an invoice, in whole, of a line, or of an
// amount over all its lines. It settles what the invoice has open, and the rest becomes
// credit of the account. No more is credited than is still charged; the tax goes with
// it in proportion, and what closes a line takes exactly what is left of its tax.
func (s *Service) CreditInvoice(ctx context.Context, o NoteOrder, now time.Time) (n Note, err error) {
	if err := checkTexts(named{"reason", &o.Reason, 200}); err != nil {
		return n, err
	}
	switch {
	case o.Reason == "":
		return n, fault.New(fault.Invalid, "Say why the invoice is credited: the reason is on the credit note.")
	case o.Amount < 0:
		return n, fault.New(fault.Invalid, "What is credited is more than nothing.")
	case o.Full == (o.Line != 0 || o.Amount != 0):
		return n, fault.New(fault.Invalid, "Say what is credited: all of the invoice, or a line, or an amount.")
	case o.Test && o.DryRun:
		return n, fault.New(fault.Invalid, "A credit note is dry or in test mode, not both: in test mode it issues nothing either.")
	}
	o.DryRun = o.DryRun || o.Test
	n.Fingerprint, n.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		n = Note{}
		if n.Of, err = s.invoiceIn(ctx, tx, o.Invoice); err != nil {
			return "", err
		}
		parts, err := s.toCredit(ctx, tx, &n.Of, o)
		if err != nil {
			return "", err
		}
		if err := s.issueByHand(ctx, tx, &n, parts, o, now); err != nil {
			return "", err
		}
		return digest(settlementsText(fmt.Sprint("credit note for ", n.Of.ID, parts), n.Settled)), nil
	})
	if err == nil && o.Test {
		err = s.keepTestNote(ctx, &n)
	}
	if err != nil {
		return n, err
	}
	list := []Issued{n.Issued, n.Of}
	err = s.nameTenants(ctx, list)
	n.Issued, n.Of = list[0], list[1]
	if !n.Done && !o.Test {
		n.Number = 0
	}
	return n, err
}

// A remainder is what an invoice's lines charge, after discounts and with tax, and what
// of it is still charged.
type remainder struct {
	whole, left []credited
	over        []int // lines, from 1, of which more was given back than they charged
}

// charged is what is still charged of an invoice: what its lines charge less what was
// credited of them by hand, and less what later bills took back. It is a conflict where
// that cannot be told.
func (s *Service) charged(ctx context.Context, q db.Queryer, i *Issued) (r remainder, err error) {
	bills, err := listIssued(ctx, q, IssuedFilter{subscriptions: []SubscriptionID{i.Subscription}, Limit: -1})
	if err != nil {
		return r, err
	}
	taken, err := takenBack(bills)
	if err != nil {
		return r, err
	}
	catalog, err := s.StoredCatalog(ctx, i.Currency)
	if err != nil {
		return r, err
	}
	notes, err := notesOf(ctx, q, i.ID)
	if err != nil {
		return r, err
	}
	return remains(i, catalog, notes[i.ID], taken[i.ID])
}

// remains works out what is still charged of an invoice. What bills took back of a line
// is measured by its amount before discounts, of which each coupon took its part.
func remains(i *Issued, catalog *Catalog, notes [][]credited, taken map[int]takenLine) (r remainder, err error) {
	var d kept
	if err := json.Unmarshal(i.Document, &d); err != nil {
		return r, err
	}
	inclusive := len(d.Taxes) > 0 && d.Taxes[0].Mode == "inclusive"
	for _, t := range d.Taxes {
		if (t.Mode == "inclusive") != inclusive {
			return r, fault.New(fault.Conflict, "%s has taxes within prices and on top of them: it cannot be credited by hand.", i.Ref())
		}
	}
	nets := make([]int64, len(d.Lines))
	for n, l := range d.Lines {
		nets[n] = l.Amount
	}
	for _, off := range d.Discounts {
		takeOff(nets, off.Amount, d.Lines, i.Currency, catalog.coupon(off.Coupon))
	}
	for n, l := range d.Lines {
		part := credited{Line: n + 1, Gross: nets[n], Tax: l.Tax}
		if !inclusive {
			part.Gross += l.Tax
		}
		r.whole = append(r.whole, part)
	}
	r.left = slices.Clone(r.whole)
	byHand := make(map[int]int64)
	for _, note := range notes {
		for _, part := range note {
			left := &r.left[part.Line-1]
			left.Gross -= part.Gross
			left.Tax -= part.Tax
			if byHand[part.Line-1] += part.Gross; !inclusive {
				byHand[part.Line-1] -= part.Tax
			}
		}
	}
	for n, l := range d.Lines {
		t, left := taken[n], &r.left[n]
		if t.amount == 0 {
			if r.whole[n].Gross > 0 && (left.Gross < 0 || left.Tax < 0) {
				r.over = append(r.over, n+1)
			}
			continue
		}
		net := portion(nets[n], t.amount, l.Amount)
		if byHand[n]+net > nets[n]+int64(len(d.Discounts)) { // a coupon's part is rounded with each bill
			r.over = append(r.over, n+1)
		}
		if byHand[n]+net >= nets[n] { // whatever is left of its tax is of other roundings
			*left = credited{Line: n + 1}
			continue
		}
		if left.Gross -= net; !inclusive {
			left.Gross -= t.tax
		}
		left.Gross = max(0, left.Gross)
		left.Tax = min(max(0, left.Tax-t.tax), left.Gross)
	}
	return r, nil
}

// takeOff shares a discount out over the lines that it is about.
func takeOff(nets []int64, amount int64, lines []keptLine, c money.Currency, coupon *Coupon) {
	weights := make([]int64, len(nets))
	var sum int64
	for n := range nets {
		if nets[n] > 0 && (coupon == nil || coupon.isAbout(lines[n].Charge)) {
			weights[n] = nets[n]
			sum += nets[n]
		}
	}
	if sum == 0 {
		return
	}
	for n, off := range money.New(amount, c).Allocate(weights...) {
		nets[n] -= off.Minor
	}
}

// toCredit is what an order credits of each line.
func (s *Service) toCredit(ctx context.Context, tx *sql.Tx, i *Issued, o NoteOrder) ([]credited, error) {
	sums, err := settledBy(ctx, tx, i.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.charged(ctx, tx, i)
	if err != nil {
		return nil, err
	}
	whole, left := r.whole, r.left
	var rest, positive int64
	weights := make([]int64, len(left))
	for n, part := range left {
		rest += part.Gross
		weights[n] = max(0, part.Gross)
		positive += weights[n]
	}
	amount := money.New(o.Amount, i.Currency)
	switch {
	case sums[ByWriteOff] > 0:
		return nil, fault.New(fault.Conflict, "%s was written off.", i.Ref())
	case rest <= 0:
		return nil, fault.New(fault.Conflict, "Nothing of %s is still charged.", i.Ref())
	case o.Line < 0 || o.Line > len(left):
		return nil, fault.New(fault.Invalid, "%s has the lines 1 to %d, not %d.", i.Ref(), len(left), o.Line)
	case o.Amount > rest:
		return nil, fault.New(fault.Conflict, "Only %s of %s are still charged.", money.New(rest, i.Currency), i.Ref())
	case o.Full:
		return withoutNothing(left), nil
	case o.Line == 0:
		parts := make([]credited, len(left))
		for n, share := range amount.Allocate(weights...) {
			parts[n] = partOf(whole[n], left[n], share.Minor)
		}
		return withoutNothing(parts), nil
	}
	of := left[o.Line-1]
	if o.Amount == 0 {
		amount.Minor = of.Gross
	}
	switch {
	case of.Gross <= 0:
		return nil, fault.New(fault.Conflict, "Nothing of line %d of %s is still charged.", o.Line, i.Ref())
	case amount.Minor > min(of.Gross, rest):
		return nil, fault.New(fault.Conflict, "Only %s of line %d of %s are still charged.", money.New(min(of.Gross, rest), i.Currency), o.Line, i.Ref())
	}
	return []credited{partOf(whole[o.Line-1], of, amount.Minor)}, nil
}

// partOf is a part of a line with its part of the tax. What closes the line takes what
// is left of it.
func partOf(whole, left credited, gross int64) credited {
	if gross == left.Gross {
		return left
	}
	tax := exact.Fraction(gross, whole.Gross).Mul(exact.Whole(whole.Tax)).Units(0).Int64()
	return credited{left.Line, gross, min(tax, left.Tax)}
}

func withoutNothing(all []credited) (some []credited) {
	for _, part := range all {
		if part.Gross != 0 {
			some = append(some, part)
		}
	}
	return some
}

// issueByHand issues the credit note of parts of an invoice.
func (s *Service) issueByHand(ctx context.Context, tx *sql.Tx, n *Note, parts []credited, o NoteOrder, now time.Time) error {
	of := &n.Of
	var billed, count int64
	err := tx.QueryRowContext(ctx, `SELECT COALESCE((SELECT billed_to FROM billing_marks WHERE subscription_id = $1), 0),
		(SELECT COUNT(*) FROM billing_invoices WHERE subscription_id = $1 AND revision < 0)`, string(of.Subscription)).Scan(&billed, &count)
	if err != nil {
		return err
	}
	customer, err := findCustomer(ctx, tx, of.Tenant)
	if err != nil {
		return err
	}
	issuer, err := issuerOf(ctx, tx, of)
	if err != nil {
		return err
	}
	var numbers series
	numbers.taken = 1
	if err := takeNumbers(ctx, tx, issuer.CreditSeries, &numbers); err != nil {
		return err
	}
	at := period.Later(micros(now), numbers.lastIssued)
	d, err := noteDocument(of, parts, o.Reason, at, db.Time(billed).Add(time.Microsecond))
	if err != nil {
		return err
	}
	n.Issued = Issued{
		ID: id.New("inv"), Tenant: of.Tenant, Subscription: of.Subscription, Purpose: Credit, From: of.From, To: of.To, revision: -1 - count, Series: issuer.CreditSeries,
		Number: numbers.number + 1, IssueAt: at, IssuedAt: at, IssuedBy: o.By, DueAt: at, Currency: of.Currency, Total: d.Total, State: InvoiceIssued, PreviousHash: numbers.hash, Zone: of.Zone,
	}
	i := &n.Issued
	if i.Document, err = json.Marshal(d); err != nil {
		return err
	}
	var before Parties
	if err := json.Unmarshal(of.Parties, &before); err != nil {
		return err
	}
	if i.Parties, err = json.Marshal(partiesOf(issuer, customer, cmp.Or(before.Customer.Zone, customer.Zone))); err != nil {
		return err
	}
	i.Hash = i.hash()
	var made entered
	made.add(i, d.TaxTotal)
	made.series = [][]any{{i.Series, i.Hash}}
	made.marks, made.entries = nil, nil // no bill is worked out to it
	if err := made.insert(ctx, s.db, tx); err != nil {
		return err
	}
	shares, rest := spread(i.Total, []Issued{*of})
	n.Credit = rest
	entry, err := journal.PostTx(ctx, tx, journal.Entry{
		Key: "invoice/" + i.ID, At: at, EnteredAt: at, Actor: o.By, Description: "credit note " + i.Ref() + " for " + of.Ref() + ": " + o.Reason,
		Postings: i.postingsByHand(d.TaxTotal, shared(shares)),
	})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO billing_credit_notes (note_id, invoice_id, total, lines, reason) VALUES ($1, $2, $3, $4, $5)`,
		i.ID, of.ID, i.Total, db.JSON[[]credited]{V: parts}, o.Reason)
	if err != nil {
		return err
	}
	x := settling{kind: ByCreditNote, source: i.ID, entry: entry, at: at, by: o.By, reason: o.Reason}
	if err := settle(ctx, tx, x, shares); err != nil {
		return err
	}
	n.Settled = settlementsOf(ByCreditNote, i.ID, shares)
	if len(shares) > 0 {
		*of = *shares[0].invoice
		return nil
	}
	return moveState(ctx, tx, of, x)
}

// issuerOf is who issued a document, which its series tells, whoever bills the customer
// now. It is a conflict where nobody has that series any more.
func issuerOf(ctx context.Context, q db.Queryer, i *Issued) (Issuer, error) {
	all, err := listIssuers(ctx, q, "")
	if err != nil {
		return Issuer{}, err
	}
	n := slices.IndexFunc(all, func(x Issuer) bool { return x.Series == i.Series || x.CreditSeries == i.Series })
	if n < 0 {
		return Issuer{}, fault.New(fault.Conflict, "No issuer has the series %s of %s any more. Give it back to the one that had it: arcadia issuer set", i.Series, i.Ref())
	}
	return all[n], nil
}

// postingsByHand are those of a credit note that settles so much of its invoice.
func (i *Issued) postingsByHand(tax, settled int64) []journal.Posting {
	return posted(
		posting(i.Tenant, i.Currency, journal.Receivable, -settled), posting(i.Tenant, i.Currency, journal.AccountCredit, settled-i.Total),
		posting(i.Tenant, i.Currency, journal.Revenue, i.Total-tax), posting(i.Tenant, i.Currency, journal.TaxPayable, tax),
	)
}

// noteDocument is the credit note of parts of an invoice, whose lines it repeats.
func noteDocument(of *Issued, parts []credited, reason string, at, known time.Time) (d Invoice, err error) {
	var o kept
	if err := json.Unmarshal(of.Document, &o); err != nil {
		return d, err
	}
	d = Invoice{Purpose: Credit, Period: o.Period, IssueAt: Instant{at}, Currency: o.Currency, Discounts: []DiscountAmount{}, Taxes: []TaxAmount{},
		Credits: &Credits{Invoice: of.Ref(), Reason: reason, KnownAt: Instant{known}}}
	inclusive := len(o.Taxes) > 0 && o.Taxes[0].Mode == "inclusive"
	var base int64
	for _, part := range parts {
		l := o.Lines[part.Line-1]
		amount := part.Gross
		if !inclusive {
			amount -= part.Tax
		}
		value := money.New(amount, o.Currency).Exact()
		d.Lines = append(d.Lines, Line{
			Charge: l.Charge, Item: l.Item, Plan: l.Plan, Kind: ReversalLine, Service: l.Service, Group: l.Group, Quantity: exact.Whole(1), Exact: value, Amount: amount, Tax: part.Tax,
			Explain: rating.Explanation{Rule: "credited", Value: value, Facts: []rating.Fact{
				rating.Text("invoice", of.Ref()), rating.Num("line", exact.Whole(int64(part.Line))), rating.Num("charged", money.New(l.Amount, o.Currency).Exact())}},
		})
		d.Subtotal += amount
		d.TaxTotal += part.Tax
		d.Total += part.Gross
		if part.Tax != 0 || o.TaxTotal == 0 {
			base += part.Gross - part.Tax
		}
	}
	d.Taxes = shareTaxes(o.Taxes, base, d.TaxTotal, o.Currency)
	return d, nil
}

// shareTaxes shares what is credited out over the rates of an invoice.
func shareTaxes(of []TaxAmount, base, tax int64, c money.Currency) []TaxAmount {
	bases, taxes := make([]int64, len(of)), make([]int64, len(of))
	var sumBase, sumTax int64
	for n, t := range of {
		bases[n], taxes[n] = max(0, t.Base), max(0, t.Amount)
		sumBase, sumTax = sumBase+bases[n], sumTax+taxes[n]
	}
	all := make([]TaxAmount, len(of))
	for n, t := range of {
		all[n] = TaxAmount{ID: t.ID, Rate: t.Rate, Mode: t.Mode}
	}
	if sumBase > 0 {
		for n, x := range money.New(base, c).Allocate(bases...) {
			all[n].Base = x.Minor
		}
	}
	if sumTax > 0 {
		for n, x := range money.New(tax, c).Allocate(taxes...) {
			all[n].Amount = x.Minor
		}
	}
	return all
}

// notesOf is what each credit note by hand credits of an invoice, of all where it is
// empty, by the invoice's id.
func notesOf(ctx context.Context, q db.Queryer, invoice string) (map[string][][]credited, error) {
	notes := make(map[string][][]credited)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var of string
		var parts db.JSON[[]credited]
		err := rows.Scan(&of, &parts)
		notes[of] = append(notes[of], parts.V)
		return err
	}, `SELECT invoice_id, lines FROM billing_credit_notes WHERE CAST($1 AS TEXT) = '' OR invoice_id = $1 ORDER BY note_id`, invoice)
	return notes, err
}

// noteTotals are what was credited by hand of invoices, of one, or of all where it is
// empty.
func noteTotals(ctx context.Context, q db.Queryer, invoice string) (map[string]int64, error) {
	totals := make(map[string]int64)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var of string
		var total int64
		err := rows.Scan(&of, &total)
		totals[of] = total
		return err
	}, `SELECT invoice_id, CAST(SUM(total) AS BIGINT) FROM billing_credit_notes WHERE CAST($1 AS TEXT) = '' OR invoice_id = $1 GROUP BY invoice_id`, invoice)
	return totals, err
}

// A WriteOffOrder says that what an invoice has open will not be paid.
type WriteOffOrder struct {
	Rehearsal
	Invoice string // number or id
	Reason  string
	By      string
}

// A WriteOff is what was, or would be, written off.
type WriteOff struct {
	Of          Issued
	Amount      int64
	Fingerprint string
	Done        bool
}

// WriteOffInvoice books what an invoice has open as bad debt. The invoice stays as it
// is: no tax is corrected, and what is paid after all becomes credit of the account.
func (s *Service) WriteOffInvoice(ctx context.Context, o WriteOffOrder, now time.Time) (w WriteOff, err error) {
	if err := checkTexts(named{"reason", &o.Reason, 200}); err != nil {
		return w, err
	}
	if o.Reason == "" {
		return w, fault.New(fault.Invalid, "Say why the invoice is written off: the reason is kept.")
	}
	w.Fingerprint, w.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		i, err := s.invoiceIn(ctx, tx, o.Invoice)
		switch {
		case err != nil:
			return "", err
		case i.Open == 0:
			return "", fault.New(fault.Conflict, "Nothing is open on %s: it is %s.", i.Ref(), stateText(i))
		}
		w.Of, w.Amount = i, i.Open
		at := micros(now)
		entry, err := journal.PostTx(ctx, tx, journal.Entry{
			Key: "write_off/" + id.New("use"), At: at, EnteredAt: at, Actor: o.By, Description: i.Ref() + " written off: " + o.Reason,
			Postings: []journal.Posting{posting(i.Tenant, i.Currency, journal.BadDebt, i.Open), posting(i.Tenant, i.Currency, journal.Receivable, -i.Open)},
		})
		if err != nil {
			return "", err
		}
		shares := []share{{&w.Of, i.Open}}
		err = settle(ctx, tx, settling{kind: ByWriteOff, entry: entry, at: at, by: o.By, reason: o.Reason}, shares)
		return digest(fmt.Sprintf("write off %s %d", i.ID, w.Amount)), err
	})
	if err != nil {
		return w, err
	}
	list := []Issued{w.Of}
	err = s.nameTenants(ctx, list)
	w.Of = list[0]
	return w, err
}
