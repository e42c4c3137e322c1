package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// verifyFacts checks what bills are made of against what was issued: that events count
// once, that no service was billed twice, that runs go on from what was issued, that no
// resource is two tenants' at once or has a gap in its life, and that each line says what it
// came of.
func (s *Service) verifyFacts(ctx context.Context, issued []Issued, agreements []Agreement) ([]Verification, error) {
	counted := Verification{Name: "each event counts once"}
	var err error
	if counted.Count, counted.Wrong, err = s.meters.CountedTwice(ctx); err != nil {
		return nil, err
	}
	runs, err := s.verifyRuns(ctx, issued)
	if err != nil {
		return nil, err
	}
	whole, lives := Verification{Name: "lives of resources have no gap"}, Verification{Name: "no resource is two tenants' at once"}
	if whole.Count, whole.Wrong, lives.Wrong, err = s.meters.Torn(ctx); err != nil {
		return nil, err
	}
	lives.Count = whole.Count
	service, explained := Verification{Name: "no service is billed twice"}, Verification{Name: "each line says what it came of"}
	of := billsOf(issued)
	catalogs := s.catalogs(ctx)
	for _, a := range agreements {
		catalog, err := catalogs.of(a.Currency)
		if err != nil {
			return nil, err
		}
		served := make(billedService)
		for _, i := range of[a.ID] {
			var d kept
			if err := json.Unmarshal(i.Document, &d); err != nil {
				return nil, err
			}
			for n, l := range d.Lines {
				service.Count++
				explained.Count++
				served.add(catalog, l)
				if why := l.unexplained(catalog, i.Currency); why != "" {
					explained.Wrong = append(explained.Wrong, fmt.Sprintf("line %d of %s %s", n+1, i.Ref(), why))
				}
			}
		}
		for _, twice := range served.twice() {
			service.Wrong = append(service.Wrong, fmt.Sprintf("%s: %s", a.ID, twice))
		}
	}
	slices.Sort(explained.Wrong)
	return []Verification{counted, service, runs, lives, whole, explained}, nil
}

// billsOf are the documents that runs issued, by subscription, in their order; without
// those by hand.
func billsOf(issued []Issued) map[SubscriptionID][]Issued {
	of := make(map[SubscriptionID][]Issued)
	for _, i := range issued {
		if i.revision >= 0 {
			of[i.Subscription] = append(of[i.Subscription], i)
		}
	}
	return of
}

// verifyRuns checks that no document was issued twice, and that each subscription counts
// as billed up to its last one: a run that goes on from earlier would issue it again.
func (s *Service) verifyRuns(ctx context.Context, issued []Issued) (Verification, error) {
	v := Verification{Name: "billing runs go on from what was issued", Count: int64(len(issued))}
	last, seen := make(map[SubscriptionID]*Issued), make(map[string]bool)
	for n := range issued {
		i := &issued[n]
		key := string(i.Subscription) + " " + i.key()
		if seen[key] {
			v.Wrong = append(v.Wrong, i.Ref()+" was issued before")
		}
		seen[key] = true
		if before := last[i.Subscription]; i.revision >= 0 && (before == nil || before.IssueAt.Before(i.IssueAt)) {
			last[i.Subscription] = i
		}
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(last)), 500) {
		billed, err := billedTo(ctx, s.db.Read(), some...)
		if err != nil {
			return v, err
		}
		for _, sub := range some {
			if billed[sub].Before(last[sub].IssueAt) {
				v.Wrong = append(v.Wrong, fmt.Sprintf("%s counts as billed to %s, and %s is later", sub, billed[sub].Format(time.RFC3339), last[sub].Ref()))
			}
		}
	}
	return v, nil
}

// billedService is where fees of an item were billed, less where they were taken back: at
// each instant by how much, by item, plan and charge.
type billedService map[[3]string]map[int64]int

