package billing

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A Receivable is what customers owe in a currency, in minor units.
type Receivable struct {
	Currency        money.Currency
	Open            int64 // of what is due: what is not settled, whatever the invoice's state was before a payment was reversed
	OpenInvoices    int64
	Overdue         int64 // of it, what was to be paid by now
	OverdueInvoices int64
	Carried         int64 // of what tenants brought with them, for which there is no invoice
	Documents       int64 // ever issued
	Issued          int64 // totals of documents since an instant, credit notes taken off
	IssuedDocuments int64
	LastIssuedAt    time.Time
}

// Receivables sums up what is owed at an instant, and what was issued since another,
// by currency.
func (s *Service) Receivables(ctx context.Context, at, since time.Time) ([]Receivable, error) {
	all, err := db.All(ctx, s.db.Read(), func(rows *sql.Rows) (r Receivable, err error) {
		var last int64
		err = rows.Scan((*string)(&r.Currency), &r.Open, &r.OpenInvoices, &r.Overdue, &r.OverdueInvoices, &r.Documents, &r.Issued, &r.IssuedDocuments, &last)
		r.LastIssuedAt = db.Time(last)
		return r, err
	}, `WITH settled AS (SELECT invoice_id, CAST(SUM(amount) AS BIGINT) AS amount FROM billing_settlements GROUP BY invoice_id),
		docs AS (SELECT i.currency, i.due_at, i.issued_at, CASE WHEN i.purpose = 'credit_note' THEN -i.total ELSE i.total END AS total,
			i.due - COALESCE(p.amount, 0) AS open
			FROM billing_invoices i LEFT JOIN settled p ON p.invoice_id = i.id)
		SELECT currency, CAST(SUM(open) AS BIGINT), COUNT(*) FILTER (WHERE open > 0),
			CAST(COALESCE(SUM(open) FILTER (WHERE due_at < $1), 0) AS BIGINT), COUNT(*) FILTER (WHERE open > 0 AND due_at < $1),
			COUNT(*), CAST(COALESCE(SUM(total) FILTER (WHERE issued_at >= $2), 0) AS BIGINT), COUNT(*) FILTER (WHERE issued_at >= $2), MAX(issued_at)
		FROM docs GROUP BY currency`, db.Micros(at), db.Micros(since))
	if err != nil {
		return nil, err
	}
	brought, err := journal.Totals(ctx, s.db.Read(), journal.Carried)
	if err != nil {
		return nil, err
	}
	for _, sum := range brought {
		n := slices.IndexFunc(all, func(r Receivable) bool { return r.Currency == sum.Currency })
		if n < 0 {
			n = len(all)
			all = append(all, Receivable{Currency: sum.Currency})
		}
		all[n].Carried = sum.Minor
	}
	slices.SortFunc(all, func(x, y Receivable) int { return cmp.Compare(x.Currency, y.Currency) })
	return all, nil
}
