package metering

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// CountedTwice is how many events are kept, and which of them are more than once.
func (s *Service) CountedTwice(ctx context.Context) (events int64, twice []string, err error) {
	if err := s.db.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM usage_events`).Scan(&events); err != nil {
		return 0, nil, err
	}
	twice, err = db.All(ctx, s.db.Read(), func(rows *sql.Rows) (string, error) {
		var of, source, id string
		err := rows.Scan(&of, &source, &id)
		return fmt.Sprintf("%s: the event %s of source %s is kept more than once", of, id, source), err
	}, `SELECT tenant_id, source, id FROM usage_events GROUP BY tenant_id, source, id HAVING COUNT(*) > 1 ORDER BY tenant_id, source, id LIMIT 100`)
	return events, twice, err
}

// Torn is how many resources' lives are kept, which of them have a gap, and which have a
// time that counts twice: each life begins when the one before it ended, whoever's they
// were, so that what tenants had and what nobody had are the whole of it, from its
// beginning to its end.
func (s *Service) Torn(ctx context.Context) (resources int64, gaps, twice []string, err error) {
	if err := s.db.Read().QueryRowContext(ctx, `SELECT COUNT(DISTINCT urn) FROM usage_lifetimes`).Scan(&resources); err != nil {
		return 0, nil, nil, err
	}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			urn   string
			next  int64
			ended sql.NullInt64
		)
		if err := rows.Scan(&urn, &ended, &next); err != nil {
			return err
		}
		if ended.Valid && ended.Int64 < next {
			gaps = append(gaps, fmt.Sprintf("%s is nobody's and no tenant's from %s to %s", urn, db.Time(ended.Int64).Format(time.RFC3339), db.Time(next).Format(time.RFC3339)))
		} else {
			twice = append(twice, fmt.Sprintf("%s counts twice from %s on", urn, db.Time(next).Format(time.RFC3339)))
		}
		return nil
	}, `SELECT urn, ended_at, next FROM (SELECT urn, began_at, ended_at, LEAD(began_at) OVER (PARTITION BY urn ORDER BY began_at) AS next FROM usage_lifetimes) AS lives
		WHERE next IS NOT NULL AND (ended_at IS NULL OR ended_at <> next) ORDER BY urn, began_at LIMIT 100`)
	return resources, gaps, twice, err
}
