package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// From a catalog to a billing run, which issues nothing of what became known within a
// minute.
func TestInvoicesFromTheCommandLine(t *testing.T) {
	h := newHouse(t)
	h.run(t, "tenant", "add", "acme").want(t, 0)
	h.pipe(t, catalogFile, "catalog", "apply", "-", "--yes").want(t, 0)
	h.run(t, "issuer", "set", "main", "--legal-name", "Host GmbH", "--series", "R-").want(t, 0)
	h.run(t, "customer", "set", "acme", "--issuer", "main", "--currency", "EUR", "--tax", "vat", "--terms", "14").want(t, 0)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format("2006-01-02")
	if said := h.run(t, "subscription", "create", "acme", "basic@1", "--from", yesterday, "--dry-run").want(t, 0).out; !strings.Contains(said, "Nothing was changed") ||
		!strings.Contains(said, "invoice in advance") {
		t.Errorf("a dry run: %s", said)
	}
	h.run(t, "subscription", "create", "acme", "basic@1", "--from", yesterday).want(t, 2) // nobody to confirm
	if said := h.run(t, "subscription", "list").want(t, 0).out; !strings.Contains(said, "There are no subscriptions") {
		t.Errorf("what nobody confirmed was done: %s", said)
	}
	said := h.run(t, "subscription", "create", "acme", "basic@1", "--from", yesterday, "--yes").want(t, 0).out
	sub := regexp.MustCompile(`sub_[0-9a-f]{32}`).FindString(said)
	if said := h.run(t, "subscription", "list", "acme").want(t, 0).out; !strings.Contains(said, sub) {
		t.Errorf("list: %s", said)
	}
	// It became known just now, and runs stay a minute behind: nothing can be due.
	if said := h.run(t, "billing", "run").want(t, 0).out; !strings.Contains(said, "Nothing is due") {
		t.Errorf("a run: %s", said)
	}
	if said := h.run(t, "billing", "run", "--up-to", time.Now().UTC().Format(time.RFC3339)).want(t, 2).err; !strings.Contains(said, "cannot be issued yet") {
		t.Errorf("a run up to now: %s", said)
	}
	var list struct{ Items []json.RawMessage }
	text := h.run(t, "invoice", "list", "--json").want(t, 0).out
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Items) != 0 {
		t.Errorf("invoices: %s", text)
	}
	h.run(t, "invoice", "show", "R-1").want(t, 1)
	kept := filepath.Join(t.TempDir(), "kept.pdf")
	if err := os.WriteFile(kept, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(t, "invoice", "pdf", "R-1", "-o", kept).want(t, 1)
	if text, err := os.ReadFile(kept); err != nil || string(text) != "kept" {
		t.Errorf("a refusal wrote %q, %v", text, err)
	}
	h.run(t, "invoice", "explain", "R-1", "2").want(t, 1)
	if said := h.run(t, "billing", "verify").want(t, 0).out; !strings.Contains(said, "numbers have no gap: 0") {
		t.Errorf("verify: %s", said)
	}
	h.run(t, "subscription", "cancel", sub, "--when", "now").want(t, 2) // nobody to confirm
	if said := h.run(t, "subscription", "cancel", sub, "--when", "now", "--yes").want(t, 0).out; !strings.Contains(said, "cancel") {
		t.Errorf("cancel: %s", said)
	}
}

