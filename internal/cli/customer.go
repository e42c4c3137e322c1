package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

type customerCommand struct {
	List customerListCommand `cmd:"" help:"List how tenants are billed."`
	Show customerShowCommand `cmd:"" help:"Show how a tenant is billed."`
	Set  customerSetCommand  `cmd:"" help:"Say how a tenant is billed; what is left away stays."`

	Import   importCommand `cmd:"" help:"Import tenants and how they are billed from CSV; what becomes of each line is shown first."`
	Balances importCommand `cmd:"" help:"Import what tenants owed elsewhere, or had to their credit, from CSV."`
}

type issuerCommand struct {
	List issuerListCommand `cmd:"" help:"List who sends invoices."`
	Set  issuerSetCommand  `cmd:"" help:"Say who sends invoices; what is left away stays."`
}

// partyFlags are what is said of a customer and of an issuer alike.
type partyFlags struct {
	LegalName  *string  `help:"As invoices write it."`
	Line       []string `sep:"none" help:"Street and number, and what is before them; once for each line."`
	PostalCode *string  `help:"Postal code."`
	City       *string  `help:"Town."`
	Region     *string  `help:"State or province."`
	Country    *string  `help:"Two letters, like DE."`
	TaxID      []string `name:"tax-id" sep:"none" placeholder:"KIND:VALUE" help:"A tax id, like eu_vat:DE136695976; once for each, in place of those before."`
}

func (f partyFlags) apply(name *string, a *client.Address, ids *[]client.TaxID) error {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(name, f.LegalName)
	set(&a.PostalCode, f.PostalCode)
	set(&a.City, f.City)
	set(&a.Region, f.Region)
	set(&a.Country, f.Country)
	if f.Line != nil {
		a.Lines = f.Line
	}
	if a.Lines == nil {
		a.Lines = []string{}
	}
	if f.TaxID != nil {
		*ids = nil
		for _, text := range f.TaxID {
			kind, value, ok := strings.Cut(text, ":")
			if !ok {
				return usage{fmt.Errorf("a tax id is written like eu_vat:DE136695976, not %q", text)}
			}
			*ids = append(*ids, client.TaxID{Type: kind, Value: value})
		}
	}
	if *ids == nil {
		*ids = []client.TaxID{}
	}
	return nil
}

type customerSetCommand struct {
	tenantRef
	partyFlags
	Issuer   *string  `help:"Who sends the invoices."`
	Currency *string  `help:"Of all that it buys: EUR."`
	Zone     *string  `help:"Of all its dates: Europe/Berlin."`
	Email    *string  `help:"To whom invoices go."`
	Tax      []string `help:"Taxes of the catalog, for charges that name none."`
	TaxFrom  string   `placeholder:"DATE" help:"From when it has these taxes, past or to come; now where it is left away. What was issued stays."`
	Terms    *int     `placeholder:"DAYS" help:"From an invoice's issue to when it is due."`
	PO       *string  `name:"po" placeholder:"NUMBER" help:"The customer's own number for what it orders."`
	Language *string  `help:"Of its invoices: en."`
	Yes      bool     `short:"y" help:"Do not ask, where it changes what bills come to."`
}