func (b billedService) add(c *Catalog, l keptLine) {
	p, known := c.Plan(l.Plan)
	if !known || p.Convention.Unit == rating.Whole { // what is not prorated is paid whole, whoever has the rest
		return
	}
	charge := p.charge(l.Charge)
	if charge == nil || charge.Type != Recurring || l.Amount == 0 {
		return
	}
	by := 1
	if l.Kind == ReversalLine {
		by = -1
	}
	key := [3]string{l.Item, l.Plan, l.Charge}
	if b[key] == nil {
		b[key] = make(map[int64]int)
	}
	b[key][l.Service.From.UnixMicro()] += by
	b[key][l.Service.To.UnixMicro()] -= by
}

// twice says which charges were billed more than once for a time, and which items by two
// plans.
func (b billedService) twice() (wrong []string) {
	plans := make(map[string]map[string][]int64) // by item and plan: the instants within which a fee is billed
	for key, steps := range b {
		depth, since := 0, int64(0)
		for _, at := range slices.Sorted(maps.Keys(steps)) {
			if depth > 0 {
				if plans[key[0]] == nil {
					plans[key[0]] = make(map[string][]int64)
				}
				plans[key[0]][key[1]] = append(plans[key[0]][key[1]], since, at)
			}
			if depth, since = depth+steps[at], at; depth > 1 {
				wrong = append(wrong, fmt.Sprintf("%s of %s (%s) is billed twice from %s on", key[2], key[0], key[1], time.UnixMicro(at).UTC().Format(time.RFC3339)))
				break
			}
		}
	}
	for item, of := range plans {
		refs := slices.Sorted(maps.Keys(of))
		for x, one := range refs {
			for _, other := range refs[x+1:] {
				if at, both := meet(of[one], of[other]); both {
					wrong = append(wrong, fmt.Sprintf("%s is billed by %s and %s from %s on", item, one, other, time.UnixMicro(at).UTC().Format(time.RFC3339)))
				}
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// meet is the first instant that is within two lists of intervals.
func meet(one, other []int64) (at int64, both bool) {
	for i := 0; i < len(one); i += 2 {
		for j := 0; j < len(other); j += 2 {
			if from := max(one[i], other[j]); from < min(one[i+1], other[j+1]) {
				return from, true
			}
		}
	}
	return 0, false
}

// unexplained says what is wrong with how a line says that it came about; empty: nothing.
// Its explanation comes to its amount, and one of usage goes down to a meter or a resource.
func (l *keptLine) unexplained(c *Catalog, currency money.Currency) string {
	if l.Amount == 0 {
		return ""
	}
	value, found := amountOf(&l.Explain)
	if amount := money.New(l.Amount, currency).Exact(); !found || !value.Equal(amount) && !value.Equal(amount.Neg()) {
		return "is of another amount than what explains it"
	}
	p, known := c.Plan(l.Plan)
	if !known {
		return ""
	}
	if charge := p.charge(l.Charge); charge != nil && (charge.Type == Usage || charge.Type == Resource) && !restsOnFacts(&l.Explain) {
		return "rests on no meter and no resource"
	}
	return ""
}

// amountOf is what an explanation comes to, rounded.
func amountOf(e *rating.Explanation) (value exact.Number, found bool) {
	switch e.Rule {
	case "rounding", "adjustment", "discount_given_back":
		return e.Value, true
	}
	for n := range e.Of {
		if value, found = amountOf(&e.Of[n]); found {
			return value, true
		}
	}
	return value, false
}

// restsOnFacts reports whether an explanation goes down to what was metered, to the life
// of a resource, or to a minimum that holds without either.
func restsOnFacts(e *rating.Explanation) bool {
	if e.Rule == "minimum" || e.Rule == "resource_time" {
		return true
	}
	for _, f := range e.Facts {
		if f.Name == "meter" || f.Name == "urn" || f.Name == "because_of" && strings.HasPrefix(f.Text, "usage") {
			return true
		}
	}
	return slices.ContainsFunc(e.Of, func(of rating.Explanation) bool { return restsOnFacts(&of) })
}
