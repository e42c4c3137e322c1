package billing

import (
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// DefaultGrace is how long an invoice in arrears waits for late usage where the
// plan does not say.
const DefaultGrace = 48 * time.Hour

// ReadCatalog reads a catalog, YAML or JSON. Whatever is unknown, missing,
// contradictory or malformed is a fault of kind Invalid that names the file, the
// line and the field.
func ReadCatalog(name string, document []byte) (*Catalog, error) {
	c := new(Catalog)
	err := manifest.Read(name, document, func(v manifest.Value) { c.read(v) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Catalog) read(v manifest.Value) {
	if !v.Object("currency", "meters", "taxes", "plans", "coupons", "exchange") {
		return
	}
	c.Currency = readCurrency(v.Field("currency"))
	v.Field("meters").Each(func(v manifest.Value) {
		m := metering.ReadMeter(v)
		if c.meter(m.ID) != nil {
			v.Field("id").Fail("There is another meter %q.", m.ID)
		}
		c.Meters = append(c.Meters, m)
	})
	v.Field("taxes").Each(func(v manifest.Value) { c.Taxes = append(c.Taxes, c.readTax(v)) })
	plans := v.Field("plans")
	plans.Each(func(v manifest.Value) {
		if v.Failed() {
			return
		}
		p := c.readPlan(v)
		if _, ok := c.Plan(p.Ref()); ok {
			v.Field("id").Fail("There is another plan %s.", p.Ref())
		}
		c.Plans = append(c.Plans, p)
	})
	if len(c.Plans) == 0 {
		plans.Fail("A catalog has at least one plan.")
	}
	v.Field("coupons").Each(func(v manifest.Value) {
		k := c.readCoupon(v)
		if c.coupon(k.ID) != nil {
			v.Field("id").Fail("There is another coupon %q.", k.ID)
		}
		c.Coupons = append(c.Coupons, k)
	})
	v.Field("exchange").Each(func(v manifest.Value) { c.Rates = append(c.Rates, c.readRate(v)) })
}

func readCurrency(v manifest.Value) money.Currency {
	code := v.Text()
	c, err := money.ParseCurrency(code)
	if err != nil && !v.Failed() {
		v.Fail("%s", fault.Message(err))
	}
	return c
}

// readTexts reads a list of texts; one text is a list of one.
func readTexts(v manifest.Value) []string {
	if v.IsSet() && !v.IsList() {
		return []string{v.Text()}
	}
	var all []string
	v.Each(func(v manifest.Value) { all = append(all, v.Text()) })
	return all
}

func (c *Catalog) readTax(v manifest.Value) TaxRate {
	if !v.Object("id", "rate", "from", "mode") {
		return TaxRate{}
	}
	t := TaxRate{From: v.Field("from").TextOr("")}
	t.ID = v.Field("id").Text()
	t.Rate = readNeeded(v.Field("rate"))
	t.Inclusive = v.Field("mode").OneOf("exclusive", "inclusive") == "inclusive"
	if t.From != "" {
		if _, err := metering.ParseTime(t.From, time.UTC); err != nil {
			v.Field("from").Fail("%v.", err)
		}
	}
	for _, other := range c.Taxes {
		if other.ID == t.ID && other.From == t.From {
			v.Fail("There is another rate of %q from then on.", t.ID)
		}
	}
	return t
}

func readNeeded(v manifest.Value) exact.Number {
	if !v.IsSet() {
		v.Fail("It is missing.")
	}
	return v.Decimal()
}

func (c *Catalog) readPlan(v manifest.Value) *Plan {
	p := new(Plan)
	if !v.Object("id", "version", "period", "zone", "proration", "tax", "late", "suspended", "trial_days", "commitment", "charges") {
		return p
	}
	p.ID = v.Field("id").Text()
	if strings.Contains(p.ID, "@") {
		v.Field("id").Fail("It must not contain @.")
	}
	p.Version = v.Field("version").Word()

	per := v.Field("period")
	if per.Object("unit", "count", "anchor") {
		if !per.Field("unit").IsSet() {
			per.Field("unit").Fail("It is missing.")
		}
		p.Unit = period.Unit(per.Field("unit").OneOf(string(period.Day), string(period.Week), string(period.Month), string(period.Year)))
		p.Count = per.Field("count").Int(1, 1200, 1)
		p.Calendar = per.Field("anchor").OneOf("calendar", "anniversary") == "calendar"
	}
	p.Zone = v.Field("zone").TextOr("UTC")
	readZone(v.Field("zone"), p.Zone)
	p.readProration(v.Field("proration"))

	p.TaxRounding = rating.PerRate
	if tax := v.Field("tax"); tax.IsSet() && tax.Object("round") {
		p.TaxRounding = rating.TaxRounding(tax.Field("round").OneOf(string(rating.PerRate), string(rating.PerLine), string(rating.PerInvoice)))
	}
	p.Grace = DefaultGrace
	if late := v.Field("late"); late.IsSet() && late.Object("grace") && late.Field("grace").IsSet() {
		var err error
		p.Grace, err = time.ParseDuration(late.Field("grace").Text())
		if err != nil || p.Grace < 0 || p.Grace > 366*24*time.Hour {
			late.Field("grace").Fail("It must be a duration of at most a year, like 48h or 30m.")
		}
	}
	p.ChargesSuspended = v.Field("suspended").OneOf("free", "charged") == "charged"
	p.TrialDays = v.Field("trial_days").Int(0, 3660, 0)
	p.Commitment = v.Field("commitment").Decimal()
	ids := make(map[string]bool)
	v.Field("charges").Each(func(v manifest.Value) {
		if v.Failed() {
			return
		}
		ch := c.readCharge(v)
		if ids[ch.ID] {
			v.Field("id").Fail("There is another charge %q in this plan.", ch.ID)
		}
		if ch.ID == commitmentCharge || ch.ID == couponCharge {
			v.Field("id").Fail("The name %q is taken by lines of another kind.", ch.ID)
		}
		ids[ch.ID] = true
		p.Charges = append(p.Charges, ch)
	})
	return p
}

func readZone(v manifest.Value, name string) *time.Location {
	zone, err := period.Zone(name)
	if err != nil || name == "Local" {
		v.Fail("%q is no time zone. One is written like Europe/Berlin.", name)
		return time.UTC
	}
	return zone
}

func (p *Plan) readProration(v manifest.Value) {
	p.Convention.Unit = rating.BySecond
	if !v.IsSet() || !v.Object("unit", "day_end", "denominator", "credit", "bill") {
		return
	}
	p.Convention.Unit = rating.ProrationUnit(v.Field("unit").OneOf(string(rating.BySecond), string(rating.ByDay), string(rating.Whole)))
	p.Convention.Inclusive = v.Field("day_end").OneOf("exclusive", "inclusive") == "inclusive" && p.Convention.Unit == rating.ByDay
	p.Convention.Thirty = v.Field("denominator").OneOf("period", "30") == "30"
	if p.Convention.Thirty && p.Unit.Months() == 0 {
		v.Field("denominator").Fail("30 days are for periods of months and years.")
	}
	p.CreditNotes = v.Field("credit").OneOf("line", "note") == "note"
	p.ChangesNext = v.Field("bill").OneOf("now", "next") == "next"
}

func (c *Catalog) readCoupon(v manifest.Value) Coupon {
	var k Coupon
	if !v.Object("id", "percent", "amount", "duration", "charges") {
		return k
	}
	k.ID = v.Field("id").Text()
	k.Percent = v.Field("percent").DecimalOrNone()
	amount := v.Field("amount")
	switch {
	case (k.Percent != nil) == amount.IsSet():
		v.Fail("It has either percent or amount.")
	case k.Percent != nil:
		if k.Percent.Cmp(exact.Whole(100)) > 0 {
			v.Field("percent").Fail("It must not be above 100.")
		}
	default:
		k.Amount = readAmount(amount, c.Currency)
	}
	k.discount = rating.Discount{Percent: k.Percent, Amount: k.Amount.Minor}
	duration := v.Field("duration")
	if duration.IsObject() {
		if duration.Object("periods") {
			if !duration.Field("periods").IsSet() {
				duration.Field("periods").Fail("It is missing.")
			}
			k.Periods = duration.Field("periods").Int(1, 100_000, 1)
		}
	} else {
		k.Once = duration.OneOf("once", "forever") == "once"
	}
	if charges := v.Field("charges"); charges.IsSet() {
		k.Charges = append([]string{}, readTexts(charges)...)
		for _, id := range k.Charges {
			if !c.hasCharge(id) {
				charges.Fail("No plan has a charge %q.", id)
			}
		}
	}
	return k
}

func (c *Catalog) hasCharge(id string) bool {
	for _, p := range c.Plans {
		for _, ch := range p.Charges {
			if ch.ID == id {
				return true
			}
		}
	}
	return id == commitmentCharge
}

// readAmount reads an amount in major units with no more decimals than the
// currency has; zero where it is not set.
func readAmount(v manifest.Value, c money.Currency) money.Amount {
	d := v.Decimal()
	if v.Failed() {
		return money.Amount{}
	}
	a, err := money.Parse(d.String(), c)
	if err != nil {
		v.Fail("%s", fault.Message(err))
		return money.Amount{}
	}
	if a.Minor > maxMinor {
		v.Fail("It is too large an amount of money.")
	}
	return a
}
