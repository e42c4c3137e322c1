package billing

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// The types of amendments.
const (
	TaxesAmendment    ChangeType = "taxes"     // other taxes in place of those before
	CouponAmendment   ChangeType = "coupon"    // a coupon that joins
	NoCouponAmendment ChangeType = "no_coupon" // one that leaves
)

// An Amendment is what is different in a subscription, beside its plans, from an instant
// on. Taxes hold for service whose tax point is not before it, coupons for documents
// that are issued from then on.
type Amendment struct {
	Seq         int64
	Type        ChangeType
	IDs         []string // the taxes, or the coupon
	EffectiveAt time.Time
	RecordedAt  time.Time // when bills know of it: not before any that was issued
	EnteredAt   time.Time
	Actor       string
	Reason      string
}

// holds reports whether an amendment is in force at an instant by what is known at another.
func (m Amendment) holds(at, known time.Time) bool {
	return !m.EffectiveAt.After(at) && !m.RecordedAt.After(known)
}

// same reports whether bills are worked out of two amendments alike.
func (m Amendment) same(other Amendment) bool {
	return m.Type == other.Type && slices.Equal(m.IDs, other.IDs) && m.EffectiveAt.Equal(other.EffectiveAt) && m.RecordedAt.Equal(other.RecordedAt)
}

// taxesAt are the taxes at an instant by what is known at another: those of the latest
// amendment, else the first.
func taxesAt(first []string, all []Amendment, at, known time.Time) []string {
	taxes, since := first, time.Time{}
	for _, m := range all {
		if m.Type == TaxesAmendment && m.holds(at, known) && !m.EffectiveAt.Before(since) {
			taxes, since = m.IDs, m.EffectiveAt
		}
	}
	return taxes
}

// couponsAt are the coupons at an instant, in the order in which they joined.
func couponsAt(first []string, all []Amendment, at, known time.Time) []string {
	var held []Amendment
	for _, m := range all {
		if m.Type != TaxesAmendment && m.holds(at, known) {
			held = append(held, m)
		}
	}
	slices.SortStableFunc(held, func(x, y Amendment) int { return x.EffectiveAt.Compare(y.EffectiveAt) })
	coupons := slices.Clone(first)
	for _, m := range held {
		coupons = slices.DeleteFunc(coupons, func(id string) bool { return id == m.IDs[0] })
		if m.Type == CouponAmendment {
			coupons = append(coupons, m.IDs[0])
		}
	}
	return coupons
}

// TaxesAt are the taxes of an agreement at an instant, by what is known now.
func (a *Agreement) TaxesAt(at time.Time) []string {
	return taxesAt(a.Taxes, a.Amendments, at, forever)
}

// CouponsAt are the coupons of an agreement at an instant, by what is known now.
func (a *Agreement) CouponsAt(at time.Time) []string {
	return couponsAt(a.Coupons, a.Amendments, at, forever)
}

// everCoupons are all coupons that a subscription ever had: what is given back of a line
// takes the discount with it, whatever has left since.
func (s *Subscription) everCoupons() []string {
	all := slices.Clone(s.Coupons)
	for _, m := range s.Amendments {
		if m.Type == CouponAmendment && !slices.Contains(all, m.IDs[0]) {
			all = append(all, m.IDs[0])
		}
	}
	return all
}

