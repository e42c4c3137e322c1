package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A tenantBilling is what the page about a tenant's bills shows.
type tenantBilling struct {
	ui.Page
	tenant.Tenant
	customer      *billing.Customer // nil: nobody has said how it is billed
	zone          *time.Location
	agreements    []billing.Agreement
	invoices      []billing.Issued
	drafts        []billing.Issued
	open, overdue int64 // of its invoices
	account       billing.StatementAccount
	next          []billing.Invoice // what is due next, the first first
	month         period.Period     // this one, of its zone
	usage         []meterUse
	margin        *margin // nil where either side of it is not known
	noMargin      string  // which rate of exchange is missing for it: a sentence
	twins         ui.Twin
}

// A meterUse is what a meter came to this month.
type meterUse struct {
	meter  metering.Meter
	totals []metering.Total
}

// A margin is what a tenant brings this month and what it costs, both in minor units of
// the currency in which it is billed.
type margin struct {
	revenue, cost int64
	rate          *billing.Rate // at which DigitalOcean's dollars were exchanged; nil: it is billed in dollars
	unpriced      int           // resources of which a part has no price
}

// mostOfStatement is how many lines of the statement the page shows.
const mostOfStatement = 12

// tenantBilling is the page about what a tenant is billed and owes.
func (s *Server) tenantBilling(v *visit) error {
	ctx, slug := v.r.Context(), v.r.PathValue("slug")
	view := tenantBilling{Page: v.page("Billing of "+slug, "/tenants"), zone: time.UTC}
	var err error
	if view.Tenant, err = s.o.Tenants.Tenant(ctx, slug); err != nil {
		return err
	}
	if view.Slug != slug { // it was named by its id
		return v.redirect(billingPath(view.Slug))
	}
	switch c, err := s.o.Bills.Customer(ctx, slug); {
	case err == nil:
		view.customer = &c
		if err := s.readBilling(ctx, &view); err != nil {
			return err
		}
	case fault.KindOf(err) != fault.NotFound:
		return err
	}
	if v.wants("json") {
		twin, err := view.twin()
		if err != nil {
			return err
		}
		return v.json(twin)
	}
	view.twins = ui.Twin{CLI: "arcadia statement " + slug, API: "curl http://" + v.r.Host + "/v1/statements/" + slug, JSON: billingPath(slug) + ".json"}
	return v.show(http.StatusOK, tenantBillingPage(view))
}

func billingPath(slug string) string { return tenantPath(slug) + "/billing" }

// readBilling reads all about a customer.
func (s *Server) readBilling(ctx context.Context, view *tenantBilling) (err error) {
	if view.zone, err = period.Zone(view.customer.Zone); err != nil {
		return err
	}
	now := view.Now.Time.In(view.zone)
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, view.zone)
	view.month = period.Period{From: first, To: first.AddDate(0, 1, 0)}
	if view.agreements, err = s.o.Bills.Subscriptions(ctx, view.Slug); err != nil {
		return err
	}
	open, _, err := s.o.Bills.Invoices(ctx, billing.IssuedFilter{Tenant: view.Slug, Open: true, Limit: 1000})
	if err != nil {
		return err
	}
	for _, i := range open {
		view.open += i.Open
		if i.DueAt.Before(view.Now.Time) {
			view.overdue += i.Open
		}
	}
	if view.invoices, _, err = s.o.Bills.Invoices(ctx, billing.IssuedFilter{Tenant: view.Slug, Limit: 8}); err != nil {
		return err
	}
	if view.drafts, err = s.o.Bills.Drafts(ctx, view.Slug); err != nil {
		return err
	}
	statement, err := s.o.Bills.Statement(ctx, billing.StatementOrder{Tenant: view.Slug})
	if err != nil {
		return err
	}
	view.account.Currency = view.customer.Currency
	for _, a := range statement.Accounts {
		if a.Currency == view.customer.Currency {
			view.account = a
		}
	}
	for _, a := range view.agreements {
		next, err := s.o.Bills.Upcoming(ctx, a.ID, view.Now.Time)
		if err != nil {
			return err
		}
		view.next = append(view.next, next...)
	}
	slices.SortStableFunc(view.next, func(a, b billing.Invoice) int { return a.IssueAt.Compare(b.IssueAt.Time) })
	if err := s.readMonth(ctx, view); err != nil {
		return err
	}
	return s.readMargin(ctx, view, now)
}

