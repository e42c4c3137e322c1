package db_test

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

func TestRowsAreReadToTheirEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		number := func(rows *sql.Rows) (n int64, err error) { err = rows.Scan(&n); return n, err }
		const query = `SELECT CAST(1 AS BIGINT) UNION ALL SELECT CAST($1 AS BIGINT) ORDER BY 1`
		if all, err := db.All(t.Context(), d.Read(), number, query, 7); err != nil || !slices.Equal(all, []int64{1, 7}) {
			t.Errorf("%v, %v", all, err)
		}
		enough, seen := errors.New("enough"), 0
		err := db.Each(t.Context(), d.Read(), func(*sql.Rows) error { seen++; return enough }, query, 7)
		if !errors.Is(err, enough) || seen != 1 {
			t.Errorf("%d rows seen, %v", seen, err)
		}
		if all, err := db.All(t.Context(), d.Read(), func(*sql.Rows) (int, error) { return 1, enough }, query, 7); err == nil || all != nil {
			t.Errorf("a part of the rows is answered: %v, %v", all, err)
		}
	})
}
