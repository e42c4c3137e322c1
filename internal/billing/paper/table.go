package paper

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// CSV is the document for programs, whatever the customer's language: its lines, then
// what comes off them and on top, each with its amount in major units and a point. The
// rows of row "line", "discount" and those of "tax" that are not included add up to
// that of "total"; from it "credit" is taken, and "due" is left.
func (s *Sheet) CSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	inv := s.document
	amount := func(minor int64) string { return money.New(minor, inv.Currency).Decimal() }
	at := func(t billing.Instant) string { return t.In(s.zone).Format(time.RFC3339) }
	row := func(cells ...string) {
		for i, cell := range cells {
			// A spreadsheet must not take what somebody wrote for a formula. Numbers are ours.
			if i < formulaFree && cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cells[i] = "'" + cell
			}
		}
		_ = w.Write(append([]string{s.Number}, cells...)) // its error is kept
	}
	_ = w.Write([]string{"invoice", "row", "name", "item", "plan", "kind", "group", "from", "to", "quantity", "unit_price", "amount", "tax", "currency", "original"})
	for n, l := range inv.Lines {
		price := ""
		if l.UnitPrice != nil {
			price = l.UnitPrice.String()
		}
		row("line", l.Charge, l.Item, l.Plan, string(l.Kind), groupText(l.Group), at(l.Service.From), at(l.Service.To), l.Quantity.String(), price,
			amount(l.Amount), amount(l.Tax), string(inv.Currency), s.original(n))
	}
	sum := func(what, name, kind, quantity string, minor int64) {
		row(what, name, "", "", kind, "", at(inv.Period.From), at(inv.Period.To), quantity, "", amount(minor), "", string(inv.Currency), "")
	}
	for _, d := range inv.Discounts {
		sum("discount", d.Coupon, "", "", -d.Amount)
	}
	for _, t := range inv.Taxes {
		sum("tax", t.ID+" "+t.Rate.String()+" %", t.Mode, "", t.Amount)
	}
	sum("total", "", "", "", inv.Total)
	if inv.CreditApplied != 0 {
		sum("credit", "", "", "", -inv.CreditApplied)
	}
	sum("due", "", "", "", inv.Due)
	w.Flush()
	return b.Bytes(), w.Error()
}

// original is the invoices of which a line takes something back, those of the document
// where it is a credit note by hand.
func (s *Sheet) original(line int) string {
	if s.document.Credits != nil {
		return s.document.Credits.Invoice
	}
	return strings.Join(s.originals[line], " ")
}

// formulaFree is how many cells of a row, the number apart, hold text.
const formulaFree = 8
