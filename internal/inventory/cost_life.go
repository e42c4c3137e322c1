package inventory

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A life is what a resource cost when, within a month.
type life struct {
	ResourceCost // as yet without its costs
	times        []priceTime
	alive        bool // at the end
}

// A costing counts what things of a shelf cost in the month of a time, as far as
// that time: also what was there by then and was seen later for the first time.
type costing struct {
	service *Service
	shelf   *shelf
	account string // only what is in it; empty: in all
	month   period.Period
	at      time.Time
	costs   []ResourceCost
	several []life // had more than one price: as yet without their costs
	times   []priceTime
}

func (s *Service) newCosting(sh *shelf, at time.Time) *costing {
	if at.IsZero() {
		at = s.Now("")
	}
	return &costing{service: s, shelf: sh, month: MonthOf(at), at: at}
}

// add counts a thing.
func (c *costing) add(t *entry) {
	l := c.life(t)
	switch {
	case len(l.times) == 0:
	case l.severalPrices():
		l.times = slices.Clone(l.times)
		c.several = append(c.several, l)
	default:
		c.costs = append(c.costs, l.cost(c.month, c.at))
	}
}

// of are the costs of all that was added.
func (c *costing) of(ctx context.Context) ([]ResourceCost, error) {
	if err := c.service.itemize(ctx, c.shelf, c.several); err != nil {
		return nil, err
	}
	for _, l := range c.several {
		c.costs = append(c.costs, l.cost(c.month, c.at))
	}
	c.several = nil
	return c.costs, nil
}

// life is a thing's. Its times are overwritten by the next one's.
func (c *costing) life(t *entry) (l life) {
	from, at := db.Micros(c.month.From), db.Micros(c.at)
	l.times = c.times[:0]
	for i, v := range t.versions {
		first := v.number == 1 && t.born <= at
		if v.at > at && !first {
			continue
		}
		until := int64(0)
		if i+1 < len(t.versions) {
			if until = t.versions[i+1].at; until <= from {
				continue
			}
		}
		if l.alive = v.look != nil; !l.alive {
			continue // it cost what it was
		}
		if c.account != "" && c.shelf.words.text(v.look.account) != c.account {
			l.alive = false
			continue
		}
		in := period.Period{From: db.Time(v.at), To: c.at}
		if v.number == 1 && t.born < v.at {
			in.From = db.Time(t.born) // it was there before it was first seen
		}
		if until != 0 && until < at {
			in.To = db.Time(until)
		}
		l.times = append(l.times, priceTime{monthly: Micros(v.look.monthly), known: v.look.priced, in: in, version: v.number})
		words := &c.shelf.words
		l.ResourceCost = ResourceCost{
			URN: t.urn, Account: words.text(v.look.account), Kind: words.text(t.kind), Region: words.text(v.look.region),
			Project: words.text(v.look.project), Tenant: words.text(t.whose(at)),
		}
	}
	c.times = l.times
	return l
}

// cost is what the resource costs.
func (l life) cost(month period.Period, at time.Time) ResourceCost {
	r := l.ResourceCost
	soFar, known := costWithin(l.times, period.Period{From: month.From, To: at})
	r.MonthToDate, r.MonthEnd = soFar, soFar
	if n := len(l.times); l.alive && n > 0 {
		last := &l.times[n-1]
		r.Resources, r.Monthly = 1, last.monthly
		last.in.To = month.To
		r.MonthEnd, _ = costWithin(l.times, month)
		last.in.To = at
	}
	if !known {
		r.Unpriced = 1
	}
	return r
}

// severalPrices says that the resource did not cost the same all the time.
func (l life) severalPrices() bool {
	return slices.ContainsFunc(l.times, func(t priceTime) bool { return t.monthly != l.times[0].monthly })
}

// A priceKey names a version that was itemized.
type priceKey struct {
	urn     string
	version int64
}

// itemize finds out what the prices are made of, where a resource had several: who
// turns backups on in the middle of a month still pays the droplet's price once.
// What a version is made of never changes: it is read once.
func (s *Service) itemize(ctx context.Context, sh *shelf, lives []life) error {
	var unread []string
	at := map[string]int{}
	for i, l := range lives {
		for j := range l.times {
			t := &l.times[j]
			if charges, ok := sh.charges.Load(priceKey{l.URN, t.version}); ok {
				t.charges = charges.([]chargeTime)
			} else if at[l.URN] = i; len(unread) == 0 || unread[len(unread)-1] != l.URN {
				unread = append(unread, l.URN)
			}
		}
	}
	for part := range slices.Chunk(unread, chunk) {
		if err := s.itemizePart(ctx, sh, lives, at, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) itemizePart(ctx context.Context, sh *shelf, lives []life, at map[string]int, urns []string) error {
	return s.eachRow(ctx, func(rows *sql.Rows) error {
		var (
			urn, kind   string
			version, on int64
			doc         sql.NullString
		)
		if err := rows.Scan(&urn, &version, &kind, &on, &doc); err != nil {
			return err
		}
		times := lives[at[urn]].times
		i := slices.IndexFunc(times, func(t priceTime) bool { return t.version == version })
		if i < 0 {
			return nil
		}
		var charges []chargeTime
		if k := KindNamed(kind); k != nil && times[i].known && doc.Valid {
			d, err := ParseDoc([]byte(doc.String))
			if err != nil {
				return err
			}
			charges = chargesOf(Prices().priced(k, d, db.Time(on)))
		}
		times[i].charges = charges
		sh.charges.Store(priceKey{urn, version}, charges)
		return nil
	}, `SELECT urn, version, kind, at, doc FROM inv_versions WHERE NOT gone AND urn IN (`+places(len(urns), 1)+`)`, anys(urns)...)
}

// chargesOf tells charges apart; what costs nothing has none.
func chargesOf(priced []PricedCharge) []chargeTime {
	charges := []chargeTime{}
	for _, p := range priced {
		c := chargeTime{sku: p.SKU, monthly: Micros(p.Cost.Units(microDigits).Int64())}
		for slices.Contains(charges, c) {
			c.nth++
		}
		charges = append(charges, c)
	}
	return charges
}
