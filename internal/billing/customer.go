package billing

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Customer is a tenant as its invoices know it.
type Customer struct {
	Tenant    tenant.ID
	Slug      string
	ChangedAt time.Time
	ChangedBy string
	Profile   // its Taxes are those before TaxChanges

	TaxChanges []TaxChange // by their days
}

// A Profile is what somebody says of a customer.
type Profile struct {
	Issuer    string         // the id of who sends the invoices
	Currency  money.Currency // of all that it buys
	Zone      string         // of all its dates; empty: UTC
	LegalName string         // empty: the tenant's name
	Email     string         // to whom invoices go
	Address   Address
	TaxIDs    []TaxID
	Taxes     []string // ids of the catalog, for charges that name none
	TaxesFrom string   // from when these hold, of what is put: a date or an instant, past or to come; empty: now
	TermsDays int      // from an invoice's issue to when it is due, 0 to 365
	PONumber  string   // the customer's own number for what it orders
	Language  string   // of its invoices: en, de, fr; empty: en
}

var (
	emailForm    = regexp.MustCompile(`^[^\s@]+@[^\s@]+\.[^\s@]+$`)
	languageForm = regexp.MustCompile(`^[a-z]{2}(-[A-Z]{2})?$`)
)

// tidy is the profile as it is kept, or why it cannot be.
func (p Profile) tidy() (Profile, error) {
	var err error
	if p.Currency, err = money.ParseCurrency(string(p.Currency)); err != nil {
		return p, err
	}
	if p.Zone == "" {
		p.Zone = "UTC"
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "Local" {
		return p, fault.New(fault.Invalid, "%q is no time zone. One is written like Europe/Berlin.", cut(p.Zone))
	}
	if p.Language == "" {
		p.Language = "en"
	}
	p.Email = strings.TrimSpace(p.Email)
	switch {
	case !languageForm.MatchString(p.Language):
		return p, fault.New(fault.Invalid, "%q is no language. One is written like en or de.", cut(p.Language))
	case p.Email != "" && (!emailForm.MatchString(p.Email) || len(p.Email) > 254):
		return p, fault.New(fault.Invalid, "%q is no address for mail.", cut(p.Email))
	case p.TermsDays < 0 || p.TermsDays > 365:
		return p, fault.New(fault.Invalid, "Invoices are due within 0 to 365 days, not %d.", p.TermsDays)
	}
	if err := checkTexts(named{"legal name", &p.LegalName, 200}, named{"order number", &p.PONumber, 100}); err != nil {
		return p, err
	}
	if p.Address, err = p.Address.tidy(); err != nil {
		return p, err
	}
	if p.TaxIDs, err = tidyTaxIDs(p.TaxIDs); err != nil {
		return p, err
	}
	if p.Taxes == nil {
		p.Taxes = []string{}
	}
	return p, nil
}

// PutCustomer says how a tenant, named by slug or id, is billed, in place of what was
// said before. Invoices that were issued stay as they are; subscriptions that had the
// customer's taxes have the new ones for what has its tax point from then on and was not
// issued. It answers fault.NotFound
// for no tenant, fault.Invalid for what cannot be, and fault.Conflict for another
// currency than that of the customer's subscriptions.
func (s *Service) PutCustomer(ctx context.Context, ref string, p Profile, by string, at time.Time) (Customer, error) {
	p, err := p.tidy()
	if err != nil {
		return Customer{}, err
	}
	t, err := s.tenants.Tenant(ctx, ref)
	if err != nil {
		return Customer{}, err
	}
	if p.LegalName == "" {
		p.LegalName = t.Name
	}
	c := Customer{Tenant: t.ID, Slug: t.Slug, ChangedAt: micros(at), ChangedBy: by}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		c.Profile = p
		before, err := findCustomer(ctx, tx, c.Tenant)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		return c.put(ctx, tx, before)
	})
	return c, err
}

// put says how a tenant is billed, in place of what was said before; zero: nothing.
func (c *Customer) put(ctx context.Context, tx *sql.Tx, before Customer) error {
	if err := checkCustomer(ctx, tx, *c); err != nil {
		return err
	}
	from, err := c.dateTaxes(before)
	if err != nil {
		return err
	}
	if err := putCustomer(ctx, tx, *c); err != nil {
		return err
	}
	return retax(ctx, tx, before, *c, from)
}

// checkCustomer refuses what does not go with what there is.
func checkCustomer(ctx context.Context, tx *sql.Tx, c Customer) error {
	if _, err := findIssuer(ctx, tx, c.Issuer); err != nil {
		return inColumn("issuer", err)
	}
	if err := checkTaxes(ctx, tx, c.Currency, c.Taxes); err != nil {
		return inColumn("taxes", err)
	}
	other, err := subscribedCurrency(ctx, tx, c.Tenant, c.Currency)
	if err == nil && other != "" {
		err = fault.New(fault.Conflict, "Tenant %s has subscriptions in %s: its currency stays.", c.Slug, other)
	}
	return inColumn("currency", err)
}

// checkTaxes refuses taxes that the catalog does not have.
func checkTaxes(ctx context.Context, tx *sql.Tx, c money.Currency, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	entries, err := listEntries(ctx, tx, c)
	if err != nil {
		return err
	}
	catalog, err := catalogOf(ctx, tx, c, entries)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !catalog.hasTax(id) {
			return fault.New(fault.Invalid, "There is no tax %q. The catalog has %s.", cut(id), names(catalog.Taxes, func(t TaxRate) string { return t.ID }))
		}
	}
	return nil
}

