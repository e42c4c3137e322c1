package billing

import (
	"context"
	"database/sql"
	"errors"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

func putCustomer(ctx context.Context, tx *sql.Tx, c Customer) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_customers (tenant_id, issuer, currency, zone, legal_name, email, address, tax_ids, taxes, terms_days, po_number, language,
			changed_at, changed_by, tax_changes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (tenant_id) DO UPDATE SET issuer = excluded.issuer, currency = excluded.currency, zone = excluded.zone, legal_name = excluded.legal_name,
			email = excluded.email, address = excluded.address, tax_ids = excluded.tax_ids, taxes = excluded.taxes, terms_days = excluded.terms_days,
			po_number = excluded.po_number, language = excluded.language, changed_at = excluded.changed_at, changed_by = excluded.changed_by,
			tax_changes = excluded.tax_changes`,
		string(c.Tenant), c.Issuer, string(c.Currency), c.Zone, c.LegalName, c.Email, db.JSON[Address]{V: c.Address}, db.JSON[[]TaxID]{V: c.TaxIDs},
		db.JSON[[]string]{V: c.Taxes}, c.TermsDays, c.PONumber, c.Language, db.Micros(c.ChangedAt), c.ChangedBy, db.JSON[[]TaxChange]{V: c.TaxChanges})
	return err
}

const customerColumns = `tenant_id, issuer, currency, zone, legal_name, email, address, tax_ids, taxes, terms_days, po_number, language, changed_at, changed_by, tax_changes`

func scanCustomer(scan func(dest ...any) error) (c Customer, err error) {
	var (
		address db.JSON[Address]
		taxIDs  db.JSON[[]TaxID]
		taxes   db.JSON[[]string]
		dated   db.JSON[[]TaxChange]
		changed int64
	)
	err = scan((*string)(&c.Tenant), &c.Issuer, (*string)(&c.Currency), &c.Zone, &c.LegalName, &c.Email, &address, &taxIDs, &taxes, &c.TermsDays,
		&c.PONumber, &c.Language, &changed, &c.ChangedBy, &dated)
	c.Address, c.TaxIDs, c.Taxes, c.TaxChanges, c.ChangedAt = address.V, taxIDs.V, taxes.V, dated.V, db.Time(changed)
	return c, err
}

// listCustomers lists one customer, or all where t is empty.
func listCustomers(ctx context.Context, q db.Queryer, t tenant.ID) ([]Customer, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (Customer, error) { return scanCustomer(rows.Scan) },
		`SELECT `+customerColumns+` FROM billing_customers WHERE CAST($1 AS TEXT) = '' OR tenant_id = $1 ORDER BY tenant_id`, string(t))
}

var selectCustomers = db.NewBulk(`SELECT `+customerColumns+` FROM billing_customers WHERE tenant_id IN (SELECT id FROM given)`, db.Column{Name: "id"})

func findCustomer(ctx context.Context, q db.Queryer, t tenant.ID) (Customer, error) {
	all, err := listCustomers(ctx, q, t)
	if err == nil && len(all) == 0 {
		err = fault.New(fault.NotFound, "Nobody has said how tenant %s is billed.", t)
	}
	if err != nil {
		return Customer{}, err
	}
	return all[0], nil
}

func putIssuer(ctx context.Context, tx *sql.Tx, i Issuer) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_issuers (id, legal_name, address, tax_ids, bank, footer, series, credit_series, logo, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO UPDATE SET legal_name = excluded.legal_name, address = excluded.address, tax_ids = excluded.tax_ids, bank = excluded.bank,
			footer = excluded.footer, series = excluded.series, credit_series = excluded.credit_series, logo = excluded.logo, changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
		i.ID, i.LegalName, db.JSON[Address]{V: i.Address}, db.JSON[[]TaxID]{V: i.TaxIDs}, db.JSON[Bank]{V: i.Bank}, i.Footer, i.Series, i.CreditSeries, i.Logo,
		db.Micros(i.ChangedAt), i.ChangedBy)
	return err
}

// listIssuers lists one issuer, or all where id is empty.
func listIssuers(ctx context.Context, q db.Queryer, id string) ([]Issuer, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (i Issuer, err error) {
		var (
			address db.JSON[Address]
			taxIDs  db.JSON[[]TaxID]
			bank    db.JSON[Bank]
			changed int64
		)
		err = rows.Scan(&i.ID, &i.LegalName, &address, &taxIDs, &bank, &i.Footer, &i.Series, &i.CreditSeries, &i.Logo, &changed, &i.ChangedBy)
		i.Address, i.TaxIDs, i.Bank, i.ChangedAt = address.V, taxIDs.V, bank.V, db.Time(changed)
		return i, err
	}, `SELECT id, legal_name, address, tax_ids, bank, footer, series, credit_series, logo, changed_at, changed_by
		FROM billing_issuers WHERE CAST($1 AS TEXT) = '' OR id = $1 ORDER BY id`, id)
}

func findIssuer(ctx context.Context, q db.Queryer, id string) (Issuer, error) {
	if id == "" {
		return Issuer{}, fault.New(fault.Invalid, "Say who issues the invoices. Issuers are made with: arcadia issuer set ID")
	}
	all, err := listIssuers(ctx, q, id)
	if err == nil && len(all) == 0 {
		err = fault.New(fault.NotFound, "There is no issuer %q. Those there are: arcadia issuer list. One is made with: arcadia issuer set ID", cut(id))
	}
	if err != nil {
		return Issuer{}, err
	}
	return all[0], nil
}

// subscribedCurrency is another currency than c in which a tenant has a
// subscription, "" for none.
func subscribedCurrency(ctx context.Context, q db.Queryer, t tenant.ID, c money.Currency) (other string, err error) {
	err = q.QueryRowContext(ctx, `SELECT currency FROM billing_subscriptions WHERE tenant_id = $1 AND currency <> $2 LIMIT 1`, string(t), string(c)).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return other, err
}
