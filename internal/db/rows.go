package db

import (
	"context"
	"database/sql"
)

// Each calls see with each row of a query. It ends with see's first error.
func Each(ctx context.Context, q Queryer, see func(rows *sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := see(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// All is what scan makes of each row of a query; nil for none.
func All[T any](ctx context.Context, q Queryer, scan func(rows *sql.Rows) (T, error), query string, args ...any) (all []T, err error) {
	err = Each(ctx, q, func(rows *sql.Rows) error {
		one, err := scan(rows)
		all = append(all, one)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}
