package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// takeNumbers takes the numbers of a series that a transaction needs, whose row it
// locks. A rollback gives them back.
func takeNumbers(ctx context.Context, tx *sql.Tx, name string, of *series) error {
	err := tx.QueryRowContext(ctx, `INSERT INTO billing_series (series, last, last_hash) VALUES ($1, $2, '')
		ON CONFLICT (series) DO UPDATE SET last = billing_series.last + excluded.last RETURNING last, last_hash`, name, of.taken).Scan(&of.number, &of.hash)
	if err != nil {
		return err
	}
	of.number -= of.taken
	var at int64
	err = tx.QueryRowContext(ctx, `SELECT issued_at FROM billing_invoices WHERE series = $1 AND number = $2`, name, of.number).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	of.lastIssued = db.Time(at)
	return err
}

// entered is what issuing documents enters, as rows.
type entered struct {
	invoices, states, series [][]any
	marks                    map[SubscriptionID]time.Time
	entries                  []journal.Entry
	issued                   []*Issued
}

// add adds a document, of which so much is tax.
func (e *entered) add(i *Issued, tax int64) {
	e.invoices = append(e.invoices, []any{
		i.ID, string(i.Tenant), string(i.Subscription), string(i.Purpose), db.Micros(i.From), db.Micros(i.To), i.revision, i.Series, i.Number, db.Micros(i.IssueAt),
		db.Micros(i.IssuedAt), i.IssuedBy, db.Micros(i.DueAt), string(i.Currency), i.Total, i.Due, string(i.Document), string(i.Parties), i.PreviousHash, i.Hash,
	})
	e.issued = append(e.issued, i)
	at := db.Micros(i.IssuedAt)
	e.states = append(e.states, []any{i.ID, int64(1), string(InvoiceIssued), at, i.IssuedBy, ""})
	if i.Due == 0 && i.Purpose != Credit {
		i.State = InvoicePaid
		e.states = append(e.states, []any{i.ID, int64(2), string(InvoicePaid), at, i.IssuedBy, "nothing is due"})
	}
	e.billedTo(i.Subscription, i.IssueAt)
	if postings := i.postings(tax); len(postings) > 0 {
		e.entries = append(e.entries, journal.Entry{
			Key: "invoice/" + i.ID, At: i.IssueAt, EnteredAt: i.IssuedAt, Actor: i.IssuedBy, Description: string(i.Purpose) + " " + i.Ref(), Postings: postings,
		})
	}
}

// billedTo notes up to when a subscription was billed, by the last of its documents or by
// one that came to nothing and was not issued.
func (e *entered) billedTo(sub SubscriptionID, at time.Time) {
	if e.marks == nil {
		e.marks = make(map[SubscriptionID]time.Time)
	}
	e.marks[sub] = period.Later(e.marks[sub], at)
}

func (e *entered) markRows() (rows [][]any) {
	for _, sub := range slices.Sorted(maps.Keys(e.marks)) { // locked in one order
		rows = append(rows, []any{string(sub), db.Micros(e.marks[sub])})
	}
	return rows
}

func (e *entered) insert(ctx context.Context, d *db.DB, tx *sql.Tx) error {
	err := d.Pipeline(ctx, tx, db.Statement{Bulk: insertInvoices, Rows: e.invoices}, db.Statement{Bulk: insertStates, Rows: e.states},
		db.Statement{Bulk: upsertMarks, Rows: e.markRows()}, db.Statement{Bulk: sealSeries, Rows: e.series})
	if err != nil {
		return err
	}
	return journal.PostAllTx(ctx, d, tx, e.entries)
}

var (
	insertInvoices = db.NewBulk(`INSERT INTO billing_invoices (id, tenant_id, subscription_id, purpose, period_from, period_to, revision, series, number, issue_at, issued_at,
			issued_by, due_at, currency, total, due, document, parties, previous_hash, hash)
		SELECT id, tenant_id, subscription_id, purpose, period_from, period_to, revision, series, number, issue_at, issued_at,
			issued_by, due_at, currency, total, due, document, parties, previous_hash, hash FROM given`,
		db.Column{Name: "id"}, db.Column{Name: "tenant_id"}, db.Column{Name: "subscription_id"}, db.Column{Name: "purpose"},
		db.Column{Name: "period_from", Type: db.Integer}, db.Column{Name: "period_to", Type: db.Integer}, db.Column{Name: "revision", Type: db.Integer},
		db.Column{Name: "series"}, db.Column{Name: "number", Type: db.Integer}, db.Column{Name: "issue_at", Type: db.Integer},
		db.Column{Name: "issued_at", Type: db.Integer}, db.Column{Name: "issued_by"}, db.Column{Name: "due_at", Type: db.Integer}, db.Column{Name: "currency"},
		db.Column{Name: "total", Type: db.Integer}, db.Column{Name: "due", Type: db.Integer}, db.Column{Name: "document", Type: db.Object},
		db.Column{Name: "parties", Type: db.Object}, db.Column{Name: "previous_hash"}, db.Column{Name: "hash"})

	insertStates = db.NewBulk(`INSERT INTO billing_states (invoice_id, seq, state, at, actor, reason) SELECT invoice_id, seq, state, at, actor, reason FROM given`,
		db.Column{Name: "invoice_id"}, db.Column{Name: "seq", Type: db.Integer}, db.Column{Name: "state"}, db.Column{Name: "at", Type: db.Integer},
		db.Column{Name: "actor"}, db.Column{Name: "reason"})

	// The mark of up to when a subscription was billed never goes back.
	upsertMarks = db.NewBulk(`INSERT INTO billing_marks (subscription_id, billed_to) SELECT subscription_id, billed_to FROM given WHERE 1 = 1
		ON CONFLICT (subscription_id) DO UPDATE SET billed_to = excluded.billed_to WHERE billing_marks.billed_to < excluded.billed_to`,
		db.Column{Name: "subscription_id"}, db.Column{Name: "billed_to", Type: db.Integer})

	sealSeries = db.NewBulk(`UPDATE billing_series SET last_hash = (SELECT g.hash FROM given g WHERE g.series = billing_series.series)
		WHERE series IN (SELECT series FROM given)`, db.Column{Name: "series"}, db.Column{Name: "hash"})

	selectStandings = db.NewBulk(`SELECT id, (SELECT m.billed_to FROM billing_marks m WHERE m.subscription_id = given.id),
		(SELECT COUNT(*) FROM billing_changes c WHERE c.subscription_id = given.id) +
		(SELECT COUNT(*) FROM billing_invoices i WHERE i.subscription_id = given.id AND i.revision < 0) +
		(SELECT COUNT(*) FROM billing_amendments m WHERE m.subscription_id = given.id) +
		(SELECT COUNT(*) FROM billing_releases r WHERE r.subscription_id = given.id) FROM given`, db.Column{Name: "id"})
)

