package digitalocean

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// An InvoiceItem is one line of DigitalOcean's invoice.
type InvoiceItem struct {
	Product     string // "Droplets"
	Resource    string // id or UUID of what it is for; empty where there is none
	Group       string
	Description string
	Amount      exact.Number // US dollars
	From, To    time.Time
	Project     string // its name
}

// A Preview is what DigitalOcean's next invoice is so far. It is made anew about
// once a day.
type Preview struct {
	UpdatedAt time.Time
	Period    string       // "2026-11"
	Amount    exact.Number // US dollars, with taxes
	Items     []InvoiceItem
}

// InvoicePreview reads the account's next invoice. When it was made anew while it
// was read, which changes its lines between two pages, it is read again. Purpose:
// billing.
func (c *Client) InvoicePreview(ctx context.Context) (Preview, error) {
	if err := c.may("InvoicePreview", Billing); err != nil {
		return Preview{}, err
	}
	const path = "/v2/customers/my/invoices"
	for range maxSweeps {
		before, err := c.previewHead(ctx, path)
		if err != nil {
			return Preview{}, err
		}
		items, _, err := c.gather(ctx, Collection{
			Path: path + "/preview", Key: "invoice_items", Identify: numbered(),
		})
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return Preview{}, err
		}
		after, err := c.previewHead(ctx, path)
		if err != nil {
			return Preview{}, err
		}
		if !after.UpdatedAt.Equal(before.UpdatedAt) || !after.Amount.Equal(before.Amount) || after.Period != before.Period {
			continue
		}
		for _, raw := range items {
			item, err := invoiceItemOf(raw)
			if err != nil {
				return Preview{}, c.unclear(http.MethodGet, path+"/preview", err.Error())
			}
			after.Items = append(after.Items, item)
		}
		return after, nil
	}
	return Preview{}, c.unclear(http.MethodGet, path+"/preview", "the preview changed each time it was read")
}

// numbered tells items apart that have no ids: by their place.
func numbered() func(json.RawMessage) (string, bool) {
	n := 0
	return func(json.RawMessage) (string, bool) {
		n++
		return strconv.Itoa(n), true
	}
}

// previewHead is the preview without its lines.
func (c *Client) previewHead(ctx context.Context, path string) (p Preview, err error) {
	root, _, err := c.root(ctx, path+"?"+url.Values{"per_page": {"1"}}.Encode())
	if err != nil {
		return p, err
	}
	var head struct {
		Amount    string `json:"amount"`
		Period    string `json:"invoice_period"`
		UpdatedAt string `json:"updated_at"`
	}
	if err := json.Unmarshal(root["invoice_preview"], &head); err != nil {
		return p, c.unclear(http.MethodGet, path, "an answer without the preview")
	}
	if p.Amount, err = exact.ParseDecimal(head.Amount); err != nil {
		return p, c.unclear(http.MethodGet, path, "a preview whose amount is no number")
	}
	p.Period, p.UpdatedAt = head.Period, timeOf(head.UpdatedAt)
	return p, nil
}

func invoiceItemOf(raw json.RawMessage) (InvoiceItem, error) {
	var w struct {
		Product      string `json:"product"`
		ResourceID   string `json:"resource_id"`
		ResourceUUID string `json:"resource_uuid"`
		Group        string `json:"group_description"`
		Description  string `json:"description"`
		Amount       string `json:"amount"`
		StartTime    string `json:"start_time"`
		EndTime      string `json:"end_time"`
		Project      string `json:"project_name"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return InvoiceItem{}, errors.New("a line that cannot be read")
	}
	amount, err := exact.ParseDecimal(w.Amount)
	if err != nil {
		return InvoiceItem{}, errors.New("a line whose amount is no number")
	}
	i := InvoiceItem{
		Product: w.Product, Resource: w.ResourceUUID, Group: w.Group, Description: w.Description, Amount: amount,
		From: timeOf(w.StartTime), To: timeOf(w.EndTime), Project: w.Project,
	}
	if i.Resource == "" {
		i.Resource = w.ResourceID
	}
	return i, nil
}
