package metering

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// nullTime is a time as a nullable column.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return db.Micros(t)
}

// A LifeFilter selects lives; empty fields select all.
type LifeFilter struct {
	Tenant   tenant.ID
	Nobody   bool // those that were nobody's
	URN      string
	Kind     string
	From, To time.Time // that share an instant with [From, To)
	After    Life      // those that follow this one in the list; zero: from the first on
	Limit    int       // 0: all
}

// Lives are the lives of resources by URN and time, as far as the inventory knows of
// them: the feed is followed first.
func (s *Service) Lives(ctx context.Context, f LifeFilter) ([]Life, error) {
	if _, err := s.Follow(ctx); err != nil {
		return nil, err
	}
	where, args := []string{"1 = 1"}, []any{}
	and := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	if f.Nobody {
		where = append(where, "tenant_id IS NULL")
	}
	for _, one := range []struct{ column, value string }{{"tenant_id", string(f.Tenant)}, {"urn", f.URN}, {"kind", f.Kind}} {
		if one.value != "" {
			and(one.column+" = ?", one.value)
		}
	}
	if f.After.URN != "" {
		args = append(args, f.After.URN, db.Micros(f.After.From))
		where = append(where, fmt.Sprintf("(urn, began_at) > ($%d, $%d)", len(args)-1, len(args)))
	}
	if !f.From.IsZero() {
		and("(ended_at IS NULL OR ended_at > ?)", db.Micros(f.From))
	}
	if !f.To.IsZero() {
		and("began_at < ?", db.Micros(f.To))
	}
	return readLives(ctx, s.db.Read(), strings.Join(where, " AND "), f.Limit, args...)
}
