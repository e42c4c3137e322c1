package billing

import (
	"cmp"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A Subscription is what a tenant agreed to: phases of items, side by side and one
// after the other.
type Subscription struct {
	Tenant    string
	Currency  money.Currency
	Zone      *time.Location // dates are the tenant's: one instant is another day elsewhere
	AnchorDay int            // 1 to 31; 0: the first of the month, or the first phase's day
	Taxes     []string
	Phases    []Phase // in the order in which they became known
	Suspended []Suspension
	Coupons   []string
	Credit    money.Amount // prepaid

	Amendments []Amendment // of taxes and coupons, in the order in which they became known

	credited []kept    // by hand, of documents that were issued
	released []release // of the credit that bills gave
}

// A Phase is a time for which an item has a plan. It supersedes its item from its
// start on, once it is known.
type Phase struct {
	Item       string
	Plan       *Plan // nil: no service
	From       time.Time
	To         time.Time // zero: open
	Quantity   exact.Number
	RecordedAt time.Time // when it became known
	AnchorDay  int
}

// A Suspension is a time without service, of all items. One whose end becomes known
// replaces the one that had none.
type Suspension struct {
	period.Period           // To is forever while its end is not known
	RecordedAt    time.Time // when it became known
	ReplacedAt    time.Time // when another became known in its place; zero: it holds
}

func (x Suspension) isKnown(at time.Time) bool {
	return !x.RecordedAt.After(at) && (x.ReplacedAt.IsZero() || x.ReplacedAt.After(at))
}

// Start is when the first phase begins.
func (s *Subscription) Start() time.Time {
	start := s.Phases[0].From
	for _, p := range s.Phases {
		if p.From.Before(start) {
			start = p.From
		}
	}
	return start
}

// items are the names of the items, in the order in which they begin.
func (s *Subscription) items() []string {
	byStart := slices.Clone(s.Phases)
	slices.SortStableFunc(byStart, func(a, b Phase) int { return a.From.Compare(b.From) })
	var all []string
	for _, p := range byStart {
		if !slices.Contains(all, p.Item) {
			all = append(all, p.Item)
		}
	}
	return all
}

// ReadSubscription reads a subscription, YAML or JSON, to plans of the catalog.
// Whatever is unknown, missing, impossible or malformed is a fault of kind Invalid
// that names the file, the line and the field.
func ReadSubscription(name string, document []byte, c *Catalog) (*Subscription, error) {
	s := new(Subscription)
	if err := manifest.Read(name, document, func(v manifest.Value) { s.read(v, c) }); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Subscription) read(v manifest.Value, c *Catalog) {
	if !v.Object("tenant", "currency", "zone", "anchor_day", "taxes", "phases", "suspended", "coupons", "credit") {
		return
	}
	s.Tenant = v.Field("tenant").Text()
	s.Currency = c.Currency
	if currency := v.Field("currency"); currency.IsSet() {
		if s.Currency = readCurrency(currency); s.Currency != c.Currency {
			currency.Fail("The catalog is in %s.", c.Currency)
		}
	}
	s.AnchorDay = v.Field("anchor_day").Int(1, 31, 0)
	if s.Taxes = readTexts(v.Field("taxes")); !v.Failed() {
		for _, id := range s.Taxes {
			if !c.hasTax(id) {
				v.Field("taxes").Fail("There is no tax %q. The catalog has %s.", id, names(c.Taxes, func(t TaxRate) string { return t.ID }))
			}
		}
	}
	if s.Coupons = readTexts(v.Field("coupons")); !v.Failed() {
		for i, id := range s.Coupons {
			if c.coupon(id) == nil {
				v.Field("coupons").Fail("There is no coupon %q. The catalog has %s.", id, names(c.Coupons, func(k Coupon) string { return k.ID }))
			}
			if slices.Contains(s.Coupons[:i], id) {
				v.Field("coupons").Fail("The coupon %q is named twice.", id)
			}
		}
	}
	s.Credit = readAmount(v.Field("credit"), s.Currency)
	s.Credit.Currency = s.Currency
	s.readZone(v, c)
	s.readPhases(v.Field("phases"), c)
	v.Field("suspended").Each(func(v manifest.Value) {
		if !v.Object("from", "to") {
			return
		}
		p := period.Period{From: readTime(v.Field("from"), s.Zone)}
		if !v.Field("to").IsSet() {
			return // known when it ends
		}
		if p.To = readTime(v.Field("to"), s.Zone); p.To.Before(p.From) {
			v.Field("to").Fail("The suspension ends before it begins.")
		}
		s.Suspended = append(s.Suspended, Suspension{Period: p, RecordedAt: p.To})
	})
}

// readZone takes the tenant's zone, else that of the first plan.
func (s *Subscription) readZone(v manifest.Value, c *Catalog) {
	s.Zone = time.UTC
	if zone := v.Field("zone"); zone.IsSet() {
		s.Zone = readZone(zone, zone.Text())
		return
	}
	found := false
	v.Field("phases").Each(func(v manifest.Value) {
		if plan := v.Field("plan"); !found && plan.IsSet() {
			if p, ok := c.Plan(plan.Text()); ok {
				s.Zone, found = readZone(plan, p.Zone), true
			}
		}
	})
}

func readTime(v manifest.Value, zone *time.Location) time.Time {
	if v.Failed() {
		return time.Time{}
	}
	text := v.Text()
	if v.Failed() {
		return time.Time{}
	}
	t, err := metering.ParseTime(text, zone)
	if err != nil {
		v.Fail("%v.", err)
	}
	return t
}

var phaseFields = []string{"plan", "from", "to", "quantity", "item", "recorded_at", "anchor_day"}

func (s *Subscription) readPhases(v manifest.Value, c *Catalog) {
	var recorded []bool
	v.Each(func(v manifest.Value) {
		if v.Failed() || !v.Object(phaseFields...) {
			return
		}
		p := Phase{Item: v.Field("item").TextOr("main"), From: readTime(v.Field("from"), s.Zone), Quantity: exact.Whole(1)}
		if !v.Has("plan") {
			v.Field("plan").Fail("It is missing. A phase without service says null.")
		}
		if plan := v.Field("plan"); plan.IsSet() {
			var ok bool
			if p.Plan, ok = c.Plan(plan.Text()); !ok {
				plan.Fail("There is no plan %q. The catalog has %s.", plan.Text(), names(c.Plans, (*Plan).Ref))
			}
		}
		if to := v.Field("to"); to.IsSet() {
			if p.To = readTime(to, s.Zone); p.To.Before(p.From) {
				to.Fail("The phase ends before it begins.")
			}
		}
		if v.Field("quantity").IsSet() {
			p.Quantity = v.Field("quantity").Decimal()
		}
		if at := v.Field("recorded_at"); at.IsSet() {
			p.RecordedAt = readTime(at, s.Zone)
		}
		recorded = append(recorded, !p.RecordedAt.IsZero())
		p.AnchorDay = v.Field("anchor_day").Int(1, 31, s.AnchorDay)
		s.Phases = append(s.Phases, p)
	})
	if v.Failed() {
		return
	}
	if !slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.Plan != nil }) {
		v.Fail("A subscription has at least one phase with a plan.")
		return
	}
	start := s.Start()
	for i := range s.Phases {
		if !recorded[i] {
			s.Phases[i].RecordedAt = start
		}
	}
	slices.SortStableFunc(s.Phases, func(a, b Phase) int {
		return cmp.Or(a.RecordedAt.Compare(b.RecordedAt), a.From.Compare(b.From))
	})
}
