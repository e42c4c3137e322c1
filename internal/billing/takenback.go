package billing

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A takenLine is what later bills took back of a line that was issued, in minor units.
type takenLine struct {
	amount int64 // of the line's, before discounts
	tax    int64
}

// A chargedLine is one that charges something, on its document.
type chargedLine struct {
	keptLine
	invoice string // id
	ref     string // its number, as it is written
	number  int    // from 0
	left    int64  // of its amount
}

// A takenPart is what a line takes back of one that an earlier document charged.
type takenPart struct {
	of *chargedLine
	takenLine
}

// takenBack is what the bills of one subscription took back of lines that earlier ones
// charged, by the id of the invoice and the line from 0. Credit notes by hand are not
// among it.
func takenBack(issued []Issued) (map[string]map[int]takenLine, error) {
	taken := make(map[string]map[int]takenLine)
	err := eachTakenBack(issued, func(_ *Issued, _ int, parts []takenPart) {
		for _, part := range parts {
			of := taken[part.of.invoice]
			if of == nil {
				of = make(map[int]takenLine)
				taken[part.of.invoice] = of
			}
			all := of[part.of.number]
			of[part.of.number] = takenLine{all.amount + part.amount, all.tax + part.tax}
		}
	})
	return taken, err
}

// originalsOf are the invoices of which the lines of a document take something back, by
// line, the last issued first. It is among the documents of its subscription that are
// given.
func originalsOf(id string, issued []Issued) (all []Original, err error) {
	err = eachTakenBack(issued, func(by *Issued, line int, parts []takenPart) {
		if by.ID != id {
			return
		}
		for _, part := range parts {
			if o := (Original{line + 1, part.of.ref}); !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	})
	return all, err
}

// eachTakenBack goes through the lines of one subscription's bills that take something
// back. Of a fee such a line says which line that is; of usage and commitments it is about
// those of the same service, the last issued first. Where that line took the place of
// another that was as much, it was on no document, and the line is about what was billed
// of the item for that time. What is taken back beyond what lines charge is told of the
// last of them.
func eachTakenBack(issued []Issued, see func(by *Issued, line int, parts []takenPart)) error {
	issued = slices.DeleteFunc(slices.Clone(issued), func(i Issued) bool { return i.revision < 0 })
	slices.SortFunc(issued, func(a, b Issued) int { return cmp.Or(a.IssueAt.Compare(b.IssueAt), cmp.Compare(a.ID, b.ID)) })
	var charged []*chargedLine
	for _, i := range issued {
		var d kept
		if err := json.Unmarshal(i.Document, &d); err != nil {
			return err
		}
		for n, l := range d.Lines {
			if i.Purpose == Credit {
				l.Amount, l.Tax = -l.Amount, -l.Tax
			}
			switch {
			case l.Charge == couponCharge:
			case l.Amount > 0:
				charged = append(charged, &chargedLine{keptLine: l, invoice: i.ID, ref: i.Ref(), number: n, left: l.Amount})
			case l.takesBack():
				see(&i, n, l.takeFrom(charged))
			}
		}
	}
	return nil
}

// takesBack reports whether a line, with its sign, gives back what another charged.
func (l *keptLine) takesBack() bool {
	return l.Amount < 0 && l.Kind != ChargeLine && l.Charge != couponCharge
}

// takeFrom takes what a line takes back from those that it is about.
func (l *keptLine) takeFrom(charged []*chargedLine) (parts []takenPart) {
	from, to, isFee := billedTime(&l.Explain)
	var about, instead []*chargedLine
	for _, c := range slices.Backward(charged) {
		same := c.Charge == l.Charge && c.Item == l.Item && c.Plan == l.Plan && maps.Equal(c.Group, l.Group)
		served := c.Service.From.Equal(l.Service.From.Time) || c.Service.From.Before(l.Service.To.Time) && l.Service.From.Before(c.Service.To.Time)
		switch {
		case same && isFee && c.Service.From.Format(timeFormat) == from && c.Service.To.Format(timeFormat) == to, same && !isFee && served:
			about = append(about, c)
		case c.Item == l.Item && served:
			instead = append(instead, c)
		}
	}
	if len(about) == 0 {
		about = instead
	}
	amount, tax := -l.Amount, -l.Tax
	for n, c := range about {
		part := min(amount, c.left)
		if last := n == len(about)-1; last {
			part = amount
		}
		if part <= 0 {
			continue
		}
		its := portion(tax, part, amount)
		amount, tax, c.left = amount-part, tax-its, c.left-part
		parts = append(parts, takenPart{c, takenLine{part, its}})
	}
	return parts
}

// billedTime is the service of the line that a reversal of a fee says it takes back.
func billedTime(e *rating.Explanation) (from, to string, ok bool) {
	if e.Rule == "reversal" {
		for _, f := range e.Facts {
			switch f.Name {
			case "billed_from":
				from, ok = f.Text, true
			case "billed_to":
				to = f.Text
			}
		}
		return from, to, ok
	}
	for n := range e.Of {
		if from, to, ok = billedTime(&e.Of[n]); ok {
			return from, to, ok
		}
	}
	return "", "", false
}
