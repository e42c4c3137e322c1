package dosim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
)

func invoiceResource() resource {
	return resource{routes: []route{
		op("GET /v2/customers/my/balance", getBalance, "billing:read"),
		op("GET /v2/customers/my/billing_history", listBillingHistory, "billing:read"),
		op("GET /v2/customers/my/invoices", listInvoices, "billing:read"),
		op("GET /v2/customers/my/invoices/{invoice}", listInvoiceItems, "billing:read"),
		op("GET /v2/customers/my/invoices/{invoice}/summary", getInvoiceSummary, "billing:read"),
		op("GET /v2/customers/my/invoices/{invoice}/csv", getInvoiceCSV, "billing:read"),
		op("GET /v2/customers/my/invoices/{invoice}/pdf", getInvoicePDF, "billing:read"),
	}}
}

// invoice finds the invoice in the path, by its UUID or the word preview.
func (c *call) invoice() (*invoice, bool) {
	issued, preview := c.bills()
	id := c.values["invoice"]
	if id == "preview" || id == preview.uuid {
		return preview, true
	}
	return find(issued, func(inv *invoice) bool { return inv.uuid == id })
}

// sortedBy is all in the order of their instants.
func sortedBy[E any](all []E, at func(E) time.Time) []E {
	return slices.SortedStableFunc(slices.Values(all), func(a, b E) int { return at(a).Compare(at(b)) })
}

// getBalance counts what the preview has before credits: those are in the
// account's balance already.
func getBalance(c *call) answer {
	issued, preview := c.bills()
	var balance int64
	for _, p := range c.history(issued) {
		balance += p.cents
	}
	return answer{200, map[string]string{
		"month_to_date_balance": usd(balance + preview.Gross()), "account_balance": usd(balance),
		"month_to_date_usage": usd(preview.Gross()), "generated_at": wireTime(preview.at),
	}}
}

type historyWire struct {
	Description string `json:"description"`
	Amount      string `json:"amount"`
	InvoiceID   string `json:"invoice_id,omitempty"`
	InvoiceUUID string `json:"invoice_uuid,omitempty"`
	Date        string `json:"date"`
	Type        string `json:"type"`
}

func listBillingHistory(c *call) answer {
	issued, _ := c.bills()
	return listPage(c, "billing_history", newestFirst(c.history(issued)), func(p posting) historyWire {
		w := historyWire{Description: p.description, Amount: usd(p.cents), Date: wireTime(p.at), Type: p.kind}
		if p.kind == "Invoice" {
			w.InvoiceID, w.InvoiceUUID = p.invoice.id, p.invoice.uuid
		}
		return w
	})
}

type invoiceListedWire struct {
	InvoiceUUID   string `json:"invoice_uuid"`
	InvoiceID     string `json:"invoice_id"`
	Amount        string `json:"amount"`
	InvoicePeriod string `json:"invoice_period"`
	UpdatedAt     string `json:"updated_at,omitempty"` // of the preview alone
}

func (inv *invoice) listed() invoiceListedWire {
	return invoiceListedWire{InvoiceUUID: inv.uuid, InvoiceID: inv.id, Amount: usd(inv.Total()), InvoicePeriod: inv.month()}
}

func listInvoices(c *call) answer {
	issued, preview := c.bills()
	a := listPage(c, "invoices", newestFirst(issued), (*invoice).listed)
	if body, ok := a.body.(map[string]any); ok {
		next := preview.listed()
		next.UpdatedAt = wireTime(preview.at)
		body["invoice_preview"] = next
	}
	return a
}

type invoiceItemWire struct {
	Product          string `json:"product"`
	ResourceID       string `json:"resource_id"`
	ResourceUUID     string `json:"resource_uuid"`
	GroupDescription string `json:"group_description"`
	Description      string `json:"description"`
	Amount           string `json:"amount"`
	Duration         string `json:"duration"`
	DurationUnit     string `json:"duration_unit"`
	StartTime        string `json:"start_time"`
	EndTime          string `json:"end_time"`
	ProjectName      string `json:"project_name"`
	Category         string `json:"category"`
}