// Customer is how a tenant, named by slug or id, is billed; fault.NotFound where
// nobody has said so yet.
func (s *Service) Customer(ctx context.Context, ref string) (Customer, error) {
	t, err := s.tenants.Tenant(ctx, ref)
	if err != nil {
		return Customer{}, err
	}
	c, err := findCustomer(ctx, s.db.Read(), t.ID)
	c.Slug = t.Slug
	return c, unbilled(err, t.Slug)
}

// unbilled says what to do about a tenant that is no customer.
func unbilled(err error, slug string) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "Nobody has said how tenant %s is billed. Say it with: arcadia customer set %s --issuer ID --currency EUR", slug, slug)
	}
	return err
}

// Customers are all of them, by their tenants' slugs.
func (s *Service) Customers(ctx context.Context) ([]Customer, error) {
	tenants, err := s.tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	all, err := listCustomers(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	byID := make(map[tenant.ID]Customer, len(all))
	for _, c := range all {
		byID[c.Tenant] = c
	}
	customers := []Customer{}
	for _, t := range tenants {
		if c, ok := byID[t.ID]; ok {
			c.Slug = t.Slug
			customers = append(customers, c)
		}
	}
	return customers, nil
}

// An Issuer is who sends invoices: a legal entity with its bank and its numbers.
type Issuer struct {
	ID           string
	LegalName    string
	Address      Address
	TaxIDs       []TaxID
	Bank         Bank
	Footer       string // of each invoice
	Series       string // that the numbers of invoices begin with
	CreditSeries string // and those of credit notes
	Logo         string // the hash of its picture; empty: none
	ChangedAt    time.Time
	ChangedBy    string

	Picture *[]byte // to be its logo, PNG or JPEG; nil: that which it has; empty: none
}

var (
	issuerForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	seriesForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9./-]{0,19}$`)
)

func (i Issuer) tidy() (Issuer, error) {
	var err error
	if i.Series == "" {
		i.Series = strings.ToUpper(i.ID) + "-"
	}
	if i.CreditSeries == "" {
		i.CreditSeries = "C" + i.Series
	}
	switch {
	case !issuerForm.MatchString(i.ID):
		return i, fault.New(fault.Invalid, "%q is no id: it has 1 to 63 lower-case letters, digits and dashes.", cut(i.ID))
	case !seriesForm.MatchString(i.Series) || !seriesForm.MatchString(i.CreditSeries):
		return i, fault.New(fault.Invalid, "A series is 1 to 20 letters, digits, dots, slashes and dashes, like R-.")
	case isTestSeries(i.Series) || isTestSeries(i.CreditSeries):
		return i, fault.New(fault.Invalid, "Series that begin with %s are those of test documents: choose another.", testSeries)
	case i.Series == i.CreditSeries:
		return i, fault.New(fault.Invalid, "Credit notes need a series of their own: %s is that of the invoices.", i.Series)
	}
	if err := checkTexts(named{"legal name", &i.LegalName, 200}, named{"footer", &i.Footer, 500}); err != nil {
		return i, err
	}
	if i.LegalName == "" {
		return i, fault.New(fault.Invalid, "An issuer has a legal name: invoices must say who sends them.")
	}
	if i.Address, err = i.Address.tidy(); err != nil {
		return i, err
	}
	if i.TaxIDs, err = tidyTaxIDs(i.TaxIDs); err != nil {
		return i, err
	}
	i.Bank, err = i.Bank.tidy()
	return i, err
}

// PutIssuer says who sends invoices, in place of what was said of it before. The series
// of another issuer is a fault of kind Conflict.
func (s *Service) PutIssuer(ctx context.Context, i Issuer, by string, at time.Time) (Issuer, error) {
	i, err := i.tidy()
	if err != nil {
		return i, err
	}
	i.ChangedAt, i.ChangedBy = micros(at), by
	var logo []byte
	if i.Picture != nil && len(*i.Picture) > 0 {
		if logo, err = readLogo(*i.Picture); err != nil {
			return i, err
		}
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		all, err := listIssuers(ctx, tx, "")
		if err != nil {
			return err
		}
		i.Logo = ""
		for _, other := range all {
			if other.ID == i.ID && i.Picture == nil {
				i.Logo = other.Logo
			}
			for _, series := range []string{other.Series, other.CreditSeries} {
				if other.ID != i.ID && (series == i.Series || series == i.CreditSeries) {
					return fault.New(fault.Conflict, "The series %s is that of %s. A number says one invoice: choose another.", series, other.ID)
				}
			}
		}
		if logo != nil {
			if i.Logo, err = putLogo(ctx, tx, logo, i); err != nil {
				return err
			}
		}
		return putIssuer(ctx, tx, i)
	})
	return i, err
}

// Issuers are all of them, by id.
func (s *Service) Issuers(ctx context.Context) ([]Issuer, error) {
	return listIssuers(ctx, s.db.Read(), "")
}

// tenantOf is the id of a tenant, slug or id, empty for an empty ref.
func (s *Service) tenantOf(ctx context.Context, ref string) (tenant.ID, error) {
	if ref == "" {
		return "", nil
	}
	t, err := s.tenants.Tenant(ctx, ref)
	return t.ID, err
}