// A payment is shown before it is booked, and asked for.
func TestPaymentsFromTheCommandLine(t *testing.T) {
	h := newHouse(t)
	h.run(t, "tenant", "add", "acme").want(t, 0)
	h.pipe(t, catalogFile, "catalog", "apply", "-", "--yes").want(t, 0)
	h.run(t, "issuer", "set", "main", "--legal-name", "Host GmbH", "--series", "R-").want(t, 0)
	h.run(t, "customer", "set", "acme", "--issuer", "main", "--currency", "EUR").want(t, 0)
	record := []string{"payment", "record", "119.00", "EUR", "--tenant", "acme", "--bank-ref", "17", "--fee", "0.50"}
	h.run(t, record...).want(t, 2) // nobody to confirm
	if said := h.run(t, append(record, "--dry-run")...).want(t, 0).out; !strings.Contains(said, "would be booked") || !strings.Contains(said, "119.00 EUR became credit") {
		t.Errorf("a dry run: %s", said)
	}
	if said := h.run(t, "payment", "list").want(t, 0).out; !strings.Contains(said, "No payment was booked yet") {
		t.Errorf("after a dry run: %s", said)
	}
	h.run(t, append(record, "--yes")...).want(t, 0)
	if said := h.run(t, append(record, "--yes")...).want(t, 0).out; !strings.Contains(said, "booked before") {
		t.Errorf("booked again: %s", said)
	}
	h.run(t, "payment", "record", "119.005", "EUR", "--tenant", "acme").want(t, 2)
	h.run(t, "payment", "apply", "acme", "--yes").want(t, 1) // nothing is open
	if said := h.run(t, "payment", "reverse", "17", "--reason", "no cover", "--yes").want(t, 0).out; !strings.Contains(said, "were taken back") {
		t.Errorf("a reversal: %s", said)
	}
	if said := h.run(t, "payment", "list", "acme").want(t, 0).out; !strings.Contains(said, "reversed") {
		t.Errorf("the list: %s", said)
	}
	if said := h.run(t, "statement", "acme").want(t, 0).out; !strings.Contains(said, "reversal of a payment: no cover") || !strings.Contains(said, "acme owes nothing") {
		t.Errorf("the statement: %s", said)
	}
	h.run(t, "invoice", "void", "R-1", "--reason", "x", "--yes").want(t, 1)
	if said := h.run(t, "billing", "verify").want(t, 0).out; !strings.Contains(said, "no credit is spent twice: 0") {
		t.Errorf("verify: %s", said)
	}
}

// Days that are typed and days that are shown are the customer's, ahead of UTC and
// behind it.
func TestDaysOfTheCommandLineAreTheCustomers(t *testing.T) {
	h := newHouse(t)
	h.pipe(t, catalogFile, "catalog", "apply", "-", "--yes").want(t, 0)
	h.run(t, "issuer", "set", "main", "--legal-name", "Host GmbH", "--series", "R-").want(t, 0)
	for slug, zone := range map[string]string{"ahead": "Pacific/Auckland", "behind": "America/Los_Angeles"} {
		h.run(t, "tenant", "add", slug).want(t, 0)
		h.run(t, "customer", "set", slug, "--issuer", "main", "--currency", "EUR", "--zone", zone).want(t, 0)
		shows := func(want string, args ...string) {
			t.Helper()
			if said := h.run(t, args...).want(t, 0).out; !strings.Contains(said, want) {
				t.Errorf("%s shows no %q: %s", strings.Join(args, " "), want, said)
			}
		}
		shows("by "+slug+" on 2026-01-15", "payment", "record", "119.00", "EUR", "--tenant", slug, "--date", "2026-01-15", "--bank-ref", slug, "--yes")
		shows("2026-01-15   119.00 EUR", "payment", "list", slug)
		shows("on 2026-01-16", "payment", "refund", slug, "19.00", "EUR", "--date", "2026-01-16", "--reason", "asked for", "--yes")
		shows("2026-01-16", "payment", "refunds", slug)
		shows("2026-01-15", "statement", slug, "--from", "2026-01-15", "--to", "2026-01-15")
		shows("2026-01-01 to 2026-01-31", "subscription", "create", slug, "basic@1", "--from", "2026-01-01", "--dry-run")
		shows("2026-01-01 00:00 ", "subscription", "create", slug, "basic@1", "--from", "2026-01-01", "--yes")
		shows("2026-01-01", "subscription", "list", slug)
	}
}
