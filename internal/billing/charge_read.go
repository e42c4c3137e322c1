package billing

import (
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

var chargeFields = []string{
	"id", "type", "when", "model", "meter", "price", "package_size", "tiers", "included", "minimum", "maximum", "tax",
	"percent_off", "per_event", "prorated", "zero_usage", "markup", "matrix",
}

func (c *Catalog) readCharge(v manifest.Value) *Charge {
	ch := new(Charge)
	if !v.Object(chargeFields...) {
		return ch
	}
	ch.ID = v.Field("id").Text()
	if !v.Field("type").IsSet() {
		v.Field("type").Fail("It is missing.")
	}
	ch.Type = ChargeType(v.Field("type").OneOf(string(Recurring), string(OneOff), string(Usage), string(Resource)))
	ch.readPrice(v)
	metered := ch.Type == Usage || ch.Type == Resource
	if metered {
		ch.Advance = v.Field("when").OneOf("arrears", "advance") == "advance"
		if ch.Advance {
			v.Field("when").Fail("What is used is known only afterwards: a charge for it is billed in arrears.")
		}
	} else {
		ch.Advance = v.Field("when").OneOf("advance", "arrears") == "advance"
	}
	c.readChargeMeter(ch, v.Field("meter"))
	ch.readMatrix(v.Field("matrix"))
	if tax := v.Field("tax"); tax.IsSet() {
		ch.TaxSet, ch.Taxes = true, readTexts(tax)
		for _, id := range ch.Taxes {
			if !c.hasTax(id) {
				tax.Fail("There is no tax %q. The catalog has %s.", id, names(c.Taxes, func(t TaxRate) string { return t.ID }))
			}
		}
	}
	if ch.Prorated && (ch.Type != Usage || ch.Meter != nil && ch.Meter.Aggregate != rating.TimeWeighted ||
		ch.Model != rating.PerUnit && ch.Model != rating.Graduated) {
		v.Field("prorated").Fail("Only usage of a time_weighted meter can be prorated, by the models unit and graduated.")
	}
	if ch.Model == rating.CostPlus && ch.Type != Resource {
		v.Field("model").Fail("cost_plus is for charges of type resource.")
	}
	return ch
}

func (c *Catalog) readChargeMeter(ch *Charge, v manifest.Value) {
	if !v.IsSet() {
		if ch.Type == Usage {
			v.Fail("A charge for usage needs a meter.")
		}
		return
	}
	if ch.Type != Usage && ch.Type != Resource {
		v.Fail("A %s charge has no meter.", ch.Type)
		return
	}
	if ch.Meter = c.meter(v.Text()); ch.Meter == nil && !v.Failed() {
		v.Fail("There is no meter %q. The catalog has %s.", v.Text(), names(c.Meters, func(m rating.Meter) string { return m.ID }))
	}
}

// readMatrix reads prices by what the charge's meter groups by.
func (ch *Charge) readMatrix(v manifest.Value) {
	switch {
	case !v.IsSet() || v.Failed():
		return
	case ch.Meter == nil || len(ch.Meter.GroupBy) == 0:
		v.Fail("Prices by dimension need a meter with group_by.")
		return
	case ch.Model != rating.PerUnit && ch.Model != rating.Package || ch.Prorated:
		v.Fail("Only the models unit and package have prices by dimension, and not where they are prorated.")
		return
	}
	v.Each(func(v manifest.Value) {
		if v.Failed() || !v.Object("for", "price") {
			return
		}
		cell := Cell{For: make(map[string]string), Price: readNeeded(v.Field("price"))}
		where := v.Field("for")
		if !where.IsObject() || len(where.Names()) == 0 {
			where.Fail("It must be an object: what the meter groups by, and its value, like {region: fra1}.")
			return
		}
		for _, dimension := range where.Names() {
			if !slices.Contains(ch.Meter.GroupBy, dimension) {
				where.Fail("The meter %s does not group by %q: it groups by %s.", ch.Meter.ID, dimension, strings.Join(ch.Meter.GroupBy, ", "))
			}
			cell.For[dimension] = where.Field(dimension).Word()
		}
		ch.Matrix = append(ch.Matrix, cell)
	})
}

// A model's own fields; the others of a price are for every model.
var modelFields = map[rating.Model][]string{
	rating.Flat:       {"price"},
	rating.PerUnit:    {"price"},
	rating.Graduated:  {"tiers"},
	rating.Volume:     {"tiers"},
	rating.Package:    {"price", "package_size"},
	rating.Percentage: {"tiers", "per_event"},
	rating.CostPlus:   {"markup"},
}

func (ch *Charge) readPrice(v manifest.Value) {
	standard := rating.Flat
	if ch.Type == Usage || ch.Type == Resource {
		standard = rating.PerUnit
	}
	ch.Model = rating.Model(v.Field("model").TextOr(string(standard)))
	own, known := modelFields[ch.Model]
	if !known {
		v.Field("model").Fail("%q is not known. It is one of flat, unit, graduated, volume, package, percentage, cost_plus.", string(ch.Model))
		return
	}
	for _, field := range []string{"price", "package_size", "tiers", "per_event", "markup"} {
		wanted, value := slices.Contains(own, field), v.Field(field)
		switch {
		case value.IsSet() && !wanted && !isNeutral(field, value):
			value.Fail("The model %s has no %s.", ch.Model, field)
		case !value.IsSet() && wanted && field != "per_event" && field != "markup":
			value.Fail("The model %s needs %s.", ch.Model, field)
		}
	}
	ch.Price.Price = v.Field("price").Decimal()
	if ch.PackageSize = v.Field("package_size").Decimal(); ch.Model == rating.Package && ch.PackageSize.IsZero() {
		v.Field("package_size").Fail("It must be above zero.")
	}
	ch.readTiers(v.Field("tiers"))
	ch.Included = v.Field("included").Decimal()
	if ch.Model == rating.CostPlus && v.Field("included").IsSet() {
		v.Field("included").Fail("The model cost_plus has no included units.")
	}
	ch.Minimum, ch.Maximum = v.Field("minimum").DecimalOrNone(), v.Field("maximum").DecimalOrNone()
	if ch.Minimum != nil && ch.Maximum != nil && ch.Minimum.Cmp(*ch.Maximum) > 0 {
		v.Field("minimum").Fail("It must not be above the maximum.")
	}
	if ch.PercentOff = v.Field("percent_off").Decimal(); ch.PercentOff.Cmp(exact.Whole(100)) > 0 {
		v.Field("percent_off").Fail("It must not be above 100.")
	}
	ch.PerEvent = v.Field("per_event").Decimal()
	ch.Markup = exact.Whole(1)
	if v.Field("markup").IsSet() {
		ch.Markup = v.Field("markup").Decimal()
	}
	ch.Prorated = v.Field("prorated").Bool()
	ch.FreeAtZero = v.Field("zero_usage").OneOf("first_flat", "none") == "none"
}

// isNeutral reports whether a field says what holds without it.
func isNeutral(field string, v manifest.Value) bool {
	switch field {
	case "tiers":
		return v.IsList() && v.Len() == 0
	case "markup":
		return v.Decimal().Equal(exact.Whole(1))
	}
	return v.Decimal().IsZero()
}

func (ch *Charge) readTiers(v manifest.Value) {
	var below exact.Number
	open := false
	v.Each(func(v manifest.Value) {
		if v.Failed() || !v.Object("up_to", "flat", "unit", "percent", "block") {
			return
		}
		if open {
			v.Fail("A tier without up_to is the last one.")
		}
		t := rating.Tier{
			UpTo: v.Field("up_to").DecimalOrNone(), Flat: v.Field("flat").Decimal(), Unit: v.Field("unit").Decimal(),
			Percent: v.Field("percent").Decimal(), Block: v.Field("block").Decimal(),
		}
		if t.UpTo == nil {
			open = true
		} else if below.Cmp(*t.UpTo) >= 0 {
			v.Field("up_to").Fail("It must be above the tier before it, %s.", below)
		} else {
			below = *t.UpTo
		}
		if ch.Model == rating.Percentage && !v.Field("unit").IsSet() && !v.Field("percent").IsSet() && !v.Field("flat").IsSet() {
			v.Field("percent").Fail("The model percentage needs it.")
		}
		ch.Tiers = append(ch.Tiers, t)
	})
	if len(ch.Tiers) == 0 && slices.Contains(modelFields[ch.Model], "tiers") {
		v.Fail("It needs at least one tier.")
	}
}
