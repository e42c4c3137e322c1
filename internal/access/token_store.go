package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

const tokenColumns = `id, account, purpose, last4, fingerprint, created_at, expires_at, last_used_at`

func insertToken(ctx context.Context, tx *sql.Tx, t Token, sealed []byte) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO do_tokens (`+tokenColumns+`, ciphertext) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(t.ID), t.Account, string(t.Purpose), t.Last4, t.Fingerprint,
		db.Micros(t.CreatedAt), db.NullTime{Time: t.ExpiresAt}, db.NullTime{Time: t.LastUsedAt}, sealed)
	return err
}

// deleteToken reports whether there was one.
func deleteToken(ctx context.Context, tx *sql.Tx, account string, p digitalocean.Purpose) (bool, error) {
	result, err := tx.ExecContext(ctx,
		`DELETE FROM do_tokens WHERE account = $1 AND purpose = $2`, account, string(p))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func noteUse(ctx context.Context, tx *sql.Tx, account string, p digitalocean.Purpose, at time.Time) error {
	_, err := tx.ExecContext(ctx,
		`UPDATE do_tokens SET last_used_at = $3 WHERE account = $1 AND purpose = $2`, account, string(p), db.Micros(at))
	return err
}

func findToken(ctx context.Context, q db.Queryer, account string, p digitalocean.Purpose) (Token, []byte, error) {
	var sealed []byte
	t, err := scanToken(q.QueryRowContext(ctx,
		`SELECT `+tokenColumns+`, ciphertext FROM do_tokens WHERE account = $1 AND purpose = $2`, account, string(p)), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return Token{}, nil, missing(account, p)
	}
	return t, sealed, err
}

func listTokens(ctx context.Context, q db.Queryer) (tokens []Token, err error) {
	rows, err := q.QueryContext(ctx, `SELECT `+tokenColumns+` FROM do_tokens ORDER BY account, purpose`)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

// scanToken reads a row of tokenColumns and whatever stands after them.
func scanToken(row interface{ Scan(...any) error }, more ...any) (Token, error) {
	var (
		t             Token
		created       int64
		expires, used db.NullTime
	)
	err := row.Scan(append([]any{
		(*string)(&t.ID), &t.Account, (*string)(&t.Purpose), &t.Last4, &t.Fingerprint, &created, &expires, &used,
	}, more...)...)
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt = db.Time(created), expires.Time, used.Time
	return t, err
}
