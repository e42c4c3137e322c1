package rating

import (
	"strconv"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// A Model is how a quantity becomes an amount.
type Model string

// The models of a price.
const (
	Flat       Model = "flat"       // the price, whatever the quantity is
	PerUnit    Model = "unit"       // the price for each unit
	Graduated  Model = "graduated"  // each unit at the price of the tier that it falls in
	Volume     Model = "volume"     // all units at the price of the tier that the last one falls in
	Package    Model = "package"    // the price for each package; one that is begun is whole
	Percentage Model = "percentage" // a part of a value of money
	CostPlus   Model = "cost_plus"  // what resources cost at the cloud, times a markup
)

// A Tier is a range of quantities: above the tier before it, up to and including
// UpTo. The last tier goes on without an end, also past its bound.
type Tier struct {
	UpTo    *exact.Number
	Flat    exact.Number // once, when the tier is entered
	Unit    exact.Number // for each unit in the tier, or for each block
	Percent exact.Number // of each unit in the tier; 20 is 20 %
	Block   exact.Number // units are rounded up to whole blocks of this size; 0: they are not
}

// A Price is a model with its figures, in major units of the currency.
type Price struct {
	Model       Model
	Price       exact.Number
	PackageSize exact.Number
	Tiers       []Tier
	Included    exact.Number // free units, taken off first
	PerEvent    exact.Number // percentage: for each event that is not wholly free
	PercentOff  exact.Number // taken off the amount, before Maximum and Minimum
	Maximum     *exact.Number
	Minimum     *exact.Number
	Markup      exact.Number // cost_plus
	Prorated    bool         // time-weighted: each change of level is rated for the rest of the period
	FreeAtZero  bool         // nothing used costs nothing, not the first tier's flat fee
}

var hundred = exact.Whole(100)

// percentOf is x · p/100.
func percentOf(x exact.Number, p exact.Number) exact.Number { return x.Mul(p.Shift(-2)) }

// Base prices a quantity by the model alone: included units are free, nothing is
// taken off, no bound is kept. A negative quantity, which corrections can leave,
// is credited at the first tier's prices, without flat fees.
func (p *Price) Base(q Quantity) (exact.Number, Explanation) {
	if p.Prorated {
		return p.byChange(q)
	}
	units, free := q.Units, exact.Number{}
	if p.Included.Sign() > 0 && units.Sign() > 0 {
		free = exact.Min(units, p.Included)
		units = units.Sub(free)
	}
	e := Explanation{Rule: string(p.Model), Facts: make([]Fact, 0, 4)}
	if free.Sign() > 0 {
		e.Facts = append(e.Facts, Num("included", free))
	}
	switch p.Model {
	case Flat:
		if q.Units.Sign() != 0 || !p.FreeAtZero {
			e.Value = p.Price
		}
		e.Facts = append(e.Facts, Num("price", p.Price))
	case PerUnit:
		e.Value = units.Mul(p.Price)
		e.Facts = append(e.Facts, Num("units", units), Num("price", p.Price))
	case Package:
		packages := exact.Quotient(units, p.PackageSize).Ceil()
		e.Value = packages.Mul(p.Price)
		e.Facts = append(e.Facts, Num("packages", packages), Num("price", p.Price), Num("package_size", p.PackageSize))
	case Volume:
		e.Value, e.Of = p.volume(units)
	case Graduated:
		e.Value, e.Of = p.graduated(units)
	case Percentage:
		e.Value, e.Of = p.graduated(units)
		if p.PerEvent.Sign() > 0 {
			events := exact.Whole(q.chargeable(p.Included))
			fee := events.Mul(p.PerEvent)
			e.Value = e.Value.Add(fee)
			e.Of = append(e.Of, Explanation{Rule: "per_event", Value: fee,
				Facts: []Fact{Num("events", events), Num("fee", p.PerEvent)}})
		}
	}
	return e.Value, e
}

// part prices the units that fall in one tier; entered says that its flat fee is
// due.
func (t *Tier) part(number int, units exact.Number, entered bool) (exact.Number, Explanation) {
	e := Explanation{Rule: "tier", Facts: make([]Fact, 0, 7)}
	e.Facts = append(e.Facts, Text("tier", strconv.Itoa(number)), Num("units", units))
	if t.UpTo != nil {
		e.Facts = append(e.Facts, Num("up_to", *t.UpTo))
	}
	if t.Unit.Sign() != 0 {
		priced := units
		if t.Block.Sign() > 0 {
			priced = exact.Quotient(units, t.Block).Ceil()
			e.Facts = append(e.Facts, Num("blocks", priced), Num("block", t.Block))
		}
		e.Value = priced.Mul(t.Unit)
		e.Facts = append(e.Facts, Num("unit", t.Unit))
	}
	if t.Percent.Sign() != 0 {
		e.Value = e.Value.Add(percentOf(units, t.Percent))
		e.Facts = append(e.Facts, Num("percent", t.Percent))
	}
	if entered && t.Flat.Sign() != 0 {
		e.Value = e.Value.Add(t.Flat)
		e.Facts = append(e.Facts, Num("flat", t.Flat))
	}
	return e.Value, e
}

// graduated sums the tiers that a quantity enters.
func (p *Price) graduated(q exact.Number) (sum exact.Number, tiers []Explanation) {
	if q.Sign() <= 0 {
		return p.first(q)
	}
	tiers = make([]Explanation, 0, len(p.Tiers))
	var below exact.Number
	for i := range p.Tiers {
		t := &p.Tiers[i]
		if q.Cmp(below) <= 0 {
			break
		}
		top := q
		if i < len(p.Tiers)-1 {
			top = exact.Min(q, *t.UpTo)
		}
		value, e := t.part(i+1, top.Sub(below), true)
		sum, tiers, below = sum.Add(value), append(tiers, e), top
	}
	return sum, tiers
}

// volume prices all of a quantity by the tier that holds it.
func (p *Price) volume(q exact.Number) (exact.Number, []Explanation) {
	if q.Sign() <= 0 {
		return p.first(q)
	}
	i := p.tierOf(q)
	value, e := p.Tiers[i].part(i+1, q, true)
	return value, []Explanation{e}
}

// tierOf is the index of the tier that holds q.
func (p *Price) tierOf(q exact.Number) int {
	for i := range p.Tiers[:len(p.Tiers)-1] {
		if q.Cmp(*p.Tiers[i].UpTo) <= 0 {
			return i
		}
	}
	return len(p.Tiers) - 1
}

// first prices what is not above zero: nothing used is in the first tier and owes
// its flat fee, unless the price says otherwise.
func (p *Price) first(q exact.Number) (exact.Number, []Explanation) {
	value, e := p.Tiers[0].part(1, q, q.Sign() == 0 && !p.FreeAtZero)
	return value, []Explanation{e}
}

// byChange rates each change of level in its tiers for the rest of the period, a
// decrease with a minus sign (Lago's prorated graduated charge). Flat fees are
// whole, for every tier that the highest level reached.
func (p *Price) byChange(q Quantity) (exact.Number, Explanation) {
	e := Explanation{Rule: string(p.Model) + "_prorated"}
	free := p.Included
	above := func(level exact.Number) exact.Number {
		return exact.Max(exact.Number{}, level.Sub(free))
	}
	units := func(level exact.Number) exact.Number {
		if p.Model == PerUnit {
			return above(level).Mul(p.Price)
		}
		flatless := Price{Model: Graduated, Tiers: make([]Tier, len(p.Tiers)), FreeAtZero: true}
		for i, t := range p.Tiers {
			t.Flat = exact.Number{}
			flatless.Tiers[i] = t
		}
		value, _ := flatless.graduated(above(level))
		return value
	}
	before, highest := exact.Number{}, exact.Number{}
	for _, c := range q.Changes {
		if c.Opens {
			before = exact.Number{}
		}
		if c.Level.Cmp(before) == 0 {
			continue
		}
		value := units(c.Level).Sub(units(before)).Mul(c.Rest.Ratio)
		e.Value = e.Value.Add(value)
		e.Of = append(e.Of, Explanation{Rule: "change", Value: value, Of: []Explanation{c.Rest.Explain()},
			Facts: []Fact{Text("at", c.At.UTC().Format(timeFormat)), Num("from", before), Num("to", c.Level)}})
		before, highest = c.Level, exact.Max(highest, c.Level)
	}
	if p.Model != Graduated {
		return e.Value, e
	}
	reached := above(highest)
	var below exact.Number
	for i, t := range p.Tiers {
		if entered := reached.Cmp(below) > 0 || i == 0 && !p.FreeAtZero; entered && t.Flat.Sign() != 0 {
			e.Value = e.Value.Add(t.Flat)
			e.Of = append(e.Of, Explanation{Rule: "flat", Value: t.Flat, Facts: []Fact{Text("tier", strconv.Itoa(i+1))}})
		}
		if t.UpTo != nil {
			below = *t.UpTo
		}
	}
	return e.Value, e
}

const timeFormat = "2006-01-02T15:04:05.000000Z"

// Rate prices a quantity: the model, then the percentage off, then the maximum,
// then the minimum (the order of OpenMeter's pricer). The minimum, which is for a
// whole period, counts for the share of one.
func (p *Price) Rate(q Quantity, minimumShare exact.Number) (exact.Number, Explanation) {
	value, e := p.Base(q)
	return p.Bound(value, e, minimumShare)
}

// Bound takes the percentage off an amount and keeps it between the minimum and
// the maximum.
func (p *Price) Bound(value exact.Number, e Explanation, minimumShare exact.Number) (exact.Number, Explanation) {
	if p.PercentOff.Sign() > 0 {
		value = percentOf(value, hundred.Sub(p.PercentOff))
		e = Explanation{Rule: "percent_off", Value: value, Facts: []Fact{Num("percent", p.PercentOff)}, Of: []Explanation{e}}
	}
	if p.Maximum != nil && value.Cmp(*p.Maximum) > 0 {
		value = *p.Maximum
		e = Explanation{Rule: "maximum", Value: value, Of: []Explanation{e}}
	}
	if p.Minimum != nil {
		if least := (*p.Minimum).Mul(minimumShare); value.Cmp(least) < 0 {
			value = least
			e = Explanation{Rule: "minimum", Value: value, Facts: []Fact{Num("minimum", *p.Minimum), Num("share", minimumShare)}, Of: []Explanation{e}}
		}
	}
	return value, e
}

// UnitPrice is the one price that a quantity is multiplied by, nil where there is
// none.
func (p *Price) UnitPrice(q exact.Number) *exact.Number {
	switch p.Model {
	case Flat, PerUnit, Package:
		return &p.Price
	case Volume:
		if t := p.Tiers[p.tierOf(q)]; t.Percent.IsZero() {
			return &t.Unit
		}
	}
	return nil
}
