package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// What is no rate is refused before anything is shown or asked.
func TestARateIsCheckedBeforeAnybodyIsAsked(t *testing.T) {
	for _, tt := range []struct{ pair, rate, from, want string }{
		{"USD/XXQ", "0.9", "2026-10-01", `"XXQ" is no currency`}, {"usd/usd", "0.9", "2026-10-01", "one of the two is the US dollar"},
		{"EUR/GBP", "0.9", "2026-10-01", "one of the two is the US dollar"}, {"USD", "0.9", "2026-10-01", "is no currency"},
		{"USD/EUR/X", "0.9", "2026-10-01", "is no currency"}, {"USD/EUR", "0,9", "2026-10-01", "RATE is a decimal"},
		{"USD/EUR", "-1", "2026-10-01", "RATE is a decimal"}, {"USD/EUR", "0.9", "1 October", "--from is a day"},
	} {
		c := fxSetCommand{Pair: tt.pair, Rate: tt.rate, From: tt.from}
		if _, err := c.check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", c, err, tt.want)
		}
	}
	for _, pair := range []string{"usd/eur", "EUR/USD"} {
		c := fxSetCommand{Pair: pair, Rate: "0.9", From: "2026-10-01"}
		if other, err := c.check(); other != "EUR" || err != nil {
			t.Errorf("%s: %s, %v", pair, other, err)
		}
	}
}

// Lifetimes of the resources with the longest names fit a terminal of 132 columns.
func TestLifetimesFitATerminal(t *testing.T) {
	at := client.Time{Time: time.Date(2026, 11, 15, 14, 28, 50, 0, time.UTC)}
	price, slug := "121.8", "lumen-analytics"
	var out strings.Builder
	err := table(&out, "RESOURCE|TENANT|SIZE|USD/MONTH|FROM|TO", lifetimeRows([]client.Lifetime{{
		URN: "do:database_replica:3bbcafa9-e1ac-4902-b0dd-22c1dc32ef3a", Tenant: &slug, Size: "v1/insights/droplet/cpu", PriceMonthly: &price,
		From: client.Instant{At: &at}, To: client.Instant{},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 132 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if got := out.String(); !strings.Contains(got, "≤ 2026-11-15 14:28:50") || !strings.Contains(got, "v1/insights/dro…") {
		t.Errorf("%s", got)
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
	if !strings.Contains(got, "those of Europe/Berlin, and were those of UTC") || !strings.Contains(got, "from now on bears the taxes –, and bore vat") {
		t.Errorf("%s", got)
	}
	p = before
	p.TaxesFrom = "2026-12-01" // of a day to come it may have them already
	if got := strings.Join(billed(before, p), "\n"); !strings.Contains(got, "Service from 2026-12-01 on bears the taxes vat") {
		t.Errorf("%s", got)
	}
}
