package billing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A ResourceEvent is what would happen to a resource.
type ResourceEvent string

// The events.
const (
	ResourceMade    ResourceEvent = "made"
	ResourceGone    ResourceEvent = "gone"
	ResourceChanged ResourceEvent = "changed" // its size or its price
	ResourceTaken   ResourceEvent = "taken"   // it was nobody's, and would be the tenant's
)

// A ResourceChange is what would become of one resource of a tenant.
type ResourceChange struct {
	Event   ResourceEvent
	Key     string // its name for people; what is made is known by it
	URN     string // empty: it is not there yet
	Kind    string
	Size    string        // from then on; empty: as it is
	Monthly *exact.Number // in major units: what it costs when it is made, how much more when it is changed; nil: nobody knows
}

// name is what a lifetime of the resource is known by.
func (c ResourceChange) name() string {
	if c.URN != "" {
		return c.URN
	}
	return c.Key
}

// A Quote is what changes of a tenant's resources change on its invoices.
type Quote struct {
	Periods []QuotedPeriod // the next full ones, of each subscription whose plans charge for resources
	Nothing string         // without any: why, a sentence
	Notes   []string       // what is in no sum, in sentences
}

// A QuotedPeriod is what documents of one billing period come to, and would come to.
type QuotedPeriod struct {
	Subscription  SubscriptionID
	Plans         []string // id@version, those that charge for resources
	Currency      money.Currency
	Zone          string
	Period        period.Period
	Before, After int64 // minor units, net of tax
}

// Quote works out what a tenant is billed for the next full period with its resources as
// they are, and with what would become of them from an instant on, by all that is known
// up to now. It changes nothing.
func (s *Service) Quote(ctx context.Context, of tenant.ID, changes []ResourceChange, at time.Time) (Quote, error) {
	agreements, err := s.Subscriptions(ctx, string(of))
	if err != nil {
		return Quote{}, err
	}
	if len(agreements) == 0 {
		return Quote{Nothing: "Nothing changes on an invoice: the tenant has no subscription."}, nil
	}
	q := Quote{Nothing: "Nothing changes on an invoice: no plan of the tenant charges for resources."}
	catalogs := s.catalogs(ctx)
	for _, a := range agreements {
		catalog, err := catalogs.of(a.Currency)
		if err != nil {
			return q, err
		}
		if err := s.quote(ctx, &q, &a, catalog, changes, at); err != nil {
			return q, err
		}
	}
	slices.Sort(q.Notes)
	q.Notes = slices.Compact(q.Notes)
	return q, nil
}

// quote adds the periods of one subscription.
func (s *Service) quote(ctx context.Context, q *Quote, a *Agreement, c *Catalog, changes []ResourceChange, at time.Time) error {
	sub, err := a.subscription(c)
	if err != nil {
		return err
	}
	periods, ends := sub.quotable(at)
	if len(periods) == 0 {
		if ends && len(q.Periods) == 0 {
			q.Nothing = "Nothing changes on an invoice: what charges for resources ends before its next full period."
		}
		return nil
	}
	until := at
	for i := range periods {
		periods[i].Subscription = a.ID
		until = period.Later(until, periods[i].Period.To.Add(sub.grace()))
	}
	before, err := s.factsOf(ctx, a, c, until)
	if err != nil {
		return err
	}
	after := before
	if after.Lifetimes, err = s.hypothetical(ctx, q, before.Lifetimes, changes, at, until); err != nil {
		return err
	}
	for _, side := range []struct {
		facts Facts
		sum   func(*QuotedPeriod) *int64
	}{{before, func(p *QuotedPeriod) *int64 { return &p.Before }}, {after, func(p *QuotedPeriod) *int64 { return &p.After }}} {
		out, err := Preview(c, sub, side.facts, until)
		if err != nil {
			return err
		}
		for i := range periods {
			*side.sum(&periods[i]) = out.netOf(periods[i].Period)
		}
	}
	q.Nothing, q.Periods = "", append(q.Periods, periods...)
	q.note(c, periods)
	return nil
}

// netOf is what documents of a period come to without taxes.
func (o *Outcome) netOf(p period.Period) int64 {
	return sumOf(slices.DeleteFunc(o.documents(), func(i Invoice) bool {
		return !i.Period.From.Equal(p.From) || !i.Period.To.Equal(p.To)
	}), (*Invoice).net)
}

