package access

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

// A record is an account as it is kept.
type record struct {
	Account
	findings map[digitalocean.Purpose]finding
}

func listAccounts(ctx context.Context, q db.Queryer) (map[string]record, error) {
	rows, err := q.QueryContext(ctx, `SELECT name, COALESCE(team, ''), COALESCE(team_name, ''), COALESCE(email, ''), limits, scopes, added_at, checked_at
		FROM do_accounts`)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	defer rows.Close()
	records := map[string]record{}
	for rows.Next() {
		var (
			r        record
			limits   db.JSON[digitalocean.Limits]
			findings db.JSON[map[digitalocean.Purpose]finding]
			added    int64
			checked  db.NullTime
		)
		if err := rows.Scan(&r.Name, &r.Team, &r.TeamName, &r.Email, &limits, &findings, &added, &checked); err != nil {
			return nil, err
		}
		r.Limits, r.findings, r.AddedAt, r.CheckedAt = limits.V, findings.V, db.Time(added), checked.Time
		records[r.Name] = r
	}
	return records, rows.Err()
}

// putAccount writes an account, also over one that there is.
func putAccount(ctx context.Context, tx *sql.Tx, r record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO do_accounts (name, team, team_name, email, limits, scopes, added_at, checked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (name) DO UPDATE SET team = excluded.team, team_name = excluded.team_name, email = excluded.email,
			limits = excluded.limits, scopes = excluded.scopes, checked_at = excluded.checked_at`,
		r.Name, r.Team, r.TeamName, r.Email, db.JSON[digitalocean.Limits]{V: r.Limits}, db.JSON[map[digitalocean.Purpose]finding]{V: r.findings},
		db.Micros(r.AddedAt), db.NullTime{Time: r.CheckedAt})
	return err
}

func deleteAccount(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM do_accounts WHERE name = $1`, name)
	return err
}
