package billing

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// nextNumber takes the next number of a series, whose row it locks, and the hash that
// the document is chained to. A rollback gives the number back.
func nextNumber(ctx context.Context, tx *sql.Tx, series string) (number int64, hash string, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO billing_series (series, last, last_hash) VALUES ($1, 1, '')
		ON CONFLICT (series) DO UPDATE SET last = billing_series.last + 1 RETURNING last, last_hash`, series).Scan(&number, &hash)
	return number, hash, err
}

func sealNumber(ctx context.Context, tx *sql.Tx, series, hash string) error {
	_, err := tx.ExecContext(ctx, `UPDATE billing_series SET last_hash = $2 WHERE series = $1`, series, hash)
	return err
}

func insertIssued(ctx context.Context, tx *sql.Tx, i *Issued) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_invoices (id, tenant_id, subscription_id, purpose, period_from, period_to, revision, series, number, issue_at, issued_at,
			issued_by, due_at, currency, total, due, document, parties, previous_hash, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		i.ID, string(i.Tenant), string(i.Subscription), string(i.Purpose), db.Micros(i.From), db.Micros(i.To), i.revision, i.Series, i.Number, db.Micros(i.IssueAt),
		db.Micros(i.IssuedAt), i.IssuedBy, db.Micros(i.DueAt), string(i.Currency), i.Total, i.Due, string(i.Document), string(i.Parties), i.PreviousHash, i.Hash)
	return err
}

func insertState(ctx context.Context, tx *sql.Tx, invoice string, seq int64, state InvoiceState, at time.Time, actor, reason string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_states (invoice_id, seq, state, at, actor, reason) VALUES ($1, $2, $3, $4, $5, $6)`,
		invoice, seq, string(state), db.Micros(at), actor, reason)
	return err
}

// markBilled notes up to when a subscription was billed; the mark never goes back.
func markBilled(ctx context.Context, tx *sql.Tx, sub SubscriptionID, to time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_marks (subscription_id, billed_to) VALUES ($1, $2)
		ON CONFLICT (subscription_id) DO UPDATE SET billed_to = excluded.billed_to WHERE billing_marks.billed_to < excluded.billed_to`, string(sub), db.Micros(to))
	return err
}

// listIssued lists documents, the last first: one more than a page, or all where Limit
// is negative.
func listIssued(ctx context.Context, q db.Queryer, f IssuedFilter) (list []Issued, err error) {
	where, args := []string{"1 = 1"}, []any{}
	and := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if f.tenant != "" {
		and("i.tenant_id = $%d", string(f.tenant))
	}
	if f.subscription != "" {
		and("i.subscription_id = $%d", string(f.subscription))
	}
	if f.id != "" {
		and("i.id = $%d", f.id)
	}
	if f.series != "" {
		and("i.series = $%d", f.series)
		and("i.number = $%d", f.number)
	}
	if f.Cursor != "" {
		and("i.id < $%d", f.Cursor)
	}
	query := `SELECT i.id, i.tenant_id, i.subscription_id, i.purpose, i.period_from, i.period_to, i.revision, i.series, i.number, i.issue_at, i.issued_at, i.issued_by,
			i.due_at, i.currency, i.total, i.due, i.document, i.parties, i.previous_hash, i.hash,
			(SELECT s.state FROM billing_states s WHERE s.invoice_id = i.id ORDER BY s.seq DESC LIMIT 1)
		FROM billing_invoices i WHERE ` + strings.Join(where, " AND ") + ` ORDER BY i.id DESC`
	if f.Limit >= 0 {
		query += fmt.Sprintf(" LIMIT %d", f.Limit+1)
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list = []Issued{}
	for rows.Next() {
		var i Issued
		var from, to, issue, issued, due int64
		var document, parties string
		if err := rows.Scan(&i.ID, (*string)(&i.Tenant), (*string)(&i.Subscription), (*string)(&i.Purpose), &from, &to, &i.revision, &i.Series, &i.Number, &issue, &issued,
			&i.IssuedBy, &due, (*string)(&i.Currency), &i.Total, &i.Due, &document, &parties, &i.PreviousHash, &i.Hash, (*string)(&i.State)); err != nil {
			return nil, err
		}
		i.From, i.To, i.IssueAt, i.IssuedAt, i.DueAt = db.Time(from), db.Time(to), db.Time(issue), db.Time(issued), db.Time(due)
		i.Document, i.Parties = []byte(document), []byte(parties)
		list = append(list, i)
	}
	return list, rows.Err()
}
