package billing

import (
	"slices"

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

// resources are the lifetimes that a charge is about: all, or those of the kind
// that its meter names as event type, through its filter.
func (b *biller) resources(ch *Charge) []metering.Lifetime {
	if ch.Meter == nil {
		return b.lifetimes
	}
	return slices.DeleteFunc(slices.Clone(b.lifetimes), func(l metering.Lifetime) bool {
		if l.Kind != ch.Meter.EventType {
			return true
		}
		for name, allowed := range ch.Meter.Filter {
			if !slices.Contains(allowed, resourceKey(l, name)) {
				return true
			}
		}
		return false
	})
}

// rateResources adds a line for each lifetime: what it costs at the cloud, times
// the markup.
func (b *biller) rateResources(ch *Charge, price *rating.Price, windows []period.Period, add func(ratedLine)) {
	for _, l := range b.resources(ch) {
		cost, seconds, why := rating.CloudCost(l, windows)
		if seconds.Sign() == 0 {
			continue
		}
		value := cost.Mul(ch.Markup)
		why = rating.Explanation{Rule: string(rating.CostPlus), Value: value, Facts: []rating.Fact{rating.Num("markup", ch.Markup)}, Of: []rating.Explanation{why}}
		value, why = price.Bound(value, why, exact.Number{})
		add(ratedLine{
			id: l.URN + "\x00" + l.From.Format(timeFormat), group: map[string]string{"urn": l.URN, "size": l.Size},
			quantity: seconds, exact: value, explain: why,
		})
	}
}

// measureResources counts the mean number of resources, one quantity for each group
// of the charge's meter.
func (b *biller) measureResources(ch *Charge, windows []period.Period, whole period.Period) []measure {
	lifetimes := b.resources(ch)
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
