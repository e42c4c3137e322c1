package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const sold = `{"currency":"EUR","taxes":[{"id":"vat","rate":"19"}],"plans":[
	{"id":"basic","version":1,"period":{"unit":"month"},"charges":[{"id":"fee","type":"recurring","price":"30.00"}]},
	{"id":"basic","version":2,"period":{"unit":"month"},"charges":[{"id":"fee","type":"recurring","price":"35.00"}]}]}`

// The pages about money: empty at first, then with an invoice that is overdue, shown as
// its receiver sees it and with how it came about.
func TestBillingPages(t *testing.T) {
	s := serve(t, dbtest.New(t))
	for path, says := range map[string]string{
		"/billing": "No invoice was issued yet", "/invoices": "No invoice was issued yet", "/subscriptions": "There are no subscriptions yet", "/catalog": "There is no catalog yet",
	} {
		if page := s.get(t, path); page.status != 200 || !strings.Contains(page.body, says) {
			t.Errorf("%s, empty, is %d and does not say %q", path, page.status, says)
		}
	}
	ctx, now := t.Context(), time.Now().UTC()
	from := now.AddDate(0, -2, 0)
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme", Name: "Acme <b>"}, from); err != nil {
		t.Fatal(err)
	}
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "other"}, from); err != nil {
		t.Fatal(err)
	}
	if done, err := s.bills.ApplyCatalog(ctx, billing.Application{Document: []byte(sold)}, from); err != nil || !done.Done {
		t.Fatal(done, err)
	}
	if _, err := s.bills.PutIssuer(ctx, billing.Issuer{ID: "main", LegalName: "Host GmbH", Series: "R-"}, "test", from); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bills.PutCustomer(ctx, "acme", billing.Profile{Issuer: "main", Currency: "EUR", Taxes: []string{"vat"}, TermsDays: 14, Language: "de"}, "test", from); err != nil {
		t.Fatal(err)
	}
	a, _, err := s.bills.Subscribe(ctx, billing.Order{Tenant: "acme", Plan: "basic@1", By: "test"}, from)
	if err != nil {
		t.Fatal(err)
	}
	if run, err := s.bills.RunBilling(ctx, billing.RunOrder{By: "test"}, from.Add(time.Hour)); err != nil || len(run.Issued) != 1 {
		t.Fatal(run, err)
	}
	for path, says := range map[string][]string{
		"/billing": {"Overdue, 1 invoice<", "R-1", "Open, 1 invoice<", "Billing runs", nextHour(), "No run came to anything yet"},
		"/invoices?state=overdue&currency=EUR&month=" + from.Format("2006-01"): {"R-1"},
		"/invoices?state=paid": {"No document is like that"}, "/invoices?state=credited": {"No document is like that"}, "/invoices?currency=USD": {"No document is like that"},
		"/invoices?month=2020-01": {"No document is like that"},
		"/invoices":               {"R-1", "Overdue", "acme", "EUR"},
		"/invoices/R-1":           {"Rechnung R-1", "Acme &lt;b&gt;", "USt. 19 %", "Rounding", "/v1/invoices/R-1.pdf", "/subscriptions/" + string(a.ID)},
		"/subscriptions":          {"basic@1", string(a.ID)}, "/subscriptions/" + string(a.ID): {"Create", "basic@1", "takes effect"},
		"/invoices?sort=-due":  {"R-1", `aria-sort="descending"`, "sort=total"},
		"/catalog":             {"Who has it", "1 × main", "subscription migrate --from basic@1 --to basic@2", "basic@2", "charges[fee].price", "<del>30.00</del>", "in use since"},
		"/invoices?state=open": {"R-1"}, "/invoices?tenant=acme": {"R-1"},
		"/billing.json": {`"overdue_invoices": 1`}, "/invoices.json": {`"number": "R-1"`}, "/invoices/R-1.json": {`"state": "issued"`},
		"/subscriptions.json": {string(a.ID)}, "/catalog.json": {`"currency": "EUR"`}, "/invoices.csv": {"number,id,tenant", "R-1,"},
	} {
		page := s.get(t, path)
		for _, text := range says {
			if page.status != 200 || !strings.Contains(page.body, text) {
				t.Errorf("%s is %d and does not say %q", path, page.status, text)
			}
		}
	}
	for typed, want := range map[string]string{"R-1": "/invoices/R-1", "acme": "/tenants/acme", string(a.ID): "/subscriptions/" + string(a.ID), "R-2": "/inventory?q=R-2"} {
		if to := s.get(t, "/go?q="+typed).header.Get("Location"); to != want {
			t.Errorf("%q leads to %s, want %s", typed, to, want)
		}
	}
	// In test mode the second month is issued apart, and only there.
	if run, err := s.bills.RunBilling(ctx, billing.RunOrder{Test: true, By: "test"}, now); err != nil || len(run.Issued) == 0 {
		t.Fatal(run, err)
	}
	for path, says := range map[string]string{
		"/invoices?state=test": "TEST-R-1", "/invoices/TEST-R-1": "keine Rechnung", "/invoices/TEST-R-1.json": `"state": "test"`, "/invoices.csv?state=test": "TEST-R-1,",
	} {
		if page := s.get(t, path); page.status != 200 || !strings.Contains(page.body, says) {
			t.Errorf("%s is %d and does not say %q", path, page.status, says)
		}
	}
	if page := s.get(t, "/invoices"); strings.Contains(page.body, "TEST-R-") {
		t.Error("/invoices lists test documents among the others")
	}
	issued, err := s.bills.Invoice(ctx, "R-1")
	if err != nil {
		t.Fatal(err)
	}
	paid, open := issued.Due/2, issued.Due-issued.Due/2
	euros := func(minor int64) string { return money.New(minor, "EUR").Decimal() + "\u00a0EUR" }
	pay := billing.PaymentOrder{Amount: money.New(paid, "EUR"), Invoices: []string{"R-1"}, At: from.Add(2 * time.Hour).Format(time.RFC3339), Key: "bank-1", By: "clerk"}
	if _, err := s.bills.RecordPayment(ctx, pay, from.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string][]string{
		"/invoices/R-1":               {"Partially paid", "clerk", euros(paid), "Cash clearing", "Tax payable", "Receivable", euros(open)},
		"/tenants/acme":               {`href="/tenants/acme/billing"`},
		"/tenants/acme/billing":       {euros(open), "What comes next", "Invoice in advance", "R-1", "−" + euros(paid), "/subscriptions/" + string(a.ID), "so what it costs is not known", "Acme &lt;b&gt;"},
		"/tenants/acme/billing.json":  {fmt.Sprintf(`"open": %d`, open), fmt.Sprintf(`"overdue": %d`, open), fmt.Sprintf(`"balance": %d`, open), `"purpose": "advance"`},
		"/tenants/other/billing":      {"Nobody has said how this tenant is billed", "arcadia customer set other"},
		"/tenants/other/billing.json": {`"upcoming": []`},
	} {
		page := s.get(t, path)
		for _, text := range says {
			if page.status != 200 || !strings.Contains(page.body, text) {
				t.Errorf("%s is %d and does not say %q", path, page.status, text)
			}
		}
	}
	// A credit note says what it is about, and is never due.
	note, err := s.bills.CreditInvoice(ctx, billing.NoteOrder{Invoice: "R-1", Amount: 100, Reason: "outage", By: "clerk"}, from.Add(3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string][]string{
		"/invoices/" + note.Ref():           {"Credited", `href="/invoices/R-1"`, "outage", "Zur Rechnung"},
		"/invoices/" + note.Ref() + ".json": {`"invoice": "R-1"`, `"reason": "outage"`},
	} {
		page := s.get(t, path)
		for _, text := range says {
			if page.status != 200 || !strings.Contains(page.body, text) {
				t.Errorf("%s is %d and does not say %q", path, page.status, text)
			}
		}
		if strings.Contains(page.body, "Due by") {
			t.Errorf("%s says when a credit note is due", path)
		}
	}
	if found := s.get(t, "/invoices?q=R-1"); found.status != 303 || found.header.Get("Location") != "/invoices/R-1" {
		t.Errorf("a number leads to %d %s", found.status, found.header.Get("Location"))
	}
	if found := s.get(t, "/invoices?q=ACME&state=open"); found.status != 303 || found.header.Get("Location") != "/invoices?state=open&tenant=acme" {
		t.Errorf("a tenant leads to %d %s", found.status, found.header.Get("Location"))
	}
	run, err := s.bills.BillDue(ctx, billing.DueOrder{By: "schedule"}, now)
	if page := s.get(t, "/billing"); err != nil || run.Issued == 0 || !strings.Contains(page.body, "Done") || !strings.Contains(page.body, "1 of 1") {
		t.Errorf("after a run that issued %d, %v, /billing says %s", run.Issued, err, page.body)
	}
	for path, want := range map[string]int{"/invoices?month=May": 400, "/invoices?currency=EURO": 400, "/invoices?q=nobody": 404, "/invoices/R-2000": 404, "/invoices?state=odd": 400, "/invoices?sort=odd": 400, "/subscriptions/sub_1": 404, "/invoices?tenant=nobody": 404, "/tenants/nobody/billing": 404} {
		if page := s.get(t, path); page.status != want {
			t.Errorf("%s = %d, want %d", path, page.status, want)
		}
	}
}

// nextHour is when the next run is made on the clock.
func nextHour() string {
	return time.Now().UTC().Truncate(time.Hour).Add(time.Hour).Format("15:04 UTC")
}
