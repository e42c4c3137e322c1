package metering

import (
	"context"
	"database/sql"
	"fmt"

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
