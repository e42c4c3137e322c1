package scenario

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// cents reads an amount of the API's: "12.34".
func cents(amount string) int64 {
	whole, part, ok := strings.Cut(amount, ".")
	n, err := strconv.ParseInt(whole+part, 10, 64)
	if !ok || len(part) != 2 || err != nil {
		fail("%q is no amount", amount)
	}
	return n
}

// billing is the month that all of this has cost something in.
func (d drive) billing() {
	before := got(d.Balance.Get(d.ctx))
	want("the balance at first", before.AccountBalance, "0.00")
	d.pass(32 * 24 * time.Hour)
	bills := got(d.Invoices.List(d.ctx, all()))
	want("how many invoices", len(bills.Invoices), 1)
	bill := bills.Invoices[0]
	want("the month", bill.InvoicePeriod, "2100-01")
	want("the preview's month", bills.InvoicePreview.InvoicePeriod, "2100-02")

	items := got(d.Invoices.Get(d.ctx, bill.InvoiceUUID, all())).InvoiceItems
	var sum int64
	products := map[string]bool{}
	for _, i := range items {
		sum += cents(i.Amount)
		products[i.Product] = true
		if i.Description == "" || i.Duration == "" || i.StartTime.IsZero() || i.EndTime.Before(i.StartTime) {
			fail("an item is %+v", i)
		}
	}
	want("the sum of the items", sum, cents(bill.Amount))
	for _, p := range []string{"Droplets", "Volumes", "Load Balancers"} {
		want("whether there are "+p, products[p], true)
	}
	summary := got(d.Invoices.GetSummary(d.ctx, bill.InvoiceUUID))
	want("the summary", []string{summary.InvoiceUUID, summary.Amount, summary.BillingPeriod}, []string{bill.InvoiceUUID, bill.Amount, bill.InvoicePeriod})
	var charged int64
	for _, i := range summary.ProductCharges.Items {
		charged += cents(i.Amount)
	}
	want("the sum of the products", charged, cents(summary.ProductCharges.Amount))

	rows, err := csv.NewReader(bytes.NewReader(got(d.Invoices.GetCSV(d.ctx, bill.InvoiceUUID)))).ReadAll()
	must(err)
	want("the lines of the CSV", len(rows), len(items)+1)
	want("its columns", rows[0], []string{"product", "group_description", "description", "hours", "start", "end", "USD", "project_name", "category"})
	for n, i := range items {
		want("a line", []string{rows[n+1][0], rows[n+1][2], strings.TrimPrefix(rows[n+1][6], "$")}, []string{i.Product, i.Description, i.Amount})
	}
	if pdf := got(d.Invoices.GetPDF(d.ctx, bill.InvoiceUUID)); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		fail("the PDF is none")
	}
	history := got(d.BillingHistory.List(d.ctx, all())).BillingHistory
	want("what happened", names(history, func(e godo.BillingHistoryEntry) string { return e.Type + " " + e.Amount }), []string{"Payment -" + bill.Amount, "Invoice " + bill.Amount})
	want("the invoice of the history", *history[1].InvoiceUUID, bill.InvoiceUUID)
	after := got(d.Balance.Get(d.ctx))
	want("the balance when it is paid", after.AccountBalance, "0.00")
	want("the usage of the month", after.MonthToDateUsage, bills.InvoicePreview.Amount)
	refused[*godo.Invoice](404)(d.Invoices.Get(d.ctx, uuidOfNothing, nil))
}
