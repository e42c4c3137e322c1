package inventory

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// How DigitalOcean bills by time (its pricing pages; reference F): a month's price is
// that of 672 hours and no month costs more; what lived at all lived for a minute, and
// costs a cent. Its months are the calendar's in UTC. A droplet that is off costs as
// much as one that is on.
const (
	monthSeconds   = 672 * 60 * 60
	minimumSeconds = 60
	minimumMicros  = 10_000
)

// Micros is an amount of US dollars in millionths. Each resource is rounded once;
// sums are of what is shown.
type Micros int64

// String is the amount with six decimals, "24.000000".
func (m Micros) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%d.%06d", sign, m/1_000_000, m%1_000_000)
}

// CostOf is what a resource of a monthly price costs within one month, when it
// lived for so long of it.
func CostOf(monthly Micros, lived time.Duration) Micros {
	if lived <= 0 || monthly == 0 {
		return 0
	}
	micros := uint64(max(lived, minimumSeconds*time.Second).Microseconds())
	// Whole numbers of 128 bits: lists count this for a hundred thousand resources.
	const month = monthSeconds * 1_000_000
	over, product := bits.Mul64(uint64(monthly), micros)
	product, carry := bits.Add64(product, month/2, 0) // half is rounded up
	if over += carry; monthly < 0 || over >= month {
		return monthly // nothing costs less than nothing, and nobody lives for so long
	}
	byTime, _ := bits.Div64(over, product, month)
	return max(min(monthly, Micros(min(byTime, math.MaxInt64))), min(monthly, minimumMicros))
}

// A priceTime is that a resource had a monthly price for a while.
type priceTime struct {
	monthly Micros
	known   bool // else a part of it had no price
	in      stretch
	version int64
	bare    bool // a droplet's, before its backups were switched on
	// charges are what the price is made of; nil where nobody looked, because it is
	// the only price that the resource had.
	charges []chargeTime
}

// A stretch of time is from one microsecond to another, as the database counts them.
type stretch struct{ from, to int64 }

func stretchOf(p period.Period) stretch { return stretch{db.Micros(p.From), db.Micros(p.To)} }

// within is how long of another it is.
func (s stretch) within(o stretch) time.Duration {
	return time.Duration(max(0, min(s.to, o.to)-max(s.from, o.from))) * time.Microsecond
}

// A chargeTime is a part of a price: that of the droplet, or that of its backups.
type chargeTime struct {
	sku     string
	monthly Micros
	nth     int // of those that are alike: an app's second instance
}

// costWithin is what a resource costs within a month. Each charge at each price is a
// line of its own on DigitalOcean's invoice, with its own minimum and cap, however
// often the resource had it.
func costWithin(times []priceTime, month stretch) (cost Micros, known bool) {
	if lived, known, ok := onePrice(times, month); ok {
		return CostOf(times[0].monthly, lived), known
	}
	lived := map[chargeTime]time.Duration{}
	known = true
	for _, t := range times {
		part := t.in.within(month)
		if part == 0 {
			continue
		}
		known = known && t.known
		charges := t.charges
		if charges == nil {
			charges = []chargeTime{{monthly: t.monthly}}
		}
		for _, c := range charges {
			lived[c] += part
		}
	}
	for c, d := range lived {
		cost += CostOf(c.monthly, d)
	}
	return cost, known
}

// onePrice is how long a resource lived of a month, where nobody looked at what its
// price is made of since it had only one.
func onePrice(times []priceTime, month stretch) (lived time.Duration, known, ok bool) {
	known = true
	for _, t := range times {
		if t.charges != nil || t.monthly != times[0].monthly {
			return 0, false, false
		}
		if part := t.in.within(month); part > 0 {
			lived += part
			known = known && t.known
		}
	}
	return lived, known, len(times) > 0
}

// MonthOf is the calendar month in UTC that a time is in.
func MonthOf(at time.Time) period.Period {
	y, m, _ := at.UTC().Date()
	from := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	return period.Period{From: from, To: from.AddDate(0, 1, 0)}
}

// A GroupBy is what costs are summed by.
type GroupBy string

// The groups.
const (
	PerTenant  GroupBy = "tenant"
	PerKind    GroupBy = "kind"
	PerRegion  GroupBy = "region"
	PerProject GroupBy = "project"
	PerAccount GroupBy = "account"
)

