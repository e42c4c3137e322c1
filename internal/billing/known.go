package billing

import (
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// forever is after everything.
var forever = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

// A run is service of one item without a gap and without a change, as it is known.
type run struct {
	item     string
	plan     *Plan
	quantity exact.Number
	schedule period.Schedule
	from, to time.Time // to is forever while the end is not known
	recorded time.Time // when its latest phase became known
	follows  bool      // another run of the item ends where it begins
	goesOn   bool      // another begins where, or on the day when, it ends
	later    bool      // it is of a phase after the item's first
}

// A part is a fee for a run of service within one billing period. It is what may
// have to be billed; what of it was billed already is another matter.
type part struct {
	run
	charge  *Charge
	key     string // the same service at the same price, whenever it was told
	k       int    // of the period
	service period.Period
	span    period.Span // on the convention's axis
	of      int64       // what its share is measured by
	due     time.Time
	blocked period.Spans
}

// A window is the part of a run in which usage counts towards a period.
type window struct {
	times   []period.Period // without the suspensions
	service period.Period
	minimum exact.Number // the share of the period for its minimum
	paid    exact.Number // the share for its commitment, without the trial
	due     time.Time
}

// A metered is what a plan meters for an item within one billing period, in one
// window or in several where service was interrupted.
type metered struct {
	run
	key     string
	k       int
	windows []window
	charges []meteredCharge
}

// A meteredCharge is a charge for what is metered, with the key of what it was rated at.
type meteredCharge struct {
	of  *Charge
	key string
}

// known is what there is to bill by what is known at an instant.
type known struct {
	at       time.Time
	runs     []run
	parts    []*part
	coverage map[string]period.Spans // by key of the parts: all service
	blocked  map[string]period.Spans // by key of the parts: suspended
	metered  []*metered
}

// convention is the plan's, in the tenant's zone.
func (s *Subscription) convention(p *Plan) rating.Convention {
	c := p.Convention
	c.Zone = s.Zone
	return c
}

// schedule is the plan's billing periods. Phases with periods of one length share
// them, counted from the first of those phases: a change of plan moves no
// boundary, and a month that becomes a year begins a whole year.
func (s *Subscription) schedule(p *Plan, anchor int) period.Schedule {
	start := forever
	for _, other := range s.Phases {
		if q := other.Plan; q != nil && q.Unit == p.Unit && q.Count == p.Count && q.Calendar == p.Calendar &&
			other.AnchorDay == anchor && other.From.Before(start) {
			start = other.From
		}
	}
	day := period.DateOf(start, s.Zone)
	if p.Calendar {
		return period.Calendar(p.Unit, p.Count, day, anchor, s.Zone)
	}
	if anchor == 0 {
		_, _, anchor = period.DateOf(s.Start(), s.Zone).Civil()
	}
	return period.Anniversary(p.Unit, p.Count, day, anchor, s.Zone)
}

// stretches is an item's service as it is known at an instant: each phase cuts off
// what was known before it, from its start on.
func (s *Subscription) stretches(item string, at time.Time) []run {
	var runs []run
	first := true
	for _, p := range s.Phases {
		if p.Item != item || p.RecordedAt.After(at) {
			continue
		}
		runs = slices.DeleteFunc(runs, func(r run) bool { return !r.from.Before(p.From) })
		for i := range runs {
			if runs[i].to.After(p.From) {
				runs[i].to, runs[i].recorded = p.From, period.Later(runs[i].recorded, p.RecordedAt)
			}
		}
		if p.Plan != nil {
			r := run{
				item: item, plan: p.Plan, quantity: p.Quantity, schedule: s.schedule(p.Plan, p.AnchorDay),
				from: p.From, to: p.To, recorded: p.RecordedAt, later: !first,
			}
			if r.to.IsZero() {
				r.to = forever
			}
			runs = append(runs, r)
		}
		first = false
	}
	slices.SortStableFunc(runs, func(a, b run) int { return a.from.Compare(b.from) })
	for i := range runs[:max(0, len(runs)-1)] {
		next := &runs[i+1]
		next.follows = next.from.Equal(runs[i].to)
		runs[i].goesOn = period.DateOf(next.from, s.Zone) <= period.DateOf(runs[i].to, s.Zone)
	}
	return runs
}

// join makes one run of those that follow each other and are alike.
func join(runs []run, alike func(a, b run) bool) []run {
	var joined []run
	for _, r := range runs {
		if n := len(joined) - 1; n >= 0 && r.follows && joined[n].schedule == r.schedule && alike(joined[n], r) {
			joined[n].to, joined[n].goesOn, joined[n].recorded = r.to, r.goesOn, period.Later(joined[n].recorded, r.recorded)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// know works out what there is to bill up to an instant, by what is known at
// another.
func (s *Subscription) know(at, until time.Time) *known {
	k := &known{at: at, coverage: make(map[string]period.Spans), blocked: make(map[string]period.Spans)}
	for _, item := range s.items() {
		runs := s.stretches(item, at)
		if len(runs) == 0 {
			continue
		}
		k.runs = append(k.runs, runs...)
		trial := func(p *Plan) time.Time { // counted from the item's first day, whatever the plan is by now
			days := max(p.TrialDays, runs[0].plan.TrialDays)
			return runs[0].from.In(s.Zone).AddDate(0, 0, days).UTC()
		}
		fees := join(runs, func(a, b run) bool { return a.plan == b.plan && a.quantity.Equal(b.quantity) })
		oneOffs := make(map[string]bool)
		for i, r := range fees {
			s.oneOffs(k, r, until, oneOffs)
			s.fees(k, fees, i, trial(r.plan), until)
		}
		for _, r := range join(runs, func(a, b run) bool { return a.plan == b.plan }) {
			s.meters(k, r, trial(r.plan), until)
		}
	}
	for _, p := range k.parts {
		k.coverage[p.key] = k.coverage[p.key].Or(period.Spans{p.span})
		k.blocked[p.key] = k.blocked[p.key].Or(p.blocked)
	}
	return k
}

func key(parts ...string) string { return strings.Join(parts, "\x00") }

// oneOffs adds the fees that are due once, when an item first has the plan in any
// version.
func (s *Subscription) oneOffs(k *known, r run, until time.Time, done map[string]bool) {
	for _, ch := range r.plan.Charges {
		id := key(r.item, r.plan.ID, ch.ID)
		if ch.Type != OneOff || done[id] || r.from.After(until) {
			continue
		}
		done[id] = true
		p := &part{run: r, charge: ch, key: id, k: r.schedule.Index(r.from), service: period.Period{From: r.from, To: r.from},
			span: period.Span{From: 0, To: 1}, of: 1, due: r.from}
		if !ch.Advance {
			p.due = period.Earlier(r.to, r.schedule.Begin(p.k+1)).Add(r.plan.Grace)
		}
		k.parts = append(k.parts, p)
	}
}

// slice is what of a run falls in one billing period.
type slice struct {
	k       int
	service period.Period
	whole   period.Span // the period on the axis
	span    period.Span // the run's part of it
	of      int64
}

// cut cuts a run, from an instant on, into its billing periods.
func (s *Subscription) cut(r run, from, until time.Time) []slice {
	c := s.convention(r.plan)
	all := c.Axis(from, r.to, r.goesOn)
	var slices []slice
	for k := r.schedule.Index(c.Instant(all.From)); ; k++ {
		whole, begin := c.Period(r.schedule, k), r.schedule.Begin(k)
		if whole.From >= all.To || begin.After(until) {
			return slices
		}
		span := period.Span{From: max(all.From, whole.From), To: min(all.To, whole.To)}
		if span.Len() == 0 {
			continue
		}
		service := period.Period{From: period.Later(from, begin), To: period.Earlier(r.to, r.schedule.Begin(k+1))}
		service.To = period.Later(service.From, service.To)
		slices = append(slices, slice{k, service, whole, span, c.Of(r.schedule, k, all)})
	}
}

// suspended is the suspensions that are known, on a plan's axis.
func (s *Subscription) suspended(k *known, p *Plan) period.Spans {
	if p.ChargesSuspended {
		return nil
	}
	c := s.convention(p)
	var spans []period.Span
	for _, x := range s.Suspended {
		if x.isKnown(k.at) {
			spans = append(spans, c.Axis(x.From, x.To, false))
		}
	}
	return period.Union(spans...)
}

// fees adds the recurring fees of one run.
func (s *Subscription) fees(k *known, runs []run, i int, trial, until time.Time) {
	r := runs[i]
	from := r.from
	if trial.After(from) {
		if from = trial; !from.Before(r.to) {
			return
		}
		r.follows = false
	}
	blocked := s.suspended(k, r.plan)
	for n, cut := range s.cut(r, from, until) {
		for _, ch := range r.plan.Charges {
			if ch.Type != Recurring {
				continue
			}
			p := &part{run: r, charge: ch, key: key(r.item, r.plan.Ref(), ch.ID, r.quantity.String()),
				k: cut.k, service: cut.service, span: cut.span, of: cut.of}
			p.blocked = period.Spans{p.span}.And(blocked)
			if r.plan.Convention.Unit == rating.Whole {
				if s.isPaid(runs, i, ch.Advance, cut.k) {
					continue
				}
				if p.span, p.blocked = cut.whole, nil; (period.Spans{cut.span}).Minus(blocked).Len() == 0 {
					p.blocked = period.Spans{p.span}
				}
			}
			p.due = s.due(r, ch.Advance, cut, n == 0)
			k.parts = append(k.parts, p)
		}
	}
}

// isPaid reports whether another run pays for a period that is not prorated: in
// advance the one that begins it, in arrears the one that ends it.
func (s *Subscription) isPaid(runs []run, i int, advance bool, k int) bool {
	p := runs[i].schedule.Period(k)
	others := runs[:i]
	if !advance {
		others = runs[i+1:]
	}
	return slices.ContainsFunc(others, func(o run) bool {
		return o.plan.Convention.Unit == rating.Whole && o.from.Before(p.To) && o.to.After(p.From)
	})
}

// due is when a fee or usage may be billed: in advance as its service begins, in
// arrears as it has ended and the grace is over. Under "next", what a change
// causes in the middle of a period waits for the period's end.
func (s *Subscription) due(r run, advance bool, cut slice, first bool) time.Time {
	due, renewal := cut.service.From, r.schedule.Begin(cut.k+1)
	changed := first && r.follows && cut.span.From > cut.whole.From
	if !advance {
		due = cut.service.To
		changed = r.goesOn && cut.service.To.Before(renewal)
	}
	if r.plan.ChangesNext {
		if changed {
			due = renewal
		}
		if r.later && due.Before(r.recorded) && r.recorded.After(cut.service.From) {
			due = boundaryFrom(r.schedule, r.recorded)
		}
	}
	if !advance {
		due = due.Add(r.plan.Grace)
	}
	return due
}

// boundaryFrom is the first boundary that is not before an instant.
func boundaryFrom(s period.Schedule, t time.Time) time.Time {
	k := s.Index(t)
	if begin := s.Begin(k); begin.Equal(t) {
		return begin
	}
	return s.Begin(k + 1)
}

// meters adds what is metered in one run.
func (s *Subscription) meters(k *known, r run, trial, until time.Time) {
	if r.plan.Commitment.IsZero() && !slices.ContainsFunc(r.plan.Charges, func(ch *Charge) bool { return ch.Type == Usage || ch.Type == Resource }) {
		return
	}
	c := s.convention(r.plan)
	blocked := s.suspended(k, r.plan)
	for _, cut := range s.cut(r, r.from, until) {
		w := window{service: cut.service, due: s.due(r, false, cut, false)}
		for _, left := range (period.Spans{cut.span}).Minus(blocked) {
			w.minimum = w.minimum.Add(c.Share(r.schedule, cut.k, left, cut.of).Ratio)
		}
		if trial.Before(r.to) {
			paid := period.Spans{cut.span}.Minus(blocked)
			if trial.After(r.from) {
				free := period.Span{From: cut.span.From, To: c.Axis(trial, trial, true).From}
				paid = paid.Minus(period.Union(free))
			}
			for _, left := range paid {
				w.paid = w.paid.Add(c.Share(r.schedule, cut.k, left, cut.of).Ratio)
			}
		}
		w.minimum, w.paid = exact.Min(w.minimum, exact.Whole(1)), exact.Min(w.paid, exact.Whole(1))
		times := period.Span{From: cut.service.From.UnixMicro(), To: cut.service.To.UnixMicro()}
		if c.Inclusive && !r.goesOn && r.to.Before(r.schedule.Begin(cut.k+1)) { // the last day is used up to its end
			times.To = (period.DateOf(r.to, s.Zone) + 1).Begin(s.Zone).UnixMicro()
		}
		for _, x := range (period.Spans{times}).Minus(s.suspendedTimes(k, r.plan)) {
			w.times = append(w.times, period.Period{From: time.UnixMicro(x.From).UTC(), To: time.UnixMicro(x.To).UTC()})
		}
		id := key(r.item, r.plan.Ref(), r.schedule.Boundary(cut.k).String())
		n := slices.IndexFunc(k.metered, func(m *metered) bool { return m.key == id })
		if n < 0 {
			n = len(k.metered)
			k.metered = append(k.metered, newMetered(r, id, cut.k))
		}
		k.metered[n].windows = append(k.metered[n].windows, w)
	}
}

func newMetered(r run, id string, k int) *metered {
	m := &metered{run: r, key: id, k: k}
	for _, ch := range r.plan.Charges {
		if ch.Type == Usage || ch.Type == Resource {
			m.charges = append(m.charges, meteredCharge{ch, key(id, ch.ID)})
		}
	}
	return m
}

// suspendedTimes is the suspensions that are known in elapsed time: to the instant,
// or where days are inclusive all of each day that they touch.
func (s *Subscription) suspendedTimes(k *known, p *Plan) period.Spans {
	if p.ChargesSuspended {
		return nil
	}
	var spans []period.Span
	for _, x := range s.Suspended {
		if !x.isKnown(k.at) {
			continue
		}
		if p.Convention.Inclusive {
			x.From = period.DateOf(x.From, s.Zone).Begin(s.Zone)
			x.To = (period.DateOf(x.To, s.Zone) + 1).Begin(s.Zone)
		}
		spans = append(spans, period.Span{From: x.From.UnixMicro(), To: x.To.UnixMicro()})
	}
	return period.Union(spans...)
}
