package inventory

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A life is what a resource cost when, within a month.
type life struct {
	of    *entry
	look  *shelvedLook // the last one
	times []priceTime
	alive bool // at the end
}

// A costing counts what entries of a shelf cost in the month of a time, as far as
// that time: what was known then, since it was born.
type costing struct {
	service *Service
	shelf   *shelf
	account string // only what is in it; empty: in all
	unseen  bool   // also what was there by then and was seen later for the first time
	month   stretch
	at      int64
	see     func(*life, Cost)
	several []life // had more than one price: they are counted at the end
	times   []priceTime
}

func (s *Service) newCosting(sh *shelf, at time.Time, see func(*life, Cost)) *costing {
	if at.IsZero() {
		at = s.Now("")
	}
	return &costing{service: s, shelf: sh, month: stretchOf(MonthOf(at)), at: db.Micros(at), see: see}
}

// add counts an entry.
func (c *costing) add(e *entry) {
	l := c.life(e)
	switch {
	case len(l.times) == 0:
	case l.severalPrices():
		l.times = slices.Clone(l.times)
		c.several = append(c.several, l)
	default:
		c.see(&l, l.cost(c.month, c.at))
	}
}

// finish counts what had more than one price.
func (c *costing) finish(ctx context.Context) error {
	if err := c.service.itemize(ctx, c.shelf, c.several); err != nil {
		return err
	}
	for i := range c.several {
		l := &c.several[i]
		c.see(l, l.cost(c.month, c.at))
	}
	c.several = nil
	return nil
}

// life is an entry's. Its times are overwritten by the next one's.
func (c *costing) life(e *entry) life {
	first := len(e.versions) - 1
	for first > 0 && e.versions[first].at > c.month.from {
		first--
	}
	l := life{of: e, times: c.times[:0]}
	for i, v := range e.versions[max(first, 0):] {
		born := v.at
		if v.number == 1 {
			born = min(born, e.born) // it was there before it was first seen
		}
		if born > c.at || v.at > c.at && !c.unseen {
			break
		}
		if l.alive = v.look != nil && (c.account == "" || c.shelf.words.text(v.look.account) == c.account); !l.alive {
			continue // it cost what it was
		}
		in := stretch{born, c.at}
		if next := max(first, 0) + i + 1; next < len(e.versions) {
			in.to = min(in.to, e.versions[next].at)
		}
		l.look = v.look
		t := priceTime{monthly: Micros(v.look.monthly), known: v.look.priced, in: in, version: v.number}
		if v.number == 1 && e.backed > max(in.from, c.month.from) {
			bare := t
			bare.bare, bare.in.to = true, min(e.backed, in.to)
			l.times = append(l.times, bare)
			if t.in.from = e.backed; t.in.from >= t.in.to {
				continue
			}
		}
		l.times = append(l.times, t)
	}
	c.times = l.times
	return l
}

// cost is what the resource costs.
func (l *life) cost(month stretch, at int64) (c Cost) {
	soFar, known := costWithin(l.times, stretch{month.from, at})
	c.MonthToDate, c.MonthEnd = soFar, soFar
	if n := len(l.times); l.alive && n > 0 {
		last := &l.times[n-1]
		c.Resources, c.Monthly = 1, last.monthly
		last.in.to = month.to
		c.MonthEnd, _ = costWithin(l.times, month)
		last.in.to = at
	}
	if !known {
		c.Unpriced = 1
	}
	return c
}

// severalPrices says that the resource did not cost the same all the time.
func (l *life) severalPrices() bool {
	return slices.ContainsFunc(l.times, func(t priceTime) bool { return t.bare || t.monthly != l.times[0].monthly })
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
			if charges, ok := sh.charges.Load(priceKey{l.of.urn, t.version}); ok {
				t.itemize(charges.([]chargeTime))
			} else if at[l.of.urn] = i; len(unread) == 0 || unread[len(unread)-1] != l.of.urn {
				unread = append(unread, l.of.urn)
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
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
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
		for j := range times {
			if times[j].version == version {
				times[j].itemize(charges)
			}
		}
		sh.charges.Store(priceKey{urn, version}, charges)
		return nil
	}, `SELECT urn, version, kind, at, doc FROM inv_versions WHERE NOT gone AND urn IN (`+places(len(urns), 1)+`)`, anys(urns)...)
}

// itemize says what the price is made of: all of its version's but the backups where
// they were not on yet.
func (t *priceTime) itemize(charges []chargeTime) {
	if t.charges = charges; !t.bare || charges == nil {
		return
	}
	t.charges, t.monthly = []chargeTime{}, 0
	for _, c := range charges {
		if !strings.HasPrefix(c.sku, backupSKU) {
			t.charges, t.monthly = append(t.charges, c), t.monthly+c.monthly
		}
	}
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
