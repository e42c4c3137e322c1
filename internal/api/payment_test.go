package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// invoiced has acme owe R-1, and says how much.
func invoiced(t *testing.T, d *db.DB, c *client.Client) int64 {
	t.Helper()
	ctx, bills := t.Context(), billing.New(d, nil, nil)
	if _, err := c.AddTenant(ctx, client.TenantEntry{Slug: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ApplyCatalog(ctx, client.CatalogFile{Document: sold}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutIssuer(ctx, "main", client.IssuerProfile{LegalName: "Host GmbH", Series: "R-", TaxIDs: []client.TaxID{}, Address: client.Address{Lines: []string{}}}); err != nil {
		t.Fatal(err)
	}
	profile := client.CustomerProfile{Issuer: "main", Currency: "EUR", TaxIDs: []client.TaxID{}, Taxes: []string{}, Address: client.Address{Lines: []string{}}}
	if _, err := c.PutCustomer(ctx, "acme", profile); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-2 * time.Hour)
	if _, _, err := bills.Subscribe(ctx, billing.Order{Tenant: "acme", Plan: "basic@1", By: "test"}, past); err != nil {
		t.Fatal(err)
	}
	run, err := bills.RunBilling(ctx, billing.RunOrder{By: "test"}, time.Now())
	if err != nil || len(run.Issued) != 1 {
		t.Fatalf("%+v, %v", run, err)
	}
	return run.Issued[0].Due
}

func TestPaymentsOverTheAPI(t *testing.T) {
	d := dbtest.New(t)
	s := serve(t, d, false)
	c, ctx := s.client, t.Context()
	due := invoiced(t, d, c)
	order := client.PaymentOrder{Currency: "EUR", Amount: due + 500, Reference: "thanks for r-1", Key: "line/1", DryRun: true}
	dry, err := c.RecordPayment(ctx, order)
	if err != nil || dry.Done || dry.Payment.ID != "" || len(dry.Payment.Settled) != 1 || dry.Payment.Settled[0].Number != "R-1" || dry.Payment.Credit != 500 {
		t.Fatalf("a dry run: %+v, %v", dry, err)
	}
	order.DryRun, order.Expect = false, dry.Fingerprint
	done, err := c.RecordPayment(ctx, order)
	if err != nil || !done.Done || done.Payment.RecordedBy != "cli:tester" {
		t.Fatalf("a payment: %+v, %v", done, err)
	}
	if got, err := c.Payment(ctx, "line/1"); err != nil || got.ID != done.Payment.ID {
		t.Errorf("by the bank's reference: %+v, %v", got, err)
	}
	if i, err := c.Invoice(ctx, "R-1"); err != nil || i.State != "paid" || i.Open != 0 || i.Due != due {
		t.Errorf("R-1: %+v, %v", i, err)
	}
	if open, err := c.Invoices(ctx, client.InvoiceQuery{Tenant: "acme", State: "open"}); err != nil || len(open.Items) != 0 {
		t.Errorf("open: %+v, %v", open, err)
	}
	back, err := c.ReversePayment(ctx, done.Payment.ID, client.ReversalOrder{Reason: "no cover"})
	if err != nil || !back.Done || len(back.Reopened) != 1 || back.Reopened[0].Amount != -due || back.Payment.Reversed == nil {
		t.Errorf("a reversal: %+v, %v", back, err)
	}
	if page, err := c.Payments(ctx, "", "R-1", 0, ""); err != nil || len(page.Items) != 1 || page.Items[0].Reversed == nil {
		t.Errorf("payments: %+v, %v", page, err)
	}
	test, err := c.CreditInvoice(ctx, "R-1", client.NoteOrder{Line: 1, Amount: 5, Reason: "outage", Test: true})
	if err != nil || test.Done || test.Note.State != "test" || !strings.HasPrefix(*test.Note.Number, "TEST-") || test.Note.ID == "" {
		t.Errorf("a credit note in test mode: %+v, %v", test, err)
	}
	note, err := c.CreditInvoice(ctx, "R-1", client.NoteOrder{Line: 1, Amount: 5, Reason: "outage", DryRun: true})
	if err != nil || note.Done || note.Note.Number != nil || note.Note.Total != 5 || note.Invoice.Open != due-5 {
		t.Errorf("a credit note would be: %+v, %v", note, err)
	}
	if note, err = c.CreditInvoice(ctx, "R-1", client.NoteOrder{Line: 1, Amount: 5, Reason: "outage", Expect: note.Fingerprint}); err != nil || !note.Done || note.Note.Number == nil {
		t.Errorf("a credit note: %+v, %v", note, err)
	}
	if w, err := c.WriteOffInvoice(ctx, "R-1", client.WriteOffOrder{Reason: "insolvent"}); err != nil || w.Amount != due-5 || w.Invoice.State != "uncollectible" {
		t.Errorf("a write-off: %+v, %v", w, err)
	}
	if st, err := c.Statement(ctx, "acme", "", ""); err != nil || len(st.Accounts) != 1 || len(st.Accounts[0].Lines) != 5 || st.Accounts[0].Closing != 0 {
		t.Errorf("a statement: %+v, %v", st, err)
	}
	for what, try := range map[string]struct {
		err  error
		want string
	}{
		"nothing":       {second(c.RecordPayment(ctx, client.PaymentOrder{Currency: "EUR", Tenant: "acme"})), "invalid"},
		"no payer":      {second(c.RecordPayment(ctx, client.PaymentOrder{Currency: "EUR", Amount: 1})), "invalid"},
		"no payment":    {second(c.Payment(ctx, "nosuch")), "not_found"},
		"no reason":     {second(c.ReversePayment(ctx, done.Payment.ID, client.ReversalOrder{})), "invalid"},
		"no credit":     {second(c.ApplyCredit(ctx, client.CreditOrder{Tenant: "acme"})), "conflict"},
		"another line":  {second(c.RecordPayment(ctx, client.PaymentOrder{Currency: "EUR", Tenant: "acme", Amount: 1, Key: "line/1"})), "conflict"},
		"no note":       {second(c.CreditInvoice(ctx, "R-9", client.NoteOrder{Full: true, Reason: "x"})), "not_found"},
		"no days":       {second(c.Statement(ctx, "acme", "x", "")), "invalid"},
		"no such limit": {second(c.Payments(ctx, "", "", 1001, "")), "invalid"},
	} {
		if got := code(try.err); got != try.want {
			t.Errorf("%s: %s, want %s", what, got, try.want)
		}
	}
}
