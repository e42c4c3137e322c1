package billing

import (
	"cmp"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// maxMinor is the most that a line may amount to, so that no sum overflows.
const maxMinor = 1_000_000_000_000_000

// maxInstants is how many instants a preview looks at.
const maxInstants = 20_000

// Facts are what tenants used, as it was read.
type Facts struct {
	Events    []metering.Event
	Rejected  []metering.Rejected
	Lifetimes []metering.Lifetime
	Lives     []metering.Life // the same with what shows when they began and ended, for explanations alone
}

// Preview works out every document that is due from the subscription's start to
// an instant, both included: what a billing run at each of those instants would
// have issued, by what was known then. The same facts give the same bytes. A time
// before the start is a fault of kind Invalid.
func Preview(c *Catalog, s *Subscription, f Facts, at time.Time) (*Outcome, error) {
	if at.Before(s.Start()) {
		return nil, fault.New(fault.Invalid, "at: %s is before the subscription's start, %s.",
			at.UTC().Format(time.RFC3339), s.Start().Format(time.RFC3339))
	}
	b := newBiller(c, s, f)
	instants, err := b.instants(at)
	if err != nil {
		return nil, err
	}
	for _, t := range instants {
		if err := b.bill(t); err != nil {
			return nil, err
		}
	}
	b.out.Rejected = append(b.out.Rejected, b.unserved(at)...)
	b.out.Warnings = b.warnings(at)
	slices.SortStableFunc(b.out.Rejected, func(x, y metering.Rejected) int { return cmp.Compare(x.Line, y.Line) })
	return b.out, nil
}

// A biller walks from instant to instant and keeps what was billed.
type biller struct {
	catalog   *Catalog
	sub       *Subscription
	lifetimes []metering.Lifetime
	readings  map[string][]rating.Reading // by meter, in the order of time
	knowledge []*known                    // by when it was known
	recorded  map[string][]rating.Reading // by meter, in the order in which they became known
	corrected map[string][]rating.Reading // by meter: those that do not count since some instant
	fees      []*billed
	have      map[string]period.Spans // by key of the parts: what was billed and not taken back
	usage     map[string]*rated       // by key of the metered and charge
	order     []string                // the keys of usage, as they were first billed
	truedUp   map[string]trueUp       // by key of the metered
	spent     map[string]int64        // by key of the metered: what was billed for its period, one-off fees apart
	coupons   map[string]*redeemed
	credit    int64
	credits   []kept    // by hand, that are not known yet
	releases  []release // that are not known yet
	out       *Outcome
}

// A billed is a fee that was billed, and what is left of it after reversals.
type billed struct {
	*part
	span   period.Span
	times  period.Period
	left   period.Spans
	whole  exact.Number // what the whole period costs
	amount int64
	rest   int64 // of the amount
	taxes  []rating.Tax
	off    map[string]int64 // what coupons took off, less what was given back
}

func newBiller(c *Catalog, s *Subscription, f Facts) *biller {
	b := &biller{
		catalog: c, sub: s, lifetimes: f.Lifetimes, readings: make(map[string][]rating.Reading),
		recorded: make(map[string][]rating.Reading), corrected: make(map[string][]rating.Reading), have: make(map[string]period.Spans), usage: make(map[string]*rated),
		truedUp: make(map[string]trueUp), spent: make(map[string]int64), coupons: make(map[string]*redeemed), credit: s.Credit.Minor, credits: s.credited, releases: s.released,
		out: &Outcome{Invoices: []Invoice{}, CreditNotes: []Invoice{}, Rejected: append([]metering.Rejected{}, f.Rejected...)},
	}
	for i := range f.Events {
		b.read(&f.Events[i])
	}
	for id, readings := range b.readings {
		rating.Sort(readings)
		b.recorded[id] = slices.Clone(readings)
		slices.SortStableFunc(b.recorded[id], func(x, y rating.Reading) int { return x.Event.RecordedAt.Compare(y.Event.RecordedAt) })
	}
	return b
}

// read gives an event to the meters that are about it; it is rejected where none
// is, or where one needs a value that it does not have.
func (b *biller) read(e *metering.Event) {
	metered := false
	for i := range b.catalog.Meters {
		m := &b.catalog.Meters[i]
		r, ok, err := m.Read(e)
		switch {
		case err != nil:
			b.out.Rejected = append(b.out.Rejected, metering.Rejected{Line: e.Line, Reason: err.Error()})
		case ok:
			b.readings[m.ID] = append(b.readings[m.ID], r)
			if !e.CorrectedAt.IsZero() {
				b.corrected[m.ID] = append(b.corrected[m.ID], r)
			}
		}
		metered = metered || m.EventType == e.Type
	}
	if !metered {
		b.out.Rejected = append(b.out.Rejected, metering.Rejected{Line: e.Line, Reason: "type: no meter counts events of type " + e.Type})
	}
}

// served reports whether an item was in service at an instant.
func (b *biller) served(at time.Time) bool {
	return slices.ContainsFunc(b.knowledge[len(b.knowledge)-1].runs, func(x run) bool {
		to := x.to
		if c := b.sub.convention(x.plan); c.Inclusive {
			to = (period.DateOf(to, b.sub.Zone) + 1).Begin(b.sub.Zone)
		}
		return !at.Before(x.from) && at.Before(to)
	})
}

// unserved is the events that count for nothing since no item was in service when
// they happened. A level counts also when it was set before.
func (b *biller) unserved(at time.Time) (rejected []metering.Rejected) {
	seen := make(map[int]bool)
	for i := range b.catalog.Meters {
		m := &b.catalog.Meters[i]
		for _, r := range b.readings[m.ID] {
			if m.Aggregate == rating.TimeWeighted || !r.At.Before(at) || r.Event.RecordedAt.After(at) || seen[r.Event.Line] {
				continue
			}
			if !b.served(r.At) {
				seen[r.Event.Line] = true
				rejected = append(rejected, metering.Rejected{Line: r.Event.Line, Reason: "time: nothing was in service then"})
			}
		}
	}
	return rejected
}

// instants are when something may become due, in order: as service begins and ends,
// as a grace is over, as something becomes known.
func (b *biller) instants(at time.Time) ([]time.Time, error) {
	s := b.sub
	times := []time.Time{s.Start()}
	for _, p := range s.Phases {
		times = append(times, period.Later(p.RecordedAt, s.Start()))
	}
	for _, x := range s.Suspended {
		times = append(times, period.Later(x.RecordedAt, s.Start()), period.Later(x.To, s.Start()))
		if !x.ReplacedAt.IsZero() {
			times = append(times, period.Later(x.ReplacedAt, s.Start()))
		}
		if x.RecordedAt.Before(x.To) { // service goes on when all of its last day is over
			times = append(times, (period.DateOf(x.To, s.Zone) + 1).Begin(s.Zone))
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for _, t := range slices.CompactFunc(slices.Clone(times), time.Time.Equal) {
		if t.After(at) {
			break
		}
		b.knowledge = append(b.knowledge, s.know(t, at))
	}
	for _, k := range b.knowledge {
		add := func(t time.Time) { times = append(times, period.Later(t, k.at)) }
		for _, p := range k.parts {
			add(p.due)
		}
		for _, m := range k.metered {
			for _, w := range m.windows {
				add(w.due)
			}
		}
		for i, r := range k.runs {
			add(r.from)
			add(r.to)
			last := i == len(k.runs)-1 || k.runs[i+1].item != r.item
			for n := r.schedule.Index(r.from); ; n++ {
				end := r.schedule.Begin(n + 1)
				if end.After(at) || !last && !r.schedule.Begin(n).Before(r.to) {
					break
				}
				add(end)
				add(end.Add(r.plan.Grace))
				if len(times) > 100*maxInstants {
					break
				}
			}
		}
	}
	times = slices.DeleteFunc(times, func(t time.Time) bool { return t.After(at) })
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	if len(times) > maxInstants {
		return nil, fault.New(fault.Invalid, "at: there are more than %d billing dates up to %s. Choose an earlier time.", maxInstants, at.UTC().Format(time.RFC3339))
	}
	return times, nil
}

// at is what is known at an instant.
func (b *biller) at(t time.Time) *known {
	k := b.knowledge[0]
	for _, other := range b.knowledge {
		if !other.at.After(t) {
			k = other
		}
	}
	return k
}

// closes reports whether the books of a period are closed at an instant: its grace
// is over. Periods go on after the last service has ended, so that what comes late
// finds an invoice. A change that becomes known late closes them too.
func (b *biller) closes(k *known, t time.Time) (period.Period, bool) {
	for i, r := range k.runs {
		end := t.Add(-r.plan.Grace)
		n := r.schedule.Index(end) - 1
		p := r.schedule.Period(n)
		last := i == len(k.runs)-1 || k.runs[i+1].item != r.item
		if p.To.Equal(end) && p.To.After(r.from) && (last || p.From.Before(r.to)) {
			return p, true
		}
	}
	for _, p := range b.sub.Phases {
		if p.RecordedAt.Equal(t) && p.From.Before(t) {
			for _, r := range k.runs {
				return r.schedule.Period(r.schedule.Index(t)), true
			}
		}
	}
	return period.Period{}, false
}

// A draft is a line on its way onto a document.
type draft struct {
	Line
	charge *Charge
	period period.Period // that the line is of
	taxes  []rating.Tax
	back   map[string]int64                // by coupon: the part of a discount that goes with what is reversed
	took   func(coupon string, part int64) // is told what a coupon took off the line
	spends string                          // the metered whose commitment the line counts towards
}

// bill issues what is due at an instant and was not billed before.
func (b *biller) bill(t time.Time) error {
	k := b.at(t)
	books, closing := b.closes(k, t)
	b.knownCredits(t)
	b.knownReleases(t)
	var advance, arrears, notes []*draft

	reversed, err := b.reversals(k, t)
	if err != nil {
		return err
	}
	for _, r := range reversed {
		switch {
		case r.of.plan.CreditNotes:
			notes = append(notes, r.draft)
		case r.of.charge.Advance:
			advance = append(advance, r.draft)
		default:
			arrears = append(arrears, r.draft)
		}
	}
	fees, err := b.newFees(k, t)
	if err != nil {
		return err
	}
	for _, d := range fees {
		if d.charge.Advance {
			advance = append(advance, d)
		} else {
			arrears = append(arrears, d)
		}
	}
	used, err := b.newUsage(k, t, closing || len(arrears) > 0)
	if err != nil {
		return err
	}
	arrears = append(arrears, used...)

	// What suspensions give back goes with the next invoice.
	if len(advance)+len(arrears) > 0 || closing {
		suspended, err := b.suspensions(k, t)
		if err != nil {
			return err
		}
		var lines []*draft
		for _, r := range suspended {
			if r.of.plan.CreditNotes {
				notes = append(notes, r.draft)
			} else {
				lines = append(lines, r.draft)
			}
		}
		if len(advance) > 0 {
			advance = append(lines, advance...)
		} else {
			arrears = append(lines, arrears...)
		}
	}
	for _, d := range slices.Concat(notes, advance, arrears) {
		b.spent[d.spends] += d.Amount
	}
	trueUps, err := b.trueUps(k, t, closing || len(arrears) > 0)
	if err != nil {
		return err
	}
	arrears = append(arrears, trueUps...)

	if len(notes) > 0 {
		b.issueNote(notes, t)
	}
	first, second := Arrears, Advance
	if len(advance) > 0 && len(arrears) > 0 && periodOf(advance).From.Before(periodOf(arrears).From) {
		first, second = Advance, Arrears
	}
	for _, purpose := range []Purpose{first, second} {
		lines := map[Purpose][]*draft{Advance: advance, Arrears: arrears}[purpose]
		if len(lines) == 0 {
			continue
		}
		p := periodOf(lines)
		if purpose == Arrears && closing && !slices.ContainsFunc(lines, func(d *draft) bool { return d.Kind == ChargeLine }) {
			p = books
		}
		if err := b.issue(purpose, p, lines, t); err != nil {
			return err
		}
	}
	return nil
}

// periodOf is the period of a document: that of its first line which charges, else
// of its first line.
func periodOf(lines []*draft) period.Period {
	for _, d := range lines {
		if d.Kind == ChargeLine {
			return d.period
		}
	}
	return lines[0].period
}

// amount rounds what is in major units once, by the currency.
func (b *biller) amount(x exact.Number, charge string) (int64, error) {
	a, err := money.Round(x, b.sub.Currency)
	if err != nil || a.Minor > maxMinor || a.Minor < -maxMinor {
		return 0, fault.New(fault.Invalid, "The charge %s comes to more than %s.", charge, money.New(maxMinor, b.sub.Currency))
	}
	return a.Minor, nil
}

// rounded explains the one rounding of a line.
func (b *biller) rounded(amount int64, of rating.Explanation) rating.Explanation {
	return rating.Explanation{Rule: "rounding", Value: money.New(amount, b.sub.Currency).Exact(),
		Facts: []rating.Fact{rating.Num("decimals", exact.Whole(int64(b.sub.Currency.Digits()))), rating.Text("half", "away from zero")},
		Of:    []rating.Explanation{of}}
}

func spanOf(p period.Period) Span { return Span{Instant{p.From}, Instant{p.To}} }
