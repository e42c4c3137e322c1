package api_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

const sold = `{"currency":"EUR","plans":[{"id":"basic","version":1,"period":{"unit":"month"},"charges":[{"id":"fee","type":"recurring","price":"30.00"}]}]}`

// What can be sold, to whom, and what it comes to, over the API.
func TestBillingOverTheAPI(t *testing.T) {
	d := dbtest.New(t)
	s := serve(t, d, false)
	c, ctx := s.client, t.Context()
	if _, err := c.AddTenant(ctx, client.TenantEntry{Slug: "acme"}); err != nil {
		t.Fatal(err)
	}
	applied, err := c.ApplyCatalog(ctx, client.CatalogFile{Document: sold})
	if err != nil || !applied.Done || len(applied.Changes) != 1 || applied.Changes[0].Action != "added" {
		t.Fatalf("ApplyCatalog = %+v, %v", applied, err)
	}
	if got, err := c.Catalog(ctx, "eur"); err != nil || got.Currency != "EUR" || string(got.Document) != sold {
		t.Errorf("Catalog = %s, %v", got.Document, err)
	}
	if _, err := c.PutIssuer(ctx, "main", client.IssuerProfile{LegalName: "Host GmbH", Series: "R-", TaxIDs: []client.TaxID{}, Address: client.Address{Lines: []string{}}}); err != nil {
		t.Fatal(err)
	}
	profile := client.CustomerProfile{Issuer: "main", Currency: "EUR", TaxIDs: []client.TaxID{}, Taxes: []string{}, Address: client.Address{Lines: []string{}}}
	if got, err := c.PutCustomer(ctx, "acme", profile); err != nil || got.LegalName != "acme" || got.Zone != "UTC" {
		t.Errorf("PutCustomer = %+v, %v", got, err)
	}
	done, err := c.Subscribe(ctx, client.SubscriptionOrder{Tenant: "acme", Plan: "basic@1", Quantity: "1", DryRun: true})
	if err != nil || !done.DryRun || len(done.Due) == 0 || done.Due[0].Lines[0].Charge != "fee" {
		t.Errorf("a dry subscription = %+v, %v", done, err)
	}
	for what, try := range map[string]struct {
		err  error
		want string
	}{
		"no catalog":      {second(c.ApplyCatalog(ctx, client.CatalogFile{Document: "currency: EUR"})), "invalid"},
		"no currency":     {second(c.Catalog(ctx, "EURO")), "invalid"},
		"no such catalog": {second(c.Catalog(ctx, "USD")), "not_found"},
		"nobody":          {second(c.Customer(ctx, "nosuch")), "not_found"},
		"no plan":         {second(c.Subscribe(ctx, client.SubscriptionOrder{Tenant: "acme", Plan: "nosuch@1"})), "invalid"},
		"no subscription": {second(c.Subscription(ctx, "sub_1")), "not_found"},
		"no invoice":      {second(c.Invoice(ctx, "R-1")), "not_found"},
		"the future":      {second(c.RunBilling(ctx, client.BillingRunOrder{UpTo: &client.Time{Time: time.Now().Add(time.Hour)}})), "invalid"},
	} {
		if got := code(try.err); got != try.want {
			t.Errorf("%s: %s, want %s", what, got, try.want)
		}
	}
	// Made two hours ago, it is due by now.
	past := time.Now().Add(-2 * time.Hour)
	if _, _, err := billing.New(d, nil, nil).Subscribe(ctx, billing.Order{Tenant: "acme", Plan: "basic@1", By: "test"}, past); err != nil {
		t.Fatal(err)
	}
	dry, err := c.RunBilling(ctx, client.BillingRunOrder{DryRun: true})
	if err != nil || len(dry.Issued) != 1 || dry.Issued[0].Number != nil || dry.Issued[0].State != "due" {
		t.Fatalf("a dry run = %+v, %v", dry, err)
	}
	if try, err := c.RunBilling(ctx, client.BillingRunOrder{Test: true}); err != nil || !try.Test || len(try.Issued) != 1 || *try.Issued[0].Number != "TEST-R-1" || try.Issued[0].State != "test" {
		t.Errorf("in test mode = %+v, %v", try, err)
	}
	if list, err := c.TestInvoices(ctx, "acme"); err != nil || len(list.Items) != 1 || list.Items[0].Document.Total != dry.Issued[0].Document.Total {
		t.Errorf("test documents = %+v, %v", list, err)
	}
	if pdf, err := c.InvoiceFile(ctx, "TEST-R-1", "pdf"); err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("its PDF has %d bytes, %v", len(pdf), err)
	}
	if d, err := c.DeleteTestInvoices(ctx, ""); err != nil || d.Deleted != 1 {
		t.Errorf("deleted = %+v, %v", d, err)
	}
	upTo := dry.UpTo
	run, err := c.RunBilling(ctx, client.BillingRunOrder{Expect: dry.Fingerprint, UpTo: &upTo})
	if err != nil || !run.Done || len(run.Issued) != 1 || *run.Issued[0].Number != "R-1" || run.Issued[0].IssuedBy != "cli:tester" {
		t.Fatalf("a run = %+v, %v", run, err)
	}
	got, err := c.Invoice(ctx, "R-1")
	if err != nil || got.ID != run.Issued[0].ID || got.State != "issued" || len(got.Document.Lines) != 1 {
		t.Errorf("Invoice = %+v, %v", got, err)
	}
	if page, err := c.Invoices(ctx, client.InvoiceQuery{Tenant: "acme"}); err != nil || len(page.Items) != 1 || page.Next != nil {
		t.Errorf("Invoices = %+v, %v", page, err)
	}
	for form, begin := range map[string]string{"pdf": "%PDF-", "html": "<!DOCTYPE html>", "csv": "invoice,row,"} {
		for _, ref := range []string{"R-1", got.ID} {
			file, err := c.InvoiceFile(ctx, ref, form)
			if err != nil || !strings.HasPrefix(string(file), begin) {
				t.Errorf("%s.%s = %.60q, %v", ref, form, file, err)
			}
		}
		if _, err := c.InvoiceFile(ctx, "R-2", form); code(err) != "not_found" {
			t.Errorf("R-2.%s: %v", form, err)
		}
	}
	if status, h, _ := s.do(t, "GET", "/v1/invoices/R-1.html", ""); status != 200 || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'; img-src data:; style-src 'sha256-") {
		t.Errorf("the page is served with %v", h)
	}
	if e, err := c.ExplainInvoice(ctx, "R-1", 0); err != nil || len(e.Lines) != 1 || e.Lines[0].Line != 1 || !strings.Contains(string(e.Lines[0].Explain), `"rule":"rounding"`) {
		t.Errorf("ExplainInvoice = %+v, %v", e, err)
	}
	if _, err := c.ExplainInvoice(ctx, "R-1", 2); code(err) != "not_found" {
		t.Errorf("a line that is not there: %v", err)
	}
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	if r, err := c.SetRate(ctx, client.RateOrder{Pair: "usd/eur", From: tomorrow, Rate: "0.9215", Source: "ECB"}); err != nil || r.Pair != "USD/EUR" || r.SetBy != "cli:tester" {
		t.Errorf("SetRate = %+v, %v", r, err)
	}
	if _, err := c.SetRate(ctx, client.RateOrder{Pair: "USD/EUR", From: tomorrow, Rate: "much"}); code(err) != "invalid" {
		t.Errorf("no rate: %v", err)
	}
	if l, err := c.Rates(ctx, "eur"); err != nil || len(l.Items) != 1 || l.Items[0].Rate != "0.9215" {
		t.Errorf("Rates = %+v, %v", l, err)
	}
	if _, err := c.Rates(ctx, "eurs"); code(err) != "invalid" {
		t.Errorf("rates of no currency: %v", err)
	}
	thisMonth := time.Now().UTC().Format("2006-01")
	if _, err := c.CloseMonth(ctx, thisMonth, client.CloseOrder{}); code(err) != "invalid" {
		t.Errorf("a month that is not over was closed: %v", err)
	}
	if m, err := c.CloseMonth(ctx, "2026-01", client.CloseOrder{}); err != nil || m.ClosedAt == nil || m.ClosedBy != "cli:tester" {
		t.Errorf("CloseMonth = %+v, %v", m, err)
	}
	month := got.IssueAt.UTC().Format("2006-01")
	if l, err := c.Margins(ctx, month, month, "acme"); err != nil || len(l.Items) != 1 || l.Items[0].Closed || l.Items[0].Left[0].Amount != got.Document.Subtotal {
		t.Errorf("Margins = %+v, %v", l, err)
	}
	checks, err := c.VerifyBilling(ctx)
	if err != nil || len(checks.Items) != 21 {
		t.Errorf("VerifyBilling = %+v, %v", checks, err)
	}
	for _, check := range checks.Items {
		if len(check.Wrong) > 0 {
			t.Errorf("%s: %v", check.Name, check.Wrong)
		}
	}
}
