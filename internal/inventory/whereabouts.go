package inventory

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// AccountOf is our name for the account that has the droplet with an id, or else a
// name; empty where the inventory knows none. fault.Conflict where several accounts
// have one of that name.
func (s *Service) AccountOf(ctx context.Context, droplet string) (string, error) {
	var named []string
	var identified string
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var id, account string
		if err := rows.Scan(&id, &account); err != nil {
			return err
		}
		if id == droplet {
			identified = account
		}
		named = append(named, account)
		return nil
	}, `SELECT id, account FROM inv_versions WHERE kind = 'droplet' AND until IS NULL AND NOT gone AND (id = $1 OR name = $1) ORDER BY account`, droplet)
	switch named = slices.Compact(named); {
	case err != nil || identified != "":
		return identified, err
	case len(named) == 0:
		return "", nil
	case len(named) == 1:
		return named[0], nil
	}
	return "", fault.New(fault.Conflict, "Accounts %s each have a droplet named %q. Name it by its id, or say which account is meant.",
		strings.Join(named, ", "), clip(droplet))
}
