package billing

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A rated is what usage of one charge in one period was billed at.
type rated struct {
	metered  *metered
	charge   *Charge
	by       *known    // what was known then
	windows  int       // that were due
	at       time.Time // up to when what became known is in it
	lines    []*ratedLine
	unpriced []string // URNs of resources that no line is for: nobody knows what they cost
}

// A ratedLine is one of its lines: of a group, of a resource, or the only one.
type ratedLine struct {
	id        string
	group     map[string]string
	service   period.Period
	quantity  exact.Number
	unitPrice *exact.Number
	exact     exact.Number
	amount    int64
	credited  int64 // of the amount, by hand
	explain   rating.Explanation
	taxes     []rating.Tax
	off       map[string]int64
}

// newUsage bills what is due of usage: a period's for the first time, and where the
// books are open what an earlier one costs more or less by now.
func (b *biller) newUsage(k *known, t time.Time, open bool) ([]*draft, error) {
	var first, again []*draft
	for _, m := range k.metered {
		n := 0
		for _, w := range m.windows {
			if !w.due.After(t) {
				n++
			}
		}
		for _, c := range m.charges {
			id, ch := c.key, c.of
			before := b.usage[id]
			if n == 0 && before == nil {
				continue
			}
			if before != nil && before.windows >= n && !open {
				continue
			}
			if before != nil && before.by == k && before.windows == n && !b.news(m, ch, before.at, t) {
				before.at = t
				continue
			}
			now, err := b.rate(m, ch, t)
			if err != nil {
				return nil, err
			}
			now.by, now.windows, now.at = k, n, t
			drafts := b.difference(before, now)
			if b.usage[id] = now; before == nil {
				b.order = append(b.order, id)
				first = append(first, drafts...)
			} else {
				again = append(again, drafts...)
			}
		}
	}
	if open {
		for _, id := range b.order {
			if before := b.usage[id]; before.by != k && len(before.lines) > 0 { // k does not know it: a change took all of its service away
				now := &rated{metered: before.metered, charge: before.charge, by: k, at: t}
				again = append(again, b.difference(before, now)...)
				b.usage[id] = now
			}
		}
	}
	return append(first, again...), nil
}

// news reports whether a reading became known, or that it does not count, after one
// instant and up to another,
// that counts for the windows of what was rated.
func (b *biller) news(m *metered, ch *Charge, after, upTo time.Time) bool {
	if ch.Type == Resource {
		return b.relearned(m.windows, ch, after, upTo)
	}
	if ch.Meter == nil {
		return false
	}
	touches := func(r rating.Reading) bool {
		for _, w := range m.windows {
			for _, p := range w.times {
				if r.At.Before(p.To) && (ch.Meter.Aggregate == rating.TimeWeighted || !r.At.Before(p.From)) {
					return true
				}
			}
		}
		return false
	}
	all := b.recorded[ch.Meter.ID]
	first := sort.Search(len(all), func(i int) bool { return all[i].Event.RecordedAt.After(after) })
	for _, r := range all[first:] {
		if r.Event.RecordedAt.After(upTo) {
			break
		}
		if touches(r) {
			return true
		}
	}
	return slices.ContainsFunc(b.corrected[ch.Meter.ID], func(r rating.Reading) bool {
		return r.Event.CorrectedAt.After(after) && !r.Event.CorrectedAt.After(upTo) && touches(r)
	})
}

// relevant is the readings, sorted, that windows can be about.
func relevant(m *rating.Meter, readings []rating.Reading, windows []period.Period) []rating.Reading {
	if len(windows) == 0 {
		return nil
	}
	from, to := 0, sort.Search(len(readings), func(i int) bool { return !readings[i].At.Before(windows[len(windows)-1].To) })
	if m.Aggregate != rating.TimeWeighted {
		from = sort.Search(to, func(i int) bool { return !readings[i].At.Before(windows[0].From) })
	}
	return readings[from:to]
}

