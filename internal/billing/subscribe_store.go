package billing

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

func insertAgreement(ctx context.Context, tx *sql.Tx, a *Agreement) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_subscriptions (id, tenant_id, currency, zone, anchor_day, taxes, coupons, started_at, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(a.ID), string(a.Tenant), string(a.Currency), a.Zone, a.AnchorDay, db.JSON[[]string]{V: a.Taxes}, db.JSON[[]string]{V: a.Coupons},
		db.Micros(a.StartedAt), db.Micros(a.CreatedAt), a.CreatedBy)
	return err
}

func insertChange(ctx context.Context, tx *sql.Tx, sub SubscriptionID, c Change) error {
	plan := sql.NullString{String: c.Plan, Valid: c.Plan != ""}
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_changes (subscription_id, seq, type, item, plan, quantity, effective_at, until_at, recorded_at, entered_at, actor, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		string(sub), c.Seq, string(c.Type), c.Item, plan, c.Quantity.String(), db.Micros(c.EffectiveAt), db.NullTime{Time: c.UntilAt}, db.Micros(c.RecordedAt), db.Micros(c.EnteredAt), c.Actor, c.Reason)
	return err
}

// An agreementFilter picks subscriptions: zero fields pick all.
type agreementFilter struct {
	tenant  tenant.ID
	id      SubscriptionID
	begunBy time.Time      // those that began by then
	after   SubscriptionID // those that come after it, by id
	limit   int            // so many; 0: all
}

// listAgreements lists subscriptions by id.
func listAgreements(ctx context.Context, q db.Queryer, f agreementFilter) ([]Agreement, error) {
	const where = ` WHERE (CAST($1 AS TEXT) = '' OR s.tenant_id = $1) AND (CAST($2 AS TEXT) = '' OR s.id = $2) AND s.id > $3 AND s.started_at <= $4`
	begunBy := int64(math.MaxInt64)
	if !f.begunBy.IsZero() {
		begunBy = db.Micros(f.begunBy)
	}
	rows, err := q.QueryContext(ctx, `SELECT s.id, s.tenant_id, s.currency, s.zone, s.anchor_day, s.taxes, s.coupons, s.started_at, s.created_at, s.created_by
		FROM billing_subscriptions s`+where+` ORDER BY s.id LIMIT $5`, string(f.tenant), string(f.id), string(f.after), begunBy, cmp.Or(int64(f.limit), math.MaxInt64))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	agreements, at := []Agreement{}, make(map[SubscriptionID]int)
	for rows.Next() {
		var (
			a                Agreement
			taxes, coupons   db.JSON[[]string]
			started, created int64
		)
		if err := rows.Scan((*string)(&a.ID), (*string)(&a.Tenant), (*string)(&a.Currency), &a.Zone, &a.AnchorDay, &taxes, &coupons, &started, &created, &a.CreatedBy); err != nil {
			return nil, err
		}
		a.Taxes, a.Coupons, a.StartedAt, a.CreatedAt = taxes.V, coupons.V, db.Time(started), db.Time(created)
		at[a.ID] = len(agreements)
		agreements = append(agreements, a)
	}
	if err := rows.Err(); err != nil || len(agreements) == 0 {
		return agreements, err
	}
	const those = where + ` AND s.id <= $5`
	args := []any{string(f.tenant), string(f.id), string(f.after), begunBy, string(agreements[len(agreements)-1].ID)}
	rows, err = q.QueryContext(ctx, `SELECT c.subscription_id, c.seq, c.type, c.item, COALESCE(c.plan, ''), c.quantity, c.effective_at, c.until_at, c.recorded_at, c.entered_at, c.actor, c.reason
		FROM billing_changes c JOIN billing_subscriptions s ON s.id = c.subscription_id`+those+` ORDER BY c.subscription_id, c.seq`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			of                           SubscriptionID
			c                            Change
			many                         string
			effective, recorded, entered int64
			until                        db.NullTime
		)
		if err := rows.Scan((*string)(&of), &c.Seq, (*string)(&c.Type), &c.Item, &c.Plan, &many, &effective, &until, &recorded, &entered, &c.Actor, &c.Reason); err != nil {
			return nil, err
		}
		if c.Quantity, err = exact.ParseDecimal(many); err != nil {
			return nil, err
		}
		c.EffectiveAt, c.UntilAt, c.RecordedAt, c.EnteredAt = db.Time(effective), until.Time, db.Time(recorded), db.Time(entered)
		if i, ok := at[of]; ok {
			agreements[i].Changes = append(agreements[i].Changes, c)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return agreements, db.Each(ctx, q, func(rows *sql.Rows) error {
		of, m, err := scanAmendment(rows)
		if i, ok := at[of]; ok {
			agreements[i].Amendments = append(agreements[i].Amendments, m)
		}
		return err
	}, `SELECT m.subscription_id, m.seq, m.type, m.ids, m.effective_at, m.recorded_at, m.entered_at, m.actor, m.reason
		FROM billing_amendments m JOIN billing_subscriptions s ON s.id = m.subscription_id`+those+` ORDER BY m.subscription_id, m.seq`, args...)
}

// countBegun counts the subscriptions that began by an instant.
func countBegun(ctx context.Context, q db.Queryer, by time.Time) (n int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM billing_subscriptions WHERE started_at <= $1`, db.Micros(by)).Scan(&n)
	return n, err
}

func findAgreement(ctx context.Context, q db.Queryer, sub SubscriptionID) (Agreement, error) {
	if sub == "" {
		return Agreement{}, fault.New(fault.Invalid, "Name the subscription by its id, sub_ and 32 digits.")
	}
	all, err := listAgreements(ctx, q, agreementFilter{id: sub})
	if err == nil && len(all) == 0 {
		err = fault.New(fault.NotFound, "There is no subscription %q. Those there are: arcadia subscription list", cut(string(sub)))
	}
	if err != nil {
		return Agreement{}, err
	}
	return all[0], nil
}

// billedTo is up to which instant subscriptions were billed; one that was not yet is
// not in it.
func billedTo(ctx context.Context, q db.Queryer, subs ...SubscriptionID) (map[SubscriptionID]time.Time, error) {
	list, args := inList(0, subs)
	billed := make(map[SubscriptionID]time.Time, len(subs))
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var sub SubscriptionID
		var to int64
		err := rows.Scan((*string)(&sub), &to)
		billed[sub] = db.Time(to)
		return err
	}, `SELECT subscription_id, billed_to FROM billing_marks WHERE subscription_id IN `+list, args...)
	return billed, err
}
