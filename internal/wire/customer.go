package wire

import (
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// Customer is a tenant as its invoices know it at an instant.
func Customer(c billing.Customer, at time.Time) client.Customer {
	changes := make([]client.TaxChange, len(c.TaxChanges))
	for i, x := range c.TaxChanges {
		changes[i] = client.TaxChange{From: client.Time{Time: x.From}, Taxes: present(x.IDs)}
	}
	return client.Customer{
		TaxChanges: changes,
		TenantID:   string(c.Tenant), Tenant: c.Slug, ChangedAt: client.Time{Time: c.ChangedAt}, ChangedBy: c.ChangedBy,
		CustomerProfile: client.CustomerProfile{
			Issuer: c.Issuer, Currency: string(c.Currency), Zone: c.Zone, LegalName: c.LegalName, Email: c.Email, Address: client.Address(c.Address),
			TaxIDs: taxIDs[client.TaxID](c.TaxIDs), Taxes: present(c.TaxesAt(at)), TermsDays: c.TermsDays, PONumber: c.PONumber, Language: c.Language,
		},
	}
}

// CustomerProfile is what a request says of a customer.
func CustomerProfile(p client.CustomerProfile) billing.Profile {
	return billing.Profile{
		Issuer: p.Issuer, Currency: money.Currency(p.Currency), Zone: p.Zone, LegalName: p.LegalName, Email: p.Email, Address: billing.Address(p.Address),
		TaxIDs: taxIDs[billing.TaxID](p.TaxIDs), Taxes: p.Taxes, TaxesFrom: p.TaxesFrom, TermsDays: p.TermsDays, PONumber: p.PONumber, Language: p.Language,
	}
}

// Issuer is who sends invoices.
func Issuer(i billing.Issuer) client.Issuer {
	return client.Issuer{
		ID: i.ID, Logo: i.Logo, ChangedAt: client.Time{Time: i.ChangedAt}, ChangedBy: i.ChangedBy,
		IssuerProfile: client.IssuerProfile{
			LegalName: i.LegalName, Address: client.Address(i.Address), TaxIDs: taxIDs[client.TaxID](i.TaxIDs), Bank: client.Bank(i.Bank),
			Footer: i.Footer, Series: i.Series, CreditSeries: i.CreditSeries,
		},
	}
}

// IssuerProfile is what a request says of an issuer.
func IssuerProfile(id string, p client.IssuerProfile) billing.Issuer {
	return billing.Issuer{
		ID: id, LegalName: p.LegalName, Address: billing.Address(p.Address), TaxIDs: taxIDs[billing.TaxID](p.TaxIDs), Bank: billing.Bank(p.Bank),
		Footer: p.Footer, Series: p.Series, CreditSeries: p.CreditSeries, Picture: p.Picture,
	}
}

// taxIDs are the same numbers in the other package's type.
func taxIDs[To, From client.TaxID | billing.TaxID](from []From) []To {
	to := make([]To, len(from))
	for i, id := range from {
		to[i] = To(id)
	}
	return to
}
