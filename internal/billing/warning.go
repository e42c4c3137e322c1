package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
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
			to = period.Later(to, r.At)
		}
	}
	if len(idle) > 0 {
		all = append(all, fmt.Sprintf("%s from %s to %s cost nothing: nothing was in service then.", count(len(idle), "usage event"), from.Format(time.RFC3339), to.Format(time.RFC3339)))
	}
	return all
}

// uncovered are the resources, by what is known at an instant, that lived in service and
// that none of the subscription's charges is about. One that charges for no resource at
// all leaves none out.
func (s *Subscription) uncovered(lives []metering.Lifetime, at time.Time) (urns []string, charges bool) {
	var about []*Charge
	for _, p := range s.Phases {
		if p.Plan == nil {
			continue
		}
		for _, ch := range p.Plan.Charges {
			if ch.Type == Resource {
				about = append(about, ch)
			}
		}
	}
	for _, l := range lives {
		_, lived := l.Until(at).Overlap(period.Period{From: s.Start(), To: at})
		if lived && l.IsKnown(at) && len(about) > 0 && !slices.ContainsFunc(about, func(ch *Charge) bool { return ch.isOf(l) }) {
			urns = append(urns, l.URN)
		}
	}
	return urns, len(about) > 0
}

// grace is the longest of the subscription's plans.
func (s *Subscription) grace() (most time.Duration) {
	for _, p := range s.Phases {
		if p.Plan != nil {
			most = max(most, p.Plan.Grace)
		}
	}
	return most
}

// A Warning is what somebody should know of bills. It stops nothing.
type Warning struct {
	Tenant       string
	Subscription SubscriptionID // empty: of all its subscriptions together
	What         string         // a sentence
}

// warnings are those of bills of many subscriptions. What one subscription of a tenant
// leaves out another may bill.
type warnings struct {
	all       []Warning
	tenants   []string
	uncovered map[string][]string // by tenant: what none of its bills is about
}

func (w *warnings) add(bills []*bill) {
	if w.uncovered == nil {
		w.uncovered = make(map[string][]string)
	}
	for _, b := range bills {
		for _, what := range b.warnings {
			w.all = append(w.all, Warning{b.agreement.Slug, b.agreement.ID, what})
		}
		if b.err != nil || !b.resources {
			continue
		}
		slug := b.agreement.Slug
		before, again := w.uncovered[slug]
		if !again {
			w.tenants = append(w.tenants, slug)
			before = b.uncovered
		}
		w.uncovered[slug] = slices.DeleteFunc(slices.Clone(before), func(urn string) bool { return !slices.Contains(b.uncovered, urn) })
	}
}

func (w *warnings) list() []Warning {
	all := append([]Warning{}, w.all...)
	for _, slug := range w.tenants {
		if left := w.uncovered[slug]; len(left) > 0 {
			all = append(all, Warning{Tenant: slug, What: fmt.Sprintf("No charge of its plans is about %s.", someOf(left))})
		}
	}
	return all
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