// quotable are the next full periods, from an instant on, in which items have plans that
// charge for resources; ends reports that there is such an item and it ends before.
func (s *Subscription) quotable(at time.Time) (periods []QuotedPeriod, ends bool) {
	for _, item := range s.items() {
		for _, r := range s.stretches(item, forever) {
			if !r.to.After(at) || !slices.ContainsFunc(r.plan.Charges, func(ch *Charge) bool { return ch.Type == Resource }) {
				continue
			}
			from := period.Later(r.from, at)
			n := r.schedule.Index(from)
			if r.schedule.Begin(n).Before(from) {
				n++
			}
			next := r.schedule.Period(n)
			if !next.From.Before(r.to) {
				ends = true
				continue
			}
			i := slices.IndexFunc(periods, func(p QuotedPeriod) bool { return p.Period == next })
			if i < 0 {
				i = len(periods)
				periods = append(periods, QuotedPeriod{Currency: s.Currency, Zone: s.Zone.String(), Period: next})
			}
			if !slices.Contains(periods[i].Plans, r.plan.Ref()) {
				periods[i].Plans = append(periods[i].Plans, r.plan.Ref())
			}
			break
		}
	}
	return periods, ends
}

// hypothetical are lifetimes as they would be with changes at an instant.
func (s *Service) hypothetical(ctx context.Context, q *Quote, known []metering.Lifetime, changes []ResourceChange, at, until time.Time) ([]metering.Lifetime, error) {
	all := slices.Clone(known)
	open := func(of []metering.Lifetime, name string) int {
		return slices.IndexFunc(of, func(l metering.Lifetime) bool { return l.URN == name && l.To.IsZero() && l.ReplacedAt.IsZero() })
	}
	var nobodys []metering.Lifetime
	if s.facts != nil && slices.ContainsFunc(changes, func(c ResourceChange) bool { return c.Event == ResourceTaken }) {
		facts, err := s.facts(ctx, Asked{Nobody: true, Lives: true, Until: until})
		if err != nil {
			return nil, err
		}
		nobodys = facts.Lifetimes
	}
	var unpriced, unseen []string
	for _, c := range changes {
		i := open(all, c.name())
		switch c.Event {
		case ResourceMade:
			all = append(all, begun(metering.Lifetime{URN: c.name(), Kind: c.Kind}, c, at))
		case ResourceTaken:
			if i >= 0 {
				continue
			}
			n := open(nobodys, c.name())
			if n < 0 {
				unseen = append(unseen, c.Key)
				continue
			}
			all = append(all, begun(nobodys[n], ResourceChange{Monthly: new(exact.Number)}, at))
		default:
			if i < 0 {
				if c.Monthly == nil || c.Monthly.Sign() != 0 {
					unseen = append(unseen, c.Key)
				}
				continue
			}
			all[i].To = at
			if c.Event == ResourceChanged {
				all = append(all, begun(all[i], c, at))
			}
		}
		if c.Monthly == nil && (c.Event == ResourceMade || c.Event == ResourceChanged) {
			unpriced = append(unpriced, c.Key)
		}
	}
	if len(unpriced) > 0 {
		q.Notes = append(q.Notes, "Nobody knows what these cost, which no charge by cost counts: "+strings.Join(unpriced, ", ")+".")
	}
	if len(unseen) > 0 {
		q.Notes = append(q.Notes, "The inventory does not know these as the tenant's yet, and what becomes of them is in neither sum: "+strings.Join(unseen, ", ")+".")
	}
	return all, nil
}

// begun is a lifetime that begins at an instant, after another one of the resource.
func begun(l metering.Lifetime, c ResourceChange, at time.Time) metering.Lifetime {
	l.From, l.To, l.RecordedAt, l.ReplacedAt = at, time.Time{}, time.Time{}, time.Time{}
	if c.Size != "" {
		l.Size = c.Size
	}
	if c.Monthly == nil {
		l.Unpriced = true
	} else {
		l.PriceMonthly = l.PriceMonthly.Add(*c.Monthly)
	}
	return l
}

// note says what sums leave out, and how they are to be taken.
func (q *Quote) note(c *Catalog, periods []QuotedPeriod) {
	has := func(p *Plan, is func(*Charge) bool) bool { return p != nil && slices.ContainsFunc(p.Charges, is) }
	for _, p := range periods {
		for _, ref := range p.Plans {
			plan, _ := c.Plan(ref)
			if has(plan, func(ch *Charge) bool { return ch.Type == Usage }) {
				q.Notes = append(q.Notes, fmt.Sprintf("What %s will meter in that time is not known yet, and in neither sum.", ref))
			}
			rate, err := c.rateOn(p.Period.To.Add(-time.Microsecond))
			if err == nil && c.Currency != cloudCurrency && has(plan, func(ch *Charge) bool { return ch.Model == rating.CostPlus }) {
				q.Notes = append(q.Notes, fmt.Sprintf("Dollars count at the rate of %s from %s, %s: there may be another by then.", rate.Pair, rate.From, rate.Rate))
			}
		}
	}
}
