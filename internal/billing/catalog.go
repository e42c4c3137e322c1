package billing

import (
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// A Catalog is what can be sold: plans with their charges, the meters they count
// by, taxes and coupons. All of it is in one currency.
type Catalog struct {
	Currency money.Currency
	Meters   []rating.Meter
	Taxes    []TaxRate
	Plans    []*Plan
	Coupons  []Coupon
	Rates    []Rate // of exchange
}

// A TaxRate is a tax's rate from a day on. The next rate of the same tax ends it.
type TaxRate struct {
	rating.Tax
	From string // a date or an instant; empty: always
}

// A Plan is one version of what a customer subscribes to. Everything that engines
// do differently is said here.
type Plan struct {
	ID, Version string
	Unit        period.Unit
	Count       int
	Calendar    bool   // periods by the calendar, else from the subscription's first day
	Zone        string // of a subscription that names none
	Convention  rating.Convention
	CreditNotes bool // what is given back is a document of its own, else lines
	ChangesNext bool // what a change costs waits for the renewal
	TaxRounding rating.TaxRounding
	Grace       time.Duration // from the end of service to the invoice in arrears
	TrialDays   int           // without recurring fees, from the item's first day
	// ChargesSuspended says that suspended time costs what any other does.
	ChargesSuspended bool
	Commitment       exact.Number // the least that a whole period costs
	Charges          []*Charge
}

// Ref is the plan's name in a subscription: id@version.
func (p *Plan) Ref() string { return p.ID + "@" + p.Version }

func (p *Plan) charge(id string) *Charge {
	for _, ch := range p.Charges {
		if ch.ID == id {
			return ch
		}
	}
	return nil
}

// countsQuantity reports whether any charge of the plan is for each unit of a
// subscription's quantity. Where none is, several cost what one does.
func (p *Plan) countsQuantity() bool {
	return slices.ContainsFunc(p.Charges, func(ch *Charge) bool {
		return (ch.Type == Recurring || ch.Type == OneOff) && ch.Model != rating.Flat
	})
}

// A ChargeType says what a charge is for.
type ChargeType string

// The types of charges.
const (
	Recurring ChargeType = "recurring" // for a period of service
	OneOff    ChargeType = "one_off"   // once, when the item first has the plan
	Usage     ChargeType = "usage"     // for what a meter counted
	Resource  ChargeType = "resource"  // for the lifetimes of resources
)

// A Charge is one thing that a plan bills for.
type Charge struct {
	ID      string
	Type    ChargeType
	Advance bool // billed when the service begins, else when it has ended
	Meter   *rating.Meter
	Taxes   []string // instead of the subscription's, where TaxSet
	TaxSet  bool
	Matrix  []Cell
	rating.Price
}

// A Cell is the price of those groups of a charge's meter that have all its values, in
// place of the charge's own.
type Cell struct {
	For   map[string]string
	Price exact.Number
}

// priceOf is the price of a group: that of the first cell that it is in, else the
// charge's.
func (ch *Charge) priceOf(group map[string]string) exact.Number {
	for _, c := range ch.Matrix {
		in := true
		for dimension, value := range c.For {
			in = in && group[dimension] == value
		}
		if in {
			return c.Price
		}
	}
	return ch.Price.Price
}

// A Coupon takes something off the lines that it is about.
type Coupon struct {
	ID       string
	Percent  *exact.Number
	Amount   money.Amount // where Percent is nil; for each billing period
	Once     bool         // on one invoice
	Periods  int          // on invoices of so many billing periods; 0: of all
	Charges  []string     // nil: all
	discount rating.Discount
}

func (c *Coupon) isAbout(charge string) bool {
	for _, id := range c.Charges {
		if id == charge {
			return true
		}
	}
	return c.Charges == nil
}

// Plan returns the plan with this name, id@version.
func (c *Catalog) Plan(ref string) (*Plan, bool) {
	for _, p := range c.Plans {
		if p.Ref() == ref {
			return p, true
		}
	}
	return nil, false
}

func (c *Catalog) meter(id string) *rating.Meter {
	for i := range c.Meters {
		if c.Meters[i].ID == id {
			return &c.Meters[i]
		}
	}
	return nil
}

func (c *Catalog) coupon(id string) *Coupon {
	for i := range c.Coupons {
		if c.Coupons[i].ID == id {
			return &c.Coupons[i]
		}
	}
	return nil
}

func (c *Catalog) hasTax(id string) bool {
	for _, t := range c.Taxes {
		if t.ID == id {
			return true
		}
	}
	return false
}

// names lists what there is, for an error.
func names[T any](all []T, name func(T) string) string {
	var list []string
	for _, one := range all {
		if n := name(one); len(list) == 0 || list[len(list)-1] != n {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return "none"
	}
	if len(list) > 8 {
		list = append(list[:8], "…")
	}
	return strings.Join(list, ", ")
}
