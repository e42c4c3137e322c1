package billing

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// record adds a change to an agreement, and unless dry writes it. It becomes known no
// earlier than what was billed: documents that were issued stay as they are.
func (s *Service) record(ctx context.Context, q db.Queryer, a *Agreement, change Change, create, dry bool) error {
	offered, err := offerIn(ctx, q, a.Currency)
	if err != nil {
		return err
	}
	return offered.record(ctx, q, a, change, create, dry)
}

// An offer is a catalog with its entries.
type offer struct {
	catalog *Catalog
	entries []Entry
}

func offerIn(ctx context.Context, q db.Queryer, c money.Currency) (*offer, error) {
	entries, err := listEntries(ctx, q, c)
	if err != nil {
		return nil, err
	}
	catalog, err := catalogOf(ctx, q, c, entries)
	return &offer{catalog, entries}, err
}

func (o *offer) record(ctx context.Context, q db.Queryer, a *Agreement, change Change, create, dry bool) error {
	uses, err := o.check(a, change, create)
	if err != nil {
		return err
	}
	change.RecordedAt = change.EnteredAt
	if !create {
		billed, err := billedTo(ctx, q, a.ID)
		if err != nil {
			return err
		}
		last := a.Changes[len(a.Changes)-1].RecordedAt
		for _, t := range []time.Time{last, billed[a.ID]} {
			if !change.RecordedAt.After(t) {
				change.RecordedAt = t.Add(time.Microsecond)
			}
		}
	}
	change.Seq = int64(len(a.Changes) + 1)
	a.Changes = append(slices.Clip(a.Changes), change)
	if dry {
		return nil
	}
	tx := q.(*sql.Tx)
	if create {
		if err := insertAgreement(ctx, tx, a); err != nil {
			return err
		}
		for _, m := range a.Amendments {
			if err := insertAmendment(ctx, tx, a.ID, m); err != nil {
				return err
			}
		}
	}
	if err := insertChange(ctx, tx, a.ID, change); err != nil {
		return err
	}
	return useEntries(ctx, tx, a.Currency, uses, change.EnteredAt.UnixMicro())
}

// offers reports whether somebody can have an entry anew: it is in the catalog, and was
// not withdrawn.
func (o *offer) offers(key EntryKey) bool {
	return slices.ContainsFunc(o.entries, func(e Entry) bool { return e.EntryKey == key && e.Offered })
}

// check refuses a plan that is not offered, but to whom has it, coupons that are not
// offered to whom subscribes, and taxes that are not in the catalog. It returns what the
// change uses.
func (o *offer) check(a *Agreement, change Change, create bool) (uses []EntryKey, err error) {
	c := o.catalog
	if change.Plan != "" {
		p, ok := c.Plan(change.Plan)
		if !ok {
			return nil, inColumn("plan", fault.New(fault.Invalid, "There is no plan %q. The catalog in %s has %s.", cut(change.Plan), a.Currency, names(c.Plans, (*Plan).Ref)))
		}
		key := EntryKey{PlanEntry, p.ID, p.Version}
		has := slices.ContainsFunc(a.Changes, func(c Change) bool { return c.Plan == change.Plan })
		if !has && !o.offers(key) {
			return nil, inColumn("plan", fault.New(fault.Conflict, "The plan %s was withdrawn: who has it keeps it, nobody gets it anew.", change.Plan))
		}
		as := slices.ContainsFunc(a.Changes, func(c Change) bool {
			return c.Item == change.Item && c.Plan == change.Plan && c.Quantity.Equal(change.Quantity)
		})
		if !p.countsQuantity() && !change.Quantity.Equal(exact.Whole(1)) && !as {
			return nil, inColumn("quantity", fault.New(fault.Invalid, "No charge of the plan %s counts a quantity: %s of it would cost what one does. Say the quantity 1, or take a plan whose fee has the model unit.",
				change.Plan, change.Quantity))
		}
		uses = append(uses, key)
		for _, ch := range p.Charges {
			if ch.Meter != nil {
				uses = append(uses, EntryKey{MeterEntry, ch.Meter.ID, ""})
			}
			for _, tax := range ch.Taxes {
				uses = append(uses, EntryKey{Kind: TaxEntry, ID: tax})
			}
		}
	}
	for _, tax := range a.Taxes {
		if !c.hasTax(tax) {
			return nil, inColumn("taxes", fault.New(fault.Invalid, "There is no tax %q. The catalog has %s.", cut(tax), names(c.Taxes, func(t TaxRate) string { return t.ID })))
		}
		uses = append(uses, EntryKey{Kind: TaxEntry, ID: tax})
	}
	for _, m := range a.Amendments { // of taxes to come, where it is new
		if m.Type == TaxesAmendment {
			for _, tax := range m.IDs {
				uses = append(uses, EntryKey{Kind: TaxEntry, ID: tax})
			}
		}
	}
	for i, coupon := range a.Coupons {
		if c.coupon(coupon) == nil || slices.Contains(a.Coupons[:i], coupon) {
			return nil, inColumn("coupons", fault.New(fault.Invalid, "There is no coupon %q, or it is named twice. The catalog has %s.", cut(coupon),
				names(c.Coupons, func(k Coupon) string { return k.ID })))
		}
		key := EntryKey{CouponEntry, coupon, ""}
		if create && !o.offers(key) {
			return nil, inColumn("coupons", withdrawnCoupon(coupon))
		}
		uses = append(uses, key)
	}
	return uses, nil
}

func withdrawnCoupon(id string) error {
	return fault.New(fault.Conflict, "The coupon %s was withdrawn: who has it keeps it, nobody gets it anew.", cut(id))
}
