package dosim

import (
	"math/big"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

const kindProject = "project"

// A book is what the log says of everything that is billed: each thing's
// lifetime and the states that it was in. It reads every event once, when
// somebody asks, and holds nothing that reading it again would not give.
type book struct {
	read      int // events
	customers map[string]*customer
	meters    map[string]meter
}

// A customer is an account as its invoices see it.
type customer struct {
	account  string
	lives    []*lifetime // of what is billed, in the order of its making
	all      map[string]*lifetime
	next     time.Time // the first instant of the first month that is not billed yet; zero: nothing has happened
	invoices []*invoice
	spent    map[string]int64 // cents, by credit
	preview  *invoice
}

// A lifetime is when a thing was there, and how.
type lifetime struct {
	meter  meter
	urn    string
	from   time.Time
	to     time.Time // zero: it is there
	states []lifeState
}

type lifeState struct {
	since time.Time
	thing entity
}

// customer is what the log says of an account, up to its newest event.
func (s *Sim) customer(account string) *customer {
	b := &s.world.book
	if b.customers == nil {
		b.customers, b.meters = map[string]*customer{}, map[string]meter{}
		for _, m := range meters() {
			b.meters[m.kind] = m
		}
	}
	for ; b.read < len(s.events); b.read++ {
		b.enter(s.events[b.read])
	}
	return b.customer(account)
}

func (b *book) customer(account string) *customer {
	if b.customers[account] == nil {
		b.customers[account] = &customer{account: account, all: map[string]*lifetime{}, spent: map[string]int64{}}
	}
	return b.customers[account]
}

func (b *book) enter(e event) {
	switch ch := e.Change.(type) {
	case *accountOpened:
		b.customer(ch.Account).next = monthOf(e.At)
	case *made:
		if m, billed := b.meters[ch.Kind]; billed || ch.Kind == kindProject {
			b.customer(ch.Thing.self().Account).begin(m, urn(ch.Kind, ch.Thing.self().ID), ch.Thing, billed)
		}
	case *changed:
		if l := b.life(ch.Kind, ch.Thing.self().Account, ch.Thing.self().ID); l != nil {
			l.states = append(l.states, lifeState{e.At, ch.Thing})
		}
	case *deleted:
		if l := b.life(ch.Kind, ch.Account, ch.ID); l != nil {
			l.to = e.At
		}
	}
}

func (b *book) life(kind, account, id string) *lifetime {
	if c := b.customers[account]; c != nil {
		return c.all[urn(kind, id)]
	}
	return nil
}

// begin takes up something that was made.
func (cu *customer) begin(m meter, urn string, e entity, billed bool) {
	l := &lifetime{meter: m, urn: urn, from: e.self().From, states: []lifeState{{e.self().From, e}}}
	cu.all[urn] = l
	if billed {
		cu.lives = append(cu.lives, l)
	}
}

// stateBefore is how the thing was before t, or at its beginning.
func (l *lifetime) stateBefore(t time.Time) entity {
	i := 0
	for i+1 < len(l.states) && l.states[i+1].since.Before(t) {
		i++
	}
	return l.states[i].thing
}

// A stretch is a rate that held for a time.
type stretch struct {
	rate
	from, to time.Time
	unused   time.Duration
	life     *lifetime
}

// stretches are what the life cost until then, by what was billed, in whole
// seconds as all of DigitalOcean's times are.
func (l *lifetime) stretches(w *world, until time.Time) []stretch {
	ended := !l.to.IsZero() && !l.to.After(until)
	from, end := l.from.Truncate(time.Second), until.Truncate(time.Second)
	if ended {
		end = l.to.Truncate(time.Second)
	}
	var done, open []stretch
	for i, st := range l.states {
		since := later(st.since.Truncate(time.Second), from)
		if i > 0 && !since.Before(end) {
			break
		}
		rates := l.meter.rates(w, st.thing)
		var still []stretch
		for _, s := range open {
			j := slices.IndexFunc(rates, func(r rate) bool { return r.what == s.what })
			if j < 0 {
				s.to = since
				done = append(done, s)
				continue
			}
			s.rate = rates[j] // it may have a new name
			still = append(still, s)
			rates = slices.Delete(rates, j, j+1)
		}
		for _, r := range rates {
			still = append(still, stretch{rate: r, from: since, life: l})
		}
		open = still
	}
	for _, s := range open {
		s.to = end
		if lasted := end.Sub(from); ended && lasted < s.least {
			s.unused = s.least - max(0, lasted)
		}
		done = append(done, s)
	}
	return done
}

// An unpriced is something that is billed at a price that nobody knows.
type unpriced struct {
	URN string `json:"urn"`
	SKU string `json:"sku"`
}

// usages are what the customer used in the month until then, and what of it has
// no price.
func (cu *customer) usages(w *world, month period.Period) (all []biller.Usage, without []unpriced) {
	prices := map[string][]pricing{}
	for _, l := range cu.lives {
		if !l.from.Before(month.To) || !l.to.IsZero() && l.to.Before(month.From) {
			continue
		}
		for _, s := range l.stretches(w, month.To) {
			if s.to.Before(month.From) {
				continue
			}
			if _, known := prices[s.sku]; !known {
				prices[s.sku] = w.pricesOf(s.sku)
			}
			priced := s.priced(prices[s.sku])
			if len(priced) == 0 || priced[0].From.After(later(s.from, month.From)) {
				without = append(without, unpriced{l.urn, s.sku})
			}
			for i := range priced {
				priced[i].Project = cu.projectOf(l, priced[i].To)
			}
			all = append(all, priced...)
		}
	}
	return all, without
}

// priced is the stretch at each price that it had.
func (s stretch) priced(prices []pricing) []biller.Usage {
	units, ok := new(big.Rat).SetString(s.units)
	if !ok {
		panic("dosim: " + s.units + " is no number of units")
	}
	var all []biller.Usage
	for i, p := range prices {
		from, to := later(s.from, p.since), s.to
		if i+1 < len(prices) {
			next := prices[i+1].since
			if !next.After(from) {
				continue
			}
			if next.Before(to) {
				to = next
			}
		}
		if from.After(to) || from.Equal(to) && from.After(s.from) {
			continue
		}
		u := biller.Usage{
			Labels: biller.Labels{
				Product: s.product, SKU: s.sku, Code: s.code, ResourceID: s.id, ResourceUUID: s.uuid,
				Group: s.group, Description: s.description, Region: s.region,
			},
			Of: s.life.urn, Price: p.price, Quantity: units, From: from, To: to, Pool: s.pool,
		}
		if to.Equal(s.to) {
			u.Unused = s.unused
		}
		all = append(all, u)
	}
	return all
}

// projectOf is the name of the project that a thing was in before t.
func (cu *customer) projectOf(l *lifetime, t time.Time) string {
	if in := cu.all[urn(kindProject, l.stateBefore(t).self().Project)]; in != nil {
		if p, ok := in.stateBefore(t).(*project); ok {
			return p.Name
		}
	}
	return ""
}

// transfer is what the customer's droplets sent within the month, and might have
// for nothing: their allowances grow by the full hour, up to 672.
func (cu *customer) transfer(w *world, month period.Period, all []biller.Usage, outbound int) (biller.Transfer, bool) {
	x := biller.Transfer{Allowance: new(big.Rat), Sent: new(big.Rat)}
	for _, e := range w.transfers.existing(cu.account, wholeAccount, endOfTime) {
		if t, _ := e.(*transfer); month.Contains(t.CreatedAt) {
			x.Sent.Add(x.Sent, big.NewRat(t.GiB, 1))
		}
	}
	if outbound == 0 && x.Sent.Sign() == 0 {
		return x, false
	}
	for _, p := range w.pricesOf(skuTransfer) {
		if p.since.Before(month.To) {
			x.Price = p.price
		}
	}
	for _, u := range all {
		both, ok := period.Period{From: u.From, To: u.To}.Overlap(month)
		if !ok || u.Product != productDroplets {
			continue
		}
		size, _ := w.catalog.size(u.SKU)
		gib := new(big.Rat).Mul(exactly(size.Transfer), big.NewRat(1000, 1))
		hours := int64(both.Duration() / time.Hour)
		x.Allowance.Add(x.Allowance, gib.Mul(gib, big.NewRat(min(hours, cappedHours), cappedHours)))
		x.Sent.Add(x.Sent, big.NewRat(int64(outbound)*int64(both.Duration()/time.Second), biller.MonthSeconds))
	}
	return x, true
}