// Run says how a tenant is billed.
func (c *customerSetCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var before client.Customer
	err = s.read(ctx, func(cl *client.Client) (err error) {
		if before, err = cl.Customer(ctx, c.Tenant); err != nil && isNotFound(err) {
			_, err = cl.Tenant(ctx, c.Tenant) // there may be no tenant either
		}
		return err
	})
	if err != nil {
		return err
	}
	p := before.CustomerProfile
	if err := c.apply(&p.LegalName, &p.Address, &p.TaxIDs); err != nil {
		return err
	}
	for to, from := range map[*string]*string{&p.Issuer: c.Issuer, &p.Currency: c.Currency, &p.Zone: c.Zone, &p.Email: c.Email, &p.PONumber: c.PO, &p.Language: c.Language} {
		if from != nil {
			*to = *from
		}
	}
	if p.Issuer == "" || p.Currency == "" {
		return usage{fmt.Errorf("nobody has said how %s is billed yet: say at least who sends its invoices and in which currency, with --issuer and --currency. Issuers are made with: arcadia issuer set ID", c.Tenant)}
	}
	if c.Terms != nil {
		p.TermsDays = *c.Terms
	}
	if c.Tax != nil {
		p.Taxes = c.Tax
	} else if c.TaxFrom != "" {
		return usage{errors.New("--tax-from is the day from which taxes hold: say which ones with --tax")}
	}
	p.TaxesFrom = c.TaxFrom
	if p.Taxes == nil {
		p.Taxes = []string{}
	}
	if changes := billed(before.CustomerProfile, p); before.Tenant != "" && len(changes) > 0 {
		if !c.Yes {
			for _, change := range changes {
				r.say("%s", change)
			}
		}
		if err := r.confirm(c.Yes, "Change how %s is billed?", c.Tenant); err != nil {
			return err
		}
	}
	var got client.Customer
	err = s.write(ctx, func(cl *client.Client) (err error) {
		got, err = cl.PutCustomer(ctx, c.Tenant, p)
		return err
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(got)
	}
	r.showCustomer(got)
	return nil
}

// billed says what of a profile is different that bills hang on.
func billed(before, p client.CustomerProfile) (changes []string) {
	for _, f := range []struct{ is, was, what string }{
		{p.Currency, before.Currency, "What it subscribes to from now on is in %[2]s, and was in %[1]s."},
		{p.Zone, before.Zone, "The days of what it subscribes to from now on are those of %[2]s, and were those of %[1]s."},
		{p.Issuer, before.Issuer, "What is issued from now on is from %[2]s, and was from %[1]s."},
	} {
		if f.is != f.was {
			changes = append(changes, fmt.Sprintf(f.what, orDash(f.was), orDash(f.is)))
		}
	}
	if is, was := strings.Join(p.Taxes, ", "), strings.Join(before.Taxes, ", "); is != was || p.TaxesFrom != "" {
		changes = append(changes, fmt.Sprintf("Service from %s on bears the taxes %s, and bore %s: also that of its subscriptions which have the customer's. What was issued stays.",
			cmp.Or(p.TaxesFrom, "now"), orDash(is), orDash(was)))
	}
	return changes
}

func isNotFound(err error) bool { return asProblem(err).Code == "not_found" }

type customerShowCommand struct{ tenantRef }

// Run shows how a tenant is billed.
func (c *customerShowCommand) Run(ctx context.Context, r *runner) error {
	got, err := fetch(ctx, r, func(cl *client.Client) (client.Customer, error) { return cl.Customer(ctx, c.Tenant) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(got)
	}
	r.showCustomer(got)
	return nil
}

func (r *runner) showCustomer(c client.Customer) {
	r.say("%s: %s, billed in %s by %s, due within %s", c.Tenant, c.LegalName, c.Currency, c.Issuer, plural(c.TermsDays, "day"))
	r.say("Dates are those of %s; invoices are in %s.", c.Zone, c.Language)
	if text := addressLine(c.Address); text != "" {
		r.say("Address: %s", text)
	}
	for _, id := range c.TaxIDs {
		r.say("Tax id: %s %s", id.Type, id.Value)
	}
	if len(c.Taxes) > 0 {
		r.say("Taxes: %s", strings.Join(c.Taxes, ", "))
	}
	for _, x := range c.TaxChanges {
		if x.From.After(time.Now()) {
			r.say("Taxes from %s on: %s", period.DayIn(x.From.Time, c.Zone), cmp.Or(strings.Join(x.Taxes, ", "), "none"))
		}
	}
	if c.Email != "" {
		r.say("Mail: %s", c.Email)
	}
	if c.PONumber != "" {
		r.say("Order number: %s", c.PONumber)
	}
}

func addressLine(a client.Address) string {
	parts := append([]string{}, a.Lines...)
	parts = append(parts, strings.TrimSpace(a.PostalCode+" "+a.City), a.Region, a.Country)
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, ", ")
}

type customerListCommand struct{}

// Run lists customers.
func (*customerListCommand) Run(ctx context.Context, r *runner) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Customer], error) { return cl.Customers(ctx) })
	if err != nil {
		return err
	}
	return listing(r, list, list.Items,
		"Nobody is billed yet. Say how a tenant is with: arcadia customer set TENANT --issuer ID --currency EUR",
		"TENANT|LEGAL NAME|CURRENCY|ZONE|ISSUER|TERMS", func(c client.Customer) []string {
			return []string{c.Tenant, c.LegalName, c.Currency, c.Zone, c.Issuer, plural(c.TermsDays, "day")}
		})
}

