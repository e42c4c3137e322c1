package billing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// An InvoiceState says how it stands with a document.
type InvoiceState string

// The states.
const (
	InvoiceIssued        InvoiceState = "issued"
	InvoicePartlyPaid    InvoiceState = "partially_paid"
	InvoicePaid          InvoiceState = "paid"
	InvoiceVoid          InvoiceState = "void"
	InvoiceUncollectible InvoiceState = "uncollectible"
)

// An Issued is a document as it was issued: an invoice or a credit note. It never
// changes; its state is told apart.
type Issued struct {
	ID           string
	Tenant       tenant.ID
	Slug         string
	Subscription SubscriptionID
	Zone         string // of the subscription's dates
	Purpose      Purpose
	From, To     time.Time // the period
	Series       string
	Number       int64 // from 1, without gaps, per series; 0 in a dry run
	IssueAt      time.Time
	IssuedAt     time.Time // by the run, which may be later
	IssuedBy     string
	DueAt        time.Time
	Currency     money.Currency
	Total, Due   int64 // minor units
	Open         int64 // of what is due: what is not settled yet
	State        InvoiceState
	Document     json.RawMessage // an [Invoice]
	Parties      json.RawMessage // issuer and customer as they were
	PreviousHash string
	Hash         string // of the document, its number and all before it
	revision     int64
}

// Ref is the number as it is written on the document.
func (i Issued) Ref() string { return fmt.Sprintf("%s%d", i.Series, i.Number) }

func (i *Issued) hash() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s %d\n%s %d %d %d\n%s\n%s", i.PreviousHash, i.Series, i.Number, i.ID, i.IssueAt.UnixMicro(), i.IssuedAt.UnixMicro(), i.DueAt.UnixMicro(), i.Document, i.Parties)
	return hex.EncodeToString(sum.Sum(nil))
}

// check adds up the document as it is shown, and returns its tax.
func (i *Issued) check() (tax int64, err error) {
	var d struct {
		Lines         []struct{ Amount int64 }
		Discounts     []struct{ Amount int64 }
		Subtotal      int64
		Total         int64
		TaxTotal      int64 `json:"tax_total"`
		CreditApplied int64 `json:"credit_applied"`
		Due           int64
		Taxes         []struct {
			Mode   string
			Amount int64
		}
	}
	if err := json.Unmarshal(i.Document, &d); err != nil {
		return 0, err
	}
	var lines, discounts, onTop int64
	for _, l := range d.Lines {
		lines += l.Amount
	}
	for _, x := range d.Discounts {
		discounts += x.Amount
	}
	exclusive := true
	for _, t := range d.Taxes {
		exclusive = exclusive && t.Mode == "exclusive"
	}
	if exclusive {
		onTop = d.TaxTotal
	}
	switch {
	case lines != d.Subtotal:
		return d.TaxTotal, errors.New("its lines do not add up")
	case exclusive && lines-discounts+onTop != d.Total:
		return d.TaxTotal, errors.New("its total is another than its lines, discounts and taxes")
	case d.Total != i.Total || d.Due != i.Due, i.Purpose != Credit && d.Due != max(0, d.Total)-d.CreditApplied:
		return d.TaxTotal, errors.New("its amount due is another")
	}
	return d.TaxTotal, nil
}

// Parties are who a document is from and to, as they were at its issue, and the numbers of
// the invoices that it corrects: what only its issue knows.
type Parties struct {
	Issuer struct {
		LegalName string  `json:"legal_name"`
		Address   Address `json:"address"`
		TaxIDs    []TaxID `json:"tax_ids"`
		Bank      Bank    `json:"bank"`
		Footer    string  `json:"footer"`
		Logo      string  `json:"logo,omitempty"` // the hash of its picture
	} `json:"issuer"`
	Customer struct {
		LegalName string  `json:"legal_name"`
		Email     string  `json:"email"`
		Address   Address `json:"address"`
		TaxIDs    []TaxID `json:"tax_ids"`
		TermsDays int     `json:"terms_days"`
		PONumber  string  `json:"po_number"`
		Language  string  `json:"language"`
		Zone      string  `json:"zone"` // of the subscription's dates; empty of documents that were issued before it was kept: UTC
	} `json:"customer"`
	Originals []Original `json:"originals,omitempty"`
}

// An Original is an invoice of which a line takes something back.
type Original struct {
	Line    int    `json:"line"`    // of this document, from 1
	Invoice string `json:"invoice"` // number
}

func partiesOf(i Issuer, c Customer, zone string) (p Parties) {
	p.Issuer.LegalName, p.Issuer.Address, p.Issuer.TaxIDs, p.Issuer.Bank = i.LegalName, i.Address, i.TaxIDs, i.Bank
	p.Issuer.Footer, p.Issuer.Logo = i.Footer, i.Logo
	to := &p.Customer
	to.LegalName, to.Email, to.Address, to.TaxIDs = c.LegalName, c.Email, c.Address, c.TaxIDs
	to.TermsDays, to.PONumber, to.Language, to.Zone = c.TermsDays, c.PONumber, c.Language, zone
	return p
}

