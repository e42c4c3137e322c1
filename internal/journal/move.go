package journal

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A Move is what an entry does to some accounts of a tenant together.
type Move struct {
	Entry       string
	Kind        string // what its key begins with, up to the first slash
	At          time.Time
	Description string
	EnteredAt   time.Time
	Amount      money.Amount
}

// Moves are what entries do to some accounts of a tenant together, in the order in
// which it happened. An entry that moves money only between them is none.
func Moves(ctx context.Context, q db.Queryer, tenant string, of ...Account) ([]Move, error) {
	args, places := []any{tenant}, make([]string, len(of))
	for i, account := range of {
		args = append(args, string(account))
		places[i] = fmt.Sprintf("$%d", i+2)
	}
	return db.All(ctx, q, func(rows *sql.Rows) (m Move, err error) {
		var key string
		var at, entered int64
		err = rows.Scan(&m.Entry, &key, &at, &entered, &m.Description, (*string)(&m.Amount.Currency), &m.Amount.Minor)
		m.Kind, _, _ = strings.Cut(key, "/")
		m.At, m.EnteredAt = db.Time(at), db.Time(entered)
		return m, err
	}, `SELECT e.id, e.key, e.at, e.entered_at, e.description, p.currency, CAST(SUM(p.amount) AS BIGINT) FROM journal_postings p
		JOIN journal_entries e ON e.id = p.entry_id JOIN journal_seals s ON s.entry_id = e.id
		WHERE p.tenant_id = $1 AND p.account IN (`+strings.Join(places, ", ")+`)
		GROUP BY e.id, e.key, e.at, e.entered_at, e.description, p.currency HAVING SUM(p.amount) <> 0 ORDER BY e.at, e.entered_at, e.id`, args...)
}