// rate prices the usage of one charge in the windows that are due.
func (b *biller) rate(m *metered, ch *Charge, t time.Time) (*rated, error) {
	r := &rated{metered: m, charge: ch}
	whole := m.schedule.Period(m.k)
	var (
		windows []period.Period
		service period.Period
		minimum exact.Number
	)
	for _, w := range m.windows {
		if w.due.After(t) {
			continue
		}
		if service.From.IsZero() {
			service.From = w.service.From
		}
		service.To = w.service.To
		windows = append(windows, w.times...)
		minimum = exact.Min(minimum.Add(w.minimum), exact.Whole(1))
	}
	if len(windows) == 0 && minimum.Sign() == 0 { // suspended all along
		return r, nil
	}
	add := func(l ratedLine) {
		l.service, l.taxes, l.off = service, b.taxesOf(ch, service, t), make(map[string]int64)
		r.lines = append(r.lines, &l)
	}
	unbound := ch.Price
	unbound.Minimum, unbound.Maximum = nil, nil
	if ch.Model == rating.CostPlus {
		var err error
		if r.unpriced, err = b.rateResources(ch, &unbound, windows, t, add); err != nil {
			return nil, err
		}
		return r, b.bound(r, minimum, t)
	}
	measured := b.measure(m, ch, windows, whole, t)
	for _, one := range measured {
		price := ch.Price
		if len(measured) > 1 {
			price = unbound
		}
		price.Price = ch.priceOf(one.group)
		value, why := price.Rate(one.quantity, minimum)
		why.Of = append(why.Of, one.why)
		add(ratedLine{id: one.id, group: one.group, quantity: one.quantity.Units, unitPrice: price.UnitPrice(one.quantity.Units), exact: value, explain: why})
	}
	if len(measured) == 1 {
		minimum = exact.Number{} // it was kept already
	}
	return r, b.bound(r, minimum, t)
}

// bound rounds lines and, where a charge has several, keeps their sum between its
// minimum and its maximum: what is over is taken off line by line, what is missing
// is a line of its own.
func (b *biller) bound(r *rated, minimum exact.Number, t time.Time) error {
	var sum exact.Number
	single := len(r.lines) == 1 && r.charge.Model != rating.CostPlus
	for _, l := range r.lines {
		if most := r.charge.Maximum; most != nil && !single {
			if left := (*most).Sub(sum); l.exact.Cmp(left) > 0 {
				l.exact = left
				l.explain = rating.Explanation{Rule: "maximum", Value: left, Of: []rating.Explanation{l.explain}}
			}
		}
		sum = sum.Add(l.exact)
	}
	if least := r.charge.Minimum; least != nil && !single {
		if missing := (*least).Mul(minimum).Sub(sum); missing.Sign() > 0 {
			l := &ratedLine{id: "minimum", quantity: exact.Whole(1), exact: missing, off: make(map[string]int64),
				explain: rating.Explanation{Rule: "minimum", Value: missing, Facts: []rating.Fact{rating.Num("minimum", *least), rating.Num("share", minimum)}}}
			if len(r.lines) > 0 {
				l.service, l.taxes = r.lines[0].service, r.lines[0].taxes
			} else {
				l.service = r.metered.windows[0].service
				l.taxes = b.taxesOf(r.charge, l.service, t)
			}
			r.lines = append(r.lines, l)
		}
	}
	for _, l := range r.lines {
		var err error
		if l.amount, err = b.amount(l.exact, r.charge.ID); err != nil {
			return err
		}
	}
	return nil
}

// A measure is a quantity and where it is from.
type measure struct {
	id       string
	group    map[string]string
	quantity rating.Quantity
	why      rating.Explanation
}

