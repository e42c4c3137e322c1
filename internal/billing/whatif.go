package billing

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A WhatIfOrder asks what past months would have come to under another catalog.
type WhatIfOrder struct {
	Name      string // of the file, for what is wrong with it
	Document  []byte // a whole catalog with one new version of each plan that is tried, as [ReadCatalog] reads it
	From, To  string // months, 2026-08, both included
	Tenant    string // only of this tenant, slug or id; empty: of all
	InsteadOf string // only for who has this version, id@version; empty: all versions of the plans that are tried
}

// A WhatIf is what documents of some months came to, and would come to.
type WhatIf struct {
	Currency money.Currency
	Plans    []string // the versions that were tried
	Tenants  []Difference
	Months   []Difference // the same by month
	Failed   []RunFailure // subscriptions that are in neither
}

// A Difference is what documents came to without taxes, and would come to.
type Difference struct {
	Of            string // a tenant's slug, or a month
	Before, After int64  // minor units, net
	Subscriptions int    // of a tenant: those that would have another plan
}

// WhatIf rates the documents of past months again, as if a plan had always been what a
// new version of it says, by all that is known up to now, and compares. It changes
// nothing. It answers fault.Invalid for what is no catalog or has no new version, and
// for months that are none.
func (s *Service) WhatIf(ctx context.Context, o WhatIfOrder, now time.Time) (WhatIf, error) {
	months, err := monthsBetween(o.From, o.To, now)
	if err != nil {
		return WhatIf{}, err
	}
	tried, err := s.try(ctx, o, now)
	if err != nil {
		return WhatIf{}, err
	}
	agreements, err := s.Subscriptions(ctx, o.Tenant)
	if err != nil {
		return WhatIf{}, err
	}
	w := WhatIf{Currency: tried.currency, Plans: tried.plans(), Tenants: []Difference{}, Months: make([]Difference, len(months)), Failed: []RunFailure{}}
	for i, m := range months {
		w.Months[i].Of = m
	}
	until := micros(now).Add(-Settle)
	for _, a := range agreements {
		altered, differs := tried.alter(a)
		if !differs || a.StartedAt.After(until) {
			continue
		}
		before, err := s.netByMonth(ctx, a, tried.before, until)
		var after map[string]int64
		if err == nil {
			after, err = s.netByMonth(ctx, altered, tried.after, until)
		}
		if err != nil {
			if w.Failed, err = s.failed(ctx, w.Failed, a, err); err != nil {
				return w, err
			}
			continue
		}
		i := slices.IndexFunc(w.Tenants, func(d Difference) bool { return d.Of == a.Slug })
		if i < 0 {
			i = len(w.Tenants)
			w.Tenants = append(w.Tenants, Difference{Of: a.Slug})
		}
		w.Tenants[i].Subscriptions++
		for n, m := range months {
			for _, d := range []*Difference{&w.Tenants[i], &w.Months[n]} {
				d.Before += before[m]
				d.After += after[m]
			}
		}
	}
	slices.SortFunc(w.Tenants, func(x, y Difference) int { return cmp.Compare(x.Of, y.Of) })
	return w, nil
}

// maxMonths is how many months are compared at once.
const maxMonths = 120

// monthsBetween lists months as they are written, both included, none of them to come.
func monthsBetween(from, to string, now time.Time) (months []string, err error) {
	const form = "2006-01"
	first, err := time.Parse(form, from)
	if err != nil {
		return nil, fault.New(fault.Invalid, "from: %q is no month like 2026-08.", cut(from))
	}
	last, err := time.Parse(form, to)
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "to: %q is no month like 2026-10.", cut(to))
	case last.Before(first):
		return nil, fault.New(fault.Invalid, "to: %s is before %s.", to, from)
	case last.After(now):
		return nil, fault.New(fault.Invalid, "to: %s is to come: only what was used can be rated again.", to)
	}
	for m := first; !m.After(last); m = m.AddDate(0, 1, 0) {
		if len(months) == maxMonths {
			return nil, fault.New(fault.Invalid, "At most %d months are compared at once.", maxMonths)
		}
		months = append(months, m.Format(form))
	}
	return months, nil
}

