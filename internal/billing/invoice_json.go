package billing

import (
	"maps"
	"slices"
	"strconv"

	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// appendJSON appends the bytes that json.Marshal makes of the invoice, several times as
// fast: a billing run makes them for every document of every subscription, to compare
// them with what was issued.
func (i *Invoice) appendJSON(b []byte) []byte {
	b = rating.AppendString(append(b, `{"purpose":`...), string(i.Purpose))
	b = i.Period.appendJSON(append(b, `,"period":`...))
	b = i.IssueAt.appendJSON(append(b, `,"issue_at":`...))
	b = rating.AppendString(append(b, `,"currency":`...), string(i.Currency))
	b = appendList(append(b, `,"lines":`...), i.Lines, (*Line).appendJSON)
	b = strconv.AppendInt(append(b, `,"subtotal":`...), i.Subtotal, 10)
	b = appendList(append(b, `,"discounts":`...), i.Discounts, func(d *DiscountAmount, b []byte) []byte {
		b = rating.AppendString(append(b, `{"coupon":`...), d.Coupon)
		return append(strconv.AppendInt(append(b, `,"amount":`...), d.Amount, 10), '}')
	})
	b = appendList(append(b, `,"taxes":`...), i.Taxes, func(t *TaxAmount, b []byte) []byte {
		b = rating.AppendString(append(b, `{"id":`...), t.ID)
		b = rating.AppendNumber(append(b, `,"rate":`...), t.Rate)
		b = rating.AppendString(append(b, `,"mode":`...), t.Mode)
		b = strconv.AppendInt(append(b, `,"base":`...), t.Base, 10)
		return append(strconv.AppendInt(append(b, `,"amount":`...), t.Amount, 10), '}')
	})
	b = strconv.AppendInt(append(b, `,"tax_total":`...), i.TaxTotal, 10)
	b = strconv.AppendInt(append(b, `,"total":`...), i.Total, 10)
	b = strconv.AppendInt(append(b, `,"credit_applied":`...), i.CreditApplied, 10)
	return append(strconv.AppendInt(append(b, `,"due":`...), i.Due, 10), '}')
}

func (l *Line) appendJSON(b []byte) []byte {
	b = rating.AppendString(append(b, `{"charge":`...), l.Charge)
	b = rating.AppendString(append(b, `,"item":`...), l.Item)
	b = rating.AppendString(append(b, `,"plan":`...), l.Plan)
	b = rating.AppendString(append(b, `,"kind":`...), string(l.Kind))
	b = l.Service.appendJSON(append(b, `,"service":`...))
	if len(l.Group) > 0 {
		b = append(b, `,"group":{`...)
		for n, name := range slices.Sorted(maps.Keys(l.Group)) {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(rating.AppendString(b, name), ':')
			b = rating.AppendString(b, l.Group[name])
		}
		b = append(b, '}')
	}
	b = rating.AppendNumber(append(b, `,"quantity":`...), l.Quantity)
	b = append(b, `,"unit_price":`...)
	if l.UnitPrice == nil {
		b = append(b, "null"...)
	} else {
		b = rating.AppendNumber(b, *l.UnitPrice)
	}
	b = rating.AppendNumber(append(b, `,"exact":`...), l.Exact)
	b = strconv.AppendInt(append(b, `,"amount":`...), l.Amount, 10)
	b = strconv.AppendInt(append(b, `,"tax":`...), l.Tax, 10)
	return append(l.Explain.AppendJSON(append(b, `,"explain":`...)), '}')
}

func (s Span) appendJSON(b []byte) []byte {
	b = s.From.appendJSON(append(b, `{"from":`...))
	return append(s.To.appendJSON(append(b, `,"to":`...)), '}')
}

func (t Instant) appendJSON(b []byte) []byte {
	return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000000Z"`)
}

func appendList[T any](b []byte, list []T, add func(*T, []byte) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = add(&list[i], b)
	}
	return append(b, ']')
}
