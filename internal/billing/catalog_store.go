package billing

import (
	"context"
	"database/sql"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// listEntries lists the entries of a currency, of all where it is empty, in their
// order.
func listEntries(ctx context.Context, q db.Queryer, c money.Currency) ([]Entry, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (e Entry, err error) {
		var document string
		var used db.NullTime
		var added int64
		err = rows.Scan((*string)(&e.currency), (*string)(&e.Kind), &e.ID, &e.Version, &e.position, &document, &e.Offered, &used, &added, &e.AddedBy)
		e.Document, e.UsedAt, e.AddedAt = []byte(document), used.Time, db.Time(added)
		return e, err
	}, `SELECT currency, kind, id, version, position, document, offered, used_at, added_at, added_by FROM billing_catalog
		WHERE CAST($1 AS TEXT) = '' OR currency = $1 ORDER BY currency, position`, string(c))
}

// putEntry inserts or updates an entry. Its use is noted elsewhere.
func putEntry(ctx context.Context, tx *sql.Tx, c money.Currency, e Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_catalog (currency, kind, id, version, position, document, offered, used_at, added_at, added_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (currency, kind, id, version) DO UPDATE SET position = excluded.position, document = excluded.document, offered = excluded.offered`,
		string(c), string(e.Kind), e.ID, e.Version, e.position, string(e.Document), e.Offered, db.NullTime{Time: e.UsedAt}, db.Micros(e.AddedAt), e.AddedBy)
	return err
}

func deleteEntry(ctx context.Context, tx *sql.Tx, c money.Currency, k EntryKey) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM billing_catalog WHERE currency = $1 AND kind = $2 AND id = $3 AND version = $4`,
		string(c), string(k.Kind), k.ID, k.Version)
	return err
}

// useEntries notes that entries are used, all versions of a tax together.
func useEntries(ctx context.Context, tx *sql.Tx, c money.Currency, keys []EntryKey, at int64) error {
	for _, k := range keys {
		_, err := tx.ExecContext(ctx, `UPDATE billing_catalog SET used_at = $5
			WHERE currency = $1 AND kind = $2 AND id = $3 AND ($2 = 'tax' OR version = $4) AND used_at IS NULL`,
			string(c), string(k.Kind), k.ID, k.Version, at)
		if err != nil {
			return err
		}
	}
	return nil
}