type issuerSetCommand struct {
	ID string `arg:"" help:"How commands name it: lower-case letters, digits and dashes."`
	partyFlags
	IBAN         *string `name:"iban" help:"Where money is to be sent."`
	BIC          *string `name:"bic" help:"The bank's code."`
	Bank         *string `help:"The bank's name."`
	Holder       *string `help:"Whose account it is."`
	Footer       *string `help:"Of each invoice."`
	Series       *string `help:"That the numbers of invoices begin with: R-."`
	CreditSeries *string `help:"That the numbers of credit notes begin with."`
	Logo         string  `xor:"logo" placeholder:"FILE" help:"A PNG or JPEG that stands on its documents, at most 512 KiB."`
	NoLogo       bool    `xor:"logo" help:"No logo any more; documents that were issued keep theirs."`
}

// Run says who sends invoices.
func (c *issuerSetCommand) Run(ctx context.Context, r *runner) (err error) {
	var picture *[]byte
	switch {
	case c.NoLogo:
		picture = &[]byte{}
	case c.Logo != "":
		file, err := r.readFile(c.Logo)
		if err != nil {
			return err
		}
		if len(file) == 0 {
			return usage{fmt.Errorf("%s is empty", c.Logo)}
		}
		picture = &file
	}
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var list client.List[client.Issuer]
	err = s.read(ctx, func(cl *client.Client) (err error) {
		list, err = cl.Issuers(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var p client.IssuerProfile
	for _, i := range list.Items {
		if i.ID == c.ID {
			p = i.IssuerProfile
		}
	}
	if err := c.apply(&p.LegalName, &p.Address, &p.TaxIDs); err != nil {
		return err
	}
	for to, from := range map[*string]*string{&p.Bank.IBAN: c.IBAN, &p.Bank.BIC: c.BIC, &p.Bank.Name: c.Bank, &p.Bank.Holder: c.Holder, &p.Footer: c.Footer,
		&p.Series: c.Series, &p.CreditSeries: c.CreditSeries} {
		if from != nil {
			*to = *from
		}
	}
	p.Picture = picture
	var got client.Issuer
	err = s.write(ctx, func(cl *client.Client) (err error) {
		got, err = cl.PutIssuer(ctx, c.ID, p)
		return err
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(got)
	}
	r.say("%s: %s. Its invoices are %s1 and so on, its credit notes %s1.", got.ID, got.LegalName, got.Series, got.CreditSeries)
	if picture != nil {
		r.say(map[bool]string{true: "Its logo stands on what is issued from now on.", false: "What is issued from now on has no logo."}[got.Logo != ""])
	}
	return nil
}

type issuerListCommand struct{}

// Run lists issuers.
func (*issuerListCommand) Run(ctx context.Context, r *runner) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Issuer], error) { return cl.Issuers(ctx) })
	if err != nil {
		return err
	}
	return listing(r, list, list.Items,
		"Nobody sends invoices yet. Say who with: arcadia issuer set ID --legal-name NAME",
		"ISSUER|LEGAL NAME|ADDRESS|SERIES|CREDIT NOTES|IBAN|LOGO", func(i client.Issuer) []string {
			return []string{i.ID, i.LegalName, orDash(addressLine(i.Address)), i.Series, i.CreditSeries, orDash(i.Bank.IBAN), map[bool]string{true: "yes", false: "–"}[i.Logo != ""]}
		})
}
