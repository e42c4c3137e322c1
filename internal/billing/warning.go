package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// warnings are what bills up to an instant leave out and somebody should know of: what
// resources cost that have no price, and usage after the first day of service when
// nothing was in service. They stop nothing.
func (b *biller) warnings(at time.Time) (all []string) {
	unpriced := make(map[string][]string) // by charge
	var charges []string
	for _, id := range b.order {
		r := b.usage[id]
		if len(r.unpriced) > 0 && unpriced[r.charge.ID] == nil {
			charges = append(charges, r.charge.ID)
		}
		unpriced[r.charge.ID] = append(unpriced[r.charge.ID], r.unpriced...)
	}
	for _, id := range charges {
		all = append(all, fmt.Sprintf("Nobody knows what %s costs: the charge %s leaves it out.", someOf(unpriced[id]), id))
	}
	idle := make(map[string]bool) // by source and id
	var from, to time.Time
	for _, readings := range b.readings {
		for _, r := range readings {
			if r.At.Before(b.sub.Start()) || !r.At.Before(at) || r.Event.RecordedAt.After(at) || !r.Event.CorrectedAt.IsZero() || b.served(r.At) {
				continue
			}
			idle[key(r.Event.Source, r.Event.ID)] = true
			if from.IsZero() || r.At.Before(from) {
				from = r.At
			}
			to = later(to, r.At)
		}
	}
	if len(idle) > 0 {
		all = append(all, fmt.Sprintf("%s from %s to %s cost nothing: nothing was in service then.", count(len(idle), "usage event"), from.Format(time.RFC3339), to.Format(time.RFC3339)))
	}
	return all
}

// uncovered are the resources, by what is known at an instant, that none of the charges
// is about, though some are about resources. A plan that charges for no resource at all
// leaves none out.
func uncovered(charges []*Charge, lives []metering.Lifetime, at time.Time) (urns []string) {
	charges = slices.DeleteFunc(slices.Clone(charges), func(ch *Charge) bool { return ch.Type != Resource })
	if len(charges) == 0 {
		return nil
	}
	for _, l := range lives {
		if l.IsKnown(at) && l.From.Before(at) && !slices.ContainsFunc(charges, func(ch *Charge) bool { return ch.isOf(l) }) {
			urns = append(urns, l.URN)
		}
	}
	return urns
}

// someOf names a few of many, each once, and counts the others.
func someOf(all []string) string {
	const most = 5
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
