package cli

import (
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
)

// What a rate takes the place of is said before it is set.
func TestARateSaysWhatItReplaces(t *testing.T) {
	rates := []client.Rate{{Pair: "USD/EUR", From: "2026-10-01", Rate: "0.9"}, {Pair: "USD/EUR", From: "2026-08-01", Rate: "0.8"}}
	for from, want := range map[string]string{
		"2026-07-01": "no rate before 2026-07-01. What ends from then on, and before 2026-08-01,",
		"2026-09-01": "USD/EUR is 0.8 since 2026-08-01. What ends from 2026-09-01 on, and before 2026-10-01,",
		"2026-10-01": "was to be 0.9. What ends on that day or later, until another is set,",
		"2026-11-01": "USD/EUR is 0.9 since 2026-10-01. What ends from 2026-11-01 on, until another is set,",
	} {
		c := fxSetCommand{Pair: "USD/EUR", Rate: "0.95", From: from}
		if got := c.replaces(rates); !strings.Contains(got, want) || !strings.Contains(got, "0.95") {
			t.Errorf("from %s: %s", from, got)
		}
	}
}

// What bills hang on is said before it changes, and nothing else.
func TestACustomerSaysWhatChangesOnBills(t *testing.T) {
	before := client.CustomerProfile{Issuer: "main", Currency: "EUR", Zone: "UTC", Taxes: []string{"vat"}}
	p := before
	p.Email, p.TermsDays = "a@b.example", 14
	if got := billed(before, p); len(got) != 0 {
		t.Errorf("%q", got)
	}
	p.Taxes, p.Zone = []string{}, "Europe/Berlin"
	got := strings.Join(billed(before, p), "\n")
	if !strings.Contains(got, "those of Europe/Berlin, and were those of UTC") || !strings.Contains(got, "the taxes –, and bore vat") {
		t.Errorf("%s", got)
	}
}
