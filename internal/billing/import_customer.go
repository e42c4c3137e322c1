package billing

import (
	"context"
	"database/sql"
	"reflect"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// profileColumns are what a file says of how a customer is billed. A column that the
// file does not have stays as it was; a cell that is empty empties it.
var profileColumns = []struct {
	name string
	put  func(p *Profile, text string) error
}{
	{"issuer", func(p *Profile, text string) error { p.Issuer = text; return nil }},
	{"zone", func(p *Profile, text string) error { p.Zone = text; return nil }},
	{"legal_name", func(p *Profile, text string) error { p.LegalName = text; return nil }},
	{"email", func(p *Profile, text string) error { p.Email = text; return nil }},
	{"postal_code", func(p *Profile, text string) error { p.Address.PostalCode = text; return nil }},
	{"city", func(p *Profile, text string) error { p.Address.City = text; return nil }},
	{"region", func(p *Profile, text string) error { p.Address.Region = text; return nil }},
	{"country", func(p *Profile, text string) error { p.Address.Country = text; return nil }},
	{"po_number", func(p *Profile, text string) error { p.PONumber = text; return nil }},
	{"language", func(p *Profile, text string) error { p.Language = text; return nil }},
	{"line1", putLine}, {"line2", putLine}, {"line3", putLine}, {"line4", putLine},
	{"tax_ids", func(p *Profile, text string) error {
		p.TaxIDs = nil
		for _, one := range strings.FieldsFunc(text, func(c rune) bool { return c == ';' }) {
			kind, value, ok := strings.Cut(strings.TrimSpace(one), ":")
			if !ok {
				return fault.New(fault.Invalid, "A tax id is written like eu_vat:DE136695976, not %q.", cut(one))
			}
			p.TaxIDs = append(p.TaxIDs, TaxID{kind, value})
		}
		return nil
	}},
	{"terms_days", func(p *Profile, text string) (err error) {
		if p.TermsDays = 0; text != "" {
			if p.TermsDays, err = strconv.Atoi(text); err != nil {
				return fault.New(fault.Invalid, "%q is no number of days.", cut(text))
			}
		}
		return nil
	}},
}

func putLine(p *Profile, text string) error {
	p.Address.Lines = append(p.Address.Lines, text)
	return nil
}

// importCustomers adds tenants and how they are billed, and changes what is different.
func (s *Service) importCustomers(ctx context.Context, tx *sql.Tx, m *importing) error {
	rows := make([]tenant.Row, len(m.rows))
	for n, r := range m.rows {
		m.lines[n].Name = r.text("slug")
		rows[n] = tenant.Row{Entry: tenant.Entry{Slug: r.text("slug"), Name: r.text("name"), Contact: r.text("contact")}, Line: r.Line, Blank: !r.has("contact")}
		name, contact := rows[n].Name, rows[n].Contact
		for column, err := range map[string]error{"name": checkTexts(named{"name", &name, 200}), "contact": checkTexts(named{"contact", &contact, 200})} {
			if err := r.blame(column, err); err != nil {
				return err
			}
		}
	}
	done, err := s.tenants.ImportTx(ctx, tx, rows, m.at)
	if err != nil {
		return err
	}
	all, err := listCustomers(ctx, tx, "")
	if err != nil {
		return err
	}
	customers := make(map[tenant.ID]Customer, len(all))
	for _, c := range all {
		customers[c.Tenant] = c
	}
	for n, r := range m.rows {
		o := done.Outcomes[n]
		if o.Action == tenant.Refused && len(r.Problems) == 0 {
			r.refuse("slug", "%s", o.Why)
		}
		before, there := customers[o.Tenant.ID]
		if err := s.importCustomer(ctx, tx, m, n, o, before, there && o.Action != tenant.Refused); err != nil {
			return err
		}
	}
	return nil
}

// importCustomer says how the tenant of a row is billed. What is wrong with each cell is
// found by itself, so that all of it is told at once.
func (s *Service) importCustomer(ctx context.Context, tx *sql.Tx, m *importing, n int, o tenant.Outcome, before Customer, there bool) error {
	r, l := m.rows[n], &m.lines[n]
	now := before.Profile
	now.Taxes = before.TaxesAt(m.at)
	p := now
	if r.has("line1") || r.has("line2") || r.has("line3") || r.has("line4") {
		p.Address.Lines = nil
	}
	for _, c := range profileColumns {
		if !r.has(c.name) {
			continue
		}
		probe := Profile{Currency: "EUR"}
		err := c.put(&probe, r.text(c.name))
		if err == nil {
			_, err = probe.tidy()
		}
		if err == nil {
			err = c.put(&p, r.text(c.name))
		}
		if err := r.blame(c.name, err); err != nil {
			return err
		}
	}
	if text := r.text("currency"); r.has("currency") {
		var err error
		if p.Currency, err = money.ParseCurrency(text); err != nil {
			r.refuse("currency", "%s", fault.Message(err))
		}
	}
	if r.has("taxes") {
		p.Taxes = r.list("taxes")
	}
	if p.Currency == "" && !r.has("currency") {
		r.refuse("currency", "Nobody has said in what currency %s is billed: the file needs this column.", r.text("slug"))
	}
	if len(r.Problems) > 0 {
		return nil
	}
	p, err := p.tidy()
	if err != nil {
		return r.blame("", err)
	}
	if p.LegalName == "" {
		p.LegalName = o.Tenant.Name
	}
	c := Customer{Tenant: o.Tenant.ID, Slug: o.Tenant.Slug, ChangedAt: m.at, ChangedBy: m.by, Profile: p}
	l.Subject = string(o.Tenant.ID)
	same := there && reflect.DeepEqual(p, now)
	if !same {
		if err := c.put(ctx, tx, before); err != nil {
			return r.blame("", err)
		}
	}
	switch {
	case !there:
		l.Action, l.What = ImportAdded, "customer of tenant "+o.Tenant.Slug
		if o.Action == tenant.Added {
			l.What = "tenant and customer"
		}
	case same && o.Action == tenant.Unchanged:
		l.Action = ImportUnchanged
	default:
		l.Action, l.What = ImportChanged, strings.Join(differences(now, p, o), ", ")
	}
	return nil
}

// differences are what an import changes, by the names of its columns.
func differences(a, b Profile, o tenant.Outcome) (all []string) {
	if o.Action == tenant.Changed {
		all = append(all, o.Why)
	}
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"issuer", a.Issuer, b.Issuer}, {"currency", a.Currency, b.Currency}, {"zone", a.Zone, b.Zone}, {"legal name", a.LegalName, b.LegalName}, {"email", a.Email, b.Email},
		{"address", a.Address, b.Address}, {"tax ids", a.TaxIDs, b.TaxIDs}, {"taxes", a.Taxes, b.Taxes}, {"terms", a.TermsDays, b.TermsDays},
		{"order number", a.PONumber, b.PONumber}, {"language", a.Language, b.Language},
	} {
		if !reflect.DeepEqual(f.a, f.b) {
			all = append(all, f.name)
		}
	}
	return all
}
