package billing

import (
	"context"
	"database/sql"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// runsKept is for how long runs are remembered.
const runsKept = 400 * 24 * time.Hour

// listDrafts lists drafts that were not issued meanwhile, the next first.
func listDrafts(ctx context.Context, q db.Queryer, f draftFilter) ([]Issued, error) {
	where, args := `(CAST($1 AS TEXT) = '' OR d.tenant_id = $1)`, []any{string(f.tenant)}
	if f.subscriptions != nil {
		list, ids := inList(len(args), f.subscriptions)
		where, args = where+" AND d.subscription_id IN "+list, append(args, ids...)
	}
	return db.All(ctx, q, func(rows *sql.Rows) (i Issued, err error) {
		var from, to, issue, drafted int64
		var document string
		err = rows.Scan((*string)(&i.Subscription), (*string)(&i.Purpose), &from, &to, &i.revision, (*string)(&i.Tenant), &issue, (*string)(&i.Currency), &i.Total, &i.Due,
			&document, &drafted, &i.Zone)
		i.From, i.To, i.IssueAt, i.IssuedAt, i.Document, i.State = db.Time(from), db.Time(to), db.Time(issue), db.Time(drafted), []byte(document), InvoiceDraft
		return i, err
	}, `SELECT d.subscription_id, d.purpose, d.period_from, d.period_to, d.revision, d.tenant_id, d.issue_at, d.currency, d.total, d.due, d.document, d.drafted_at, (SELECT z.zone FROM billing_subscriptions z WHERE z.id = d.subscription_id)
		FROM billing_drafts d WHERE `+where+` AND NOT EXISTS (SELECT 1 FROM billing_invoices i WHERE i.subscription_id = d.subscription_id AND i.purpose = d.purpose
			AND i.period_from = d.period_from AND i.period_to = d.period_to AND i.revision = d.revision)
		ORDER BY d.issue_at, d.subscription_id, d.purpose, d.revision`, args...)
}

func insertDraft(ctx context.Context, tx *sql.Tx, i *Issued) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_drafts (subscription_id, purpose, period_from, period_to, revision, tenant_id, issue_at, currency, total, due, document,
			drafted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (subscription_id, purpose, period_from, period_to, revision) DO UPDATE SET issue_at = excluded.issue_at, total = excluded.total, due = excluded.due,
			document = excluded.document, drafted_at = excluded.drafted_at`,
		string(i.Subscription), string(i.Purpose), db.Micros(i.From), db.Micros(i.To), i.revision, string(i.Tenant), db.Micros(i.IssueAt), string(i.Currency), i.Total, i.Due,
		string(i.Document), db.Micros(i.IssuedAt))
	return err
}

func deleteDrafts(ctx context.Context, tx *sql.Tx, sub SubscriptionID) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM billing_drafts WHERE subscription_id = $1`, string(sub))
	return err
}

// saveProgress writes how far a run is.
func (s *Service) saveProgress(ctx context.Context, p Progress) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO billing_runs (id, begun_at, ended_at, up_to, actor, subscriptions, done, issued, drafted, failed, warnings)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, done = excluded.done, issued = excluded.issued, drafted = excluded.drafted,
				failed = excluded.failed, warnings = excluded.warnings`,
			p.ID, db.Micros(p.BegunAt), db.NullTime{Time: p.EndedAt}, db.Micros(p.UpTo), p.By, p.Subscriptions, p.Done, p.Issued, p.Drafted,
			db.JSON[[]RunFailure]{V: p.Failed}, db.JSON[[]Warning]{V: p.Warnings})
		return err
	})
}

// endProgress writes what a run came to, and forgets old runs: this one too where it
// came to nothing that anybody needs to know.
func (s *Service) endProgress(ctx context.Context, p Progress) error {
	if err := s.saveProgress(ctx, p); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM billing_runs WHERE begun_at < $1`, db.Micros(p.BegunAt.Add(-runsKept)))
		if err == nil && p.Issued+p.Drafted == 0 && len(p.Failed)+len(p.Warnings) == 0 {
			_, err = tx.ExecContext(ctx, `DELETE FROM billing_runs WHERE id = $1`, p.ID)
		}
		return err
	})
}

func listRuns(ctx context.Context, q db.Queryer, limit int) ([]Progress, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (p Progress, err error) {
		var (
			begun, upTo int64
			ended       db.NullTime
			failed      db.JSON[[]RunFailure]
			warned      db.JSON[[]Warning]
		)
		err = rows.Scan(&p.ID, &begun, &ended, &upTo, &p.By, &p.Subscriptions, &p.Done, &p.Issued, &p.Drafted, &failed, &warned)
		p.BegunAt, p.EndedAt, p.UpTo, p.Failed, p.Warnings = db.Time(begun), ended.Time, db.Time(upTo), failed.V, warned.V
		return p, err
	}, `SELECT id, begun_at, ended_at, up_to, actor, subscriptions, done, issued, drafted, failed, warnings FROM billing_runs ORDER BY id DESC LIMIT $1`, limit)
}