const invoiceCategory = "iaas"

func wireItem(l biller.Line) invoiceItemWire {
	return invoiceItemWire{
		Product: l.Product, ResourceID: l.ResourceID, ResourceUUID: l.ResourceUUID, GroupDescription: l.Group, Description: l.Description,
		Amount: usd(l.Cents), Duration: hours(l), DurationUnit: "Hours", StartTime: wireTime(l.From), EndTime: wireTime(l.To),
		ProjectName: l.Project, Category: invoiceCategory,
	}
}

// hours is how long a line was there, however long it was billed for; nothing
// for what is not billed by time.
func hours(l biller.Line) string {
	if l.Kind == biller.Taxes || l.Kind == biller.Credit {
		return ""
	}
	s := strconv.FormatFloat(l.To.Sub(l.From).Hours(), 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// listInvoiceItems shows all of the account's lines, whatever the token may read
// beside billing.
func listInvoiceItems(c *call) answer {
	inv, ok := c.invoice()
	if !ok {
		return notFound()
	}
	return listPage(c, "invoice_items", inv.Lines, wireItem)
}

type chargeWire struct {
	Name   string           `json:"name"`
	Amount string           `json:"amount"`
	Items  []chargeItemWire `json:"items,omitempty"`
}

type chargeItemWire struct {
	Amount string `json:"amount"`
	Name   string `json:"name"`
	Count  string `json:"count"`
}

func getInvoiceSummary(c *call) answer {
	inv, ok := c.invoice()
	if !ok {
		return notFound()
	}
	type product struct {
		name  string
		cents int64
		lines int
	}
	var products []product
	for _, l := range inv.Lines {
		if l.Kind != biller.Charge {
			continue
		}
		i := slices.IndexFunc(products, func(p product) bool { return p.name == l.Product })
		if i < 0 {
			i = len(products)
			products = append(products, product{name: l.Product})
		}
		products[i].cents += l.Cents
		products[i].lines++
	}
	items := []chargeItemWire{}
	for _, p := range slices.SortedStableFunc(slices.Values(products), func(a, b product) int { return cmp.Compare(b.cents, a.cents) }) {
		items = append(items, chargeItemWire{usd(p.cents), p.name, strconv.Itoa(p.lines)})
	}
	sum := func(name string, k biller.Kind) chargeWire { return chargeWire{Name: name, Amount: usd(inv.Sum(k))} }
	charges := struct {
		chargeWire
		Items []chargeItemWire `json:"items"`
	}{sum("Product usage charges", biller.Charge), items}
	who := c.customerName()
	return answer{200, map[string]any{
		"invoice_uuid": inv.uuid, "invoice_id": inv.id, "billing_period": inv.month(), "amount": usd(inv.Total()),
		"user_name": who, "user_company": who, "user_email": who + "@example.com",
		"user_billing_address": map[string]string{
			"address_line1": "101 Shark Row", "address_line2": "", "city": "Atlantis", "region": "OC", "postal_code": "12345",
			"country_iso2_code": "US", "created_at": "2019-09-03T16:34:46.000+00:00", "updated_at": "2019-09-03T16:34:46.000+00:00",
		},
		"product_charges": charges, "overages": sum("Overages", biller.Overage), "taxes": sum("Taxes", biller.Taxes),
		"credits_and_adjustments": sum("Credits & adjustments", biller.Credit),
	}}
}

func (c *call) customerName() string { return c.account() }

// fileName is how DigitalOcean names what is made of an invoice.
func (c *call) fileName(inv *invoice, extension string) string {
	return fmt.Sprintf("DigitalOcean Invoice %s (%d-%s).%s", inv.From.Format("2006 Jan"), c.ownerID(), inv.id, extension)
}
