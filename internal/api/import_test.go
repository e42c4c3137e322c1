package api_test

import (
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

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
	for what, try := range map[string]struct {
		err  error
		want string
	}{
		"no kind":    {second(c.ImportBilling(ctx, client.BillingImport{Kind: "tenants", CSV: "slug\n"})), "invalid"},
		"no column":  {second(c.ImportBilling(ctx, client.BillingImport{Kind: "balances", CSV: "slug\n"})), "invalid"},
		"another":    {second(c.ImportBilling(ctx, client.BillingImport{Kind: "customers", CSV: "slug\n", Expect: "x"})), "conflict"},
		"no heading": {second(c.ImportPayments(ctx, client.BankFile{CSV: ""})), "invalid"},
	} {
		if got := code(try.err); got != try.want {
			t.Errorf("%s: %s, want %s", what, got, try.want)
		}
	}
}
