package dosim

import (
	"math/big"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
)

// Billing is a reading of the log of events and of nothing else: see [book]. Its
// own things are what the log has to hold for it.
type billingTables struct {
	terms     *table[*billingTerms]
	grants    *table[*grant]
	prices    *table[*price]
	transfers *table[*transfer]
	book      book
}

func billingResources() []resource {
	return []resource{
		termsResource(),
		grantResource(),
		priceResource(),
		transferResource(),
		invoiceResource(),
		insightResource(),
	}
}

const (
	paramRounding     = "billing.rounding"
	paramTax          = "billing.tax"
	paramSecondTax    = "billing.second_tax"
	paramCapPerThing  = "billing.cap_per_thing"
	paramAutopay      = "billing.autopay"
	paramOutbound     = "billing.outbound_gib"
	paramIssue        = "billing.issue"
	paramPreviewHours = "billing.preview_hours"
)

// billingTerms are what an account's invoices are made by from CreatedAt on: the
// parameters that were in force. A month has those of its end, so that no
// parameter changes an invoice that is out.
type billingTerms struct {
	thing
	Rounding    int           `json:"rounding"`
	Tax         int           `json:"tax"`        // hundredths of a percent
	SecondTax   int           `json:"second_tax"` // hundredths of a percent
	CapPerThing bool          `json:"cap_per_thing"`
	Autopay     bool          `json:"autopay"`
	Outbound    int           `json:"outbound_gib"`
	Issue       time.Duration `json:"issue"`
}

func termsResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.terms = newTable(w.seed, kind[*billingTerms]{
				name: "billing_terms", wire: func(_ *call, t *billingTerms) any { return t },
			})
			return w.terms
		},
		params: []Param{
			{paramRounding, "0", 0, 2, "half a cent goes: 0 up, 1 to the even cent, 2 down"},
			{paramTax, "0", 0, 10_000, "a tax on all charges, in hundredths of a percent"},
			{paramSecondTax, "0", 0, 10_000, "another one"},
			{paramCapPerThing, "0", 0, 1, "1: the lines of a thing share the 672 hours of a month; 0: each line has them"},
			{paramAutopay, "1", 0, 1, "1: an invoice is paid a day after its issue"},
			{paramOutbound, "0", 0, 1_000_000, "GiB that a droplet sends to the internet in 28 days"},
			{paramIssue, "0s", 0, 0, "from the end of a month to its invoice"},
			{paramPreviewHours, "24", 0, 744, "hours between two previews of the invoice; 0: it is always that of now"},
		},
		found: func(c *call) { c.sim.world.terms.create(c, c.newTerms()) },
	}
}

func (c *call) newTerms() *billingTerms {
	p := c.sim.params
	return &billingTerms{
		thing:    thing{Unasked: true},
		Rounding: p.number(paramRounding), Tax: p.number(paramTax), SecondTax: p.number(paramSecondTax),
		CapPerThing: p.on(paramCapPerThing), Autopay: p.on(paramAutopay), Outbound: p.number(paramOutbound), Issue: p.duration(paramIssue),
	}
}

// renewTerms has the parameters in force count for every account from at on.
func (s *Sim) renewTerms(at time.Time) {
	var accounts []string
	for a := range s.world.accounts {
		accounts = append(accounts, a)
	}
	slices.Sort(accounts)
	for _, a := range accounts {
		c := s.callAs(a, at)
		old, next := s.world.termsAt(a, at.Add(1)), c.newTerms()
		next.thing = old.thing
		if *next != *old {
			next.thing = thing{Unasked: true}
			s.world.terms.create(c, next)
		}
	}
}

// termsAt are the terms of an account that count before at.
func (w *world) termsAt(account string, at time.Time) *billingTerms {
	found := &billingTerms{Autopay: true}
	for i, e := range w.terms.existing(account, wholeAccount, endOfTime) {
		t, _ := e.(*billingTerms)
		if i > 0 && !t.CreatedAt.Before(at) {
			break
		}
		found = t
	}
	return found
}

// rules are the terms as the biller takes them.
func (t *billingTerms) rules() biller.Terms {
	rules := biller.Terms{Rounding: biller.Rounding(t.Rounding), CapPerThing: t.CapPerThing}
	for _, tax := range []struct {
		name string
		rate int
	}{{"SALES TAX", t.Tax}, {"LOCAL SALES TAX", t.SecondTax}} {
		if tax.rate > 0 {
			rules.Taxes = append(rules.Taxes, biller.Tax{Name: tax.name, Rate: big.NewRat(int64(tax.rate), 10_000)})
		}
	}
	return rules
}

// A grant is a credit that an account was given.
type grant struct {
	thing
	Description string `json:"description"`
	Cents       int64  `json:"cents"`
}

func grantResource() resource {
	return resource{table: func(w *world) anyTable {
		w.grants = newTable(w.seed, kind[*grant]{
			name: "credit", wire: func(_ *call, g *grant) any { return g },
			check: func(_ *world, g *grant) error { return g.checkAmount() },
		})
		return w.grants
	}}
}

// A price is a change of DigitalOcean's price list, for everybody.
type price struct {
	thing
	SKU     string    `json:"sku"`
	Monthly string    `json:"monthly"` // dollars for 672 hours, or for a GiB of "transfer"
	Since   time.Time `json:"since"`
}

func priceResource() resource {
	return resource{table: func(w *world) anyTable {
		w.prices = newTable(w.seed, kind[*price]{
			name: "price", wire: func(_ *call, p *price) any { return p },
			check: func(_ *world, p *price) error { return p.checkPrice() },
		})
		return w.prices
	}}
}

// A transfer is traffic to the internet, beside what billing.outbound_gib has
// every droplet send.
type transfer struct {
	thing
	GiB int64 `json:"gib"`
}

func transferResource() resource {
	return resource{table: func(w *world) anyTable {
		w.transfers = newTable(w.seed, kind[*transfer]{
			name: "transfer", wire: func(_ *call, t *transfer) any { return t },
			check: func(_ *world, t *transfer) error { return t.checkSize() },
		})
		return w.transfers
	}}
}

// monthOf is the first instant of the month that holds t.
func monthOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), t.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}