// A trial is a catalog as it is, and as it would be.
type trial struct {
	currency      money.Currency
	before, after *Catalog
	versions      map[string]string // the version that is tried, by the plan's id
	insteadOf     string
}

// try reads the catalog that is to be tried. What it would refuse to apply it refuses
// to try.
func (s *Service) try(ctx context.Context, o WhatIfOrder, now time.Time) (*trial, error) {
	read, wanted, err := readEntries(o.Name, o.Document)
	if err != nil {
		return nil, err
	}
	have, err := listEntries(ctx, s.db.Read(), read.Currency)
	if err != nil {
		return nil, err
	}
	t := &trial{currency: read.Currency, versions: make(map[string]string), insteadOf: o.InsteadOf}
	if t.before, err = catalogOf(ctx, s.db.Read(), read.Currency, have); err != nil {
		return nil, err
	}
	plan := planEntries(read.Currency, have, wanted, o.Document, now)
	for _, c := range plan.Changes {
		switch {
		case c.Action == EntryRefused:
			return nil, fault.New(fault.Invalid, "%s", c.Why)
		case c.Kind != PlanEntry || c.Action != EntryAdded && c.Action != EntryChanged:
			continue
		case t.versions[c.ID] != "":
			return nil, fault.New(fault.Invalid, "The file has two new versions of the plan %s: leave the one that is to be tried.", c.ID)
		}
		t.versions[c.ID] = c.Version
	}
	if len(t.versions) == 0 {
		return nil, fault.New(fault.Invalid, "The file has no version of a plan that the catalog in %s does not have: nothing would be different.", read.Currency)
	}
	if o.InsteadOf != "" {
		id, _, _ := strings.Cut(o.InsteadOf, "@")
		if _, there := t.before.Plan(o.InsteadOf); !there || t.versions[id] == "" {
			return nil, fault.New(fault.Invalid, "instead_of: %q is no version of a plan of which the file has a new one.", cut(o.InsteadOf))
		}
	}
	t.after, err = catalogOf(ctx, s.db.Read(), read.Currency, plan.put)
	return t, err
}

func (t *trial) plans() (refs []string) {
	for id, version := range t.versions {
		refs = append(refs, id+"@"+version)
	}
	slices.Sort(refs)
	return refs
}

// alter is an agreement as if its plans had always been those that are tried; false
// where it has none of them.
func (t *trial) alter(a Agreement) (Agreement, bool) {
	if a.Currency != t.currency {
		return a, false
	}
	differs := false
	a.Changes = slices.Clone(a.Changes)
	for i := range a.Changes {
		c := &a.Changes[i]
		id, version, _ := strings.Cut(c.Plan, "@")
		if tried := t.versions[id]; c.Plan != "" && tried != "" && tried != version && (t.insteadOf == "" || t.insteadOf == c.Plan) {
			c.Plan, differs = id+"@"+tried, true
		}
	}
	return a, differs
}

// netByMonth works out all documents of a subscription, and sums up what they come to
// without taxes, by the month, in the subscription's zone, in which their period begins.
func (s *Service) netByMonth(ctx context.Context, a Agreement, c *Catalog, until time.Time) (map[string]int64, error) {
	sub, err := a.subscription(c)
	if err != nil {
		return nil, err
	}
	facts, err := s.factsOf(ctx, &a, c, until)
	if err != nil {
		return nil, err
	}
	out, err := Preview(c, sub, facts, until)
	if err != nil {
		return nil, err
	}
	net := make(map[string]int64)
	for _, d := range out.documents() {
		net[d.Period.From.In(sub.Zone).Format("2006-01")] += d.net()
	}
	return net, nil
}
