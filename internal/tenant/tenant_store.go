package tenant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const tenantColumns = `id, slug, name, contact, state, created_at, changed_at`

func insertTenant(ctx context.Context, tx *sql.Tx, t Tenant) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO tenants (`+tenantColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(t.ID), t.Slug, t.Name, t.Contact, string(t.State), db.Micros(t.CreatedAt), db.Micros(t.ChangedAt))
	return err
}

func updateTenant(ctx context.Context, tx *sql.Tx, t Tenant) error {
	_, err := tx.ExecContext(ctx, `UPDATE tenants SET name = $2, contact = $3, state = $4, changed_at = $5 WHERE id = $1`,
		string(t.ID), t.Name, t.Contact, string(t.State), db.Micros(t.ChangedAt))
	return err
}

// findTenant finds a tenant by its slug or its id; no slug has an id's underscore.
func findTenant(ctx context.Context, q db.Queryer, ref string) (Tenant, error) {
	if err := checkText("tenant", ref); err != nil {
		return Tenant{}, err
	}
	t, err := scanTenant(q.QueryRowContext(ctx, `SELECT `+tenantColumns+` FROM tenants WHERE slug = $1 OR id = $1`, ref))
	if errors.Is(err, sql.ErrNoRows) {
		return Tenant{}, fault.New(fault.NotFound, "There is no tenant %q. Those there are: arcadia tenant list", clip(ref))
	}
	return t, err
}

// namedTenants finds tenants by their slugs and ids, some at a time: the texts of
// the queries are few.
func namedTenants(ctx context.Context, q db.Queryer, refs []string) (map[string]Tenant, error) {
	const most = 50
	named := make(map[string]Tenant, len(refs))
	for part := range slices.Chunk(refs, most) {
		n := most
		if len(part) == 1 {
			n = 1
		}
		args := make([]any, n)
		for i := range args {
			args[i] = part[min(i, len(part)-1)]
		}
		in := "$1"
		for i := 2; i <= n; i++ {
			in += fmt.Sprintf(", $%d", i)
		}
		rows, err := q.QueryContext(ctx, `SELECT `+tenantColumns+` FROM tenants WHERE slug IN (`+in+`) OR id IN (`+in+`)`, args...)
		if err != nil {
			return nil, err
		}
		found, err := scanTenants(rows)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			named[t.Slug], named[string(t.ID)] = t, t
		}
	}
	return named, nil
}

// listTenants lists one more than a page, or all where Limit is negative.
func listTenants(ctx context.Context, q db.Queryer, f Filter) (tenants []Tenant, err error) {
	where, args := []string{"slug > $1"}, []any{f.Cursor}
	and := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if f.State != "" {
		and("state = ?", string(f.State))
	}
	if f.Search != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(f.Search)) + "%"
		and(`(slug LIKE ? ESCAPE '\' OR LOWER(name) LIKE ? ESCAPE '\' OR LOWER(contact) LIKE ? ESCAPE '\')`, like)
	}
	query := `SELECT ` + tenantColumns + ` FROM tenants WHERE ` + strings.Join(where, " AND ") + ` ORDER BY slug`
	if f.Limit >= 0 {
		args = append(args, f.Limit+1)
		query += fmt.Sprintf(" LIMIT $%d", len(args))
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanTenants(rows)
}

func scanTenants(rows *sql.Rows) (tenants []Tenant, err error) {
	defer rows.Close()
	for rows.Next() {
		t, err := scanTenant(rows)
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, t)
	}
	return tenants, rows.Err()
}

// Stamp tells the tenants there are from those that there were: it is another one
// after any change.
func (s *Service) Stamp(ctx context.Context) (string, error) {
	var n int64
	var last sql.NullInt64
	err := s.db.Read().QueryRowContext(ctx, `SELECT COUNT(*), MAX(changed_at) FROM tenants`).Scan(&n, &last)
	return fmt.Sprint(n, " ", last.Int64), err
}

func scanTenant(row interface{ Scan(...any) error }) (t Tenant, err error) {
	var created, changed int64
	err = row.Scan((*string)(&t.ID), &t.Slug, &t.Name, &t.Contact, (*string)(&t.State), &created, &changed)
	t.CreatedAt, t.ChangedAt = db.Time(created), db.Time(changed)
	return t, err
}