// measure takes the quantities of a charge, one for each group of its meter.
func (b *biller) measure(m *metered, ch *Charge, windows []period.Period, whole period.Period, t time.Time) []measure {
	if ch.Type == Resource {
		return b.measureResources(ch, windows, whole, t)
	}
	var all []measure
	for _, group := range rating.Groups(ch.Meter, relevant(ch.Meter, b.readings[ch.Meter.ID], windows), windows, t) {
		q, why := rating.Measure(ch.Meter, group.Readings, windows, whole)
		if ch.Prorated {
			b.rest(m, q.Changes)
		}
		one := measure{id: strings.Join(group.Values, "\x00"), quantity: q, why: why}
		if group.Values != nil {
			one.group = make(map[string]string)
			for i, name := range ch.Meter.GroupBy {
				one.group[name] = group.Values[i]
			}
		}
		all = append(all, one)
	}
	return all
}

// rest fills in what share of the period is left after each change of level.
func (b *biller) rest(m *metered, changes []rating.Change) {
	c := b.sub.convention(m.plan)
	for i := range changes {
		ch := &changes[i]
		whole := c.Period(m.schedule, m.k)
		span := c.Axis(ch.At, ch.Until, true) // the last day is all there: windows reach to its end
		if ch.Until.Equal(m.schedule.Begin(m.k + 1)) {
			span.To = whole.To
		}
		ch.Rest = c.Share(m.schedule, m.k, span, c.Of(m.schedule, m.k, whole))
	}
}

// difference is the lines that lead from what was billed to what is to be: all of
// them the first time; later a reversal and a new line where the price depends on
// the whole quantity, and otherwise one line for the difference.
func (b *biller) difference(before, now *rated) []*draft {
	var drafts []*draft
	if before == nil {
		for _, l := range now.lines {
			if l.amount != 0 || l.quantity.Sign() != 0 {
				drafts = append(drafts, b.usageDraft(now, l, ChargeLine))
			}
		}
		return drafts
	}
	find := func(lines []*ratedLine, id string) *ratedLine {
		if i := slices.IndexFunc(lines, func(l *ratedLine) bool { return l.id == id }); i >= 0 {
			return lines[i]
		}
		return nil
	}
	for _, old := range before.lines {
		l := find(now.lines, old.id)
		if l != nil {
			l.off, l.credited = old.off, min(old.credited, l.amount)
		}
		if l != nil && l.amount == old.amount {
			continue
		}
		if l != nil && now.charge.Model != rating.Volume {
			drafts = append(drafts, b.adjust(now, old, l))
			continue
		}
		if old.amount != 0 {
			drafts = append(drafts, b.takeBack(before, old))
		}
		if l != nil {
			l.off, l.credited = make(map[string]int64), 0
			drafts = append(drafts, b.usageDraft(now, l, AdjustmentLine))
		}
	}
	for _, l := range now.lines {
		if find(before.lines, l.id) == nil && (l.amount != 0 || l.quantity.Sign() != 0) {
			drafts = append(drafts, b.usageDraft(now, l, AdjustmentLine))
		}
	}
	return drafts
}

func (b *biller) usageDraft(r *rated, l *ratedLine, kind LineKind) *draft {
	return &draft{
		Line: Line{
			Charge: r.charge.ID, Item: r.metered.item, Plan: r.metered.plan.Ref(), Kind: kind, Service: spanOf(l.service), Group: l.group,
			Quantity: l.quantity, UnitPrice: l.unitPrice, Exact: l.exact, Amount: l.amount, Explain: b.rounded(l.amount, l.explain),
		},
		charge: r.charge, period: r.metered.schedule.Period(r.metered.k), taxes: l.taxes, spends: r.metered.key,
		took: func(coupon string, part int64) { l.off[coupon] += part },
	}
}

// adjust is the difference between what was billed and what is to be, rounded with
// rounded, so that no part of a minor unit makes a line.
func (b *biller) adjust(r *rated, old, l *ratedLine) *draft {
	d := b.usageDraft(r, l, AdjustmentLine)
	d.Amount, d.Quantity = old.lessen(l.amount-old.amount), l.quantity.Sub(old.quantity)
	d.Exact = exact.Whole(d.Amount).Mul(b.unit())
	d.Explain = rating.Explanation{Rule: "adjustment", Value: d.Exact, Of: []rating.Explanation{b.rounded(l.amount, l.explain)},
		Facts: []rating.Fact{rating.Num("billed", exact.Whole(old.amount).Mul(b.unit()))}}
	if d.Amount < 0 {
		d.taxes, d.back = old.taxes, l.giveBack(-d.Amount, old.amount)
	}
	l.taxes = old.taxes // what is given back has the taxes that it was billed with
	return d
}