// Read is the document, and who it is from and to, as they were issued.
func (i Issued) Read() (inv Invoice, p Parties, err error) {
	if err := json.Unmarshal(i.Document, &inv); err != nil {
		return inv, p, fmt.Errorf("billing: %s cannot be read: %w", i.Ref(), err)
	}
	if err := json.Unmarshal(i.Parties, &p); err != nil {
		return inv, p, fmt.Errorf("billing: the parties of %s cannot be read: %w", i.Ref(), err)
	}
	return inv, p, nil
}

// An IssuedFilter selects documents; empty fields select all.
type IssuedFilter struct {
	Tenant string     // slug or id
	Cursor string     // next of an earlier page
	Limit  int        // of a page, 1 to 1000; 0 is 100
	Open   bool       // only those of which something is open
	Sort   IssuedSort // empty: the last issued first

	State    InvoiceState // how it stands with them now
	Purpose  Purpose
	Currency string
	DueBy    time.Time // only those that are due before
	From, To time.Time // issued in [From, To)

	openOf        int64 // only those of which just so much is open
	currency      money.Currency
	tenant        tenant.ID
	subscriptions []SubscriptionID
	id            string
	series        string
	number        int64
}

// Invoices lists the documents that were issued, the last first, and the cursor of
// the next page, which is empty on the last one.
func (s *Service) Invoices(ctx context.Context, f IssuedFilter) (list []Issued, next string, err error) {
	if f.Limit, err = pageOf(f.Limit, f.Cursor, "inv", "documents"); err != nil {
		return nil, "", err
	}
	if f.tenant, err = s.tenantOf(ctx, f.Tenant); err != nil {
		return nil, "", err
	}
	if f.Currency != "" {
		if f.currency, err = money.ParseCurrency(f.Currency); err != nil {
			return nil, "", err
		}
	}
	if list, err = listIssued(ctx, s.db.Read(), f); err != nil {
		return nil, "", err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].ID
	}
	return list, next, s.nameTenants(ctx, list)
}

// pageOf is how much a page of a list holds, where it and the cursor are in order. The
// cursor is the id of the last of the page before.
func pageOf(limit int, cursor, ids, what string) (int, error) {
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > 1000 {
		return 0, fault.New(fault.Invalid, "A page holds 1 to 1000 %s, not %d.", what, limit)
	}
	if cursor != "" && id.Check(ids, cursor) != nil {
		return 0, fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	}
	return limit, nil
}

func (s *Service) nameTenants(ctx context.Context, list []Issued) error {
	slugs, err := s.tenants.Slugs(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Slug = slugs[list[i].Tenant]
	}
	return nil
}

// Invoice is the document with this id or number, one of test mode too;
// fault.NotFound where there is none.
func (s *Service) Invoice(ctx context.Context, ref string) (Issued, error) {
	find := s.find
	if isTestRef(ref) {
		find = s.findTest
	}
	i, err := find(ctx, s.db.Read(), ref)
	if err != nil {
		return Issued{}, err
	}
	list := []Issued{i}
	err = s.nameTenants(ctx, list)
	return list[0], err
}

// find is the document with an id or number, without its tenant's slug. It answers
// fault.Conflict for one of test mode: nothing can be booked on that.
func (s *Service) find(ctx context.Context, q db.Queryer, ref string) (Issued, error) {
	if isTestRef(ref) {
		return Issued{}, fault.New(fault.Conflict, "%s is a test document: nothing is owed by it, and nothing can be booked on it.", cut(ref))
	}
	var list []Issued
	var err error
	if id.Check("inv", ref) == nil {
		list, err = listIssued(ctx, q, IssuedFilter{Limit: 1, id: ref})
	} else {
		list, err = byNumber(ctx, q, ref)
	}
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "There is no invoice %q. Those there are: arcadia invoice list", cut(ref))
	}
	if err != nil {
		return Issued{}, err
	}
	return list[0], nil
}

// byNumber finds the document with a number as it is written. Where a series ends and
// the number begins cannot be seen from the text, so every place is tried.
func byNumber(ctx context.Context, q db.Queryer, ref string) ([]Issued, error) {
	for cutAt := len(ref) - 1; cutAt > 0 && ref[cutAt] >= '0' && ref[cutAt] <= '9' && len(ref)-cutAt < 18; cutAt-- {
		if ref[cutAt] == '0' {
			continue // no number begins with it
		}
		number, err := strconv.ParseInt(ref[cutAt:], 10, 64)
		if err != nil {
			return nil, nil
		}
		list, err := listIssued(ctx, q, IssuedFilter{Limit: 1, series: ref[:cutAt], number: number})
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	return nil, nil
}
