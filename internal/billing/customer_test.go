package billing

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

var seat = Address{Lines: []string{"Hauptstr. 1"}, PostalCode: "10115", City: "Berlin", Country: "DE"}

// customer makes the issuer main, and the tenant acme a customer of it.
func customer(t *testing.T, d *db.DB, s *Service) Customer {
	t.Helper()
	_, err := s.PutIssuer(t.Context(), Issuer{ID: "main", LegalName: "Host GmbH", Address: seat, Series: "R-"}, "test", noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "acme", Name: "Acme"}, noon); err != nil {
		t.Fatal(err)
	}
	c, err := s.PutCustomer(t.Context(), "acme", Profile{Issuer: "main", Currency: "EUR", Zone: "Europe/Berlin", Address: seat, TermsDays: 14}, "test", noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCustomersAndIssuers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := New(d, nil, nil)
		apply(t, s, plans, noon)
		put := customer(t, d, s)
		got, err := s.Customer(t.Context(), "acme")
		if diff := cmp.Diff(put, got); err != nil || diff != "" || got.LegalName != "Acme" {
			t.Errorf("read back: %v, %s", err, diff)
		}
		issuers, err := s.Issuers(t.Context())
		if err != nil || len(issuers) != 1 || issuers[0].CreditSeries != "CR-" {
			t.Errorf("issuers: %+v, %v", issuers, err)
		}
		if _, err := s.PutIssuer(t.Context(), Issuer{ID: "two", LegalName: "Two", Series: "CR-"}, "test", noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("another's series: %v", err)
		}
		for name, p := range map[string]Profile{
			"no currency": {Issuer: "main"},
			"no zone":     {Issuer: "main", Currency: "EUR", Zone: "Berlin"},
			"no tax":      {Issuer: "main", Currency: "EUR", Taxes: []string{"nosuch"}},
			"no country":  {Issuer: "main", Currency: "EUR", Address: Address{Country: "Germany"}},
			"no mail":     {Issuer: "main", Currency: "EUR", Email: "a b@c.example"},
			"no issuer":   {Currency: "EUR"},
			"no terms":    {Issuer: "main", Currency: "EUR", TermsDays: -1},
		} {
			if _, err := s.PutCustomer(t.Context(), "acme", p, "test", noon); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if again, err := s.Customer(t.Context(), "acme"); err != nil || !cmp.Equal(again, got) {
			t.Errorf("what was refused has changed something: %+v, %v", again, err)
		}
	})
}

// The numbers are examples of tax offices and banks, and of them with a wrong digit.
func TestTaxIDsAndBanks(t *testing.T) {
	for _, tt := range []struct {
		kind, value string
		ok          bool
	}{
		{"eu_vat", "DE136695976", true}, {"eu_vat", "de 136 695 976", true}, {"eu_vat", "DE136695975", false}, {"eu_vat", "ATU12345678", true},
		{"eu_vat", "GR123456789", false}, {"eu_vat", "EL123456789", true}, {"eu_vat", "NL123456789B01", true}, {"eu_vat", "FR12345678901", true},
		{"gb_vat", "GB123456789", true}, {"gb_vat", "123456789", false}, {"ch_vat", "CHE-123.456.788 MWST", true}, {"us_ein", "12-3456789", true},
		{"us_ein", "123456", false}, {"vat", "1", false}, {"other", "", false},
	} {
		if _, err := (TaxID{tt.kind, tt.value}).tidy(); (err == nil) != tt.ok {
			t.Errorf("%s %s: %v, want ok: %t", tt.kind, tt.value, err, tt.ok)
		}
	}
	for iban, ok := range map[string]bool{"DE89 3704 0044 0532 0130 00": true, "GB29NWBK60161331926819": true, "DE88370400440532013000": false, "DE89": false, "": true} {
		if _, err := (Bank{IBAN: iban}).tidy(); (err == nil) != ok {
			t.Errorf("IBAN %q: %v, want ok: %t", iban, err, ok)
		}
	}
}

// A number that is kept is kept as it is, however it was typed, and never runs on into
// something else on an invoice.
func FuzzTaxID(f *testing.F) {
	for kind := range taxIDForms {
		f.Add(kind, "DE 136.695-976")
	}
	f.Add("us_ein", "12-3456789")
	f.Add("eu_vat", "de\u0131136695976")
	f.Fuzz(func(t *testing.T, kind, value string) {
		if kept, err := (TaxID{kind, value}).tidy(); err == nil {
			if again, err := kept.tidy(); err != nil || again != kept {
				t.Fatalf("%+v is kept as %+v, and that as %+v, %v", value, kept, again, err)
			}
			if typed, err := (TaxID{kind, " " + strings.ToLower(kept.Value) + "."}).tidy(); err != nil || typed != kept {
				t.Fatalf("%q typed small is %+v, %v", kept.Value, typed, err)
			}
			if strings.ContainsFunc(kept.Value, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Fatalf("%q is kept", kept.Value)
			}
		}
		if bank, err := (Bank{IBAN: value}).tidy(); err == nil {
			if again, err := bank.tidy(); err != nil || again != bank {
				t.Fatalf("IBAN %q is kept as %+v, and that as %+v, %v", value, bank, again, err)
			}
		}
	})
}
