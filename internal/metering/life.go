package metering

import (
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// An Evidence says what shows when something happened, and how exactly it is known.
type Evidence struct {
	// Earliest is how early it may have happened; zero: nobody knows. Where it is the
	// time itself the time is known to the instant.
	Earliest time.Time
	// By is "document" (DigitalOcean says so), "saga" or "action" (which ended then),
	// "lists" (between two lists, of which one had it and one had not), "first_sight" (it
	// was so when the inventory first looked) or "attribution" (whose it is was decided).
	By string
}

// A Life is a time for which a resource had one size, price, status and tenant. The
// lives of a resource follow each other without gaps from its beginning to its end.
type Life struct {
	Lifetime
	Account string
	Status  string    // "active", "off" …, as DigitalOcean says it
	Tenant  tenant.ID // whose it was; empty: nobody's
	Began   Evidence
	Ended   Evidence // of a life that has ended
	Seq     int64    // the change of the inventory's feed that it began with
}

// A stage is a time for which the inventory saw a resource the same. Whose it was does
// not cut it.
type stage struct {
	seq           int64
	from, to      time.Time // to is zero while it lasts
	began, ended  Evidence
	account, kind string
	size, status  string
	monthly       *int64 // micro-dollars
}

// seen makes a stage of what the inventory saw.
func seen(c inventory.Change, r inventory.Resource) stage {
	return stage{seq: c.Seq, account: c.Account, kind: c.Kind, size: r.Size, status: r.Status, monthly: r.Monthly}
}

// isLike reports whether two stages cost the same, and why.
func (s stage) isLike(o stage) bool {
	same := s.monthly == nil && o.monthly == nil || s.monthly != nil && o.monthly != nil && *s.monthly == *o.monthly
	return same && s.account == o.account && s.size == o.size && s.status == o.status
}

// evidence is what shows when a change came about.
func evidence(c inventory.Change) Evidence {
	e := Evidence{Earliest: c.After, By: "lists"}
	switch {
	case c.Cause.Type == inventory.FirstSight:
		e.By = string(inventory.FirstSight)
	case !c.Exact():
	case c.Cause.Type == inventory.BySaga, c.Cause.Type == inventory.ByAction:
		e.By = string(c.Cause.Type)
	}
	return e
}

// after returns a resource's stages as they are after a change, of which r is the
// version that it made. A resource that was not followed from its beginning begins
// when it was born.
func after(stages []stage, c inventory.Change, r inventory.Resource) []stage {
	if c.Type == inventory.Assigned && len(stages) > 0 {
		return stages
	}
	if len(stages) == 0 {
		if r.URN == "" {
			return nil // all that was known of it is forgotten
		}
		s := seen(c, r)
		s.from, s.began = r.Born.To, Evidence{r.Born.From, r.Born.By}
		stages = []stage{s}
	}
	last := &stages[len(stages)-1]
	switch c.Type {
	case inventory.Deleted:
		last.to, last.ended = period.Later(c.At, last.from), evidence(c)
		return stages
	case inventory.Reappeared:
		last.to, last.ended = time.Time{}, Evidence{} // it was there all along
	}
	now := seen(c, r)
	if r.URN == "" || c.Type == inventory.Assigned || last.isLike(now) {
		return stages
	}
	now.from, now.began = period.Later(c.At, last.from), evidence(c)
	if now.from.Equal(last.from) { // it was never otherwise
		now.seq, now.began = last.seq, last.began
		*last = now
		return stages
	}
	last.to, last.ended = now.from, now.began
	return append(stages, now)
}

// endOfTime is after everything that happens.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// lives cuts a resource's stages where it became another tenant's. tenures, in any
// order, say whose it was when; when none says so it was nobody's.
func lives(urn string, stages []stage, tenures []inventory.Tenure) (all []Life) {
	tenures = slices.SortedFunc(slices.Values(tenures), func(a, b inventory.Tenure) int { return a.Since.Compare(b.Since) })
	for _, s := range stages {
		at, end := s.from, orEnd(s.to)
		for _, t := range tenures {
			from, until := period.Later(t.Since, at), period.Earlier(orEnd(t.Until), end)
			if t.Tenant == "" || !until.After(from) {
				continue
			}
			if from.After(at) {
				all = add(all, s.life(urn, at, from, ""))
			}
			all = add(all, s.life(urn, from, until, t.Tenant))
			at = until
		}
		if end.After(at) {
			all = add(all, s.life(urn, at, end, ""))
		}
	}
	return all
}

func orEnd(t time.Time) time.Time {
	if t.IsZero() {
		return endOfTime
	}
	return t
}

// life is the part [from, to) of a stage.
func (s stage) life(urn string, from, to time.Time, of tenant.ID) Life {
	l := Life{
		Lifetime: Lifetime{URN: urn, Kind: s.kind, Size: s.size, From: from, To: to, Unpriced: s.monthly == nil},
		Account:  s.account, Status: s.status, Tenant: of, Seq: s.seq,
		Began: Evidence{from, "attribution"}, Ended: Evidence{to, "attribution"},
	}
	if s.monthly != nil {
		l.PriceMonthly = exact.Whole(*s.monthly).Shift(-6)
	}
	if from.Equal(s.from) {
		l.Began = s.began
	}
	if to.Equal(orEnd(s.to)) {
		l.To, l.Ended = s.to, s.ended
	}
	return l
}

// add appends a life, or lengthens the last one where only the evidence of whose it
// is became another.
func add(all []Life, l Life) []Life {
	if n := len(all) - 1; n >= 0 && all[n].Seq == l.Seq && all[n].Tenant == l.Tenant && all[n].To.Equal(l.From) {
		all[n].To, all[n].Ended = l.To, l.Ended
		return all
	}
	return append(all, l)
}

// stages are the stages that lives, in their order, were cut of.
func stages(lives []Life) (all []stage) {
	for _, l := range lives {
		if n := len(all) - 1; n >= 0 && all[n].seq == l.Seq {
			all[n].to, all[n].ended = l.To, l.Ended
			continue
		}
		s := stage{
			seq: l.Seq, from: l.From, to: l.To, began: l.Began, ended: l.Ended, account: l.Account, kind: l.Kind, size: l.Size, status: l.Status,
		}
		if !l.Unpriced {
			micros := l.PriceMonthly.Units(6).Int64()
			s.monthly = &micros
		}
		all = append(all, s)
	}
	return all
}
