package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

func insertPayment(ctx context.Context, tx *sql.Tx, p *Payment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_payments (id, key, tenant_id, currency, amount, fee, paid_at, reference, payer, recorded_at, recorded_by, entry_id, carried)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		p.ID, p.Key, string(p.Tenant), string(p.Amount.Currency), p.Amount.Minor, p.Fee, db.Micros(p.PaidAt), p.Reference, p.Payer, db.Micros(p.RecordedAt), p.RecordedBy, p.Entry, p.Carried)
	return err
}

// listPayments lists payments, the last first: one more than a page, or all where Limit
// is negative.
func listPayments(ctx context.Context, q db.Queryer, f PaymentFilter) ([]Payment, error) {
	where, args := []string{"1 = 1"}, []any{}
	and := func(condition, value string) {
		if value != "" {
			args = append(args, value)
			where = append(where, fmt.Sprintf(condition, len(args)))
		}
	}
	and("p.tenant_id = $%d", string(f.tenant))
	and("p.id = $%d", f.id)
	and("p.key = $%d", f.key)
	and("p.id < $%d", f.Cursor)
	and("EXISTS (SELECT 1 FROM billing_settlements x WHERE x.source = p.id AND x.invoice_id = $%d)", f.invoice)
	query := `SELECT p.id, p.key, p.tenant_id, p.currency, p.amount, p.fee, p.paid_at, p.reference, p.payer, p.recorded_at, p.recorded_by, p.entry_id, p.carried,
			COALESCE((SELECT c.zone FROM billing_customers c WHERE c.tenant_id = p.tenant_id), 'UTC')
		FROM billing_payments p WHERE ` + strings.Join(where, " AND ") + ` ORDER BY p.id DESC`
	if f.Limit >= 0 {
		query += fmt.Sprintf(" LIMIT %d", f.Limit+1)
	}
	return db.All(ctx, q, func(rows *sql.Rows) (p Payment, err error) {
		var paid, recorded int64
		err = rows.Scan(&p.ID, &p.Key, (*string)(&p.Tenant), (*string)(&p.Amount.Currency), &p.Amount.Minor, &p.Fee, &paid, &p.Reference, &p.Payer, &recorded, &p.RecordedBy, &p.Entry, &p.Carried, &p.Zone)
		p.PaidAt, p.RecordedAt = db.Time(paid), db.Time(recorded)
		return p, err
	}, query, args...)
}

// listSettlements lists settlements x of invoices i in the order in which they were
// made.
func listSettlements(ctx context.Context, q db.Queryer, where string, args ...any) ([]Settlement, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (x Settlement, err error) {
		var at, number int64
		err = rows.Scan(&x.ID, &x.Invoice, &x.Number, &number, (*string)(&x.Kind), &x.Source, &x.Amount, &x.Entry, &at, &x.Actor)
		x.Number += fmt.Sprint(number)
		x.At = db.Time(at)
		return x, err
	}, `SELECT x.id, x.invoice_id, i.series, i.number, x.kind, x.source, x.amount, x.entry_id, x.at, x.actor
		FROM billing_settlements x JOIN billing_invoices i ON i.id = x.invoice_id WHERE `+where+` ORDER BY x.id`, args...)
}

func insertReversal(ctx context.Context, tx *sql.Tx, payment string, r *Reversal) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_reversals (payment_id, fee, reversed_at, reason, recorded_at, recorded_by, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		payment, r.Fee, db.Micros(r.At), r.Reason, db.Micros(r.RecordedAt), r.RecordedBy, r.Entry)
	return err
}

// findReversal is that of a payment; nil where it stands.
func findReversal(ctx context.Context, q db.Queryer, payment string) (*Reversal, error) {
	var r Reversal
	var at, recorded int64
	err := q.QueryRowContext(ctx, `SELECT fee, reversed_at, reason, recorded_at, recorded_by, entry_id FROM billing_reversals WHERE payment_id = $1`, payment).
		Scan(&r.Fee, &at, &r.Reason, &recorded, &r.RecordedBy, &r.Entry)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	r.At, r.RecordedAt = db.Time(at), db.Time(recorded)
	return &r, err
}