// takeBack reverses a line wholly.
func (b *biller) takeBack(r *rated, old *ratedLine) *draft {
	d := b.usageDraft(r, old, ReversalLine)
	d.Amount, d.Quantity, d.took = old.lessen(-old.amount), old.quantity.Neg(), nil
	d.Exact = exact.Whole(d.Amount).Mul(b.unit())
	d.Explain = rating.Explanation{Rule: "reversal", Value: d.Exact, Facts: []rating.Fact{rating.Text("because_of", "usage")}, Of: []rating.Explanation{d.Explain}}
	d.back = old.giveBack(old.amount, old.amount)
	return d
}

// giveBack takes the part of the line's discounts that goes with an amount of what
// was billed.
func (l *ratedLine) giveBack(amount, billed int64) map[string]int64 {
	back := make(map[string]int64)
	if billed <= 0 || amount <= 0 {
		return back
	}
	for _, coupon := range slices.Sorted(maps.Keys(l.off)) {
		part := exact.Fraction(min(amount, billed), billed).Mul(exact.Whole(l.off[coupon])).Units(0).Int64()
		if part != 0 {
			back[coupon] = part
			l.off[coupon] -= part
		}
	}
	return back
}

// A trueUp is what was billed of what was missing to a commitment.
type trueUp struct {
	amount int64
	taxes  []rating.Tax
}

// trueUps bills what is missing to commitments, once their period has ended, and
// later the difference that corrections make.
func (b *biller) trueUps(k *known, t time.Time, open bool) ([]*draft, error) {
	var drafts []*draft
	for _, m := range k.metered {
		if m.plan.Commitment.Sign() == 0 {
			continue
		}
		var (
			share   exact.Number
			service period.Period
		)
		for _, w := range m.windows {
			if w.due.After(t) {
				continue
			}
			if service.From.IsZero() {
				service.From = w.service.From
			}
			service.To, share = w.service.To, exact.Min(share.Add(w.paid), exact.Whole(1))
		}
		last, again := b.truedUp[m.key]
		before := last.amount
		if service.From.IsZero() || again && !open {
			continue
		}
		committed := m.plan.Commitment.Mul(share)
		spent := exact.Whole(b.spent[m.key]).Mul(b.unit())
		missing := exact.Max(exact.Number{}, committed.Sub(spent))
		amount, err := b.amount(missing, commitmentCharge)
		if err != nil {
			return nil, err
		}
		now := trueUp{amount, b.taxesOf(nil, service, t)}
		if again && amount <= before { // what is given back has the taxes that it was billed with
			now.taxes = last.taxes
		}
		if b.truedUp[m.key] = now; amount == before {
			continue
		}
		d := &draft{
			Line: Line{
				Charge: commitmentCharge, Item: m.item, Plan: m.plan.Ref(), Kind: ChargeLine, Service: spanOf(service), Quantity: exact.Whole(1),
				Exact: missing, Amount: amount - before,
			},
			period: m.schedule.Period(m.k), taxes: now.taxes,
		}
		why := rating.Explanation{Rule: "commitment", Value: missing, Facts: []rating.Fact{
			rating.Num("commitment", m.plan.Commitment), rating.Num("share", share), rating.Num("spent", spent)}}
		d.Explain = b.rounded(amount, why)
		if again {
			d.Kind, d.Exact = AdjustmentLine, exact.Whole(d.Amount).Mul(b.unit())
			d.Explain = rating.Explanation{Rule: "adjustment", Value: d.Exact, Of: []rating.Explanation{d.Explain},
				Facts: []rating.Fact{rating.Num("billed", exact.Whole(before).Mul(b.unit()))}}
		}
		drafts = append(drafts, d)
	}
	return drafts, nil
}
