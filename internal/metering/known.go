package metering

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// isBilledLike reports whether two lives of a resource make the same bills.
func (l Life) isBilledLike(o Life) bool {
	return l.Tenant == o.Tenant && l.Kind == o.Kind && l.Size == o.Size && l.Unpriced == o.Unpriced && l.PriceMonthly.Equal(o.PriceMonthly) &&
		l.From.Equal(o.From) && l.To.Equal(o.To)
}

// learn says since when each of a resource's lives is known, where at an instant what
// was known of them became another. replaced is what was a tenant's and is known
// otherwise now.
func learn(had, now []Life, at time.Time) (known, replaced []Life) {
	at = at.UTC().Truncate(time.Microsecond)
	for _, l := range had {
		if !l.RecordedAt.Before(at) { // a clock went back
			at = l.RecordedAt.Add(time.Microsecond)
		}
	}
	for _, l := range now {
		l.RecordedAt = at
		if i := slices.IndexFunc(had, l.isBilledLike); i >= 0 {
			l.RecordedAt = had[i].RecordedAt
		}
		known = append(known, l)
	}
	for _, l := range had {
		if l.Tenant != "" && !slices.ContainsFunc(now, l.isBilledLike) {
			l.ReplacedAt = at
			replaced = append(replaced, l)
		}
	}
	return known, replaced
}

const pastColumns = `urn, began_at, ended_at, kind, size, monthly, tenant_id, known_at, replaced_at`

var insertPast = db.NewBulk(`INSERT INTO usage_lifetimes_past (`+pastColumns+`) SELECT `+pastColumns+` FROM given`,
	db.Column{Name: "urn"}, db.Column{Name: "began_at", Type: db.Integer}, db.Column{Name: "ended_at", Type: db.Integer}, db.Column{Name: "kind"},
	db.Column{Name: "size"}, db.Column{Name: "monthly", Type: db.Integer}, db.Column{Name: "tenant_id"}, db.Column{Name: "known_at", Type: db.Integer},
	db.Column{Name: "replaced_at", Type: db.Integer})

func pastRow(l Life) []any {
	var monthly any
	if !l.Unpriced {
		monthly = l.PriceMonthly.Units(6).Int64()
	}
	return []any{l.URN, db.Micros(l.From), nullTime(l.To), l.Kind, l.Size, monthly, string(l.Tenant), db.Micros(l.RecordedAt), db.Micros(l.ReplacedAt)}
}

// KnownLives is all that was known, by an instant, of how long resources were a
// tenant's: also what is known otherwise by now, with when that became known. The feed
// is followed first.
func (s *Service) KnownLives(ctx context.Context, t tenant.ID, until time.Time) ([]Lifetime, error) {
	if _, err := s.Follow(ctx); err != nil {
		return nil, err
	}
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (l Lifetime, err error) {
		var (
			from, known  int64
			to, replaced db.NullTime
			monthly      sql.NullInt64
		)
		err = rows.Scan(&l.URN, &from, &to, &l.Kind, &l.Size, &monthly, &known, &replaced)
		l.From, l.To, l.RecordedAt, l.ReplacedAt = db.Time(from), to.Time, db.Time(known), replaced.Time
		l.PriceMonthly, l.Unpriced = exact.Whole(monthly.Int64).Shift(-6), !monthly.Valid
		return l, err
	}, `SELECT urn, began_at, ended_at, kind, size, monthly, known_at, NULL AS replaced_at FROM usage_lifetimes
			WHERE tenant_id = $1 AND began_at < $2 AND known_at <= $2
		UNION ALL
		SELECT urn, began_at, ended_at, kind, size, monthly, known_at, replaced_at FROM usage_lifetimes_past
			WHERE tenant_id = $1 AND began_at < $2 AND known_at <= $2
		ORDER BY urn, began_at, known_at`, string(t), db.Micros(until))
}
