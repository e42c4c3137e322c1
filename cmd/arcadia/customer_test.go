package main_test

import (
	"strings"
	"testing"
)

// A customer is said once, and later only what is different.
func TestCustomersFromTheCommandLine(t *testing.T) {
	h := newHouse(t)
	h.run(t, "tenant", "add", "acme").want(t, 0)
	if said := h.run(t, "customer", "set", "acme", "--currency", "EUR").want(t, 2).err; !strings.Contains(said, "arcadia issuer set") {
		t.Errorf("without an issuer: %s", said)
	}
	h.run(t, "issuer", "set", "main", "--legal-name", "Host GmbH", "--iban", "DE89370400440532013000", "--series", "R-").want(t, 0)
	h.run(t, "customer", "set", "acme", "--issuer", "main", "--currency", "EUR", "--zone", "Europe/Berlin", "--line", "Hauptstr. 1, Hof", "--city", "Berlin").want(t, 0)
	h.run(t, "customer", "set", "acme", "--terms", "14", "--tax-id", "eu_vat:DE136695976").want(t, 0)
	said := h.run(t, "customer", "show", "acme").want(t, 0).out
	for _, want := range []string{"billed in EUR by main, due within 14 days", "Hauptstr. 1, Hof, Berlin", "eu_vat DE136695976"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in: %s", want, said)
		}
	}
	h.run(t, "customer", "set", "nosuch", "--terms", "14").want(t, 1)
	h.run(t, "customer", "set", "acme", "--tax-id", "eu_vat:DE136695975").want(t, 2)
}