// readMonth reads what the tenant used this month so far.
func (s *Server) readMonth(ctx context.Context, view *tenantBilling) error {
	meters, err := s.o.Metering.Meters(ctx)
	if err != nil {
		return err
	}
	until := period.Later(view.Now.Time, view.month.From.Add(time.Microsecond))
	for _, m := range meters {
		totals, err := s.o.Metering.Totals(ctx, view.ID, m.ID, period.Period{From: view.month.From, To: until})
		if err != nil {
			return err
		}
		totals = slices.DeleteFunc(totals, func(t metering.Total) bool { return t.Events == 0 && t.Quantity.Sign() == 0 })
		if len(totals) > 0 {
			view.usage = append(view.usage, meterUse{m, totals})
		}
	}
	return nil
}

// readMargin reads what the tenant brings and costs this month. DigitalOcean's prices
// are in US dollars: where bills are not, they are exchanged at today's rate, and not
// compared where there is none.
func (s *Server) readMargin(ctx context.Context, view *tenantBilling, now time.Time) error {
	if view.customer.Currency == "" {
		return nil
	}
	m := margin{}
	cursor := ""
	for {
		list, next, err := s.o.Bills.Invoices(ctx, billing.IssuedFilter{Tenant: view.Slug, Limit: 200, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, i := range list {
			inv, _, err := i.Read()
			if err != nil {
				return err
			}
			m.revenue += revenueIn(inv, view.month)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for _, inv := range view.next {
		m.revenue += revenueIn(inv, view.month)
	}
	costs, err := s.o.Inventory.ResourceCosts(ctx, "", "", time.Time{})
	if err != nil {
		return err
	}
	var cost inventory.Cost
	for _, c := range costs {
		if c.Tenant == string(view.ID) {
			cost = cost.Plus(c.Cost)
		}
	}
	if cost.Resources == 0 && cost.MonthEnd == 0 {
		return nil
	}
	amount, rate, err := s.o.Bills.InCurrency(ctx, exact.Fraction(int64(cost.MonthEnd), 1_000_000), view.customer.Currency, now)
	switch {
	case fault.KindOf(err) == fault.Conflict:
		view.noMargin = fault.Message(err)
		return nil
	case err != nil:
		return err
	}
	m.cost, m.rate, m.unpriced = amount.Minor, rate, cost.Unpriced
	view.margin = &m
	return nil
}

// revenueIn is what a document brings for a month, without tax: that of lines whose
// service begins in it. Discounts of a document are its own month's.
func revenueIn(inv billing.Invoice, month period.Period) (minor int64) {
	for _, l := range inv.Lines {
		if !l.Service.From.Before(month.From) && l.Service.From.Before(month.To) {
			minor += l.Amount
		}
	}
	if from := inv.Period.From.Time; !from.Before(month.From) && from.Before(month.To) {
		for _, d := range inv.Discounts {
			minor -= d.Amount
		}
	}
	if inv.Purpose == billing.Credit {
		return -minor
	}
	return minor
}

func (v tenantBilling) twin() (any, error) {
	type use struct {
		Meter    string   `json:"meter"`
		Group    []string `json:"group,omitempty"`
		Quantity string   `json:"quantity"`
		Events   int64    `json:"events"`
	}
	type twin struct {
		Tenant   string            `json:"tenant"`
		Currency money.Currency    `json:"currency"`
		Open     int64             `json:"open"`
		Overdue  int64             `json:"overdue"`
		Balance  int64             `json:"balance"`
		Upcoming []billing.Invoice `json:"upcoming"`
		Usage    []use             `json:"usage_this_month"`
		Drafts   any               `json:"drafts"`
	}
	t := twin{Tenant: v.Slug, Currency: v.account.Currency, Open: v.open, Overdue: v.overdue, Balance: v.account.Closing, Upcoming: append([]billing.Invoice{}, v.next...), Usage: []use{}}
	for _, u := range v.usage {
		for _, total := range u.totals {
			t.Usage = append(t.Usage, use{u.meter.ID, total.Group, total.Quantity.String(), total.Events})
		}
	}
	drafts, err := wire.Invoices(v.drafts)
	t.Drafts = drafts
	return t, err
}
