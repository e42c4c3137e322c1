package inventory

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
)

// A Price is what a unit of something costs for a whole month, from a day on.
type Price struct {
	SKU     string
	Unit    string       // "GiB"
	Monthly exact.Number // US dollars
	From    time.Time
	Source  string
	Checked bool // the source is DigitalOcean's own
}

// A Book is a dated list of prices.
type Book struct {
	prices map[string][]Price // by SKU, the oldest first
}

//go:embed prices.yaml
var shippedPrices []byte

// Prices is the price book that comes with this program.
var Prices = sync.OnceValue(func() *Book {
	b, err := ReadBook("prices.yaml", shippedPrices)
	if err != nil {
		panic(err) // it is part of the program, and tested
	}
	return b
})

// ReadBook reads a price book. What is wrong with it is a fault.Invalid that says
// where.
func ReadBook(name string, document []byte) (*Book, error) {
	b := &Book{prices: map[string][]Price{}}
	err := manifest.Read(name, document, func(v manifest.Value) {
		v.Object("prices")
		v.Field("prices").Each(func(v manifest.Value) {
			v.Object("sku", "unit", "monthly", "from", "source", "checked")
			p := Price{
				SKU: v.Field("sku").Text(), Unit: v.Field("unit").Text(), Monthly: v.Field("monthly").Decimal(),
				Source: v.Field("source").Text(), Checked: v.Field("checked").Bool(),
			}
			if !v.Field("monthly").IsSet() {
				v.Fail("has no monthly price")
			}
			from, err := time.Parse(time.DateOnly, v.Field("from").Word())
			if err != nil {
				v.Field("from").Fail("is no day: it is written as 2026-01-31")
			}
			p.From = from
			if slices.ContainsFunc(b.prices[p.SKU], func(q Price) bool { return !q.From.Before(p.From) }) {
				v.Fail("does not count from later than the price of %q before it", p.SKU)
			}
			b.prices[p.SKU] = append(b.prices[p.SKU], p)
		})
	})
	return b, err
}

// Price is what an SKU costs at a time; ok is false where the book does not know.
func (b *Book) Price(sku string, at time.Time) (p Price, ok bool) {
	for _, q := range b.prices[sku] {
		if !q.From.After(at) {
			p, ok = q, true
		}
	}
	return p, ok
}

// SKUs are what the book knows prices of, sorted.
func (b *Book) SKUs() []string {
	var all []string
	for sku := range b.prices {
		all = append(all, sku)
	}
	slices.Sort(all)
	return all
}

// A PricedCharge is a charge with what it costs for a whole month.
type PricedCharge struct {
	Charge
	Unit    string
	Price   exact.Number // of a unit
	Cost    exact.Number // of all
	Source  string
	Checked bool
	Known   bool // there is a price; else Price and Cost say nothing
}

// priced gives the charges of a document their prices at a time.
func (b *Book) priced(k *Kind, d Doc, at time.Time) []PricedCharge {
	if k.Charges == nil || k.Sold || k.Link {
		return nil
	}
	var all []PricedCharge
	for _, c := range k.Charges(d) {
		p := PricedCharge{Charge: c, Price: c.Monthly, Known: c.Listed, Unit: k.Name, Source: "DigitalOcean's answer about it", Checked: true}
		if !c.Listed {
			var found Price
			if found, p.Known = b.Price(c.SKU, at); p.Known {
				p.Unit, p.Price, p.Checked = found.Unit, found.Monthly, found.Checked
				p.Source = fmt.Sprintf("%s, from %s", found.Source, found.From.Format(time.DateOnly))
			}
		}
		if c.Assumed != "" {
			p.Source += "; assumed: " + c.Assumed
		}
		p.Cost = p.Price.Mul(c.Quantity)
		all = append(all, p)
	}
	return all
}

// monthlyMicros is what a document's resource costs for a whole month in
// micro-dollars, rounded once; ok is false where a part of it has no price.
func (b *Book) monthlyMicros(k *Kind, d Doc, at time.Time) (micros int64, ok bool) {
	var sum exact.Number
	for _, c := range b.priced(k, d, at) {
		if !c.Known {
			return 0, false
		}
		sum = sum.Add(c.Cost)
	}
	return sum.Units(microDigits).Int64(), true
}

// MonthlyOf is what a resource of a kind costs for a whole month at a time, in
// micro-dollars, given as much of its document as its price depends on: what it would
// cost before it is there. known is false where a part of it has no price.
func MonthlyOf(kind string, document any, at time.Time) (micros int64, known bool, err error) {
	raw, err := json.Marshal(document)
	if err != nil {
		return 0, false, err
	}
	d, err := ParseDoc(raw)
	if err != nil {
		return 0, false, err
	}
	k := KindNamed(kind)
	if k == nil {
		return 0, false, fault.New(fault.Invalid, "There is no kind %q.", clip(kind))
	}
	micros, known = Prices().monthlyMicros(k, d, at)
	return micros, known, nil
}

// microDigits are the decimals of a dollar that the inventory keeps.
const microDigits = 6