// A standing is how it stands with a subscription in the issuing transaction.
type standing struct {
	billed  time.Time // up to then; zero: not yet
	changes int64     // and amendments, credit notes by hand and releases of credit
}

func (s *Service) standings(ctx context.Context, tx *sql.Tx, bills []*bill) (map[SubscriptionID]standing, error) {
	var ids [][]any
	for _, b := range bills {
		ids = append(ids, []any{string(b.agreement.ID)})
	}
	all := make(map[SubscriptionID]standing, len(bills))
	err := s.db.Pipeline(ctx, tx, db.Statement{Bulk: selectStandings, Rows: ids, Answer: func(scan func(...any) error) error {
		var (
			sub    string
			billed *int64
			p      standing
		)
		if err := scan(&sub, &billed, &p.changes); err != nil {
			return err
		}
		if billed != nil {
			p.billed = db.Time(*billed)
		}
		all[SubscriptionID(sub)] = p
		return nil
	}})
	return all, err
}

// settledSQL is what was settled of a document i.
const settledSQL = `CAST((SELECT COALESCE(SUM(x.amount), 0) FROM billing_settlements x WHERE x.invoice_id = i.id) AS BIGINT)`

// latestStateSQL is how it stands with a document i now.
const latestStateSQL = `(SELECT s.state FROM billing_states s WHERE s.invoice_id = i.id ORDER BY s.seq DESC LIMIT 1)`

// listIssued lists documents in their order: one more than a page, or all where Limit
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
	if len(f.subscriptions) > 0 {
		list, ids := inList(len(args), f.subscriptions)
		args = append(args, ids...)
		where = append(where, "i.subscription_id IN "+list)
	}
	if f.id != "" {
		and("i.id = $%d", f.id)
	}
	if f.series != "" {
		and("i.series = $%d", f.series)
		and("i.number = $%d", f.number)
	}
	if f.currency != "" {
		and("i.currency = $%d", string(f.currency))
	}
	if f.Open {
		where = append(where, "i.due > "+settledSQL)
	}
	if f.State != "" {
		and(latestStateSQL+" = $%d", string(f.State))
	}
	if f.Purpose != "" {
		and("i.purpose = $%d", string(f.Purpose))
	}
	for _, bound := range []struct {
		condition string
		at        time.Time
	}{{"i.due_at < $%d", f.DueBy}, {"i.issued_at >= $%d", f.From}, {"i.issued_at < $%d", f.To}} {
		if !bound.at.IsZero() {
			and(bound.condition, db.Micros(bound.at))
		}
	}
	if f.openOf != 0 {
		args = append(args, f.openOf)
		where = append(where, fmt.Sprintf("i.due >= $%d AND i.due - %s = $%d", len(args), settledSQL, len(args)))
	}
	by, after, err := f.Sort.order()
	if err != nil {
		return nil, err
	}
	if f.Cursor != "" {
		and(after, f.Cursor)
	}
	query := `SELECT i.id, i.tenant_id, i.subscription_id, i.purpose, i.period_from, i.period_to, i.revision, i.series, i.number, i.issue_at, i.issued_at, i.issued_by,
			i.due_at, i.currency, i.total, i.due, i.document, i.parties, i.previous_hash, i.hash, i.due - ` + settledSQL + `,
			` + latestStateSQL + `, (SELECT z.zone FROM billing_subscriptions z WHERE z.id = i.subscription_id)
		FROM billing_invoices i WHERE ` + strings.Join(where, " AND ") + ` ORDER BY ` + by
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
			&i.IssuedBy, &due, (*string)(&i.Currency), &i.Total, &i.Due, &document, &parties, &i.PreviousHash, &i.Hash, &i.Open, (*string)(&i.State), &i.Zone); err != nil {
			return nil, err
		}
		i.From, i.To, i.IssueAt, i.IssuedAt, i.DueAt = db.Time(from), db.Time(to), db.Time(issue), db.Time(issued), db.Time(due)
		i.Document, i.Parties = []byte(document), []byte(parties)
		list = append(list, i)
	}
	return list, rows.Err()
}

// inList is a list of parameters that follow others, and what they are.
func inList[T ~string](others int, values []T) (list string, args []any) {
	var names []string
	for i, v := range values {
		names, args = append(names, fmt.Sprint("$", others+i+1)), append(args, string(v))
	}
	return "(" + strings.Join(names, ", ") + ")", args
}
