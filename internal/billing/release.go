package billing

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
)

// A release is credit of a subscription that became credit of the account, since no
// bill was to come that would count it in.
type release struct {
	KnownAt time.Time // since when bills know of it
	Amount  int64
}

// ended reports whether nothing is in service at an instant, or to come after it.
func (a *Agreement) ended(at time.Time) bool {
	return len(a.Items(at)) == 0 && !slices.ContainsFunc(a.Changes, func(c Change) bool {
		return c.Plan != "" && c.EffectiveAt.After(at) && len(a.Items(c.EffectiveAt)) > 0
	})
}

// releaseCredits makes credit of subscriptions whose service has ended credit of their
// accounts, where it pays what is open. Each is a transaction of its own: what a crash
// leaves is released by the next run.
func (s *Service) releaseCredits(ctx context.Context, bills []*bill, upTo time.Time, by string, now time.Time) error {
	var ended []SubscriptionID
	for _, b := range bills {
		if b.err == nil && b.agreement.ended(upTo) {
			ended = append(ended, b.agreement.ID)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	left, err := creditsOf(ctx, s.db.Read(), ended...)
	if err != nil {
		return err
	}
	for _, sub := range ended {
		if left[sub] <= 0 {
			continue
		}
		if err := s.db.Write(ctx, func(tx *sql.Tx) error { return s.releaseCredit(ctx, tx, sub, upTo, by, micros(now)) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) releaseCredit(ctx context.Context, tx *sql.Tx, sub SubscriptionID, upTo time.Time, by string, now time.Time) error {
	a, err := findAgreement(ctx, tx, sub)
	if err != nil {
		return err
	}
	left, err := creditsOf(ctx, tx, sub)
	if err != nil || left[sub] <= 0 || !a.ended(upTo) { // changed or released meanwhile
		return err
	}
	billed, err := billedTo(ctx, tx, sub)
	if err != nil {
		return err
	}
	rel := id.New("use")
	entry, err := journal.PostTx(ctx, tx, journal.Entry{
		Key: "release/" + rel, At: now, EnteredAt: now, Actor: by, Description: "credit of " + string(sub) + ", whose service has ended",
		Postings: []journal.Posting{posting(a.Tenant, a.Currency, journal.CustomerCredit, left[sub]), posting(a.Tenant, a.Currency, journal.AccountCredit, -left[sub])},
	})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO billing_releases (id, subscription_id, amount, known_at, released_at, released_by, entry_id) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		rel, string(sub), left[sub], db.Micros(billed[sub].Add(time.Microsecond)), db.Micros(now), by, entry)
	if err != nil {
		return err
	}
	open, err := openInvoices(ctx, tx, a.Tenant, a.Currency)
	if err != nil {
		return err
	}
	_, err = useCredit(ctx, tx, a.Tenant, a.Currency, open, maxMinor, by, now)
	return err
}

// creditsOf is the credit that bills of subscriptions gave, less what later ones counted
// in and what was released.
func creditsOf(ctx context.Context, q db.Queryer, subs ...SubscriptionID) (map[SubscriptionID]int64, error) {
	in, args := inList(0, subs)
	left := make(map[SubscriptionID]int64)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var sub string
		var credit int64
		err := rows.Scan(&sub, &credit)
		left[SubscriptionID(sub)] = credit
		return err
	}, `SELECT i.subscription_id, CAST(SUM(CASE WHEN i.purpose = 'credit_note' THEN i.total ELSE i.due - i.total END) AS BIGINT)
			- CAST(COALESCE((SELECT SUM(r.amount) FROM billing_releases r WHERE r.subscription_id = i.subscription_id), 0) AS BIGINT)
		FROM billing_invoices i WHERE i.revision >= 0 AND i.subscription_id IN `+in+` GROUP BY i.subscription_id`, args...)
	return left, err
}

// listReleases are those of subscriptions, as bills learn of them.
func listReleases(ctx context.Context, q db.Queryer, subs ...SubscriptionID) (map[SubscriptionID][]release, error) {
	in, args := inList(0, subs)
	all := make(map[SubscriptionID][]release)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var sub string
		var known int64
		var r release
		err := rows.Scan(&sub, &known, &r.Amount)
		r.KnownAt = db.Time(known)
		all[SubscriptionID(sub)] = append(all[SubscriptionID(sub)], r)
		return err
	}, `SELECT subscription_id, known_at, amount FROM billing_releases WHERE subscription_id IN `+in+` ORDER BY known_at, id`, args...)
	return all, err
}

// knownReleases takes into account what was released and is known at an instant: later
// bills do not count it in.
func (b *biller) knownReleases(t time.Time) {
	for len(b.releases) > 0 && !b.releases[0].KnownAt.After(t) {
		b.credit -= b.releases[0].Amount
		b.releases = b.releases[1:]
	}
}
