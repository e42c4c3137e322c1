package billing

import (
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// newFees bills what is due of fees and was not billed.
func (b *biller) newFees(k *known, t time.Time) ([]*draft, error) {
	var drafts []*draft
	for _, p := range k.parts {
		if p.due.After(t) {
			continue
		}
		for _, span := range (period.Spans{p.span}).Minus(p.blocked).Minus(b.have[p.key]) {
			d, err := b.fee(p, span, t)
			if err != nil {
				return nil, err
			}
			if d != nil {
				drafts = append(drafts, d)
			}
		}
	}
	return drafts, nil
}

// times is when a span of a part is, in instants.
func (b *biller) times(p *part, span period.Span) period.Period {
	times := p.service
	c := b.sub.convention(p.plan)
	if span.From != p.span.From {
		times.From = c.Instant(span.From)
	}
	if span.To != p.span.To {
		times.To = c.Instant(span.To)
	}
	return times
}

// share is the part of its period that a span is.
func (b *biller) share(p *part, span period.Span) rating.Share {
	if p.charge.Type == OneOff {
		return rating.Complete
	}
	return b.sub.convention(p.plan).Share(p.schedule, p.k, span, p.of)
}

// fee bills a span of a part; nil when it is not due yet or is no time at all.
func (b *biller) fee(p *part, span period.Span, t time.Time) (*draft, error) {
	times, share := b.times(p, span), b.share(p, span)
	if share.Part == 0 || span.From != p.span.From && p.charge.Advance && times.From.After(t) {
		return nil, nil
	}
	units := p.quantity
	whole, why := p.charge.Rate(rating.Quantity{Units: units}, exact.Whole(1))
	value := whole.Mul(share.Ratio)
	amount, err := b.amount(value, p.charge.ID)
	if err != nil {
		return nil, err
	}
	if share.Part != share.Of {
		why = rating.Explanation{Rule: "prorated", Value: value, Of: []rating.Explanation{why, share.Explain()}}
	}
	f := &billed{part: p, span: span, times: times, left: period.Spans{span}, whole: whole, amount: amount, rest: amount,
		taxes: b.taxesOf(p.charge, times, t), off: make(map[string]int64)}
	b.fees = append(b.fees, f)
	b.have[f.key] = b.have[f.key].Or(f.left)
	if p.charge.Model == rating.Flat {
		units = exact.Whole(1)
	}
	return &draft{
		Line: Line{
			Charge: p.charge.ID, Item: p.item, Plan: p.plan.Ref(), Kind: ChargeLine, Service: spanOf(times), Quantity: units,
			UnitPrice: p.charge.UnitPrice(units), Exact: value, Amount: amount, Explain: b.rounded(amount, why),
		},
		charge: p.charge, period: p.schedule.Period(p.k), taxes: f.taxes, spends: f.spends(),
		took: func(coupon string, part int64) { f.off[coupon] += part },
	}, nil
}

// spends is the metered whose commitment the fee counts towards.
func (f *billed) spends() string {
	if f.charge.Type == OneOff {
		return ""
	}
	return key(f.item, f.plan.Ref(), f.schedule.Boundary(f.k).String())
}

// A reversal takes back a span of what was billed.
type reversal struct {
	of    *billed
	span  period.Span
	draft *draft
}

// reversals takes back what was billed and is no longer wanted, when the change
// takes effect.
func (b *biller) reversals(k *known, t time.Time) ([]reversal, error) {
	var all []reversal
	for _, f := range b.fees {
		for _, span := range f.left.Minus(k.coverage[f.key]) {
			if b.reversalDue(f, span, k).After(t) {
				continue
			}
			r, err := b.reverse(f, span, k, "change")
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// reversalDue is when a span that is no longer wanted is given back: as the service
// that went before it ends, or under "next" at the renewal.
func (b *biller) reversalDue(f *billed, span period.Span, k *known) time.Time {
	due := b.times(f.part, span).From
	if span.From == f.span.From {
		due = f.times.From
	}
	if end, ok := b.endBefore(f, span, k); ok {
		due = period.Earlier(due, end)
	}
	if f.plan.ChangesNext && f.charge.Type != OneOff {
		renewal := f.schedule.Begin(f.k + 1)
		if renewal.Before(k.at) {
			renewal = boundaryFrom(f.schedule, k.at)
		}
		due = period.Later(due, renewal)
	}
	return due
}

// endBefore is the instant at which the service ends, as is known, that a span
// follows on its axis.
func (b *biller) endBefore(f *billed, span period.Span, k *known) (time.Time, bool) {
	c := b.sub.convention(f.plan)
	for _, r := range k.runs {
		if r.item == f.item && r.plan == f.plan && f.charge.Type != OneOff && c.Axis(r.from, r.to, r.goesOn).To == span.From {
			return r.to, true
		}
	}
	return time.Time{}, false
}

// suspensions takes back the suspended time that was billed and is known by now.
func (b *biller) suspensions(k *known, t time.Time) ([]reversal, error) {
	var all []reversal
	for _, f := range b.fees {
		for _, span := range f.left.And(k.blocked[f.key]) {
			r, err := b.reverse(f, span, k, "suspension")
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// reverse takes a span back. A whole line is reversed by its negative; part of one
// is rated by the plan's convention, and no more is given back than is still
// charged.
func (b *biller) reverse(f *billed, span period.Span, k *known, cause string) (reversal, error) {
	var (
		value  = exact.Whole(f.amount).Mul(b.unit())
		amount = f.amount
		why    = rating.Explanation{Rule: "line", Value: value}
	)
	if span != f.span || f.rest != f.amount {
		share := b.share(f.part, span)
		value = f.whole.Mul(share.Ratio)
		var err error
		if amount, err = b.amount(value, f.charge.ID); err != nil {
			return reversal{}, err
		}
		why = rating.Explanation{Rule: "prorated", Value: value,
			Of: []rating.Explanation{{Rule: "whole_period", Value: f.whole}, share.Explain()}}
		if amount > f.rest {
			amount, value = f.rest, exact.Whole(f.rest).Mul(b.unit())
			why = rating.Explanation{Rule: "still_charged", Value: value, Of: []rating.Explanation{why}}
		}
	}
	back := make(map[string]int64)
	for coupon, off := range f.off {
		part := off
		if f.rest != amount && f.rest != 0 {
			part = exact.Fraction(amount, f.rest).Mul(exact.Whole(off)).Units(0).Int64()
		}
		if part != 0 {
			back[coupon] = part
			f.off[coupon] -= part
		}
	}
	f.rest -= amount
	f.left = f.left.Minus(period.Spans{span})
	b.have[f.key] = b.have[f.key].Minus(period.Spans{span})
	times := b.times(f.part, span)
	if end, ok := b.endBefore(f, span, k); ok {
		times.From = period.Later(times.From, end) // within the day of the change
	}
	if span.From == f.span.From {
		times.From = f.times.From
	}
	if span.To == f.span.To {
		times.To = f.times.To
	}
	times.To = period.Later(times.From, times.To)
	units := f.quantity
	if f.charge.Model == rating.Flat {
		units = exact.Whole(1)
	}
	explain := b.rounded(-amount, rating.Explanation{Rule: "reversal", Value: value.Neg(), Of: []rating.Explanation{why}, Facts: []rating.Fact{
		rating.Text("because_of", cause), rating.Text("billed_from", f.times.From.Format(timeFormat)), rating.Text("billed_to", f.times.To.Format(timeFormat)),
		rating.Num("billed", exact.Whole(f.amount).Mul(b.unit())),
	}})
	return reversal{f, span, &draft{
		Line: Line{
			Charge: f.charge.ID, Item: f.item, Plan: f.plan.Ref(), Kind: ReversalLine, Service: spanOf(times), Quantity: units.Neg(),
			UnitPrice: f.charge.UnitPrice(units), Exact: value.Neg(), Amount: -amount, Explain: explain,
		},
		charge: f.charge, period: f.schedule.Period(f.k), taxes: f.taxes, back: back, spends: f.spends(),
	}}, nil
}

const timeFormat = "2006-01-02T15:04:05.000000Z"

// unit is one minor unit in major ones.
func (b *biller) unit() exact.Number {
	return exact.Whole(1).Shift(-b.sub.Currency.Digits())
}
