package billing

import (
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// resourceKey is a field of a lifetime, by the name that a meter's filter or
// groups know it by.
func resourceKey(l metering.Lifetime, name string) string {
	switch name {
	case "urn":
		return l.URN
	case "kind":
		return l.Kind
	case "size":
		return l.Size
	}
	return ""
}

// isOf reports whether a charge is about a resource: any, or one of the kind that its
// meter names as event type, through its filter.
func (ch *Charge) isOf(l metering.Lifetime) bool {
	if ch.Type != Resource || ch.Meter != nil && l.Kind != ch.Meter.EventType {
		return false
	}
	if ch.Meter == nil {
		return true
	}
	for name, allowed := range ch.Meter.Filter {
		if !slices.Contains(allowed, resourceKey(l, name)) {
			return false
		}
	}
	return true
}

// resources are the lifetimes that a charge is about, by what is known at an instant.
// What went on at the same price is one, as it is on the cloud's invoice: turning a
// droplet off and on again begins no new month's cap, and rounds nothing once more.
func (b *biller) resources(ch *Charge, t time.Time) (all []metering.Lifetime) {
	last := make(map[string]int) // by URN
	for _, l := range b.lifetimes {
		if !ch.isOf(l) || !l.IsKnown(t) {
			continue
		}
		if n, ok := last[l.URN]; ok && goesOn(all[n], l) {
			all[n].To = l.To
			continue
		}
		last[l.URN] = len(all)
		all = append(all, l)
	}
	return all
}

func goesOn(l, next metering.Lifetime) bool {
	return l.To.Equal(next.From) && l.Size == next.Size && l.Unpriced == next.Unpriced && l.PriceMonthly.Equal(next.PriceMonthly)
}

// relearned reports whether something of the resources that a charge is about became
// known after one instant and up to another, that counts for windows.
func (b *biller) relearned(windows []window, ch *Charge, after, upTo time.Time) bool {
	became := func(at time.Time) bool { return at.After(after) && !at.After(upTo) }
	return slices.ContainsFunc(b.lifetimes, func(l metering.Lifetime) bool {
		return (became(l.RecordedAt) || became(l.ReplacedAt)) && ch.isOf(l) && slices.ContainsFunc(windows, func(w window) bool {
			return slices.ContainsFunc(w.times, func(p period.Period) bool { _, ok := l.Until(p.To).Overlap(p); return ok })
		})
	})
}

// rateResources adds a line for each lifetime: what it costs at the cloud, exchanged
// into the catalog's currency, times the markup. It returns those that have no price,
// which no line is for.
func (b *biller) rateResources(ch *Charge, price *rating.Price, windows []period.Period, t time.Time, add func(ratedLine)) (unpriced []string, err error) {
	for _, l := range b.resources(ch, t) {
		cost, seconds, why := rating.CloudCost(l, windows)
		if seconds.Sign() == 0 {
			continue
		}
		if l.Unpriced {
			unpriced = append(unpriced, l.URN)
			continue
		}
		if c := b.catalog.Currency; c != cloudCurrency { // of the last day of the service
			rate, err := b.catalog.rateOn(windows[len(windows)-1].To.Add(-time.Microsecond))
			if err != nil {
				return nil, err
			}
			cost, why = rate.exchange(cost, why)
		}
		value := cost.Mul(ch.Markup)
		why = rating.Explanation{Rule: string(rating.CostPlus), Value: value, Facts: []rating.Fact{rating.Num("markup", ch.Markup)}, Of: []rating.Explanation{why}}
		value, why = price.Bound(value, why, exact.Number{})
		add(ratedLine{
			id: l.URN + "\x00" + l.From.Format(timeFormat), group: map[string]string{"urn": l.URN, "size": l.Size},
			quantity: seconds, exact: value, explain: why,
		})
	}
	return unpriced, nil
}

// measureResources counts the mean number of resources, one quantity for each group
// of the charge's meter.
func (b *biller) measureResources(ch *Charge, windows []period.Period, whole period.Period, t time.Time) []measure {
	lifetimes := b.resources(ch, t)
	if ch.Meter == nil || len(ch.Meter.GroupBy) == 0 {
		q, why := rating.MeanNumber(lifetimes, windows, whole)
		return []measure{{quantity: q, why: why}}
	}
	groups := make(map[string][]metering.Lifetime)
	var ids []string
	for _, l := range lifetimes {
		var parts []string
		for _, name := range ch.Meter.GroupBy {
			parts = append(parts, resourceKey(l, name))
		}
		id := key(parts...)
		if _, ok := groups[id]; !ok {
			ids = append(ids, id)
		}
		groups[id] = append(groups[id], l)
	}
	slices.Sort(ids)
	var all []measure
	for _, id := range ids {
		q, why := rating.MeanNumber(groups[id], windows, whole)
		if q.Units.Sign() == 0 {
			continue
		}
		one := measure{id: id, group: make(map[string]string), quantity: q, why: why}
		for _, name := range ch.Meter.GroupBy {
			one.group[name] = resourceKey(groups[id][0], name)
		}
		all = append(all, one)
	}
	return all
}
