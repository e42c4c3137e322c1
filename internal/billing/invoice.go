package billing

import (
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A Purpose says what an invoice is for. One period has one of each, and more
// where it changes in its middle.
type Purpose string

// The purposes of documents.
const (
	Advance Purpose = "advance" // fees of the time to come, issued as it begins
	Arrears Purpose = "arrears" // what was used, issued when it has ended and the grace is over
	Credit  Purpose = "credit_note"
)

// Lines that are not of a plan's charge.
const (
	commitmentCharge = "commitment" // what is missing to the least that a period costs
	couponCharge     = "coupon"     // the part of a discount that goes with what is given back
)

// An Instant is a time that is written in RFC 3339, UTC, with microseconds.
type Instant struct{ time.Time }

// MarshalJSON writes the instant in quotes.
func (t Instant) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// A Span is a period on a document, [from, to).
type Span struct {
	From Instant `json:"from"`
	To   Instant `json:"to"`
}

// An Invoice is what a tenant is to pay at once, or in a credit note what is given
// back. Amounts are minor units; it never changes after its issue.
type Invoice struct {
	Purpose       Purpose          `json:"purpose"`
	Period        Span             `json:"period"`
	IssueAt       Instant          `json:"issue_at"`
	Currency      money.Currency   `json:"currency"`
	Lines         []Line           `json:"lines"`
	Subtotal      int64            `json:"subtotal"` // of the lines, before discounts
	Discounts     []DiscountAmount `json:"discounts"`
	Taxes         []TaxAmount      `json:"taxes"`
	TaxTotal      int64            `json:"tax_total"`
	Total         int64            `json:"total"` // with tax; negative when more is given back than charged
	CreditApplied int64            `json:"credit_applied"`
	Due           int64            `json:"due"`
	Credits       *Credits         `json:"credits,omitempty"` // of a credit note by hand
}

// isNothing reports whether a document charges nothing and gives nothing back, as where a
// fee takes the place of one that was as much. No such document is issued.
func (i *Invoice) isNothing() bool {
	return i.Subtotal == 0 && i.Total == 0 && !slices.ContainsFunc(i.Taxes, func(t TaxAmount) bool { return t.Base != 0 || t.Amount != 0 })
}

// gross is what a document adds to what its receiver is charged, with taxes: a credit
// note takes off.
func (i *Invoice) gross() int64 {
	if i.Purpose == Credit {
		return -i.Total
	}
	return i.Total
}

// net is what it adds without taxes.
func (i *Invoice) net() int64 {
	if i.Purpose == Credit {
		return i.gross() + i.TaxTotal
	}
	return i.gross() - i.TaxTotal
}

// sumOf adds up what documents are by a measure.
func sumOf(documents []Invoice, measure func(*Invoice) int64) (sum int64) {
	for n := range documents {
		sum += measure(&documents[n])
	}
	return sum
}

// A Line is one charge for one time of service.
type Line struct {
	Charge    string             `json:"charge"`
	Item      string             `json:"item"`
	Plan      string             `json:"plan"`
	Kind      LineKind           `json:"kind"`
	Service   Span               `json:"service"`
	Group     map[string]string  `json:"group,omitempty"` // by what the meter or the resources are told apart
	Quantity  exact.Number       `json:"quantity"`
	UnitPrice *exact.Number      `json:"unit_price"` // nil where no single price was used
	Exact     exact.Number       `json:"exact"`      // major units, before the rounding
	Amount    int64              `json:"amount"`
	Tax       int64              `json:"tax"`
	Explain   rating.Explanation `json:"explain"`
}

// A LineKind says whether a line charges or corrects.
type LineKind string

// The kinds of lines.
const (
	ChargeLine     LineKind = "charge"
	ReversalLine   LineKind = "reversal"   // takes back a line, or a part of it
	AdjustmentLine LineKind = "adjustment" // what a period that was billed costs more or less by now
)

// A DiscountAmount is what a coupon takes off.
type DiscountAmount struct {
	Coupon string `json:"coupon"`
	Amount int64  `json:"amount"`
}

// A TaxAmount is a tax on its base, which is net.
type TaxAmount struct {
	ID     string       `json:"id"`
	Rate   exact.Number `json:"rate"`
	Mode   string       `json:"mode"`
	Base   int64        `json:"base"`
	Amount int64        `json:"amount"`
}

// An Outcome is every document that is due by a time, oldest first, and the usage
// that does not count.
type Outcome struct {
	Invoices    []Invoice           `json:"invoices"`
	CreditNotes []Invoice           `json:"credit_notes"`
	Rejected    []metering.Rejected `json:"rejected"`
	Warnings    []string            `json:"-"` // what a bill leaves out: sentences
}
