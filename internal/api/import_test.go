package api_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// A migration is two requests: what it would do, and that it be done. Whoever joins the
// plan between them is in neither what was looked at nor migrated unseen.
func TestAMigrationIsWhatWasLookedAt(t *testing.T) {
	d := dbtest.New(t)
	s := serve(t, d, false)
	c, ctx := s.client, t.Context()
	invoiced(t, d, c)
	catalog, err := c.Catalog(ctx, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(catalog.Document, &file); err != nil {
		t.Fatal(err)
	}
	plans := file["plans"].([]any)
	next := maps.Clone(plans[0].(map[string]any))
	next["version"] = 2
	file["plans"] = append(plans, next)
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ApplyCatalog(ctx, client.CatalogFile{Document: string(text)}); err != nil {
		t.Fatal(err)
	}
	order := client.MigrationOrder{From: "basic@1", To: "basic@2", DryRun: true}
	seen, err := c.MigrateSubscriptions(ctx, order)
	if err != nil || seen.Done || len(seen.Items) != 1 {
		t.Fatalf("what it would do: %+v, %v", seen, err)
	}
	if got, err := c.ImportBilling(ctx, client.BillingImport{Kind: "customers", CSV: "slug,issuer,currency\nzeta,main,EUR\n"}); err != nil || !got.Done {
		t.Fatalf("a customer: %+v, %v", got, err)
	}
	if _, err := c.Subscribe(ctx, client.SubscriptionOrder{Tenant: "zeta", Plan: "basic@1"}); err != nil {
		t.Fatal(err)
	}
	order.DryRun, order.Expect = false, seen.Fingerprint
	if _, err := c.MigrateSubscriptions(ctx, order); code(err) != "conflict" || !strings.Contains(err.Error(), "2 of 2 get basic@2") {
		t.Errorf("applied to another world: %v", err)
	}
	catalog, err = c.Catalog(ctx, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range catalog.Entries {
		if e.Kind == "plan" && *e.Version == "2" && (e.UsedAt != nil || len(e.Holdings) > 0) {
			t.Errorf("somebody was migrated by a migration that was refused: %+v", e)
		}
	}
	order.DryRun, order.Expect = true, ""
	if seen, err = c.MigrateSubscriptions(ctx, order); err != nil || len(seen.Items) != 2 {
		t.Fatalf("looked at again: %+v, %v", seen, err)
	}
	order.DryRun, order.Expect = false, seen.Fingerprint
	if done, err := c.MigrateSubscriptions(ctx, order); err != nil || !done.Done || len(done.Items) != 2 {
		t.Errorf("as it was looked at: %+v, %v", done, err)
	}
}

func TestImportsOverTheAPI(t *testing.T) {
	d := dbtest.New(t)
	s := serve(t, d, false)
	c, ctx := s.client, t.Context()
	due := invoiced(t, d, c)
	// More tenants than an ordinary body may have.
	file := "slug,issuer,currency,legal_name\nzeta,main,EUR,Zeta Ltd\nacme,main,EUR," + strings.Repeat("x", 500<<10) + "\n"
	if got, err := c.ImportBilling(ctx, client.BillingImport{Kind: "customers", CSV: file}); err != nil || got.Done || got.Refused != 1 || got.Items[1].Problems[0].Column != "legal_name" {
		t.Fatalf("a name that is too long: %+v, %v", got.Refused, err)
	}
	i := client.BillingImport{Kind: "customers", CSV: "slug,issuer,currency,legal_name\nzeta,main,EUR,Zeta Ltd\nacme,main,EUR,Acme GmbH\n", DryRun: true}
	dry, err := c.ImportBilling(ctx, i)
	if err != nil || dry.Done || dry.Added != 1 || dry.Changed != 1 || dry.Items[0].Subject != "" {
		t.Fatalf("a dry run: %+v, %v", dry, err)
	}
	i.DryRun, i.Expect = false, dry.Fingerprint
	if done, err := c.ImportBilling(ctx, i); err != nil || !done.Done || done.Items[0].Subject == "" {
		t.Fatalf("an import: %+v, %v", done, err)
	}
	if z, err := c.Customer(ctx, "zeta"); err != nil || z.LegalName != "Zeta Ltd" {
		t.Errorf("zeta: %+v, %v", z, err)
	}
	balances := client.BillingImport{Kind: "balances", CSV: "key,tenant,amount,currency,date\nb1,zeta,12.50,EUR,2026-01-01\n"}
	if done, err := c.ImportBilling(ctx, balances); err != nil || !done.Done || len(done.Totals) != 1 || done.Totals[0].Amount != 1250 {
		t.Errorf("balances: %+v, %v", done, err)
	}
	if st, err := c.Statement(ctx, "zeta", "", ""); err != nil || st.Accounts[0].Closing != 1250 {
		t.Errorf("the statement: %+v, %v", st, err)
	}
	bank := client.BankFile{CSV: "date,amount,currency,reference\n2026-01-05," + "0.01" + ",EUR,for R-1\n2026-01-05,9.99,EUR,thanks\n"}
	got, err := c.ImportPayments(ctx, bank)
	if err != nil || !got.Done || got.Matches["differs"] != 1 || got.Matches["unmatched"] != 1 || got.Items[0].Payment.ID == "" {
		t.Errorf("a bank's statement: %+v, %v", got, err)
	}
	if r, err := c.Invoice(ctx, "R-1"); err != nil || r.Open != due-1 {
		t.Errorf("R-1: %+v, %v", r, err)
	}
	// What the bank was sent too much becomes credit, and is paid back.
	if p, err := c.RecordPayment(ctx, client.PaymentOrder{Tenant: "zeta", Currency: "EUR", Amount: 1250 + 500}); err != nil || p.Payment.Carried != 1250 || p.Payment.Credit != 500 {
		t.Errorf("a payment of what was brought along: %+v, %v", p, err)
	}
	refund := client.RefundOrder{Tenant: "zeta", Currency: "EUR", Amount: 500, Reason: "too much", DryRun: true}
	back, err := c.RefundCredit(ctx, refund)
	if err != nil || back.Done || back.Refund.ID != "" || back.Left != 0 {
		t.Errorf("a refund would be: %+v, %v", back, err)
	}
	refund.DryRun, refund.Expect = false, back.Fingerprint
	if back, err = c.RefundCredit(ctx, refund); err != nil || !back.Done || back.Refund.ID == "" {
		t.Errorf("a refund: %+v, %v", back, err)
	}
	if list, err := c.Refunds(ctx, "zeta"); err != nil || len(list.Items) != 1 || list.Items[0].Amount != 500 {
		t.Errorf("refunds: %+v, %v", list, err)
	}
	for what, try := range map[string]struct {
		err  error
		want string
	}{
		"no kind":    {second(c.ImportBilling(ctx, client.BillingImport{Kind: "tenants", CSV: "slug\n"})), "invalid"},
		"no column":  {second(c.ImportBilling(ctx, client.BillingImport{Kind: "balances", CSV: "slug\n"})), "invalid"},
		"another":    {second(c.ImportBilling(ctx, client.BillingImport{Kind: "customers", CSV: "slug\n", Expect: "x"})), "conflict"},
		"no credit":  {second(c.RefundCredit(ctx, client.RefundOrder{Tenant: "zeta", Currency: "EUR", Amount: 1, Reason: "x"})), "conflict"},
		"one plan":   {second(c.MigrateSubscriptions(ctx, client.MigrationOrder{From: "basic@1", To: "basic@1"})), "invalid"},
		"no heading": {second(c.ImportPayments(ctx, client.BankFile{CSV: ""})), "invalid"},
	} {
		if got := code(try.err); got != try.want {
			t.Errorf("%s: %s, want %s", what, got, try.want)
		}
	}
}
