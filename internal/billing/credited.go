package billing

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A kept document is what is read again of one that was issued.
type kept struct {
	Period    Span
	Currency  money.Currency
	Lines     []keptLine
	Discounts []DiscountAmount
	Taxes     []TaxAmount
	TaxTotal  int64    `json:"tax_total"`
	Credits   *Credits // of a credit note by hand
}

type keptLine struct {
	Charge  string
	Item    string
	Plan    string
	Kind    LineKind
	Service Span
	Group   map[string]string
	Amount  int64
	Tax     int64
	Explain rating.Explanation
}

// creditedBy reads the credit notes by hand among documents, in the order in which bills
// know of them.
func creditedBy(issued []Issued) (notes []kept, err error) {
	for _, i := range issued {
		if i.revision >= 0 {
			continue
		}
		var d kept
		if err := json.Unmarshal(i.Document, &d); err != nil {
			return nil, err
		}
		notes = append(notes, d)
	}
	slices.SortStableFunc(notes, func(x, y kept) int { return x.Credits.KnownAt.Compare(y.Credits.KnownAt.Time) })
	return notes, nil
}

// knownCredits takes into account what was credited by hand and is known at an instant:
// what is credited is not given back once more when service ends early, or when usage
// turns out to be less.
func (b *biller) knownCredits(t time.Time) {
	for len(b.credits) > 0 && !b.credits[0].Credits.KnownAt.After(t) {
		for _, l := range b.credits[0].Lines {
			b.creditFee(l)
			b.creditUsage(l)
		}
		b.credits = b.credits[1:]
	}
}

func (b *biller) creditFee(l keptLine) {
	isOf := func(f *billed) bool {
		return f.charge.ID == l.Charge && f.item == l.Item && f.plan.Ref() == l.Plan && f.times.From.Equal(l.Service.From.Time) && f.times.To.Equal(l.Service.To.Time)
	}
	n := slices.IndexFunc(b.fees, func(f *billed) bool { return isOf(f) && f.charged() > 0 })
	if n < 0 {
		return
	}
	left := b.fees[n].credit(l.Amount)
	// What took its place for as much was on no document: it is credited with it.
	for _, f := range b.fees {
		if f.item == l.Item && !isOf(f) && f.times.From.Before(l.Service.To.Time) && l.Service.From.Before(f.times.To) {
			left = f.credit(left)
		}
	}
}

// charged is what of a fee is still charged, after discounts.
func (f *billed) charged() int64 {
	charged := f.rest
	for _, off := range f.off {
		charged -= off
	}
	return charged
}

// credit takes an amount off what is still charged, and answers what is left of it.
func (f *billed) credit(amount int64) (left int64) {
	charged := f.charged()
	part := min(amount, charged)
	if part <= 0 {
		return amount
	}
	f.rest -= portion(f.rest, part, charged)
	for coupon, off := range f.off {
		f.off[coupon] -= portion(off, part, charged)
	}
	return amount - part
}

func (b *biller) creditUsage(l keptLine) {
	for _, r := range b.usage {
		if r.charge.ID != l.Charge || r.metered.item != l.Item || r.metered.plan.Ref() != l.Plan {
			continue
		}
		for _, line := range r.lines {
			if !maps.Equal(line.group, l.Group) || !line.service.From.Equal(l.Service.From.Time) || !line.service.To.Equal(l.Service.To.Time) {
				continue
			}
			charged := line.amount
			for _, off := range line.off {
				charged -= off
			}
			if charged > 0 {
				line.credited = min(line.amount, line.credited+portion(line.amount, min(l.Amount, charged), charged))
			}
			return
		}
	}
}

// portion is the part of an amount that another is of a whole, rounded.
func portion(amount, part, whole int64) int64 {
	return exact.Fraction(part, whole).Mul(exact.Whole(amount)).Units(0).Int64()
}

// lessen is what is given back at most of a line that was billed: what was credited of
// it by hand is not charged any more.
func (l *ratedLine) lessen(difference int64) int64 {
	return max(difference, min(0, l.credited-l.amount))
}
