package billing

import (
	"context"
	"database/sql"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A Receivable is what customers owe in a currency, in minor units.
type Receivable struct {
	Currency        money.Currency
	Open            int64 // of what is due: what is not settled
	OpenInvoices    int64
	Overdue         int64 // of it, what was to be paid by now
	OverdueInvoices int64
	Documents       int64 // ever issued
	Issued          int64 // totals of documents since an instant, credit notes taken off
	IssuedDocuments int64
	LastIssuedAt    time.Time
}

// Receivables sums up what is owed at an instant, and what was issued since another,
// by currency.
func (s *Service) Receivables(ctx context.Context, at, since time.Time) ([]Receivable, error) {
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (r Receivable, err error) {
		var last int64
		err = rows.Scan((*string)(&r.Currency), &r.Open, &r.OpenInvoices, &r.Overdue, &r.OverdueInvoices, &r.Documents, &r.Issued, &r.IssuedDocuments, &last)
		r.LastIssuedAt = db.Time(last)
		return r, err
	}, `WITH settled AS (SELECT invoice_id, CAST(SUM(amount) AS BIGINT) AS amount FROM billing_settlements GROUP BY invoice_id),
		closed AS (SELECT invoice_id FROM billing_states WHERE state IN ('void','uncollectible')),
		docs AS (SELECT i.currency, i.due_at, i.issued_at, CASE WHEN i.purpose = 'credit_note' THEN -i.total ELSE i.total END AS total,
			CASE WHEN i.purpose = 'credit_note' OR EXISTS (SELECT 1 FROM closed c WHERE c.invoice_id = i.id) THEN 0 ELSE i.due - COALESCE(p.amount, 0) END AS open
			FROM billing_invoices i LEFT JOIN settled p ON p.invoice_id = i.id)
		SELECT currency, CAST(SUM(open) AS BIGINT), COUNT(*) FILTER (WHERE open > 0),
			CAST(COALESCE(SUM(open) FILTER (WHERE due_at < $1), 0) AS BIGINT), COUNT(*) FILTER (WHERE open > 0 AND due_at < $1),
			COUNT(*), CAST(COALESCE(SUM(total) FILTER (WHERE issued_at >= $2), 0) AS BIGINT), COUNT(*) FILTER (WHERE issued_at >= $2), MAX(issued_at)
		FROM docs GROUP BY currency ORDER BY currency`, db.Micros(at), db.Micros(since))
}