// GroupBys are all of them.
func GroupBys() []GroupBy { return []GroupBy{PerTenant, PerKind, PerRegion, PerProject, PerAccount} }

// A Cost is what some resources cost.
type Cost struct {
	Resources   int    // that are there now
	Monthly     Micros // of what is there now, for a whole month
	MonthToDate Micros // since the first of the month, of what is gone by now too
	MonthEnd    Micros // what the month will have cost if nothing changes
	Unpriced    int    // resources of which a part has no price: their cost is not in here in full
}

func (c *Cost) add(o Cost) {
	c.Resources += o.Resources
	c.Monthly += o.Monthly
	c.MonthToDate += o.MonthToDate
	c.MonthEnd += o.MonthEnd
	c.Unpriced += o.Unpriced
}

// A CostGroup is what one tenant, kind … costs. Key is empty for what belongs to
// none: unattributed, without a region or a project.
type CostGroup struct {
	Key string
	Cost
}

// Costs are the groups of an account, or of all where it is empty, the dearest
// first, and their total. Each resource is in one group: the groups add up to the
// total exactly. at is DigitalOcean's time; zero is now. What was first seen later
// counts for nothing, as no search as of then finds it: before the first sync there
// is nothing.
func (s *Service) Costs(ctx context.Context, account string, by GroupBy, at time.Time) (groups []CostGroup, total Cost, err error) {
	each, err := s.resourceCosts(ctx, account, "", at, false)
	if err != nil {
		return nil, total, err
	}
	sums := map[string]*CostGroup{}
	for _, r := range each {
		key := r.key(by)
		if sums[key] == nil {
			sums[key] = &CostGroup{Key: key}
		}
		sums[key].add(r.Cost)
		total.add(r.Cost)
	}
	for _, g := range sums {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b CostGroup) int {
		return cmp.Or(cmp.Compare(b.MonthToDate, a.MonthToDate), cmp.Compare(b.Monthly, a.Monthly), strings.Compare(a.Key, b.Key))
	})
	return groups, total, nil
}

// A ResourceCost is what one resource costs, with what it is grouped by.
type ResourceCost struct {
	URN, Account, Kind, Region, Project string
	Tenant                              string // id; empty: nobody's
	Cost
}

func (r ResourceCost) key(by GroupBy) string {
	switch by {
	case PerTenant:
		return r.Tenant
	case PerKind:
		return r.Kind
	case PerRegion:
		return r.Region
	case PerProject:
		return r.Project
	}
	return r.Account
}

// ResourceCosts are the costs of every resource that was there at some time of the
// month so far, also where it was first seen later, or of the one named. Whose it is
// and where it is count as of then; a month's cost is not split between owners.
func (s *Service) ResourceCosts(ctx context.Context, account, urn string, at time.Time) ([]ResourceCost, error) {
	return s.resourceCosts(ctx, account, urn, at, true)
}

// resourceCosts are ResourceCosts, only with unseen of what was first seen later. What
// DigitalOcean sells, and what ties two resources, is no resource.
func (s *Service) resourceCosts(ctx context.Context, account, urn string, at time.Time, unseen bool) ([]ResourceCost, error) {
	if at.IsZero() {
		at = s.Now(account)
	}
	sh, done, err := s.shelf(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var all []ResourceCost
	words := &sh.words
	c := s.newCosting(sh, at, func(l *life, c Cost) {
		all = append(all, ResourceCost{
			URN: l.of.urn, Kind: words.text(l.of.kind), Account: words.text(l.look.account), Region: words.text(l.look.region),
			Project: words.text(l.look.project), Tenant: words.text(l.of.whose(db.Micros(at))), Cost: c,
		})
	})
	c.account, c.unseen = account, unseen
	if urn != "" {
		if i, ok := sh.at[urn]; ok {
			c.add(&sh.entries[i])
		}
	} else {
		aside := sh.aside()
		for i := range sh.entries {
			if e := &sh.entries[i]; !aside[e.kind] {
				c.add(e)
			}
		}
	}
	if err := c.finish(ctx); err != nil {
		return nil, err
	}
	projects := map[string]string{}
	sh.members(db.Micros(at), func(urn string, project word32) {
		projects[urn] = max(projects[urn], sh.words.text(project))
	})
	for i := range all {
		if p := max(all[i].Project, projects[all[i].URN]); p != "" {
			all[i].Project = "do:project:" + p
		}
	}
	return all, nil
}
