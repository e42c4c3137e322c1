package billing

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Refund is credit of a tenant's account that was paid back.
type Refund struct {
	ID         string
	Key        string // of the bank's line; the id where none is known
	Tenant     tenant.ID
	Slug       string
	Zone       string // of the customer's dates
	Amount     money.Amount
	RefundedAt time.Time
	Reason     string
	RecordedAt time.Time
	RecordedBy string
	Entry      string // in the journal
}

// A RefundOrder asks that credit be booked as paid back.
type RefundOrder struct {
	Rehearsal
	Tenant string // slug or id
	Amount money.Amount
	At     string // date, or instant, on which the bank sent it; empty: today
	Reason string
	Key    string // the bank's reference: booked once; empty: none is known
	By     string
}

// A Refunded order is one that was booked, or would be.
type Refunded struct {
	Refund
	Left        int64 // credit of the account, after it
	Fingerprint string
	Done        bool
	Again       bool // it was booked before
}

// RefundCredit books that credit of a tenant's account was paid back. No more is than
// there is; credit of subscriptions, which their next bills count in, is not paid back.
// A refund of the same key is booked once; it answers fault.Conflict where that was
// another, where there is less credit, and where other would be done than expected.
func (s *Service) RefundCredit(ctx context.Context, o RefundOrder, now time.Time) (r Refunded, err error) {
	c, err := money.ParseCurrency(string(o.Amount.Currency))
	if err != nil {
		return r, err
	}
	if o.Amount.Currency = c; o.Amount.Minor <= 0 || o.Amount.Minor > maxMinor {
		return r, fault.New(fault.Invalid, "A refund is more than nothing and at most %s: say what was paid back.", money.New(maxMinor, c))
	}
	if err := checkTexts(named{"reason", &o.Reason, 200}, named{"bank's reference", &o.Key, 200}); err != nil {
		return r, err
	}
	if o.Reason == "" {
		return r, fault.New(fault.Invalid, "Say why credit is paid back: the reason is kept.")
	}
	t, err := s.tenants.Tenant(ctx, o.Tenant)
	if err != nil {
		return r, err
	}
	r.Fingerprint, r.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		r = Refunded{Refund: Refund{ID: id.New("refund"), Key: o.Key, Tenant: t.ID, Slug: t.Slug, Amount: o.Amount, Reason: o.Reason, RecordedAt: micros(now), RecordedBy: o.By}}
		err := s.refund(ctx, tx, &r, o, now)
		return digest(fmt.Sprintf("refund of %s to %s on %d, %d left", r.Amount, r.Tenant, r.RefundedAt.UnixMicro(), r.Left)), err
	})
	if db.IsUnique(err) { // another booked this key meanwhile
		return s.RefundCredit(ctx, o, now)
	}
	return r, err
}

func (s *Service) refund(ctx context.Context, tx *sql.Tx, r *Refunded, o RefundOrder, now time.Time) error {
	c := o.Amount.Currency
	customer, err := findCustomer(ctx, tx, r.Tenant)
	if err != nil {
		return err
	}
	r.Zone = customer.Zone
	if r.RefundedAt, err = paidAt(o.At, customer.Zone, now); err != nil {
		return err
	}
	if r.Left, err = accountCredit(ctx, tx, r.Tenant, c); err != nil {
		return err
	}
	if o.Key == "" {
		r.Key = r.ID
	} else if before, err := listRefunds(ctx, tx, "key = $1", o.Key); err != nil {
		return err
	} else if len(before) > 0 {
		if b := before[0]; b.Tenant != r.Tenant || b.Amount != r.Amount || o.At != "" && !b.RefundedAt.Equal(r.RefundedAt) {
			return fault.New(fault.Conflict, "The bank's reference %q is that of another refund, %s of %s.", cut(o.Key), b.ID, b.Amount)
		}
		slug := r.Slug
		r.Refund, r.Again = before[0], true
		r.Slug = slug
		return nil
	}
	if r.Left < o.Amount.Minor {
		return fault.New(fault.Conflict, "Tenant %s has %s to its credit: no more can be paid back.", r.Slug, money.New(r.Left, c))
	}
	r.Left -= o.Amount.Minor
	r.Entry, err = journal.PostTx(ctx, tx, journal.Entry{
		Key: "refund/" + r.ID, At: r.RefundedAt, EnteredAt: r.RecordedAt, Actor: o.By, Description: "refund: " + o.Reason,
		Postings: []journal.Posting{posting(r.Tenant, c, journal.AccountCredit, o.Amount.Minor), posting(r.Tenant, c, journal.CashClearing, -o.Amount.Minor)},
	})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO billing_refunds (id, key, tenant_id, currency, amount, refunded_at, reason, recorded_at, recorded_by, entry_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.ID, r.Key, string(r.Tenant), string(c), o.Amount.Minor, db.Micros(r.RefundedAt), r.Reason, db.Micros(r.RecordedAt), r.RecordedBy, r.Entry)
	return err
}

// Refunds are those of a tenant, slug or id, or of all where it is empty, the last first.
func (s *Service) Refunds(ctx context.Context, ref string) ([]Refund, error) {
	where, args := "1 = 1", []any{}
	if ref != "" {
		t, err := s.tenants.Tenant(ctx, ref)
		if err != nil {
			return nil, err
		}
		where, args = "tenant_id = $1", []any{string(t.ID)}
	}
	list, err := listRefunds(ctx, s.db.Read(), where, args...)
	if err != nil {
		return nil, err
	}
	slugs, err := s.tenants.Slugs(ctx)
	for i := range list {
		list[i].Slug = slugs[list[i].Tenant]
	}
	return list, err
}

func listRefunds(ctx context.Context, q db.Queryer, where string, args ...any) ([]Refund, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (r Refund, err error) {
		var at, recorded int64
		err = rows.Scan(&r.ID, &r.Key, (*string)(&r.Tenant), (*string)(&r.Amount.Currency), &r.Amount.Minor, &at, &r.Reason, &recorded, &r.RecordedBy, &r.Entry, &r.Zone)
		r.RefundedAt, r.RecordedAt = db.Time(at), db.Time(recorded)
		return r, err
	}, `SELECT id, key, tenant_id, currency, amount, refunded_at, reason, recorded_at, recorded_by, entry_id,
		COALESCE((SELECT c.zone FROM billing_customers c WHERE c.tenant_id = billing_refunds.tenant_id), 'UTC')
		FROM billing_refunds WHERE `+where+` ORDER BY id DESC`, args...)
}
