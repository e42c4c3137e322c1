package dosim

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
)

// A file is an answer that is no JSON.
type file struct {
	contentType string
	name        string // under which browsers keep it
	data        []byte
}

const (
	contentCSV = "text/csv"
	contentPDF = "application/pdf"
)

// getInvoiceCSV has all lines, and no resource's id.
func getInvoiceCSV(c *call) answer {
	inv, ok := c.invoice()
	if !ok {
		return notFound()
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(strings.Split("product,group_description,description,hours,start,end,USD,project_name,category", ","))
	for _, l := range inv.Lines {
		_ = w.Write([]string{
			l.Product, l.Group, l.Description, hours(l), csvTime(l.From), csvTime(l.To), dollars(l.Cents), l.Project, invoiceCategory,
		})
	}
	w.Flush()
	return answer{200, file{contentCSV, c.fileName(inv, "csv"), b.Bytes()}}
}

func csvTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 -0700") }

// dollars is usd with a dollar sign, after the minus.
func dollars(cents int64) string {
	if s, negative := strings.CutPrefix(usd(cents), "-"); negative {
		return "-$" + s
	}
	return "$" + usd(cents)
}

// getInvoicePDF is one that says what the invoice says. How DigitalOcean's looks
// is nobody's business here.
func getInvoicePDF(c *call) answer {
	inv, ok := c.invoice()
	if !ok {
		return notFound()
	}
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetCreationDate(inv.at)
	doc.SetModificationDate(inv.at)
	doc.SetCatalogSort(true)
	latin := doc.UnicodeTranslatorFromDescriptor("")
	doc.AddPage()
	row := func(style string, left, middle, right string) {
		doc.SetFont("Helvetica", style, 9)
		doc.CellFormat(45, 5, latin(left), "", 0, "L", false, 0, "")
		doc.CellFormat(115, 5, latin(middle), "", 0, "L", false, 0, "")
		doc.CellFormat(30, 5, right, "", 1, "R", false, 0, "")
	}
	doc.SetFont("Helvetica", "B", 16)
	doc.CellFormat(0, 12, "Invoice "+inv.id, "", 1, "L", false, 0, "")
	row("", "Account", c.customerName(), "")
	row("", "Billing period", inv.month(), "")
	row("", "Date of issue", inv.at.Format(time.DateOnly), "")
	doc.Ln(4)
	for _, l := range inv.Lines {
		row("", l.Product, shortened(strings.TrimSpace(l.Group+" "+l.Description), 70), dollars(l.Cents))
	}
	doc.Ln(2)
	row("", "Taxes", "", dollars(inv.Sum(biller.Taxes)))
	row("B", "Total", "", dollars(inv.Total()))
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		panic("dosim: an invoice is no PDF: " + err.Error())
	}
	return answer{200, file{contentPDF, c.fileName(inv, "pdf"), b.Bytes()}}
}

// shortened is the beginning of a text, of so many letters at most.
func shortened(s string, most int) string {
	if letters := []rune(s); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return s
}
