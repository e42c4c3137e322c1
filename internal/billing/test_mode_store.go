package billing

import (
	"context"
	"database/sql"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

func nextTestNumber(ctx context.Context, tx *sql.Tx, series string) (number int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) + 1 FROM billing_test_documents WHERE series = $1`, series).Scan(&number)
	return number, err
}

func insertTest(ctx context.Context, tx *sql.Tx, i *Issued) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_test_documents (id, tenant_id, subscription_id, series, number, issued) VALUES ($1, $2, $3, $4, $5, $6)`,
		i.ID, string(i.Tenant), string(i.Subscription), i.Series, i.Number, db.JSON[Issued]{V: *i})
	return err
}

// deleteTestsOf deletes those of a tenant, or all where it is empty.
func deleteTestsOf(ctx context.Context, tx *sql.Tx, of tenant.ID) (int64, error) {
	res, err := tx.ExecContext(ctx, `DELETE FROM billing_test_documents WHERE CAST($1 AS TEXT) = '' OR tenant_id = $1`, string(of))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// A testFilter selects test documents; empty fields select all.
type testFilter struct {
	tenant tenant.ID
	ref    string // an id or a number as it is written
}

func listTests(ctx context.Context, q db.Queryer, f testFilter) ([]Issued, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (Issued, error) {
		var kept db.JSON[Issued]
		err := rows.Scan(&kept)
		return kept.V, err
	}, `SELECT issued FROM billing_test_documents WHERE (CAST($1 AS TEXT) = '' OR tenant_id = $1)
		AND (CAST($2 AS TEXT) = '' OR id = $2 OR series || CAST(number AS TEXT) = $2) ORDER BY id DESC`, string(f.tenant), f.ref)
}