// couponOrder is the amendment that an order for a coupon asks for.
func (s *Service) couponOrder(ctx context.Context, q db.Queryer, a *Agreement, o ChangeOrder, at time.Time) (m Amendment, err error) {
	switch {
	case o.Coupon == "":
		return m, fault.New(fault.Invalid, "Say which coupon: the catalog has those that arcadia catalog show lists.")
	case o.Item != "" || o.Plan != "" || o.Quantity != "" || o.Until != "":
		return m, fault.New(fault.Invalid, "A coupon is of the whole subscription: name no item, plan, quantity or end.")
	}
	if err := checkTexts(named{"reason", &o.Reason, 500}); err != nil {
		return m, err
	}
	m = Amendment{Type: o.Type, IDs: []string{o.Coupon}, EnteredAt: micros(at), Actor: o.By, Reason: o.Reason}
	if o.When == "period_end" {
		items := a.Items(at)
		if len(items) == 0 {
			return m, fault.New(fault.Conflict, "Nothing is in service, so no period ends.")
		}
		m.EffectiveAt, err = s.periodEnd(ctx, q, a, items[0].Item, at)
	} else {
		m.EffectiveAt, err = a.when(o.When, at)
	}
	if err != nil {
		return m, err
	}
	// It counts on documents that are issued from then on, and none is issued in the past.
	if m.EffectiveAt.Before(micros(at)) {
		return m, fault.New(fault.Invalid, "%s has passed: a coupon joins or leaves now, or at a time to come. What was issued stays as it is: arcadia invoice credit", cut(o.When))
	}
	has := slices.Contains(a.CouponsAt(m.EffectiveAt), o.Coupon)
	switch {
	case o.Type == CouponAmendment && has:
		return m, fault.New(fault.Conflict, "The subscription has the coupon %s already.", cut(o.Coupon))
	case o.Type == NoCouponAmendment && !has:
		return m, fault.New(fault.Conflict, "The subscription has no coupon %q then. It has %s.", cut(o.Coupon), orNone(a.CouponsAt(m.EffectiveAt)))
	}
	return m, nil
}

func orNone(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// amend adds an amendment to an agreement, and unless dry writes it. It becomes known no
// earlier than what was billed.
func (o *offer) amend(ctx context.Context, q db.Queryer, a *Agreement, m Amendment, dry bool) error {
	var uses []EntryKey
	switch m.Type {
	case TaxesAmendment:
		for _, id := range m.IDs {
			uses = append(uses, EntryKey{Kind: TaxEntry, ID: id}) // the customer's were checked
		}
	case CouponAmendment:
		key := EntryKey{CouponEntry, m.IDs[0], ""}
		switch {
		case o.catalog.coupon(m.IDs[0]) == nil:
			return fault.New(fault.Invalid, "There is no coupon %q. The catalog has %s.", cut(m.IDs[0]), names(o.catalog.Coupons, func(k Coupon) string { return k.ID }))
		case !o.offers(key):
			return withdrawnCoupon(m.IDs[0])
		}
		uses = append(uses, key)
	}
	billed, err := billedTo(ctx, q, a.ID)
	if err != nil {
		return err
	}
	m.RecordedAt = period.Later(m.EnteredAt, billed[a.ID].Add(time.Microsecond))
	if n := len(a.Amendments); n > 0 {
		m.RecordedAt = period.Later(m.RecordedAt, a.Amendments[n-1].RecordedAt.Add(time.Microsecond))
	}
	m.Seq = int64(len(a.Amendments) + 1)
	a.Amendments = append(slices.Clip(a.Amendments), m)
	if dry {
		return nil
	}
	tx := q.(*sql.Tx)
	if err := insertAmendment(ctx, tx, a.ID, m); err != nil {
		return err
	}
	return useEntries(ctx, tx, a.Currency, uses, m.EnteredAt.UnixMicro())
}

func insertAmendment(ctx context.Context, tx *sql.Tx, sub SubscriptionID, m Amendment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_amendments (subscription_id, seq, type, ids, effective_at, recorded_at, entered_at, actor, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(sub), m.Seq, string(m.Type), db.JSON[[]string]{V: m.IDs}, db.Micros(m.EffectiveAt), db.Micros(m.RecordedAt), db.Micros(m.EnteredAt), m.Actor, m.Reason)
	return err
}

// scanAmendment reads one, and the subscription that it is of.
func scanAmendment(rows *sql.Rows) (of SubscriptionID, m Amendment, err error) {
	var (
		ids                          db.JSON[[]string]
		effective, recorded, entered int64
	)
	err = rows.Scan((*string)(&of), &m.Seq, (*string)(&m.Type), &ids, &effective, &recorded, &entered, &m.Actor, &m.Reason)
	m.IDs, m.EffectiveAt, m.RecordedAt, m.EnteredAt = ids.V, db.Time(effective), db.Time(recorded), db.Time(entered)
	return of, m, err
}
