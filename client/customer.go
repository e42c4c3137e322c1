package client

import (
	"context"
	"net/http"
	"net/url"
)

// An Address is where somebody has its seat.
type Address struct {
	Lines      []string `json:"lines" nullable:"false" doc:"Street and number, and what is before them."`
	PostalCode string   `json:"postal_code"`
	City       string   `json:"city"`
	Region     string   `json:"region"`
	Country    string   `json:"country" example:"DE" doc:"ISO 3166-1, two letters."`
}

// A TaxID is a number by which tax offices know somebody.
type TaxID struct {
	Type  string `json:"type" enum:"eu_vat,gb_vat,ch_vat,no_vat,us_ein,other"`
	Value string `json:"value" example:"DE136695976"`
}

// A Bank is where money is to be sent.
type Bank struct {
	Holder string `json:"holder"`
	IBAN   string `json:"iban"`
	BIC    string `json:"bic"`
	Name   string `json:"name"`
}

// A CustomerProfile is what somebody says of a customer.
type CustomerProfile struct {
	Issuer    string   `json:"issuer" doc:"The id of who sends the invoices."`
	Currency  string   `json:"currency" example:"EUR"`
	Zone      string   `json:"zone" example:"Europe/Berlin" doc:"Of all its dates."`
	LegalName string   `json:"legal_name" doc:"Empty: the tenant's name."`
	Email     string   `json:"email"`
	Address   Address  `json:"address"`
	TaxIDs    []TaxID  `json:"tax_ids" nullable:"false"`
	Taxes     []string `json:"taxes" nullable:"false" doc:"Ids of the catalog, for charges that name none. Read: those of now."`
	TaxesFrom string   `json:"taxes_from,omitempty" doc:"From when it has these taxes: a date of its zone or an instant, past or to come; left away: now. What was issued stays. No answer has it."`
	TermsDays int      `json:"terms_days" doc:"From an invoice's issue to when it is due."`
	PONumber  string   `json:"po_number"`
	Language  string   `json:"language" example:"en"`
}

// A Customer is a tenant as its invoices know it.
type Customer struct {
	TenantID  string `json:"tenant_id"`
	Tenant    string `json:"tenant" doc:"Its slug."`
	ChangedAt Time   `json:"changed_at" format:"date-time"`
	ChangedBy string `json:"changed_by"`
	CustomerProfile
	TaxChanges []TaxChange `json:"tax_changes" nullable:"false" doc:"Which taxes it has from which day on, also those to come. Before the first of them it had others, or none."`
}

// A TaxChange is which taxes a customer has from an instant on.
type TaxChange struct {
	From  Time     `json:"from" format:"date-time"`
	Taxes []string `json:"taxes" nullable:"false" doc:"Ids of the catalog."`
}

// An IssuerProfile is what somebody says of who sends invoices.
type IssuerProfile struct {
	LegalName    string  `json:"legal_name"`
	Address      Address `json:"address"`
	TaxIDs       []TaxID `json:"tax_ids" nullable:"false"`
	Bank         Bank    `json:"bank"`
	Footer       string  `json:"footer" doc:"Of each invoice."`
	Series       string  `json:"series" example:"R-" doc:"That the numbers of invoices begin with."`
	CreditSeries string  `json:"credit_series" example:"CR-" doc:"And those of credit notes."`
	Picture      *[]byte `json:"picture,omitempty" doc:"To be its logo: a PNG or JPEG of at most 512 KiB, in base64; empty: none; left away: that which it has. No answer has it."`
}

// An Issuer is who sends invoices.
type Issuer struct {
	ID        string `json:"id"`
	Logo      string `json:"logo" doc:"The SHA-256 of its picture, as it is kept; empty where it has none."`
	ChangedAt Time   `json:"changed_at" format:"date-time"`
	ChangedBy string `json:"changed_by"`
	IssuerProfile
}

// Customers lists the customers, by their tenants' slugs.
func (c *Client) Customers(ctx context.Context) (list List[Customer], err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/customers", nil, nil, nil, &list)
	return list, err
}

// Customer reads how a tenant is billed.
func (c *Client) Customer(ctx context.Context, tenant string) (got Customer, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/customers/"+url.PathEscape(tenant), nil, nil, nil, &got)
	return got, err
}

// PutCustomer says how a tenant is billed.
func (c *Client) PutCustomer(ctx context.Context, tenant string, p CustomerProfile) (got Customer, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/customers/"+url.PathEscape(tenant), nil, nil, p, &got)
	return got, err
}

// Issuers lists who sends invoices, by id.
func (c *Client) Issuers(ctx context.Context) (list List[Issuer], err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/issuers", nil, nil, nil, &list)
	return list, err
}

// PutIssuer says who sends invoices.
func (c *Client) PutIssuer(ctx context.Context, id string, p IssuerProfile) (got Issuer, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/issuers/"+url.PathEscape(id), nil, nil, p, &got)
	return got, err
}
